"""A few slices of a judged scan, small enough to keep and to send until it is known which scans are drawn.

Slices are (N, H, W): the image in 256 greys, and truth and prediction as bytes whose bit c is ORGANS[c].
"""

from typing import NamedTuple

import numpy as np

from monai_gi.handlers.scans import Scan
from monai_gi.labels import ORGANS
from monai_gi.plots import contact_sheet, outline_overlay


class JudgedSlices(NamedTuple):
    """Slices of one scan.

    Attributes:
        slice_ids: N ids.
        dice: of the slice, all organs' pixels taken together; NaN where both masks are empty.
        spacing_mm: (row, column, slice).
        image: uint8 (N, H, W).
        truth: uint8 (N, H, W), bit c is organ c.
        pred: the same for the prediction.
    """

    slice_ids: tuple[str, ...]
    dice: tuple[float, ...]
    spacing_mm: tuple[float, float, float]
    image: np.ndarray
    truth: np.ndarray
    pred: np.ndarray


def judged_slices(scan: Scan, count: int) -> JudgedSlices:
    """Keep the slices of a scan worth looking at.

    Args:
        scan: with truth.
        count: how many at most.

    Returns:
        The slice with most pixels in dispute, and others evenly spread over the slices with organs, as scanned.
    """
    truth = np.zeros_like(scan.pred) if scan.truth is None else scan.truth
    positions = telling_positions(scan.pred, truth, count)
    return JudgedSlices(
        slice_ids=tuple(scan.slice_ids[position] for position in positions),
        dice=tuple(_dice(scan.pred[..., position], truth[..., position]) for position in positions),
        spacing_mm=scan.spacing_mm,
        image=np.stack([np.rint(np.clip(scan.image[..., d], 0, 1) * 255).astype(np.uint8) for d in positions]),
        truth=np.stack([_packed(truth[..., position]) for position in positions]),
        pred=np.stack([_packed(scan.pred[..., position]) for position in positions]),
    )


def telling_positions(pred: np.ndarray, truth: np.ndarray, count: int) -> list[int]:
    """Choose slices by what they show.

    Args:
        pred: masks (C, H, W, D).
        truth: masks (C, H, W, D).
        count: how many at most, 1 or more.

    Returns:
        Positions along D, ascending; the middle of a scan that holds no organ.
    """
    shown = np.flatnonzero((pred | truth).any(axis=(0, 1, 2)))
    if not shown.size:
        return [pred.shape[-1] // 2]
    disputed = int(np.argmax((pred != truth).sum(axis=(0, 1, 2))))
    worst = disputed if disputed in shown else int(shown[0])
    others = shown[shown != worst]
    spread = others[np.linspace(0, others.size - 1, min(count - 1, others.size)).astype(int)]
    return sorted({worst, *spread.tolist()})


def sheet_of(slices: JudgedSlices) -> np.ndarray:
    """Draw the slices side by side, truth dashed and prediction solid.

    Args:
        slices: at least one.

    Returns:
        uint8 (h, w, 3).
    """
    tiles = [
        outline_overlay(image / np.float32(255), _unpacked(truth), _unpacked(pred), spacing_mm=slices.spacing_mm)
        for image, truth, pred in zip(slices.image, slices.truth, slices.pred, strict=True)
    ]
    captions = [f"{name}  Dice {dice:.2f}" for name, dice in zip(slices.slice_ids, slices.dice, strict=True)]
    return contact_sheet(tiles, captions, outlines=True)


def _dice(pred: np.ndarray, truth: np.ndarray) -> float:
    area = int(pred.sum()) + int(truth.sum())
    return 2 * int((pred & truth).sum()) / area if area else float("nan")


def _packed(masks: np.ndarray) -> np.ndarray:
    return np.packbits(masks, axis=0, bitorder="little")[0]


def _unpacked(packed: np.ndarray) -> np.ndarray:
    return np.unpackbits(packed[None], axis=0, count=len(ORGANS), bitorder="little").astype(bool)
