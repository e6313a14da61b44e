"""One pass over a whole label map, in bounded memory: pixels of each class in a grid of cells, and unknown colours."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from monai_gi.colors import UNKNOWN
from monai_gi.slides.labels import LabelSlide

CELL = 64
"""Pixels of the full image along a cell's side: one byte in 170 of a label map."""

_COLORS_KEPT = 100_000


class LabelSurvey(NamedTuple):
    """What a label map holds.

    Attributes:
        cells: (rows, columns, classes), uint32, pixels of each class in each cell; unknown ones as `table.unknown`.
        cell: pixels of the full image along a cell's side.
        unknown: pixels by unknown colour, as red * 65536 + green * 256 + blue; the commonest where there are many.
        unknown_pixels: all of them.
        size: (H, W) of the full image.
    """

    cells: np.ndarray
    cell: int
    unknown: dict[int, int]
    unknown_pixels: int
    size: tuple[int, int]

    @property
    def pixels(self) -> np.ndarray:
        """(classes,), int64, pixels of each class."""
        return self.cells.sum(axis=(0, 1), dtype=np.int64)


def survey(label: LabelSlide, cell: int = CELL, tell: Callable[[int], object] | None = None) -> LabelSurvey:
    """Go through a label map once.

    Args:
        label: an open one.
        cell: pixels of the full image along a cell's side.
        tell: is called with the number of pixels after each block.

    Returns:
        What it holds.

    Raises:
        DataError: the file is damaged.
    """
    height, width = label.size
    table = label.table
    cells = np.zeros((-(-height // cell), -(-width // cell), len(table.class_names)), dtype=np.uint32)
    unknown: dict[int, int] = {}
    total = 0
    for top, left, labels, codes in label.blocks():
        if codes.size:
            total += codes.size
            _count(unknown, codes)
            labels[labels == UNKNOWN] = table.unknown
        _add(cells, labels, top, left, cell)
        if tell:
            tell(labels.size)
    return LabelSurvey(cells, cell, unknown, total, label.size)


def require_known(label: LabelSlide, found: LabelSurvey) -> None:
    """Refuse a label map with too many unknown colours; fewer are logged.

    Args:
        label: it.
        found: its survey.

    Raises:
        DataError: their share is above the table's.
    """
    if found.unknown_pixels:
        codes, counts = np.array([*found.unknown.items()]).T
        pixels = label.size[0] * label.size[1]
        label.table.require_known(label.path, codes, counts, pixels, found.unknown_pixels)


def _count(unknown: dict[int, int], codes: np.ndarray) -> None:
    for code, count in zip(*(part.tolist() for part in np.unique(codes, return_counts=True)), strict=True):
        unknown[code] = unknown.get(code, 0) + count
    if len(unknown) > _COLORS_KEPT:  # noise, as of a JPEG: the rare ones are not worth their memory
        for code in sorted(unknown, key=lambda code: unknown[code])[: len(unknown) - _COLORS_KEPT // 2]:
            del unknown[code]


def _add(cells: np.ndarray, labels: np.ndarray, top: int, left: int, cell: int) -> None:
    """Count the classes of a block in its cells."""
    rows, columns = _starts(top, labels.shape[0], cell), _starts(left, labels.shape[1], cell)
    row, column = top // cell, left // cell
    part = cells[row : row + len(rows), column : column + len(columns)]
    low, high = int(labels.min()), int(labels.max())
    for index in range(low, high + 1):
        is_class = (labels == index).view(np.uint8)
        if low == high or is_class.any():
            by_row = np.add.reduceat(is_class, rows, axis=0, dtype=np.uint32)
            part[..., index] += np.add.reduceat(by_row, columns, axis=1)


def _starts(first: int, length: int, cell: int) -> np.ndarray:
    """Where cells begin in a block that begins at pixel `first`, counted from the block's begin."""
    return np.concatenate([[0], np.arange(cell - first % cell, length, cell)])
