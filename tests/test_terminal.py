"""What goes into a log or to somebody who wants no colours: no escape codes, and bars only where they are wanted."""

import ast
import os
import pty
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ASKS_THE_STREAM = ROOT / "monai_gi" / "handlers" / "progress.py"  # before it makes its bar
ESCAPE = b"\x1b"
BOLD = b"\x1b[1m1/5  Drawing"


def written_to_a_terminal(command: list[str], environment: dict[str, str]) -> bytes:
    """All that a command writes to a terminal of its own."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(command, stdout=theirs, stderr=theirs, stdin=subprocess.DEVNULL, env=environment)
    os.close(theirs)
    written = b""
    try:
        while piece := os.read(ours, 4096):
            written += piece
    except OSError:  # how Linux says that the other end is closed
        pass
    finally:
        os.close(ours)
    assert process.wait(timeout=60) == 0
    return written


@pytest.fixture
def demo(tmp_path) -> tuple[list[str], dict[str, str]]:
    """demo.sh with programs that do nothing."""
    for name in ("monai-gi", "python"):
        (tmp_path / name).write_text("#!/bin/sh\nexit 0\n")
        (tmp_path / name).chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "TERM": "xterm-256color"}
    return [str(ROOT / "demo.sh"), str(tmp_path / "demo")], environment


def test_the_demo_is_bold_on_a_terminal(demo):
    command, environment = demo
    assert BOLD in written_to_a_terminal(command, environment)


def test_the_demo_is_plain_for_those_who_want_no_color(demo):
    command, environment = demo
    written = written_to_a_terminal(command, {**environment, "NO_COLOR": "1"})
    assert b"1/5  Drawing" in written
    assert ESCAPE not in written


def test_the_demo_is_plain_in_a_log(demo):
    command, environment = demo
    written = subprocess.run(command, env=environment, capture_output=True, check=True, timeout=60).stdout
    assert b"1/5  Drawing" in written
    assert ESCAPE not in written


def tqdm_calls(path: Path) -> list[ast.Call]:
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    return [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "tqdm"]


def test_every_bar_says_what_it_does_in_a_log():
    """By `disable`, or by `**pace()` and its like, which draw it seldom there."""
    silent = [
        f"{path.relative_to(ROOT)}:{call.lineno}"
        for path in sorted((ROOT / "monai_gi").rglob("*.py"))
        for call in tqdm_calls(path)
        if path != ASKS_THE_STREAM
        if not any(keyword.arg in ("disable", "mininterval", None) for keyword in call.keywords)
    ]
    assert silent == []


def test_no_bar_has_a_color():
    calls = [call for path in sorted((ROOT / "monai_gi").rglob("*.py")) for call in tqdm_calls(path)]
    assert calls
    assert [call.lineno for call in calls if "colour" in {keyword.arg for keyword in call.keywords}] == []
