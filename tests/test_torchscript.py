"""TorchScript is proved on the sizes that are claimed, and carries nothing of the machine."""

import io
import zipfile

import pytest
import torch

from monai_gi.sharing import torchscript


class Branching(torch.nn.Module):
    """Answers otherwise for wide images and for large batches: what a trace does not record."""

    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(2, 1, 3, padding=1)

    def forward(self, x):
        return self.conv(x) * (1.0 if x.shape[-1] < 100 and x.shape[0] < 3 else 2.0)


def metadata(*shape, channels=2):
    return {"network_data_format": {"inputs": {"image": {"num_channels": channels, "spatial_shape": list(shape)}}}}


def test_a_fixed_claim_is_tried_in_several_batches():
    assert torchscript.claimed_sizes(metadata(64, 96)) == [(1, 2, 64, 96), (3, 2, 64, 96)]


def test_a_claim_of_multiples_is_tried_with_unequal_sides():
    sizes = torchscript.claimed_sizes(metadata("32*n", "16*n", channels=5))
    assert {size[2:] for size in sizes} == {(32, 48), (64, 32), (96, 16)}
    assert {size[1] for size in sizes} == {5}
    assert torchscript.claimed_sizes(metadata("n", 40))[0][2:] == (32, 40)


def test_an_unknown_claim_is_refused():
    with pytest.raises(ValueError, match="spatial_shape: '2\\*\\*n', wanted a number or a text such as '32\\*n'"):
        torchscript.claimed_sizes(metadata("2**n", 32))


def test_a_branch_that_was_not_recorded_is_found():
    network = Branching().eval()
    script = torchscript.load(torchscript.trace(network, (1, 2, 20, 30)))
    sizes = [(1, 2, 20, 30), (1, 2, 33, 40), (3, 2, 20, 30), (1, 2, 20, 128)]
    found = torchscript.largest_differences(script, network, sizes)
    assert [difference > torchscript.TOLERANCE for difference in found.values()] == [False, False, True, True]


def test_another_shape_a_failure_and_nan_count_as_infinitely_far():
    sizes = [(1, 2, 8, 9)]
    wider = torchscript.load(torchscript.trace(torch.nn.Conv2d(2, 1, 3, padding=2), (1, 2, 8, 9)))
    assert torchscript.largest_differences(wider, torch.nn.Conv2d(2, 1, 3, padding=1), sizes) == {
        sizes[0]: float("inf")
    }
    other = torchscript.load(torchscript.trace(torch.nn.Conv2d(3, 1, 3), (1, 3, 8, 9)))
    assert torchscript.largest_differences(other, torch.nn.Conv2d(2, 1, 3), sizes) == {sizes[0]: float("inf")}
    same = torchscript.load(torchscript.trace(torch.nn.Identity(), (1, 2, 8, 9)))
    assert torchscript.largest_differences(same, lambda x: x * float("nan"), sizes) == {sizes[0]: float("inf")}


def test_extra_files_lie_where_monai_deploy_looks():
    script = torchscript.trace(torch.nn.Conv2d(2, 1, 3), (1, 2, 8, 9))
    script = torchscript.with_extra_files(script, {"metadata.json": "{}"})
    with zipfile.ZipFile(io.BytesIO(script)) as archive:
        assert archive.read("model/extra/metadata.json") == b"{}"
        assert all(name.startswith("model/") and not name.endswith("debug_pkl") for name in archive.namelist())
    assert torchscript.load(script)(torch.zeros(1, 2, 8, 9)).shape == (1, 1, 6, 7)


class Masking(torch.nn.Module):
    """Makes a tensor on the device of its input, as SwinUNETR does; a trace writes down the device instead."""

    def forward(self, x):
        mask = torch.zeros(x.shape[-2:], device=x.device)
        mask[1:3] = 1
        return x * mask


def test_the_recorded_network_follows_its_input_to_another_device():
    script = torchscript.trace(Masking(), (1, 2, 8, 9))
    assert not torchscript.names_a_device(script)
    on_meta = torchscript.load(script)(torch.zeros(1, 2, 8, 9, device="meta"))
    assert on_meta.device.type == "meta"
    images = torch.rand(1, 2, 8, 9)
    torch.testing.assert_close(torchscript.load(script)(images), Masking()(images))


def test_a_device_that_no_tensor_tells_is_noticed(monkeypatch):
    monkeypatch.setattr(torchscript, "_follow_input", lambda code: code)
    assert torchscript.names_a_device(torchscript.trace(Masking(), (1, 2, 8, 9)))
