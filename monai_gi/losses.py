"""Losses of label maps by name, from MONAI and torch: logits (B, C, h, w), classes (B, 1, h, w) or (B, h, w).

Overlaps are pooled over the batch, so that a class absent from one patch is not judged there alone. The background is
a class like the others.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from monai.losses import DiceCELoss, DiceLoss, FocalLoss, TverskyLoss

# No class counts more than this many times the middle one: a class of some pixels would drown all others.
LARGEST_WEIGHT = 10.0
# Of a pixel missed to a pixel too many, as in https://arxiv.org/abs/1706.05721.
TVERSKY_MISSED, TVERSKY_TOO_MANY = 0.7, 0.3


class LabelMapLoss(torch.nn.Module):
    """A loss that takes classes as whole numbers, whatever its inner loss wants.

    Args:
        loss: of logits (B, C, h, w) and classes.
        has_channel: whether the inner loss wants classes as (B, 1, h, w) of floats, else (B, h, w) of int64.
    """

    def __init__(self, loss: torch.nn.Module, *, has_channel: bool) -> None:
        super().__init__()
        self.loss = loss
        self.has_channel = has_channel

    def forward(self, logits: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        """Compute the loss.

        Args:
            logits: (B, C, h, w), before the softmax.
            label: (B, 1, h, w) or (B, h, w) of classes 0 to C - 1, any dtype.

        Returns:
            A scalar.

        Raises:
            ValueError: a class is C or more.
        """
        label = label.reshape(len(label), 1, *label.shape[-2:]).long()
        if label.device.type == "cpu" and label.numel() and int(label.max()) >= logits.shape[1]:
            found = f"label: class {int(label.max())}, wanted 0 to {logits.shape[1] - 1}"
            raise ValueError(f"{found}: the network has {logits.shape[1]} outputs; is the colour table another one?")
        return self.loss(logits, label.float() if self.has_channel else label[:, 0])


def _dice_ce(weights: torch.Tensor | None) -> torch.nn.Module:
    return DiceCELoss(softmax=True, to_onehot_y=True, batch=True, weight=weights)


def _focal(weights: torch.Tensor | None) -> torch.nn.Module:
    return FocalLoss(use_softmax=True, to_onehot_y=True, gamma=2.0, weight=weights)


def _dice(weights: torch.Tensor | None) -> torch.nn.Module:
    return DiceLoss(softmax=True, to_onehot_y=True, batch=True, weight=weights)


def _jaccard(weights: torch.Tensor | None) -> torch.nn.Module:
    return DiceLoss(softmax=True, to_onehot_y=True, batch=True, weight=weights, jaccard=True)


def _tversky(weights: torch.Tensor | None) -> torch.nn.Module:
    if weights is not None:
        raise ValueError("class_weights: the Tversky loss takes none; use null, or dice_ce, weighted_ce, focal, dice")
    return TverskyLoss(softmax=True, to_onehot_y=True, batch=True, alpha=TVERSKY_TOO_MANY, beta=TVERSKY_MISSED)


_LOSSES: dict[str, Callable[[torch.Tensor | None], torch.nn.Module]] = {
    "dice_ce": _dice_ce,
    "weighted_ce": lambda weights: torch.nn.CrossEntropyLoss(weight=weights),
    "focal": _focal,
    "dice": _dice,
    "jaccard": _jaccard,
    "tversky": _tversky,
}
LOSS_NAMES = tuple(_LOSSES)


def segmentation_loss(
    name: str,
    *,
    class_weights: Sequence[float] | str | None = None,
    counts: Sequence[int] | None = None,
) -> LabelMapLoss:
    """Build a loss.

    Args:
        name: one of `LOSS_NAMES`: Dice and cross-entropy, cross-entropy, focal, Dice, Jaccard, Tversky.
        class_weights: one number a class; "auto" for those of `balanced_weights`; None for equal ones.
        counts: pixels of each class in the training data, for "auto".

    Returns:
        A module of logits and classes; `.to(device)` moves its weights.

    Raises:
        ValueError: the name is unknown, a weight is negative, all are 0, or "auto" has no counts.

    >>> loss = segmentation_loss("weighted_ce", class_weights=[1.0, 3.0])
    >>> round(float(loss(torch.zeros(1, 2, 4, 6), torch.ones(1, 1, 4, 6))), 4)
    0.6931
    """
    if name not in _LOSSES:
        raise ValueError(f"loss: {name!r} is not known, there are {', '.join(LOSS_NAMES)}")
    weights = _weights(class_weights, counts)
    return LabelMapLoss(_LOSSES[name](weights), has_channel=name != "weighted_ce")


def balanced_weights(counts: Sequence[int]) -> list[float]:
    """Weights that let rare classes count as much as common ones: median-frequency balancing.

    Args:
        counts: pixels of each class.

    Returns:
        The median count over a class's own, at most LARGEST_WEIGHT; 1 for a class without pixels. The median is that
        of the classes that have pixels. Source: https://arxiv.org/abs/1411.4734, section 6.3.2.

    Raises:
        ValueError: no class has a pixel.

    >>> balanced_weights([400, 100, 0, 50])
    [0.25, 1.0, 1.0, 2.0]
    """
    pixels = np.asarray(counts, dtype=np.float64)
    if not (pixels > 0).any():
        raise ValueError(f"counts: {list(counts)}, wanted at least one pixel of one class")
    median = np.median(pixels[pixels > 0])
    weights = np.divide(median, pixels, out=np.ones_like(pixels), where=pixels > 0)
    return np.minimum(weights, LARGEST_WEIGHT).tolist()


def _weights(class_weights: Sequence[float] | str | None, counts: Sequence[int] | None) -> torch.Tensor | None:
    if class_weights is None:
        return None
    if isinstance(class_weights, str):
        if class_weights != "auto":
            raise ValueError(f"class_weights: {class_weights!r}, wanted null, 'auto', or one number a class")
        if counts is None:
            raise ValueError("class_weights: 'auto' needs counts, the pixels of each class in the training data")
        class_weights = balanced_weights(counts)
    weights = torch.tensor([float(weight) for weight in class_weights])
    if len(weights) == 0 or weights.min() < 0 or weights.sum() == 0:
        raise ValueError(f"class_weights: {list(class_weights)}, wanted numbers of 0 or more, not all of them 0")
    return weights
