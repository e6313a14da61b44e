"""Outlines of the regions of one class in an image that comes in bands: what is whole is given out and forgotten.

A region is 4-connected. Rings are (x, y) between pixels, corners only, closed without repeating the first point; an
outer ring has a positive area, holes a negative one (shoelace, y down). Where a ring would touch itself it is cut in
two, so that every polygon is valid. Kept between bands: open chains, and the rings of regions that reach the next band.
Where that grows too much, the regions with the most of it end at the band, and what lies below begins as new ones.
"""

from collections import Counter, deque
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from monai_gi.writers.band_chains import Chain, chains_of

MOST_POINTS = 2**18
_POINTS_OF_AN_ARRAY = 24  # what an array takes beside its points, in points


class Region(NamedTuple):
    """A whole region.

    Attributes:
        outer: (n, 2) of (x, y), int32.
        holes: the same for each hole.
    """

    outer: np.ndarray
    holes: list[np.ndarray]


class RegionTracer:
    """Follows one class through an image.

    Args:
        width: W of the image.
        least_px: regions whose outline encloses fewer pixels are left out, and smaller holes filled.
        most_points: that wait for the next band; where there are more, the longest outlines are closed.
    """

    def __init__(self, width: int, least_px: int = 1, most_points: int = MOST_POINTS) -> None:
        self.least_px = least_px
        self.most_points = most_points
        self.top = 0
        self.last_row = np.zeros(width, dtype=bool)
        self.ids = _RegionIds(width)
        self.rings: dict[int, list[tuple[float, np.ndarray]]] = {}
        self.going_down: dict[int, _OpenChain] = {}  # by the column in which the next band goes on
        self.coming_up: dict[int, _OpenChain] = {}

    def add(self, rows: np.ndarray) -> Iterator[Region]:
        """Take the next rows of the image.

        Args:
            rows: (n, W) bool, True in the class.

        Yields:
            Region: those that are whole.
        """
        self._follow(rows)
        self.top += len(rows)
        yield from self._whole()
        if too_long := self._longest():
            self._follow((self.last_row & ~np.isin(self.ids.last, too_long))[None])  # a row of no height without them
            yield from self._whole()

    def finish(self) -> Iterator[Region]:
        """Close the image below its last row.

        Yields:
            Region: those that reached it.
        """
        yield from self.add(np.zeros((1, len(self.last_row)), dtype=bool))

    def _follow(self, rows: np.ndarray) -> None:
        """Trace what lies between the last row and these; they become the last ones."""
        mask = np.concatenate([self.last_row[None], rows])
        if mask.any():
            regions = self.ids.of(mask)
            down, up = self.going_down, self.coming_up
            self.going_down, self.coming_up = {}, {}
            for chain in chains_of(mask):
                self._take(chain, regions.at(chain.pixel), down, up)
            for column, piece in down.items():  # edges that run straight through the band
                piece.goes_down(self.going_down, column)
            for column, piece in up.items():
                piece.comes_up(self.coming_up, column)
        self.last_row = mask[-1].copy()

    def _longest(self) -> list[int]:
        """Regions without which at most `most_points` wait, the longest outlines first."""
        points: Counter[int] = Counter()
        for region, rings in self.rings.items():
            points[region] += sum(_POINTS_OF_AN_ARRAY + len(ring) for _, ring in rings)
        for piece in {*self.going_down.values(), *self.coming_up.values()}:
            points[piece.region] += sum(_POINTS_OF_AN_ARRAY + len(part) for part in piece.parts)
        longest, rest = [], points.total()
        for region, number in points.most_common():
            if rest <= self.most_points:
                break
            longest.append(region)
            rest -= number
        return longest

    def _take(self, chain: Chain, region: int, down: "dict[int, _OpenChain]", up: "dict[int, _OpenChain]") -> None:
        """Join a chain with those of the band above, `down` and `up`, that it goes on from and to."""
        points = np.add(chain.points, (0, self.top)).astype(np.int32)
        if chain.enters is None or chain.leaves is None:
            self._keep(points, region)
            return
        piece = _OpenChain(points, region)
        if not chain.enters.above:
            piece.comes_up(self.coming_up, chain.enters.column)
        if not chain.leaves.above:
            piece.goes_down(self.going_down, chain.leaves.column)
        if chain.enters.above:
            piece = down.pop(chain.enters.column).joined(piece)
        if chain.leaves.above:
            onward = up.pop(chain.leaves.column)
            if onward is piece:
                self._keep(np.concatenate(piece.parts), region)
            else:
                piece.joined(onward)

    def _keep(self, ring: np.ndarray, region: int) -> None:
        if np.prod(ring.max(axis=0) - ring.min(axis=0)) < self.least_px:  # most rings of a noisy image are specks
            return
        for loop in simple_loops(ring):
            area = signed_area(loop)
            if abs(area) >= self.least_px:
                self.rings.setdefault(region, []).append((area, loop))

    def _whole(self) -> Iterator[Region]:
        """Give out the regions that do not reach the next band, and make all ids those of the roots."""
        gathered: dict[int, list[tuple[float, np.ndarray]]] = {}
        for region, rings in self.rings.items():
            gathered.setdefault(self.ids.root(region), []).extend(rings)
        for piece in (*self.going_down.values(), *self.coming_up.values()):
            piece.region = self.ids.root(piece.region)
        reaching = self.ids.settle(self.last_row)
        self.rings = {region: rings for region, rings in gathered.items() if region in reaching}
        for region, rings in gathered.items():
            outer = [ring for area, ring in rings if area > 0]
            if region not in reaching and outer:
                yield Region(outer[0], [ring for area, ring in rings if area < 0])


