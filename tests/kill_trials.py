"""Kills tiny trainings at every write and at random moments, resumes them, and compares the last bit.

Run as a program: `python -m tests.kill_trials FOLDER`; it prints what it did and fails with an AssertionError.
Each training is a forked child, so that twenty cost no more imports than one.
"""

import itertools
import os
import random
import signal
import sys
import time
from pathlib import Path

import torch

from tests.tiny_training import Training, same

EPOCHS = 3
write_state = torch.save


def train(folder, *, resume, kill_at=None, curves=False):
    """Train in a forked child; True when it was finished, False when it was killed."""
    child = os.fork()
    if child == 0:
        sys.stderr = open(os.devnull, "w")  # noqa: PTH123, SIM115
        if kill_at is not None:
            kill_at_write(kill_at)
        training = Training(folder, resume=resume, epochs=EPOCHS, curves=curves).run()
        write_state(training.state(), folder / "state.pt")
        os._exit(0)
    return child


def finished(child):
    _, status = os.waitpid(child, 0)
    assert status == 0 or os.WTERMSIG(status) == signal.SIGKILL, f"the training failed with {status}"
    return status == 0


def kill_at_write(number):
    """From here on, this process dies as it begins its n-th step of writing files."""
    steps = itertools.count(1)

    def before(function):
        def stepping(*arguments, **keywords):
            if next(steps) == number:
                if function is save:
                    # Half of the file is on the disk when the power goes.
                    file = arguments[1]
                    function(*arguments, **keywords)
                    file.truncate(file.tell() // 2)
                    file.flush()
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*arguments, **keywords)

        return stepping

    save = torch.save
    torch.save = before(save)
    os.fsync = before(os.fsync)
    Path.replace = before(Path.replace)
    Path.unlink = before(Path.unlink)


def check_files_are_whole(folder):
    for path in set(folder.glob("*.pt")) - {folder / "state.pt"}:
        torch.load(path, weights_only=True)


def kill_at_every_write(folder, expected):
    number = 1
    while not finished(train(trial := folder / f"write{number}", resume=False, kill_at=number)):
        check_files_are_whole(trial)
        # A run that kept nothing yet is begun again with the same line.
        assert finished(train(trial, resume=True))
        assert same(torch.load(trial / "state.pt"), expected), f"killed at write {number}: other weights"
        assert not list(trial.glob("*.part"))
        best = {path.name for path in trial.glob("model*")}
        assert best == {path.name for path in (folder / "whole").glob("model*")}, f"killed at write {number}: {best}"
        number += 1
    return number - 1


def kill_at_random(folder, expected, seconds, trials=6):
    kills = 0
    for trial in range(trials):
        path = folder / f"random{trial}"
        child = train(path, resume=False, curves=True)
        for _ in range(3):
            time.sleep(random.uniform(0.2, 1.1) * seconds)
            os.kill(child, signal.SIGKILL)
            kills += not finished(child)
            if path.exists():
                check_files_are_whole(path)
            child = train(path, resume=True, curves=True)
        assert finished(child)
        assert same(torch.load(path / "state.pt"), expected), f"trial {trial}: other weights"
    return kills


def main():
    torch.set_num_threads(1)
    folder = Path(sys.argv[1])
    began = time.perf_counter()
    assert finished(train(folder / "whole", resume=False, curves=True))
    seconds = time.perf_counter() - began
    expected = torch.load(folder / "whole" / "state.pt")
    writes = kill_at_every_write(folder, expected)
    kills = kill_at_random(folder, expected, seconds)
    print(f"{writes} writes and {kills} random moments")


if __name__ == "__main__":
    main()
