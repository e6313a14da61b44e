"""Batch augmentation: each part against a slow one, image and mask together, every argument with its effect."""

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from scipy.ndimage import gaussian_filter

from monai_gi.augmentation import BatchAugmentation
from monai_gi.augmentation.appearance import change_contrast, cut_holes, draw_holes
from monai_gi.augmentation.packed_masks import pack, unpack
from tests.oracles import augmentation as slow

H, W = 26, 35
NOTHING = {f"{name}_prob": 0.0 for name in ("flip", "vertical_flip", "affine", "elastic", "contrast", "dropout")}


def smooth_images(count, channels=3, seed=0):
    noise = np.random.default_rng(seed).random((count, channels, H, W))
    return gaussian_filter(noise, (0, 0, 2, 2)).astype(np.float32)


def raw_batch(count=6, channels=3, seed=0):
    rng = np.random.default_rng(seed)
    return {
        "image": torch.from_numpy(rng.integers(0, 12920, (count, channels, H, W)).astype(np.uint16)),
        "label": torch.from_numpy(rng.integers(0, 8, (count, H, W)).astype(np.uint8)),
        "window": torch.tensor([[100.0 + n, 12000.0 - n] for n in range(count)]),
    }


def landmark_batch(count=8):
    """A bright square of organ 1 and a smaller one of organ 2 inside it, off the centre."""
    image, label = np.zeros((count, 1, H, W), np.float32), np.zeros((count, 3, H, W), np.float32)
    image[:, :, 8:16, 18:28] = label[:, 1:2, 8:16, 18:28] = 1
    label[:, 2, 10:14, 20:26] = 1
    return {"image": torch.from_numpy(image), "label": torch.from_numpy(label)}


def only(**arguments):
    return BatchAugmentation(**{**NOTHING, **arguments})


def test_affine_and_elastic_together_equal_the_slow_ones():
    augmentation = only(affine_prob=1.0, elastic_prob=1.0, elastic_alpha_px=3.0, elastic_grid=4)
    images = smooth_images(3)
    augmentation.set_seed(5)
    moved, _ = augmentation({"image": torch.from_numpy(images)})
    draws = np.random.default_rng(5)
    for _ in range(4):
        draws.random(3)  # who is flipped, flipped vertically, turned, bent
    shift_x, shift_y = draws.uniform(-0.12, 0.12, 3), draws.uniform(-0.12, 0.12, 3)
    scale, angle = 1 + draws.uniform(-0.12, 0.12, 3), np.radians(draws.uniform(-10, 10, 3))
    control_px = 3.0 * draws.uniform(-1, 1, (3, 2, 7, 7))
    for n in range(3):
        rows, columns = slow.slow_affine_sources((H, W), (shift_x[n], shift_y[n]), scale[n], angle[n])
        x, y = slow.slow_elastic_displacement(control_px[n], (H, W))
        expected = slow.slow_sample(images[n, 1], rows + y, columns + x, order=1)
        np.testing.assert_allclose(moved[n, 1].numpy(), expected, atol=2e-5)


@pytest.mark.parametrize(
    "arguments",
    [
        {"flip_prob": 1.0},
        {"vertical_flip_prob": 1.0},
        {"affine_prob": 1.0},
        {"elastic_prob": 1.0, "elastic_alpha_px": 4.0},
        {"flip_prob": 0.5, "vertical_flip_prob": 0.5, "affine_prob": 0.7, "elastic_prob": 0.5, "elastic_alpha_px": 3.0},
    ],
)
def test_image_and_masks_move_together(arguments):
    image, label = only(**arguments)(landmark_batch())
    assert not torch.equal(label, landmark_batch()["label"])
    inside, outside = image[:, 0][label[:, 1] == 1], image[:, 0][label[:, 1] == 0]
    assert (inside >= 0.5 - 1e-3).float().mean() > 0.97
    assert (outside <= 0.5 + 1e-3).float().mean() > 0.97
    assert torch.all(label[:, 1] >= label[:, 2])  # the organ inside stays inside
    assert label[:, 0].sum() == 0


@pytest.mark.parametrize(("name", "axis"), [("flip_prob", -1), ("vertical_flip_prob", -2)])
def test_flip_is_exact(name, axis):
    batch = raw_batch()
    image, label = BatchAugmentation(augment=False)(batch)
    flipped, flipped_label = only(**{name: 1.0})(batch)
    assert torch.equal(flipped, image.flip(axis))
    assert torch.equal(flipped_label, label.flip(axis))


