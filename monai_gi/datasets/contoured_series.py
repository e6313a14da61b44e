"""Which series of images a folder's structure sets and segmentations belong to: by series UID, else by coordinates.

Contours that `monai-gi predict` wrote and nobody approved are no truth, nor are rejected ones.
Source: references of DICOM PS3.3, sections C.8.8.5 (RTSTRUCT) and C.12.1.1 (SEG), C.8.8.16 (approval). Headers are
read, never pixels.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from pydicom import dcmread

from monai_gi.dicom.geometry import arrange
from monai_gi.dicom.headers import text
from monai_gi.dicom.series import DicomObject, Series, find_dicom
from monai_gi.errors import DataError, DataErrors
from monai_gi.provenance import DRAFT_LABELS, MANUFACTURER

AUTOMATIC, REJECTED = "automatic and unapproved", "rejected"
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


class FoundContours(NamedTuple):
    """What a folder holds to learn from.

    Attributes:
        contoured: series with contours, by UID.
        bare: UIDs of the series without, sorted.
        passed_over: files of contours that are no truth, as (reason, place below the folder).
    """

    contoured: list[ContouredSeries]
    bare: list[str]
    passed_over: list[tuple[str, str]]


def find_contoured_series(root: Path, *, take_automatic: bool = False) -> FoundContours:
    """Find the series that have contours.

    Args:
        root: folder of DICOM at any depth.
        take_automatic: take what `monai-gi predict` wrote and nobody approved for a truth, too.

    Returns:
        Series with contours, those without, and contours that are no truth.

    Raises:
        DataError: there are no contours at all.
        DataErrors: all at once: files that can not be read, contours of which no series or no single one is there, and
            what makes a contoured series unfit (missing slices and the like).
    """
    found = find_dicom(root)
    reasons = [_reason_to_pass_over(one, take_automatic=take_automatic) for one in found.objects]
    taken = [one for one, reason in zip(found.objects, reasons, strict=True) if not reason]
    passed_over = [
        (reason, one.path.relative_to(root).as_posix())
        for one, reason in zip(found.objects, reasons, strict=True)
        if reason
    ]
    if not (taken or found.faults):
        raise DataError(root, _nothing_to_learn_from(len(found.series), [reason for reason, _ in passed_over]))
    matches = [_series_of(one, found.series) for one in taken]
    faults = [*found.faults, *(match for match in matches if isinstance(match, DataError))]
    objects: dict[str, list[DicomObject]] = {}
    for one, match in zip(taken, matches, strict=True):
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
    return FoundContours(pairs, sorted(one.uid for one in found.series if one.uid not in objects), passed_over)


def _reason_to_pass_over(one: DicomObject, *, take_automatic: bool) -> str:
    """Why contours are no truth; "" where they are one."""
    keywords = ["ApprovalStatus", "Manufacturer", "StructureSetLabel", "ContentLabel"]
    header = dcmread(one.path, stop_before_pixels=True, force=True, specific_tags=list(keywords))
    approval, maker, *labels = (text(header, keyword) for keyword in keywords)
    if approval == "REJECTED":
        return REJECTED
    is_own = maker == MANUFACTURER or DRAFT_LABELS[one.modality] in labels
    return AUTOMATIC if is_own and approval != "APPROVED" and not take_automatic else ""


def _nothing_to_learn_from(series: int, reasons: Sequence[str]) -> str:
    problem = f"no RTSTRUCT and no SEG to learn from among {series} series of images"
    counts = [f"{count} {'is' if count == 1 else 'are'} {reason}" for reason, count in sorted(Counter(reasons).items())]
    repair = "; --take-automatic takes them nevertheless" if AUTOMATIC in reasons else ""
    return "; ".join([problem, *counts]) + (repair or "; contours are wanted")


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
