"""Prediction of whole scans against plain MONAI, against a slow loop over slices, and by hand."""

import dataclasses

import nibabel
import numpy as np
import pytest
import torch

from monai_gi.errors import DataError
from monai_gi.prediction_settings import PredictionSettings
from monai_gi.predictor import Predictor
from monai_gi.transforms.rules import ApplyOrganRulesd
from tests.drawn_volumes import ThreeOrgans, affine_of, drawn_scan
from tests.plain_monai_pipeline import predict_with_plain_monai

SETTINGS = PredictionSettings(roi_size=(32, 32), slice_offsets=(-2, 0, 2), amp=False)
AXIAL, DOWN = (1, 0, 2), (-1, -1, -1)


def predict(scan, network=None, **changes):
    return Predictor(network or ThreeOrgans(), SETTINGS.replace(**changes), "cpu").predict(scan)


class FirstSlice(torch.nn.Module):
    """Logits of slice k of the stack, for all organs: what the network is shown comes back."""

    def __init__(self, k: int = 1) -> None:
        super().__init__()
        self.k = k

    def forward(self, stacks: torch.Tensor) -> torch.Tensor:
        return stacks[:, self.k : self.k + 1].clamp(1e-4, 1 - 1e-4).logit().expand(-1, 3, -1, -1)


@pytest.mark.parametrize(
    ("axes", "signs", "spacing_mm", "turn"),
    [
        ((1, 0, 2), (-1, -1, -1), (1.5, 1.5, 3.0), 0.0),  # the contest's own
        ((0, 1, 2), (1, 1, 1), (0.9, 1.3, 4.0), 0.0),  # a plain RAS NIfTI, half steps between slices
        ((1, 0, 2), (-1, 1, 1), (2.1, 0.7, 2.5), 0.3),  # oblique
        ((2, 1, 0), (-1, -1, 1), (1.1, 1.6, 3.3), 0.0),  # sagittal
        ((2, 0, 1), (-1, 1, -1), (1.4, 1.0, 2.0), -0.2),  # coronal, oblique
    ],
)
@pytest.mark.parametrize("roi_size", [(33, 40), (16, 24)])
def test_masks_equal_those_of_plain_monai(tmp_path, axes, signs, spacing_mm, turn, roi_size):
    scan = drawn_scan((24, 19, 8), affine_of(axes, signs, spacing_mm, turn))
    image = nibabel.Nifti1Image(scan.voxels, scan.affine)
    nibabel.save(image, tmp_path / "scan.nii.gz")
    scan = dataclasses.replace(scan, affine=nibabel.load(tmp_path / "scan.nii.gz").affine)  # rounded to float32
    plain = predict_with_plain_monai(tmp_path / "scan.nii.gz", ThreeOrgans(), roi_size=list(roi_size))
    ours = predict(scan, roi_size=roi_size)
    np.testing.assert_allclose(ours.probabilities, plain["pred"].numpy(), atol=1e-4)
    assert np.array_equal(ours.masks, plain["mask"].numpy() == 1)
    assert 0.1 < ours.masks.mean() < 0.9


def test_result_lies_on_the_voxels_of_the_scan_in_their_type():
    scan = drawn_scan((23, 17, 6), affine_of((2, 0, 1), (1, -1, 1), (0.8, 1.2, 3.0)))
    found = predict(scan)
    assert found.masks.shape == found.probabilities.shape == (3, 23, 17, 6)
    assert (found.masks.dtype, found.probabilities.dtype) == (bool, np.float32)
    assert found.confidence.entropy.shape == (6,)
    assert found.confidence.disagreement is None
    assert list(found.seconds) == ["prepare", "forward", "restore", "rules", "confidence"]


