"""One colour frame for a clinician: outlines of what was found, the name above, colours and intended use below."""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from monai_gi.plots.clinical import NARROWEST_PX, with_use
from monai_gi.plots.outlines import outline_overlay
from monai_gi.plots.sheets import BACKGROUND, contact_sheet

LONGEST_PX = 1600
SMALL_PX = 600
ENLARGED = 2.0


def clinical_frame(frame: np.ndarray, masks: np.ndarray, *, title: str, classes: Sequence[str]) -> np.ndarray:
    """Draw a frame with outlines.

    Args:
        frame: (H, W, 3) uint8; under 600 pixels it is drawn twice as large, over 1600 smaller.
        masks: (C, H, W) bool.
        title: a line above.
        classes: names of the C channels.

    Returns:
        uint8 (h, w, 3).

    Raises:
        ValueError: frame and masks do not fit each other.
    """
    if masks.shape != (len(classes), *frame.shape[:2]):
        raise ValueError(f"masks: shape {masks.shape}, wanted {(len(classes), *frame.shape[:2])} as frame and classes")
    shown, inside = _shrunk(frame, masks)
    upscale = ENLARGED if max(shown.shape[:2]) < SMALL_PX else 1
    drawn = outline_overlay(shown / np.float32(255), pred=inside, upscale=upscale, classes=classes)
    sheet = contact_sheet([_wide(drawn)], [title], classes=classes)
    return np.asarray(with_use(Image.fromarray(sheet)))


def _wide(picture: np.ndarray) -> np.ndarray:
    """The picture in the middle of a background that has room for the lines of text."""
    missing = max(NARROWEST_PX - picture.shape[1], 0)
    margins = ((0, 0), (missing // 2, missing - missing // 2))
    return np.stack([np.pad(picture[..., i], margins, constant_values=BACKGROUND[i]) for i in range(3)], axis=2)


def _shrunk(frame: np.ndarray, masks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Frame and masks at most LONGEST_PX long, smaller by a whole number."""
    step = -(-max(frame.shape[:2]) // LONGEST_PX)
    if step == 1:
        return frame, masks
    return np.asarray(Image.fromarray(frame).reduce(step)), np.stack(
        [np.asarray(Image.fromarray(mask.astype(np.uint8) * 255).reduce(step)) > 127 for mask in masks]
    )
