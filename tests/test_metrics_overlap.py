"""Dice and IoU against sets of points, MONAI and Google's surface-distance."""

import numpy as np
import pytest
import surface_distance
import torch
from monai.metrics import compute_iou
from monai.metrics.meandice import compute_dice

from monai_gi.metrics import EMPTY_RULES, dice, dice_from_counts, iou, iou_from_counts
from tests.oracles import metrics as oracle

PRED, TRUTH = oracle.drawn_organs()
EMPTY = np.zeros((4, 7), dtype=bool)
FILLED = EMPTY.copy()
FILLED[1:3, 2:5] = True


def test_hand_counted_masks():
    half = FILLED.copy()
    half[2] = False
    assert dice(half, FILLED) == pytest.approx(2 * 3 / 9)
    assert iou(half, FILLED) == pytest.approx(3 / 6)


@pytest.mark.parametrize("organ", [0, 1])
def test_dice_and_iou_equal_sets_of_points(organ):
    assert dice(PRED[organ], TRUTH[organ]) == oracle.dice(PRED[organ], TRUTH[organ])
    assert iou(PRED[organ], TRUTH[organ]) == oracle.iou(PRED[organ], TRUTH[organ])


def test_dice_and_iou_equal_monai_and_google():
    batch = torch.from_numpy(PRED)[None], torch.from_numpy(TRUTH)[None]
    ours = [dice(p, t) for p, t in zip(PRED, TRUTH, strict=True)]
    assert ours == pytest.approx(compute_dice(*batch, include_background=True)[0].tolist())
    assert [iou(p, t) for p, t in zip(PRED, TRUTH, strict=True)] == pytest.approx(
        compute_iou(*batch, include_background=True)[0].tolist()
    )
    google = [surface_distance.compute_dice_coefficient(t, p) for p, t in zip(PRED, TRUTH, strict=True)]
    assert ours == pytest.approx(google)


@pytest.mark.parametrize("score", [dice, iou])
def test_one_empty_mask_scores_zero_under_every_rule(score):
    for both_empty in EMPTY_RULES.values():
        assert score(EMPTY, FILLED, both_empty=both_empty) == 0
        assert score(FILLED, EMPTY, both_empty=both_empty) == 0


@pytest.mark.parametrize("score", [dice, iou])
def test_two_empty_masks_score_what_the_rule_says(score):
    assert np.isnan(score(EMPTY, EMPTY))
    assert np.isnan(score(EMPTY, EMPTY, both_empty=EMPTY_RULES["empty_left_out"]))
    assert score(EMPTY, EMPTY, both_empty=EMPTY_RULES["empty_1"]) == 1
    assert score(EMPTY, EMPTY, both_empty=EMPTY_RULES["empty_0"]) == 0


def test_counts_keep_their_shape():
    overlap, pred, truth = np.array([[1, 0, 0]]), np.array([[2, 0, 3]]), np.array([[2, 0, 0]])
    np.testing.assert_array_equal(dice_from_counts(overlap, pred, truth, both_empty=1.0), [[0.5, 1, 0]])
    np.testing.assert_allclose(iou_from_counts(overlap, pred, truth, both_empty=0.0), [[1 / 3, 0, 0]])


@pytest.mark.parametrize("score", [dice, iou])
def test_masks_of_two_grids_are_refused(score):
    with pytest.raises(ValueError, match=r"\(4, 7\) and truth \(7, 4\)"):
        score(EMPTY, EMPTY.T)
