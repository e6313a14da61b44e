"""Optimizers by name, and learning rates as pure functions of the step (0-based, one step a training iteration).

A schedule's state is its step alone, so a resumed run goes on with the same rates, to the bit.
"""

import math
import warnings
from collections.abc import Collection, Sequence
from difflib import SequenceMatcher
from typing import Any, NamedTuple, Protocol

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

OPTIMIZERS: dict[str, tuple[type[torch.optim.Optimizer], dict[str, Any]]] = {
    "AdamW": (torch.optim.AdamW, {}),
    "Adam": (torch.optim.Adam, {}),
    "SGD": (torch.optim.SGD, {"momentum": 0.9, "nesterov": True}),
}
SCHEDULES = ("cosine", "polynomial", "multi_step", "one_cycle", "constant")

# One cycle starts at this share of the peak and ends at ONE_CYCLE_END of its start, as PyTorch's OneCycleLR does.
ONE_CYCLE_START = 1 / 25
ONE_CYCLE_END = 1e-4


class Clock(Protocol):
    """What tells a schedule how much of the run's time has passed."""

    def share(self) -> float:
        """From 0 to 1, where the run ends."""


def optimizer(
    network: nn.Module, name: str = "AdamW", learning_rate: float = 3e-4, weight_decay: float = 0.05
) -> torch.optim.Optimizer:
    """Make an optimizer for the trainable weights of a network; norms and biases do not decay.

    Two parameter groups always, in this order: tensors of two and more axes, which decay, and the rest, so that a
    state dict fits again. AdamW takes decay off the weights themselves; Adam and SGD add it to the gradient, where
    customary values are far smaller (1e-5 to 1e-4).

    Args:
        network: plain or wrapped in DistributedDataParallel.
        name: "AdamW", "Adam" or "SGD" (momentum 0.9, Nesterov).
        learning_rate: at the top of the schedule, above 0.
        weight_decay: 0 or more.

    Returns:
        The optimizer.

    Raises:
        ValueError: unknown name, or nothing to train. PyTorch raises it for numbers out of range.
    """
    _check_name("optimizer", name, OPTIMIZERS)
    weights = [weight for weight in network.parameters() if weight.requires_grad]
    if not weights:
        raise ValueError("network: no weight requires a gradient, wanted one to train")
    kind, settings = OPTIMIZERS[name]
    groups = [
        {"params": [weight for weight in weights if weight.ndim > 1], "weight_decay": weight_decay},
        {"params": [weight for weight in weights if weight.ndim <= 1], "weight_decay": 0.0},
    ]
    return kind(groups, lr=learning_rate, weight_decay=weight_decay, **settings)  # type: ignore[call-arg]


class IterationSchedule(LambdaLR):
    """LambdaLR that may step before the optimizer did, as it must where gradients of several iterations accumulate."""

    def step(self, epoch: int | None = None) -> None:
        """Go one iteration on.

        Args:
            epoch: PyTorch's deprecated way to name the step; leave it out.
        """
        if self.last_epoch > 0:
            super().step(epoch)
            return
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Detected call of `lr_scheduler.step\\(\\)` before", UserWarning)
            super().step(epoch)


