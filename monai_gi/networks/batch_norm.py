"""Batch normalisation that also trains where a batch holds one value a channel, as a pooled image alone in its batch.

PyTorch stops there with an error: on the last batch of an epoch when the number of images is unlucky.
"""

import torch
from torch import nn


class LoneValueBatchNorm(nn.BatchNorm2d):
    """BatchNorm2d that answers from its running statistics, and leaves them alone, where one value has no variance."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Normalise.

        Args:
            x: (B, C, H, W).

        Returns:
            The same shape.
        """
        if self.training and x.shape[0] * x.shape[2] * x.shape[3] == 1:
            return nn.functional.batch_norm(
                x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
            )
        return super().forward(x)


def spare_lone_values(model: nn.Module) -> None:
    """Put `LoneValueBatchNorm` in the place of every BatchNorm2d, with the same weights under the same keys.

    Args:
        model: changed in place.
    """
    for name, child in model.named_children():
        if type(child) is nn.BatchNorm2d:
            setattr(model, name, _spared(child))
        else:
            spare_lone_values(child)


def _spared(norm: nn.BatchNorm2d) -> LoneValueBatchNorm:
    new = LoneValueBatchNorm(norm.num_features, norm.eps, norm.momentum, norm.affine, norm.track_running_stats)
    new._parameters, new._buffers = norm._parameters, norm._buffers
    return new.train(norm.training)
