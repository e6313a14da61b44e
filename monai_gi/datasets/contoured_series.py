"""Which series of images a folder's structure sets and segmentations belong to: by series UID, else by coordinates.

Source: references of DICOM PS3.3, sections C.8.8.5 (RTSTRUCT) and C.12.1.1 (SEG). Headers are read, never pixels.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from pydicom import dcmread

from monai_gi.dicom.geometry import arrange
from monai_gi.dicom.series import DicomObject, Series, find_dicom
from monai_gi.errors import DataError, DataErrors

_TIMES = ("StudyDate", "StudyTime", "SeriesDate", "SeriesTime", "AcquisitionDate", "AcquisitionTime")


class ContouredSeries(NamedTuple):
    """A series of images and its contours.

    Attributes:
        series: the images.
        objects: structure sets and segmentations, by path.
        patient: the same for all series of one patient; to group by, never to write down.
        order: sorts the series of a patient by time; never to write down.
    """

    series: Series
    objects: tuple[DicomObject, ...]
    patient: str
    order: tuple[str, ...]


def find_contoured_series(root: Path) -> tuple[list[ContouredSeries], list[str]]:
    """Find the series that have contours.

    Args:
        root: folder of DICOM at any depth.

    Returns:
        Series with contours, by UID, and the UIDs of the series without.

    Raises:
        DataError: there are no contours at all.
        DataErrors: all at once: files that can not be read, contours of which no series or no single one is there, and
            what makes a contoured series unfit (missing slices and the like).
    """
    found = find_dicom(root)
    if not (found.objects or found.faults):
        problem = (
            f"no RTSTRUCT and no SEG among {len(found.series)} series of images; contours are wanted to learn from"
        )
        raise DataError(root, problem)
    matches = [_series_of(one, found.series) for one in found.objects]
    faults = [*found.faults, *(match for match in matches if isinstance(match, DataError))]
    objects: dict[str, list[DicomObject]] = {}
    for one, match in zip(found.objects, matches, strict=True):
        if isinstance(match, Series):
            objects.setdefault(match.uid, []).append(one)
    contoured = sorted((series for series in found.series if series.uid in objects), key=lambda series: series.uid)
    faults += [fault for series in contoured for fault in _faults_of(series)]
    if faults:
        raise DataErrors(root, faults)
    pairs = [
        ContouredSeries(series, tuple(objects[series.uid]), series.patient_id or series.study_uid, _order(series))
        for series in contoured
    ]
    return pairs, sorted(series.uid for series in found.series if series.uid not in objects)


def _faults_of(series: Series) -> Sequence[DataError]:
    """What makes the images of a series unfit."""
    try:
        arrange(series)
    except DataErrors as faults:
        return faults.problems
    return ()


def _series_of(one: DicomObject, there: Sequence[Series]) -> Series | DataError:
    """The one series that contours belong to, or what is wrong."""
    named = [series for series in there if series.uid in one.referenced_series_uids]
    near = [
        series
        for series in there
        if series.frame_of_reference_uid
        and series.frame_of_reference_uid == one.frame_of_reference_uid
        and "LOCALIZER" not in series.image_type
    ]
    fitting = named or near
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        listed = ", ".join(series.uid for series in fitting)
        problem = f"{one.modality} fits {len(fitting)} series ({listed}); leave the one that was contoured"
        return DataError(one.path, problem)
    uids = ", ".join(one.referenced_series_uids) or "none named"
    problem = f"{one.modality} of a series that is not here ({uids}). Add the series, or move the file away"
    return DataError(one.path, problem)


def _order(series: Series) -> tuple[str, ...]:
    header = dcmread(series.frames[0].path, stop_before_pixels=True, force=True, specific_tags=list(_TIMES))
    return (*(str(header.get(keyword) or "") for keyword in _TIMES), series.uid)
