"""Starts `monai-gi` and `python -m monai.bundle` in milliseconds: each is a fork of a process that has them imported.

Importing takes longer than the tiny jobs of the tests. `WarmPython(folder)` writes `folder/monai-gi` and
`folder/python`, which a shell finds on its PATH; they hand their words, folder, environment and open files to the warm
process by a socket, and pass on signals and the exit code. Other uses of `python` go to the real one.
"""

import contextlib
import importlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import NoReturn

ROOT = Path(__file__).parent.parent
IMPORTED = (
    "highdicom", "ignite.handlers", "matplotlib.figure", "monai.apps", "monai.bundle", "monai.engines",
    "monai.handlers", "torch.utils.tensorboard", "transformers.models.segformer.modeling_segformer",
    "monai_gi.bundle", "monai_gi.cli", "monai_gi.contouring", "monai_gi.handlers", "monai_gi.importing",
    "monai_gi.leaking", "monai_gi.networks", "monai_gi.report", "monai_gi.sharing.pack", "monai_gi.showing",
    "monai_gi.slide_judging",
)  # fmt: skip
CLIENT = """#!{python} -IS
import json, os, signal, socket, sys
words = [os.path.basename(sys.argv[0]), *sys.argv[1:]]
if words[0] == "python" and words[1:3] != ["-m", "monai.bundle"]:
    os.execv({python!r}, [{python!r}, *words[1:]])
with socket.socket(socket.AF_UNIX) as door:
    door.connect({door!r})
    message = json.dumps([words, os.getcwd(), dict(os.environ)]).encode()
    socket.send_fds(door, [len(message).to_bytes(8, "big")], [0, 1, 2])
    door.sendall(message)
    pid = int.from_bytes(door.recv(8), "big")
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: os.kill(pid, number))
    code = int.from_bytes(door.recv(8), "big")
sys.exit(code)
"""


class WarmPython:
    """The warm process, from `with` to its end.

    Args:
        folder: to be made; put it first on PATH.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        self.door = str(folder / "door")
        for name in ("monai-gi", "python"):
            path = folder / name
            path.write_text(CLIENT.format(python=sys.executable, door=self.door))
            path.chmod(0o755)

    def __enter__(self) -> "WarmPython":
        command = [sys.executable, "-m", "tests.warm_python", self.door]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == b"warm\n"
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.process.terminate()
        self.process.communicate()


def serve(door: str) -> None:
    """Fork for each who comes; that fork waits for a second one, which does the job. No threads: forks lose them."""
    warm_up()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody asks how the waiting ones ended
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(door)
        listener.listen()
        print("warm", flush=True)
        while True:
            visitor, _ = listener.accept()
            head, files, _, _ = socket.recv_fds(visitor, 8, 3)
            if os.fork() == 0:
                listener.close()
                wait_for_work(visitor, receive(visitor, int.from_bytes(head, "big")), files, Path(door).parent)
            visitor.close()
            for file in files:
                os.close(file)


def wait_for_work(visitor: socket.socket, job: list, files: list[int], folder: Path) -> NoReturn:
    """Tell the visitor the job's process and, later, its exit code."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    pid = os.fork()
    if pid == 0:
        visitor.close()
        work(job, files, folder)
    for file in files:
        os.close(file)
    with contextlib.suppress(OSError):
        visitor.sendall(pid.to_bytes(8, "big"))
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        visitor.sendall((code if code >= 0 else 128 - code).to_bytes(8, "big"))
    os._exit(0)


def warm_up() -> None:
    """Import what the commands import, and nothing that starts threads or opens files."""
    for name in IMPORTED:
        importlib.import_module(name)


def receive(visitor: socket.socket, size: int) -> list:
    """The whole message as [words, folder, environment]."""
    data = b""
    while len(data) < size:
        data += visitor.recv(size - len(data))
    return json.loads(data)


def work(job: list, files: list[int], folder: Path) -> NoReturn:
    """Be the command: its files, folder, environment and words; never comes back."""
    words, place, environment = job
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, file in enumerate(files):
        os.dup2(file, number)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(place)
    sys.executable = str(folder / "python")  # whoever starts Python from here gets a warm one
    sys.stdin, sys.stdout, sys.stderr = (os.fdopen(number, mode) for number, mode in enumerate("rww"))
    code = 1
    try:
        code = run(words, place)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except KeyboardInterrupt:
        code = 130
    except BaseException:
        sys.excepthook(*sys.exc_info())
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


def run(words: list[str], place: str) -> int:
    from monai_gi.cli import main

    if words[0] == "monai-gi":
        sys.argv = words
        return main(words[1:])
    sys.argv = words[2:]
    sys.path.insert(0, place)  # as `python -m` does
    runpy.run_module("monai.bundle", run_name="__main__", alter_sys=True)
    return 0


if __name__ == "__main__":
    serve(sys.argv[1])
