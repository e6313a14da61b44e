"""The noiseless signal of one axial slice (H, W), painted tissue by tissue; row-major, image left is patient right.

Signals are relative, fat near 0.85 and air 0. Edges are one pixel soft: partial volume.
"""

from dataclasses import dataclass

import numpy as np

from monai_gi.datasets.phantom.anatomy import Body
from monai_gi.datasets.phantom.mri import Mottle, Scanner
from monai_gi.datasets.phantom.shapes import Ellipsoid, Plane, Window

# A bright-fat sequence, as the MR-Linac scans of the real set show it.
TISSUE = {
    "skin": 0.55,
    "fat": 0.88,
    "muscle": 0.20,
    "liver": 0.29,
    "spleen": 0.33,
    "gallbladder": 0.74,
    "kidney": 0.33,
    "sinus": 0.72,
    "heart": 0.36,
    "bladder": 0.62,
    "pancreas": 0.46,
    "marrow": 0.44,
    "disc": 0.30,
    "cortex": 0.10,
    "cerebrospinal_fluid": 0.85,
    "cord": 0.48,
    "aorta": 0.34,
    "vena_cava": 0.40,
    "lung": 0.05,
    "wall": 0.26,
}
RIM = 0.10


@dataclass
class Canvas:
    """A slice in the making.

    Attributes:
        plane: where its pixels lie in the body.
        signal: (H, W) float32, painted in place.
        fine: (H, W) mottle of two pixels.
        coarse: (H, W) mottle of some six pixels.
        cavity: (H, W) float32, depth below the inner surface of the abdominal wall, mm; set by the torso.
        dome: (H, W) float32, depth below the diaphragm, mm; set by the torso.
    """

    plane: Plane
    signal: np.ndarray
    fine: np.ndarray
    coarse: np.ndarray
    cavity: np.ndarray
    dome: np.ndarray

    def paint(self, window: Window, depth: np.ndarray, signal: float | np.ndarray) -> None:
        """Put a tissue over what lies below.

        Args:
            window: the pixels looked at.
            depth: (h, w) below the tissue's surface, mm.
            signal: of the tissue, one number or (h, w).
        """
        area = self.signal[window]
        area += self.plane.coverage(depth) * (signal - area)

    def paint_rimmed(self, window: Window, depth: np.ndarray, signal: float | np.ndarray) -> None:
        """Paint with the dark line that water and fat leave where they share a pixel."""
        area = self.signal[window]
        area += 0.6 * self.plane.coverage(depth + 1.0) * (RIM - area)
        self.paint(window, depth - 0.4, signal)

    def ellipse(self, x: float, y: float, radii: tuple[float, float], signal: float, turn: float = 0.0) -> None:
        """Paint an ellipse that is the same on every slice."""
        found = Ellipsoid((x, y, self.plane.z_mm), (*radii, 1.0), turn).depth(self.plane)
        if found:
            self.paint(*found, signal)


def start_canvas(body: Body, scanner: Scanner, z_mm: float, mottles: tuple[Mottle, Mottle]) -> Canvas:
    """An empty slice, its pixels laid into the body: shifted, turned and gently bent.

    Args:
        body: decides where it lies.
        scanner: size and spacing.
        z_mm: height in the scan, to the feet.
        mottles: fine and coarse.

    Returns:
        A canvas of signal 0.
    """
    shape = (scanner.height, scanner.width)
    columns, rows = (
        ((np.arange(count) - (count - 1) / 2) * scanner.spacing_mm - shift) / build
        for count, shift, build in zip(shape[::-1], body.shift[:2], body.build, strict=True)
    )
    z = z_mm - body.shift[2]
    sine = np.sin(body.turn)
    size, phase = body.bend[:4], body.bend[4:] + z / np.array([110, 140, 120, 150])
    plane = Plane(
        x_of_column=(columns + size[0] * np.sin(columns / 45 + phase[0])).astype(np.float32),
        x_of_row=(sine * rows + size[1] * np.sin(rows / 40 + phase[1])).astype(np.float32),
        y_of_row=(rows + size[2] * np.sin(rows / 45 + phase[2])).astype(np.float32),
        y_of_column=(size[3] * np.sin(columns / 40 + phase[3]) - sine * columns).astype(np.float32),
        z_mm=float(z),
        pixel_mm=scanner.spacing_mm / float(np.mean(body.build)),
    )
    empty = np.zeros((3, *shape), np.float32)
    return Canvas(plane, empty[0], *(mottle.at(z, shape) for mottle in mottles), *empty[1:])
