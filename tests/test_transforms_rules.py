"""ApplyOrganRulesd against a slow oracle and by hand, on drawn non-square probabilities."""

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from scipy import ndimage

from monai_gi.transforms import ApplyOrganRulesd
from tests.oracles.organ_rules import apply_rules


def draw_probabilities(seed: int = 0, shape: tuple = (3, 8, 11, 7)) -> np.ndarray:
    """Blobs of several sizes, overlapping between organs; the last slice is empty."""
    noise = np.random.default_rng(seed).random(shape)
    smooth = ndimage.gaussian_filter(noise, (0, 1, 1, 0.6))
    smooth = (smooth - smooth.min()) / (smooth.max() - smooth.min())
    smooth[..., -1] = 0
    return smooth.astype(np.float32)


def apply(probabilities: np.ndarray, **rules: object) -> np.ndarray:
    masks = ApplyOrganRulesd("pred", **rules)({"pred": torch.from_numpy(probabilities)})["pred"]
    assert masks.dtype == torch.uint8
    assert masks.shape == probabilities.shape
    return masks.numpy()


RULES = {
    "none": {},
    "thresholds": {"thresholds": (0.3, 0.6, 0.8)},
    "regions": {"min_region_px": (2, 8, 30)},
    "presence": {"presence": (0.6, 0.8, 0.9)},
    "persistence": {"thresholds": 0.7, "min_slices": (2, 3, 4)},
    "all": {"thresholds": (0.5, 0.6, 0.7), "min_region_px": (4, 6, 3), "presence": 0.75, "min_slices": (1, 2, 3)},
}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("rules", RULES.values(), ids=RULES.keys())
def test_masks_equal_the_oracle(rules, seed):
    probabilities = draw_probabilities(seed)
    defaults = {"thresholds": 0.5, "min_region_px": 0, "presence": 0.0, "min_slices": 1}
    spread = {k: v if isinstance(v, tuple) else (v,) * 3 for k, v in {**defaults, **rules}.items()}
    expected = apply_rules(probabilities, **spread)
    assert 0 < expected.sum() < expected.size
    assert np.array_equal(apply(probabilities, **rules), expected)
    if rules:
        assert not np.array_equal(expected, apply(probabilities))


def test_threshold_itself_is_inside():
    probabilities = np.array([0.25, 0.5, 0.75], dtype=np.float32).reshape(1, 1, 3)
    masks = apply(np.repeat(probabilities, 3, axis=0), thresholds=[0.5, 0.75, 0.25])
    assert masks[:, 0].tolist() == [[0, 1, 1], [0, 0, 1], [1, 1, 1]]


def test_organ_below_presence_is_dropped_on_that_slice_only():
    probabilities = np.zeros((3, 2, 3, 2), dtype=np.float32)
    probabilities[1, 0, 1] = [0.5, 0.75]
    masks = apply(probabilities, thresholds=0.4, presence=0.75)
    assert np.argwhere(masks).tolist() == [[1, 0, 1, 1]]


def test_diagonal_pixels_are_one_region_and_slices_are_not():
    probabilities = np.zeros((3, 4, 5, 2), dtype=np.float32)
    probabilities[0, [0, 1, 2], [0, 1, 2], 0] = 1  # three pixels corner to corner
    probabilities[0, 0, 4, 0] = probabilities[0, 0, 4, 1] = 1  # one pixel on each of two slices
    masks = apply(probabilities, min_region_px=3)
    assert np.argwhere(masks).tolist() == [[0, 0, 0, 0], [0, 1, 1, 0], [0, 2, 2, 0]]


def test_organ_persists_after_small_regions_are_gone():
    probabilities = np.zeros((3, 4, 6, 4), dtype=np.float32)
    probabilities[2, 1:3, 1:3, :3] = 1
    probabilities[2, 1:3, 2, 1] = probabilities[2, 2, 1, 1] = 0  # one pixel is left on slice 1
    assert apply(probabilities, min_slices=3).any()
    assert apply(probabilities, min_region_px=2, min_slices=1).any()
    assert not apply(probabilities, min_region_px=2, min_slices=3).any()


def test_organ_that_fills_the_slice_stays():
    assert apply(np.ones((3, 3, 4, 2), dtype=np.float32), min_region_px=12, min_slices=2).all()


def test_rules_by_organ_name_follow_the_channels():
    probabilities = draw_probabilities()
    by_name = {"stomach": 0.8, "large_bowel": 0.3, "small_bowel": 0.6}
    assert np.array_equal(apply(probabilities, thresholds=by_name), apply(probabilities, thresholds=(0.3, 0.6, 0.8)))


