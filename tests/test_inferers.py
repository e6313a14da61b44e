"""2.5D inference against one slice at a time, and mixed precision on the CPU."""

import pytest
import torch
from monai.data import MetaTensor, decollate_batch, list_data_collate
from monai.inferers import SlidingWindowInferer
from torch import nn

from monai_gi.inferers import AutocastInferer, StackedSliceInferer
from tests.oracles.stacked_slices import infer_slice_by_slice


class Recorder(nn.Module):
    """Two classes from K slices, seeing one pixel around, unlike in each direction; remembers what it was given."""

    def __init__(self, slices: int = 3) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.kernel = nn.Parameter(torch.randn((2, slices, 3, 3), generator=generator))
        self.shapes, self.dtypes = [], []

    def forward(self, images: torch.Tensor, shift: float = 0.0) -> torch.Tensor:
        self.shapes.append(tuple(images.shape))
        logits = nn.functional.conv2d(images, self.kernel, padding=1) + shift
        self.dtypes.append(logits.dtype)
        return logits


@pytest.fixture
def scan() -> torch.Tensor:
    """Two scans of 5 slices of 20 rows and 14 columns."""
    return torch.rand((2, 1, 20, 14, 5), generator=torch.Generator().manual_seed(1))


def expected(scan: torch.Tensor, numbers: list[int], offsets: tuple[int, ...], **settings: object) -> torch.Tensor:
    network, inferer = Recorder(len(offsets)), SlidingWindowInferer(sw_batch_size=1, **settings)
    return torch.stack([infer_slice_by_slice(volume[0], network, numbers, offsets, inferer) for volume in scan])


@pytest.mark.parametrize("roi_size", [(24, 14), (32, 32)])
def test_a_slice_that_fits_goes_through_one_padded_window(scan, roi_size):
    network = Recorder()
    logits = StackedSliceInferer(roi_size, sw_batch_size=2)(scan, network)
    wanted = expected(scan, [0, 1, 2, 3, 4], (-2, 0, 2), roi_size=roi_size, mode="constant")
    torch.testing.assert_close(logits, wanted)
    assert network.shapes == [(2, 3, *roi_size), (2, 3, *roi_size), (1, 3, *roi_size)] * 2


def test_the_slice_stands_in_the_middle_of_its_window():
    windows = []

    def network(images: torch.Tensor) -> torch.Tensor:
        windows.append(images)
        return images

    StackedSliceInferer((24, 17), (0,))(torch.ones(1, 1, 20, 14, 1), network)
    wanted = torch.zeros(24, 17)
    wanted[2:22, 1:15] = 1
    assert torch.equal(windows[0][0, 0], wanted)


@pytest.mark.parametrize("mode", ["gaussian", "constant"])
@pytest.mark.parametrize("overlap", [0.25, 0.75])
def test_larger_slices_are_blended_as_monai_does(scan, mode, overlap):
    logits = StackedSliceInferer((8, 16), overlap=overlap, mode=mode)(scan, Recorder())
    wanted = expected(scan, [0, 1, 2, 3, 4], (-2, 0, 2), roi_size=(8, 16), overlap=overlap, mode=mode)
    torch.testing.assert_close(logits, wanted)


def test_overlap_and_mode_change_the_answer(scan):
    answers = [
        StackedSliceInferer((8, 8), overlap=overlap, mode=mode)(scan, Recorder())
        for overlap, mode in [(0.25, "gaussian"), (0.75, "gaussian"), (0.25, "constant")]
    ]
    assert not torch.allclose(answers[0], answers[1], atol=1e-3)
    assert not torch.allclose(answers[0], answers[2], atol=1e-3)


def test_one_number_is_a_square_window(scan):
    network = Recorder()
    StackedSliceInferer(32)(scan, network)
    assert network.shapes[0][2:] == (32, 32)


def test_no_more_windows_at_once_than_told(scan):
    network = Recorder()
    StackedSliceInferer((8, 8), sw_batch_size=3)(scan, network)
    assert max(shape[0] for shape in network.shapes) == 3


@pytest.mark.parametrize("offsets", [(0,), (-1, 0, 1), (-2, -1, 0, 1, 3)])
def test_any_offsets_make_the_stack(scan, offsets):
    logits = StackedSliceInferer(32, offsets)(scan, Recorder(len(offsets)))
    torch.testing.assert_close(logits, expected(scan, [0, 1, 2, 3, 4], offsets, roi_size=(32, 32)))