class _BandIds(NamedTuple):
    """Ids of the regions in one band.

    Attributes:
        local: (n, W) int32, from 1 on; 0 outside.
        offset: to add.
    """

    local: np.ndarray
    offset: int

    def at(self, pixel: tuple[int, int]) -> int:
        """Of the region of a pixel (row, column)."""
        return int(self.local[pixel]) + self.offset

    def row(self, number: int) -> np.ndarray:
        """(W,) int64 of one row; 0 outside."""
        row = self.local[number].astype(np.int64)
        return np.where(row > 0, row + self.offset, 0)


class _RegionIds:
    """Ids of regions, the same over the borders of bands.

    Args:
        width: W of the image.
    """

    def __init__(self, width: int) -> None:
        self.last = np.zeros(width, dtype=np.int64)
        self.next = 1
        self.parents: dict[int, int] = {}

    def of(self, mask: np.ndarray) -> "_BandIds":
        """Ids of the pixels of a band whose first row is the last one of the band above; regions that it joins too."""
        local, count = ndimage.label(mask)
        ids = _BandIds(local, self.next)
        self.next += count + 1
        for before, now in np.unique(np.stack([self.last, ids.row(0)])[:, mask[0]], axis=1).T.tolist():
            self.parents[self.root(now)] = self.root(before)
        self.last = ids.row(-1)
        return ids

    def root(self, region: int) -> int:
        """The one id of a region that came under several."""
        path = []
        while (parent := self.parents.get(region, region)) != region:
            path.append(region)
            region = parent
        for one in path:
            self.parents[one] = region
        return region

    def settle(self, last_row: np.ndarray) -> set[int]:
        """Forget all ids but the roots of the regions in the last row, and return these."""
        ids, places = np.unique(self.last[last_row], return_inverse=True)
        roots = np.array([self.root(region) for region in ids.tolist()], dtype=np.int64)
        self.last = np.zeros_like(self.last)
        self.last[last_row] = roots[places]
        self.parents = {}
        return set(roots.tolist())


class _OpenChain:
    """A piece of an outline, one or both of whose ends lie in the next band.

    Args:
        points: (n, 2).
        region: id of its region.
    """

    def __init__(self, points: np.ndarray, region: int) -> None:
        self.parts = deque([points])
        self.region = region
        self.head: tuple[dict[int, _OpenChain], int] | None = None
        self.tail: tuple[dict[int, _OpenChain], int] | None = None

    def comes_up(self, coming_up: "dict[int, _OpenChain]", column: int) -> None:
        """Its first point is reached from below in this column."""
        self.head = coming_up, column
        coming_up[column] = self

    def goes_down(self, going_down: "dict[int, _OpenChain]", column: int) -> None:
        """It goes on below in this column."""
        self.tail = going_down, column
        going_down[column] = self

    def joined(self, onward: "_OpenChain") -> "_OpenChain":
        """Itself and what follows, in whichever of the two has more parts; long outlines are not copied each time."""
        if len(self.parts) >= len(onward.parts):
            self.parts.extend(onward.parts)
            self.tail = None
            if onward.tail:
                self.goes_down(*onward.tail)
            return self
        onward.parts.extendleft(reversed(self.parts))
        onward.head = None
        if self.head:
            onward.comes_up(*self.head)
        return onward


def signed_area(ring: np.ndarray) -> float:
    """Area in pixels, positive for rings that run clockwise as one sees them, y down.

    Args:
        ring: (n, 2) of (x, y).

    Returns:
        The area.
    """
    x, y = ring.astype(np.float64).T
    closing = x[-1] * y[0] - x[0] * y[-1]
    return float(np.dot(x[:-1], y[1:]) - np.dot(x[1:], y[:-1]) + closing) / 2


def simple_loops(ring: np.ndarray) -> list[np.ndarray]:
    """Cut a ring at the points that it passes twice.

    Args:
        ring: (n, 2).

    Returns:
        Rings that pass every point once.
    """
    keys = ring[:, 0].astype(np.int64) << 32 | ring[:, 1]
    ordered = np.sort(keys)
    doubled = ordered[1:][ordered[1:] == ordered[:-1]]
    if not len(doubled):
        return [ring]
    twice = np.flatnonzero(np.isin(keys, doubled))
    loops: list[np.ndarray] = []
    way: dict[int, np.ndarray] = {}  # from one such point to the next, by the first, in order
    stretches = np.split(np.roll(ring, -twice[0], axis=0), twice[1:] - twice[0])
    for key, stretch in zip(keys[twice].tolist(), stretches, strict=True):
        if key in way:
            loop = []
            while key in way:
                loop.append(way.popitem()[1])
            loops.append(np.concatenate(loop[::-1]))
        way[key] = stretch
    return [*loops, np.concatenate(list(way.values()))]
