"""Masks to polygons and back, in pixels: points are (row, column), and pixel centres lie at whole numbers.

A polygon runs through the middle of every pixel edge between mask and background, a hundredth of a pixel inside the
mask; pixels that touch only at a corner are separate parts. So it stays within 0.36 pixels of the voxel boundary, no
polygon meets another, and readers that round points to whole pixels (rt-utils) find pixels of the mask.
"""

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import numpy as np

Polygon: TypeAlias = np.ndarray
"""(N, 2) float64 of (row, column) pixels, closed: the last point is joined to the first, which is not repeated."""

_INSET_PX = 0.01
# Directions that keep the mask on the right hand: along the top edge of a pixel, down its right edge, back along its
# bottom, up its left. OUTWARD is the way over that edge, START and END its corners, as offsets from the pixel's first.
_OUTWARD = np.array([(-1, 0), (0, 1), (1, 0), (0, -1)])
_START = np.array([(0, 0), (0, 1), (1, 1), (1, 0)])
_END = np.roll(_START, -1, axis=0)
_BOTTOM, _LEFT = 2, 3


class _Edges(NamedTuple):
    """The E pixel edges between mask and background.

    Attributes:
        direction: (E,) 0 to 3, as above.
        pixel: (E, 2) the mask's pixel at the edge.
        following: list of E, the edge that comes after each.
    """

    direction: np.ndarray
    pixel: np.ndarray
    following: list[int]


def mask_to_polygons(mask: np.ndarray, *, bridge_holes: bool = False) -> list[Polygon]:
    """Give the outlines of a mask.

    Args:
        mask: (H, W) bool; beyond its border is background.
        bridge_holes: join every hole to the outline around it by a path there and back (the "keyhole" technique of
            DICOM PS3.3 C.8.8.6.3), so that each polygon is one filled part; otherwise holes are polygons of their own.

    Returns:
        Polygons whose even-odd filling is the mask; clockwise on the screen (rows downwards), holes the other way.
        Points in the middle of straight lines are left out. An empty mask gives none.

    Raises:
        ValueError: the mask is not a bool array of two axes.
    """
    if mask.ndim != 2 or mask.dtype != bool:
        raise ValueError(f"mask of shape {mask.shape} and type {mask.dtype}, wanted (H, W) of bool")
    rows = np.flatnonzero(mask.any(axis=1))
    if rows.size == 0:
        return []
    columns = np.flatnonzero(mask.any(axis=0))
    corner = np.array([rows[0], columns[0]])
    box = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    edges = _edges(box)
    points = edges.pixel + (0.5 - _INSET_PX) * _OUTWARD[edges.direction]
    loops = _loops(edges.following)
    if bridge_holes:
        loops = _bridged(loops, edges, points, box)
    return [_without_straight_middles(points[loop]) + corner for loop in loops]


def polygons_to_mask(polygons: Sequence[Polygon], size: tuple[int, int]) -> np.ndarray:
    """Fill polygons by the even-odd rule: a pixel is inside when its centre lies within an odd number of them.

    A path that runs there and back over the same points (keyhole) counts twice, which is not at all. Of a centre that
    lies on a line exactly, half-open rules decide, so that polygons side by side neither overlap nor leave a gap.

    Args:
        polygons: (N, 2) each, (row, column); parts outside the image are cut off.
        size: (H, W).

    Returns:
        (H, W) bool; nothing is inside where there are no polygons.
    """
    height, width = size
    odd = np.zeros((height, width + 1), dtype=np.uint8)
    if len(polygons):
        start = np.concatenate(polygons).astype(np.float64)
        end = np.concatenate([np.roll(polygon, -1, axis=0) for polygon in polygons]).astype(np.float64)
        rows, columns = _crossings(start, end, height)
        # A centre counts the crossings at its column or to the left of it.
        first_column = np.clip(np.ceil(columns), 0, width).astype(np.int64)
        np.bitwise_xor.at(odd, (rows, first_column), 1)
    return np.bitwise_xor.accumulate(odd[:, :width], axis=1).astype(bool)