def test_offsets_count_in_slice_numbers_over_gaps(scan):
    numbers = [4, 5, 6, 9, 10]
    logits = StackedSliceInferer(32)(scan, Recorder(), slices=numbers)
    torch.testing.assert_close(logits, expected(scan, numbers, (-2, 0, 2), roi_size=(32, 32)))
    assert not torch.allclose(logits, StackedSliceInferer(32)(scan, Recorder()))


def test_one_slice_is_its_own_neighbour(scan):
    logits = StackedSliceInferer(32)(scan[..., :1], Recorder())
    torch.testing.assert_close(logits, expected(scan[..., :1], [0], (-2, 0, 2), roi_size=(32, 32)))


def test_flips_average_the_probabilities(scan):
    network = Recorder()
    plain = StackedSliceInferer(32)
    mirrored = {
        (3,): plain(scan.flip(3), network).flip(3),
        (2,): plain(scan.flip(2), network).flip(2),
        (2, 3): plain(scan.flip(2, 3), network).flip(2, 3),
    }
    itself = plain(scan, network).sigmoid()
    for flips, axes in [(("left_right",), (3,)), (("up_down",), (2,)), (("both",), (2, 3))]:
        wanted = (itself + mirrored[axes].sigmoid()) / 2
        torch.testing.assert_close(StackedSliceInferer(32, flips=flips)(scan, network).sigmoid(), wanted)
    wanted = (itself + mirrored[(3,)].sigmoid() + mirrored[(2,)].sigmoid()) / 3
    both = StackedSliceInferer(32, flips=("left_right", "up_down"))(scan, network)
    torch.testing.assert_close(both.sigmoid(), wanted)


def test_passes_come_group_by_group_and_apart(scan):
    network, volume = Recorder(), scan[0, 0]
    inferer = StackedSliceInferer(32, sw_batch_size=2, flips=("left_right", "up_down"))
    groups = list(inferer.passes(volume, network, slices=[1, 2, 4, 5, 6]))
    assert [group for group, _ in groups] == [slice(0, 2), slice(2, 4), slice(4, 5)]
    plain = StackedSliceInferer(32)
    for place, axes in enumerate([(), (3,), (2,)]):
        wanted = plain(scan[:1].flip(axes), network, slices=[1, 2, 4, 5, 6]).flip(axes)[0]
        found = torch.cat([passes[place] for _, passes in groups])
        torch.testing.assert_close(found.permute(1, 2, 3, 0), wanted)
    assert not found.requires_grad
    with pytest.raises(ValueError, match="slices: 1 numbers for 5 slices"):
        next(inferer.passes(volume, network, slices=[1]))


def test_certain_networks_keep_finite_logits_with_flips(scan):
    logits = StackedSliceInferer(32, flips=("both",))(scan, Recorder(), shift=500.0)
    assert torch.isfinite(logits).all()
    assert (logits > 10).all()


def test_arguments_reach_the_network(scan):
    shifted = StackedSliceInferer(32)(scan, Recorder(), shift=3.0)
    torch.testing.assert_close(shifted, StackedSliceInferer(32)(scan, Recorder()) + 3)
    torch.testing.assert_close(shifted, StackedSliceInferer(32)(scan, Recorder(), 3.0))


def test_metadata_stays_and_does_not_reach_the_network(scan):
    affine = torch.diag(torch.tensor([2.0, 1.5, 3.0, 1.0], dtype=torch.float64))
    seen = []

    def network(images: torch.Tensor) -> torch.Tensor:
        seen.append(type(images))
        return images[:, :2]

    logits = StackedSliceInferer(32)(MetaTensor(scan, affine=affine, meta={"filename_or_obj": "a.png"}), network)
    assert isinstance(logits, MetaTensor)
    assert torch.equal(logits.affine, affine)
    assert logits.meta["filename_or_obj"] == "a.png"
    assert set(seen) == {torch.Tensor}


def test_a_batch_of_results_comes_apart_like_its_input(scan):
    affines = [torch.diag(torch.tensor([spacing, 1.5, 3.0, 1.0], dtype=torch.float64)) for spacing in (2.0, 1.63)]
    batch = list_data_collate([MetaTensor(volume, affine=affine) for volume, affine in zip(scan, affines, strict=True)])
    results = decollate_batch(StackedSliceInferer(32)(batch, Recorder()))
    assert [tuple(result.shape) for result in results] == [(2, 20, 14, 5)] * 2
    assert all(torch.equal(result.affine, affine) for result, affine in zip(results, affines, strict=True))


