"""Thumbnails by hand, all pairs against a slow loop, and detail that tells a moved scene from an alike layout."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from monai_gi.near_duplicates import detail_correlations, nearest_across, thumbnail, unit_vectors
from tests.oracles.near_duplicates import alike_pairs


def scene(seed, size=(64, 64)):
    """Blobs a few pixels wide on a coarse layout that all scenes share."""
    rows, columns = np.indices(size)
    layout = np.hypot(rows - size[0] / 2, columns - size[1] / 2) < 0.4 * size[0]
    blobs = gaussian_filter(np.random.default_rng(seed).normal(size=size), 2.0)
    return (layout * (1 + 1.2 * blobs)).astype(np.float32)


def test_a_thumbnail_is_the_mean_of_each_area_whatever_the_proportions():
    image = np.arange(128 * 192, dtype=np.uint16).reshape(128, 192)
    means = image.reshape(64, 2, 64, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(thumbnail(image), means / means.max(), rtol=1e-5)


def test_colours_become_grey_as_eyes_see_them():
    image = np.zeros((64, 64, 3), dtype=np.uint8)
    image[:32, :, 0], image[32:, :, 1] = 200, 100
    small = thumbnail(image)
    assert small[0, 0] / small[-1, 0] == pytest.approx(2 * 0.299 / 0.587)


def test_values_that_are_no_numbers_count_as_0():
    image = np.ones((64, 64), dtype=np.float32)
    image[3, 5] = np.nan
    assert thumbnail(image)[3, 5] == 0


@pytest.mark.parametrize("shape", [(5,), (5, 4, 4), (0, 4), (2, 2, 2, 2)])
def test_another_shape_is_refused(shape):
    with pytest.raises(ValueError, match=r"wanted \(H, W\) or \(H, W, 3\)"):
        thumbnail(np.zeros(shape))


def test_products_of_vectors_are_correlations_and_a_flat_image_is_like_no_other():
    images = np.stack([scene(1), 3 * scene(2) + 7, np.full((64, 64), 0.25, dtype=np.float32)])
    small = images.reshape(3, 32, 2, 32, 2).mean(axis=(2, 4))
    vectors = unit_vectors(images.astype(np.float16))
    assert vectors[0] @ vectors[1] == pytest.approx(np.corrcoef(small[0].ravel(), small[1].ravel())[0, 1], abs=1e-3)
    assert vectors[0] @ vectors[0] == pytest.approx(1)
    assert not vectors[2].any()


@pytest.mark.parametrize("block", [1, 4, 7, 64])
def test_all_pairs_across_parts_are_those_of_a_slow_loop(block):
    rng = np.random.default_rng(5)
    scenes = np.stack([scene(seed % 6) + 0.3 * rng.normal(size=(64, 64)) for seed in range(23)])
    parts = rng.integers(0, 3, 23)
    small = scenes.reshape(23, 32, 2, 32, 2).mean(axis=(2, 4))
    wanted = alike_pairs(small, parts, 0.9)
    assert 10 < len(wanted) < 200
    calls = []
    nearest = nearest_across(
        unit_vectors(scenes), parts, 0.9, most=3, block=block, progress=lambda *words: calls.append(words)
    )
    assert nearest.alike == len(wanted)
    assert nearest.pairs == sum(parts[i] != parts[j] for i in range(23) for j in range(i + 1, 23))
    for image in range(23):
        partners = sorted(((r, sum(pair) - image) for pair, r in wanted.items() if image in pair), reverse=True)[:3]
        count = len(partners)
        assert nearest.partners[image, :count].tolist() == [other for _, other in partners]
        np.testing.assert_allclose(nearest.correlations[image, :count], [r for r, _ in partners], atol=1e-5)
        assert (nearest.partners[image, count:] == -1).all()
        assert (nearest.correlations[image, count:] == -1).all()
    blocks = -(-23 // block)
    assert calls[-1] == (blocks * (blocks + 1) // 2,) * 2


def test_nothing_across_parts_is_nothing():
    vectors = unit_vectors(np.stack([scene(1)] * 3))
    nearest = nearest_across(vectors, np.zeros(3, dtype=int), 0.5)
    assert (nearest.alike, nearest.pairs) == (0, 0)
    assert (nearest.partners == -1).all()
    assert nearest_across(vectors[:0], np.zeros(0, dtype=int), 0.5).partners.shape == (0, 4)


@pytest.mark.parametrize("words", [{"threshold": 0}, {"threshold": 1.1}, {"most": 0}, {"block": 0}])
def test_numbers_out_of_range_are_refused(words):
    with pytest.raises(ValueError, match=r"wanted (1 or more|a correlation above 0)"):
        nearest_across(np.zeros((2, 4), dtype=np.float32), np.arange(2), **{"threshold": 0.5, **words})


def test_detail_tells_a_moved_scene_from_one_that_is_only_laid_out_alike():
    moved = np.roll(scene(1, (64, 64)), (5, -3), axis=(0, 1))
    far = np.roll(scene(1, (64, 64)), (0, 24), axis=(0, 1))
    images = np.stack([scene(1), 2 * scene(1) + 5, moved, scene(2), far, np.ones((64, 64), dtype=np.float32)])
    calls = []
    same, shifted, other, too_far, flat = detail_correlations(
        images, np.array([[0, one] for one in range(1, 6)]), lambda *words: calls.append(words)
    )
    vectors = unit_vectors(images)
    assert vectors[0] @ vectors[3] > 0.8
    assert same == pytest.approx(1, abs=1e-3)
    assert shifted > 0.75
    assert other < 0.55
    assert too_far < 0.55
    assert flat == 0
    assert calls == [(5, 5)]
    assert detail_correlations(images, np.zeros((0, 2), dtype=int)).shape == (0,)
