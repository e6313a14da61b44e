"""NIfTI files as scans and as masks: voxels as stored, axes (i, j, k) taken as (row, column, slice), affine in RAS mm.

What a file is, its first bytes tell, not its name: `.nii`, `.nii.gz` or anything else, NIfTI-1 or NIfTI-2.
Format: https://nifti.nimh.nih.gov/nifti-1/documentation/nifti1fields
"""

import gzip
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import IOBase
from pathlib import Path

import nibabel as nib
import numpy as np

from monai_gi.errors import DataError
from monai_gi.labels import ORGAN_NAMES, ORGANS
from monai_gi.provenance import MASK_NOTE
from monai_gi.scan import Scan

HEADER_BYTES = 540
_GZIP = b"\x1f\x8b"
_GREY_VALUES = 65536
_UNKNOWN_UNIT, _MM = 0, 2
_UNITS = {1: "metres", 3: "micrometres"}
_SHARED_GRID_MM = 0.01


def is_nifti(start: bytes) -> bool:
    """Tell a NIfTI file with its voxels by its first bytes, compressed or not.

    Args:
        start: the first 1024 bytes or more, fewer for a shorter file.

    Returns:
        Whether it is NIfTI-1 or NIfTI-2. A header whose voxels lie in another file (`.hdr` and `.img`) is none.
    """
    return _class_of(start) is not None


def is_own_mask(path: Path) -> bool:
    """Whether a file holds contours that `monai_gi.writers.nifti` wrote for a scan, as its description says.

    Args:
        path: a NIfTI file.

    Returns:
        True for our own masks and label maps.

    Raises:
        DataError: the file can not be read.
    """
    with _opened(path) as image:
        return bool(image.header["descrip"].item().endswith(MASK_NOTE.encode()))


def volume_size(path: Path) -> tuple[int, int, int]:
    """(H, W, D) by the header alone; axes that are not there count 1.

    Args:
        path: a NIfTI file.

    Returns:
        The lengths of the first three axes.

    Raises:
        DataError: the file can not be read.
    """
    rows, columns, slices = (*volume_shape(path), 1, 1, 1)[:3]
    return rows, columns, slices


def volume_shape(path: Path) -> tuple[int, ...]:
    """Lengths of all axes by the header alone.

    Args:
        path: a NIfTI file.

    Returns:
        Two or more as a rule: masks of several organs have a channel axis behind the first three.

    Raises:
        DataError: the file can not be read.
    """
    with _opened(path) as image:
        return tuple(int(length) for length in image.shape)


def read_volume(path: Path, name: str) -> Scan:
    """Read one volume of grey values.

    Args:
        path: NIfTI of two or three dimensions; further ones may have length 1.
        name: of the scan.

    Returns:
        The scan, slope and intercept applied; slices are named by their number from 1. A volume of two dimensions has
        one slice.

    Raises:
        DataError: the file is damaged, has several volumes, colours, complex or missing values, no orientation, or
            another unit than mm.
    """
    with _opened(path) as image:
        voxels, affine = _grey(path, _values(path, image)), _affine(path, image)
    if any(length != 1 for length in voxels.shape[3:]) or voxels.ndim < 2:
        problem = f"volume of {_size(voxels.shape)} voxels, wanted two or three dimensions. Take one volume out of it"
        raise DataError(path, problem)
    voxels = voxels.reshape((*voxels.shape, 1)[:3])
    names = tuple(f"slice_{number:04d}" for number in range(1, voxels.shape[2] + 1))
    return Scan(name, voxels, affine, np.arange(voxels.shape[2]), names, "nifti", (path,))


def read_masks(paths: Path | Sequence[Path]) -> tuple[np.ndarray, np.ndarray]:
    """Read the organs of a scan: one label map, one file of C channels, or C files.

    Args:
        paths: a label map (H, W, D) of `Organ.index`; or masks (H, W, D, C) or (H, W, D, 1, C), as MONAI writes
            channels; or C files (H, W, D). Channels and files stand in the order of ORGANS; what is not zero is inside.

    Returns:
        Masks (C, H, W, D), bool, and their affine (4, 4) to RAS mm.

    Raises:
        DataError: a file can not be read, a label is unknown, there is not one mask an organ, or masks disagree in
            their place.
    """
    if isinstance(paths, Path):
        with _opened(paths) as image:
            return _split(paths, _values(paths, image)), _affine(paths, image)
    if len(paths) != len(ORGANS):
        raise DataError(
            str(list(map(str, paths))), f"{len(paths)} files, wanted one an organ: {', '.join(ORGAN_NAMES)}"
        )
    scans = [read_volume(path, path.name) for path in paths]
    for path, scan in zip(paths, scans, strict=True):
        require_same_grid(path, scan.voxels.shape, scan.affine, scans[0])
    return np.stack([scan.voxels != 0 for scan in scans]), scans[0].affine


