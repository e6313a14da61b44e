"""How far the whole run is and when it ends: a bar on a terminal, a line every few seconds elsewhere.

Convention: the end counts every epoch and validation still to come, at the pace of this session (a resumed run's
earlier sessions do not count), or the minutes that a clock gives the run; the time of day is local.
"""

import datetime
import math
import sys
import time
from typing import TextIO

from ignite.engine import Events
from monai.engines import Trainer, Workflow
from tqdm import tqdm

from monai_gi.handlers.clock import RunClock
from monai_gi.handlers.curves import Throughput

_STEP_OF_EVALUATOR = {"slice": "scan", "patch": "batch"}


class ProgressHandler:
    """Progress of a trainer over all its epochs, or of an evaluator over its scans; process 0 only.

    Lines read `epoch 3/20  loss 0.412  96 slices/s  13 %  done at 14:32 (4 min left)`.

    Args:
        interval_s: seconds between lines, where the stream is no terminal.
        name: what an evaluator does, first word of its lines.
        stream: None is the standard error.
        clock: of a training run that may end before its last epoch.
        unit: what images are called; an evaluator of slices counts scans, one of patches batches.
    """

    def __init__(
        self,
        interval_s: float = 10.0,
        name: str = "validation",
        stream: TextIO | None = None,
        clock: RunClock | None = None,
        *,
        unit: str = "slice",
    ) -> None:
        self.interval_s = interval_s
        self.unit = unit
        self.name = name
        self.stream: TextIO = sys.stderr if stream is None else stream
        self.speed = Throughput()
        self.pace = Pace()
        self.clock = RunClock() if clock is None else clock
        self.spoke = -math.inf
        self.bar: tqdm | None = None
        self.trains = True

    def attach(self, engine: Workflow) -> None:
        """Listen to an engine.

        Args:
            engine: a MONAI trainer or evaluator.
        """
        if engine.state.rank != 0:
            return
        self.speed.attach(engine)
        self.trains = isinstance(engine, Trainer)
        engine.add_event_handler(Events.EPOCH_STARTED, self._begin_epoch)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._advance)
        if self.trains:
            engine.add_event_handler(Events.EPOCH_COMPLETED, self._end_epoch)
        engine.add_event_handler(Events.COMPLETED, self._end)

    def _begin_epoch(self, engine: Workflow) -> None:
        if not self.trains:
            # Scans of an earlier validation were judged at another pace; short validations need no line.
            self.pace, self.spoke = Pace(), time.perf_counter()
        self.pace.begin_epoch()
        if self.bar is None and self.stream.isatty():
            self.bar = tqdm(
                total=self._total(engine),
                initial=self._done(engine),
                file=self.stream,
                leave=self.trains,
                bar_format="{desc} {percentage:3.0f}%|{bar}|{postfix}",
                dynamic_ncols=True,
            )

    def _advance(self, engine: Workflow) -> None:
        self.pace.step()
        if self.bar is not None:
            self.bar.update(self._done(engine) - round(self.bar.n))
        if time.perf_counter() - self.spoke >= (self.interval_s if self.bar is None else 0.5):
            self._speak(engine, epochs_to_judge=engine.state.max_epochs - engine.state.epoch + 1)

    def _end_epoch(self, engine: Workflow) -> None:
        self._speak(engine, epochs_to_judge=engine.state.max_epochs - engine.state.epoch)

    def _end(self) -> None:
        if self.bar is not None:
            self.bar.close()
            self.bar = None

    def _speak(self, engine: Workflow, epochs_to_judge: int) -> None:
        self.spoke = time.perf_counter()
        steps_left = self._total(engine) - engine.state.iteration
        left = self.pace.seconds_left(steps_left, epochs_to_judge if self.trains else 0)
        left = min(left, self.clock.seconds_left())
        words = [*self._words(engine), f"{self.speed.slices_per_second:.0f} {_plural(self.unit)}/s"]
        if self.bar is None:
            share = f"{100 * self._done(engine) / self._total(engine):.0f} %"
            print("  ".join([*words, share, end_in_words(left)]), file=self.stream, flush=True)
        else:
            self.bar.set_description_str(words[0], refresh=False)
            self.bar.set_postfix_str("  ".join([*words[1:], end_in_words(left)]))

    def _words(self, engine: Workflow) -> list[str]:
        state = engine.state
        if not self.trains:
            whole = _STEP_OF_EVALUATOR.get(self.unit, self.unit)
            return [f"{self.name} {whole} {state.iteration}/{state.epoch_length}"]
        output = state.output[0] if isinstance(state.output, list) else state.output
        of = "" if math.isfinite(self.clock.limit_s) else f"/{state.max_epochs}"
        return [f"epoch {state.epoch}{of}", f"loss {float(output['loss'].detach()):.3f}"]

    def _done(self, engine: Workflow) -> int:
        """Steps, or as many as the clock's share of all of them is where time ends the run before its steps do."""
        return max(engine.state.iteration, round(self._total(engine) * self.clock.share()))

    def _total(self, engine: Workflow) -> int:
        return engine.state.epoch_length * (engine.state.max_epochs if self.trains else 1)


class Pace:
    """Seconds a step takes, and seconds between epochs (validation, checkpoints), both measured in this session."""

    def __init__(self) -> None:
        self.step_seconds: list[float] = []
        self.gap_seconds: list[float] = []
        self.mark = time.perf_counter()

    def begin_epoch(self) -> None:
        """An epoch starts; what passed since the last step was a gap."""
        now = time.perf_counter()
        if self.step_seconds:
            self.gap_seconds.append(now - self.mark)
        self.mark = now

    def step(self) -> None:
        """A step ended."""
        now = time.perf_counter()
        self.step_seconds.append(now - self.mark)
        self.mark = now

    def seconds_left(self, steps: int, gaps: int) -> float:
        """The time for what is still to come.

        Args:
            steps: still to take.
            gaps: between epochs still to come; they count nothing until the first one was measured.

        Returns:
            Seconds; NaN before the first step.
        """
        if not self.step_seconds:
            return math.nan
        # The first step of a session warms everything up: it counts only while there is no other.
        return steps * _mean(self.step_seconds[1:] or self.step_seconds) + gaps * _mean(self.gap_seconds)


def end_in_words(seconds_left: float, now: datetime.datetime | None = None) -> str:
    """When it is done, and how long that takes.

    Args:
        seconds_left: until the end.
        now: the clock, for tests.

    Returns:
        `done at 14:32 (4 min left)`; `done on 2026-03-01 14:32 (30 h left)` when it is not today; empty for NaN.
    """
    if math.isnan(seconds_left):
        return ""
    now = now or datetime.datetime.now()
    end = now + datetime.timedelta(seconds=seconds_left)
    moment = f"at {end:%H:%M}" if end.date() == now.date() else f"on {end:%Y-%m-%d %H:%M}"
    return f"done {moment} ({_length_in_words(seconds_left)} left)"


def _length_in_words(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h"


def _plural(unit: str) -> str:
    return f"{unit}es" if unit.endswith("ch") else f"{unit}s"


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.0
