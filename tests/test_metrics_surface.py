"""HD95 and surface Dice against brute force, MONAI and Google's surface-distance."""

import warnings

import numpy as np
import pandas as pd
import pytest
import surface_distance
import torch
from monai.metrics import HausdorffDistanceMetric, SurfaceDiceMetric
from scipy.spatial.distance import cdist

from monai_gi.metrics import surface_scores
from monai_gi.metrics.surface import joint_box, nearest_distances, surface_voxels
from monai_gi.rle import decode_rle
from tests.oracles import metrics as oracle

PRED, TRUTH = oracle.drawn_organs()
SPACING_MM = (1.5, 1.63, 3.0)
google_warns = pytest.mark.filterwarnings(
    "ignore:Please import `(correlate|distance_transform_edt)`:DeprecationWarning"
)


def monai_scores(pred, truth, spacing, tolerance_mm):
    """Both of MONAI's metrics, one number an organ."""
    batch = torch.from_numpy(pred)[None].float(), torch.from_numpy(truth)[None].float()
    hausdorff = HausdorffDistanceMetric(include_background=True, percentile=95, reduction="none")
    dice = SurfaceDiceMetric([tolerance_mm] * len(pred), include_background=True, reduction="none")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*always_return_as_numpy.*")
        warnings.filterwarnings("ignore", message=".*is all 0, this may result in nan/inf distance.*")
        return hausdorff(*batch, spacing=spacing)[0].numpy(), dice(*batch, spacing=spacing)[0].numpy()


@pytest.mark.parametrize("organ", [0, 1])
@pytest.mark.parametrize("tolerance_mm", [0.0, 1.5, 2.215, 4.0])
def test_scores_equal_brute_force(organ, tolerance_mm):
    scores = surface_scores(PRED[organ], TRUTH[organ], SPACING_MM, tolerance_mm=tolerance_mm)
    assert scores.hd_mm == pytest.approx(oracle.hausdorff(PRED[organ], TRUTH[organ], SPACING_MM), rel=1e-5)
    expected = oracle.surface_dice(PRED[organ], TRUTH[organ], SPACING_MM, tolerance_mm)
    assert scores.surface_dice == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("percentile", [0.0, 50.0, 95.0, 99.5, 100.0])
def test_every_percentile_equals_brute_force(percentile):
    scores = surface_scores(PRED[0], TRUTH[0], SPACING_MM, tolerance_mm=1.0, percentile=percentile)
    assert scores.hd_mm == pytest.approx(oracle.hausdorff(PRED[0], TRUTH[0], SPACING_MM, percentile), rel=1e-5)


def test_scores_of_2d_masks_equal_brute_force():
    pred, truth = PRED[0, :, :, 4], TRUTH[0, :, :, 5]
    scores = surface_scores(pred, truth, (0.7, 2.0), tolerance_mm=1.0)
    assert scores.hd_mm == pytest.approx(oracle.hausdorff(pred, truth, (0.7, 2.0)), rel=1e-5)
    assert scores.surface_dice == pytest.approx(oracle.surface_dice(pred, truth, (0.7, 2.0), 1.0))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("spacing", [SPACING_MM, (1.63, 1.63, 3.0), (0.3, 4.0, 1.0)])
def test_scores_equal_monai_on_drawn_organs(seed, spacing):
    pred, truth = oracle.drawn_organs(seed, shift=2 + 3 * seed)
    pred[2, 5:20, 1:9, seed:9] = True
    hausdorff, dice = monai_scores(pred, truth, spacing, tolerance_mm=3.26)
    ours = [surface_scores(p, t, spacing, tolerance_mm=3.26) for p, t in zip(pred, truth, strict=True)]
    np.testing.assert_allclose([s.hd_mm for s in ours], hausdorff, rtol=1e-7)
    np.testing.assert_allclose([s.surface_dice for s in ours], dice, atol=1e-6)


@pytest.mark.slow
def test_scores_equal_monai_on_a_real_scan(real_data):
    rows = pd.read_csv(real_data / "uw_madison" / "train.csv", keep_default_na=False)
    rows = rows[rows["id"].str.startswith("case102_day0_")].sort_values(["class", "id"])
    masks = [decode_rle(rle, (360, 310)) for rle in rows["segmentation"]]
    truth = np.stack(masks).reshape(3, 144, 360, 310).transpose(0, 2, 3, 1)
    pred = np.roll(truth, (3, -2), axis=(1, 3))
    hausdorff, dice = monai_scores(pred, truth, (1.5, 1.5, 3.0), tolerance_mm=3.0)
    ours = [surface_scores(p, t, (1.5, 1.5, 3.0), tolerance_mm=3.0) for p, t in zip(pred, truth, strict=True)]
    assert truth.any(axis=(1, 2, 3)).sum() >= 2
    np.testing.assert_allclose([s.hd_mm for s in ours], hausdorff, rtol=1e-7)
    np.testing.assert_allclose([s.surface_dice for s in ours], dice, atol=1e-6)


def test_scattered_voxels_far_apart_equal_monai():
    random = np.random.default_rng(3)
    pred, truth = random.random((2, 1, 23, 61, 17)) < 0.002
    pred[0, 0, :5], truth[0, -1, -4:] = True, True
    hausdorff, dice = monai_scores(pred, truth, SPACING_MM, tolerance_mm=6.0)
    ours = surface_scores(pred[0], truth[0], SPACING_MM, tolerance_mm=6.0)
    assert ours == pytest.approx((hausdorff[0], dice[0]), rel=1e-6)


