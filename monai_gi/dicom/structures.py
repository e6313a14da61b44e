"""Structures of an RTSTRUCT or a SEG as masks on the voxels of a series, matched by position in LPS mm.

References to single images are not followed: many files lack them, and where they stand they say what positions say.
"""

import warnings
from pathlib import Path

from pydicom import Dataset, dcmread

from monai_gi.dicom.geometry import Arrangement
from monai_gi.dicom.headers import READ_ERRORS
from monai_gi.dicom.series import DicomObject, Series, find_dicom
from monai_gi.dicom.slice_matching import SliceMatcher
from monai_gi.dicom.structure_contours import read_contours
from monai_gi.dicom.structure_segments import read_segments
from monai_gi.dicom.structure_types import Code, Structure
from monai_gi.errors import DataError

__all__ = ["Code", "Structure", "read_structures"]


def read_structures(path: str | Path, arrangement: Arrangement) -> list[Structure]:
    """Read every structure of a file onto a series.

    A contour or frame belongs to the nearest slice within half a slice spacing along the normal; what has no such slice
    is left out, and the structure's notes say how much. Contours of other types than closed planar ones likewise.

    Args:
        path: an RTSTRUCT or a SEG.
        arrangement: the series, sorted; masks are on its voxels.

    Returns:
        One structure an ROI or segment, in the order of the file; names may repeat.

    Raises:
        DataError: the file is neither, can not be read, lies in another frame of reference, is tilted against the
            slices, or nothing of it lies on the series.
    """
    path = Path(path)
    found = find_dicom(path)
    if found.faults:
        raise found.faults[0]
    if len(found.objects) != 1 or not path.is_file():
        raise DataError(path, "neither an RTSTRUCT nor a SEG; give one such file")
    _check_reference(found.objects[0], arrangement.series)
    dataset = _read(path)
    read = read_contours if found.objects[0].modality == "RTSTRUCT" else read_segments
    return read(dataset, SliceMatcher.of(arrangement), path.name)


def _check_reference(described: DicomObject, series: Series) -> None:
    """An object belongs to a series that it names, or whose coordinates it shares; one that says neither is trusted."""
    same_space = described.frame_of_reference_uid in ("", series.frame_of_reference_uid)
    if series.uid not in described.referenced_series_uids and not same_space:
        problem = (
            f"lies in frame of reference {described.frame_of_reference_uid}, the series in "
            f"{series.frame_of_reference_uid or 'none'}; choose the series it was drawn on, or register them first"
        )
        raise DataError(described.path, problem)


def _read(path: Path) -> Dataset:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of values that break the standard's spelling
            return dcmread(path, force=True)
    except READ_ERRORS as error:
        raise DataError(path, f"can not be read ({error}); copy it again from its source") from error
