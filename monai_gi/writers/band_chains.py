"""Outlines of a mask within one band of rows: chains of corners along pixel edges, closed or open to the next band.

Points are (x, y) between pixels: pixel (row, column) has the corners (column, row) to (column + 1, row + 1). Chains run
with the mask on their right: clockwise around it as one sees it, the other way round in its holes. Pixels that only
touch at a corner do not belong together.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

# The four pixels around a corner, as bits: north-west 1, north-east 2, south-west 4, south-east 8.
_SINGLE = (1, 2, 4, 8, 7, 11, 13, 14)
_TO_EAST = (2, 7, 8, 13)  # its horizontal edge lies to the east, of the others to the west
_TO_SOUTH = (4, 7, 8, 11)
_LEAVES_ALONG_ROW = (1, 8, 11, 13)
_DIAGONALS = ((9, 1, 8), (6, 2, 4))  # two corners in one place
_PIXEL_OF_CORNER = {1: (0, 0), 2: (0, 1), 4: (1, 0), 8: (1, 1), 7: (0, 0), 11: (0, 0), 13: (0, 0), 14: (0, 1)}


class Passage(NamedTuple):
    """Where a chain crosses the border of its band.

    Attributes:
        column: x of the vertical edge.
        above: at the upper border; else at the lower.
    """

    column: int
    above: bool


class Chain(NamedTuple):
    """A piece of an outline.

    Attributes:
        points: (n, 2) of (x, y), int64, y from the top of the band's new rows; corners only.
        pixel: (row, column) of a mask pixel beside it, row counted as in the mask that was given.
        enters: where it comes from; None for a closed ring.
        leaves: where it goes on.
    """

    points: np.ndarray
    pixel: tuple[int, int]
    enters: Passage | None
    leaves: Passage | None


def chains_of(mask: np.ndarray) -> Iterator[Chain]:
    """Follow the outlines in a band.

    Args:
        mask: (1 + n, W) bool: the last row of the band above, and the band. What lies left and right of it is outside.
            Edges below the band are left to the next one.

    Yields:
        Chain: in no particular order.
    """
    padded = np.pad(mask, ((0, 0), (1, 1))).astype(np.uint8)
    x, y, code = _corners(padded)
    if not len(code):
        return
    corners = len(code)
    along_row, along_column = _partners_in_rows(x, y, code), _partners_in_columns(x, y, code, padded)
    leaves_along_row = _is_one_of(_LEAVES_ALONG_ROW)[code]
    after = np.where(leaves_along_row, along_row, along_column).tolist()
    width = padded.shape[1]  # one more than there are columns of corners
    points = np.stack([x, y], axis=1)
    starts = np.flatnonzero(leaves_along_row & (along_column >= corners))
    for order, end in _walks(after, starts.tolist(), corners):
        first = order[0]
        row, column = _PIXEL_OF_CORNER[int(code[first])]
        pixel = int(y[first]) + row, int(x[first]) - 1 + column
        if end is None:
            yield Chain(points[order], pixel, None, None)
        else:
            ends = (_passage(number, corners, width) for number in (int(along_column[first]), end))
            yield Chain(points[order], pixel, *ends)


def _corners(padded: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x, y and code of all corners, one each; those in one place come as two."""
    codes = padded[:-1, :-1] | padded[:-1, 1:] << 1 | padded[1:, :-1] << 2 | padded[1:, 1:] << 3
    y, x = np.nonzero(_is_one_of((*_SINGLE, *(both for both, _, _ in _DIAGONALS)))[codes])
    code = codes[y, x]
    for both, one, other in _DIAGONALS:
        (places,) = np.nonzero(code == both)
        code[places] = one
        x, y = np.append(x, x[places]), np.append(y, y[places])
        code = np.append(code, np.full(len(places), other, dtype=np.uint8))
    return x, y, code


def _partners_in_rows(x: np.ndarray, y: np.ndarray, code: np.ndarray) -> np.ndarray:
    """The corner at the other end of each corner's horizontal edge."""
    key = (y * (int(x.max()) + 1) + x) * 2 + _is_one_of(_TO_EAST)[code]
    order = np.argsort(key)
    partners = np.empty(len(code), dtype=np.int64)
    partners[order[::2]], partners[order[1::2]] = order[1::2], order[::2]
    return partners


def _partners_in_columns(x: np.ndarray, y: np.ndarray, code: np.ndarray, padded: np.ndarray) -> np.ndarray:
    """The same for vertical edges; those that go on above or below lead to numbers that `_passage` understands."""
    corners, (rows, width) = len(code), padded.shape
    above, below = (np.flatnonzero(padded[row, :-1] != padded[row, 1:]) for row in (0, -1))
    numbers = np.concatenate([np.arange(corners), corners + above, corners + width + below])
    columns = np.concatenate([x, above, below])
    heights = np.concatenate([(y + 1) * 2 + _is_one_of(_TO_SOUTH)[code], 0 * above, 0 * below + 2 * rows + 2])
    order = np.argsort(columns * (2 * rows + 4) + heights)
    upper, lower = numbers[order[::2]], numbers[order[1::2]]
    partners = np.empty(corners + 2 * width, dtype=np.int64)
    partners[upper], partners[lower] = lower, upper
    return partners[:corners]


def _walks(after: list[int], starts: list[int], corners: int) -> Iterator[tuple[list[int], int | None]]:
    """Corners in the order of the outline: open chains with the number that they end at, then rings with None."""
    is_seen = bytearray(corners)
    for start in (*starts, *range(corners)):
        if is_seen[start]:
            continue
        order, here = [], start
        while here < corners and not is_seen[here]:
            is_seen[here] = 1
            order.append(here)
            here = after[here]
        yield order, here if here >= corners else None


def _passage(number: int, corners: int, width: int) -> Passage:
    """What a number from `_partners_in_columns` that is no corner stands for."""
    column = number - corners
    return Passage(column, above=True) if column < width else Passage(column - width, above=False)


def _is_one_of(codes: tuple[int, ...]) -> np.ndarray:
    """A table (16,) of bools by code."""
    table = np.zeros(16, dtype=bool)
    table[list(codes)] = True
    return table
