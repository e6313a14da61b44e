"""How the tissue of a drawn biopsy looks: amounts of two dyes, and the light (0 to 255) that passes through them.

A periodic acid-Schiff stain: haematoxylin makes nuclei blue, the Schiff reagent makes membranes and matrix magenta.
Optical density adds up (Beer and Lambert), so colour is exp(-amount * density of the dye).
"""

from typing import NamedTuple

import numpy as np

from monai_gi.datasets.phantom.biopsy_fields import BOWMAN_UM, Fields
from monai_gi.datasets.phantom.noise import texture, window

# Optical density of one unit of dye in red, green, blue; read off sections.
HAEMATOXYLIN = (1.00, 0.90, 0.45)
SCHIFF = (0.24, 1.00, 0.42)
GLASS_RGB = (243, 241, 244)
NUCLEUS_PITCH_UM = 5.0
# Stamps of nuclei: how many shapes and turns.
STAMPS = 48
TABLE = 521


class Look(NamedTuple):
    """What makes one slide look unlike another.

    Attributes:
        mpp: micrometres a pixel.
        dyes: (2, 3) optical density of haematoxylin and Schiff, by channel.
        glass: (3,) light through empty glass.
        grain: texture of one micrometre.
        loops: texture of some five micrometres.
        speckle: white texture, the camera's noise.
        nuclei: (TABLE, TABLE, 4) of shift down, shift right, chance, stamp; each 0 to 1.
        stamps: pictures (n, n) of nuclei, 0 to 1.
    """

    mpp: float
    dyes: np.ndarray
    glass: np.ndarray
    grain: np.ndarray
    loops: np.ndarray
    speckle: np.ndarray
    nuclei: np.ndarray
    stamps: list[np.ndarray]


def look_of(seed: tuple[int, int], mpp: float) -> Look:
    """Draw the look of one slide: its stain is a bit stronger, redder or bluer than that of others.

    Args:
        seed: of the slide.
        mpp: micrometres a pixel.

    Returns:
        The look; some 15 MB of textures.
    """
    rng = np.random.default_rng([*seed, 1])
    dyes = np.array([HAEMATOXYLIN, SCHIFF]) * rng.uniform(0.85, 1.15, (2, 1)) * rng.uniform(0.93, 1.07, (2, 3))
    glass = np.array(GLASS_RGB) + rng.uniform(-4, 4, 3)
    grain, loops = texture(rng, 0.7 / mpp), texture(rng, 2.3 / mpp)
    stamps = [_nucleus(rng, mpp) for _ in range(STAMPS)]
    nuclei = rng.random((TABLE, TABLE, 4), dtype=np.float32)
    return Look(mpp, dyes.astype(np.float32), glass.astype(np.float32), grain, loops, texture(rng, 0.0), nuclei, stamps)


def _nucleus(rng: np.random.Generator, mpp: float) -> np.ndarray:
    """A stamp of odd size: an ellipse with a soft edge and mottled chromatin."""
    long, angle = rng.uniform(2.1, 3.6) / mpp, rng.uniform(0, np.pi)
    short = long * rng.uniform(0.6, 1.0)
    half = int(np.ceil(long)) + 1
    y, x = np.mgrid[-half : half + 1, -half : half + 1]
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    radius = np.sqrt((along / long) ** 2 + (across / short) ** 2)
    body = np.clip((1 - radius) * short / 1.2 + 0.5, 0, 1)
    mottle = 1 + 0.18 * rng.standard_normal(body.shape)
    return (rng.uniform(0.5, 1.0) * body * np.clip(0.72 + 0.3 * radius, 0, 1.02) * mottle).astype(np.float32)


def paint(look: Look, fields: Fields, label_map: np.ndarray, top: int, left: int, margin: int) -> np.ndarray:
    """The picture of a window.

    Args:
        look: of the slide.
        fields: of the window with `margin` pixels on each side, for nuclei that reach in.
        label_map: as `tissue_map` gives it for the fields.
        top: first row of the window without its margin.
        left: first column of it.
        margin: in pixels.

    Returns:
        (h, w, 3) uint8, without the margin.
    """
    origin = (top - margin, left - margin)
    grain, loops, speckle = (window(t, *origin, *label_map.shape) for t in (look.grain, look.loops, look.speckle))
    schiff = _schiff(fields, label_map, grain, loops)
    cytoplasm = 0.10 * fields.paleness * ((label_map == 2) & (fields.lumen < 0))
    blue = cytoplasm + _nuclei(look, _crowding(fields, label_map), origin)
    inner = (slice(margin, label_map.shape[0] - margin), slice(margin, label_map.shape[1] - margin))
    blue, schiff, speckle = blue[inner], schiff[inner], speckle[inner]
    light = np.empty((*blue.shape, 3), np.float32)
    for channel in range(3):
        density = blue * look.dyes[0, channel] + schiff * look.dyes[1, channel]
        light[..., channel] = look.glass[channel] * np.exp(-density) + 2.0 * speckle
    return np.clip(light, 0, 255).astype(np.uint8)


