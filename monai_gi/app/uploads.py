"""Uploaded files as a case: archives unpacked, kinds told by content, one scan chosen where there are several."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from monai_gi.app.cases import Case
from monai_gi.app.frames import FramesCase, read_frames
from monai_gi.app.jobs import Report
from monai_gi.app.scans import ScanCase
from monai_gi.app.slides import SlideCase, read_slide
from monai_gi.app.truth import read_scan_truth
from monai_gi.dicom.series import find_objects
from monai_gi.errors import DataError
from monai_gi.folders import natural_key
from monai_gi.labels import ORGAN_NAMES, POLYP_NAMES, TISSUE_NAMES
from monai_gi.pictures import DEFAULT_MAX_PIXELS, picture_header
from monai_gi.readers.dicom import is_localizer
from monai_gi.readers.frames import is_grey
from monai_gi.readers.sources import Source, find_sources, read_source
from monai_gi.readers.volumes import volume_shape
from monai_gi.sharing.archive import Limits, unpack_safely

DEFAULT_MAX_VOXELS = 150_000_000
FRAMES_MAX_PIXELS = 200_000_000
UNPACKED_TIMES = 8
_ZIP_START = b"PK\x03\x04"
_FRAME_PIXELS = 4_000_000
_NAME = "scan"
_SCANNED = (".svs", ".ndpi", ".mrxs", ".scn", ".bif", ".svslide")
_NO_SCAN = re.compile(r"no scan found, but ([^.;]*)")
_SCANS = "DICOM, NIfTI, or a grey PNG or TIFF"
_OWN_PLACE = r"(?:/(?:input|truth|results)_[0-9a-f]{8})?(?:/archive_\d+)?"  # in the folder of a session
KINDS = ("slices", "frames", "slides")
CLASSES = {"slices": ORGAN_NAMES, "frames": POLYP_NAMES, "slides": TISSUE_NAMES}


@dataclass(frozen=True)
class Wanted:
    """What is read from uploads, and how much.

    Attributes:
        kind: of KINDS; None takes what the files look like.
        classes: of the bundle, for slides with the background first; None takes those of the kind.
        modality: of scans that are chosen first, such as "MR"; empty for any.
        max_bytes: of one upload.
        max_pixels: largest picture, and most voxels of a scan; None takes the defaults.
        allow_gaps: take scans with missing slices.
    """

    kind: str | None = None
    classes: tuple[str, ...] | None = None
    modality: str = ""
    max_bytes: int = 500_000_000
    max_pixels: int | None = None
    allow_gaps: bool = False


@dataclass(frozen=True)
class Upload:
    """What an upload holds.

    Attributes:
        case: the one that was chosen.
        choices: all that could have been, in words.
        chosen: number of the case among them.
        notes: what the user should know, in sentences.
    """

    case: Case
    choices: tuple[str, ...] = ()
    chosen: int = 0
    notes: tuple[str, ...] = ()


def unpack(files: Sequence[Path], folder: Path, max_bytes: int) -> None:
    """Unpack the archives among uploaded files; other files stay as they are.

    Args:
        files: in the folder.
        folder: gets a folder for each archive, which is removed.
        max_bytes: that all of them may unpack to.

    Raises:
        DataError: an archive is damaged, hostile or too large.
    """
    for number, file in enumerate(files):
        if is_zip(file):
            place = folder / f"archive_{number}"
            unpack_safely(file, place, Limits(total_bytes=max_bytes))
            max_bytes -= sum(path.stat().st_size for path in place.rglob("*"))
            file.unlink()


def is_zip(path: Path) -> bool:
    """Whether a file is a zip archive by its first bytes.

    Args:
        path: any file.

    Returns:
        By content, not by name.
    """
    with path.open("rb") as file:
        return file.read(len(_ZIP_START)) == _ZIP_START


def read_upload(folder: Path, wanted: Wanted, report: Report, chosen: int | None = None) -> Upload:
    """Read what was uploaded.

    Args:
        folder: with the files, unpacked.
        wanted: what is read, and how much.
        report: is told how far it is, and may end the work.
        chosen: number of a scan among several; None takes the first that suits.

    Returns:
        A case to look at.

    Raises:
        DataError: nothing there can be read, or it is too large.
    """
    files = plain_files(folder)
    kind = wanted.kind or kind_of(files)
    if kind == "frames":
        return _frames(files, wanted, report)
    if kind == "slides":
        return _slides(files, wanted, report, chosen or 0)
    return _scans(folder, wanted, report, chosen)


def plain_files(folder: Path) -> list[Path]:
    """Files at any depth, but for those that systems put beside.

    Args:
        folder: of an upload.

    Returns:
        Sorted by path, 2 before 10.
    """
    found = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    seen = [path for path in found if not any(part.startswith((".", "__MACOSX")) for part in path.parts)]
    return [folder / path for path in sorted(seen, key=lambda path: natural_key(path.as_posix()))]


def kind_of(files: Sequence[Path]) -> str:
    """What files look like where no bundle says what is wanted.

    Args:
        files: of an upload.

    Returns:
        "frames" for small colour pictures, "slides" for large ones, else "slices".
    """
    for path in files:
        try:
            header = picture_header(path)
        except DataError:
            continue
        if not is_grey(path):
            height, width = header.size
            return "frames" if header.frames == 1 and height * width <= _FRAME_PIXELS else "slides"
    return "slides" if any(path.suffix.lower() in _SCANNED for path in files) else "slices"


def _frames(files: Sequence[Path], wanted: Wanted, report: Report) -> Upload:
    frames = [path for path in files if not is_grey(path)] if len(files) > 1 else list(files)
    if not frames:
        raise DataError("upload", "holds grey pictures only, as masks are; colour frames are wanted")
    case = read_frames(frames, wanted.classes or POLYP_NAMES, wanted.max_pixels or FRAMES_MAX_PIXELS, report)
    return Upload(case)


def _slides(files: Sequence[Path], wanted: Wanted, report: Report, chosen: int) -> Upload:
    if not files:
        raise DataError("upload", "holds no file; a slide is wanted: TIFF, SVS, PNG or JPEG")
    report("Reading the slide")
    number = min(chosen, len(files) - 1)
    case = read_slide(files[number], wanted.classes or TISSUE_NAMES, wanted.max_pixels or DEFAULT_MAX_PIXELS)
    choices = tuple(f"Slide {place}" for place in range(1, len(files) + 1)) if len(files) > 1 else ()
    return Upload(case, choices, number)


def _scans(folder: Path, wanted: Wanted, report: Report, chosen: int | None) -> Upload:
    files = plain_files(folder)
    place = files[0] if len(files) == 1 else folder
    sources = _sources(place, report)
    suiting = [number for number, source in enumerate(sources) if _suits(source, wanted.modality)]
    number = min(chosen, len(sources) - 1) if chosen is not None else (suiting or [0])[0]
    source = sources[number]
    _check_size(source, wanted.max_pixels or DEFAULT_MAX_VOXELS)
    report(f"Reading {source.slices} slices" if source.slices > 1 else "Reading the picture")
    # Neutral names: that of a file may be a patient's.
    keeps = source.kind == "uw-madison"
    scan = read_source(source if keeps else replace(source, name=_NAME), wanted.allow_gaps)
    case, notes = _with_own_truth(ScanCase(scan), folder, report)
    choices = tuple(_words(place, one, wanted.modality) for place, one in enumerate(sources, start=1))
    return Upload(case, choices if len(choices) > 1 else (), number, notes)


def _sources(place: Path, report: Report) -> Sequence[Source]:
    """What can be read; a fault in few words, as the page says what it takes."""
    try:
        return find_sources(
            place, progress=lambda done, total: report(f"Looking at file {done} of {total}", done / total)
        )
    except DataError as error:
        found = _NO_SCAN.match(error.problem)
        if found is None:
            raise
        raise DataError(place, f"no scan in it, but {found[1]}. Upload {_SCANS}") from error


def _with_own_truth(case: ScanCase, folder: Path, report: Report) -> tuple[ScanCase, tuple[str, ...]]:
    """The scan with the one structure set that came with it, and what to know about it in sentences."""
    series = case.scan.series
    if series is None:
        return case, ()
    own = [one.path for one in find_objects(folder) if series.uid in one.referenced_series_uids]
    if len(own) > 1:
        note = f"{len(own)} structure sets or segmentations came with it and none was taken: upload one as the truth."
        return case, (note,)
    try:
        return case.with_truth(read_scan_truth(own, case.scan), report) if own else case, ()
    except DataError as error:
        return case, (f"The contours that came with it were not taken: {error.problem.rstrip('.')}.",)


def _suits(source: Source, modality: str) -> bool:
    series = source.series
    return series is None or not (is_localizer(series) or (modality and series.modality != modality))


def _words(number: int, source: Source, modality: str) -> str:
    what = f"{source.series.modality} series" if source.series else source.kind
    odd = "" if _suits(source, modality) else " (not what the bundle was made for)"
    return f"{number}: {what}, {source.slices} slices of {source.size[0]} × {source.size[1]}{odd}"


def _check_size(source: Source, most: int) -> None:
    # All axes of a NIfTI: whoever reads one volume of several inflates them all.
    shape = volume_shape(source.files[0]) if source.kind == "nifti" else (*source.size, source.slices)
    voxels = math.prod(shape)
    if voxels > most:
        size = " × ".join(map(str, shape))
        raise DataError("scan", f"{size} are {voxels:,} voxels, at most {most:,} are read here. Take monai-gi predict")


def sentence(error: DataError, folder: Path) -> str:
    """A fault in one sentence for the page: no paths of this machine.

    Args:
        error: one fault or several.
        folder: of the session, which is left out of names.

    Returns:
        The first fault, and how many more there are.
    """
    first, *others = error.problems
    text = " ".join(str(first).split()).replace("--allow-gaps", "the box below the examples")
    own = re.compile(rf"{re.escape(str(folder))}{_OWN_PLACE}(/(?=[^/\s:]))?")
    more = f" ({len(others)} more like this.)" if others else ""
    end = "" if text.endswith((".", "?", "!")) else "."
    return own.sub(lambda found: "" if found[1] else "upload", text) + end + more


__all__ = [
    "CLASSES",
    "KINDS",
    "FramesCase",
    "ScanCase",
    "SlideCase",
    "Upload",
    "Wanted",
    "is_zip",
    "kind_of",
    "plain_files",
    "read_upload",
    "sentence",
    "unpack",
]
