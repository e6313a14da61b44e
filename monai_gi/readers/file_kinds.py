"""What a file is, by its first bytes and never by its name."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from monai_gi.errors import DataError
from monai_gi.readers.pictures import PNG_START, TIFF_STARTS
from monai_gi.readers.volumes import is_nifti

_START_BYTES = 1024
_DICOM_MARK = slice(128, 132)


def file_kind(path: Path) -> str:
    """What a file is by its first bytes.

    Args:
        path: any file.

    Returns:
        "dicom" (with the mark of PS3.10, section 7.1), "nifti", "png", "tiff", "text", or "other", which may be DICOM
        without its mark.

    Raises:
        DataError: the file can not be opened.
    """
    try:
        with path.open("rb") as file:
            start = file.read(_START_BYTES)
    except OSError as error:
        problem = f"can not be read: {error.strerror}; ask for the right to read it, or move it away"
        raise DataError(path, problem) from error
    if start[_DICOM_MARK] == b"DICM":
        return "dicom"
    if is_nifti(start):
        return "nifti"
    if start.startswith(PNG_START):
        return "png"
    if start.startswith(TIFF_STARTS):
        return "tiff"
    return "other" if b"\x00" in start else "text"


def kind_or_other(path: Path) -> str:
    """The kind of a file; "other" where it can not be opened: it may be DICOM, whose faults are gathered."""
    try:
        return file_kind(path)
    except DataError:
        return "other"


def counted(kinds: Iterable[str]) -> str:
    """How many files of each kind there are, in words, where none of them is a scan."""
    counts = Counter(kind if kind in ("png", "tiff", "text", "dicom", "nifti") else "unknown" for kind in kinds)
    words = {
        "png": "PNG not named like slices",
        "tiff": "TIFF",
        "text": "text",
        "dicom": "DICOM without images",
        "nifti": "NIfTI of contours that monai-gi wrote",
        "unknown": "of an unknown kind",
    }
    listed = ", ".join(f"{count} {words[kind]}" for kind, count in sorted(counts.items())) or "no file"
    single = " Give one picture by its own path." if counts["png"] + counts["tiff"] else ""
    return f"no scan found, but {listed}.{single}".removesuffix(".")