@pytest.mark.parametrize(("axes", "signs"), [(AXIAL, DOWN), ((1, 0, 2), (1, -1, 1)), ((2, 0, 1), (-1, 1, -1))])
def test_what_the_network_is_shown_comes_back_to_its_place(axes, signs):
    scan = drawn_scan((20, 15, 5), affine_of(axes, signs, (1.5, 1.5, 1.5)))
    found = predict(scan, FirstSlice())
    low, high = np.percentile(scan.voxels, (0.5, 99.5))
    assert found.window == (low, high)
    wanted = ((scan.voxels - low) / (high - low)).clip(1e-4, 1 - 1e-4)
    for channel in found.probabilities:
        np.testing.assert_allclose(channel, wanted, atol=1e-5)


def test_percentiles_are_those_of_the_settings_and_of_the_whole_scan():
    scan = drawn_scan((20, 15, 5), affine_of(AXIAL, DOWN, (0.7, 1.5, 3)))
    assert predict(scan, percentiles=(10, 60)).window == tuple(np.percentile(scan.voxels, (10, 60)))


def shown_neighbours(spacing: float, numbers: list[int], offset: int, *, flip: bool = False, **changes) -> list[int]:
    """Position of the slice that stands `offset` steps of 3 mm away from each, as the network is shown it."""
    affine = affine_of(AXIAL, (-1, -1, 1 if flip else -1), (1.5, 1.5, spacing))
    scan = drawn_scan((4, 4, len(numbers)), affine, numbers)
    levels = np.linspace(0.1, 0.9, len(numbers))
    scan.voxels[:] = 1000 * levels
    scan.voxels[0, 0, 0], scan.voxels[0, 0, -1] = 0, 1000
    found = predict(scan, FirstSlice(0), slice_offsets=(offset,), percentiles=(0, 100), **changes)
    return [int(np.abs(levels - level).argmin()) for level in found.probabilities[0, 2, 2]]


def test_neighbours_are_found_by_mm():
    assert shown_neighbours(3.0, [0, 1, 2, 3], 1) == [1, 2, 3, 3]
    assert shown_neighbours(1.5, [0, 1, 2, 3], 1) == [2, 3, 3, 3]
    assert shown_neighbours(7.0, [0, 1, 2, 3], 1) == [0, 1, 2, 3]
    assert shown_neighbours(5.0, [0, 1, 2, 3], 1) == [1, 2, 3, 3]
    assert shown_neighbours(3.0, [0, 1, 2, 3], 1, slice_spacing_mm=6.0) == [2, 3, 3, 3]
    assert shown_neighbours(3.0, [0], 1) == [0]


def test_of_two_slices_equally_near_the_nearer_to_itself_is_shown():
    assert shown_neighbours(2.0, [0, 1, 2, 3], 1) == [1, 2, 3, 3]
    assert shown_neighbours(2.0, [0, 1, 2, 3], -1) == [0, 0, 1, 2]
    # 6 mm of 4/3 mm are 4 and a half slices, whatever the rounding
    assert shown_neighbours(4 / 3, list(range(8)), 2) == [4, 5, 6, 7, 7, 7, 7, 7]


def test_neighbours_are_counted_towards_the_feet_and_over_gaps():
    assert shown_neighbours(3.0, [0, 1, 2, 3], 1, flip=True) == [0, 0, 1, 2]
    assert shown_neighbours(3.0, [0, 1, 4, 5], 2) == [1, 2, 3, 3]
    assert shown_neighbours(3.0, [0, 1, 4, 5], 2, flip=True) == [0, 0, 1, 2]
    assert shown_neighbours(3.0, [0, 1, 4, 7], -3) == [0, 0, 1, 2]
    assert shown_neighbours(3.0, [0, 1, 2, 5], 2, flip=True) == [0, 0, 0, 2]


def test_missing_slices_across_the_planes_are_refused():
    scan = drawn_scan((8, 8, 4), affine_of((2, 0, 1), (-1, 1, -1), (1, 1, 3)), [0, 1, 3, 4])
    with pytest.raises(DataError, match="drawn: slices are missing, and the network's planes"):
        predict(scan)


