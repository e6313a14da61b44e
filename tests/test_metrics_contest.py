"""The contest score's variants against full sets of voxels, slice by slice loops, MONAI, and hand-counted cases."""

import warnings

import numpy as np
import pytest
import torch
from monai.metrics import compute_hausdorff_distance

from monai_gi.metrics import VARIANT_RULES, contest_score, first_place_hausdorff, score_scan, unit_cube_hausdorff
from monai_gi.metrics.measures import contest_values
from tests.oracles import metrics as oracle

PRED, TRUTH = oracle.drawn_organs()


def scan_of(pred, truth, name="case1_day0"):
    ids = [f"{name}_slice_{index:04d}" for index in range(1, pred.shape[-1] + 1)]
    return score_scan(name, name.split("_")[0], pred, truth, spacing_mm=(1.5, 1.63, 3.0), slice_ids=ids)


@pytest.mark.parametrize("seed", range(4))
def test_unit_cube_distance_equals_full_sets_of_voxels(seed):
    pred, truth = oracle.drawn_organs(seed, shift=1 + 4 * seed)
    assert unit_cube_hausdorff(pred[0], truth[0]) == pytest.approx(oracle.unit_cube_hausdorff(pred[0], truth[0]))
    joined = pred.any(axis=0), truth.any(axis=0)
    assert unit_cube_hausdorff(*joined) == pytest.approx(oracle.unit_cube_hausdorff(*joined))


def test_unit_cube_distance_is_found_deep_inside_a_filled_ring():
    """The farthest predicted voxel from a ring is the centre of the disc that fills it, not a surface voxel."""
    rows, columns, slices = np.ogrid[:41, :53, :3]
    radius = np.hypot(rows - 20, columns - 26) + 0 * slices
    ring, disc = (radius > 15) & (radius < 18), radius < 18
    expected = oracle.unit_cube_hausdorff(disc, ring)
    assert unit_cube_hausdorff(disc, ring) == pytest.approx(expected)
    assert expected > 15 / 53 / 3**0.5


def test_unit_cube_distance_by_hand():
    """Two single voxels, 3 of 10 rows, 4 of 20 columns and 1 of 5 slices apart."""
    a, b = np.zeros((2, 10, 20, 5), dtype=bool)
    a[1, 2, 3] = b[4, 6, 4] = True
    expected = (0.3**2 + 0.2**2 + 0.2**2) ** 0.5 / 3**0.5
    assert unit_cube_hausdorff(a, b) == pytest.approx(expected)


def test_unit_cube_distance_of_empty_equal_and_overgrown_masks():
    empty, small, large = np.zeros((3, 8, 9, 4), dtype=bool)
    small[2, 3, 1] = True
    large[:3, :4, :1] = True
    assert np.isnan(unit_cube_hausdorff(empty, empty))
    assert unit_cube_hausdorff(small, small) == 0
    assert unit_cube_hausdorff(empty, small) == unit_cube_hausdorff(small, empty) == 1
    assert large.sum() == 12
    assert unit_cube_hausdorff(large, small) == 1
    assert unit_cube_hausdorff(small, large) < 1


def test_first_place_distance_equals_slice_by_slice_loops():
    for organ in (0, 1, 2):
        expected = oracle.first_place_hausdorff(PRED[organ], TRUTH[organ])
        np.testing.assert_allclose(first_place_hausdorff(PRED[organ], TRUTH[organ]), expected)
        assert expected.max() > 0


def test_first_place_distance_equals_monais_directed_distance():
    slices = np.flatnonzero(PRED[0].any(axis=(0, 1)) & TRUTH[0].any(axis=(0, 1)))
    batch = [torch.from_numpy(m[0][:, :, slices]).permute(2, 0, 1)[:, None].float() for m in (PRED, TRUTH)]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*always_return_as_numpy.*")
        pixels = compute_hausdorff_distance(*batch, include_background=True, directed=True)
    expected = pixels[:, 0].numpy() / np.hypot(*PRED.shape[1:3])
    np.testing.assert_allclose(first_place_hausdorff(PRED[0], TRUTH[0])[slices], expected, rtol=1e-6)


