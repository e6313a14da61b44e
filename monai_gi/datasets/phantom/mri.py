"""Signal of a drawn abdomen: one axial slice (H, W) of 16-bit magnitude, and its organ masks (C, H, W), row-major.

Tissues are painted back to front with edges one pixel soft (partial volume), then shaded by the coil and given
Rician noise, as magnitude images have (Gudbjartsson and Patz, Magn Reson Med 34, 1995). Image left is patient right.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from monai_gi.datasets.phantom.anatomy import Anatomy
from monai_gi.datasets.phantom.canvas import Box, Canvas, Hull
from monai_gi.labels import ORGAN_NAMES

# Relative signal of a bright-fat sequence on a low-field MR-Linac; the fluid around the cord is the brightest.
SIGNAL = {
    "fat": 0.86,
    "inner_fat": 0.74,
    "muscle": 0.22,
    "liver": 0.36,
    "spleen": 0.46,
    "cortex": 0.54,
    "medulla": 0.48,
    "sinus": 0.78,
    "bone": 0.58,
    "cortical_bone": 0.09,
    "fluid": 1.6,
    "cord": 0.5,
    "vessel": 0.14,
    "air": 0.03,
    "wall": 0.26,
}
CONTENT = {"large_bowel": 0.17, "small_bowel": 0.5, "stomach": 0.3}
WALL_MM = 2.5
LUNG_BOTTOM_MM, RIBS_BOTTOM_MM = 100.0, 235.0


@dataclass(frozen=True)
class Scanner:
    """How one scan is taken.

    Attributes:
        height: H in px.
        width: W in px.
        spacing_mm: of a square pixel.
        maximum: largest stored value of the scan.
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
    window, rows_mm, columns_mm = _body_window(anatomy, scanner)
    body = _Body(anatomy, Canvas(rows_mm, columns_mm, anatomy.bends, z_mm), rng)
    body.paint_trunk()
    body.paint_spine()
    body.paint_solids()
    masks = np.zeros((len(ORGAN_NAMES), scanner.height, scanner.width), bool)
    for mask, name in zip(masks, ORGAN_NAMES, strict=True):
        body.paint_organ(name, mask[window])
    return _measure(body.canvas.signal, window, scanner, rng), masks


def _body_window(anatomy: Anatomy, scanner: Scanner) -> tuple[Box, np.ndarray, np.ndarray]:
    """The part of the image that holds the body, and the pixel centres' mm there: rows and columns."""
    reach = np.abs(anatomy.bends[:, :2]).sum(axis=0) + 3 * scanner.spacing_mm
    half = (anatomy.half_width + (55 if anatomy.arms else 0) + reach[0], anatomy.half_depth + reach[1])
    places = [
        (np.arange(side) - (side - 1) / 2) * scanner.spacing_mm - sway
        for side, sway in zip((scanner.width, scanner.height), anatomy.sway, strict=True)
    ]
    inside = [np.flatnonzero(np.abs(place) < size) for place, size in zip(places, half, strict=True)]
    columns, rows = (slice(int(part[0]), int(part[-1]) + 1) for part in inside)
    return (rows, columns), places[1][rows], places[0][columns]


