"""The seeds' pooled macro F1: pixels of all annotated slices in one confusion matrix, four classes with background.

This is the number behind "F1 0.95" in public reports on this data (JaeL17/Medical-Image-Segmentation, torchmetrics'
MulticlassF1Score(num_classes=4, average="macro")). Background, nearly always right, lifts it and empty slices never
count: it is here to compare with them, not as the headline. Index 0 is background, 1 to 3 as in `labels.ORGANS`.
"""

import numpy as np
from jaxtyping import Bool, Int64, UInt8

from monai_gi.labels import LABEL_MAP_PRIORITY, ORGANS

CLASSES = len(ORGANS) + 1
MACRO_F1_RULE = (
    "Pixels of all annotated slices (any organ in the truth) pooled in one confusion matrix; F1 of background,"
    f" {', '.join(organ.name for organ in ORGANS)}, then their plain mean. A pixel in several organs counts for one: of"
    f" {', '.join(LABEL_MAP_PRIORITY)} the last wins. A class absent from truth and prediction is left out; absent from"
    " one of them: 0."
)


def label_map(mask: Bool[np.ndarray, "C *S"]) -> UInt8[np.ndarray, "*S"]:
    """Give one index a pixel, 0 where there is no organ; of overlapping organs the last of LABEL_MAP_PRIORITY wins."""
    channel = {organ.name: position for position, organ in enumerate(ORGANS)}
    indices = np.zeros(mask.shape[1:], dtype=np.uint8)
    for name in LABEL_MAP_PRIORITY:
        indices[mask[channel[name]]] = ORGANS[channel[name]].index
    return indices


def confusion(pred: Bool[np.ndarray, "C *S"], truth: Bool[np.ndarray, "C *S"]) -> Int64[np.ndarray, "K K"]:
    """Count pixels by true class (rows) and predicted class (columns), background first."""
    pairs = label_map(truth) * np.uint8(CLASSES) + label_map(pred)
    return np.bincount(pairs.ravel(), minlength=CLASSES**2).reshape(CLASSES, CLASSES).astype(np.int64)


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
