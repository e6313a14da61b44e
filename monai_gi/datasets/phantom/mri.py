"""Signal of a drawn abdomen: one axial slice (H, W) of 16-bit magnitude, and its organ masks (C, H, W), row-major.

Tissues are painted back to front with edges one pixel soft (partial volume), then shaded by the coil and given
Rician noise, as magnitude images have (Gudbjartsson and Patz, Magn Reson Med 34, 1995). Image left is patient right.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from monai_gi.datasets.phantom.anatomy import Anatomy, Tube
from monai_gi.labels import ORGAN_NAMES

# Relative signal of a bright-fat sequence on a low-field MR-Linac, 0 to 1.
SIGNAL = {
    "fat": 0.86,
    "muscle": 0.24,
    "liver": 0.36,
    "spleen": 0.46,
    "kidney": 0.52,
    "pelvis_of_kidney": 0.8,
    "bone": 0.6,
    "canal": 0.8,
    "vessel": 0.14,
    "air": 0.03,
    "wall": 0.3,
}
CONTENT = {"large_bowel": 0.17, "small_bowel": 0.5, "stomach": 0.4}
WALL_MM = 2.5
LUNG_BOTTOM_MM = 100.0
# How far the bends move a point between the image's middle line and its own place, at most.
BEND_REACH_MM = 24.0


@dataclass(frozen=True)
class Scanner:
    """How one scan is taken.

    Attributes:
        height: H in px.
        width: W in px.
        spacing_mm: of a square pixel.
        maximum: largest stored value the scan may reach.
        noise: standard deviation of each channel, relative to full signal.
        coil: (2,) where the coil is strongest, shares of the half field of view, x and y.
    """

    height: int
    width: int
    spacing_mm: float
    maximum: int
    noise: float
    coil: tuple[float, float]


def draw_slice(
    anatomy: Anatomy, scanner: Scanner, z_mm: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Draw one slice.

    Args:
        anatomy: the case on its day.
        scanner: size, spacing and noise of the scan.
        z_mm: position, towards the feet.
        rng: draws noise and mottling.

    Returns:
        image (H, W) uint16 and masks (C, H, W) bool, channels as in labels.ORGANS; organs may overlap.
    """
    canvas = _Canvas(anatomy, scanner, z_mm)
    canvas.paint_trunk(rng)
    canvas.paint_solids(rng)
    masks = np.stack([canvas.paint_organ(name, rng) for name in ORGAN_NAMES])
    return _measure(canvas.signal, scanner, rng), masks


