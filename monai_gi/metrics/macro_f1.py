"""The seeds' pooled macro F1: pixels of all annotated slices in one confusion matrix, four classes with background.

This is the number behind "F1 0.95" in public reports on this data (JaeL17/Medical-Image-Segmentation, torchmetrics'
MulticlassF1Score(num_classes=4, average="macro")). Background, nearly always right, lifts it and empty slices never
count: it is here to compare with them, not as the headline. Index 0 is background, 1 to 3 as in `labels.ORGANS`.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Int64, UInt8

from monai_gi.labels import LABEL_MAP_PRIORITY, ORGAN_NAMES, ORGANS

MACRO_F1_RULE = (
    "Pixels of all annotated slices (any organ in the truth) pooled in one confusion matrix; F1 of background,"
    f" {', '.join(organ.name for organ in ORGANS)}, then their plain mean. A pixel in several organs counts for one: of"
    f" {', '.join(LABEL_MAP_PRIORITY)} the last wins. A class absent from truth and prediction is left out; absent from"
    " one of them: 0."
)


def label_map(mask: Bool[np.ndarray, "C *S"], classes: Sequence[str] = ORGAN_NAMES) -> UInt8[np.ndarray, "*S"]:
    """Give one index a pixel: channel c is c + 1, 0 is outside all.

    Args:
        mask: a channel a class.
        classes: names of the channels, at most 15.

    Returns:
        Indices. Of overlapping organs the last of LABEL_MAP_PRIORITY wins, of other classes the last channel.
    """
    names = LABEL_MAP_PRIORITY if tuple(classes) == ORGAN_NAMES else classes
    indices = np.zeros(mask.shape[1:], dtype=np.uint8)
    for name in names:
        channel = classes.index(name)
        indices[mask[channel]] = channel + 1
    return indices


def confusion(
    pred: Bool[np.ndarray, "C *S"], truth: Bool[np.ndarray, "C *S"], classes: Sequence[str] = ORGAN_NAMES
) -> Int64[np.ndarray, "K K"]:
    """Count pixels by true class (rows) and predicted class (columns), background first."""
    count = len(classes) + 1
    pairs = label_map(truth, classes) * np.uint8(count) + label_map(pred, classes)
    return np.bincount(pairs.ravel(), minlength=count**2).reshape(count, count).astype(np.int64)


def macro_f1(counts: np.ndarray) -> np.ndarray:
    """Give the mean F1 over classes of one or many confusion matrices.

    Args:
        counts: (..., K, K) counts with true classes in rows; weighted counts are welcome.

    Returns:
        (...) scores, 0 to 1; NaN where a matrix is empty. Classes absent from both sides are left out.
    """
    hits = np.diagonal(counts, axis1=-2, axis2=-1).astype(np.float64)
    sizes = counts.sum(axis=-1) + counts.sum(axis=-2)
    present = sizes > 0
    scores = np.divide(2 * hits, sizes, out=np.zeros_like(hits), where=present)
    classes = present.sum(axis=-1)
    return np.divide(scores.sum(axis=-1), classes, out=np.full(classes.shape, np.nan), where=classes > 0)
