"""What scans an input holds, found out by the content of its files: DICOM, NIfTI, slices of UW-Madison, one picture.

Names of files are looked at only where they carry what the content lacks (slices of UW-Madison).
Files and folders whose names begin with a dot are passed over.
"""

import hashlib
import logging
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from monai_gi.dicom.series import Series, find_dicom
from monai_gi.errors import DataError, DataErrors
from monai_gi.folders import files_below, natural_key
from monai_gi.readers.dicom import read_series
from monai_gi.readers.file_kinds import counted, file_kind, kind_or_other
from monai_gi.readers.pictures import picture_size, read_picture, read_scan_slices
from monai_gi.readers.volumes import is_own_mask, read_volume, volume_size
from monai_gi.scan import Scan
from monai_gi.slices import parse_slice_name

logger = logging.getLogger(__name__)

_LONGEST_NAME = 64
_READABLE = (
    "a folder of DICOM series, one DICOM file, NIfTI files (.nii, .nii.gz), folders of slices named like "
    "case1/case1_day0/scans/slice_0001_266_266_1.50_1.50.png, or one grey PNG or TIFF can be read"
)


@dataclass(frozen=True)
class Source:
    """One scan that can be read.

    Attributes:
        kind: "dicom", "nifti", "uw-madison" or "picture".
        name: plain file name, unique in its input: the series' UID, the file's stem, or `case1_day0`.
        files: what will be read.
        size: (rows, columns) by the headers.
        slices: how many, by the headers.
        series: of DICOM; else None.
    """

    kind: str
    name: str
    files: tuple[Path, ...]
    size: tuple[int, int]
    slices: int
    series: Series | None = None


def find_sources(
    path: str | Path,
    series_uid: str | None = None,
    *,
    progress: Callable[[int, int], None] | None = None,
    unreadable: Callable[[DataError], object] | None = None,
) -> list[Source]:
    """Find out what a file or folder holds; headers are read, never pixels.

    All series of images are listed, also those that nobody would contour (localizers, other modalities): the caller
    chooses. In a folder single pictures are no scans; contours that monai-gi wrote as NIfTI are none anywhere.

    Args:
        path: a file, or a folder at any depth above scans.
        series_uid: take this DICOM series alone.
        progress: called with (files looked at, files in all) while DICOM is searched for.
        unreadable: called with the fault of each file of a folder that can not be read and belongs to no source; None
            logs how many there are.

    Returns:
        At least one source: DICOM by UID, then NIfTI, then slices, then a picture, each by name.

    Raises:
        DataError: nothing there is a scan, or the series is not there; the text says what was found.
    """
    path = Path(path)
    if not path.exists():
        raise DataError(path, f"no such file or folder; {_READABLE}")
    faults: list[DataError] = []
    if path.is_dir():
        files = {file: kind_or_other(file) for file in files_below(path, faults.append)}
    else:
        files = {path: file_kind(path)}
    found = _series(path, files, progress, faults) if {"dicom", "other"} & set(files.values()) else []
    if series_uid is not None:
        found = _pick(path, found, series_uid)
        if not any(source.series and source.series.unreadable_beside for source in found):
            faults.clear()  # of other series: nobody asked for them
    else:
        found += _volumes([file for file, kind in files.items() if kind == "nifti"], faults)
        if path.is_dir():
            found += _scan_folders([file for file, kind in files.items() if kind == "png"])
        elif files[path] in ("png", "tiff"):
            found.append(Source("picture", _picture_name(path), (path,), picture_size(path), 1))
    if not found and faults:
        raise DataErrors(path, faults) if path.is_dir() else faults[0]
    if not found:
        raise DataError(path, f"{counted(files.values())}; {_READABLE}")
    _tell(faults, unreadable)
    return _named_apart(path, found)


def read_source(source: Source, allow_gaps: bool = False) -> Scan:
    """Read a scan.

    Args:
        source: of `find_sources`.
        allow_gaps: take DICOM series and slices of UW-Madison with missing slices.

    Returns:
        The scan under the source's name.

    Raises:
        DataError: the data are damaged or refused; each reader names its reasons.
        ValueError: the source is of an unknown kind.
    """
    if source.series is not None:
        return read_series(source.series, allow_gaps=allow_gaps, name=source.name)
    if source.kind == "nifti":
        return read_volume(source.files[0], source.name)
    if source.kind == "uw-madison":
        return read_scan_slices(source.files, source.name, allow_gaps=allow_gaps)
    if source.kind == "picture":
        return read_picture(source.files[0], source.name)
    raise ValueError(f"source.kind: {source.kind!r}, wanted nifti, uw-madison, picture, or dicom with its series")


