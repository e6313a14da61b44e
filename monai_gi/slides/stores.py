"""What a file stores of a slide: levels and their pixels, behind one contract for every format.

Places are (top, left) in pixels of the stored level; pixels are (rows, columns, channels), uint8, as they are stored.
"""

import math
from typing import NamedTuple, Protocol

import numpy as np

_SLACK = 1
"""Writers round the sizes of smaller levels down, up or to the nearest."""
_LARGEST_TILE = 4096


class StoredLevel(NamedTuple):
    """One resolution that a file holds.

    Attributes:
        size: (H, W) in pixels.
        level: its downsample is 2**level.
        segment: (rows, columns) of what is decoded at once: a tile, a strip, or one row of uncompressed pixels.
    """

    size: tuple[int, int]
    level: int
    segment: tuple[int, int]


class Store(Protocol):
    """An open file.

    Attributes:
        kind: `tiff`, `png`, `jpeg`, or the vendor's name as OpenSlide knows it.
        levels: the full image first.
        mpp: micrometres a pixel of the full image (row, column), None where the file does not tell.
        channels: stored a pixel, 1 or 3.
        survives_fork: a forked process may go on using it.
        is_whole: the full image is unpacked into a temporary file at the first read.
    """

    kind: str
    levels: tuple[StoredLevel, ...]
    mpp: tuple[float, float] | None
    channels: int
    survives_fork: bool
    is_whole: bool

    @property
    def palette(self) -> np.ndarray | None:
        """(256, 3), uint8, colours of the one channel where it holds indices into a palette."""
        ...

    def read(self, index: int, top: int, left: int, height: int, width: int) -> np.ndarray:
        """Pixels (height, width, 1 or 3) of `levels[index]`, uint8; the region lies inside the level."""
        ...

    def close(self) -> None:
        """Let go of the file."""
        ...


def level_of(size: tuple[int, int], full: tuple[int, int]) -> int | None:
    """Tell whether a stored size is a power of two below the full one.

    Args:
        size: (H, W) of the stored level.
        full: (H, W) of the full image.

    Returns:
        The level, None where the size is no halving of the full image (a label, a macro picture, another factor).

    Example:
        >>> level_of((500, 701), (1001, 1403)), level_of((400, 701), (1001, 1403))
        (1, None)
    """
    if min(size) <= 0 or max(size) > max(full):
        return None
    level = max(0, round(math.log2(max(full) / max(size))))
    wanted = [side / 2**level for side in full]
    is_close = all(abs(have - want) <= (_SLACK if level else 0) for have, want in zip(size, wanted, strict=True))
    return level if is_close else None


def is_oversized(segment: tuple[int, int], size: tuple[int, int]) -> bool:
    """Tell tiles that only a damaged file can have, since they would be mostly empty.

    Args:
        segment: (rows, columns) of a tile.
        size: (H, W) of its level.

    Returns:
        Whether they are larger than the level, and than any scanner's.

    Example:
        >>> is_oversized((4096, 4096), (10, 10)), is_oversized((256, 33554688), (300, 260))
        (False, True)
    """
    return any(part > max(_LARGEST_TILE, side) for part, side in zip(segment, size, strict=True))


def nearest_finer(levels: tuple[StoredLevel, ...], level: int) -> int:
    """Choose the stored level to read another level from.

    Args:
        levels: the full image first.
        level: the one wanted, 0 or more.

    Returns:
        The place in `levels` of the coarsest one that is not coarser.
    """
    fitting = [index for index, stored in enumerate(levels) if stored.level <= level]
    return max(fitting, key=lambda index: levels[index].level)


def as_rgb(pixels: np.ndarray, palette: np.ndarray | None) -> np.ndarray:
    """Colours of stored pixels.

    Args:
        pixels: (h, w, 1 or 3), uint8.
        palette: (256, 3), or None.

    Returns:
        (h, w, 3), uint8.
    """
    if pixels.shape[2] == 3:
        return pixels
    return palette[pixels[..., 0]] if palette is not None else np.repeat(pixels, 3, axis=2)