def _schiff(fields: Fields, label_map: np.ndarray, grain: np.ndarray, loops: np.ndarray) -> np.ndarray:
    """Amount of magenta, class by class."""
    fibres = 0.52 + 0.10 * grain + 0.10 * loops + 0.10 * fields.fibrosis
    amounts = [
        0.01 + 0.004 * grain,
        fibres,
        _tubule(fields, grain, loops),
        _glomerulus(fields.glomerulus, grain, loops),
        _vessel(fields.vessel, grain, loops),
        0.30 + 0.06 * grain + 0.06 * loops,
    ]
    amount = np.choose(label_map, amounts)
    # The basement membrane, where a tubule meets the interstitium, and the capsule of a glomerulus.
    membrane = _ridge(fields.tubule, 1.0) * (fields.tissue > 4) * np.isin(label_map, (1, 2))
    capsule = _ridge(fields.glomerulus, 1.8) * (fields.tissue > 0)
    return np.maximum(amount + 0.65 * membrane + 0.8 * capsule, 0)


def _tubule(fields: Fields, grain: np.ndarray, loops: np.ndarray) -> np.ndarray:
    cytoplasm = 0.40 + 0.12 * grain + 0.05 * loops - 0.17 * fields.paleness
    open_share = _step(fields.lumen + 1.5 * loops * (1 - 0.6 * fields.paleness), 1.2)
    brush = 0.22 * _ridge(fields.lumen + 1.5 * loops, 1.6) * (1 - fields.paleness)
    return (cytoplasm + brush) * (1 - open_share) + 0.03 * open_share


def _glomerulus(depth: np.ndarray, grain: np.ndarray, loops: np.ndarray) -> np.ndarray:
    """Capillary loops are the lines where a texture crosses zero, in a tuft inside Bowman's space."""
    tuft = _step(depth - BOWMAN_UM + 3 * loops, 1.5)
    walls = np.exp(-((loops / 0.28) ** 2))
    return 0.03 * (1 - tuft) + tuft * (0.22 + 0.75 * walls + 0.12 * grain)


def _vessel(depth: np.ndarray, grain: np.ndarray, loops: np.ndarray) -> np.ndarray:
    wall = 0.55 + 0.16 * np.sin(depth * 1.3 + 1.2 * loops) + 0.08 * grain
    return wall * (1 - _step(depth - 13, 1.2)) + 0.02


def _crowding(fields: Fields, label_map: np.ndarray) -> np.ndarray:
    """The chance of a nucleus at a place of the table's grid."""
    ring = _step(fields.tubule - 2.5, 1) * (1 - _step(fields.tubule - 8, 1)) * (1 - _step(fields.lumen + 1, 1))
    tuft = 0.42 * _step(fields.glomerulus - BOWMAN_UM - 2, 2)
    muscle = 0.10 * (1 - _step(fields.vessel - 13, 1)) + 0.3 * _ridge(fields.vessel - 13, 2.0)
    glass = np.float32(0.0004)
    return np.choose(label_map, [glass, np.float32(0.17), 0.40 * ring, tuft, muscle, np.float32(0.86)])


def _nuclei(look: Look, crowding: np.ndarray, origin: tuple[int, int]) -> np.ndarray:
    """Amount of blue in the window (h, w) whose first pixel is `origin`."""
    blue = np.zeros_like(crowding, dtype=np.float32)
    height, width = blue.shape
    pitch = NUCLEUS_PITCH_UM / look.mpp
    down, right = _cells(origin[0], height, pitch)[:, None], _cells(origin[1], width, pitch)
    table = look.nuclei[down % TABLE, right % TABLE]
    rows = np.floor((down + table[..., 0]) * pitch).astype(np.int64) - origin[0]
    columns = np.floor((right + table[..., 1]) * pitch).astype(np.int64) - origin[1]
    is_inside = (rows >= 0) & (columns >= 0) & (rows < height) & (columns < width)
    rows, columns, table = rows[is_inside], columns[is_inside], table[is_inside]
    drawn = table[:, 2] < crowding[rows, columns]
    stamps = (table[drawn, 3] * STAMPS).astype(int)
    for row, column, stamp in zip(rows[drawn].tolist(), columns[drawn].tolist(), stamps.tolist(), strict=True):
        _stamp(blue, look.stamps[stamp], row, column)
    return blue


def _cells(start: int, length: int, pitch: float) -> np.ndarray:
    """Numbers of the cells that an interval of pixels touches."""
    return np.arange(int(np.floor(start / pitch)), int(np.ceil((start + length) / pitch)))


def _stamp(plane: np.ndarray, stamp: np.ndarray, row: int, column: int) -> None:
    """Lay a stamp over the plane around a pixel; the darker of the two stays, what lies outside is cut off."""
    half = len(stamp) // 2
    top, left = row - half, column - half
    part = plane[max(top, 0) : top + len(stamp), max(left, 0) : left + len(stamp)]
    cut = stamp[max(-top, 0) :, max(-left, 0) :][: part.shape[0], : part.shape[1]]
    np.maximum(part, cut, out=part)


def _step(depth: np.ndarray, width: float) -> np.ndarray:
    """From 0 to 1 over a width around depth 0."""
    return np.clip(depth / width + 0.5, 0, 1)


def _ridge(depth: np.ndarray, width: float) -> np.ndarray:
    """1 at depth 0, falling to 0 at a width on either side."""
    return np.clip(1 - np.abs(depth) / width, 0, 1)
