"""What a run left behind: settings, cost, curves, scores and pictures; a part that is missing is empty, not a fault."""

import datetime
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from monai_gi.errors import DataError, DataErrors
from monai_gi.event_reading import read_scalars
from monai_gi.metrics.judged import SUMMARY, Judged, read_judged
from monai_gi.metrics.ranking import PLACES
from monai_gi.score_charts import Curves

EVALUATION, TENSORBOARD, SETTINGS, COST = "evaluation", "tensorboard", "settings.json", "cost.json"
_MOST_NAMES = 5

T = TypeVar("T")


@dataclass(frozen=True)
class Run:
    """One run, or an evaluation alone.

    Attributes:
        name: different for each run of a report; never a path.
        settings: of the training, as SettingsHandler wrote them; empty where they are not known.
        judging: the same of the judging.
        cost: of the training, as CostHandler wrote it.
        curves: of the training.
        judged: scores; None where nothing was judged yet.
        day: on which that was.
        pictures: worst, median and best, or slides by name.
    """

    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    judging: Mapping[str, Any] = field(default_factory=dict)
    cost: Mapping[str, Any] = field(default_factory=dict)
    curves: Curves = field(default_factory=dict)
    judged: Judged | None = None
    day: str | None = None
    pictures: Mapping[str, Path] = field(default_factory=dict)


def read_runs(paths: Sequence[Path]) -> list[Run]:
    """Read every run, and name them apart.

    Args:
        paths: folders of runs or of evaluations, at least one.

    Returns:
        Runs in this order.

    Raises:
        DataError: a folder holds no run, is damaged, or comes twice; all such faults at once.
        ValueError: there is no path.
    """
    if not paths:
        raise ValueError("runs: none; wanted folders of runs or evaluations")
    faults, found = _gathered(_places, [(path,) for path in paths])
    twice = sorted({path.name for path, places in zip(paths, found, strict=False) if found.count(places) > 1})
    if not faults and twice:
        raise DataError(", ".join(twice), "is given twice; name each run once")
    if not faults:
        named = [(*places, name) for places, name in zip(found, _names(found), strict=True)]
        faults, runs = _gathered(_read, named)
    if len(faults) == 1:
        raise faults[0]
    if faults:
        raise DataErrors("report", faults)
    return runs


def _gathered(read: Callable[..., T], arguments: Sequence[tuple]) -> tuple[list[DataError], list[T]]:
    """All faults at once, and what came without one."""
    faults: list[DataError] = []
    found: list[T] = []
    for given in arguments:
        try:
            found.append(read(*given))
        except DataError as error:  # noqa: PERF203
            faults.append(error)
    return faults, found


def _places(path: Path) -> tuple[Path | None, Path | None]:
    """The run's folder and the evaluation's; one of them may be None."""
    path = path.resolve()
    path = path.parent if path.name == SUMMARY else path
    if not path.is_dir():
        raise DataError(path.name, "no such folder; wanted a run (--output_dir of a training) or its evaluation")
    if (path / SUMMARY).is_file():
        return (path.parent if _is_run(path.parent) else None), path
    if not _is_run(path):
        raise DataError(path.name, _no_run(path))
    evaluation = path / EVALUATION
    return path, evaluation if (evaluation / SUMMARY).is_file() else None


def _is_run(folder: Path) -> bool:
    return (
        any((folder / name).exists() for name in (SETTINGS, TENSORBOARD)) or (folder / EVALUATION / SUMMARY).is_file()
    )


def _no_run(folder: Path) -> str:
    inside = sorted(child.name for child in folder.iterdir() if child.is_dir() and _is_run(child))
    problem = f"holds neither {SUMMARY} of an evaluation nor {SETTINGS} of a training"
    if not inside:
        return f"{problem}; give the --output_dir of a training or its evaluation folder"
    more = ", ..." if len(inside) > _MOST_NAMES else ""
    return f"{problem}, but folders in it do: {', '.join(inside[:_MOST_NAMES])}{more}. Give these"


def _names(found: Sequence[tuple[Path | None, Path | None]]) -> list[str]:
    """The last name of each folder; where two are alike, with the folder above, then with a number."""
    folders = [run or (evaluation or Path()) for run, evaluation in found]
    names = [folder.name for folder in folders]
    for number, folder in enumerate(folders):
        if [other.name for other in folders].count(folder.name) > 1:
            names[number] = f"{folder.parent.name}/{folder.name}"
    return [f"{name} ({names[: i + 1].count(name)})" if names.count(name) > 1 else name for i, name in enumerate(names)]


def _read(run: Path | None, evaluation: Path | None, name: str) -> Run:
    curves = {side: read_scalars(run / TENSORBOARD / side) for side in ("train", "validation")} if run else {}
    if run is not None and evaluation is None and not _json(run / SETTINGS) and not any(curves.values()):
        raise DataError(run.name, "has neither settings, curves nor scores yet; train first")
    return Run(
        name=name,
        settings=_json(run / SETTINGS) if run else {},
        judging=_json(evaluation / SETTINGS) if evaluation else {},
        cost=_json(run / COST) if run else {},
        curves=curves,
        judged=read_judged(evaluation) if evaluation else None,
        day=_day(evaluation / SUMMARY) if evaluation else None,
        pictures=_pictures(evaluation / "overlays") if evaluation else {},
    )


def _json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(path, "is damaged, wanted JSON; take it out of the folder to report without it") from error
    return content if isinstance(content, dict) else {}


def _day(path: Path) -> str:
    return datetime.datetime.fromtimestamp(path.stat().st_mtime).date().isoformat()


def _pictures(folder: Path) -> dict[str, Path]:
    """Those with a place in their order; else all of the folder."""
    placed = {place: folder / f"{place}.png" for place in PLACES if (folder / f"{place}.png").is_file()}
    return placed or {path.stem: path for path in sorted(folder.glob("*.png"))}
