"""Changes of colours: Pillow and plain rules as the other side, greys stay grey, no draw where none is asked for."""

import colorsys

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance

from monai_gi.augmentation import BatchAugmentation
from monai_gi.augmentation.appearance import change_colors, color_matrix

H, W = 6, 9
NOTHING = {f"{name}_prob": 0.0 for name in ("flip", "vertical_flip", "affine", "elastic", "contrast", "dropout")}


def frames(count=4):
    return torch.from_numpy(np.random.default_rng(3).random((count, 3, H, W)).astype(np.float32))


def changed(image, saturation, hue):
    image = image.clone()
    change_colors(image, color_matrix(saturation, hue))
    return image


@pytest.mark.parametrize("saturation", [0.0, 0.6, 1.0, 1.4])
def test_saturation_is_that_of_pillow(saturation):
    pixels = np.random.default_rng(1).integers(0, 256, (H, W, 3)).astype(np.uint8)
    wanted = np.asarray(ImageEnhance.Color(Image.fromarray(pixels)).enhance(saturation)).astype(int)
    ours = changed(torch.from_numpy(pixels).permute(2, 0, 1) / 255, saturation, 0.0).permute(1, 2, 0) * 255
    assert np.abs(ours.numpy() - wanted).max() < 2  # Pillow rounds the grey first


def test_a_third_of_a_circle_makes_red_green():
    image = frames(1)[0]
    third = 2 * np.pi / 3
    torch.testing.assert_close(changed(image, 1.0, third), image[[2, 0, 1]], atol=1e-6, rtol=0)
    torch.testing.assert_close(changed(image, 1.0, -third), image[[1, 2, 0]], atol=1e-6, rtol=0)


def test_a_small_turn_moves_red_towards_yellow_and_back_towards_magenta():
    red = torch.tensor([0.7, 0.3, 0.3])[:, None, None]
    hues = [colorsys.rgb_to_hsv(*changed(red, 1.0, np.radians(degrees)).flatten().tolist())[0] for degrees in (10, -10)]
    assert 0 < hues[0] < 1 / 6
    assert 5 / 6 < hues[1] < 1


def test_greys_stay_as_they_are():
    grey = torch.linspace(0, 1, H * W).reshape(1, H, W).expand(3, -1, -1)
    torch.testing.assert_close(changed(grey, 1.7, 0.4), grey, atol=1e-6, rtol=0)


def test_drawn_frames_alone_change_within_the_limits():
    image = frames(400)
    augmentation = BatchAugmentation(**NOTHING, color_prob=0.5, saturation=0.0, hue_degrees=20.0)
    after, _ = augmentation({"image": image})
    is_changed = (after != image).flatten(1).any(dim=1)
    assert 150 < is_changed.sum() < 250
    unclipped = ((after > 0) & (after < 1)).all(dim=1)
    before_c, after_c = image - image.mean(1, keepdim=True), after - after.mean(1, keepdim=True)
    cosine = (before_c * after_c).sum(1) / (before_c.norm(dim=1) * after_c.norm(dim=1)).clip(min=1e-6)
    degrees = torch.rad2deg(cosine.clip(-1, 1).acos())[unclipped & is_changed[:, None, None]]
    assert 18 < degrees.max() < 20.1


def test_each_colour_argument_counts():
    image = frames()

    def after(**settings):
        return BatchAugmentation(**NOTHING, **{"color_prob": 1.0, "saturation": 0.0, "hue_degrees": 0.0, **settings})(
            {"image": image}
        )[0]

    torch.testing.assert_close(after(), image, atol=1e-6, rtol=0)
    assert not torch.allclose(after(saturation=0.5), image, atol=1e-3)
    assert not torch.allclose(after(hue_degrees=10.0), image, atol=1e-3)


def test_masks_and_input_stay_as_they_are():
    image, label = frames(), torch.ones(4, 1, H, W, dtype=torch.uint8)
    kept = image.clone()
    _, mask = BatchAugmentation(**NOTHING, color_prob=1.0)({"image": image, "label": label})
    assert torch.equal(image, kept)
    assert torch.equal(mask, label.float())


def test_slices_draw_the_same_numbers_as_without_colours():
    image = frames()[:, :1]
    settings = {**NOTHING, "contrast_prob": 1.0, "dropout_prob": 1.0}
    one = BatchAugmentation(**settings, seed=4)({"image": image})[0]
    other = BatchAugmentation(**settings, color_prob=0.0, saturation=0.9, seed=4)({"image": image})[0]
    assert torch.equal(one, other)


def test_bytes_become_shares_of_255():
    image = torch.arange(3 * H * W, dtype=torch.uint8).reshape(1, 3, H, W)
    for augment in (False, True):
        after, _ = BatchAugmentation(**NOTHING, augment=augment)({"image": image})
        assert torch.equal(after, image.double().div(255).float())


def test_what_has_no_colours_is_refused():
    with pytest.raises(ValueError, match=r"color_prob: 0\.5 for 1 channels, wanted 3"):
        BatchAugmentation(**NOTHING, color_prob=0.5)({"image": frames()[:, :1]})
    for name in ("saturation", "hue_degrees"):
        with pytest.raises(ValueError, match=f"{name}: -1"):
            BatchAugmentation(**{name: -1})
    with pytest.raises(ValueError, match="color_prob: 2"):
        BatchAugmentation(color_prob=2)
