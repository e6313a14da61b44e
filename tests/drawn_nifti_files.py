"""NIfTI volumes drawn for tests: three unequal axes, uneven spacing, a known place in the patient."""

import nibabel as nib
import numpy as np

SIZE = (7, 5, 4)
SPACING_MM = (2.0, 1.5, 4.0)


def draw_affine(axcodes="RAS", spacing_mm=SPACING_MM, origin=(-10.0, 20.0, 30.5)):
    """From voxel to RAS mm, the axes in the directions of `axcodes`."""
    affine = np.eye(4)
    affine[:3, :3] = 0
    for axis, code in enumerate(axcodes):
        world = next(number for number, pair in enumerate(("LR", "PA", "IS")) if code in pair)
        affine[world, axis] = spacing_mm[axis] * (1 if code in "RAS" else -1)
    affine[:3, 3] = origin
    return affine


def draw_volume(size=SIZE):
    """uint16 whose every voxel tells its indices: 10000 i + 100 j + k."""
    i, j, k = np.indices((*size, 1)[:3])
    return (10000 * (i % 6) + 100 * j + k).astype(np.uint16).reshape(size)


def write_volume(path, values, affine=None, *, kind=nib.Nifti1Image, unit="mm"):
    """Write a NIfTI file under any name; compressed where it ends in gz."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = kind(values, draw_affine() if affine is None else affine)
    image.header.set_xyzt_units(unit)
    written = path.with_name(f"{path.name}.writing.nii.gz" if path.name.endswith("gz") else f"{path.name}.writing.nii")
    nib.save(image, written)
    written.replace(path)
    return path
