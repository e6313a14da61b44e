"""DICOM files recognised by content, and their headers read without pixels, contours or frames of segmentations.

A file is DICOM when "DICM" stands at byte 128 (PS3.10 section 7.1), or when it starts with a plausible element of
group 2 or 8 and holds the UIDs of a DICOM object (files cut out of a PACS come without the preamble).
"""

import math
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, NamedTuple

from pydicom import Dataset, FileDataset
from pydicom.datadict import tag_for_keyword
from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_partial
from pydicom.multival import MultiValue
from pydicom.uid import UID, MediaStorageDirectoryStorage
from pydicom.valuerep import VR

from monai_gi.errors import DataError

KEYWORDS = (
    *("SpecificCharacterSet", "ImageType", "SOPClassUID", "SOPInstanceUID", "Modality", "SeriesDescription"),
    *("ReferencedSeriesSequence", "PatientName", "PatientID", "SliceThickness", "SpacingBetweenSlices"),
    *("StudyInstanceUID", "SeriesInstanceUID", "SeriesNumber", "InstanceNumber", "ImagePositionPatient"),
    *("ImageOrientationPatient", "FrameOfReferenceUID", "NumberOfFrames", "Rows", "Columns", "PixelSpacing"),
    *("ReferencedFrameOfReferenceSequence", "StructureSetROISequence"),
)
TAGS: list[int] = [tag for keyword in KEYWORDS if (tag := tag_for_keyword(keyword)) is not None]
PIXELS = {0x7FE00008, 0x7FE00009, 0x7FE00010}
CONTOURS = 0x30060039
FUNCTIONAL_GROUPS = {0x52009229, 0x52009230}
PREAMBLE_BYTES = 128
LONGEST_FIRST_VALUE = 256
EXPLICIT_VRS = {vr.value.encode() for vr in VR if len(vr.value) == 2}
READ_ERRORS = (
    InvalidDicomError,
    OSError,
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    EOFError,
    NotImplementedError,
)


class Header(NamedTuple):
    """What stands before the pixels of one file.

    Attributes:
        dataset: the elements named in `KEYWORDS`; for multi-frame images all elements, functional groups too.
        has_pixels: pixel data follows.
    """

    dataset: Dataset
    has_pixels: bool


def read_header(path: Path) -> Header | None:
    """Read a file's header.

    Args:
        path: any file.

    Returns:
        None for a file that is not DICOM, and for a DICOMDIR.

    Raises:
        DataError: the file is DICOM by its first bytes, but can not be read or misses its UIDs.
    """
    try:
        with path.open("rb") as file:
            start = file.read(PREAMBLE_BYTES + 4)
            has_preamble = start[PREAMBLE_BYTES:] == b"DICM"
            if not has_preamble and not _starts_like_dicom(start):
                return None
            header = _read(file)
    except READ_ERRORS as error:
        if isinstance(error, OSError) or has_preamble:
            reason = getattr(error, "strerror", None) or error  # which names no path
            raise DataError(path, f"can not be read ({reason}); copy it again from its source") from error
        return None
    if header.dataset.get("SOPClassUID") and header.dataset.get("SeriesInstanceUID"):
        return header
    if not has_preamble or header.dataset.file_meta.get("MediaStorageSOPClassUID") == MediaStorageDirectoryStorage:
        return None
    raise DataError(path, "DICOM without SOPClassUID or SeriesInstanceUID; was it cut short? copy it from its source")


def _starts_like_dicom(start: bytes) -> bool:
    """Whether the first bytes are an element of group 2 or 8, little endian, with a VR or a short even length."""
    if len(start) < 8 or start[1] != 0 or start[0] not in (2, 8) or start[3] != 0:
        return False
    if start[4:6] in EXPLICIT_VRS:
        return True
    length = int.from_bytes(start[4:8], "little")
    return length % 2 == 0 and length <= LONGEST_FIRST_VALUE


def _read(file: BinaryIO) -> Header:
    dataset, stopped_at = _read_until(file, {*PIXELS, *FUNCTIONAL_GROUPS, CONTOURS}, TAGS)
    if stopped_at in FUNCTIONAL_GROUPS and is_image(dataset):
        dataset, stopped_at = _read_until(file, PIXELS, None)
    return Header(dataset, stopped_at in PIXELS)


def _read_until(file: BinaryIO, stops: set[int], tags: list[int] | None) -> tuple[FileDataset, int]:
    """The elements before the first one of `stops`, and which one that was, 0 where none is there."""
    stopped_at = [0]

    def stop(tag: int, vr: str | None, length: int) -> bool:
        stopped_at[0] = tag if tag in stops else 0
        return tag in stops

    file.seek(0)
    return read_partial(file, stop, force=True, specific_tags=tags), stopped_at[0]


def is_image(dataset: Dataset) -> bool:
    """Whether a header belongs to an image: by its SOP class, or by its size where the class is a private one.

    Segmentations, doses and structure sets are none. Source: PS3.4 annex B.5, the names of the storage classes.
    """
    name = UID(dataset.SOPClassUID).name
    if name == dataset.SOPClassUID:
        return "Rows" in dataset and "Columns" in dataset
    return name.endswith(("Image Storage", "Image Storage - For Presentation", "Image Storage - For Processing"))


def text(dataset: Dataset, keyword: str) -> str:
    """A value as text; "" where it is missing."""
    value = dataset.get(keyword)
    return "" if value is None else str(value).strip()


def long_string(words: str) -> str:
    """The words as VR LO in the default character set: no control characters or value separators, 64 at most."""
    return "".join(sign if " " <= sign <= "~" and sign != "\\" else "_" for sign in words)[:64]


def whole(dataset: Dataset, keyword: str) -> int | None:
    """A value as a whole number; None where it is missing."""
    value = dataset.get(keyword)
    return None if value in (None, "") else int(value)


def numbers(dataset: Dataset | None, keyword: str, count: int) -> tuple[float, ...]:
    """`count` finite numbers; NaN for each of them where the element is missing or holds anything else.

    >>> numbers(None, "PixelSpacing", 2)
    (nan, nan)
    """
    value = None if dataset is None else dataset.get(keyword)
    several = value if isinstance(value, MultiValue) else [] if value in (None, "") else [value]
    values = tuple(float(one) for one in several)
    return values if len(values) == count and all(map(math.isfinite, values)) else (math.nan,) * count


def frame_groups(dataset: Dataset) -> Callable[[int, str], Dataset | None]:
    """How to find a functional group of an enhanced image: (frame from 0, name of its sequence) -> group or None.

    What stands for a frame goes before what all frames share (PS3.3 section C.7.6.16).
    """
    shared = dataset.get("SharedFunctionalGroupsSequence") or [Dataset()]
    frames = dataset.get("PerFrameFunctionalGroupsSequence") or []

    def find(index: int, sequence: str) -> Dataset | None:
        own = frames[index].get(sequence) if index < len(frames) else None
        items = own or shared[0].get(sequence)
        return items[0] if items else None

    return find