def lr_scheduler(
    optimizer: torch.optim.Optimizer,
    name: str = "cosine",
    *,
    total_steps: int,
    warmup_share: float | None = None,
    warmup_steps: int | None = None,
    final_share: float = 0.0,
    power: float = 0.9,
    milestones: Sequence[float] = (0.5, 0.75),
    gamma: float = 0.1,
    clock: Clock | None = None,
) -> IterationSchedule:
    """Make a learning rate schedule; call its `step()` after every iteration (`epoch_level=False` in MONAI).

    Each begins with a rise to the optimizer's learning rate: linear, but for "one_cycle", whose rise is a half cosine
    from 1/25 of it. After it come "cosine": a half cosine to `final_share`; "polynomial": (1 - t) ** `power` to
    `final_share`; "multi_step": times `gamma` at each of `milestones`; "one_cycle": a half cosine to 4e-6 of the top;
    "constant": nothing. After `total_steps` the last rate stays. Resuming with other `total_steps` changes the curve
    from there.

    A run that a clock may end passes through the whole curve too: its place on it is the larger of the steps' share and
    the clock's. The rates are then no longer a function of the step alone.

    Args:
        optimizer: its learning rates are the top.
        name: one of `SCHEDULES`.
        total_steps: iterations of the whole run.
        warmup_share: length of the rise as a share of `total_steps`, 0 to below 1; None is 0.3 for "one_cycle" and
            0.05 for the others.
        warmup_steps: length of the rise in iterations, instead of a share.
        final_share: share of the top that "cosine" and "polynomial" end at.
        power: of "polynomial".
        milestones: of "multi_step", as shares of `total_steps`.
        gamma: of "multi_step".
        clock: of a run that time may end; None for one that only steps end.

    Returns:
        The schedule; its state dict holds numbers only.

    Raises:
        ValueError: unknown name, `total_steps` under 1, or a rise that is not shorter than the run.
    """
    _check_name("lr_scheduler", name, SCHEDULES)
    rise_steps = _rise_steps(name, total_steps, warmup_share, warmup_steps)
    curve = _Curve(name, total_steps, rise_steps, final_share, power, milestones, gamma)
    return IterationSchedule(optimizer, lambda step: curve.share_of_top(curve.place(step, clock)))


class _Curve(NamedTuple):
    """A schedule as a function of the step; the arguments are those of `lr_scheduler`."""

    name: str
    total_steps: int
    rise_steps: int
    final_share: float
    power: float
    milestones: Sequence[float]
    gamma: float

    def place(self, step: float, clock: Clock | None) -> float:
        """The step, or where the clock is by now."""
        return step if clock is None else max(step, clock.share() * self.total_steps)

    def share_of_top(self, step: float) -> float:
        """The learning rate divided by its top."""
        if step < self.rise_steps:
            return (_cosine_rise if self.name == "one_cycle" else _linear_rise)(step, self.rise_steps)
        return self._after_rise(min(1.0, (step - self.rise_steps) / (self.total_steps - self.rise_steps)), step)

    def _after_rise(self, t: float, step: float) -> float:
        """From t = 0, where the rise ends, to t = 1, where the run does."""
        match self.name:
            case "cosine":
                return _half_cosine(1, self.final_share, t)
            case "polynomial":
                return self.final_share + (1 - self.final_share) * (1 - t) ** self.power
            case "multi_step":
                return self.gamma ** sum(step >= share * self.total_steps for share in self.milestones)
            case "one_cycle":
                return _half_cosine(1, ONE_CYCLE_START * ONE_CYCLE_END, t)
        return 1.0


def _rise_steps(name: str, total_steps: int, share: float | None, steps: int | None) -> int:
    """Length of the rise in iterations."""
    if total_steps < 1:
        raise ValueError(f"total_steps: {total_steps}, wanted 1 or more")
    if steps is None:
        default = 0.3 if name == "one_cycle" else 0.05
        steps = int((default if share is None else share) * total_steps)
    if not 0 <= steps < total_steps:
        raise ValueError(f"warm-up: {steps} of {total_steps} steps, wanted at least 0 and fewer than all")
    return steps


def _linear_rise(step: float, steps: int) -> float:
    return (step + 1) / (steps + 1)


def _cosine_rise(step: float, steps: int) -> float:
    return _half_cosine(ONE_CYCLE_START, 1, step / steps)


def _half_cosine(start: float, end: float, t: float) -> float:
    """From start at t = 0 to end at t = 1."""
    return end + (start - end) * (1 + math.cos(math.pi * t)) / 2


def _check_name(what: str, name: str, names: Collection[str]) -> None:
    if name not in names:
        near = max(names, key=lambda known: SequenceMatcher(None, known.lower(), str(name).lower()).ratio())
        raise ValueError(f"{what}: {name!r} is not known, nearest is {near!r}; there are {', '.join(names)}")