def plain_name(text: str) -> str:
    """Text as the name of a file or folder.

    >>> plain_name("../MR abdomen (2).v1")
    'MR_abdomen_2_.v1'

    Args:
        text: anything.

    Returns:
        Letters, digits, dots, dashes and underscores of ASCII, not beginning with a dot; "scan" where none is left.
    """
    return re.sub(r"[^A-Za-z0-9._-]+", "_", text)[-_LONGEST_NAME:].lstrip("._-") or "scan"


def _tell(faults: Sequence[DataError], unreadable: Callable[[DataError], object] | None) -> None:
    """Hand the faults on, or log how many there are: names of files are no matter for a log."""
    if unreadable is not None:
        for fault in faults:
            unreadable(fault)
    elif faults:
        logger.warning("%d files can not be read and were left out; `monai-gi series` names them", len(faults))


def _series(
    path: Path, files: Iterable[Path], progress: Callable[[int, int], None] | None, faults: list[DataError]
) -> list[Source]:
    found = find_dicom(path, files=files, progress=progress)
    faults += found.faults
    return [
        Source(
            "dicom",
            plain_name(series.uid),
            tuple(dict.fromkeys(frame.path for frame in series.frames)),
            series.frames[0].size,
            len(series.frames),
            series,
        )
        for series in sorted(found.series, key=lambda series: series.uid)
    ]


def _pick(path: Path, found: Sequence[Source], uid: str) -> list[Source]:
    chosen = [source for source in found if source.series is not None and source.series.uid == uid]
    if chosen:
        return chosen
    there = [f"{source.series.uid} ({source.series.modality}, {source.slices})" for source in found if source.series]
    listed = f"there are (modality, slices): {', '.join(there)}" if there else "no DICOM series is there"
    raise DataError(path, f"series {uid} asked for; {listed}")


def _volumes(paths: Sequence[Path], faults: list[DataError]) -> list[Source]:
    """Results may lie below the input, and a second run must not contour the contours of the first."""
    read = [_volume_or_fault(path) for path in paths]
    faults += [one for one in read if isinstance(one, DataError)]
    return [one for one in read if isinstance(one, Source)]


def _volume_or_fault(path: Path) -> Source | DataError | None:
    try:
        return None if is_own_mask(path) else _volume(path)
    except DataError as fault:
        return fault


def _volume(path: Path) -> Source:
    rows, columns, slices = volume_size(path)
    return Source(
        "nifti", plain_name(re.sub(r"(\.nii)?(\.gz)?$|\.[^.]*$", "", path.name)), (path,), (rows, columns), slices
    )


def _scan_folders(pictures: Sequence[Path]) -> list[Source]:
    folders: dict[Path, list[tuple[int, Path]]] = {}
    sizes = {}
    for path in pictures:
        parsed = parse_slice_name(path.name)
        if parsed is not None:
            folders.setdefault(path.parent, []).append((parsed.number, path))
            sizes[path.parent] = parsed.size
    return [
        Source("uw-madison", _scan_name(folder), tuple(path for _, path in sorted(slices)), sizes[folder], len(slices))
        for folder, slices in folders.items()
    ]


def _scan_name(folder: Path) -> str:
    folder = folder.absolute()
    return plain_name(folder.parent.name if folder.name == "scans" else folder.name)


def _picture_name(path: Path) -> str:
    """The stem; of a slice of UW-Madison its id, as the stem is the same in every scan."""
    parsed, scan = parse_slice_name(path.name), _scan_name(path.parent)
    if parsed is not None and re.fullmatch(r"case\d+_day\d+", scan):
        return f"{scan}_slice_{parsed.number:04d}"
    return plain_name(path.stem)


def _named_apart(root: Path, sources: Sequence[Source]) -> list[Source]:
    """Sources by kind and name; those that share a name get a hash of where they lie, the same in every run."""
    counts = Counter(source.name.casefold() for source in sources)
    named = [
        replace(source, name=f"{source.name}-{_hash_of_place(root, source)}")
        if counts[source.name.casefold()] > 1
        else source
        for source in sources
    ]
    order = ("dicom", "nifti", "uw-madison", "picture")
    return sorted(named, key=lambda source: (order.index(source.kind), natural_key(source.name)))


def _hash_of_place(root: Path, source: Source) -> str:
    place = os.path.relpath(source.files[0], root)
    return hashlib.sha256(Path(place).as_posix().encode()).hexdigest()[:8]
