"""Ctrl-C and SIGTERM end a run with one line that says how to go on, not with a traceback.

Convention: the exit code is 128 plus the signal's number, as a shell expects (130 for Ctrl-C, 143 for SIGTERM).
"""

import logging
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

from ignite.engine import Events
from monai.engines import Workflow

from monai_gi.handlers.processes import is_first_process


class StopSignals:
    """While the trainer runs, Ctrl-C and SIGTERM print a line and exit; afterwards they mean what they meant before.

    Args:
        message: what to print, asked when the signal comes.
    """

    def __init__(self, message: Callable[[], str]) -> None:
        self.message = message
        self.former: dict[int, Any] = {}

    def attach(self, trainer: Workflow) -> None:
        """Listen from the trainer's start to its end.

        Args:
            trainer: the engine whose run can be continued.
        """
        trainer.add_event_handler(Events.STARTED, self._listen)
        trainer.add_event_handler(Events.COMPLETED, self._leave)

    def _listen(self) -> None:
        logging.disable(logging.NOTSET)
        # Python lets only the main thread ask for signals; elsewhere (a notebook's worker) they stay as they are.
        if threading.current_thread() is threading.main_thread():
            self.former = {number: signal.signal(number, self._stop) for number in (signal.SIGINT, signal.SIGTERM)}

    def _leave(self) -> None:
        for number, handler in self.former.items():
            signal.signal(number, handler)
        self.former = {}

    def _stop(self, number: int, _: FrameType | None) -> None:
        self._leave()
        # Engines and their handlers log whatever ends them as an error, with its traceback.
        logging.disable(logging.CRITICAL)
        if is_first_process():
            print(f"\n{self.message()}", file=sys.stderr, flush=True)
        raise SystemExit(128 + number)
