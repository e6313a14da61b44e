"""Depths below the surfaces of a biopsy's structures, pixel by pixel, and the tissue that follows from them.

Depths are in micrometres, positive inside. They are smooth, so they are computed on a grid of 2 um and interpolated.
"""

from typing import NamedTuple

import numpy as np

from monai_gi.datasets.phantom.biopsy_plan import Plan, Structures
from monai_gi.datasets.phantom.noise import window
from monai_gi.labels import TISSUE_NAMES

GRID_UM = 2.0
BOWMAN_UM = 6.0
FAR_UM = 1e3


class Fields(NamedTuple):
    """Depths of a window, each (h, w) float32.

    Attributes:
        tissue: below the edge of the core.
        tubule: below the basement membrane.
        lumen: into a tubule's lumen.
        paleness: 0 to 1, of the tubule's epithelium.
        glomerulus: below Bowman's capsule.
        vessel: below the outer surface.
        infiltrate: into a cloud of inflammatory cells.
        fibrosis: texture of the interstitium, standard deviation 1.
    """

    tissue: np.ndarray
    tubule: np.ndarray
    lumen: np.ndarray
    paleness: np.ndarray
    glomerulus: np.ndarray
    vessel: np.ndarray
    infiltrate: np.ndarray
    fibrosis: np.ndarray


def grid_step(mpp: float) -> int:
    """Pixels between two points of the grid.

    Args:
        mpp: micrometres a pixel.

    Returns:
        A power of two, 1 for coarse pixels.

    >>> grid_step(0.5), grid_step(0.25), grid_step(2.0), grid_step(5.0)
    (4, 8, 1, 1)
    """
    return int(2 ** max(0, round(np.log2(GRID_UM / mpp))))


def fields_of(plan: Plan, top: int, left: int, height: int, width: int) -> Fields:
    """Depths in a window of the slide.

    Args:
        plan: of the slide.
        top: first row in pixels, a multiple of `grid_step`, as are the others; may be negative.
        left: first column.
        height: rows.
        width: columns.

    Returns:
        The fields, (height, width) each; a pixel's values do not depend on the window.
    """
    step = grid_step(plan.mpp)
    grid = (top // step, left // step, height // step + 1, width // step + 1)
    broad, medium = window(plan.broad, *grid), window(plan.medium, *grid)
    y = (np.arange(grid[2], dtype=np.float32)[:, None] + grid[0]) * (step * plan.mpp)
    x = (np.arange(grid[3], dtype=np.float32) + grid[1]) * (step * plan.mpp)
    tissue = plan.cores.depth(y, x) + 14 * broad + 5 * medium
    # Bent outlines: each point is looked up where a smooth field moves it.
    y, x = y + 6 * medium, x + 6 * window(plan.medium, grid[0] + 400, *grid[1:])
    glomerulus, vessel, infiltrate = _structure_depths(plan.structures, y, x)
    infiltrate = infiltrate + 12 * broad + 6 * medium
    glomerulus, vessel, infiltrate = (np.minimum(depth, tissue - 2) for depth in (glomerulus, vessel, infiltrate))
    free = np.minimum(-np.maximum(np.maximum(glomerulus, vessel), infiltrate) - 3, tissue - 5)
    gap = 1.8 + 4.5 * np.maximum(0, broad - 0.2)
    tubule, lumen, paleness = _tubule_depths(plan, y, x, gap)
    tubule, lumen = np.minimum(tubule, free), np.minimum(lumen, free - 8)
    fields = (tissue, tubule, lumen, paleness, glomerulus, vessel, infiltrate, broad)
    return Fields(*(_finer(field.astype(np.float32), step) for field in fields))


def _structure_depths(structures: Structures, y: np.ndarray, x: np.ndarray) -> list[np.ndarray]:
    """Depth below the nearest glomerulus, vessel and infiltrate."""
    depths = {kind: np.full(y.shape, -FAR_UM, np.float32) for kind in ("glomerulus", "vessel", "infiltrate")}
    low, high = np.array([y.min(), x.min()]), np.array([y.max(), x.max()])
    reach = structures.radii.max(axis=1, keepdims=True) + 40 if len(structures.radii) else 0
    is_near = np.all((structures.centre + reach > low) & (structures.centre - reach < high), axis=1)
    for i in np.flatnonzero(is_near).tolist():
        dy, dx = y - structures.centre[i, 0], x - structures.centre[i, 1]
        sine, cosine = np.sin(structures.angle[i]), np.cos(structures.angle[i])
        across, along = structures.radii[i]
        distance = np.sqrt(((dx * cosine + dy * sine) / along) ** 2 + ((dy * cosine - dx * sine) / across) ** 2)
        depth = depths[str(structures.kind[i])]
        np.maximum(depth, across * (1 - distance), out=depth)
    return list(depths.values())


def _tubule_depths(plan: Plan, y: np.ndarray, x: np.ndarray, gap: np.ndarray) -> tuple[np.ndarray, ...]:
    """Depth below the wall of the nearest tubule, depth into its lumen, and its paleness."""
    tubules = plan.tubules
    distance, point = tubules.tree.query(np.stack([y, x], axis=-1), k=4)
    owner = tubules.owner[point]
    # A tubule has three points, so that one of the four nearest belongs to another.
    other = np.argmax(owner[..., 1:] != owner[..., :1], axis=-1) + 1
    beyond = np.take_along_axis(distance, other[..., None], axis=-1)[..., 0]
    depth = (beyond - distance[..., 0]) / 2 - gap
    nearest = owner[..., 0]
    return depth, depth - tubules.wall[nearest], tubules.paleness[nearest]


def _finer(field: np.ndarray, step: int) -> np.ndarray:
    """From the corners of cells (h + 1, w + 1) to `step` pixels a cell and side (h * step, w * step), linearly."""
    if step == 1:
        return field[:-1, :-1]
    weights = ((np.arange(step, dtype=np.float32) + 0.5) / step)[None, :, None]
    field = (field[:-1, None] * (1 - weights) + field[1:, None] * weights).reshape(-1, field.shape[1])
    weights = weights.reshape(1, 1, -1)
    return (field[:, :-1, None] * (1 - weights) + field[:, 1:, None] * weights).reshape(len(field), -1)


def tissue_map(fields: Fields) -> np.ndarray:
    """The class of each pixel.

    Args:
        fields: of the window.

    Returns:
        (h, w) uint8 of `Tissue.index`; lumens and Bowman's space belong to what surrounds them.
    """
    index = {name: number for number, name in enumerate(TISSUE_NAMES)}
    label_map = (fields.tissue > 0).astype(np.uint8) * index["interstitium"]
    for name in ("tubule", "infiltrate", "vessel", "glomerulus"):
        label_map[(getattr(fields, name) > 0) & (label_map > 0)] = index[name]
    return label_map