def test_a_single_slice_and_a_single_line():
    for shape in ((21, 16, 1), (1, 16, 1)):
        found = predict(drawn_scan(shape, affine_of(AXIAL, DOWN, (1.2, 1.2, 8.0))))
        assert found.masks.shape == (3, *shape)


def test_voxels_that_are_no_numbers_are_refused():
    scan = drawn_scan((8, 8, 4), affine_of(AXIAL, DOWN, (1, 1, 3)))
    voxels = scan.voxels.astype(np.float32)
    voxels[3, 3, 3] = np.nan
    with pytest.raises(DataError, match=r"drawn: holds voxels that are not numbers \(NaN\)"):
        predict(dataclasses.replace(scan, voxels=voxels))


def test_rules_are_applied_on_the_voxels_of_the_scan():
    scan = drawn_scan((40, 31, 4), affine_of(AXIAL, DOWN, (0.75, 0.9, 3)))
    rules = {"thresholds": [0.3, 0.5, 0.6], "presence": [0.7, 0.999, 0.7], "min_region_px": 25}
    found = predict(scan, **rules)
    wanted = ApplyOrganRulesd("pred", **rules)({"pred": found.probabilities})["pred"]
    assert np.array_equal(found.masks, wanted == 1)
    for name in rules:
        changed = predict(scan, **{**rules, name: getattr(SETTINGS, name)})
        assert not np.array_equal(found.masks, changed.masks), name


def entropy_by_hand(found, pixel_mm2: float) -> list[float]:
    values = []
    for d in range(found.masks.shape[3]):
        total, count = 0.0, 0
        for p, inside in zip(found.probabilities[..., d].ravel().tolist(), found.masks[..., d].ravel(), strict=True):
            if 0.05 < p < 0.95 or inside:
                count += 1
                total -= sum(q * np.log2(q) for q in (p, 1 - p) if q > 0)
        values.append(total / max(count, 100 / pixel_mm2))
    return values


def test_entropy_is_the_mean_of_undecided_voxels_and_of_those_inside():
    scan = drawn_scan((20, 15, 3), affine_of(AXIAL, DOWN, (1.0, 1.2, 3)))
    network = ThreeOrgans()
    network.second.data *= 8
    found = predict(scan, network, min_region_px=30)
    np.testing.assert_allclose(found.confidence.entropy, entropy_by_hand(found, 1.2), rtol=1e-4)
    assert 0.05 < found.confidence.entropy.min() < found.confidence.entropy.max() < 1
    few = drawn_scan((3, 2, 2), affine_of(AXIAL, DOWN, (1.0, 1.2, 3)))
    np.testing.assert_allclose(predict(few).confidence.entropy, entropy_by_hand(predict(few), 1.2), rtol=1e-4)


class SeenFromTheLeft(torch.nn.Module):
    """Says organ 0 where the picture is bright, but a certain column only if the picture is not mirrored."""

    def forward(self, stacks: torch.Tensor) -> torch.Tensor:
        inside = stacks[:, 1:2] > 0.3
        mirrored = stacks[:, 1, :, :16].mean() < stacks[:, 1, :, 16:].mean()
        if mirrored:
            inside[..., 20] = False
        logits = torch.where(inside, 9.0, -9.0)
        return torch.cat([logits, torch.full_like(logits, -9.0).expand(-1, 2, -1, -1)], dim=1)