def test_classes_name_the_channels():
    probabilities = draw_probabilities()[:1]
    rules = ApplyOrganRulesd("pred", {"polyp": 0.7}, classes=["polyp"])
    masks = rules({"pred": torch.from_numpy(probabilities)})["pred"]
    assert np.array_equal(masks.numpy(), probabilities >= np.float32(0.7))


def test_one_slice_gives_the_same_as_in_its_scan():
    probabilities = draw_probabilities()
    rules = {"thresholds": 0.55, "min_region_px": 5, "presence": 0.6}
    assert np.array_equal(apply(probabilities[..., 3].copy(), **rules), apply(probabilities, **rules)[..., 3])


def test_overlapping_organs_both_stay():
    probabilities = np.zeros((3, 2, 3), dtype=np.float32)
    probabilities[:2, 1, 1] = 0.9
    assert np.argwhere(apply(probabilities)).tolist() == [[0, 1, 1], [1, 1, 1]]


def test_metadata_stays_and_so_does_the_input():
    affine = torch.diag(torch.tensor([2.0, 3.0, 4.0, 1.0], dtype=torch.float64))
    pred = MetaTensor(torch.from_numpy(draw_probabilities()), affine=affine, meta={"filename_or_obj": "slice.png"})
    before = pred.clone()
    masks = ApplyOrganRulesd("pred", min_region_px=5)({"pred": pred})["pred"]
    assert isinstance(masks, MetaTensor)
    assert torch.equal(masks.affine, affine)
    assert masks.meta["filename_or_obj"] == "slice.png"
    assert torch.equal(pred, before)


def test_numpy_in_numpy_out():
    masks = ApplyOrganRulesd("pred")({"pred": draw_probabilities()})["pred"]
    assert isinstance(masks, np.ndarray)
    assert masks.dtype == np.uint8


def test_16_bit_probabilities_are_taken():
    half = torch.from_numpy(draw_probabilities()).to(torch.bfloat16)
    masks = ApplyOrganRulesd("pred", 0.5, 3, 0.6, 2)({"pred": half})["pred"]
    expected = ApplyOrganRulesd("pred", 0.5, 3, 0.6, 2)({"pred": half.float()})["pred"]
    assert torch.equal(masks, expected)


def test_empty_volume_gives_an_empty_volume():
    assert apply(np.zeros((3, 4, 5, 0), dtype=np.float32), min_region_px=5, min_slices=2).shape == (3, 4, 5, 0)


def test_missing_key_is_an_error_unless_allowed():
    with pytest.raises(KeyError, match="pred"):
        ApplyOrganRulesd()({"image": 1})
    assert ApplyOrganRulesd(allow_missing_keys=True)({"image": 1}) == {"image": 1}


@pytest.mark.parametrize("fault", [float("nan"), 7.5])
def test_nan_and_logits_are_errors(fault):
    probabilities = draw_probabilities()
    probabilities[1, 2, 3, 4] = fault
    with pytest.raises(ValueError, match=f"probabilities up to {fault}, wanted 0 to 1; is the sigmoid missing"):
        apply(probabilities)


def test_rounding_above_one_is_no_error():
    assert apply(np.full((3, 2, 2), 1.000001, dtype=np.float32)).all()


def test_persistence_of_one_slice_is_an_error():
    with pytest.raises(ValueError, match=r"min_slices .* needs whole scans"):
        apply(draw_probabilities()[..., 0].copy(), min_slices=2)


@pytest.mark.parametrize("shape", [(2, 4, 5), (4, 5), (1, 3, 4, 5, 6)])
def test_other_shapes_are_errors(shape):
    with pytest.raises(ValueError, match=r"wanted \(3, H, W, D\) or \(3, H, W\)"):
        apply(np.zeros(shape, dtype=np.float32))


@pytest.mark.parametrize(
    ("rules", "text"),
    [
        ({"thresholds": 1.5}, "thresholds: 1.5, wanted 0 to 1"),
        ({"presence": -0.1}, "presence: -0.1, wanted 0 to 1"),
        ({"min_region_px": -1}, "min_region_px: -1, wanted 0 to inf"),
        ({"min_slices": [1, 0, 1]}, r"min_slices: \[1, 0, 1\], wanted 1 to inf"),
        ({"thresholds": [0.5, 0.5]}, "thresholds: 2 values, wanted one each"),
        ({"presence": {"stomach": 0.5}}, r"presence: values for \['stomach'\], wanted one each"),
    ],
)
def test_rules_out_of_range_are_errors(rules, text):
    with pytest.raises(ValueError, match=text):
        ApplyOrganRulesd("pred", **rules)
