"""Work that takes seconds: done in a thread, followed from outside, stopped at its next report."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Generic, NamedTuple, Protocol, TypeVar

T = TypeVar("T")


class Progress(NamedTuple):
    """How far work is.

    Attributes:
        text: what is being done, one phrase.
        share: done of it, 0 to 1; None where nobody knows.
    """

    text: str
    share: float | None = None


class StoppedError(Exception):
    """The work was to stop; raised by the report that it made next."""


class Report(Protocol):
    """What work calls to say how far it is; it raises StoppedError when the work is to stop."""

    def __call__(self, text: str, share: float | None = None) -> None:
        """Say what is being done.

        Args:
            text: one phrase.
            share: done of it, 0 to 1.

        Raises:
            StoppedError: the work is to stop.
        """


class Job(Generic[T]):
    """One piece of work in a thread of its own; it starts at once.

    Args:
        work: is given a `Report`, calls it now and then, and returns the result.
    """

    def __init__(self, work: Callable[[Report], T]) -> None:
        self.progress = Progress("Starting")
        self._stop = threading.Event()
        self._outcome: list[T] = []
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(work,), daemon=True)
        self._thread.start()

    def follow(self, seconds: float = 0.2) -> Iterator[Progress]:
        """Wait for the end.

        Args:
            seconds: between two looks.

        Yields:
            Progress: whenever it changed.
        """
        last = None
        while self._thread.is_alive():
            if self.progress != last:
                last = self.progress
                yield last
            self._thread.join(seconds)

    @property
    def is_running(self) -> bool:
        """Whether the work goes on."""
        return self._thread.is_alive()

    def stop(self, timeout_s: float | None = None) -> None:
        """Ask the work to stop, and wait for that.

        Args:
            timeout_s: longest wait; None waits to the end, 0 not at all.
        """
        self._stop.set()
        if self._thread is not threading.current_thread():
            self._thread.join(timeout_s)

    def result(self) -> T:
        """Wait for the end.

        Returns:
            What the work returned.

        Raises:
            StoppedError: it was stopped.
            Exception: whatever the work raised.
        """
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._outcome[0]

    def _run(self, work: Callable[[Report], T]) -> None:
        try:
            self._outcome.append(work(self._report))
        except BaseException as error:  # raised again by result(), in the thread that asks
            self._error = error

    def _report(self, text: str, share: float | None = None) -> None:
        if self._stop.is_set():
            raise StoppedError
        self.progress = Progress(text, share)


class Turns:
    """One after the other: a network serves one person at a time, the others wait for their turn."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def wait(self, report: Report, seconds: float = 0.2) -> None:
        """Wait for the turn; give it back with `done`.

        Args:
            report: is told of the wait, and may end it.
            seconds: between two reports.

        Raises:
            StoppedError: the work was stopped while it waited.
        """
        start = time.monotonic()
        while not self._lock.acquire(timeout=seconds):
            report(f"Waiting for {time.monotonic() - start:.0f} s: other images are being contoured first")

    def done(self) -> None:
        """Let the next one in."""
        self._lock.release()
