"""Pictures of a predicted scan: which slices to show, and the sheet they stand on; RGB uint8 (h, w, 3).

Slices are named by their id.
"""

import numpy as np

from monai_gi.handlers.scans import Scan
from monai_gi.plots import contact_sheet, outline_overlay


def shown_slices(masks: np.ndarray, most: int) -> list[int]:
    """Choose slices with an organ, evenly spread over those.

    Args:
        masks: (C, H, W, D), bool.
        most: how many at most, 1 or more.

    Returns:
        Positions along D, ascending, from the first to the last slice with an organ (its middle where `most` is 1).
        Empty without organs.
    """
    return _spread(np.flatnonzero(masks.any(axis=(0, 1, 2))), most)


def scan_overlays(scan: Scan, most: int = 12) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Draw the prediction on slices of a scan; truth is drawn too where there is one.

    Args:
        scan: as the evaluator gave it.
        most: slices at most.

    Returns:
        Pictures by slice id, none without organs; and the sheet, which without organs shows bare slices of the scan.
    """
    chosen = shown_slices(scan.pred, most)
    pictures = {scan.slice_ids[d]: draw_slice(scan, d, upscale=2) for d in chosen}
    on_sheet = chosen or _spread(np.arange(len(scan.slice_ids)), most)
    tiles = [draw_slice(scan, d, upscale=1) for d in on_sheet]
    captions = [scan.slice_ids[d] if chosen else f"{scan.slice_ids[d]}: no organ" for d in on_sheet]
    return pictures, contact_sheet(tiles, captions, outlines=scan.truth is not None)


def draw_slice(scan: Scan, position: int, upscale: float) -> np.ndarray:
    """Draw one slice with its outlines in true proportions.

    Args:
        scan: the scan.
        position: along D.
        upscale: as for `outline_overlay`.

    Returns:
        The picture.
    """
    truth = None if scan.truth is None else scan.truth[..., position]
    image, pred = scan.image[..., position], scan.pred[..., position]
    return outline_overlay(image, truth, pred, upscale, spacing_mm=scan.spacing_mm)


def _spread(positions: np.ndarray, most: int) -> list[int]:
    """Evenly spread ones, ends included."""
    if len(positions) <= most:
        return [int(d) for d in positions]
    places = np.linspace(0, len(positions) - 1, most) if most > 1 else [(len(positions) - 1) / 2]
    return [int(positions[round(place)]) for place in places]
