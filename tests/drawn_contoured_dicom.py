"""Contoured DICOM of two patients: small series with RTSTRUCT or SEG, whose structures are called as tests like."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydicom import dcmread

from monai_gi.dicom.series import find_series
from monai_gi.labels import ORGAN_NAMES
from monai_gi.provenance import Provenance
from monai_gi.readers.dicom import read_series
from monai_gi.writers.dicom_seg import write_dicom_seg
from monai_gi.writers.rtstruct import write_rtstruct
from tests.drawn_structures import affine_of

SIZE = (20, 26, 4)
NAMES = ("Bowel_Large", "Small bowel", "STOMACH")
MADE_BY = Provenance("tests", "0.1.0", "0" * 64, "0.1.0")


def axial_affine(spacing_mm=(1.5, 1.5, 3.0)):
    """Rows to posterior, columns to left; slices ascend to the head, as readers sort them."""
    return affine_of(np.array([1.0, 0, 0]), np.array([0, 1.0, 0]), spacing_mm)


def draw_organs(size=SIZE):
    """(3, H, W, D) bool: three boxes, the first two overlap, the stomach on the upper slices alone."""
    masks = np.zeros((3, *size), dtype=bool)
    masks[0, 3:12, 4:15, 1:] = True
    masks[1, 9:17, 6:22, :3] = True
    masks[2, 2:8, 17:24, 3:] = True
    return masks


def write_images(folder: Path, patient: int, **options) -> np.ndarray:
    """One series; its voxels."""
    from monai_gi.datasets.phantom.dicom_files import write_series

    voxels = np.random.default_rng(patient).integers(0, 900, SIZE).astype(np.uint16)
    affine = options.pop("affine", axial_affine())
    write_series(folder, voxels, affine, patient=patient, seed=options.pop("seed", patient), **options)
    return voxels


def write_contours(path: Path, folder: Path, *, names: Sequence[str] = NAMES, masks=None, seg=False) -> Path:
    """An RTSTRUCT, or a SEG, on the one series below `folder`; structures called `names` in the order of ORGANS."""
    (series,) = find_series(folder)
    masks = draw_organs() if masks is None else masks
    (write_dicom_seg if seg else write_rtstruct)(path, read_series(series), masks, MADE_BY)
    new = dict(zip(ORGAN_NAMES, names, strict=True))
    dataset = dcmread(path)
    dataset.Manufacturer = "Planning system"  # somebody drew them
    setattr(dataset, "ContentLabel" if seg else "StructureSetLabel", "ORGANS")
    for item in dataset.SegmentSequence if seg else dataset.StructureSetROISequence:
        keyword = "SegmentLabel" if seg else "ROIName"
        known = [
            organ
            for organ in ORGAN_NAMES
            if organ.replace("_", " ") in getattr(item, keyword).lower().replace("_", " ")
        ]
        setattr(item, keyword, new[known[0]])
    dataset.save_as(path)
    return path


def write_patients(root: Path, count: int = 2) -> list[np.ndarray]:
    """A folder a patient with one series and its RTSTRUCT, the last one with a SEG; the voxels."""
    voxels = []
    for patient in range(1, count + 1):
        folder = root / f"p{patient}"
        voxels.append(write_images(folder / "images", patient))
        write_contours(folder / "contours.dcm", folder / "images", seg=patient == count)
    return voxels