@pytest.mark.parametrize("axes", [(1, 0, 2), (2, 1, 0)])
def test_disagreement_is_one_minus_dice_of_the_mirrored_pass(axes):
    shape = [1, 1, 1]
    for scan_axis, ras_axis in enumerate(axes):
        shape[scan_axis] = {0: 32, 1: 32, 2: 3}[ras_axis]
    scan = drawn_scan(shape, affine_of(axes, (-1, -1, -1), (1.5, 1.5, 1.5)))
    by_plane = scan.voxels.transpose(np.argsort(axes))  # (left, posterior, feet)
    by_plane[:] = 0
    by_plane[2:12, 5:25] = 1000  # columns 2 to 11; mirrored 20 to 29, of which one is lost
    by_plane[..., 1] = 0
    found = predict(scan, SeenFromTheLeft(), flips=("left_right",), percentiles=(0, 100))
    wanted = 1 - 2 * (9 * 20) / (10 * 20 + 9 * 20)
    if axes[2] == 2:
        np.testing.assert_allclose(found.confidence.disagreement, [wanted, 0, wanted], atol=1e-6)
    else:  # slices lie across: each holds one column of two planes, 40 voxels of 2.25 mm2, under 1 cm2
        column = np.zeros(32)
        column[11] = 40 / (2 * 100 / 2.25)
        np.testing.assert_allclose(found.confidence.disagreement, column, atol=1e-6)


def test_flips_average_probabilities_as_the_inferer_does():
    scan = drawn_scan((20, 15, 3), affine_of(AXIAL, DOWN, (1.5, 1.5, 3)))
    network = ThreeOrgans()
    both = predict(scan, network, flips=("left_right", "up_down"))
    inferer = SETTINGS.replace(flips=("left_right", "up_down")).inferer(3.0, amp=False)
    low, high = both.window
    volume = torch.from_numpy(((scan.voxels - low) / (high - low)).clip(0, 1).astype(np.float32))
    wanted = inferer(volume[None, None], network, slices=np.arange(3) * 1000).sigmoid()[0]
    np.testing.assert_allclose(both.probabilities, wanted.numpy(), atol=1e-5)
    assert both.confidence.disagreement.shape == (3,)
    assert (both.confidence.disagreement > 0).all()
    assert (both.confidence.disagreement < 1).all()


@pytest.mark.parametrize("axes", [(1, 0, 2), (2, 0, 1)])
def test_progress_counts_slices_of_the_scan(axes):
    calls = []
    scan = drawn_scan((20, 11, 19), affine_of(axes, (-1, -1, -1), (1.5, 1.5, 3)))
    Predictor(ThreeOrgans(), SETTINGS, "cpu").predict(scan, progress=lambda *call: calls.append(call))
    assert calls == [(7, 19), (15, 19), (19, 19)] if axes[0] == 2 else [(8, 19), (16, 19), (19, 19)]


def test_another_number_of_channels_is_an_error():
    scan = drawn_scan((8, 8, 2), affine_of(AXIAL, DOWN, (1.5, 1.5, 3)))
    with pytest.raises(ValueError, match="network: 2 channels, wanted one an organ: 3"):
        predict(scan, torch.nn.Conv2d(3, 2, 1))


def test_the_network_is_set_to_evaluation():
    network = torch.nn.Sequential(torch.nn.Dropout(0.5), torch.nn.Conv2d(3, 3, 1)).train()
    Predictor(network, SETTINGS, "cpu")
    assert not network.training


def test_bf16_stays_near_full_precision():
    scan = drawn_scan((20, 15, 3), affine_of(AXIAL, DOWN, (1.5, 1.5, 3)))
    exact, rounded = predict(scan), predict(scan, amp="bf16")
    assert 0 < np.abs(exact.probabilities - rounded.probabilities).max() < 0.05


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_cuda_finds_the_same_masks():
    scan = drawn_scan((40, 31, 9), affine_of((2, 0, 1), (1, -1, 1), (0.8, 1.2, 3.0)))
    settings = SETTINGS.replace(flips=("left_right",))
    on_cpu, on_cuda = (Predictor(ThreeOrgans(), settings, device).predict(scan) for device in ("cpu", "cuda"))
    np.testing.assert_allclose(on_cuda.probabilities, on_cpu.probabilities, atol=2e-3)
    assert np.mean(on_cuda.masks != on_cpu.masks) < 1e-3
