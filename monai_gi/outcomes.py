"""What happens to each input of `monai-gi predict`: skipped, contoured or at fault; a folder each, `result.json` last.

An input is done when its folder holds a `result.json` of the same settings, and the files that it lists. Faults are
gathered, unexpected errors too, so that one faulty input does not keep the others waiting.
"""

import errno
import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from tqdm import tqdm

from monai_gi.errors import OF_THE_MACHINE, DataError, DataErrors
from monai_gi.provenance import INTENDED_USE

RESULT = "result.json"
# What the next input would meet too.
_HITS_ALL = (*OF_THE_MACHINE, errno.EROFS)
_LONGEST_MESSAGE = 300
S = TypeVar("S")


@dataclass(frozen=True)
class Outcome:
    """What happened to one input: a scan, a frame, a slide.

    Attributes:
        name: of the input.
        folder: of its results.
        status: "contoured", "already done" or "left out: REASON".
        seconds: it took; 0 when it was not contoured now.
    """

    name: str
    folder: Path
    status: str
    seconds: float = 0.0


class UnexpectedError(DataError):
    """What the program did not foresee in one input: memory that ran out, an error of a library or of its own.

    Args:
        name: of the input.
        error: what was raised. Only its words are kept: what it holds on to may fill the memory.

    Attributes:
        exit_code: 1; the data may be as they should be.
    """

    exit_code = 1

    def __init__(self, name: str, error: Exception) -> None:
        place = traceback.extract_tb(error.__traceback__)[-1]
        words = ": ".join(filter(None, [type(error).__name__, " ".join(str(error).split())[:_LONGEST_MESSAGE]]))
        repair = "Not foreseen: where memory ran out, take --device cpu or a larger machine; else report it"
        super().__init__(name, f"{words} ({Path(place.filename).name}, line {place.lineno}). {repair}")


class NotContouredError(DataErrors):
    """Some inputs could not be contoured; the others are done.

    Args:
        problems: at least one fault, each with its input.
        outcomes: of the other inputs.
    """

    def __init__(self, problems: Sequence[DataError], outcomes: Sequence[Outcome]) -> None:
        super().__init__("not contoured", problems)
        self.outcomes = tuple(outcomes)
        self.exit_code = min(problem.exit_code for problem in problems)

    def seen_from(self, root: str | Path) -> "NotContouredError":
        """The same faults and outcomes, seen from a folder.

        Args:
            root: the folder, as it stands in the paths.

        Returns:
            A new error.
        """
        return NotContouredError([problem.seen_from(root) for problem in self.problems], self.outcomes)


@dataclass(frozen=True)
class Task(Generic[S]):
    """One input that is to be contoured.

    Attributes:
        name: plain file name, unique among the tasks.
        folder: of its results.
        source: what it is read from.
        units: how far the progress bar goes with it.
        settings: gives what the result depends on, as JSON holds it; asked for only when it is needed, as it may have
            to read the whole input.
        adds_formats: contouring it adds formats that its result lacks.
    """

    name: str
    folder: Path
    source: S
    units: int
    settings: Callable[[], Mapping[str, Any]]
    adds_formats: bool = False


def run_tasks(
    tasks: Sequence[Task[S]], contour: Callable[[Task[S], tqdm], object], *, unit: str, overwrite: bool = False
) -> tuple[list[Outcome], list[DataError]]:
    """Contour what is not done, one after the other with one progress bar.

    Args:
        tasks: in the order in which they are done.
        contour: reads one, writes its results and moves the bar on by its units.
        unit: what the bar counts, such as "slice".
        overwrite: redo what is done.

    Returns:
        Outcomes of what is done, earlier or now, and the faults of the others; unexpected errors are faults too.

    Raises:
        DataErrors: all results that lie there and were made with other settings, or can not be read.
        OSError: the next input would meet it too, such as a full disk.
    """
    done = set() if overwrite else _done(tasks)
    waiting = [task for task in tasks if task.name not in done]
    outcomes = [Outcome(task.name, task.folder, "already done") for task in tasks if task.name in done]
    faults: list[DataError] = []
    total = sum(task.units for task in waiting)
    with tqdm(total=total, desc="contouring", unit=unit, disable=not waiting, **pace()) as bar:
        for task in waiting:
            start = time.perf_counter()
            found = _faults(task, contour, bar)
            if not found:
                outcomes.append(Outcome(task.name, task.folder, "contoured", time.perf_counter() - start))
                continue
            faults += found
            bar.total -= task.units  # else the end time would wait for them
    return outcomes, faults


def _faults(task: Task[S], contour: Callable[[Task[S], tqdm], object], bar: tqdm) -> list[DataError]:
    """Contour one input; what is wrong with it, none where it is done."""
    try:
        contour(task, bar)
    except DataError as fault:
        return one_by_one(fault)
    except Exception as error:
        if isinstance(error, OSError) and error.errno in _HITS_ALL:
            raise
        return [UnexpectedError(task.name, error)]
    return []


