"""The clock of a training run, and its end where the run has so many minutes and not so many epochs.

Convention: seconds run from the trainer's start, validations and checkpoints among them, and add up over the sessions
of a resumed run. In several processes the clock of process 0 counts, so that all keep one learning rate and one end.
"""

import logging
import math
import time

from ignite.engine import Events
from monai.engines import Evaluator, Workflow

from monai_gi.handlers.processes import from_first

_log = logging.getLogger(__name__)


class RunClock:
    """Seconds that a run has taken so far, and their share of the minutes that it may take.

    `seconds` are those at the last tick, earlier sessions among them: whoever asks between two ticks is told the same.

    Args:
        max_minutes: that training may take; None sets no limit.

    Raises:
        ValueError: the minutes are not above 0.
    """

    def __init__(self, max_minutes: float | None = None) -> None:
        if max_minutes is not None and not 0 < max_minutes < math.inf:
            raise ValueError(f"max_minutes: {max_minutes}, wanted more than 0, or null for no limit")
        self.limit_s = math.inf if max_minutes is None else 60.0 * max_minutes
        self.seconds = 0.0
        self._began = time.perf_counter()
        self._runs = True

    def start(self, seconds: float = 0.0) -> None:
        """Run from here.

        Args:
            seconds: of earlier sessions.
        """
        self.seconds = from_first(seconds)
        self._began = time.perf_counter() - self.seconds
        self._runs = True

    def stop(self) -> None:
        """Stand still for good: what comes now is no training any more."""
        self._runs = False

    def tick(self) -> float:
        """Read the time; every process must tick as often as the others. A stopped clock stays as it is.

        Returns:
            `seconds`.
        """
        if self._runs:
            self.seconds = from_first(time.perf_counter() - self._began)
        return self.seconds

    def share(self) -> float:
        """How much of the limit is used up: 0 to 1; always 0 without a limit."""
        return min(1.0, self.seconds / self.limit_s)

    def seconds_left(self) -> float:
        """Until the limit, 0 at the least; infinite without one."""
        return max(0.0, self.limit_s - self.seconds)

    def is_spent(self) -> bool:
        """Whether the limit is reached."""
        return self.seconds >= self.limit_s


class TimeBudget:
    """Ends a training run at the first step after its minutes are over, in the middle of an epoch too.

    That epoch is then validated, whatever the interval of validations, and kept like any other; the clock has stopped
    by then, so this validation comes on top of the minutes. Put it after the ValidationHandler; a CostHandler keeps the
    clock.

    Args:
        clock: of the run; without a limit nothing ends.
        validator: MONAI's evaluator, which judges the last epoch where no ValidationHandler did.
    """

    def __init__(self, clock: RunClock, validator: Evaluator | None = None) -> None:
        self.clock = clock
        self.validator = validator

    def attach(self, engine: Workflow) -> None:
        """Listen to a trainer.

        Args:
            engine: a MONAI trainer.
        """
        engine.add_event_handler(Events.STARTED, self._start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._step)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._end_epoch)

    def _start(self, engine: Workflow) -> None:
        if self.clock.is_spent():
            _log.info("nothing left to train: the run has taken its %g minutes", self.clock.limit_s / 60)
            engine.terminate()

    def _step(self, engine: Workflow) -> None:
        if self.clock.is_spent():
            self.clock.stop()
            engine.terminate_epoch()

    def _end_epoch(self, engine: Workflow) -> None:
        was_cut = self.clock.is_spent()
        self.clock.tick()
        if not self.clock.is_spent():
            return
        self.clock.stop()
        if self.validator is not None and self.validator.state.epoch != engine.state.epoch:
            self.validator.run(engine.state.epoch)
        in_epoch = "in" if was_cut else "after"
        _log.info("%g minutes are over, %s epoch %d", self.clock.limit_s / 60, in_epoch, engine.state.epoch)
        engine.terminate()