class _Canvas:
    """The noiseless signal of one slice, painted tissue by tissue."""

    def __init__(self, anatomy: Anatomy, scanner: Scanner, z_mm: float) -> None:
        self.anatomy, self.z_mm, self.px = anatomy, z_mm, scanner.spacing_mm
        # Pixel centres in the body's own mm, bent as the body is: (H, W) each.
        columns = ((np.arange(scanner.width) - (scanner.width - 1) / 2) * self.px - anatomy.sway[0])[None, :]
        rows = ((np.arange(scanner.height) - (scanner.height - 1) / 2) * self.px - anatomy.sway[1])[:, None]
        self.x, self.y = columns + np.zeros_like(rows), rows + np.zeros_like(columns)
        for along_x, along_y, wave_x, wave_y, wave_z, phase in anatomy.bends:
            wave = np.sin(wave_x * columns + (wave_y * rows + (wave_z * z_mm + phase)))
            self.x += along_x * wave
            self.y += along_y * wave
        self.signal = np.zeros((scanner.height, scanner.width))
        self.trunk = self._ellipse(0, 0, anatomy.half_width, anatomy.half_depth, 2.5)
        self.cavity = np.zeros_like(self.signal)

    def paint_trunk(self, rng: np.random.Generator) -> None:
        """Arms, skin, fat, muscle, the cavity's fat with its vessels, spine and great vessels."""
        body = self.anatomy
        for side in (-1, 1) if body.arms else ():
            self._paint(self._ellipse(side * (body.half_width + 27), 30, 24, 34), SIGNAL["fat"] * 0.7)
            self._paint(self._ellipse(side * (body.half_width + 27), 30, 17, 26), SIGNAL["muscle"])
        self._paint(self.trunk, SIGNAL["fat"])
        wall = self._ellipse(0, 2, body.half_width - body.fat, body.half_depth - 0.8 * body.fat, 2.4)
        self._paint(wall, SIGNAL["muscle"])
        self.cavity = self._ellipse(0, -6, body.half_width - body.fat - 9, body.half_depth - 0.8 * body.fat - 13, 2.3)
        self._paint(self.cavity, 0.72 * (1 + 0.05 * self._mottle(rng, 12.0) - 0.3 * (self._mottle(rng, 4.0) > 1.9)))
        for side in (-1, 1):
            self._paint(self._ellipse(side * 35, 76, 25, 19) * wall, SIGNAL["muscle"] * 1.05)
            self._paint(self._ellipse(side * 34, 48, 14, 17) * wall, SIGNAL["muscle"] * 1.1)
        swell = 1 + 0.06 * np.sin(2 * np.pi * self.z_mm / 35)
        self._paint(self._ellipse(0, 54, 23 * swell, 18 * swell, 2.4) * self.trunk, SIGNAL["wall"])
        marrow = SIGNAL["bone"] * (1 + 0.08 * self._mottle(rng, 3.0))
        self._paint(self._ellipse(0, 54, 21 * swell, 16 * swell, 2.4) * self.trunk, marrow)
        self._paint(self._ellipse(0, 80, 10, 8) * self.trunk, SIGNAL["canal"])
        self._paint(self._ellipse(0, 80, 4, 4) * self.trunk, SIGNAL["muscle"] * 2)
        self._paint(self._ellipse(9, 27, 9, 9), SIGNAL["vessel"])
        self._paint(self._ellipse(-16, 27, 12, 8), SIGNAL["vessel"] * 1.3)
        self._paint_lungs()

    def _paint_lungs(self) -> None:
        """Air on both sides above the diaphragm's dome."""
        height = LUNG_BOTTOM_MM - self.z_mm
        if height > 0:
            size = min(1.0, np.sqrt(height / 70))
            for side in (-1, 1):
                lung = self._ellipse(side * 72, 14, 62 * size, 66 * size) * self.cavity
                self._paint(lung, SIGNAL["air"])

    def paint_solids(self, rng: np.random.Generator) -> None:
        """Liver, spleen and kidneys, with the vessels of the liver."""
        texture = 1 + 0.05 * self._mottle(rng, 2.5) - 0.35 * (self._mottle(rng, 7.0) > 1.8)
        for name, rows in self.anatomy.solids.items():
            for x, y, z, rx, ry, rz in rows:
                share = 1 - ((self.z_mm - z) / rz) ** 2
                if share > 0.01:
                    size = np.sqrt(share)
                    inside = self._ellipse(x, y, rx * size, ry * size) * self.cavity
                    self._paint(inside, SIGNAL[name] * (texture if name == "liver" else 1.0))

    def paint_organ(self, name: str, rng: np.random.Generator) -> np.ndarray:
        """Paint one organ and return its mask (H, W)."""
        depth = np.full(self.signal.shape, -np.inf)
        for tube in self.anatomy.organs.get(name, ()):
            self._deepen(depth, tube)
        inside = np.clip(depth / self.px + 0.5, 0, 1) * (self.cavity > 0.5)
        if not inside.any():
            return inside > 0.5
        self._paint(inside, SIGNAL["wall"])
        lumen = np.clip((depth - WALL_MM) / self.px + 0.5, 0, 1) * (self.cavity > 0.5)
        self._paint(lumen, self._content(name, rng))
        return inside > 0.5

    def _content(self, name: str, rng: np.random.Generator) -> np.ndarray:
        """What fills an organ: dark mottled stool, striped folds, or fluid below air."""
        if name == "large_bowel":
            return CONTENT[name] * (1 + 0.7 * self._mottle(rng, 3.0))
        if name == "small_bowel":
            folds = np.sin(2 * np.pi * (self.x + 0.6 * self.y) / 9) * 0.12
            return CONTENT[name] * (1 + folds + 0.2 * self._mottle(rng, 2.0))
        fluid = CONTENT[name] * (1 + 0.08 * self._mottle(rng, 5.0))
        return np.where(self.y < self.anatomy.air_level, SIGNAL["air"] * 2, fluid)

    def _mottle(self, rng: np.random.Generator, size_px: float) -> np.ndarray:
        """Smooth noise (H, W) of deviation 1."""
        coarse = rng.standard_normal([int(np.ceil(side / size_px)) + 3 for side in self.signal.shape])
        rows, columns = (np.arange(side) / size_px for side in self.signal.shape)
        r, c = rows.astype(int), columns.astype(int)
        fr, fc = (rows - r)[:, None], (columns - c)[None, :]
        top = coarse[r][:, c] * (1 - fc) + coarse[r][:, c + 1] * fc
        bottom = coarse[r + 1][:, c] * (1 - fc) + coarse[r + 1][:, c + 1] * fc
        return top * (1 - fr) + bottom * fr

    def _deepen(self, depth: np.ndarray, tube: Tube) -> None:
        """Raise depth (H, W), mm below the surface, by the tube's spheres that this slice cuts."""
        rise = tube.points[:, 2] - self.z_mm
        cut = np.abs(rise) < tube.radius
        radii = np.sqrt(tube.radius[cut] ** 2 - rise[cut] ** 2)
        reach = self.px + BEND_REACH_MM
        for (x, y, _), radius in zip(tube.points[cut], radii, strict=True):
            middle = np.s_[self.x.shape[0] // 2, self.x.shape[1] // 2]
            rows = np.flatnonzero(np.abs(self.y[:, middle[1]] - y) < radius + reach)
            columns = np.flatnonzero(np.abs(self.x[middle[0]] - x) < radius + reach)
            if rows.size and columns.size:
                box = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
                away = np.hypot(self.y[box] - y, self.x[box] - x)
                np.maximum(depth[box], radius - away, out=depth[box])

    def _ellipse(self, x: float, y: float, rx: float, ry: float, power: float = 2.0) -> np.ndarray:
        """Coverage (H, W), 0 to 1, of a (super)ellipse with an edge one pixel soft."""
        reach = (np.abs((self.x - x) / rx) ** power + np.abs((self.y - y) / ry) ** power) ** (1 / power)
        return np.clip((1 - reach) * min(rx, ry) / self.px + 0.5, 0, 1)

    def _paint(self, coverage: np.ndarray, signal: float | np.ndarray) -> None:
        self.signal += coverage * (signal - self.signal)


def _measure(signal: np.ndarray, scanner: Scanner, rng: np.random.Generator) -> np.ndarray:
    """Shade, add Rician noise and store in 16 bits: (H, W) uint16."""
    rows = np.linspace(-1, 1, scanner.height)[:, None] - scanner.coil[1]
    columns = np.linspace(-1, 1, scanner.width)[None, :] - scanner.coil[0]
    shaded = ndimage.gaussian_filter(signal, 0.5) * (1.05 - 0.28 * (rows**2 + columns**2))
    real, imaginary = rng.standard_normal((2, *signal.shape)) * scanner.noise
    magnitude = np.hypot(shaded + real, imaginary)
    return np.minimum(np.rint(magnitude * 0.9 * scanner.maximum), scanner.maximum).astype(np.uint16)
