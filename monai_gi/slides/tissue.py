"""Tissue or glass, from a thumbnail: glass is bright and colourless over a wide area; when in doubt it is tissue."""

from typing import NamedTuple

import numpy as np
from scipy import ndimage

from monai_gi.slides.slide import Slide

BRIGHT = 215
"""Darkest channel of glass, 0 to 255; scanners set their white between 225 and 255."""
GREY = 16
"""Largest difference of glass's channels; a pale stain differs by more."""
PADDING = 8
"""Brightest channel of the black that some scanners put around the scanned area."""
WIDE_PX = 96
"""Smallest extent of glass in pixels of the full image: lumina and tears that are smaller are part of the tissue."""
LEAST_WIDE, MARGIN = 3, 2
"""Thumbnail pixels: the smallest extent at any scale, and how far around tissue counts as tissue."""


class TissueMap(NamedTuple):
    """Where a slide has tissue.

    Attributes:
        mask: (h, w), bool, the whole slide in small; True is tissue.
        size: (H, W) of the full image.
    """

    mask: np.ndarray
    size: tuple[int, int]

    def share(self, level: int, top: int, left: int, height: int, width: int) -> float:
        """How much of a region is tissue.

        Args:
            level: whose pixels the region is given in.
            top: first row; may lie outside, where there is none.
            left: first column.
            height: rows.
            width: columns.

        Returns:
            0 to 1, of the map's pixels that the region touches; 0 exactly where it touches no tissue.
        """
        rows = _touched(top, height, level, self.size[0], self.mask.shape[0])
        columns = _touched(left, width, level, self.size[1], self.mask.shape[1])
        part = self.mask[rows, columns]
        return float(part.mean()) if part.size else 0.0


def find_tissue(slide: Slide, longest: int = 2048) -> TissueMap:
    """Find the tissue of a slide.

    Args:
        slide: an open one.
        longest: longer side of the thumbnail that is looked at.

    Returns:
        Its map.
    """
    thumbnail = slide.thumbnail(longest)
    scale = max(slide.size) / max(thumbnail.shape[:2])
    return TissueMap(tissue_mask(thumbnail, max(LEAST_WIDE, round(WIDE_PX / scale))), slide.size)


def tissue_mask(rgb: np.ndarray, wide: int = LEAST_WIDE) -> np.ndarray:
    """Tell tissue from glass.

    Args:
        rgb: (h, w, 3), uint8, a thumbnail.
        wide: glass is nowhere narrower than this many pixels.

    Returns:
        (h, w), bool, True on tissue.
    """
    low, high = rgb.min(axis=2), rgb.max(axis=2)
    is_glass = ((low >= BRIGHT) & (high - low <= GREY)) | (high <= PADDING)
    padded = np.pad(is_glass, wide, mode="edge")  # glass goes on beyond the border
    wide_glass = _opened(padded, wide)[wide:-wide, wide:-wide]
    return ndimage.maximum_filter(~wide_glass, 2 * MARGIN + 1)


def _opened(mask: np.ndarray, wide: int) -> np.ndarray:
    """The squares of this width that fit into the mask; running extrema take the same time at any width."""
    return ndimage.maximum_filter(ndimage.minimum_filter(mask, wide), wide, origin=-1 + wide % 2)


def _touched(start: int, length: int, level: int, full: int, small: int) -> slice:
    """The map's pixels that an interval of a level touches."""
    first, last = start << level, (start + length) << level
    return slice(max(0, first * small // full), max(0, -(-last * small // full)))
