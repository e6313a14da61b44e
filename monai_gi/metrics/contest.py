"""The UW-Madison contest score, 0.4 Dice + 0.6 (1 - Hausdorff), in variants that are named because they disagree.

Kaggle's scorer was never published. Each variant states its rule in VARIANT_RULES; coordinates are voxel indices.
Sources: the contest page, https://www.kaggle.com/competitions/uw-madison-gi-tract-image-segmentation/overview/evaluation;
openai/mle-bench, mlebench/competitions/uw-madison-gi-tract-image-segmentation/grade.py;
CarnoZhao/Kaggle-UWMGIT (first place), monai/metric.py and monai/multilabel_train.py.
"""

import math

import numpy as np
from jaxtyping import Bool, Float64

from monai_gi.metrics.surface import joint_box, nearest_distances, surface_voxels

DICE_WEIGHT, HAUSDORFF_WEIGHT = 0.4, 0.6

_VOLUME_HAUSDORFF = (
    "Hausdorff distance (both directions) of the scan's volume with the three organs joined, index divided by size"
    " along each axis (slices counted from 1, no gaps), divided by sqrt(3); mean over scans; both empty: left out,"
    " one empty: 1, prediction of more than 10 times the true voxels: 1"
)
_SCORE = "0.4 * Dice + 0.6 * (1 - Hausdorff). Dice: mean over every slice and organ, "
VARIANT_RULES = {
    "mle_bench": f"{_SCORE}both empty: left out, one empty: 0. Hausdorff: {_VOLUME_HAUSDORFF}.",
    "dice_empty_1": f"{_SCORE}both empty: 1 (contest page, April 2022), one empty: 0. Hausdorff: {_VOLUME_HAUSDORFF}.",
    "dice_empty_0": f"{_SCORE}both empty: 0 (contest page, later), one empty: 0. Hausdorff: {_VOLUME_HAUSDORFF}.",
    "first_place": (
        "0.4 * Dice + 0.6 * (1 - Hausdorff). Dice: mean over the organs drawn in the truth of a slice, then over slices"
        " with any; empty truth: left out, empty prediction: 0. Hausdorff: per slice and organ in 2D, from the"
        " prediction's border to the truth's border and not back, in pixels divided by the image diagonal, mean"
        " over all slices and organs; equal masks, both empty among them: 0, one empty: 1."
    ),
}
"""What each contest variant counts, written beside every number."""


def unit_cube_hausdorff(pred: Bool[np.ndarray, "_ _ D"], truth: Bool[np.ndarray, "_ _ _"]) -> float:
    """Give the Hausdorff distance of two volumes scaled to a unit cube, over the cube's diagonal.

    The distance is that of the full voxel sets. Only voxels outside the other set lie away from it, and the nearest
    voxel of a set, seen from outside, is always on its surface: a voxel with six neighbours in the set has a nearer
    one among them. So nothing else is looked at, and the result is exact. (The farthest voxel may lie deep inside.)

    Args:
        pred: predicted volume, the organs joined.
        truth: true volume.

    Returns:
        0 to 1; NaN where both are empty, 1 where one is empty or the prediction has more than 10 times the true voxels.

    Raises:
        ValueError: if the shapes differ.
    """
    if pred.shape != truth.shape:
        raise ValueError(f"prediction has shape {pred.shape} and truth {truth.shape}; masks of one grid are needed")
    box = joint_box(pred, truth)
    if box is None:
        return float("nan")
    spacing = [1.0 / size for size in pred.shape]
    pred, truth = pred[box], truth[box]
    if not truth.any() or not pred.any() or np.count_nonzero(pred) > 10 * np.count_nonzero(truth):
        return 1.0
    directed = (
        nearest_distances(pred & ~truth, surface_voxels(truth), spacing),
        nearest_distances(truth & ~pred, surface_voxels(pred), spacing),
    )
    return max(float(distances.max(initial=0.0)) for distances in directed) / math.sqrt(3)


def first_place_hausdorff(
    pred: Bool[np.ndarray, "H W D"], truth: Bool[np.ndarray, "_ _ _"]
) -> Float64[np.ndarray, " D"]:
    """Give the winner's 2D distance of every slice: prediction's border to truth's border, over the image diagonal.

    Args:
        pred: predicted masks of one organ, a slice each along the last axis.
        truth: true masks.

    Returns:
        0 to 1 a slice; 0 where the masks are equal (both empty among them), 1 where one is empty.

    Raises:
        ValueError: if the shapes differ.
    """
    if pred.shape != truth.shape:
        raise ValueError(f"prediction has shape {pred.shape} and truth {truth.shape}; masks of one grid are needed")
    scores = np.zeros(pred.shape[2])
    box = joint_box(pred, truth)
    if box is None:
        return scores
    diagonal = float(np.hypot(*pred.shape[:2]))
    pred, truth = pred[box], truth[box]
    in_box = scores[box[2]]
    filled_pred, filled_truth = pred.any(axis=(0, 1)), truth.any(axis=(0, 1))
    in_box[filled_pred ^ filled_truth] = 1.0
    for index in np.flatnonzero(filled_pred & filled_truth):
        borders = surface_voxels(pred[:, :, index]), surface_voxels(truth[:, :, index])
        in_box[index] = nearest_distances(*borders, (1.0, 1.0)).max() / diagonal
    return scores


def combine(dice: Float64[np.ndarray, "*S"], hausdorff: Float64[np.ndarray, "*S"]) -> Float64[np.ndarray, "*S"]:
    """Give 0.4 Dice + 0.6 (1 - Hausdorff) elementwise, both 0 to 1; NaN where either is NaN.

    >>> combine(np.array([1.0, 0.5]), np.array([0.0, 0.5]))
    array([1. , 0.5])
    """
    return DICE_WEIGHT * dice + HAUSDORFF_WEIGHT * (1.0 - hausdorff)
