"""Several levels around one centre, stacked as channels: as many pixels of each, so that the later see further."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np


class Image(Protocol):
    """What regions are read from, such as `Slide`."""

    size: tuple[int, int]

    def read(self, level: int, top: int, left: int, height: int, width: int) -> np.ndarray:
        """A region (height, width, 3), uint8, of a level; outside is white."""
        ...


def read_stack(image: Image, levels: Sequence[int], corner: tuple[int, int], roi_size: tuple[int, int]) -> np.ndarray:
    """Read a patch with what lies around it at other levels.

    Args:
        image: the slide.
        levels: the first one's pixels are those of `corner`; others are coarser.
        corner: (top, left) of the patch at the first level; may lie outside.
        roi_size: (h, w) pixels at every level.

    Returns:
        (3 * levels, h, w), uint8.
    """
    planes = []
    for level in levels:
        top, left = (around(start, length, level - levels[0]) for start, length in zip(corner, roi_size, strict=True))
        planes.append(image.read(level, top, left, *roi_size).transpose(2, 0, 1))
    return np.concatenate(planes)


def around(start: int, length: int, coarser: int) -> int:
    """Where an interval of the same length and centre begins at a coarser level, rounded down to pixels.

    Args:
        start: first pixel at the finer level.
        length: pixels, at both.
        coarser: levels between the two, 0 or more.

    Returns:
        First pixel at the coarser level.

    Example:
        >>> around(100, 64, 2), around(100, 64, 0)
        (1, 100)
    """
    if coarser == 0:
        return start
    return (2 * start + length) // (2 << coarser) - length // 2
