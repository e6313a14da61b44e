"""Overlap of label maps: numbers by hand on drawn, non-square maps with an absent class."""

import math

import pytest
import torch
from torch.nn.functional import one_hot

from monai_gi.handlers import ClassOverlap

CLASSES = ("glass", "tubule", "vessel", "cast")


def label_map(*rows):
    return torch.tensor([[int(digit) for digit in row] for row in rows], dtype=torch.uint8)[None, None]


def logits_of(labels):
    return 3.0 * one_hot(labels[:, 0].long(), len(CLASSES)).permute(0, 3, 1, 2) - 1


TRUTH = label_map("01120", "00222")  # tubule 2 px, vessel 4 px, no cast
PRED = label_map("00122", "02221")  # tubule 2 px (1 hit), vessel 5 px (3 hit)


def numbers_of(*pairs):
    metric = ClassOverlap(classes=CLASSES)
    for pair in pairs:
        metric.update(pair)
    return metric.compute()


def test_overlap_by_hand():
    numbers = numbers_of((logits_of(PRED), TRUTH))
    assert numbers["dice_tubule"] == pytest.approx(2 * 1 / 4)
    assert numbers["dice_vessel"] == pytest.approx(2 * 3 / 9)
    assert numbers["iou_vessel"] == pytest.approx(3 / 6)
    assert numbers["dice_glass"] == pytest.approx(2 * 2 / (3 + 4))
    assert math.isnan(numbers["dice_cast"])


def test_means_leave_out_the_background_and_absent_classes():
    numbers = numbers_of((logits_of(PRED), TRUTH))
    assert numbers["mean_dice"] == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert numbers["mean_iou"] == pytest.approx((1 / 3 + 1 / 2) / 2)
    glass = torch.zeros_like(TRUTH)
    assert numbers_of((logits_of(glass), glass))["mean_dice"] == 0.0


def test_pixels_are_pooled_over_batches():
    numbers = numbers_of((logits_of(PRED), TRUTH), (logits_of(TRUTH), TRUTH))
    assert numbers["dice_tubule"] == pytest.approx(2 * (1 + 2) / (4 + 4))


def test_shapes_and_classes_that_do_not_fit_are_refused():
    metric = ClassOverlap(classes=CLASSES)
    with pytest.raises(ValueError, match=r"wanted \(B, 4, h, w\) and"):
        metric.update((logits_of(PRED)[:, :3], TRUTH))
    with pytest.raises(ValueError, match=r"wanted \(B, 4, h, w\) and"):
        metric.update((logits_of(PRED), TRUTH[..., :3]))
    with pytest.raises(ValueError, match="class 5, wanted 0 to 3"):
        metric.update((logits_of(PRED), TRUTH + 3))
