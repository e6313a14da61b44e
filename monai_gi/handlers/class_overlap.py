"""Dice and IoU pooled over all pixels of an epoch, per class of a label map; classes exclude each other.

Rules for empties are those of OrganOverlap; the background, class 0, has its numbers but is left out of the means.
"""

from collections.abc import Callable, Sequence

import torch

from monai_gi.handlers.overlap import OrganOverlap
from monai_gi.labels import TISSUE_NAMES


class ClassOverlap(OrganOverlap):
    """As OrganOverlap, for logits (B, C, h, w) beside label maps (B, 1, h, w): a pixel is what its largest logit says.

    Args:
        prefix: set before every name in `engine.state.metrics`.
        classes: names, the background first.
        output_transform: from the engine's output to (logits, label map).

    Raises:
        ValueError: on update, when logits and label map do not fit, or a label is no class.
    """

    def __init__(
        self, prefix: str = "", classes: Sequence[str] = TISSUE_NAMES, output_transform: Callable | None = None
    ) -> None:
        super().__init__(prefix, organs=classes, output_transform=output_transform)

    def update(self, output: Sequence) -> None:
        """Count one batch.

        Args:
            output: logits (B, C, h, w) and truth (B, 1, h, w) of classes.

        Raises:
            ValueError: channels, shapes or labels do not fit.
        """
        logits, truth = (tensor.as_subclass(torch.Tensor).detach() for tensor in output)
        classes = len(self.organs)
        if logits.shape[1] != classes or truth.shape != (len(logits), 1, *logits.shape[2:]):
            raise ValueError(
                f"logits {tuple(logits.shape)} and truth {tuple(truth.shape)}, wanted (B, {classes}, h, w) and "
                f"(B, 1, h, w), one channel for each of {', '.join(self.organs)}"
            )
        pairs = truth[:, 0].long() * classes + logits.argmax(dim=1)
        counts = torch.bincount(pairs.flatten(), minlength=classes * classes)
        if len(counts) > classes * classes:
            raise ValueError(
                f"truth: class {int(truth.max())}, wanted 0 to {classes - 1}, for {', '.join(self.organs)}"
            )
        confusion = counts.reshape(classes, classes)
        self._add(torch.stack([confusion.diagonal(), confusion.sum(dim=0), confusion.sum(dim=1)]))

    def compute(self) -> dict[str, float]:
        """The numbers of the epoch over all processes.

        Returns:
            As OrganOverlap; the means without the background.
        """
        numbers = super().compute()
        for measure in ("dice", "iou"):
            values = torch.tensor([numbers[f"{measure}_{name}"] for name in self.organs[1:]])
            numbers[f"mean_{measure}"] = float(values.nanmean().nan_to_num(0.0))
        return numbers
