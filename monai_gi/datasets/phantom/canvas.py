"""Painting of one axial slice in the body's own mm: arrays (H, W) float32, row-major, y to the back, x to the left.

Space is bent by a few waves, so that nothing is a perfect ellipse. A wave over rows and columns separates into
products of one wave each (sin(a + b) = sin a cos b + cos a sin b), so bending a slice is one small matrix product.
"""

from dataclasses import dataclass

import numpy as np

from monai_gi.datasets.phantom.anatomy import Tube

Box = tuple[slice, slice]
# A cut through the very end of a tube would leave a speck of a few pixels: it starts with a disc of this radius.
SMALLEST_CUT_MM = 5.0


@dataclass(frozen=True)
class Hull:
    """A superellipse of power 2.5 that holds the organs, mm."""

    y: float
    half_width: float
    half_depth: float


class Canvas:
    """The noiseless signal of the body's part of one slice.

    Args:
        rows_mm: (H,) y of the pixel centres, evenly spaced.
        columns_mm: (W,) x of the pixel centres.
        bends: (M, 6), as in `Anatomy.bends`.
        z_mm: position of the slice.
    """

    def __init__(self, rows_mm: np.ndarray, columns_mm: np.ndarray, bends: np.ndarray, z_mm: float) -> None:
        self.z_mm, self.px = z_mm, float(rows_mm[1] - rows_mm[0])
        self.top, self.left = float(rows_mm[0]), float(columns_mm[0])
        along_x, along_y, wave_x, wave_y, wave_z, phase = bends.T
        down = rows_mm[:, None] * wave_y + (wave_z * z_mm + phase)
        across = wave_x[:, None] * columns_mm
        waves = np.concatenate([np.cos(down), np.sin(down)], axis=1)
        products = np.concatenate([np.sin(across), np.cos(across)], axis=0)
        bent_x = (waves * np.tile(along_x, 2)).astype(np.float32) @ products.astype(np.float32)
        bent_y = (waves * np.tile(along_y, 2)).astype(np.float32) @ products.astype(np.float32)
        self.reach = float(max(np.abs(bent_x).max(initial=0), np.abs(bent_y).max(initial=0))) + 2 * self.px
        self.x = columns_mm.astype(np.float32) + bent_x
        self.y = rows_mm.astype(np.float32)[:, None] + bent_y
        self.signal = np.zeros(self.x.shape, np.float32)
        self.everywhere: Box = (slice(0, len(rows_mm)), slice(0, len(columns_mm)))

    def box(self, x: float, y: float, rx: float, ry: float) -> Box:
        """The part of the slice that can hold an ellipse, bent as it may be; empty where it lies outside."""
        height, width = self.signal.shape
        first_row, last_row = ((y + side * (ry + self.reach) - self.top) / self.px for side in (-1, 1))
        first_column, last_column = ((x + side * (rx + self.reach) - self.left) / self.px for side in (-1, 1))
        return (
            slice(min(max(int(first_row), 0), height), min(max(int(last_row) + 2, 0), height)),
            slice(min(max(int(first_column), 0), width), min(max(int(last_column) + 2, 0), width)),
        )

    def ellipse(
        self, x: float, y: float, rx: float, ry: float, *, boxy: bool = False, within: np.ndarray | None = None
    ) -> tuple[Box, np.ndarray]:
        """An ellipse with an edge one pixel soft.

        Args:
            x: of its centre, mm.
            y: of its centre, mm.
            rx: half axis, mm.
            ry: half axis, mm.
            boxy: a superellipse of power 2.5.
            within: (H, W) coverage of what it lies in, or None.

        Returns:
            its box, and its coverage there, 0 to 1.
        """
        box = self.box(x, y, rx, ry)
        across, down = (self.x[box] - np.float32(x)) / np.float32(rx), (self.y[box] - np.float32(y)) / np.float32(ry)
        power = 2.5 if boxy else 2.0
        reach = across * across * np.sqrt(np.abs(across)) if boxy else across * across
        reach += down * down * np.sqrt(np.abs(down)) if boxy else down * down
        steep = np.float32(min(rx, ry) / (power * self.px))
        coverage = np.clip((1 - reach) * steep + np.float32(0.5), 0, 1)
        return box, coverage if within is None else coverage * within[box]

    def paint(self, box: Box, coverage: np.ndarray, signal: float | np.ndarray) -> None:
        """Cover what is there, as far as `coverage` (h, w) of the box goes."""
        part = self.signal[box]
        part += coverage * (np.asarray(signal, np.float32) - part)

    def depth(self, tubes: tuple[Tube, ...], hull: Hull) -> tuple[Box, np.ndarray]:
        """How deep pixels lie in the tubes.

        Args:
            tubes: of one organ.
            hull: presses the tubes inwards where they would reach out of it.

        Returns:
            the box of the tubes, empty where this slice cuts none, and mm below the surface there, right near the
            surface; far outside a large negative number.
        """
        discs = np.concatenate([np.zeros((0, 3)), *(_cut(tube, self.z_mm, hull) for tube in tubes)])
        if not len(discs):
            return (slice(0, 0), slice(0, 0)), np.zeros((0, 0), np.float32)
        low, high = (discs[:, :2] - discs[:, 2:]).min(axis=0), (discs[:, :2] + discs[:, 2:]).max(axis=0)
        (x, y), (rx, ry) = (low + high) / 2, (high - low) / 2
        box = self.box(x, y, rx, ry)
        # Squared distances: (r^2 - d^2) / 2r is the depth near the surface, and needs no root.
        whole = np.full(self.signal.shape, -1e6, np.float32)
        for x, y, radius in discs.astype(np.float32):
            part = self.box(x, y, radius, radius)
            away, down = self.x[part] - x, self.y[part] - y
            away *= away
            down *= down
            away += down
            away *= -0.5 / radius
            away += radius / 2
            np.maximum(whole[part], away, out=whole[part])
        return box, whole[box]

    def mottle(self, rng: np.random.Generator, size_px: float, box: Box) -> np.ndarray:
        """Smooth noise (h, w) of the box, of deviation about 0.7, its grains `size_px` large."""
        height, width = (part.stop - part.start for part in box)
        shape = int(height / size_px) + 2, int(width / size_px) + 2
        coarse = rng.standard_normal(shape, dtype=np.float32)
        return _stretch(_stretch(coarse, width, size_px).T, height, size_px).T

    def threads(self, rng: np.random.Generator, size_px: float, thin: float, box: Box) -> np.ndarray:
        """Coverage (h, w) of broken winding lines, as vessels and septa in a cut: where smooth noise crosses zero."""
        lines = 1 - np.abs(self.mottle(rng, size_px, box)) / np.float32(thin)
        return np.clip(lines, 0, 1) * (self.mottle(rng, 1.3 * size_px, box) > 0.25)


def _cut(tube: Tube, z_mm: float, hull: Hull) -> np.ndarray:
    """Discs (N, 3) of x, y, radius in which the plane cuts the tube, pressed into the hull."""
    rise = tube.points[:, 2] - z_mm
    square = tube.radius**2 - rise**2
    cut = square > SMALLEST_CUT_MM**2
    radius = np.sqrt(square[cut])
    x, y = tube.points[cut, 0], tube.points[cut, 1] - hull.y
    inset = 0.75 * radius
    reach = np.abs(x / (hull.half_width - inset)) ** 2.5 + np.abs(y / (hull.half_depth - inset)) ** 2.5
    inward = np.maximum(reach, 1.0) ** -0.4
    return np.stack([x * inward, y * inward + hull.y, radius], axis=1)


def _stretch(coarse: np.ndarray, length: int, size_px: float) -> np.ndarray:
    """Linear interpolation along the last axis: (N, k) to (N, length)."""
    at = np.arange(length, dtype=np.float32) / np.float32(size_px)
    left = at.astype(np.int64)
    share = at - left
    first = np.take(coarse, left, axis=1)
    return first + (np.take(coarse, left + 1, axis=1) - first) * share
