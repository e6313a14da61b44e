"""One image with named masks as a tile: outlines in the colours of the sheet, shrunk or enlarged to the size wanted."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from PIL import Image

from monai_gi.plots import clinical_slice, outline_overlay
from monai_gi.plots.clinical import Edges
from monai_gi.showing.views import Tile, View, palette

MOST_ENLARGED = 6.0
FILL = 0.4
Colors = Mapping[str, tuple[int, int, int]]


@dataclass(frozen=True)
class Plane:
    """One image, and what was labelled on it.

    Attributes:
        image: uint8 (H, W) or (H, W, 3); black where only labels are known.
        masks: (H, W) bool by name; they may overlap.
        spacing_mm: (row, column); any unit that both share.
        edges: letters of the patient's sides; None for none.
        width_mm: of the image, for a scale bar; None for none.
        fill: also tint what is inside.
    """

    image: np.ndarray
    masks: Mapping[str, np.ndarray] = field(default_factory=dict)
    spacing_mm: tuple[float, float] = (1.0, 1.0)
    edges: Edges | None = None
    width_mm: float | None = None
    fill: bool = False


def plane_view(title: str, planes: Sequence[tuple[int, str, Plane]], *, word: str, single: bool = True) -> View:
    """A view of images that are read already.

    Args:
        title: as in `View`.
        planes: number, caption and image of each, at least one.
        word: as in `View`.
        single: as in `View`.

    Returns:
        The view; its classes are those of all images, in the order in which they come.
    """
    classes = tuple(dict.fromkeys(name for _, _, plane in planes for name in plane.masks))
    colors = colors_of(classes)
    tiles = tuple(
        Tile(number, caption, partial(draw_plane, plane, colors), any(mask.any() for mask in plane.masks.values()))
        for number, caption, plane in planes
    )
    return View(title, tiles, classes, word, single)


def colors_of(classes: Sequence[str]) -> dict[str, tuple[int, int, int]]:
    """Colours by name, those of the sheet's legend.

    Args:
        classes: names.

    Returns:
        One colour each.
    """
    return dict(zip(classes, palette(classes), strict=True))


def draw_plane(plane: Plane, colors: Colors, longest: int) -> np.ndarray:
    """Draw one tile.

    Args:
        plane: image and masks.
        colors: by name, of all masks at least.
        longest: pixels of the longer side, without the frame of letters; small images stay smaller.

    Returns:
        uint8 (h, w, 3).
    """
    steps, upscale = _fit(plane, longest)
    masks = {name: _shrunk_mask(mask, steps) for name, mask in plane.masks.items()}
    image = _shrunk(plane.image, steps) / np.float32(255)
    spacing = [step * length for step, length in zip(steps, plane.spacing_mm, strict=True)]
    if plane.fill:
        image = _filled(image, masks, colors)
    picture = outline_overlay(
        image,
        pred=np.stack(list(masks.values())) if masks else None,
        upscale=upscale,
        spacing_mm=spacing,
        classes=list(masks),
        colors=[colors[name] for name in masks],
    )
    if plane.edges is None and plane.width_mm is None:
        return picture
    return clinical_slice(picture, plane.edges, plane.width_mm)


def _fit(plane: Plane, longest: int) -> tuple[tuple[int, int], float]:
    """Pixels to join along (row, column), and picture pixels for the shorter side of what they become, 1 or more."""
    shorter = min(plane.spacing_mm)
    extents = [length * step / shorter for length, step in zip(plane.image.shape[:2], plane.spacing_mm, strict=True)]
    ratio = max(extents) / longest
    rows, columns = (max(1, math.ceil(ratio * shorter / step)) for step in plane.spacing_mm)
    wider = min(rows * plane.spacing_mm[0], columns * plane.spacing_mm[1]) / shorter
    return (rows, columns), max(1.0, min(MOST_ENLARGED, wider / ratio))


def _shrunk(image: np.ndarray, steps: tuple[int, int]) -> np.ndarray:
    return image if steps == (1, 1) else np.asarray(Image.fromarray(image).reduce(steps[::-1]))


def _shrunk_mask(mask: np.ndarray, steps: tuple[int, int]) -> np.ndarray:
    return mask if steps == (1, 1) else _shrunk(mask.astype(np.uint8) * 255, steps) > 127


def _filled(image: np.ndarray, masks: Mapping[str, np.ndarray], colors: Colors) -> np.ndarray:
    """Tint what is inside; later masks over earlier ones."""
    tinted = np.stack([image] * 3, axis=-1) if image.ndim == 2 else image.copy()
    for name, mask in masks.items():
        tinted[mask] += FILL * (np.array(colors[name], np.float32) / 255 - tinted[mask])
    return tinted
