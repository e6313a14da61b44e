"""The U-Net with a context branch: shapes, what it sees, sizes it refuses, and its TorchScript."""

import pytest
import torch
from monai.networks.nets import BasicUNet

from monai_gi.networks import ContextUNet
from monai_gi.sharing import torchscript

NARROW = (4, 4, 8, 8, 8, 4)


def network(levels, seed=0, **settings):
    torch.manual_seed(seed)
    return ContextUNet(levels=levels, features=NARROW, norm="batch", **settings).eval()


def image(levels, height=32, width=48, batch=2):
    return torch.rand(batch, 3 * levels, height, width, generator=torch.Generator().manual_seed(1))


def test_one_level_is_monai_s_basic_unet():
    ours, theirs = network([1]), BasicUNet(2, 3, 6, NARROW, norm="batch").eval()
    theirs.load_state_dict(ours.state_dict())
    assert torch.equal(ours(image(1)), theirs(image(1)))


@pytest.mark.parametrize("levels", [[0, 2], [0, 1], [1, 3, 4]])
def test_logits_have_the_size_of_the_first_level(levels):
    assert network(levels)(image(len(levels))).shape == (2, 6, 32, 48)


def test_the_context_counts_and_so_does_what_lies_beyond_the_first_level():
    net, pixels = network([0, 2]), image(2)
    other = pixels.clone()
    other[:, 3:, :4] = 0  # far above the middle 8 x 12 pixels, which show what the first level shows
    assert not torch.equal(net(pixels), net(other))


def test_the_middle_of_the_context_lies_on_the_first_level():
    """A change at one end of the middle changes the logits most at that end."""
    net, pixels = network([0, 2]), image(2, 64, 64, 1)
    net.contexts[0] = torch.nn.Conv2d(3, 2, 1)  # sees a pixel alone
    changed = pixels.clone()
    changed[:, 3:, 24:28, 24:28] += 5  # the upper left quarter of the middle 16 x 16
    difference = (net(changed) - net(pixels)).abs().sum(dim=(0, 1))
    outside = pixels.clone()
    outside[:, 3:, :24] += 5
    assert difference[:16, :16].mean() > 3 * difference[48:, 48:].mean()
    assert torch.allclose(net(outside), net(pixels), atol=1e-6)


def test_gradients_reach_every_weight():
    net = network([0, 2]).train()
    net(image(2)).square().mean().backward()
    assert all(weight.grad is not None for weight in net.parameters())


def test_a_trace_gives_the_same_numbers():
    net = network([0, 2])
    traced = torchscript.load(torchscript.trace(net, (2, 6, 32, 48)))
    other = image(2).flip(0) * 0.5
    with torch.no_grad():
        assert torch.allclose(traced(other), net(other), atol=1e-6)


@pytest.mark.parametrize(
    ("levels", "height", "width", "nearest"),
    [([0], 40, 48, r"\[32, 48\]"), ([0, 2], 32, 56, r"\[32, 64\]"), ([0, 5], 60, 70, r"\[64, 64\]")],
)
def test_sizes_that_do_not_fit_are_refused_with_the_nearest_that_do(levels, height, width, nearest):
    with pytest.raises(ValueError, match=f"wanted multiples of .*{nearest}"):
        network(levels)(image(len(levels), height, width))
    fitting = eval(nearest.replace("\\", ""))
    assert network(levels)(image(len(levels), *fitting, batch=1)).shape[2:] == tuple(fitting)


def test_channels_of_another_number_of_levels_are_refused():
    with pytest.raises(ValueError, match="3 channels, wanted 6: 3 for each level"):
        network([0, 2])(image(1))


@pytest.mark.parametrize("levels", [[], [2, 0], [1, 1]])
def test_levels_must_grow(levels):
    with pytest.raises(ValueError, match="wanted at least one, growing"):
        network(levels)
