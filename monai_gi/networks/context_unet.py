"""A U-Net that also sees the surroundings: (B, 3 * levels, h, w) in, logits (B, C, h, w) of the first level out.

Every level holds the same number of pixels around the same centre, so that a level of downsample r shows r times as
much tissue a side, and its middle h / r x w / r pixels show what the first level shows.
Source: the hook of a context branch into the bottleneck is that of HookNet, https://doi.org/10.1016/j.media.2020.101890
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from monai.networks.nets import BasicUNet
from torch.nn.functional import adaptive_avg_pool2d

# BasicUNet halves its input four times.
STRIDE = 16


class ContextUNet(BasicUNet):
    """MONAI's BasicUNet on the first level, and one more, half as wide, on each further level.

    What a context branch says about the middle of its field is added at the bottleneck. With one level the network
    and its state-dict keys are BasicUNet's.

    Args:
        spatial_dims: 2; here so that a config may say so.
        in_channels: of each level.
        out_channels: C.
        levels: of the image pyramid, the finest first; level k has downsample 2**k.
        features: widths of the five levels of the network from fine to coarse, then of the last decoder.
        **kwargs: `act`, `norm`, `bias`, `dropout`, `upsample` as in MONAI.

    Raises:
        ValueError: levels are empty or do not grow.
    """

    def __init__(
        self,
        spatial_dims: int = 2,
        in_channels: int = 3,
        out_channels: int = 6,
        levels: Sequence[int] = (0,),
        features: Sequence[int] = (32, 32, 64, 128, 256, 32),
        **kwargs: Any,
    ) -> None:
        if not levels or any(after <= before for before, after in pairwise(levels)):
            raise ValueError(f"levels: {list(levels)}, wanted at least one, growing, such as [0, 2]")
        super().__init__(spatial_dims, in_channels, out_channels, features, **kwargs)
        self.level_channels = in_channels
        self.downsamples = [2 ** (level - levels[0]) for level in levels[1:]]
        narrow = [max(1, width // 2) for width in features]
        self.contexts = torch.nn.ModuleList(
            BasicUNet(spatial_dims, in_channels, narrow[5], narrow, **kwargs) for _ in self.downsamples
        )
        self.hooks = torch.nn.ModuleList(torch.nn.Conv2d(narrow[5], features[4], 1) for _ in self.downsamples)

    @property
    def divisor(self) -> int:
        """Sides must be multiples of it: of BasicUNet's stride, and so that the middle of a level is whole pixels."""
        return max([STRIDE, *(2 * downsample for downsample in self.downsamples)])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Compute logits.

        Args:
            x: (B, in_channels * levels, h, w), float, the levels one after the other.

        Returns:
            Logits (B, C, h, w).

        Raises:
            ValueError: another number of channels, or sides that are no multiples of `divisor`.
        """
        if not torch.jit.is_tracing():  # a trace is of one size, which was checked when it ran
            self._check(x.shape)
        levels = x.split(self.level_channels, dim=1)
        fine = [self.conv_0(levels[0])]
        for down in (self.down_1, self.down_2, self.down_3, self.down_4):
            fine.append(down(fine[-1]))
        bottom = fine.pop()
        for level, downsample, context, hook in zip(
            levels[1:], self.downsamples, self.contexts, self.hooks, strict=True
        ):
            middle = _middle(context(level), downsample)
            bottom = bottom + hook(adaptive_avg_pool2d(middle, bottom.shape[-2:]))
        for up in (self.upcat_4, self.upcat_3, self.upcat_2, self.upcat_1):
            bottom = up(bottom, fine.pop())
        return self.final_conv(bottom)

    def _check(self, shape: torch.Size) -> None:
        wanted = self.level_channels * (1 + len(self.downsamples))
        if shape[1] != wanted:
            raise ValueError(f"image: {shape[1]} channels, wanted {wanted}: {self.level_channels} for each level")
        divisor = self.divisor
        if shape[2] % divisor or shape[3] % divisor:
            near = [max(divisor, round(length / divisor) * divisor) for length in shape[2:]]
            raise ValueError(f"roi_size: {list(shape[2:])}, wanted multiples of {divisor}, such as {near}")


def _middle(image: torch.Tensor, downsample: int) -> torch.Tensor:
    """The middle 1 / downsample of both sides of (B, C, h, w)."""
    height, width = image.shape[-2] // downsample, image.shape[-1] // downsample
    top, left = (image.shape[-2] - height) // 2, (image.shape[-1] - width) // 2
    return image[..., top : top + height, left : left + width]