def test_logits_are_float32_without_gradient(scan):
    logits = StackedSliceInferer(32)(scan.double(), Recorder())
    assert logits.dtype == torch.float32
    assert not logits.requires_grad


@pytest.mark.parametrize("roi_size", [32, 8])
def test_bf16_runs_the_network_in_bf16_and_answers_in_float32(scan, roi_size):
    network = Recorder()
    logits = StackedSliceInferer(roi_size, amp="bf16")(scan, network)
    assert set(network.dtypes) == {torch.bfloat16}
    assert logits.dtype == torch.float32
    exact = StackedSliceInferer(roi_size)(scan, Recorder())
    assert 0 < (logits - exact).abs().max() < 0.1


def test_the_result_lies_on_the_device_asked_for(scan):
    assert StackedSliceInferer(32, device="meta")(scan, Recorder()).device.type == "meta"


def test_a_list_of_heads_is_an_error(scan):
    with pytest.raises(TypeError, match=r"returned list, wanted one tensor .* Call network.eval\(\) first"):
        StackedSliceInferer(32)(scan, lambda images: [images, images])


@pytest.mark.parametrize("shape", [(1, 20, 14, 5), (1, 3, 20, 14, 5), (1, 1, 20, 14, 0)])
def test_other_inputs_than_scans_are_an_error(shape):
    with pytest.raises(ValueError, match=r"inputs: shape .*, wanted \(B, 1, H, W, D\)"):
        StackedSliceInferer(32)(torch.zeros(shape), Recorder())


def test_as_many_numbers_as_slices(scan):
    with pytest.raises(ValueError, match="slices: 2 numbers for 5 slices"):
        StackedSliceInferer(32)(scan, Recorder(), slices=[1, 2])


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"flips": ("diagonal",)}, r"flips: \['diagonal'\] not known, there are \['left_right', 'up_down', 'both'\]"),
        ({"flips": "both"}, "flips: 'both' is a string"),
        ({"sw_batch_size": 0}, "sw_batch_size: 0, wanted 1 or more"),
        ({"overlap": 1.0}, "overlap: 1.0, wanted at least 0 and below 1"),
        ({"mode": "gauss"}, "mode: 'gauss', wanted 'gaussian' or 'constant'"),
        ({"offsets": ()}, "offsets: empty"),
        ({"amp": "half"}, "amp: 'half', wanted True, False, 'bf16' or 'fp16'"),
        ({"roi_size": (32, 0)}, r"roi_size: \(32, 0\), wanted"),
    ],
)
def test_unknown_settings_are_errors_at_once(settings, problem):
    with pytest.raises(ValueError, match=problem):
        StackedSliceInferer(**{"roi_size": 32, **settings})


def test_training_in_full_precision_adds_nothing():
    network, images = Recorder(), torch.rand(1, 3, 8, 6)
    assert torch.equal(AutocastInferer(amp=False)(images, network), network(images))
    assert set(network.dtypes) == {torch.float32}


@pytest.mark.parametrize("amp", [True, "bf16"])
def test_training_in_bf16_keeps_gradients_and_answers_in_float32(amp):
    network = Recorder()
    logits = AutocastInferer(amp=amp)(torch.rand(1, 3, 8, 6), network)
    assert (network.dtypes[-1], logits.dtype) == (torch.bfloat16, torch.float32)
    logits.sum().backward()
    assert network.kernel.grad.dtype == torch.float32


def test_training_keeps_the_heads_of_deep_supervision():
    network = Recorder()
    heads = AutocastInferer(amp="bf16")(torch.rand(1, 3, 8, 6), lambda images: [network(images), network(images)])
    assert [head.dtype for head in heads] == [torch.float32, torch.float32]


def test_training_passes_arguments_on():
    images = torch.rand(1, 3, 8, 6)
    for amp in (False, "bf16"):
        shifted = AutocastInferer(amp)(images, Recorder(), shift=4.0)
        torch.testing.assert_close(shifted, AutocastInferer(amp)(images, Recorder()) + 4, atol=0.05, rtol=0)


def test_fp16_without_cuda_is_an_error():
    with pytest.raises(ValueError, match="amp: 'fp16' on cpu, wanted 'bf16' there"):
        AutocastInferer("fp16")(torch.rand(1, 3, 8, 6), Recorder())


def test_unknown_precision_is_an_error():
    with pytest.raises(ValueError, match="amp: 'float16', wanted True, False"):
        AutocastInferer("float16")
