"""DICOM series as headers: found below a path by content, frames as they are found, nothing decoded."""

import warnings
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from pydicom import Dataset

from monai_gi.dicom.damage import Damaged, count_beside, empty_files
from monai_gi.dicom.frames import Frame, frames_of
from monai_gi.dicom.headers import READ_ERRORS, Header, is_image, read_header, text, whole
from monai_gi.errors import DataError, DataErrors
from monai_gi.folders import files_below

THREADS = 4
_LARGEST_INTEGER_STRING = 2**31 - 1
OBJECT_MODALITIES = ("RTSTRUCT", "SEG")


@dataclass(frozen=True)
class Series:
    """A series of images.

    Attributes:
        uid: SeriesInstanceUID.
        study_uid: StudyInstanceUID.
        frame_of_reference_uid: shared by what lies in the same coordinates; "" where the files have none.
        modality: "MR", "CT", ...
        description: SeriesDescription; free text that may name a patient, so it is shown with `--show-patient` only.
        image_type: values of ImageType, such as ("ORIGINAL", "PRIMARY", "M").
        frames: as found; sorted along the slice normal once `monai_gi.dicom.geometry` has checked them.
        number: SeriesNumber; None where the files have none.
        patient_name: for `--show-patient` only.
        patient_id: for `--show-patient` only.
        faults: for which the series is refused: files of it that can not be read, files of several patients.
        unreadable_beside: files in its folders that can not be read and say of no series that they belong to it. Where
            one was a slice between others, the gap tells; where it was one at an end, nothing does.
    """

    uid: str
    study_uid: str
    frame_of_reference_uid: str
    modality: str
    description: str = field(repr=False)
    image_type: tuple[str, ...]
    frames: tuple[Frame, ...]
    number: int | None = None
    patient_name: str = field(default="", repr=False)
    patient_id: str = field(default="", repr=False)
    faults: tuple[DataError, ...] = field(default=(), repr=False)
    unreadable_beside: int = 0

    def number_behind(self, offset: int) -> int:
        """A SeriesNumber for results, behind the scanner's own in a viewer's list.

        Args:
            offset: of the kind of result.

        Returns:
            Offset + number; the offset alone where the series has no number, or none that VR IS holds then.
        """
        number = self.number or 0
        return offset + (number if 0 < number <= _LARGEST_INTEGER_STRING - offset else 0)


class DicomObject(NamedTuple):
    """A structure set or a segmentation, which belongs to series of images.

    Attributes:
        path: the file.
        modality: "RTSTRUCT" or "SEG".
        sop_class_uid: of the file.
        series_uid: of the object itself.
        referenced_series_uids: series of images that it names; often one, none where it names none.
        frame_of_reference_uid: of its coordinates; "" where the file has none.
    """

    path: Path
    modality: str
    sop_class_uid: str
    series_uid: str
    referenced_series_uids: tuple[str, ...]
    frame_of_reference_uid: str


class Found(NamedTuple):
    """All DICOM below a path.

    Attributes:
        series: series of images of any modality, by study, series number and UID.
        objects: structure sets and segmentations, by path.
        faults: files that belong to none of the series and are DICOM by their first bytes, but can not be read; empty
            files beside slices; folders that can not be listed. Named by their place below the path.
    """

    series: list[Series]
    objects: list[DicomObject]
    faults: list[DataError]


def find_series(path: Path, *, progress: Callable[[int, int], None] | None = None) -> list[Series]:
    """Find every series of images below a path, by content; see `find_dicom`.

    Args:
        path: a folder, of any depth, or one file.
        progress: called with (files looked at, files in all).

    Returns:
        By study, series number and UID; none where there is no DICOM.

    Raises:
        DataError: the path does not exist.
        DataErrors: there are DICOM files, but none of a series can be read.
    """
    found = find_dicom(path, progress=progress)
    if found.faults and not found.series:
        raise DataErrors(path, found.faults)
    return found.series


def find_objects(path: Path) -> list[DicomObject]:
    """Find every structure set and segmentation below a path; DICOM files that can not be read are left out.

    Args:
        path: a folder, of any depth, or one file.

    Returns:
        By path; none where there are none.

    Raises:
        DataError: the path does not exist.
    """
    return find_dicom(path).objects