def _crossings(start: np.ndarray, end: np.ndarray, height: int) -> tuple[np.ndarray, np.ndarray]:
    """Give the row (int) and column (float) of every crossing of a line with the middle of an image row."""
    upwards = end[:, 0] < start[:, 0]
    # Always from the upper to the lower end: both ways of a keyhole's path then give the same number to the last bit.
    top, bottom = (np.where(upwards[:, None], one, other) for one, other in ((end, start), (start, end)))
    first = np.clip(np.ceil(top[:, 0]), 0, height).astype(np.int64)
    beyond = np.clip(np.ceil(bottom[:, 0]), 0, height).astype(np.int64)
    counts = beyond - first
    line = np.repeat(np.arange(len(start)), counts)
    rows = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts) + first[line]
    top, bottom = top[line], bottom[line]
    share = (rows - top[:, 0]) / (bottom[:, 0] - top[:, 0])
    return rows, top[:, 1] + share * (bottom[:, 1] - top[:, 1])


def _edges(mask: np.ndarray) -> _Edges:
    """Find the edges between mask and background and link each to the next one with the mask on the right hand."""
    height, width = mask.shape
    padded = np.pad(mask, 1)
    found = []
    for down, right in _OUTWARD:
        neighbour = padded[1 + down : 1 + down + height, 1 + right : 1 + right + width]
        found.append(np.argwhere(mask & ~neighbour))
    direction = np.repeat(np.arange(4), [len(pixels) for pixels in found])
    pixel = np.concatenate(found)
    starts, ends = (
        (pixel + offset[direction]) @ np.array([width + 1, 1]) for offset in (_START, _END)
    )  # corners, numbered along the rows
    leaving = np.full((4, (height + 1) * (width + 1)), -1)
    leaving[direction, starts] = np.arange(len(direction))
    # To the right first: where two pixels touch at a corner, each keeps to itself.
    following = leaving[(direction + 3) % 4, ends]
    for turn in (0, 1):
        preferred = leaving[(direction + turn) % 4, ends]
        following = np.where(preferred >= 0, preferred, following)
    return _Edges(direction, pixel, following.tolist())


def _loops(following: list[int]) -> list[list[int]]:
    """Follow the edges from one to the next until they close."""
    loops = []
    waiting = [True] * len(following)
    for first in range(len(following)):
        edge, loop = first, []
        while waiting[edge]:
            waiting[edge] = False
            loop.append(edge)
            edge = following[edge]
        if loop:
            loops.append(loop)
    return loops


def _bridged(loops: list[list[int]], edges: _Edges, points: np.ndarray, mask: np.ndarray) -> list[list[int]]:
    """Join each hole to the loop at its left.

    The path starts at the edge above the hole's first pixel (topmost, then leftmost) and runs in the row of mask above
    it to the nearest edge at the left: of the outline, or of a hole that begins higher up, so that no ring closes.
    """
    holes = [number for number, loop in enumerate(loops) if len(loops) > 1 and _signed_area(points[loop]) < 0]
    if not holes:
        return loops
    owner = np.empty(len(points), dtype=np.int64)
    for number, loop in enumerate(loops):
        owner[loop] = number
    lefts = np.full(mask.shape, -1)
    numbers = np.flatnonzero(edges.direction == _LEFT)
    lefts[tuple(edges.pixel[numbers].T)] = numbers
    # Edges of one direction are numbered row by row: the smallest is the topmost, then leftmost.
    bottoms = set(np.flatnonzero(edges.direction == _BOTTOM).tolist())
    gates = [(min(bottoms.intersection(loops[number])), number) for number in holes]
    joined = dict(enumerate(loops))
    for gate, number in gates:
        row, column = edges.pixel[gate]
        gap = np.flatnonzero(~mask[row, :column])
        anchor = int(lefts[row, gap[-1] + 1 if gap.size else 0])
        hole, around = joined.pop(number), int(owner[anchor])
        at, turn = joined[around].index(anchor) + 1, hole.index(gate)
        joined[around][at:at] = [*hole[turn:], *hole[:turn], gate, anchor]
        owner[hole] = around
    return list(joined.values())


def _signed_area(polygon: Polygon) -> float:
    """Positive for a loop with the mask inside, negative for a hole."""
    rows, columns = (polygon - polygon[0]).T
    return float(columns @ np.roll(rows, -1) - rows @ np.roll(columns, -1)) / 2


def _without_straight_middles(polygon: Polygon) -> Polygon:
    before, after = polygon - np.roll(polygon, 1, axis=0), np.roll(polygon, -1, axis=0) - polygon
    turn = before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0]
    return polygon[np.abs(turn) > 1e-9]
