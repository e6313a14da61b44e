"""Dice and IoU from voxel counts; the rule for two empty masks is always an argument, never a habit.

Dice is 2 |A and B| / (|A| + |B|), IoU is |A and B| / |A or B|. One empty mask beside a filled one scores 0 in both.
What two empty masks score is a convention: the UW-Madison contest counted them 1 in April 2022 and 0 later
(https://github.com/Project-MONAI/MONAI/discussions/4160), most libraries leave them out.
"""

import numpy as np
from jaxtyping import Bool, Float64, Integer

EMPTY_RULES: dict[str, float] = {"empty_left_out": float("nan"), "empty_1": 1.0, "empty_0": 0.0}
"""Name of each rule for empty truth with empty prediction, and the score it gives; NaN is left out of every mean."""

EMPTY_RULE_TEXTS = {
    "empty_left_out": "truth and prediction both empty: left out; one of them empty: 0",
    "empty_1": "truth and prediction both empty: 1; one of them empty: 0",
    "empty_0": "truth and prediction both empty: 0; one of them empty: 0",
}


def dice_from_counts(
    overlap: Integer[np.ndarray, "*S"],
    pred: Integer[np.ndarray, "*S"],
    truth: Integer[np.ndarray, "*S"],
    *,
    both_empty: float = float("nan"),
) -> Float64[np.ndarray, "*S"]:
    """Give the Dice coefficient of every pair of masks whose voxels were counted.

    Args:
        overlap: voxels in both masks.
        pred: voxels in the prediction.
        truth: voxels in the truth.
        both_empty: the score where neither mask has a voxel; a value of EMPTY_RULES.

    Returns:
        Dice, 0 to 1, in the shape of the counts.
    """
    return _ratio(2 * overlap, pred + truth, both_empty)


def iou_from_counts(
    overlap: Integer[np.ndarray, "*S"],
    pred: Integer[np.ndarray, "*S"],
    truth: Integer[np.ndarray, "*S"],
    *,
    both_empty: float = float("nan"),
) -> Float64[np.ndarray, "*S"]:
    """Give the intersection over union of every pair of masks whose voxels were counted.

    Args:
        overlap: voxels in both masks.
        pred: voxels in the prediction.
        truth: voxels in the truth.
        both_empty: the score where neither mask has a voxel; a value of EMPTY_RULES.

    Returns:
        IoU, 0 to 1, in the shape of the counts.
    """
    return _ratio(overlap, pred + truth - overlap, both_empty)


def dice(pred: Bool[np.ndarray, "..."], truth: Bool[np.ndarray, "..."], *, both_empty: float = float("nan")) -> float:
    """Give the Dice coefficient of two masks of one shape; two empty masks score `both_empty`.

    >>> dice(np.array([True, True, False]), np.array([True, False, False]))
    0.6666666666666666
    """
    return float(dice_from_counts(*_counts(pred, truth), both_empty=both_empty)[0])


def iou(pred: Bool[np.ndarray, "..."], truth: Bool[np.ndarray, "..."], *, both_empty: float = float("nan")) -> float:
    """Give the intersection over union of two masks of one shape; two empty masks score `both_empty`.

    >>> iou(np.array([True, True, False]), np.array([True, False, False]))
    0.5
    """
    return float(iou_from_counts(*_counts(pred, truth), both_empty=both_empty)[0])


def _counts(pred: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    if pred.shape != truth.shape:
        raise ValueError(f"prediction has shape {pred.shape} and truth {truth.shape}; masks of one grid are needed")
    overlap, in_pred, in_truth = (np.array([np.count_nonzero(mask)]) for mask in (pred & truth, pred, truth))
    return overlap, in_pred, in_truth


def _ratio(numerator: np.ndarray, denominator: np.ndarray, both_empty: float) -> np.ndarray:
    scores = np.full(np.shape(denominator), both_empty, dtype=np.float64)
    return np.divide(numerator, denominator, out=scores, where=denominator > 0)