# ---- grey values


def test_contrast_equals_the_slow_one_in_all_channels():
    images = np.random.default_rng(6).random((3, H, W)).astype(np.float32)
    changed = torch.from_numpy(images.copy())
    change_contrast(changed, 1.7, -0.2)
    np.testing.assert_allclose(changed.numpy(), slow.slow_contrast(images, 1.7, -0.2), atol=1e-6)
    assert changed.min() == 0
    assert changed.max() == 1


def test_channels_share_contrast_and_brightness():
    image = torch.full((5, 3, H, W), 0.5)
    changed, _ = only(contrast_prob=1.0)({"image": image})
    assert torch.all(changed == changed[:, :1, :1, :1])
    assert len(changed[:, 0, 0, 0].unique()) == 5
    assert changed.min() >= 0.5 * 0.8 - 0.2
    assert changed.max() <= 0.5 * 1.2 + 0.2


def test_holes_lie_inside_and_are_as_many_and_large_as_asked():
    holes = draw_holes(np.random.default_rng(0), np.arange(200), (9, 30), (2, 4), 12)
    counts = np.bincount([hole.sample for hole in holes])
    assert set(counts) == {2, 3, 4}
    heights, widths = {h.bottom - h.top for h in holes}, {h.right - h.left for h in holes}
    assert heights == set(range(1, 10))
    assert widths == set(range(1, 13))
    assert all(0 <= h.top < h.bottom <= 9 and 0 <= h.left < h.right <= 30 for h in holes)
    assert {h.top for h in holes} >= {0, 8}


def test_holes_are_black_in_all_channels_and_nowhere_else():
    holes = draw_holes(np.random.default_rng(1), np.array([1]), (H, W), (3, 3), 6)
    image = torch.ones(2, 3, H, W)
    cut_holes(image, holes)
    expected = np.ones((2, 3, H, W))
    for sample, top, bottom, left, right in holes:
        for row in range(top, bottom):
            for column in range(left, right):
                expected[sample, :, row, column] = 0
    assert np.array_equal(image.numpy(), expected)
    assert expected.min() == 0


def test_dropout_leaves_the_masks_alone():
    batch = raw_batch()
    _, label = only(dropout_prob=1.0)(batch)
    assert torch.equal(label, unpack(batch["label"], 3))


# ---- masks in bits


def test_packing_is_one_bit_a_channel_and_back():
    masks = np.random.default_rng(3).random((2, 5, H, W)) < 0.3
    packed = pack(torch.from_numpy(masks).float())
    assert np.array_equal(packed.numpy(), np.stack([slow.slow_pack(mask) for mask in masks]))
    assert torch.equal(unpack(packed, 5), torch.from_numpy(masks).float())
    assert unpack(packed, 2).shape == (2, 2, H, W)


def test_packed_and_unpacked_masks_give_the_same():
    batch = raw_batch()
    unpacked = {**batch, "label": unpack(batch["label"], 3)}
    augmentation = BatchAugmentation(elastic_prob=0.5)
    augmentation.set_seed(4)
    image, label = augmentation(batch)
    augmentation.set_seed(4)
    same_image, same_label = augmentation(unpacked)
    assert torch.equal(image, same_image)
    assert torch.equal(label, same_label)


def test_more_than_eight_classes_are_refused():
    with pytest.raises(ValueError, match="9 channels, wanted at most 8"):
        pack(torch.zeros(1, 9, 2, 2))


# ---- the whole


def test_no_augmentation_scales_and_unpacks_only():
    batch = raw_batch()
    image, label = BatchAugmentation(augment=False)(batch)
    grey = batch["image"].numpy().astype(np.float32)
    low, high = batch["window"].numpy().T[:, :, None, None, None]
    assert np.array_equal(image.numpy(), np.clip((grey - low) / (high - low), 0, 1))
    assert image.dtype == label.dtype == torch.float32
    assert torch.equal(label, unpack(batch["label"], 3))


def test_probability_zero_is_identity():
    image, label = only()(raw_batch())
    expected_image, expected_label = BatchAugmentation(augment=False)(raw_batch())
    assert torch.equal(image, expected_image)
    assert torch.equal(label, expected_label)


