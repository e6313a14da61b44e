"""UNet++ for trainers and inferers: a list of heads only where deep supervision trains on them, shallow head first.

State-dict keys are those of MONAI's BasicUNetPlusPlus. Source: Zhou Z. et al., https://arxiv.org/abs/1912.05074
"""

from collections.abc import Sequence
from typing import Any

import torch
from monai.networks.nets import BasicUNetPlusPlus

# The last convolution of each head but the deepest, the one that answers.
SHALLOW_HEADS = ("final_conv_0_1", "final_conv_0_2", "final_conv_0_3")


class UNetPlusPlus(BasicUNetPlusPlus):
    """MONAI's BasicUNetPlusPlus with one tensor where one is wanted; it returns a list always.

    H and W should be divisible by 16.

    Args:
        spatial_dims: 2 for (B, K, H, W), 3 for (B, K, H, W, D).
        in_channels: K.
        out_channels: classes.
        features: widths of the five levels from fine to coarse, then of the last decoder.
        deep_supervision: in training mode return the logits of all four heads, the deepest last. If not, the three
            shallow heads are frozen: nothing trains them, and DistributedDataParallel would wait for their gradients.
        **kwargs: `act`, `norm`, `bias`, `dropout`, `upsample` as in MONAI.
    """

    def __init__(
        self,
        spatial_dims: int = 2,
        in_channels: int = 3,
        out_channels: int = 3,
        features: Sequence[int] = (32, 32, 64, 128, 256, 32),
        *,
        deep_supervision: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(spatial_dims, in_channels, out_channels, features, deep_supervision, **kwargs)
        for name in SHALLOW_HEADS:
            self.get_submodule(name).requires_grad_(deep_supervision)

    def forward(self, x: torch.Tensor) -> torch.Tensor | list[torch.Tensor]:
        """Compute logits.

        Args:
            x: images (B, K, H, W), float.

        Returns:
            Logits (B, C, H, W); with deep supervision in training mode a list of four.
        """
        heads = super().forward(x)
        return heads if self.deep_supervision and self.training else heads[-1]
