"""Networks over colour frames of any size: (B, K, H, W) to logits (B, C, H, W), by way of the size trained on."""

from collections.abc import Sequence
from typing import Any

import torch
from monai.data import MetaTensor
from monai.inferers import Inferer
from monai.utils import ensure_tuple_rep
from torch.nn.functional import interpolate

from monai_gi.inferers.passes import (
    Network,
    autocast,
    checked_amp,
    device_of,
    flip_axes,
    logits_of_mean,
    one_tensor,
    plain,
)


class FrameInferer(Inferer):
    """Resize frames to the size that the network was trained on, and its logits back to the size of the frames.

    Both ways bilinear, with a wider kernel where pixels get fewer (antialias), as `FrameDataset` resizes frames; the
    two sides are stretched each by itself. A frame that has the size already is not touched.

    Args:
        roi_size: (h, w) that the network sees, or one number for both.
        flips: "left_right", "up_down", "both": each adds a pass over the flipped frames. The answer is then the logit
            of the mean probability (sigmoid), so that a sigmoid after it gives the mean.
        amp: as for `AutocastInferer`.

    Raises:
        ValueError: an argument is unknown or out of range.
    """

    def __init__(self, roi_size: int | Sequence[int], *, flips: Sequence[str] = (), amp: bool | str = False) -> None:
        super().__init__()
        self.roi_size = tuple(int(length) for length in ensure_tuple_rep(roi_size, 2))
        if min(self.roi_size) < 1:
            raise ValueError(f"roi_size: {self.roi_size}, wanted lengths of 1 or more")
        self.flips = flip_axes(flips)
        self.amp = checked_amp(amp)

    def __call__(self, inputs: torch.Tensor, network: Network, *args: Any, **kwargs: Any) -> torch.Tensor:
        """Compute logits of frames.

        Args:
            inputs: (B, K, H, W), float, 0 to 1.
            network: (B, K, h, w) in, logits (B, C, h, w) out.
            *args: passed to the network.
            **kwargs: passed to the network.

        Returns:
            Logits (B, C, H, W), float32, on the network's device; a MetaTensor with the input's metadata where the
            input is one.

        Raises:
            ValueError: the input has another shape.
            TypeError: the network returns several tensors.
        """
        if inputs.ndim != 4:
            raise ValueError(f"inputs: shape {tuple(inputs.shape)}, wanted (B, K, H, W)")
        with torch.no_grad():
            frames = resized(plain(inputs).to(device_of(network, inputs), torch.float32), self.roi_size)
            with autocast(self.amp, frames.device):
                passes = [
                    one_tensor(network(frames.flip(axes), *args, **kwargs)).float().flip(axes)
                    for axes in ((), *self.flips)
                ]
            logits = resized(logits_of_mean(passes), inputs.shape[-2:])
        return MetaTensor(logits).copy_meta_from(inputs) if isinstance(inputs, MetaTensor) else logits


def resized(images: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
    """Bring images to a size.

    Args:
        images: (B, C, H, W), float.
        size: (h, w).

    Returns:
        (B, C, h, w); the images themselves where they have the size.
    """
    if tuple(images.shape[-2:]) == tuple(size):
        return images
    return interpolate(images, tuple(size), mode="bilinear", align_corners=False, antialias=True)