class _Body:
    """One slice of one case on its day, painted tissue by tissue."""

    def __init__(self, anatomy: Anatomy, canvas: Canvas, rng: np.random.Generator) -> None:
        self.anatomy, self.canvas, self.rng = anatomy, canvas, rng
        self.half_width, self.half_depth = anatomy.half_width - anatomy.fat, anatomy.half_depth - 0.8 * anatomy.fat
        self.hull = Hull(-4, self.half_width - 9, self.half_depth - 10)
        self.ring, self.cavity = np.zeros_like(canvas.signal), np.zeros_like(canvas.signal)

    def _blob(self, name: str, x: float, y: float, rx: float, ry: float, within: np.ndarray | None = None) -> None:
        """Paint an ellipse of one tissue."""
        box, coverage = self.canvas.ellipse(x, y, rx, ry, within=within)
        self.canvas.paint(box, coverage, SIGNAL[name])

    def paint_trunk(self) -> None:
        """Arms, fat under the skin, the muscles' ring with ribs, and the fat of the cavity with its vessels."""
        canvas, rng, body = self.canvas, self.rng, self.anatomy
        for side in (-1, 1) if body.arms else ():
            self._blob("inner_fat", side * (body.half_width + 27), 30, 24, 34)
            self._blob("muscle", side * (body.half_width + 27), 30, 17, 26)
            self._blob("bone", side * (body.half_width + 27), 32, 6, 6)
        box, trunk = canvas.ellipse(0, 0, body.half_width, body.half_depth, boxy=True)
        canvas.paint(box, trunk, SIGNAL["fat"] * (1 - 0.22 * canvas.threads(rng, 14.0, 0.07, box)))
        box, ring = canvas.ellipse(0, 1, self.half_width, self.half_depth, boxy=True)
        canvas.paint(box, ring, SIGNAL["muscle"])
        self.ring[box] = ring
        hull = self.hull
        box, cavity = canvas.ellipse(0, hull.y, hull.half_width, hull.half_depth, boxy=True)
        self.cavity[box] = cavity
        fat = 1 + 0.06 * canvas.mottle(rng, 12.0, box)
        fat *= 1 - 0.5 * canvas.threads(rng, 8.0, 0.16, box) - 0.6 * (canvas.mottle(rng, 2.2, box) > 2.0)
        canvas.paint(box, cavity, SIGNAL["inner_fat"] * fat)
        if canvas.z_mm < RIBS_BOTTOM_MM:
            self._paint_ribs()
        self._paint_lungs()

    def _paint_ribs(self) -> None:
        """Ribs run down and forwards, so their cuts move along the wall from slice to slice."""
        middle = (self.half_width + self.hull.half_width) / 2, (self.half_depth + self.hull.half_depth) / 2
        for rib in range(9):
            angle = -0.95 + ((rib * 0.27 + self.canvas.z_mm / 110) % 2.4)
            cos, sin = np.cos(angle), np.sin(angle)
            out = (abs(cos) ** 2.5 + abs(sin) ** 2.5) ** -0.4
            for side in (-1, 1):
                x, y = side * middle[0] * cos * out, -1.5 + middle[1] * sin * out
                self._blob("cortical_bone", x, y, 5.5, 5.5)
                self._blob("bone", x, y, 2.4, 2.4)

    def _paint_lungs(self) -> None:
        """Air on both sides above the diaphragm's dome."""
        height = LUNG_BOTTOM_MM - self.canvas.z_mm
        if height > 0:
            size = min(1.0, np.sqrt(height / 70))
            for side in (-1, 1):
                self._blob("air", side * 72, 14, 62 * size, 66 * size, self.cavity)

    def paint_spine(self) -> None:
        """Muscles of the back and the psoas, a vertebra with its processes, cord, aorta and vena cava."""
        canvas = self.canvas
        psoas = min(max((canvas.z_mm - 120) / 180, 0.35), 1.0)
        for side in (-1, 1):
            box, back = canvas.ellipse(side * 33, 84, 28, 19, within=self.cavity)
            canvas.paint(box, back, SIGNAL["muscle"] + 0.5 * canvas.threads(self.rng, 5.0, 0.2, box))
            self._blob("muscle", side * (24 + 12 * psoas), 50, 15 * psoas, 18 * psoas, self.cavity)
            self._blob("cortical_bone", side * 17, 73, 14, 5)
            self._blob("bone", side * 16, 73, 12, 3)
        swell = 1 + 0.06 * np.sin(2 * np.pi * canvas.z_mm / 35)
        self._blob("cortical_bone", 0, 54, 23 * swell, 18 * swell)
        box, marrow = canvas.ellipse(0, 54, 21.5 * swell, 16.5 * swell)
        canvas.paint(box, marrow, SIGNAL["bone"] * (1 + 0.1 * canvas.mottle(self.rng, 3.0, box)))
        self._blob("cortical_bone", 0, 94, 5, 13, self.ring)
        self._blob("bone", 0, 93, 3, 10, self.ring)
        self._blob("cortical_bone", 0, 79, 12, 10)
        self._blob("fluid", 0, 79, 9.5, 7.5)
        self._blob("cord", 0, 80, 4, 3.5)
        self._blob("vessel", 9, 27, 9, 9)
        self._blob("vessel", -16, 27, 12, 8)

    def paint_solids(self) -> None:
        """Liver with its vessels, spleen and kidneys, as far as the slice cuts them."""
        for name, rows in self.anatomy.solids.items():
            for x, y, z, rx, ry, rz in rows:
                share = 1 - ((self.canvas.z_mm - z) / rz) ** 2
                if share > 0.01:
                    self._paint_solid(name, x, y, rx * np.sqrt(share), ry * np.sqrt(share))

    def _paint_solid(self, name: str, x: float, y: float, rx: float, ry: float) -> None:
        canvas = self.canvas
        if name == "kidney":
            self._blob("cortex", x, y, rx, ry, self.cavity)
            self._blob("medulla", x, y, 0.75 * rx, 0.75 * ry, self.cavity)
        elif name == "liver":
            box, inside = canvas.ellipse(x, y, rx, ry, within=self.cavity)
            texture = 1 + 0.06 * canvas.mottle(self.rng, 2.5, box) - 0.4 * canvas.threads(self.rng, 10.0, 0.17, box)
            canvas.paint(box, inside, SIGNAL["liver"] * texture)
        else:
            self._blob(name, x, y, rx, ry, self.cavity)

    def paint_organ(self, name: str, mask: np.ndarray) -> None:
        """Paint one organ and set its mask (H, W), both where its tubes cover half a pixel."""
        canvas = self.canvas
        box, depth = canvas.depth(self.anatomy.organs.get(name, ()), self.hull)
        if not depth.size:
            return
        held = self.cavity[box] > 0.5
        inside, lumen, core = (
            np.clip(depth / canvas.px + np.float32(0.5 - wall / canvas.px), 0, 1) * held
            for wall in (0.0, WALL_MM, 2 * WALL_MM)
        )
        mask[box] = inside > 0.5
        content = self._content(name, box)
        canvas.paint(box, inside, SIGNAL["wall"])
        canvas.paint(box, lumen, content if name == "large_bowel" else 1.1 * content + 0.2)
        canvas.paint(box, core, content)

    def _content(self, name: str, box: Box) -> np.ndarray:
        """What fills an organ: dark mottled stool, striped folds, or fluid below air."""
        canvas, rng = self.canvas, self.rng
        if name == "large_bowel":
            return CONTENT[name] * (1 + 0.9 * canvas.mottle(rng, 3.0, box))
        if name == "small_bowel":
            folds = np.sin(np.float32(2 * np.pi / 9) * (canvas.x[box] + np.float32(0.6) * canvas.y[box]))
            return CONTENT[name] * (1 + 0.12 * folds + 0.25 * canvas.mottle(rng, 2.0, box))
        fluid = CONTENT[name] * (1 + 0.1 * canvas.mottle(rng, 5.0, box))
        return np.where(canvas.y[box] < self.anatomy.air_level, SIGNAL["air"] * 2, fluid)


def _measure(signal: np.ndarray, window: Box, scanner: Scanner, rng: np.random.Generator) -> np.ndarray:
    """Shade, add Rician noise and store in 16 bits: (H, W) uint16."""
    rows = np.linspace(-1, 1, scanner.height, dtype=np.float32)[window[0], None] - np.float32(scanner.coil[1])
    columns = np.linspace(-1, 1, scanner.width, dtype=np.float32)[None, window[1]] - np.float32(scanner.coil[0])
    shaded = ndimage.gaussian_filter(signal, 0.5, truncate=2.0)
    shaded *= np.float32(1.05) - np.float32(0.28) * (rows**2 + columns**2)
    channels = rng.standard_normal((2, scanner.height, scanner.width), dtype=np.float32)
    channels *= np.float32(scanner.noise)
    channels[0][window] += shaded
    channels *= channels
    magnitude = np.sqrt(channels[0] + channels[1])
    magnitude *= np.float32(0.9 * scanner.maximum)
    return np.minimum(np.rint(magnitude), scanner.maximum).astype(np.uint16)
