"""Curves for TensorBoard: train and validation under the same tags in sibling folders, so that one axis shows both.

Convention: epochs from 1 in `/train` and `/validation` (MONAI runs its evaluator with the trainer's epoch, so both
agree), optimizer steps in `/iterations`. Slices a second are those of all processes together.
"""

import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Events
from monai.engines import IterationEvents, SupervisedTrainer, Trainer, Workflow

from monai_gi.handlers.event_files import close_event_writers, event_writer, flush_event_writers
from monai_gi.handlers.processes import world_size


class CurvesHandler:
    """Writes losses, learning rate, metrics, throughput and the best metric; attach one to each engine.

    The trainer's goes to `<tensorboard_dir>/train` and `/iterations`, an evaluator's to `/validation`. Scalars of
    `engine.state.metrics` lose their prefix and are grouped by measure (`train_dice_stomach` and `val_dice_stomach`
    become `dice/stomach`); NaN (nothing to judge) is left out. Only process 0 writes.

    Args:
        tensorboard_dir: the folder given to `tensorboard --logdir`, or one below it.
        prefix: of this engine's metric names, `train_` or `val_`.
        every: iterations whose losses are fetched from the device at once.
    """

    def __init__(self, tensorboard_dir: str | Path, prefix: str, every: int = 10) -> None:
        self.tensorboard_dir = Path(tensorboard_dir)
        self.prefix = prefix
        self.every = every
        self.losses: list[torch.Tensor] = []
        self.epoch_losses: list[float] = []
        self.rates: list[float] = []
        self.speed = Throughput()

    def attach(self, engine: Workflow) -> None:
        """Listen to a trainer (MONAI's Trainer) or an evaluator.

        Args:
            engine: a MONAI trainer or evaluator.
        """
        if engine.state.rank != 0:
            return
        self.speed.attach(engine)
        if isinstance(engine, Trainer):
            engine.add_event_handler(Events.EPOCH_STARTED, self._forget)
            # Before the schedule steps and the batch is decollated: the rate is the one that this step uses.
            engine.add_event_handler(IterationEvents.BACKWARD_COMPLETED, self._note_step)
            engine.add_event_handler(Events.EPOCH_COMPLETED, self._write_steps)
            engine.add_event_handler(Events.COMPLETED, self._close)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._write_epoch)

    def _forget(self) -> None:
        self.losses, self.rates, self.epoch_losses = [], [], []

    def _note_step(self, engine: SupervisedTrainer) -> None:
        self.losses.append(engine.state.output["loss"].detach())
        self.rates.append(engine.optimizer.param_groups[0]["lr"])
        if len(self.losses) >= self.every:
            self._write_steps(engine)

    def _write_steps(self, engine: Workflow) -> None:
        if not self.losses:
            return
        losses = torch.stack(self.losses).float().tolist()
        first = engine.state.iteration - len(losses) + 1
        writer = event_writer(self.tensorboard_dir / "iterations", first)
        for step, (loss, rate) in enumerate(zip(losses, self.rates, strict=True), start=first):
            writer.add_scalar("loss", loss, step)
            writer.add_scalar("learning_rate", rate, step)
        self.epoch_losses += losses
        self.losses, self.rates = [], []

    def _write_epoch(self, engine: Workflow) -> None:
        epoch = engine.state.epoch
        run = "train" if isinstance(engine, Trainer) else "validation"
        writer = event_writer(self.tensorboard_dir / run, epoch)
        for tag, value in self._scalars(engine).items():
            if not math.isnan(value):
                writer.add_scalar(tag, value, epoch)
        flush_event_writers(self.tensorboard_dir)

    def _scalars(self, engine: Workflow) -> dict[str, float]:
        scalars = {curve_tag(name, self.prefix): value for name, value in plain_scalars(engine.state.metrics).items()}
        scalars["slices_per_second"] = self.speed.slices_per_second
        if self.epoch_losses:
            scalars["loss"] = sum(self.epoch_losses) / len(self.epoch_losses)
        if not isinstance(engine, Trainer) and engine.state.best_metric_epoch > 0:
            scalars["best/metric"] = float(engine.state.best_metric)
            scalars["best/epoch"] = float(engine.state.best_metric_epoch)
        return scalars

    def _close(self) -> None:
        close_event_writers(self.tensorboard_dir)


class Throughput:
    """Slices a second of the current epoch, over all processes: `slices_per_second`, NaN before an iteration ends."""

    def __init__(self) -> None:
        self.slices_per_second = math.nan
        self.slices = 0
        self.began = time.perf_counter()

    def attach(self, engine: Workflow) -> None:
        """Listen to an engine.

        Args:
            engine: a MONAI trainer or evaluator.
        """
        engine.add_event_handler(Events.EPOCH_STARTED, self._begin)
        # Counted before postprocessing takes the batch apart; timed when the iteration is over.
        engine.add_event_handler(IterationEvents.FORWARD_COMPLETED, self._count)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._time)

    def _begin(self) -> None:
        self.slices, self.began = 0, time.perf_counter()

    def _count(self, engine: Workflow) -> None:
        self.slices += slices_of(engine.state.output["image"])

    def _time(self) -> None:
        self.slices_per_second = self.slices * world_size() / (time.perf_counter() - self.began)


def slices_of(image: torch.Tensor) -> int:
    """How many slices a network's input batch holds.

    Args:
        image: (B, C, H, W), or scans (B, C, H, W, D).

    Returns:
        B, or B * D.
    """
    return image.shape[0] * (image.shape[4] if image.ndim == 5 else 1)


def plain_scalars(metrics: Mapping[str, Any]) -> dict[str, float]:
    """The metrics that are one number each.

    Args:
        metrics: `engine.state.metrics`.

    Returns:
        Floats by name, in the same order.
    """
    scalars = {name: value for name, value in metrics.items() if isinstance(value, (int, float))}
    tensors = {name: value for name, value in metrics.items() if isinstance(value, torch.Tensor) and value.ndim == 0}
    return {name: float(value) for name, value in {**scalars, **tensors}.items()}


def curve_tag(name: str, prefix: str) -> str:
    """The tag that train and validation share.

    Args:
        name: of a metric, with or without the prefix.
        prefix: of this engine's metrics.

    Returns:
        `dice/stomach` for `val_dice_stomach`, `dice/mean` for `val_mean_dice`; other names without prefix.
    """
    name = name.removeprefix(prefix)
    for measure in ("dice", "iou"):
        if name.startswith(f"{measure}_"):
            return f"{measure}/{name.removeprefix(f'{measure}_')}"
        if name == f"mean_{measure}":
            return f"{measure}/mean"
    return name
