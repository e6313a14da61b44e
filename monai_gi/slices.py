"""Slice files of UW-Madison: `slice_0012_360_310_1.50_1.50.png` is number, width, height, then x and y spacing in mm.

Read without a transpose: arrays are (H, W), row = y down, column = x right. A folder of slices is one scan.
Naming as in https://www.kaggle.com/competitions/uw-madison-gi-tract-image-segmentation/data
"""

import os
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from monai_gi.errors import DataError

SLICE_NAME = re.compile(r"slice_(\d+)_(\d+)_(\d+)_(\d+(?:\.\d+)?)_(\d+(?:\.\d+)?)\.png", re.ASCII)
GREY_MODES = {"I;16": np.uint16, "I;16B": np.uint16, "L": np.uint8}
THREADS = 4
THREADS_PAY_FROM = 8


class SliceName(NamedTuple):
    """What a file name says.

    Attributes:
        number: slice number, ascending towards the feet.
        size: (H, W) in pixels.
        spacing_mm: (row, column), distance between pixel centres.
    """

    number: int
    size: tuple[int, int]
    spacing_mm: tuple[float, float]


class ScanFolder(NamedTuple):
    """The slices of one scan, ascending by number.

    Attributes:
        numbers: slice numbers (N,), each once.
        paths: their files, same order.
    """

    numbers: np.ndarray
    paths: tuple[str, ...]


def parse_slice_name(name: str) -> SliceName | None:
    """Read number, size and spacing from a file's name (without its folder); None for a name of another kind.

    >>> parse_slice_name("slice_0012_360_310_1.50_1.63.png")
    SliceName(number=12, size=(310, 360), spacing_mm=(1.63, 1.5))
    """
    match = SLICE_NAME.fullmatch(name)
    if match is None:
        return None
    number, width, height = (int(text) for text in match.groups()[:3])
    spacing_x, spacing_y = (float(text) for text in match.groups()[3:])
    return SliceName(number, (height, width), (spacing_y, spacing_x))


def list_slices(folder: str | Path) -> ScanFolder:
    """List the slices of a scan's folder; a listing is kept until files are added, removed or renamed there.

    Args:
        folder: holds slice files; files of other names are no slices.

    Returns:
        At least one slice.

    Raises:
        DataError: the folder is missing, holds no slice, or holds one slice number twice.
    """
    try:
        changed = Path(folder).stat().st_mtime_ns
    except OSError as error:
        raise DataError(folder, f"{error.strerror}; wanted a folder of slices") from error
    return _list_slices(str(folder), changed)


@lru_cache(maxsize=4096)
def _list_slices(folder: str, changed: int) -> ScanFolder:
    with os.scandir(folder) as entries:
        found = [(name.number, entry.path) for entry in entries if (name := parse_slice_name(entry.name))]
    if not found:
        raise DataError(folder, "no file is named like slice_0001_266_266_1.50_1.50.png; is it a scans folder?")
    found.sort()
    for (number, path), (next_number, next_path) in pairwise(found):
        if number == next_number:
            names = f"{Path(path).name} and {Path(next_path).name}"
            raise DataError(folder, f"slice {number} is there twice, as {names}; remove the wrong one")
    return ScanFolder(np.array([number for number, _ in found]), tuple(path for _, path in found))


def read_slice(path: str | Path) -> np.ndarray:
    """Read one grey PNG, bit for bit.

    Args:
        path: where the name tells the size, the pixels must have it.

    Returns:
        (H, W), uint16 for 16-bit files and uint8 for 8-bit files.

    Raises:
        DataError: the file is missing, empty, cut short, no PNG, not grey, or of another size than its name says.
    """
    try:
        with Image.open(path, formats=("PNG",)) as image:
            if image.mode not in GREY_MODES:
                raise DataError(path, f"PNG of mode {image.mode}, wanted one grey channel of 16 or 8 bits")
            pixels = np.asarray(image).astype(GREY_MODES[image.mode], copy=False)
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise DataError(path, f"can not be read as a PNG ({error}); copy it again from its source") from error
    name = parse_slice_name(Path(path).name)
    if name is not None and name.size != pixels.shape:
        found, wanted = (f"{width} x {height}" for height, width in (pixels.shape, name.size))
        raise DataError(path, f"{found} (W x H) in the file, {wanted} in its name; was it resized or turned?")
    return pixels


def read_slices(paths: Sequence[str | Path], threads: int = THREADS) -> list[np.ndarray]:
    """Read several slices that belong together; many are decoded in threads (zlib lets others run meanwhile).

    Args:
        paths: none gives an empty list.
        threads: at most so many files are decoded at once.

    Returns:
        Arrays (H, W) in the order of `paths`.

    Raises:
        DataError: a file is faulty (see `read_slice`), or the files differ in size or type.
    """
    if len(paths) < THREADS_PAY_FROM or threads < 2:
        slices = [read_slice(path) for path in paths]
    else:
        with ThreadPoolExecutor(threads) as pool:
            slices = list(pool.map(read_slice, paths))
    for path, pixels in zip(paths, slices, strict=True):
        if pixels.shape != slices[0].shape:
            found, wanted = (f"{width} x {height}" for height, width in (pixels.shape, slices[0].shape))
            raise DataError(path, f"{found} (W x H), but {wanted} in {paths[0]}: one scan has one size")
        if pixels.dtype != slices[0].dtype:
            raise DataError(path, f"{pixels.dtype}, but {slices[0].dtype} in {paths[0]}: one scan has one type")
    return slices


def slice_affine(spacing_mm: Sequence[float]) -> np.ndarray:
    """Affine (4, 4), float64, from (row, column, slice) indices to RAS mm; the first voxel is the origin.

    >>> (slice_affine((1.5, 2.0, 3.0)) @ [1, 1, 1, 1]).tolist()
    [-2.0, -1.5, -3.0, 1.0]
    """
    affine = np.eye(4)
    affine[:3, :3] = 0
    affine[1, 0], affine[0, 1], affine[2, 2] = (-length for length in spacing_mm)
    return affine


def pixel_spacing_mm(paths: Sequence[Path]) -> tuple[float, float]:
    """(row, column) by the names of one scan's slices; 1 mm where the names tell nothing.

    Args:
        paths: at least one.

    Returns:
        Millimetres.

    Raises:
        DataError: the names disagree.
    """
    names = [parse_slice_name(path.name) for path in paths]
    first = names[0].spacing_mm if names[0] else (1.0, 1.0)
    for path, name in zip(paths, names, strict=True):
        spacing = name.spacing_mm if name else (1.0, 1.0)
        if spacing != first:
            raise DataError(path, f"pixels of {spacing} mm by its name, but {first} in {paths[0]}: one scan has one")
    return first