@pytest.mark.parametrize("name", sorted(NOTHING))
def test_probability_is_the_share_that_changes(name):
    batch = raw_batch(60)
    changed, _ = only(**{name: 0.4, "seed": 1})(batch)
    still, _ = only()(batch)
    share = (changed != still).flatten(1).any(1).float().mean()
    assert 0.2 < share < 0.6


ON = {f"{name}_prob": 1.0 for name in ("affine", "elastic", "contrast", "dropout")}


@pytest.mark.parametrize(
    "argument",
    [
        {"shift": 0.3},
        {"scale": 0.3},
        {"rotate_degrees": 30},
        {"elastic_alpha_px": 2.0},
        {"elastic_grid": 3},
        {"contrast": 0.5},
        {"brightness": 0.5},
        {"dropout_holes": (1, 2)},
        {"dropout_size_px": 5},
        {"seed": 3},
    ],
)
def test_every_argument_has_an_effect(argument):
    batch = raw_batch()
    assert not torch.equal(only(**ON, **argument)(batch)[0], only(**ON)(batch)[0])


def test_label_channels_are_those_unpacked():
    assert BatchAugmentation(label_channels=2)(raw_batch())[1].shape == (6, 2, H, W)


def test_same_seed_gives_the_same_bits_and_the_stream_goes_on():
    augmentation = BatchAugmentation(elastic_prob=0.5, vertical_flip_prob=0.5)
    augmentation.set_seed((7, 2))
    first, second = augmentation(raw_batch()), augmentation(raw_batch())
    augmentation.set_seed((7, 2))
    assert all(torch.equal(a, b) for a, b in zip(augmentation(raw_batch()), first, strict=True))
    assert all(torch.equal(a, b) for a, b in zip(augmentation(raw_batch()), second, strict=True))
    assert not torch.equal(first[0], second[0])


@pytest.mark.parametrize("packed", [True, False])
def test_batch_itself_is_left_as_it_is(packed):
    batch = raw_batch()
    if not packed:
        batch = {"image": batch["image"].float() / 12920, "label": unpack(batch["label"], 3)}
    before = {key: value.clone() for key, value in batch.items()}
    only(flip_prob=1.0, **ON)(batch)
    assert all(torch.equal(batch[key], before[key]) for key in batch)


def test_plain_monai_batch_is_taken():
    batch = {"image": MetaTensor(torch.rand(4, 1, H, W)), "label": MetaTensor(torch.rand(4, 3, H, W) > 0.5)}
    image, label = BatchAugmentation()(batch, torch.device("cpu"), non_blocking=True)
    assert type(image) is type(label) is torch.Tensor
    assert image.shape == (4, 1, H, W)
    assert set(label.unique().tolist()) == {0, 1}


def test_batch_without_label_gives_none():
    batch = {"image": torch.rand(2, 3, H, W)}
    assert BatchAugmentation()(batch)[1] is None
    image, label = BatchAugmentation(augment=False)(batch)
    assert label is None
    assert torch.equal(image, batch["image"])


def test_further_arguments_go_to_the_image():
    image, _ = BatchAugmentation()(raw_batch(), "cpu", memory_format=torch.channels_last)
    assert image.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"flip_prob": 1.5}, "flip_prob: 1.5, wanted a probability"),
        ({"elastic_prob": -0.1}, "elastic_prob: -0.1, wanted a probability"),
        ({"shift": -1}, "shift: -1, wanted 0 or more"),
        ({"scale": 1.0}, r"scale: 1\.0, wanted 0 to below 1"),
        ({"dropout_holes": (8, 5)}, r"dropout_holes: \(8, 5\), wanted the fewest"),
        ({"elastic_grid": 0}, "wanted 1 or more"),
        ({"dropout_size_px": 0}, "wanted 1 or more"),
    ],
)
def test_faulty_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        BatchAugmentation(**arguments)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_gives_what_the_cpu_gives():
    augmentation = BatchAugmentation(elastic_prob=0.5)
    augmentation.set_seed(0)
    image, label = augmentation(raw_batch())
    augmentation.set_seed(0)
    image_cuda, label_cuda = augmentation(raw_batch(), "cuda", non_blocking=True)
    torch.testing.assert_close(image_cuda.cpu(), image, atol=1e-3, rtol=0)
    assert (label_cuda.cpu() != label).float().mean() < 0.002
    still, still_cuda = (BatchAugmentation(augment=False)(raw_batch(), device)[0].cpu() for device in ("cpu", "cuda"))
    assert torch.equal(still, still_cuda)
