"""Losses by name: by hand, by torch, and learning; label maps of uneven sides with an absent class."""

import math

import pytest
import torch
from torch.nn.functional import cross_entropy, one_hot

from monai_gi.losses import LOSS_NAMES, balanced_weights, segmentation_loss

LABEL = torch.tensor([[0, 0, 1, 3, 3], [0, 1, 1, 3, 3]])[None, None]  # 4 classes, class 2 absent


def random_logits(seed=0):
    return torch.randn(1, 4, 2, 5, generator=torch.Generator().manual_seed(seed))


def soft_counts(logits):
    """Intersection, predicted and true of each class, in doubles."""
    shares, truth = logits.double().softmax(dim=1)[0], one_hot(LABEL[0, 0], 4).permute(2, 0, 1)
    return (shares * truth).sum(dim=(1, 2)), shares.sum(dim=(1, 2)), truth.sum(dim=(1, 2))


def dice_by_hand(logits, smooth=1e-5):
    both, predicted, true = soft_counts(logits)
    return 1 - (2 * both + smooth) / (predicted + true + smooth)


def test_dice_is_the_mean_over_classes():
    loss = segmentation_loss("dice")(random_logits(), LABEL)
    assert float(loss) == pytest.approx(float(dice_by_hand(random_logits()).mean()), abs=1e-5)


def test_dice_and_cross_entropy_add_up():
    loss = segmentation_loss("dice_ce")(random_logits(), LABEL)
    expected = dice_by_hand(random_logits()).mean() + cross_entropy(random_logits(), LABEL[:, 0])
    assert float(loss) == pytest.approx(float(expected), abs=1e-5)


def test_jaccard_counts_the_union_once():
    both, predicted, true = soft_counts(random_logits())
    expected = (1 - both / (predicted + true - both)).mean()
    assert float(segmentation_loss("jaccard")(random_logits(), LABEL)) == pytest.approx(float(expected), abs=1e-4)


def test_tversky_counts_a_missed_pixel_more_than_one_too_many():
    both, predicted, true = soft_counts(random_logits())
    expected = (1 - both / (both + 0.3 * (predicted - both) + 0.7 * (true - both) + 1e-12)).mean()
    assert float(segmentation_loss("tversky")(random_logits(), LABEL)) == pytest.approx(float(expected), abs=1e-4)


def test_focal_weighs_sure_pixels_down():
    chance = random_logits().softmax(dim=1).gather(1, LABEL)
    truth = one_hot(LABEL[0, 0], 4).permute(2, 0, 1)[None]
    expected = (truth * (1 - chance) ** 2 * -chance.log()).sum() / truth.numel()
    assert float(segmentation_loss("focal")(random_logits(), LABEL)) == pytest.approx(float(expected), abs=1e-5)


def test_weighted_cross_entropy_is_torch_s():
    weights = [1.0, 2.0, 0.5, 4.0]
    loss = segmentation_loss("weighted_ce", class_weights=weights)(random_logits(), LABEL)
    assert float(loss) == pytest.approx(float(cross_entropy(random_logits(), LABEL[:, 0], torch.tensor(weights))))


@pytest.mark.parametrize("name", [name for name in LOSS_NAMES if name != "tversky"])
def test_weights_change_every_loss_that_takes_them(name):
    plain = segmentation_loss(name)(random_logits(), LABEL)
    weighted = segmentation_loss(name, class_weights=[0.1, 5.0, 1.0, 1.0])(random_logits(), LABEL)
    assert abs(float(plain) - float(weighted)) > 1e-3


@pytest.mark.parametrize("name", LOSS_NAMES)
def test_every_loss_falls_to_nearly_nothing_where_the_answer_is_right(name):
    right = 20.0 * one_hot(LABEL[0, 0], 4).permute(2, 0, 1)[None]
    without_absent = [1.0, 1.0, 0.0, 1.0] if name in {"dice", "jaccard", "dice_ce"} else None
    loss = segmentation_loss(name, class_weights=without_absent)
    assert float(loss(right, LABEL)) < 0.02 + 0.25 * (name == "tversky")
    assert float(loss(-right, LABEL)) > float(loss(random_logits(), LABEL)) > 10 * float(loss(right, LABEL)) / 9


@pytest.mark.parametrize("name", LOSS_NAMES)
def test_every_loss_has_gradients_and_takes_bytes_without_a_channel(name):
    logits = random_logits().requires_grad_()
    loss = segmentation_loss(name)(logits, LABEL[:, 0].to(torch.uint8))
    loss.backward()
    assert loss.ndim == 0
    assert torch.isfinite(logits.grad).all()
    assert logits.grad.abs().sum() > 0
    assert loss.item() == pytest.approx(segmentation_loss(name)(random_logits(), LABEL).item())


def test_balanced_weights_are_the_median_count_over_the_own_capped():
    assert balanced_weights([1000, 100, 10, 0]) == [0.1, 1.0, 10.0, 1.0]
    assert balanced_weights([100_000, 100, 1]) == [0.001, 1.0, 10.0]
    automatic = segmentation_loss("weighted_ce", class_weights="auto", counts=[400, 100, 0, 50])
    assert automatic.loss.weight.tolist() == [0.25, 1.0, 1.0, 2.0]


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"name": "lovasz"}, "'lovasz' is not known, there are dice_ce, weighted_ce"),
        ({"name": "tversky", "class_weights": [1, 1, 1, 1]}, "Tversky loss takes none"),
        ({"name": "dice", "class_weights": "automatic"}, "wanted null, 'auto'"),
        ({"name": "dice", "class_weights": "auto"}, "'auto' needs counts"),
        ({"name": "focal", "class_weights": [1, -1]}, "numbers of 0 or more"),
        ({"name": "focal", "class_weights": []}, "numbers of 0 or more"),
        ({"name": "dice", "class_weights": "auto", "counts": [0, 0]}, "at least one pixel"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings, sentence):
    with pytest.raises(ValueError, match=sentence):
        segmentation_loss(**settings)


def test_a_class_that_the_network_lacks_is_refused():
    with pytest.raises(ValueError, match="class 7, wanted 0 to 3"):
        segmentation_loss("dice_ce")(random_logits(), LABEL.clamp(max=2) + 5)


def test_a_missing_class_in_one_patch_is_judged_over_the_batch():
    logits = torch.zeros(2, 2, 2, 3)
    label = torch.zeros(2, 1, 2, 3, dtype=torch.uint8)
    label[1] = 1
    # Pooled, each class is half of all pixels and half expected: Dice 0.5; apart it would differ with the empty ones.
    assert math.isclose(float(segmentation_loss("dice")(logits, label)), 0.5, abs_tol=1e-4)
