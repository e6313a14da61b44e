"""Grids and warps against slow ones, for drawn parameters."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from monai_gi.augmentation.geometry import AffineDraws, affine_grid, elastic_grid, spline_weights, warp, warp_packed
from tests.oracles import augmentation as slow

H, W = 26, 35


def smooth_images(count, channels=3, seed=0):
    noise = np.random.default_rng(seed).random((count, channels, H, W))
    return gaussian_filter(noise, (0, 0, 2, 2)).astype(np.float32)


DRAWS = AffineDraws(
    np.array([0.1, -0.05, 0.0, 0.08]),
    np.array([-0.07, 0.12, 0.03, 0.0]),
    np.array([1.1, 0.9, 1.0, 0.97]),
    np.radians([7.0, -9.0, 4.0, 0.0]),
)


def test_affine_warp_equals_the_slow_one():
    images, masks = smooth_images(4), np.random.default_rng(1).integers(0, 8, (4, H, W)).astype(np.uint8)
    grid = affine_grid(DRAWS, H, W)
    moved, moved_masks = warp(torch.from_numpy(images), grid), warp_packed(torch.from_numpy(masks), grid)
    for n, (shift_x, shift_y, scale, angle) in enumerate(zip(*DRAWS, strict=True)):
        rows, columns = slow.slow_affine_sources((H, W), (shift_x, shift_y), scale, angle)
        for channel in range(3):
            expected = slow.slow_sample(images[n, channel], rows, columns, order=1)
            np.testing.assert_allclose(moved[n, channel].numpy(), expected, atol=2e-5)
        differing = moved_masks[n].numpy() != slow.slow_sample(masks[n], rows, columns, order=0)
        assert differing.mean() < 0.002  # where a source lies half way between two pixels


def test_shift_by_whole_pixels_moves_right_and_down():
    image = torch.zeros(1, 1, H, W)
    image[0, 0, 5, 7] = 1
    draws = AffineDraws(np.array([4 / W]), np.array([3 / H]), np.ones(1), np.zeros(1))
    moved = warp(image, affine_grid(draws, H, W))
    assert moved[0, 0, 8, 11] == pytest.approx(1, abs=1e-4)
    assert moved.sum() == pytest.approx(1, abs=1e-3)


def test_elastic_grid_equals_scipy_splines():
    control_px = np.random.default_rng(2).uniform(-5, 5, (2, 2, 7, 7))
    grid = elastic_grid(control_px, H, W).numpy() * np.array([W / 2, H / 2])
    for n in range(2):
        x, y = slow.slow_elastic_displacement(control_px[n], (H, W))
        np.testing.assert_allclose(grid[n, ..., 0], x, atol=1e-5)
        np.testing.assert_allclose(grid[n, ..., 1], y, atol=1e-5)


def test_elastic_never_moves_further_than_its_control_points():
    weights = spline_weights(31, 4)
    assert weights.min() >= 0
    np.testing.assert_allclose(weights.sum(axis=1), 1)


def test_elastic_with_equal_control_points_is_a_shift():
    images = smooth_images(1)
    bend = elastic_grid(np.tile(np.array([3.0, -2.0])[None, :, None, None], (1, 1, 6, 6)), H, W)
    still = affine_grid(AffineDraws(np.zeros(1), np.zeros(1), np.ones(1), np.zeros(1)), H, W)
    moved = warp(torch.from_numpy(images), still + bend).numpy()
    np.testing.assert_allclose(moved[..., 4:-4, 4:-4], np.roll(images, (2, -3), (2, 3))[..., 4:-4, 4:-4], atol=1e-4)
