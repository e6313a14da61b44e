"""Confusion of classes that exclude each other: pixels by true class (rows) and predicted class (columns).

Counts of parts of an image add up to those of the image, so images of any size are scored in pieces.
"""

import numpy as np
from jaxtyping import Float64, Int64, UInt8

from monai_gi.metrics.overlap import dice_from_counts, iou_from_counts


def confusion_counts(
    truth: UInt8[np.ndarray, "*S"], pred: UInt8[np.ndarray, "*S"], classes: int
) -> Int64[np.ndarray, "C C"]:
    """Count the pixels of every pair of true and predicted class.

    Args:
        truth: class indices.
        pred: the same of the prediction.
        classes: number of classes C.

    Returns:
        Pixels by (truth, prediction).

    Raises:
        ValueError: an index of C or more.

    >>> confusion_counts(np.array([0, 0, 1], dtype=np.uint8), np.array([0, 1, 1], dtype=np.uint8), 2).tolist()
    [[1, 1], [0, 1]]
    """
    largest = max(int(truth.max(initial=0)), int(pred.max(initial=0)))
    if largest >= classes:
        raise ValueError(f"class index {largest}, there are {classes} classes, numbered from 0")
    pairs = truth.ravel().astype(np.uint16) * np.uint16(classes) + pred.ravel()
    return np.bincount(pairs, minlength=classes**2).astype(np.int64).reshape(classes, classes)


def dice_of_classes(counts: Int64[np.ndarray, "C C"]) -> Float64[np.ndarray, "C"]:
    """Give the Dice coefficient of each class; NaN where neither truth nor prediction has it."""
    return dice_from_counts(np.diag(counts), counts.sum(axis=0), counts.sum(axis=1))


def iou_of_classes(counts: Int64[np.ndarray, "C C"]) -> Float64[np.ndarray, "C"]:
    """Give the intersection over union of each class; NaN where neither truth nor prediction has it."""
    return iou_from_counts(np.diag(counts), counts.sum(axis=0), counts.sum(axis=1))
