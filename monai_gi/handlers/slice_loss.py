"""The training loss over validation scans, so that its curve can lie on the training loss's axis.

Convention: taken from the network's raw output (B, C, H, W, D), before postprocessing, over consecutive slices.
"""

import math
from collections.abc import Callable, Sequence

import torch
from ignite.engine import Engine, Events
from ignite.metrics import Metric
from ignite.metrics.metric import MetricUsage
from monai.engines import IterationEvents
from monai.handlers import from_engine

from monai_gi.handlers.overlap import sum_over_processes


class SliceLoss(Metric):
    """Mean loss of an evaluator's scans, a batch of slices at a time; attach as an additional metric, `val_loss`.

    Args:
        loss_function: of logits (B, C, H, W) and truth, a scalar; the training loss.
        batch_size: slices given to it at once: the training batch size makes the curves comparable, and keeps the
            memory small.
    """

    def __init__(self, loss_function: Callable, batch_size: int = 16) -> None:
        self.loss_function = loss_function
        self.batch_size = batch_size
        super().__init__(from_engine(["pred", "label"]))

    def reset(self) -> None:
        """Forget every slice; called as an epoch starts."""
        self._total = torch.zeros(2, dtype=torch.float64)

    def update(self, output: Sequence[torch.Tensor]) -> None:
        """Add one batch of slices or scans.

        Args:
            output: logits and truth, (B, C, H, W[, D]).
        """
        logits, truth = (_as_slices(tensor).split(self.batch_size) for tensor in output)
        for predicted, true in zip(logits, truth, strict=True):
            loss = self.loss_function(predicted.float(), true.to(predicted.device)).item()
            self._total += torch.tensor([loss * len(predicted), len(predicted)], dtype=torch.float64)

    def compute(self) -> float:
        """The mean over all slices of all processes.

        Returns:
            The loss; NaN where there was no slice.
        """
        total, slices = sum_over_processes(self._total).tolist()
        return total / slices if slices else math.nan

    def attach(self, engine: Engine, name: str, usage: str | MetricUsage | None = None) -> None:
        """Listen to an evaluator, at the moment when its output is still logits.

        Args:
            engine: a MONAI evaluator.
            name: key in `engine.state.metrics`.
            usage: other events than these, as Ignite names them.
        """
        super().attach(engine, name, usage or _BeforePostprocessing())


class _BeforePostprocessing(MetricUsage):
    usage_name = "before_postprocessing"

    def __init__(self) -> None:
        super().__init__(Events.EPOCH_STARTED, Events.EPOCH_COMPLETED, IterationEvents.FORWARD_COMPLETED)


def _as_slices(tensor: torch.Tensor) -> torch.Tensor:
    """(B, C, H, W[, D]) as (B * D, C, H, W), without MONAI's metadata."""
    tensor = tensor.as_subclass(torch.Tensor)
    if tensor.ndim == 5:
        tensor = tensor.permute(0, 4, 1, 2, 3).flatten(0, 1)
    return tensor