def test_first_place_distance_goes_one_way_only():
    """A prediction of half the truth lies on the truth's border but for the cut; the other way is far."""
    truth, half = np.zeros((2, 20, 30, 1), dtype=bool)
    truth[5:15, 5:25] = True
    half[5:15, 5:9] = True
    assert first_place_hausdorff(half, truth)[0] * np.hypot(20, 30) == pytest.approx(3)
    assert first_place_hausdorff(truth, half)[0] * np.hypot(20, 30) == pytest.approx(16)


def test_first_place_distance_of_empty_masks():
    filled, empty = np.ones((5, 6, 2), dtype=bool), np.zeros((5, 6, 2), dtype=bool)
    np.testing.assert_array_equal(first_place_hausdorff(empty, empty), [0, 0])
    np.testing.assert_array_equal(first_place_hausdorff(filled, filled), [0, 0])
    np.testing.assert_array_equal(first_place_hausdorff(filled, empty), [1, 1])
    filled[:, :, 0] = False
    np.testing.assert_array_equal(first_place_hausdorff(empty, filled), [0, 1])


@pytest.fixture
def small_scan():
    """Two slices: large bowel half found and stomach missed on the first, small bowel invented on the second."""
    pred, truth = np.zeros((2, 3, 10, 20, 2), dtype=bool)
    truth[0, 2:4, 2:6, 0] = True
    pred[0, 2:4, 2:4, 0] = True
    truth[2, 8, 10, 0] = True
    pred[1, 5, 15, 1] = True
    return scan_of(pred, truth)


def test_variants_by_hand(small_scan):
    """Dice by slice and organ: 2/3, both empty, 0 | both empty, 0, both empty."""
    hausdorff = small_scan.unit_cube_hausdorff
    assert 0 < hausdorff < 1
    rest = 0.6 * (1 - hausdorff)
    assert contest_score([small_scan], "mle_bench") == pytest.approx(0.4 * (2 / 3) / 3 + rest)
    assert contest_score([small_scan], "dice_empty_1") == pytest.approx(0.4 * (2 / 3 + 3) / 6 + rest)
    assert contest_score([small_scan], "dice_empty_0") == pytest.approx(0.4 * (2 / 3) / 6 + rest)
    # Of six slices and organs one half lies on the truth's border (0), one is missed (1), one made up (1), three empty.
    expected = 0.4 * (2 / 3 + 0) / 2 + 0.6 * (1 - 2 / 6)
    assert contest_score([small_scan], "first_place") == pytest.approx(expected)


def test_scans_without_organs_are_left_out_of_the_volume_distance(small_scan):
    empty = np.zeros((3, 10, 20, 2), dtype=bool)
    both = [small_scan, scan_of(empty, empty, "case2_day0")]
    assert contest_score(both, "mle_bench") == contest_score([small_scan], "mle_bench")
    assert contest_score(both, "dice_empty_1") > contest_score([small_scan], "dice_empty_1")
    assert contest_score(both, "dice_empty_0") < contest_score([small_scan], "dice_empty_0")
    assert np.isnan(contest_score(both[1:], "mle_bench"))


def test_a_perfect_prediction_scores_one_where_empties_do_not_count_against_it():
    scan = scan_of(TRUTH, TRUTH)
    assert [contest_score([scan], name) for name in ("mle_bench", "dice_empty_1", "first_place")] == [1, 1, 1]
    assert contest_score([scan], "dice_empty_0") < 1


def test_every_variant_states_its_rule():
    for rule in VARIANT_RULES.values():
        assert "Dice" in rule
        assert "Hausdorff" in rule
        assert rule.count("empty") >= 3


def test_unknown_variants_and_two_grids_are_refused(small_scan):
    with pytest.raises(ValueError, match="'kaggle' is unknown; there are mle_bench"):
        contest_values(small_scan, "kaggle")
    for distance in (unit_cube_hausdorff, first_place_hausdorff):
        with pytest.raises(ValueError, match="masks of one grid"):
            distance(TRUTH[0], TRUTH[0][:, :-1])
