"""Programs that serve a page, started as their users start them, and stopped with Ctrl-C."""

import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

# Long: several people may share the cores; whatever is ready sooner goes on sooner.
STARTED_WITHIN_S = 180.0
STOPPED_WITHIN_S = 60.0
PAUSE_S = 0.1


@dataclass(frozen=True)
class Served:
    """A program that answers.

    Attributes:
        url: of its page.
        process: the program.
        log: file of what it prints.
    """

    url: str
    process: subprocess.Popen[bytes]
    log: Path

    def stop(self) -> int:
        """Ctrl-C; its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        return self.process.wait(STOPPED_WITHIN_S)


def heed_ctrl_c() -> None:
    """Let the programs that are started from here hear of Ctrl-C, which those behind a shell's "&" would not."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        return int(place.getsockname()[1])


@contextmanager
def served(words: Sequence[str], port: int, log: Path, environment: Mapping[str, str]) -> Iterator[Served]:
    """Start a program and wait until it answers on this machine; it is stopped at the end, whatever happens."""
    heed_ctrl_c()
    with log.open("wb") as file:
        process = subprocess.Popen(words, stdout=file, stderr=subprocess.STDOUT, env=dict(environment), cwd=log.parent)
    program = Served(f"http://127.0.0.1:{port}/", process, log)
    try:
        _wait(program)
        yield program
    finally:
        if _stuck(program):
            process.kill()
            process.wait()


def _wait(program: Served) -> None:
    deadline = time.monotonic() + STARTED_WITHIN_S
    while not _answers(program.url):
        if program.process.poll() is not None or time.monotonic() > deadline:
            raise AssertionError(f"no answer at {program.url}:\n{program.log.read_text()}")
        time.sleep(PAUSE_S)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=10):
            return True
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


def _stuck(program: Served) -> bool:
    try:
        program.stop()
    except subprocess.TimeoutExpired:
        return True
    return False