def _done(tasks: Iterable[Task[S]]) -> set[str]:
    """Names of the inputs that an earlier run finished; all that hold other results are told at once."""
    answers = {task.name: _done_or_fault(task) for task in tasks}
    if faults := [answer for answer in answers.values() if isinstance(answer, DataError)]:
        raise DataErrors("--output", faults)
    return {name for name, answer in answers.items() if answer}


def _done_or_fault(task: Task[S]) -> bool | DataError:
    try:
        return is_done(task.folder, task.settings, adds_formats=task.adds_formats)
    except DataError as fault:
        return fault


def is_done(folder: Path, settings: Callable[[], Mapping[str, Any]], *, adds_formats: bool = False) -> bool:
    """Whether an earlier run finished this input with the same bundle and settings.

    Args:
        folder: of its results.
        settings: that the result is to have, among them "formats", of which it may have more; asked for only where
            there is a result.
        adds_formats: those that are lacking can be added; else they are a fault.

    Returns:
        True where `result.json` has them, and the files that it lists are there.

    Raises:
        DataError: the result was made with other settings, or can not be read.
    """
    path, where = folder / RESULT, f"{folder.name}/{RESULT}"
    if not path.is_file():
        return False
    try:
        record = json.loads(path.read_bytes())
        found, files = record["settings"], [folder / name for name in record.get("files", ())]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(where, f"can not be read ({error}). --overwrite makes it anew") from error
    wanted = json.loads(json.dumps(settings()))
    keys = (wanted.keys() | found.keys()) - {"formats"}
    repair = "--overwrite redoes it, or use another DIR"
    if differing := sorted(key for key in keys if wanted.get(key) != found.get(key)):
        raise DataError(where, f"was made with other {', '.join(differing)}. {repair}")
    lacking = sorted(set(wanted.get("formats", ())) - set(found.get("formats", ())))
    if lacking and not adds_formats:
        raise DataError(where, f"was made without {', '.join(lacking)}. {repair}")
    return not lacking and all(file.is_file() for file in files)


def formats_there(folder: Path) -> set[str]:
    """The formats of an earlier result.

    Args:
        folder: of the result; it need not exist.

    Returns:
        Their names; none where there is no result, or none that can be read.
    """
    try:
        return set(json.loads((folder / RESULT).read_bytes())["settings"]["formats"])
    except (OSError, ValueError, KeyError, TypeError):
        return set()


def check_folder(folder: Path) -> None:
    """Refuse a folder for results that can not be one, before hours of work.

    Args:
        folder: of all results; it need not exist.

    Raises:
        DataError: it is a file, lies below one, or nothing can be written there.
    """
    there = next(parent for parent in (folder.absolute(), *folder.absolute().parents) if parent.exists())
    if not there.is_dir():
        raise DataError(folder, f"{there.name} is a file, wanted a folder for results. Name another --output")
    if not os.access(there, os.W_OK | os.X_OK):
        raise DataError(folder, "nothing can be written there. Name another --output, or ask for the right to write")


def finished(outcomes: Sequence[Outcome], faults: Sequence[DataError], names: Sequence[str]) -> list[Outcome]:
    """The outcomes in the order of the input.

    Args:
        outcomes: of all inputs without a fault.
        faults: of the others.
        names: of all inputs.

    Returns:
        The outcomes.

    Raises:
        NotContouredError: there are faults.
    """
    place = {name: number for number, name in enumerate(names)}
    ordered = sorted(outcomes, key=lambda outcome: place[outcome.name])
    if faults:
        raise NotContouredError(faults, ordered)
    return ordered


def summary(outcomes: Sequence[Outcome]) -> str:
    """The outcomes as text: where to look, and what was left out and why.

    Args:
        outcomes: of one run.

    Returns:
        One line an input, and the intended use.
    """
    lines = [
        f"{outcome.folder}: {outcome.status}" + (f" in {outcome.seconds:.1f} s" if outcome.seconds else "")
        for outcome in outcomes
    ]
    return "\n".join([*lines, INTENDED_USE])


def one_by_one(fault: DataError) -> list[DataError]:
    """A fault with several problems as so many faults, so that the list of all inputs has one level.

    Args:
        fault: one, or several at once.

    Returns:
        As many as it has problems.
    """
    if not isinstance(fault, DataErrors):
        return [fault]
    return [DataError(f"{fault.where}: {problem.where}", problem.problem) for problem in fault.problems]


def pace() -> dict[str, float]:
    """How often a progress bar is drawn: seldom where it goes into a file."""
    return {"mininterval": 0.2 if sys.stderr.isatty() else 10.0}
