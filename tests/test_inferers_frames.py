"""Frames of any size through a network of one size: Pillow resizes as the other library, flips by hand."""

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from PIL import Image
from torch import nn

from monai_gi.inferers import FrameInferer


class Slope(nn.Module):
    """Two classes that tell left from right and top from bottom; remembers what it was given."""

    def __init__(self):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.kernel = nn.Parameter(torch.randn((2, 3, 3, 3), generator=generator))
        self.seen = []

    def forward(self, images):
        self.seen.append(images.detach().clone())
        return nn.functional.conv2d(images, self.kernel, padding=1)


def frames(height=20, width=34):
    return torch.rand((2, 3, height, width), generator=torch.Generator().manual_seed(1))


def pillow(array, size):
    return np.asarray(Image.fromarray(array.numpy()).resize(size[::-1], Image.Resampling.BILINEAR))


@pytest.mark.parametrize("roi_size", [(10, 17), (16, 32), (30, 41)])
def test_frames_are_resized_there_and_logits_back_as_pillow_does_it(roi_size):
    network = Slope()
    images = frames()
    logits = FrameInferer(roi_size)(images, network)
    (seen,) = network.seen
    for image, given in zip(images.flatten(0, 1), seen.flatten(0, 1), strict=True):
        np.testing.assert_allclose(given.numpy(), pillow(image, roi_size), atol=1e-5)
    answered = network(seen).detach()
    for small, large in zip(answered.flatten(0, 1), logits.flatten(0, 1), strict=True):
        np.testing.assert_allclose(large.numpy(), pillow(small, (20, 34)), atol=1e-4)
    assert logits.shape == (2, 2, 20, 34)
    assert not logits.requires_grad


def test_a_frame_of_the_size_is_not_touched():
    network = Slope()
    logits = FrameInferer((20, 34))(frames(), network)
    assert torch.equal(network.seen[0], frames())
    assert torch.equal(logits, network(frames()))


def test_flips_average_probabilities():
    network = Slope()
    logits = FrameInferer((20, 34), flips=["left_right", "up_down"])(frames(), network)
    turned = [network(frames().flip(axes)).flip(axes) for axes in ((), (-1,), (-2,))]
    mean = sum(one.sigmoid() for one in turned) / 3
    torch.testing.assert_close(logits.sigmoid(), mean, atol=1e-5, rtol=0)
    assert not torch.allclose(mean, turned[0].sigmoid(), atol=1e-3)


def test_one_number_is_both_sides_and_metadata_stays():
    network = Slope()
    logits = FrameInferer(16, amp="bf16")(MetaTensor(frames(), meta={"name": "frame 7"}), network)
    assert network.seen[0].shape[-2:] == (16, 16)
    assert logits.meta["name"] == "frame 7"
    assert logits.dtype == torch.float32
    assert not torch.equal(logits.as_tensor(), FrameInferer(16)(frames(), network))


def test_what_it_can_not_do_is_refused():
    with pytest.raises(ValueError, match=r"roi_size: \(0, 5\), wanted lengths of 1 or more"):
        FrameInferer((0, 5))
    with pytest.raises(ValueError, match=r"flips: .* not known"):
        FrameInferer(16, flips=["diagonal"])
    with pytest.raises(ValueError, match="amp: 'half', wanted"):
        FrameInferer(16, amp="half")
    with pytest.raises(ValueError, match=r"inputs: shape \(3, 20, 34\), wanted \(B, K, H, W\)"):
        FrameInferer(16)(frames()[0], Slope())
    with pytest.raises(TypeError, match="returned list, wanted one tensor"):
        FrameInferer(16)(frames(), lambda images: [images])
