"""Where the structures of a drawn kidney biopsy lie; positions (y, x) and lengths in micrometres, y down, x right.

Sizes are those of a human kidney: tubules of 40 to 70 um, glomeruli of 150 to 210 um, a needle core of some 0.6 mm
(https://doi.org/10.1681/ASN.2010010048).
"""

from typing import NamedTuple

import numpy as np
from scipy.spatial import cKDTree

from monai_gi.datasets.phantom.noise import at_points, texture

TUBULE_PITCH_UM = 58.0
STRUCTURE_PITCH_UM = 240.0
CORE_PITCH_UM = 1400.0
CORE_SHARE = 0.66
# Points along a tubule, so that its cell is longer than wide.
TUBULE_POINTS = np.array([-1.0, 0.0, 1.0])
# Every so many slides one shows no infiltrate: a class may be absent.
HEALTHY_EVERY = 4


class Cores(NamedTuple):
    """Strips of tissue, one below the other, each an array (N,) but for the first.

    Attributes:
        ends: (N, 2), x of the left and of the right end.
        y: of the middle.
        half_width: across.
        wave: (N, 2), height and length of the bends.
        phase: of the bends.
    """

    ends: np.ndarray
    y: np.ndarray
    half_width: np.ndarray
    wave: np.ndarray
    phase: np.ndarray

    def depth(self, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        """How far points lie inside the tissue.

        Args:
            y: (...) of the points.
            x: of the points, broadcast against y.

        Returns:
            (...) below the nearest edge of the deepest strip, negative on glass.
        """
        deepest = np.full(np.broadcast(y, x).shape, -np.inf, np.float32)
        for (left, right), middle, half, (height, length), phase in zip(*self, strict=True):
            bent = middle + height * np.sin(x / length + phase)
            width = half * (1 + 0.15 * np.sin(x / (0.37 * length) + 2 * phase))
            np.maximum(deepest, np.minimum(width - np.abs(y - bent), np.minimum(x - left, right - x)), out=deepest)
        return deepest


class Structures(NamedTuple):
    """Ellipses that push tubules aside, N of them.

    Attributes:
        kind: (N,) of "glomerulus", "vessel", "infiltrate".
        centre: (N, 2).
        radii: (N, 2), across and along.
        angle: (N,) of the long axis, in radians.
    """

    kind: np.ndarray
    centre: np.ndarray
    radii: np.ndarray
    angle: np.ndarray


class Tubules(NamedTuple):
    """The packing of tubules: a pixel belongs to the tubule whose point is nearest.

    Attributes:
        tree: of the points of all tubules.
        owner: (points,) number of the tubule of each.
        wall: (tubules,) thickness of the epithelium.
        paleness: (tubules,) 0 for a proximal tubule, 1 for a distal one.
    """

    tree: cKDTree
    owner: np.ndarray
    wall: np.ndarray
    paleness: np.ndarray


class Plan(NamedTuple):
    """Everything that decides one slide; a few megabytes for hundreds of megapixels.

    Attributes:
        size: (H, W) in pixels.
        mpp: micrometres a pixel.
        cores: the strips of tissue.
        structures: glomeruli, vessels, infiltrates.
        tubules: what fills the rest.
        broad: texture of some 60 um, at 2 um a pixel.
        medium: texture of some 14 um, at 2 um a pixel.
        seed: of what is drawn pixel by pixel.
    """

    size: tuple[int, int]
    mpp: float
    cores: Cores
    structures: Structures
    tubules: Tubules
    broad: np.ndarray
    medium: np.ndarray
    seed: tuple[int, int]


def plan_slide(number: int, size: tuple[int, int], mpp: float, seed: int) -> Plan:
    """Lay out one slide.

    Args:
        number: of the slide, 1 is the first; every fourth has no infiltrate.
        size: (H, W) in pixels.
        mpp: micrometres a pixel.
        seed: of the data set.

    Returns:
        The plan; the same arguments give the same.
    """
    rng = np.random.default_rng([seed, number])
    height, width = size[0] * mpp, size[1] * mpp
    broad, medium = texture(rng, 30.0), texture(rng, 7.0)
    cores = _plan_cores(rng, height, width)
    kinds = ["glomerulus", "vessel"] + ["infiltrate"] * bool(number % HEALTHY_EVERY)
    structures = _plan_structures(rng, (height, width), cores, kinds)
    tubules = _plan_tubules(rng, (height, width), broad)
    return Plan(size, mpp, cores, structures, tubules, broad, medium, (seed, number))


def _plan_cores(rng: np.random.Generator, height: float, width: float) -> Cores:
    count = max(1, round(height / CORE_PITCH_UM))
    pitch = height / count
    middle = (np.arange(count) + rng.uniform(0.46, 0.54, count)) * pitch
    half = np.full(count, pitch * CORE_SHARE / 2) * rng.uniform(0.95, 1.05, count)
    left, right = width * rng.uniform(0.02, 0.07, count), width * rng.uniform(0.93, 0.98, count)
    wave = np.stack([pitch * rng.uniform(0.03, 0.08, count), rng.uniform(500, 1100, count)], axis=1)
    return Cores(np.stack([left, right], axis=1), middle, half, wave, rng.uniform(0, 6.28, count))


def _jittered(rng: np.random.Generator, extent: tuple[float, float], pitch: float, jitter: float) -> np.ndarray:
    """Points (N, 2) on a hexagonal grid over the extent and a pitch around it, each moved by up to jitter * pitch."""
    rows, columns = (int(np.ceil(length / pitch)) + 3 for length in extent)
    y, x = np.meshgrid(np.arange(rows) - 1.0, np.arange(columns) - 1.0, indexing="ij")
    x += 0.5 * (np.arange(rows) % 2)[:, None]
    points = np.stack([y, x], axis=-1).reshape(-1, 2)
    return (points + rng.uniform(-jitter, jitter, points.shape)) * pitch


def _plan_structures(
    rng: np.random.Generator, extent: tuple[float, float], cores: Cores, kinds: list[str]
) -> Structures:
    """One structure a cell of a coarse grid, the kinds in turn, where there is tissue for it."""
    centre = _jittered(rng, extent, STRUCTURE_PITCH_UM, 0.22)
    y, x = centre.T
    is_inside = (y > 0) & (x > 0) & (y < extent[0]) & (x < extent[1])
    centre = centre[is_inside & (cores.depth(y, x) > 45)]
    turns = [rng.permutation(kinds) for _ in range(-(-len(centre) // len(kinds)))]
    kind = np.concatenate(turns)[: len(centre)] if turns else np.zeros(0, dtype="U10")
    smallest = np.select([kind == "glomerulus", kind == "vessel"], [72.0, 20.0], 50.0)
    largest = np.select([kind == "glomerulus", kind == "vessel"], [95.0, 46.0], 85.0)
    across = rng.uniform(smallest, largest)
    stretch = np.select([kind == "glomerulus", kind == "vessel"], [1.15, 2.2], 1.6)
    along = across * rng.uniform(1.0, stretch)
    return Structures(kind, centre, np.stack([across, along], axis=1), rng.uniform(0, np.pi, len(centre)))


def _plan_tubules(rng: np.random.Generator, extent: tuple[float, float], broad: np.ndarray) -> Tubules:
    middle = _jittered(rng, extent, TUBULE_PITCH_UM, 0.30)
    count = len(middle)
    # Neighbours run alike: their direction follows the broad texture.
    angle = 1.4 * at_points(broad, middle / 2) + rng.uniform(-0.5, 0.5, count)
    reach = rng.uniform(0, 24, count)
    along = np.stack([np.sin(angle), np.cos(angle)], axis=1)
    points = middle[:, None] + (reach[:, None] * TUBULE_POINTS)[..., None] * along[:, None]
    paleness = (rng.random(count) < 0.35).astype(np.float32)
    wall = np.where(paleness > 0, rng.uniform(6, 9, count), rng.uniform(12, 19, count)).astype(np.float32)
    owner = np.repeat(np.arange(count), len(TUBULE_POINTS))
    return Tubules(cKDTree(points.reshape(-1, 2)), owner, wall, paleness)
