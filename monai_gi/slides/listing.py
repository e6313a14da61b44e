"""Slides among the files of a folder: one file a slide, where a scanner writes several that belong together.

MRXS: a folder of the file's name. VMS: an index that names its JPEGs (https://openslide.org/formats/hamamatsu/). DICOM:
a file a level, label or macro picture, all of one series; OpenSlide opens a series by any of its files.
"""

from collections.abc import Iterable
from pathlib import Path

from monai_gi.slides.opening import SUFFIXES

_FOLDER, _INDEX, _DICOM = ".mrxs", (".vms", ".vmu"), ".dcm"


def slide_files(files: Iterable[Path]) -> list[Path]:
    """Choose the files by which slides are opened.

    Args:
        files: of one or many folders, by their suffixes of any kind.

    Returns:
        Those with a slide's suffix, without hidden ones and without parts of other slides; of a DICOM series the first.
        Sorted.
    """
    slides = sorted(file for file in files if file.suffix.lower() in SUFFIXES and not file.name.startswith("."))
    parts = {part for slide in slides if slide.suffix.lower() in _INDEX for part in _named_in(slide)}
    folders = {slide.with_suffix("") for slide in slides if slide.suffix.lower() == _FOLDER}
    series: dict[tuple[Path, str], Path] = {}
    return [
        slide
        for slide in slides
        if slide not in parts
        and slide.parent not in folders
        and (slide.suffix.lower() != _DICOM or series.setdefault((slide.parent, _series_of(slide)), slide) == slide)
    ]


def files_of(path: str | Path) -> list[Path]:
    """List the files that a slide consists of.

    Args:
        path: by which it is opened; it need not be among those of `slide_files`.

    Returns:
        The path, and the others sorted; parts that are missing are left out.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    others: list[Path] = []
    if suffix == _FOLDER:
        others = list(path.with_suffix("").rglob("*"))
    elif suffix in _INDEX:
        others = [file for file in _named_in(path) if file.parent == path.parent and file != path]
    elif suffix == _DICOM:
        series = _series_of(path)
        beside = (file for file in path.parent.iterdir() if file.suffix.lower() == _DICOM and file != path)
        others = [file for file in beside if _series_of(file) == series]
    return [path, *sorted(file for file in others if file.is_file())]


def _named_in(index: Path) -> set[Path]:
    """The files beside an index that its lines `key=name` name."""
    try:
        lines = index.read_text(encoding="latin-1").splitlines()
    except OSError:
        return set()
    return {index.parent / value.strip() for _, _, value in (line.partition("=") for line in lines) if value.strip()}


def _series_of(file: Path) -> str:
    """The series of a DICOM file; its name where that can not be read, so that opening it tells why."""
    import pydicom
    from pydicom.errors import InvalidDicomError

    try:
        header = pydicom.dcmread(file, stop_before_pixels=True, specific_tags=["SeriesInstanceUID"])
    except (OSError, InvalidDicomError, ValueError, EOFError):
        return file.name
    return str(header.get("SeriesInstanceUID", file.name))
