"""Depth of the pixels of an axial slice below the surface of ellipsoids and tubes, in mm, positive inside.

Body coordinates: x to the patient's left (image right), y to the back (image down), z to the feet, all in mm.
A slice is (H, W), row-major. Only the window of pixels that a shape can reach is looked at.
"""

from dataclasses import dataclass

import numpy as np

Window = tuple[slice, slice]
FAR_MM = -1e3


def inner_window(part: Window, whole: Window) -> Window:
    """The pixels of `part` counted from the corner of `whole`, which holds it."""
    rows, columns = (slice(p.start - w.start, p.stop - w.start) for p, w in zip(part, whole, strict=True))
    return rows, columns


@dataclass(frozen=True)
class Plane:
    """Where the pixels of one slice lie in the body.

    The x of pixel (row, column) is `x_of_column + x_of_row`, its y `y_of_row + y_of_column`: a gentle bend and a small
    turn need no more, and stay cheap.

    Attributes:
        x_of_column: (W,) float32, rising.
        x_of_row: (H,) float32.
        y_of_row: (H,) float32, rising.
        y_of_column: (W,) float32.
        z_mm: of the slice.
        pixel_mm: side of a pixel in the body.
    """

    x_of_column: np.ndarray
    x_of_row: np.ndarray
    y_of_row: np.ndarray
    y_of_column: np.ndarray
    z_mm: float
    pixel_mm: float

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W) in pixels."""
        return len(self.y_of_row), len(self.x_of_column)

    @property
    def whole(self) -> Window:
        """The window of all pixels."""
        return slice(0, len(self.y_of_row)), slice(0, len(self.x_of_column))

    def window(self, low_xy: np.ndarray, high_xy: np.ndarray) -> Window:
        """The pixels that may lie between two corners (x, y), and a pixel more on every side."""
        margin = self.pixel_mm
        columns = np.searchsorted(
            self.x_of_column,
            (low_xy[0] - self.x_of_row.max() - margin, high_xy[0] - self.x_of_row.min() + margin),
        )
        rows = np.searchsorted(
            self.y_of_row,
            (low_xy[1] - self.y_of_column.max() - margin, high_xy[1] - self.y_of_column.min() + margin),
        )
        return slice(int(rows[0]), int(rows[1])), slice(int(columns[0]), int(columns[1]))

    def coordinates(self, window: Window) -> tuple[np.ndarray, np.ndarray]:
        """x and y of the window's pixels, (h, w) float32 each, mm."""
        rows, columns = window
        x = self.x_of_row[rows, None] + self.x_of_column[None, columns]
        y = self.y_of_row[rows, None] + self.y_of_column[None, columns]
        return x, y

    def coverage(self, depth_mm: np.ndarray) -> np.ndarray:
        """Share of each pixel inside a shape, 0 to 1, from the depth at its centre (partial volume)."""
        return np.clip(depth_mm / self.pixel_mm + 0.5, 0, 1)


@dataclass(frozen=True)
class Ellipsoid:
    """An ellipsoid, turned in the axial plane.

    Attributes:
        centre: (x, y, z), mm.
        radii: along its own axes, mm.
        turn: radians, from x towards y.
    """

    centre: tuple[float, float, float]
    radii: tuple[float, float, float]
    turn: float = 0.0

    def depth(self, plane: Plane) -> tuple[Window, np.ndarray] | None:
        """Depth of the pixels near the ellipsoid; None where the slice does not cut it.

        Args:
            plane: the slice.

        Returns:
            The window and its depths (h, w) float32, mm, exact along the shorter axis and too small along the longer.
        """
        share = 1 - ((plane.z_mm - self.centre[2]) / self.radii[2]) ** 2
        if share <= 0.001:
            return None
        a, b = (radius * float(np.sqrt(share)) for radius in self.radii[:2])
        reach = max(a, b) if self.turn else np.array((a, b))
        window = plane.window(np.array(self.centre[:2]) - reach, np.array(self.centre[:2]) + reach)
        x, y = plane.coordinates(window)
        x, y = x - self.centre[0], y - self.centre[1]
        if self.turn:
            cosine, sine = float(np.cos(self.turn)), float(np.sin(self.turn))
            x, y = cosine * x + sine * y, cosine * y - sine * x
        return window, (1 - np.sqrt((x / a) ** 2 + (y / b) ** 2)) * min(a, b)


@dataclass(frozen=True)
class Tube:
    """Round cones strung along a curve, with folds around it.

    Attributes:
        points: (N, 3) float64 along the curve, mm.
        radius: (N,) float64, mm.
        fold_depth: how far the folds narrow the tube, 0 to 1 of its radius.
        fold_mm: distance from fold to fold along the curve.
    """

    points: np.ndarray
    radius: np.ndarray
    fold_depth: float = 0.0
    fold_mm: float = 30.0

    def depth(self, plane: Plane) -> tuple[Window, np.ndarray, np.ndarray] | None:
        """Depth of the pixels near the tube; None where the slice does not cut it.

        Args:
            plane: the slice.

        Returns:
            The window, its depths (h, w) float32, mm, and how far along the curve each pixel lies, (h, w) float32, mm.
        """
        reach = np.maximum(self.radius[1:], self.radius[:-1]) + plane.pixel_mm
        top = np.minimum(self.points[1:, 2], self.points[:-1, 2]) - reach
        bottom = np.maximum(self.points[1:, 2], self.points[:-1, 2]) + reach
        cut = np.flatnonzero((top < plane.z_mm) & (plane.z_mm < bottom))
        if not cut.size:
            return None
        low = np.minimum(self.points[cut, :2], self.points[cut + 1, :2]) - reach[cut, None]
        high = np.maximum(self.points[cut, :2], self.points[cut + 1, :2]) + reach[cut, None]
        window = plane.window(low.min(axis=0), high.max(axis=0))
        size = tuple(max(0, side.stop - side.start) for side in window)
        depth, along = np.full(size, FAR_MM, np.float32), np.zeros(size, np.float32)
        start_mm = np.concatenate([[0], np.linalg.norm(np.diff(self.points, axis=0), axis=1).cumsum()])
        for segment, low_xy, high_xy in zip(cut.tolist(), low, high, strict=True):
            part = plane.window(low_xy, high_xy)
            inner = inner_window(part, window)
            deeper, further = self._segment_depth(plane, part, segment, float(start_mm[segment]))
            wins = deeper > depth[inner]
            np.copyto(depth[inner], deeper, where=wins)
            np.copyto(along[inner], further, where=wins)
        return window, depth, along

    def _segment_depth(
        self, plane: Plane, window: Window, segment: int, start_mm: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Depth below one cone and the place along the curve, for the pixels of its window."""
        begin, end = self.points[segment], self.points[segment + 1]
        step = end - begin
        length = float(np.linalg.norm(step))
        x, y = plane.coordinates(window)
        x, y, z = x - float(begin[0]), y - float(begin[1]), plane.z_mm - float(begin[2])
        share = np.clip((x * float(step[0]) + y * float(step[1]) + z * float(step[2])) / length**2, 0, 1)
        away = np.sqrt(
            (x - share * float(step[0])) ** 2 + (y - share * float(step[1])) ** 2 + (z - share * float(step[2])) ** 2
        )
        radius = float(self.radius[segment]) + share * float(self.radius[segment + 1] - self.radius[segment])
        along = start_mm + length * share
        if self.fold_depth:
            fold = np.abs(np.cos(np.pi / self.fold_mm * along))
            radius = radius * (1 - self.fold_depth * fold**4)
        return radius - away, along
