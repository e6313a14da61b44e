"""A few slices of a judged scan, or a judged frame, small enough to keep until it is known which are drawn.

Slices are (N, H, W): the image in 256 greys (of a frame (1, H, W, 3), every k-th pixel of large ones), and truth and
prediction as bytes whose bit c is class c, ORGANS as a rule; at most eight classes.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from monai_gi.handlers.scans import Scan
from monai_gi.labels import ORGAN_NAMES
from monai_gi.plots import contact_sheet, outline_overlay

LONGEST_PX = 640
"""Of a frame that is kept: there may be thousands."""

READABLE_PX = 240
"""Smaller frames are drawn larger, so that their captions have room."""


class JudgedSlices(NamedTuple):
    """Slices of one scan.

    Attributes:
        slice_ids: N ids.
        dice: of the slice, all organs' pixels taken together; NaN where both masks are empty.
        spacing_mm: (row, column, slice).
        image: uint8 (N, H, W), of a frame (1, H, W, 3).
        truth: uint8 (N, H, W), bit c is class c.
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
    step = -(-max(scan.pred.shape[1:3]) // LONGEST_PX) if scan.is_frame else 1
    return JudgedSlices(
        slice_ids=tuple(scan.slice_ids[position] for position in positions),
        dice=tuple(_dice(scan.pred[..., position], truth[..., position]) for position in positions),
        spacing_mm=scan.spacing_mm,
        image=np.stack([_bytes(scan.image[::step, ::step, ..., d]) for d in positions]),
        truth=np.stack([_packed(truth[:, ::step, ::step, d]) for d in positions]),
        pred=np.stack([_packed(scan.pred[:, ::step, ::step, d]) for d in positions]),
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


def sheet_of(*kept: JudgedSlices, classes: Sequence[str] = ORGAN_NAMES) -> np.ndarray:
    """Draw slices side by side, truth dashed and prediction solid.

    Args:
        *kept: slices of a scan, or of several frames.
        classes: names of the masks' bits, which decide the colours.

    Returns:
        uint8 (h, w, 3).
    """
    tiles = [tile for slices in kept for tile in _tiles(slices, classes)]
    captions = [
        f"{name}  Dice {dice:.2f}" for slices in kept for name, dice in zip(slices.slice_ids, slices.dice, strict=True)
    ]
    return contact_sheet(tiles, captions, outlines=True, classes=classes)


def _tiles(slices: JudgedSlices, classes: Sequence[str]) -> list[np.ndarray]:
    count = len(classes)
    return [
        outline_overlay(
            image / np.float32(255),
            _unpacked(truth, count),
            _unpacked(pred, count),
            upscale=2 if image.ndim == 2 else _enlargement(*image.shape[:2]),
            spacing_mm=slices.spacing_mm,
            classes=classes,
        )
        for image, truth, pred in zip(slices.image, slices.truth, slices.pred, strict=True)
    ]


def _enlargement(height: int, width: int) -> int:
    """As often as a frame becomes readable, but none larger than a large one."""
    return max(1, min(math.ceil(READABLE_PX / width), LONGEST_PX // max(height, width)))


def _dice(pred: np.ndarray, truth: np.ndarray) -> float:
    area = int(pred.sum()) + int(truth.sum())
    return 2 * int((pred & truth).sum()) / area if area else float("nan")


def _bytes(image: np.ndarray) -> np.ndarray:
    return np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)


def _packed(masks: np.ndarray) -> np.ndarray:
    return np.packbits(masks, axis=0, bitorder="little")[0]


def _unpacked(packed: np.ndarray, count: int) -> np.ndarray:
    return np.unpackbits(packed[None], axis=0, count=count, bitorder="little").astype(bool)