@google_warns
def test_a_box_shifted_by_whole_voxels_scores_as_google_says():
    truth = np.zeros((30, 40, 20), dtype=bool)
    truth[8:20, 10:30, 5:12] = True
    pred = np.roll(truth, 4, axis=1)
    google = surface_distance.compute_surface_distances(truth, pred, SPACING_MM)
    ours = surface_scores(pred, truth, SPACING_MM, tolerance_mm=2.0, percentile=100.0)
    assert ours.hd_mm == pytest.approx(4 * 1.63, rel=1e-6)
    assert ours.hd_mm == pytest.approx(surface_distance.compute_robust_hausdorff(google, 100))


@google_warns
def test_surface_dice_is_near_googles_which_weighs_by_area():
    google = surface_distance.compute_surface_distances(TRUTH[0], PRED[0], SPACING_MM)
    expected = surface_distance.compute_surface_dice_at_tolerance(google, 2.0)
    ours = surface_scores(PRED[0], TRUTH[0], SPACING_MM, tolerance_mm=2.0).surface_dice
    assert 0.3 < expected < 0.9
    assert ours == pytest.approx(expected, abs=0.08)


def test_a_distance_of_exactly_the_tolerance_is_within_it():
    """1.63 added up in float64 passes 1.63; the share must not depend on where in the array the organ lies."""
    for start in range(20):
        truth = np.zeros((9, 45), dtype=bool)
        truth[2:7, start : start + 20] = True
        scores = surface_scores(np.roll(truth, 1, axis=1), truth, (1.63, 1.63), tolerance_mm=1.63)
        assert scores.surface_dice == 1.0


def test_spacing_is_per_axis():
    along_rows = surface_scores(np.roll(TRUTH[2], 3, axis=0), TRUTH[2], SPACING_MM, tolerance_mm=1.0, percentile=100.0)
    along_slices = surface_scores(
        np.roll(TRUTH[2], 3, axis=2), TRUTH[2], SPACING_MM, tolerance_mm=1.0, percentile=100.0
    )
    assert (along_rows.hd_mm, along_slices.hd_mm) == pytest.approx((4.5, 9.0))


def test_empty_masks():
    empty = np.zeros_like(TRUTH[0])
    both = surface_scores(empty, empty, SPACING_MM, tolerance_mm=1.0)
    assert np.isnan(both.hd_mm)
    assert np.isnan(both.surface_dice)
    for pair in ((empty, TRUTH[0]), (TRUTH[0], empty)):
        assert surface_scores(*pair, SPACING_MM, tolerance_mm=1.0) == (np.inf, 0.0)


def test_empty_masks_equal_monai_but_for_one_empty_mask():
    """MONAI interpolates between infinities and gets NaN there, which its means then leave out in silence."""
    pred, truth = np.zeros((2, 3, 6, 9, 4), dtype=bool)
    pred[1, 2:4, 3:6, 1:3] = truth[2, 2:4, 3:6, 1:3] = True
    hausdorff, dice = monai_scores(pred, truth, SPACING_MM, tolerance_mm=1.0)
    ours = [surface_scores(p, t, SPACING_MM, tolerance_mm=1.0) for p, t in zip(pred, truth, strict=True)]
    np.testing.assert_array_equal([s.hd_mm for s in ours], [np.nan, np.inf, np.inf])
    assert np.isnan(hausdorff).all()
    np.testing.assert_array_equal([s.surface_dice for s in ours], dice)


def test_surface_voxels_equal_neighbour_by_neighbour():
    for mask in (PRED[1], TRUTH[0], TRUTH[1, :, :, 7]):
        assert sorted(oracle.points(surface_voxels(mask))) == oracle.surface_points(mask)


def test_a_full_array_has_its_border_as_surface():
    surface = surface_voxels(np.ones((5, 6), dtype=bool))
    assert surface.sum() == 5 * 6 - 3 * 4


def test_joint_box_holds_both_masks():
    a, b = np.zeros((2, 9, 12, 5), dtype=bool)
    assert joint_box(a, b) is None
    a[2, 3, 4] = b[7, 1, 0] = True
    assert joint_box(a, b) == (slice(2, 8), slice(1, 4), slice(0, 5))


@pytest.mark.parametrize("spacing", [(1.5, 1.5, 3.0), (0.1, 0.1, 3.0), (5.0, 0.2, 1.0), (1 / 38, 1 / 51, 1 / 14)])
def test_nearest_distances_equal_all_pairs(spacing):
    random = np.random.default_rng(1)
    queries, targets = random.random((2, 19, 33, 11)) < np.array([0.02, 0.01]).reshape(2, 1, 1, 1)
    expected = cdist(np.argwhere(queries) * spacing, np.argwhere(targets) * spacing).min(axis=1)
    found = nearest_distances(queries, targets, spacing)
    np.testing.assert_allclose(np.sort(found), np.sort(expected), rtol=1e-9)


def test_without_targets_every_distance_is_infinite():
    assert (nearest_distances(TRUTH[2], np.zeros_like(TRUTH[2]), SPACING_MM) == np.inf).all()


def test_arguments_that_do_not_fit_are_refused():
    mask = TRUTH[0]
    with pytest.raises(ValueError, match="masks of one grid"):
        surface_scores(mask, mask[:-1], SPACING_MM, tolerance_mm=1.0)
    with pytest.raises(ValueError, match="must hold 3 positive numbers"):
        surface_scores(mask, mask, SPACING_MM[:2], tolerance_mm=1.0)
    with pytest.raises(ValueError, match="must hold 3 positive numbers"):
        surface_scores(mask, mask, (1.5, 0.0, 3.0), tolerance_mm=1.0)
    with pytest.raises(ValueError, match="tolerance_mm -1"):
        surface_scores(mask, mask, SPACING_MM, tolerance_mm=-1.0)
    with pytest.raises(ValueError, match="percentile 101"):
        surface_scores(mask, mask, SPACING_MM, tolerance_mm=1.0, percentile=101.0)