def find_dicom(
    path: Path, *, files: Iterable[Path] | None = None, progress: Callable[[int, int], None] | None = None
) -> Found:
    """Read the headers of all DICOM files below a path, whatever their names; other files are skipped.

    Images are grouped by SeriesInstanceUID; files of several patients in one group are a fault of the series. How
    folders are walked, `monai_gi.folders.files_below` tells.

    Args:
        path: a folder, of any depth, or one file.
        files: all that lie there, where somebody has looked already.
        progress: called with (files looked at, files in all).

    Returns:
        Empty lists where there is no DICOM.

    Raises:
        DataError: the path does not exist.
    """
    faults: list[DataError] = []
    files = _files_below(Path(path), faults) if files is None else list(files)
    items: list[_Item] = []
    # pydicom warns of each value that breaks the standard's length or spelling; what matters here is checked later
    with warnings.catch_warnings(), ThreadPoolExecutor(THREADS) as pool:
        warnings.simplefilter("ignore", UserWarning)
        for done, item in enumerate(pool.map(_read_item, files), start=1):
            items.append(item)
            if progress is not None:
                progress(done, len(files))
    objects = [item for item in items if isinstance(item, DicomObject)]
    groups = _group(item for item in items if isinstance(item, Series))
    slices = {uid: [frame.path for part in parts for frame in part.frames] for uid, parts in groups.items()}
    damaged = [item for item in items if isinstance(item, Damaged)]
    damaged += empty_files(files, chain.from_iterable(slices.values()))
    beside = count_beside(damaged, slices)
    series = []
    for uid, parts in groups.items():
        own = [one.fault(Path(path)) for one in damaged if one.series_uid == uid]
        series.append(_join(parts, faults=(*own, *_mixed_patients(parts)), unreadable_beside=beside[uid]))
    series.sort(key=lambda one: (one.study_uid, one.number or 0, one.uid))
    faults += [one.fault(Path(path)) for one in damaged if one.series_uid not in groups]
    return Found(series, objects, [fault.seen_from(path) for fault in faults])


_Item = Series | DicomObject | Damaged | None


def _files_below(path: Path, faults: list[DataError]) -> list[Path]:
    if not path.exists():
        raise DataError(path, "no such file or folder; is the path right?")
    return list(files_below(path, faults.append)) if path.is_dir() else [path]


def _read_item(path: Path) -> _Item:
    """The part of a series that one file holds, or the object that it is; None for other files."""
    try:
        header = read_header(path)
    except DataError as fault:
        return Damaged(path, fault.problem)
    if header is None:
        return None
    try:
        if text(header.dataset, "Modality") in OBJECT_MODALITIES:
            return _object_of(path, header.dataset)
        return _part_of_series(path, header) if is_image(header.dataset) else None
    except READ_ERRORS as error:
        problem = f"its header can not be understood ({error}); copy it again from its source"
        return Damaged(path, problem, text(header.dataset, "SeriesInstanceUID"))


def _part_of_series(path: Path, header: Header) -> Series:
    dataset = header.dataset
    return Series(
        uid=text(dataset, "SeriesInstanceUID"),
        study_uid=text(dataset, "StudyInstanceUID"),
        frame_of_reference_uid=text(dataset, "FrameOfReferenceUID"),
        modality=text(dataset, "Modality"),
        description=text(dataset, "SeriesDescription"),
        image_type=tuple(dataset.get("ImageType") or ()),
        frames=frames_of(path, header),
        number=whole(dataset, "SeriesNumber"),
        patient_name=text(dataset, "PatientName"),
        patient_id=text(dataset, "PatientID"),
    )


def _group(parts: Iterable[Series]) -> dict[str, list[Series]]:
    together: dict[str, list[Series]] = {}
    for part in parts:
        together.setdefault(part.uid, []).append(part)
    return together


def _mixed_patients(parts: Sequence[Series]) -> list[DataError]:
    """Whether the files of a series name different patients: nobody knows whose contours these would be."""
    patients = len({part.patient_id for part in parts})
    return [DataError("several patients", f"its files name {patients}; export it again")] if patients > 1 else []


def _join(parts: Sequence[Series], *, faults: tuple[DataError, ...], unreadable_beside: int) -> Series:
    frames = tuple(chain.from_iterable(part.frames for part in parts))
    return replace(parts[0], frames=frames, faults=faults, unreadable_beside=unreadable_beside)


def _object_of(path: Path, dataset: Dataset) -> DicomObject:
    """Source: PS3.3 sections C.8.8.5 (structure sets) and C.7.6.3, C.12.1.1 (segmentations)."""
    references = dataset.get("ReferencedFrameOfReferenceSequence") or []
    rois = dataset.get("StructureSetROISequence") or []
    studies = chain.from_iterable(one.get("RTReferencedStudySequence") or [] for one in references)
    named = chain.from_iterable(one.get("RTReferencedSeriesSequence") or [] for one in studies)
    uids = [text(one, "SeriesInstanceUID") for one in chain(dataset.get("ReferencedSeriesSequence") or [], named)]
    frames_of_reference = [
        text(dataset, "FrameOfReferenceUID"),
        *(text(one, "FrameOfReferenceUID") for one in references),
        *(text(one, "ReferencedFrameOfReferenceUID") for one in rois),
    ]
    return DicomObject(
        path=path,
        modality=text(dataset, "Modality"),
        sop_class_uid=text(dataset, "SOPClassUID"),
        series_uid=text(dataset, "SeriesInstanceUID"),
        referenced_series_uids=tuple(dict.fromkeys(filter(None, uids))),
        frame_of_reference_uid=next(filter(None, frames_of_reference), ""),
    )
