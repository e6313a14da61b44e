"""The job of `monai-gi phantom dicom`: drawn MR series as DICOM, on request with their organs as RTSTRUCT beside."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydicom import dcmread
from tqdm import tqdm

from monai_gi import __version__
from monai_gi.atomic_file import write_atomically
from monai_gi.datasets.phantom.dicom import plan_dicom, write_drawn
from monai_gi.dicom.series import find_series
from monai_gi.errors import DataError
from monai_gi.provenance import Provenance
from monai_gi.readers.dicom import read_series
from monai_gi.writers.rtstruct import write_rtstruct

CONTOURS = "contours.dcm"
DRAWN = Provenance("drawn phantom", __version__, "0" * 64, __version__)


def draw_dicom(
    folder: Path, *, kinds: Sequence[str], patients: int, slices: int, seed: int, contours: bool
) -> list[Path]:
    """Draw series of every kind for every patient.

    Args:
        folder: new or empty.
        kinds: names of `monai_gi.datasets.phantom.dicom_kinds.KINDS`.
        patients: each gets every kind.
        slices: of each series.
        seed: decides everything.
        contours: also write the organs that were drawn as `contours.dcm` beside each series that is whole.

    Returns:
        The folder of each series.

    Raises:
        DataError: the folder holds something already.
        ValueError: a kind or number is not as wanted.
    """
    planned = plan_dicom(folder, kinds=kinds, patients=patients, slices=slices, seed=seed)
    folders = []
    for drawn in tqdm(planned, total=patients * len(kinds), desc="drawing", unit="series", disable=None):
        write_drawn(drawn)
        folders.append(drawn.folder)
        if contours:
            _write_contours(drawn.folder, drawn.masks)
    return folders


def _write_contours(folder: Path, masks: np.ndarray) -> None:
    """Write the truth of a series; the odd ones, which nobody can read, have none."""
    (series,) = find_series(folder)
    try:
        scan = read_series(series)
    except DataError:
        return
    path = write_rtstruct(folder / CONTOURS, scan, masks, DRAWN)
    dataset = dcmread(path)
    # Drawn by hand, as it were: no network made them, so they are a truth to learn from.
    dataset.Manufacturer, dataset.StructureSetLabel = DRAWN.bundle_name, "DRAWN"
    for roi in dataset.StructureSetROISequence:
        roi.ROIGenerationAlgorithm = "MANUAL"
    write_atomically(path, lambda file: dataset.save_as(file, enforce_file_format=True))
