"""The job of `monai-gi doctor`: all findings as text, and whether what everybody needs is there."""

import platform
import sys
from pathlib import Path
from typing import NamedTuple

from monai_gi import __version__
from monai_gi.diagnosis.data import data_lines, weight_lines
from monai_gi.diagnosis.lines import FAULT, Section, as_text
from monai_gi.diagnosis.machine import device_lines, disk_lines, memory_lines, variable_lines
from monai_gi.diagnosis.packages import extra_lines, required, required_lines


class Diagnosis(NamedTuple):
    """What was found.

    Attributes:
        text: to print; without the user's name in its paths.
        ok: nothing is broken. What only some need may be missing.
    """

    text: str
    ok: bool


def doctor(dataset_dir: str | Path | None = None) -> Diagnosis:
    """Look at packages, devices, memory, disk, data and weights; nothing is written and no network is asked.

    Args:
        dataset_dir: a data set to look at; None looks at those in `data`.

    Returns:
        The findings, each with its repair where one is needed.
    """
    sections = [
        Section("Packages", required_lines(required())),
        Section("Extras", extra_lines()),
        Section("Devices", device_lines()),
        Section("Memory and disk", [*memory_lines(), *disk_lines(Path.cwd()), *variable_lines()]),
        Section("Data", data_lines(None if dataset_dir is None else Path(dataset_dir))),
        Section("Weights", weight_lines()),
    ]
    faults = sum(line.mark == FAULT for section in sections for line in section.lines)
    head = f"monai_gi {__version__}, Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    if faults:
        verdict = f"{faults} thing{'s' if faults > 1 else ''} to mend: the lines marked {FAULT} say how."
    else:
        verdict = "Everything that is required is there."
    return Diagnosis(f"{head}\n{_where()}\n\n{as_text(sections)}\n\n{verdict}", not faults)


def _where() -> str:
    """Whether an environment of its own is used, which most troubles with versions come from."""
    own = sys.prefix != sys.base_prefix
    return "in a virtual environment" if own else "without a virtual environment: `make demo` makes one in .venv"
