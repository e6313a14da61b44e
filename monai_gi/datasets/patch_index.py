"""Patches as an index: (slide, top, left) drawn from maps of cells, so that nothing is copied to disk.

A cell is a small square of the full image of which the pixels of each class are known. Places of patches are in pixels
of the patch's level; a patch contains the cell that it was drawn for, as far as it is large enough to.
"""

import logging
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from monai_gi.errors import DataError

logger = logging.getLogger(__name__)

BACKGROUND = 0


class SlideMap(NamedTuple):
    """What is known of a slide without reading it.

    Attributes:
        size: (H, W) of the full image.
        cells: (rows, columns, classes), pixels of each class in each cell.
        tissue: (rows, columns), bool, cells with tissue; None where nobody looked.
    """

    size: tuple[int, int]
    cells: np.ndarray
    tissue: np.ndarray | None = None


class PatchIndex:
    """Draws places of patches.

    Args:
        maps: of the slides.
        cell: pixels of the full image along a cell's side.
        roi_size: (h, w) of patches in pixels of their level.
        level: of the patches; one covers 2**level times as many pixels of the full image.
        background_share: of the patches, 0 to 1, that show background only; the others show something else too.
        class_balanced: each class but the background is drawn equally often, in proportion to its pixels within the
            class; else every place that is not background is equally likely.

    Attributes:
        class_counts: pixels of each class, all slides together.

    Raises:
        DataError: patches of the kind asked for are nowhere.
        ValueError: `background_share` is not in 0 to 1.
    """

    class_counts: list[int]

    def __init__(
        self,
        maps: Sequence[SlideMap],
        cell: int,
        roi_size: tuple[int, int],
        level: int,
        *,
        background_share: float = 0.0,
        class_balanced: bool = True,
    ) -> None:
        if not 0 <= background_share <= 1:
            raise ValueError(f"background_share: {background_share}, wanted 0 to 1")
        self._sizes = np.array([slide.size for slide in maps])
        self._cell, self._level = cell, level
        self._extent = np.array(roi_size) << level
        self.class_counts = sum(slide.cells.sum(axis=(0, 1), dtype=np.int64) for slide in maps).tolist()
        self._pools = _foreground(maps, class_balanced) if background_share < 1 else []
        self._empty = _background(maps, cell, self._extent) if background_share > 0 else np.zeros((0, 3), dtype=int)
        self._background_share = self._possible(background_share)

    def draw(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Draw places.

        Args:
            count: of patches.
            rng: decides.

        Returns:
            (count, 3), int64: slide, top, left in pixels of the level; shares are kept to within one patch.
        """
        empty = round(count * self._background_share)
        places = [self._place(self._empty[rng.integers(len(self._empty), size=empty)], rng, anchored=False)]
        share = (count - empty) / max(1, len(self._pools))
        ends = [round(share * number) for number in range(len(self._pools) + 1)]
        for pool, first, last in zip(rng.permutation(len(self._pools)), ends, ends[1:], strict=False):
            cells, cumulated = self._pools[pool]
            drawn = np.searchsorted(cumulated, rng.random(last - first) * cumulated[-1], side="right")
            places.append(self._place(cells[drawn], rng, anchored=True))
        return rng.permutation(np.concatenate(places))

    def _possible(self, background_share: float) -> float:
        if background_share < 1 and not self._pools:
            raise DataError("slides", "no pixel is labelled as anything but background; wanted labels to learn from")
        if background_share == 0 or len(self._empty):
            return background_share
        if background_share == 1:
            raise DataError("slides", "no patch is background only; ask for a smaller background_share, or patches")
        logger.warning(
            "No patch is background only: none is drawn, where a share of %g was asked for", background_share
        )
        return 0.0

    def _place(self, cells: np.ndarray, rng: np.random.Generator, *, anchored: bool) -> np.ndarray:
        """Slide, top, left of patches that contain their cell (slide, row, column), or begin with it."""
        slide = cells[:, 0]
        corner = cells[:, 1:] * self._cell
        if anchored:
            room = np.maximum(self._extent - self._cell, 0)
            corner = corner - rng.integers(0, room + 1, size=corner.shape)
        last = self._sizes[slide] - self._extent
        # a slide smaller than the patch lies in its middle
        corner = np.where(last < 0, last // 2, np.clip(corner, 0, np.maximum(last, 0)))
        return np.concatenate([slide[:, None], corner >> self._level], axis=1)


def _foreground(maps: Sequence[SlideMap], class_balanced: bool) -> list[tuple[np.ndarray, np.ndarray]]:
    """Pools to draw from equally often: cells (N, 3) as slide, row, column, and their cumulated weights (N,)."""
    cells, counts = [], []
    for number, slide in enumerate(maps):
        rows, columns = np.nonzero(slide.cells[..., BACKGROUND + 1 :].any(axis=2))
        cells.append(np.stack([np.full(len(rows), number), rows, columns], axis=1))
        counts.append(slide.cells[rows, columns, BACKGROUND + 1 :])
    places, weights = np.concatenate(cells), np.concatenate(counts).astype(np.float64)
    if not class_balanced:
        weights = np.any(weights, axis=1)[:, None].astype(np.float64)
    present = [weights[:, index] for index in range(weights.shape[1]) if weights[:, index].any()]
    return [(places[weight > 0], weight[weight > 0].cumsum()) for weight in present]


def _background(maps: Sequence[SlideMap], cell: int, extent: np.ndarray) -> np.ndarray:
    """Cells (N, 3) at which background-only patches begin, on tissue where there are such."""
    found = [_begins(number, slide, cell, extent) for number, slide in enumerate(maps)]
    cells = np.concatenate([begins for begins, _ in found])
    on_tissue = np.concatenate([tissue for _, tissue in found])
    return cells[on_tissue] if on_tissue.any() else cells


def _begins(number: int, slide: SlideMap, cell: int, extent: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cells at which a background-only patch of one slide begins, and whether it shows tissue."""
    labelled = np.any(slide.cells[..., BACKGROUND + 1 :], axis=2)
    wanted = [min(-(-int(length) // cell), have) for length, have in zip(extent, labelled.shape, strict=True)]
    is_empty = _window_sums(labelled, wanted) == 0
    inside = [max(0, int(size) - int(length)) // cell + 1 for size, length in zip(slide.size, extent, strict=True)]
    rows, columns = np.nonzero(is_empty[: inside[0], : inside[1]])
    tissue = np.ones_like(labelled) if slide.tissue is None else slide.tissue
    shows = _window_sums(tissue, wanted)[rows, columns] > 0
    return np.stack([np.full(len(rows), number), rows, columns], axis=1), shows


def _window_sums(mask: np.ndarray, window: Sequence[int]) -> np.ndarray:
    """Sums of all windows (h, w) that fit into a mask."""
    sums = np.pad(mask.astype(np.int64).cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    h, w = window
    return sums[h:, w:] - sums[:-h, w:] - sums[h:, :-w] + sums[:-h, :-w]
