"""The command `monai-gi`: its exit codes, its one message for bad input, and what signals do to it."""

import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from monai_gi import arguments
from monai_gi.errors import OF_THE_MACHINE, DataError
from monai_gi.verbs import VERBS


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb.

    Args:
        argv: the words after `monai-gi`; the command line when None.

    Returns:
        0 done, 1 not as it should be (`inspect`, `leaks`), all failed (`compare-bundles`), an unexpected error in an
        input (`predict`) or a machine at its limits (one of `OF_THE_MACHINE`), 2 bad input (one message, no
        traceback), 130 stopped with Ctrl-C, 141 nobody reads the pipe any more.

    Raises:
        SystemExit: 143, stopped with SIGTERM; 2, words that are no command line.
    """
    options = arguments.parser().parse_args(argv)
    try:
        with _stopped_by_sigterm():
            code = VERBS[options.verb](options) or 0
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # the reader of a pipe, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except (DataError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return getattr(error, "exit_code", 2)
    except OSError as error:
        # A full disk names no file; what was written before is whole.
        print("error: " + ": ".join(str(part) for part in (error.filename, error.strerror) if part), file=sys.stderr)
        return 1 if error.errno in OF_THE_MACHINE else 2
    except KeyboardInterrupt:
        print("\nStopped; the same line goes on where it can.", file=sys.stderr)
        return 130


@contextmanager
def _stopped_by_sigterm() -> Iterator[None]:
    """While a verb runs, SIGTERM unwinds it as Ctrl-C does, so that no part of a file stays."""

    def stop(number: int, _: FrameType | None) -> None:
        raise SystemExit(128 + number)

    if threading.current_thread() is not threading.main_thread():  # only there Python lets ask for signals
        yield
        return
    former = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, former)