def require_same_grid(where: Path, shape: Sequence[int], affine: np.ndarray, scan: Scan) -> None:
    """Check that masks lie voxel on voxel on a scan.

    Args:
        where: the masks' file, for the message.
        shape: (H, W, D) of the masks.
        affine: (4, 4) of the masks, to RAS mm.
        scan: what they belong to.

    Raises:
        DataError: size or place differ.
    """
    if tuple(shape) != scan.voxels.shape:
        problem = f"{_size(shape)} voxels, but {_size(scan.voxels.shape)} in {scan.files[0].name}"
        raise DataError(where, f"{problem}; masks voxel on voxel on their image are wanted")
    corners = np.array(np.meshgrid(*[(0, length - 1) for length in shape], [1])).reshape(4, -1)
    off = float(np.abs((affine - scan.affine) @ corners).max())
    if off > _SHARED_GRID_MM:
        problem = f"lies up to {off:.3g} mm away from {scan.files[0].name}"
        raise DataError(where, f"{problem}; masks voxel on voxel on their image are wanted. Resample them first")


def _class_of(start: bytes) -> type[nib.Nifti1Image] | None:
    if start.startswith(_GZIP):
        try:
            start = zlib.decompressobj(wbits=31).decompress(start, HEADER_BYTES)
        except zlib.error:
            return None
    if start[344:348] == b"n+1\x00" and _begins_with(start, 348):
        return nib.Nifti1Image
    if start[4:8] == b"n+2\x00" and _begins_with(start, 540):
        return nib.Nifti2Image
    return None


def _begins_with(start: bytes, size: int) -> bool:
    return start[:4] in (size.to_bytes(4, "little"), size.to_bytes(4, "big"))


@contextmanager
def _opened(path: Path) -> Iterator[nib.Nifti1Image]:
    """The image while its file is open; every fault of the file is a DataError."""
    try:
        with path.open("rb") as file:
            start = file.read(1024)
            file.seek(0)
            kind = _class_of(start)
            if kind is None:
                raise DataError(
                    path, "is no NIfTI file with its voxels in it (magic n+1 or n+2); wanted .nii or .nii.gz"
                )
            stream: IOBase = gzip.GzipFile(fileobj=file) if start.startswith(_GZIP) else file
            yield kind.from_stream(stream)
    except (OSError, EOFError, ValueError, zlib.error, nib.spatialimages.HeaderDataError) as error:
        raise DataError(path, f"can not be read as NIfTI ({error}); copy it again from its source") from error


def _values(path: Path, image: nib.Nifti1Image) -> np.ndarray:
    """The numbers, slope and intercept applied."""
    if image.get_data_dtype().kind not in "iuf":
        kind = "colours" if image.get_data_dtype().names else "complex numbers"
        raise DataError(path, f"holds {kind}, wanted one grey value a voxel")
    values = np.asarray(image.dataobj)
    if values.size == 0:
        raise DataError(path, f"holds no voxels: {_size(values.shape)}; export it again")
    return values


def _grey(path: Path, values: np.ndarray) -> np.ndarray:
    """uint16 where that is exact, else float32."""
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        count = values.size - int(np.count_nonzero(np.isfinite(values)))
        raise DataError(path, f"{count} voxels are not a number or infinite; write them as background, such as 0")
    if values.min() >= 0 and values.max() < _GREY_VALUES:
        grey = values.astype(np.uint16)
        if values.dtype.kind != "f" or np.array_equal(grey, values):
            return grey
    return values.astype(np.float32)


def _affine(path: Path, image: nib.Nifti1Image) -> np.ndarray:
    """(4, 4) float64 to RAS mm: the sform where its code is set, else the qform."""
    header = image.header
    unit = int(header["xyzt_units"]) & 7
    if unit not in (_UNKNOWN_UNIT, _MM):
        raise DataError(path, f"lengths in {_UNITS.get(unit, f'unit {unit}')}, wanted mm. Write it with spacings in mm")
    if not (int(header["sform_code"]) or int(header["qform_code"])):
        problem = "has no orientation (qform and sform codes are 0), so left and right are unknown"
        raise DataError(path, f"{problem}. Write it again from its source, with its affine")
    affine = np.asarray(image.affine, dtype=np.float64)
    if affine.shape != (4, 4) or not np.isfinite(affine).all() or abs(np.linalg.det(affine)) < 1e-9:
        raise DataError(path, f"affine {affine.tolist()} maps no volume; wanted three axes with a length")
    return affine


def _split(path: Path, values: np.ndarray) -> np.ndarray:
    """Masks (C, H, W, D) of a label map or of channels on the last axis."""
    if values.ndim == 5 and values.shape[3] == 1:
        values = values[:, :, :, 0]
    if values.ndim == 4 and values.shape[3] == len(ORGANS):
        return np.moveaxis(values != 0, -1, 0)
    if (values.ndim == 4 and values.shape[3] == 1) or values.ndim == 2:
        values = values.reshape((*values.shape, 1)[:3])
    if values.ndim != 3:
        problem = f"{_size(values.shape)} voxels, wanted a label map of three dimensions or {len(ORGANS)} channels"
        raise DataError(path, f"{problem} ({', '.join(ORGAN_NAMES)}) on the last axis")
    found = np.unique(values)
    known = (0, *(organ.index for organ in ORGANS))
    strange = [f"{value:g}" for value in found if value not in known]
    if strange:
        named = ", ".join(f"{organ.index} {organ.name}" for organ in ORGANS)
        raise DataError(path, f"labels {', '.join(strange[:5])} are unknown; wanted 0 background, {named}")
    return np.stack([values == organ.index for organ in ORGANS])


def _size(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape))
