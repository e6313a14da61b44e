"""The three programs that a bundle goes through, each a `python -m monai.bundle run` of its own with a log file.

Measuring: parameters, FLOPs, seconds a slice. Training: until the budget is used up. Evaluating: the fold kept aside.
Nothing is chosen on that fold: the weights that the budget ends with are judged.
"""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from monai_gi.atomic_file import write_whole
from monai_gi.bundle_comparison.request import CONFIGS, ComparisonRequest, config_of, parse_budget
from monai_gi.config_ids import is_known

MEASURING, TRAINING, EVALUATING = "measuring", "training", "evaluating"
NETWORK_COST_FILE = "network_cost.json"
_ENDLESS = 10**6  # epochs; the clock ends the run, and a validation between would take of its time
PATIENCE_S = 20.0  # for a program to end when it is told to
_TAIL_BYTES = 4096
_LONGEST_REASON = 200


class Step(NamedTuple):
    """One program to run.

    Attributes:
        bundle: its name.
        name: "measuring", "training" or "evaluating".
        command: the words of the command line.
        log: gets all that it prints.
    """

    bundle: str
    name: str
    command: list[str]
    log: Path


Runner = Callable[[Step, Callable[[str], None]], str | None]
"""Runs a step, tells its last line about every second, and returns why it failed, or None."""


def steps_of(request: ComparisonRequest, bundle: str) -> list[Step]:
    """What there is to run for a bundle, in order.

    Args:
        request: the comparison.
        bundle: its name.

    Returns:
        Three steps; each can be run again, and training goes on where it stopped.
    """
    folder, output = request.folder_of(bundle), request.output / bundle
    configs = {file: config_of(folder, file) for file in CONFIGS}
    places = {"dataset_dir": request.dataset_dir, "output_dir": output}
    data: dict[str, Any] = {"folds": request.folds, "fold": request.fold, "seed": request.seed}
    data |= {} if request.device == "auto" else {"device": request.device}
    wanted = request.settings_of(bundle)
    known = {
        file: {key: text for key, text in wanted.items() if is_known(key, config)} for file, config in configs.items()
    }
    judged = {**places, **data, **known["evaluate.json"]}
    trained = {**places, **data, **_length(request.budget), "resume": True, **known["train.json"]}
    evaluate = folder / "evaluate.json"
    files = {MEASURING: str([str(evaluate), str(_measuring_config(output))]), TRAINING: str(folder / "train.json")}
    words = {MEASURING: judged, TRAINING: trained, EVALUATING: judged}
    return [
        Step(bundle, name, _command(name, files.get(name, str(evaluate)), words[name]), output / f"{name}.log")
        for name in words
    ]


def run_step(step: Step, tell: Callable[[str], None]) -> str | None:
    """Run a step in a process of its own.

    Args:
        step: what to run; its log is appended to.
        tell: is given the last line of the log about every second.

    Returns:
        Why it failed in one line, None where it did not.
    """
    step.log.parent.mkdir(parents=True, exist_ok=True)
    with step.log.open("ab") as log:
        start = log.tell()
        process = subprocess.Popen(step.command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)  # noqa: S603
        try:
            while _is_running(process):
                tell(_last_line(step.log, start))
        except BaseException:
            _stop(process)
            raise
    return failure_reason(process.returncode, step.log, start)


def failure_reason(code: int, log: Path, start: int = 0) -> str | None:
    """Say in one line why a program failed.

    Args:
        code: its exit code; below 0 the signal that ended it.
        log: what it printed.
        start: byte of the log at which it began.

    Returns:
        Its own `error:` sentence where it has one, else its last line; None for code 0.
    """
    if code == 0:
        return None
    if code < 0:
        name = signal.Signals(-code).name
        return f"ended by {name}" + (": out of memory?" if name == "SIGKILL" else "")
    with log.open("rb") as file:
        file.seek(start)
        lines = file.read().decode(errors="replace").splitlines()
    sentences = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    last = next((line.strip() for line in reversed(lines) if line.strip()), f"exit code {code}")
    return (sentences[-1] if sentences else last)[:_LONGEST_REASON]


def _length(budget: str) -> dict[str, Any]:
    """Ids that make a run as long as the budget, with one validation, the last: it writes model.pt."""
    minutes, epochs = parse_budget(budget)
    if minutes is None:
        return {"max_epochs": epochs, "val_interval": epochs}
    return {"max_minutes": minutes, "max_epochs": _ENDLESS, "val_interval": _ENDLESS}


def _measuring_config(output: Path) -> Path:
    """The part that evaluate.json lacks to measure its network."""
    target = "monai_gi.bundle_comparison.network_cost.write_network_cost"
    config = {
        "network_cost": {
            "_target_": target,
            "network": "@network",
            "slice_shape": "$(len(@slice_offsets), *@roi_size)",
            "amp": "@amp",
            "path": (output / NETWORK_COST_FILE).as_posix(),
        },
        MEASURING: ["@network_cost"],
    }
    return write_whole(output / "measuring.json", json.dumps(config, indent=2) + "\n")


def _command(verb: str, files: str, settings: Mapping[str, Any]) -> list[str]:
    words = [f"--{key}={value}" for key, value in settings.items()]
    return [sys.executable, "-m", "monai.bundle", "run", verb, f"--config_file={files}", *words]


def _is_running(process: subprocess.Popen, seconds: float = 1.0) -> bool:
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        return True
    return False


def _stop(process: subprocess.Popen) -> None:
    """Ctrl-C reaches the program too; what else ends us must end it."""
    process.terminate()
    try:
        process.wait(timeout=PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _last_line(log: Path, start: int) -> str:
    with log.open("rb") as file:
        file.seek(max(start, log.stat().st_size - _TAIL_BYTES))
        lines = file.read().decode(errors="replace").replace("\r", "\n").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
