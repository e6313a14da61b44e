"""How a drawn slice (H, W) is measured: tissue mottle, coil shading, Rician noise, 16 stored bits.

Magnitude images have Rician noise (Gudbjartsson and Patz, Magn Reson Med 34, 1995). Signals are relative: fat is
near 0.85, muscle near 0.2, air 0, as in a bright-fat sequence.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

TILE_PX, TILE_LAYERS, LAYER_MM = 96, 24, 3.0


@dataclass(frozen=True)
class Scanner:
    """How one scan is taken.

    Attributes:
        width: W in pixels.
        height: H in pixels.
        spacing_mm: of a square pixel.
        maximum: largest stored value of the scan, to 65535.
        noise: standard deviation in each of the two channels, relative signal.
        tilt: (x, y) how much more the coil sees on one side than in the middle.
        near: how much more it sees at the back than in the middle.
    """

    width: int
    height: int
    spacing_mm: float
    maximum: int
    noise: float
    tilt: tuple[float, float]
    near: float


class Mottle:
    """Smooth noise that goes on from slice to slice, of mean 0 and deviation about 1.

    Args:
        rng: draws it.
        size_px: how far it is alike within a slice (across slices: 3 mm).
    """

    def __init__(self, rng: np.random.Generator, size_px: float) -> None:
        noise = rng.standard_normal((TILE_LAYERS, TILE_PX, TILE_PX), dtype=np.float32)
        smooth = ndimage.gaussian_filter(noise, (1.0, size_px, size_px), mode="wrap")
        self.layers = (smooth / smooth.std()).astype(np.float32)

    def at(self, z_mm: float, shape: tuple[int, int]) -> np.ndarray:
        """The mottle (H, W) float32 at one height, repeated over the slice."""
        place = z_mm / LAYER_MM
        layer, share = int(np.floor(place)), float(place - np.floor(place))
        upper, lower = self.layers[layer % TILE_LAYERS], self.layers[(layer + 1) % TILE_LAYERS]
        mixed = upper * (1 - share) + lower * share
        repeats = [-(-side // TILE_PX) for side in shape]
        return np.tile(mixed, repeats)[: shape[0], : shape[1]]


def measure(signal: np.ndarray, scanner: Scanner, rng: np.random.Generator) -> np.ndarray:
    """What the scanner sees: the signal (H, W) shaded by the coil, with Rician noise; float32 from 0."""
    rows = np.linspace(-1, 1, scanner.height, dtype=np.float32)[:, None]
    columns = np.linspace(-1, 1, scanner.width, dtype=np.float32)[None, :]
    along = 1 + scanner.tilt[1] * rows + scanner.near * np.exp(-(((rows - 0.75) / 0.35) ** 2)) - 0.12 * rows**2
    across = 1 + scanner.tilt[0] * columns - 0.18 * columns**2
    real = rng.standard_normal(signal.shape, dtype=np.float32)
    real *= scanner.noise
    real += signal * (along * across)
    imaginary = rng.standard_normal(signal.shape, dtype=np.float32)
    imaginary *= scanner.noise
    return np.sqrt(real * real + imaginary * imaginary)


def store(magnitudes: np.ndarray, maximum: int) -> np.ndarray:
    """The slices of a scan (..., H, W) as uint16, scaled so that the largest value is `maximum`."""
    return np.rint(magnitudes * (maximum / magnitudes.max())).astype(np.uint16)
