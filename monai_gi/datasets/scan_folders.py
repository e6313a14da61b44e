"""Folders of slices in the Kaggle layout: `caseN/caseN_dayD/scans/slice_NNNN_W_H_sx_sy.png`, width first, 16-bit grey.

Names and the first 26 bytes of each file are read, never pixels (PNG header: https://www.w3.org/TR/png-3/#11IHDR).
Files and folders whose names begin with a dot are no data and are passed over.
"""

import os
import re
import struct
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from monai_gi.errors import DataError
from monai_gi.folders import natural_key
from monai_gi.slices import parse_slice_name

_PNG_START = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
_HEADER_BYTES = 26
_GREY = 0


class SliceImage(NamedTuple):
    """One image file, as its name tells.

    Attributes:
        scan: `caseN_dayD`.
        number: slice number, ascending towards the feet.
        path: the file.
        size: (H, W) in pixels.
        spacing_mm: (row, column).
    """

    scan: str
    number: int
    path: str
    size: tuple[int, int]
    spacing_mm: tuple[float, float]

    @property
    def id(self) -> str:
        """The id column of train.csv."""
        return f"{self.scan}_slice_{self.number:04d}"


def list_scan_folders(train: str | Path) -> tuple[list[tuple[str, Path]], list[DataError]]:
    """Find the scans below `train/`, sorted by case and day as numbers.

    Args:
        train: a folder of cases in the Kaggle layout.

    Returns:
        (scan, its `scans` folder) for each day, and what does not fit the layout.
    """
    folders: list[tuple[str, Path]] = []
    faults: list[DataError] = []
    for case in _visible(train):
        if not (case.is_dir() and re.fullmatch(r"case\d+", case.name, re.ASCII)):
            faults.append(DataError(case.path, "name is unreadable; a folder caseN is wanted here. Move it away?"))
            continue
        days = list(_visible(case))
        if not days:
            faults.append(DataError(case.path, f"no day in this case; a folder {case.name}_dayD is wanted"))
        for day in days:
            if day.is_dir() and re.fullmatch(rf"{case.name}_day\d+", day.name, re.ASCII):
                folders.append((day.name, Path(day.path, "scans")))
            else:
                problem = f"name is unreadable; a folder {case.name}_dayD is wanted here. Move it away?"
                faults.append(DataError(day.path, problem))
    return sorted(folders, key=lambda folder: natural_key(folder[0])), faults


def read_scan(scan: str, folder: str | Path) -> tuple[list[SliceImage], list[DataError]]:
    """Read names and headers of one scan's slices, sorted by slice number.

    Args:
        scan: name of the scan, such as `case7_day0`.
        folder: where its slices lie.

    Returns:
        The slices with a readable name, and every fault: names, headers, sizes, doubled numbers, mixed sizes.
    """
    if not Path(folder).is_dir():
        return [], [DataError(folder, f"folder is missing; it should hold the slices of {scan}")]
    images: list[SliceImage] = []
    faults: list[DataError] = []
    for entry in _visible(folder):
        name = parse_slice_name(entry.name)
        if name is None:
            problem = "name is unreadable; slice_NNNN_W_H_sx_sy.png is wanted, such as slice_0001_360_310_1.50_1.50.png"
            faults.append(DataError(entry.path, problem))
            continue
        image = SliceImage(scan, name.number, entry.path, name.size, name.spacing_mm)
        images.append(image)
        header_fault = _find_header_fault(image)
        if header_fault:
            faults.append(DataError(entry.path, header_fault))
    images.sort(key=lambda image: image.number)
    if not images:
        faults.append(DataError(folder, "no slices here; files slice_NNNN_W_H_sx_sy.png are wanted"))
    return images, faults + list(_find_scan_faults(folder, images))


def group_of(scan: str) -> str:
    """The case of `caseN_dayD`; a scan of another name is its own group."""
    match = re.fullmatch(r"(case\d+)_day\d+", scan, re.ASCII)
    return match[1] if match else scan


def number_ranges(numbers: Iterable[int]) -> str:
    """Write ascending numbers shortly.

    >>> number_ranges([1, 2, 3, 7, 9, 10])
    '1-3, 7, 9-10'
    """
    ranges: list[list[int]] = []
    for number in numbers:
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    return ", ".join(str(low) if low == high else f"{low}-{high}" for low, high in ranges)


def _visible(folder: str | Path | os.DirEntry[str]) -> Iterator[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        yield from (entry for entry in entries if not entry.name.startswith("."))


def _find_header_fault(image: SliceImage) -> str | None:
    try:
        with open(image.path, "rb", buffering=0) as file:  # noqa: PTH123 (half the time of Path.open)
            header = file.read(_HEADER_BYTES)
    except OSError as error:
        return f"can not be read: {error.strerror}"
    if len(header) < _HEADER_BYTES or not header.startswith(_PNG_START):
        return "is no PNG image, or is cut short; copy it again"
    width, height, bits, colour = struct.unpack(">IIBB", header[16:])
    if (height, width) != image.size:
        named = f"{image.size[1]}x{image.size[0]}"
        swapped = " Swap width and height?" if (width, height) == image.size else " Correct the name?"
        return f"{width}x{height} in the file, {named} (width x height) in its name.{swapped}"
    if bits != 16 or colour != _GREY:
        kind = "grey" if colour == _GREY else "colour"
        return f"{bits}-bit {kind} image, 16-bit grey wanted. Copy the original file; a converted one has lost depth"
    if min(image.spacing_mm) <= 0:
        return "pixel spacing of 0 mm in its name; millimetres are wanted"
    return None


def _find_scan_faults(folder: str | Path, images: Sequence[SliceImage]) -> Iterator[DataError]:
    counts = Counter(image.number for image in images)
    doubled = [number for number, count in counts.items() if count > 1]
    if doubled:
        yield DataError(folder, f"slice {number_ranges(doubled)} has more than one file; keep one of each")
    for name, kinds in (
        ("sizes (H, W)", sorted({image.size for image in images})),
        ("spacings (row, column) in mm", sorted({image.spacing_mm for image in images})),
    ):
        if len(kinds) > 1:
            found = ", ".join(map(str, kinds))
            yield DataError(folder, f"slices of one scan disagree in their {name}: {found}; one for the scan wanted")
