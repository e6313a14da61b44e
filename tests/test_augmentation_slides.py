"""Augmentation of slide patches: image and label move together, levels alike, stains by scikit-image."""

import numpy as np
import pytest
import torch
from skimage.color import hed2rgb, rgb2hed

from monai_gi.augmentation import SlideAugmentation
from monai_gi.augmentation.stain import change_colors, change_stain, draw_colors, draw_stains

OFF = {"flip_prob": 0, "vertical_flip_prob": 0, "rotate_prob": 0, "stain_prob": 0, "color_prob": 0}


def patches(height=4, width=4, batch=3, levels=2):
    """Pictures whose red channel on the first level is the label / 10, all pixels of a patch different."""
    label = torch.arange(batch * height * width).reshape(batch, height, width) % 200
    image = torch.rand(batch, 3 * levels, height, width, generator=torch.Generator().manual_seed(0)) * 0.8 + 0.1
    image[:, 0] = label / 255
    image[:, 3] = 1 - label / 255
    return {"image": image, "label": label.to(torch.uint8)}


def stained(rgb, seed=0, strength=0.3, shift=0.05):
    """A picture (h, w, 3) through change_stain, and the draws."""
    draws = draw_stains(np.random.default_rng(seed), 1, strength, shift)
    image = torch.from_numpy(rgb.transpose(2, 0, 1).astype(np.float32)).clone()
    change_stain(image, torch.from_numpy(draws.matrix[0]), torch.from_numpy(draws.offset[0]))
    return image.numpy().transpose(1, 2, 0)


@pytest.mark.parametrize(("height", "width"), [(4, 4), (4, 6)])
def test_labels_and_every_level_move_with_the_image(height, width):
    move = SlideAugmentation(**{**OFF, "flip_prob": 0.5, "vertical_flip_prob": 0.5, "rotate_prob": 0.8}, seed=4)
    seen = set()
    for _ in range(40):
        batch = patches(height, width)
        image, label = move(batch)
        assert torch.allclose(image[:, 0], label[:, 0] / 255)
        assert torch.allclose(image[:, 3], 1 - label[:, 0] / 255)
        seen.add(tuple(label[0, 0].flatten().tolist()))
    assert len(seen) == (8 if height == width else 4), "every turn and flip of a square, or of a rectangle"


def test_what_comes_in_stays_as_it_is_and_nothing_happens_without_augmentation():
    batch = patches(4, 6)
    before = batch["image"].clone()
    SlideAugmentation(seed=1)(batch)
    assert torch.equal(batch["image"], before)
    image, label = SlideAugmentation(augment=False)(batch)
    assert torch.equal(image, before)
    assert label.shape == (3, 1, 4, 6)
    assert SlideAugmentation()({"image": before})[1] is None


def test_the_same_seed_draws_the_same_and_another_epoch_does_not():
    augmentation = SlideAugmentation(seed=3)
    first = augmentation(patches())[0]
    later = augmentation(patches())[0]
    augmentation.set_seed(3)
    assert torch.equal(augmentation(patches())[0], first)
    assert not torch.equal(later, first)


def test_stain_of_no_strength_leaves_light_as_it_is():
    rgb = np.random.default_rng(0).uniform(0.05, 0.95, (5, 7, 3))
    assert np.allclose(stained(rgb, strength=0, shift=0), rgb, atol=1e-5)


def test_dyes_change_as_scikit_image_s_colour_deconvolution_says():
    amounts = np.random.default_rng(1).uniform(0.02, 0.09, (5, 7, 3))
    factors = 1 + np.random.default_rng(9).uniform(-0.3, 0.3, 3)
    changed = stained(hed2rgb(amounts), seed=9, shift=0)
    assert np.allclose(rgb2hed(changed), amounts * factors, atol=1e-5)


def test_shift_adds_dye_to_glass_too():
    glass = np.ones((2, 3, 3))
    shifted = np.stack([stained(glass, seed=seed, strength=0, shift=0.1) for seed in range(20)])
    assert (shifted < 0.97).any()
    assert shifted.max() <= 1


def test_colours_by_hand():
    pixel = torch.tensor([0.2, 0.6, 0.4])[:, None, None].repeat(2, 1, 1)
    change_colors(pixel, brightness=0.1, contrast=0.5, saturation=0.0)
    grey = 0.299 * 0.2 + 0.587 * 0.6 + 0.114 * 0.4
    assert torch.allclose(pixel, torch.full((6, 1, 1), (grey - 0.5) * 0.5 + 0.6), atol=1e-6)
    untouched = torch.tensor([0.2, 0.6, 0.4])[:, None, None]
    change_colors(untouched, 0.0, 1.0, 1.0)
    assert torch.allclose(untouched.flatten(), torch.tensor([0.2, 0.6, 0.4]))


def test_drawn_colours_stay_in_their_limits():
    draws = draw_colors(np.random.default_rng(0), 500, (0.1, 0.2, 0.3))
    for drawn, middle, limit in zip(draws, (0, 1, 1), (0.1, 0.2, 0.3), strict=True):
        assert np.abs(drawn - middle).max() <= limit
        assert np.abs(drawn - middle).max() > 0.95 * limit


@pytest.mark.parametrize("name", ["stain", "color"])
def test_stain_and_colour_change_the_image_and_not_the_label(name):
    batch = patches()
    image, label = SlideAugmentation(**{**OFF, f"{name}_prob": 1})(batch)
    assert torch.equal(label[:, 0], batch["label"])
    assert all(not torch.allclose(after, before) for after, before in zip(image, batch["image"], strict=True))
    assert image.min() >= 0
    assert image.max() <= 1


@pytest.mark.parametrize(
    ("name", "value"), [("flip_prob", 1.5), ("stain_prob", -0.1), ("contrast", 1.0), ("stain_shift", -1)]
)
def test_settings_out_of_range_are_refused(name, value):
    with pytest.raises(ValueError, match=f"{name}: {value}, wanted"):
        SlideAugmentation(**{name: value})
