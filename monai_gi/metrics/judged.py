"""What was judged, as rows and a summary, from scores in memory or from the files that they were written into.

Rows are those of `tables`: texts and numbers, NaN where a number does not exist, `inf` for an infinite distance.
Slides come in the same form, a row a slide and class, so that whatever shows scores need not ask what was judged.
"""

import csv
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from monai_gi.errors import DataError
from monai_gi.metrics.judged_slides import group_rows, slide_class_rows, slide_summary
from monai_gi.metrics.kinds import FRAMES, SCANS, SLIDES, Kind
from monai_gi.metrics.scores import ScanScores
from monai_gi.metrics.slide_tables import SlideScore, confusion_rows, slide_rows, summarise_slides
from monai_gi.metrics.summary import sorted_scans, summarise
from monai_gi.metrics.tables import JOINED, case_rows, scan_rows, slice_rows

SUMMARY = "summary.json"
_REPAIR = "Judge again with evaluate.json, or give another folder"
_TEXTS = {"id", "case", "scan", "organ", "sequence", "class", "slide", "group", "truth"}

Row = dict[str, Any]


class Shown(NamedTuple):
    """A measure that is shown.

    Attributes:
        name: column of the rows by group, key of the summary.
        title: in words, with its unit.
        is_share: 0 to 1, larger is better; otherwise a distance, smaller is better.
        column: of the rows by unit or whole that it is the mean of; its name where that is empty.
        by_unit: whether these are units; otherwise wholes.
        truth: column that must be above 0 for a row to count; empty where every row does.
    """

    name: str
    title: str
    is_share: bool = True
    column: str = ""
    by_unit: bool = False
    truth: str = ""


class Value(NamedTuple):
    """One number that a measure is the mean of.

    Attributes:
        id: of the scan, frame or slide; with the slice's where there is one a slice.
        group: case, sequence or group.
        number: NaN where there is none, infinite where one of two masks is empty.
    """

    id: str
    group: str
    number: float


MEASURES: dict[Kind, tuple[Shown, ...]] = {
    SCANS: (
        Shown("dice_3d_organ_scans", "3D Dice", column="dice_3d_empty_left_out", truth="truth_ml"),
        Shown("surface_dice", "surface Dice"),
        Shown("hd95_mm_mean_of_finite", "HD95, mm", is_share=False, column="hd95_mm"),
        Shown("dice_organ_slices", "Dice of slices", column="dice_empty_left_out", by_unit=True, truth="truth_px"),
    ),
    FRAMES: (
        Shown("dice_class_frames", "Dice", column="dice_empty_left_out", truth="truth_px"),
        Shown("iou_class_frames", "IoU", column="iou_empty_left_out", truth="truth_px"),
        Shown("hd95_px_mean_of_finite", "HD95, px", is_share=False, column="hd95_px"),
        Shown("surface_dice", "outline Dice"),
    ),
    SLIDES: (Shown("dice", "Dice"), Shown("iou", "IoU")),
}
"""The measures that are shown, the main one first."""


@dataclass(frozen=True)
class Judged:
    """Scores of some scans, frames or slides.

    Attributes:
        kind: what was judged.
        units: a row a slice, frame or slide, and organ or class.
        wholes: a row a scan and organ; of frames and slides the units again.
        groups: a row a case (sequence, group) and organ or class: means.
        summary: as `summary.json`; of slides with intervals, in the form of the others.
    """

    kind: Kind
    units: Sequence[Row]
    wholes: Sequence[Row]
    groups: Sequence[Row]
    summary: Mapping[str, Any]

    @property
    def things(self) -> list[str]:
        """Names of the organs or classes."""
        return list(self.summary[self.kind.things])

    def number(self, measure: str, thing: str | None = None) -> Mapping[str, Any]:
        """A number of the summary with its interval.

        Args:
            measure: a name of MEASURES.
            thing: organ or class; None for the mean of all.

        Returns:
            `mean`, `interval_95` and more; either may be None.
        """
        numbers = self.summary[f"mean_of_{self.kind.things}"] if thing is None else self.of(thing)
        return numbers[measure]

    def of(self, thing: str) -> Mapping[str, Any]:
        """All numbers of the summary of one organ or class."""
        return self.summary[self.kind.things][thing]

    def rows_of(self, thing: str, rows: Iterable[Row] | None = None) -> list[Row]:
        """The rows of one organ or class.

        Args:
            thing: its name.
            rows: of `units` or `wholes`; those by group where None.

        Returns:
            In their order.
        """
        return [row for row in (self.groups if rows is None else rows) if row[self.kind.thing] == thing]

    def values_of(self, shown: Shown, thing: str) -> list[Value]:
        """What a measure is the mean of, with what its mean leaves out: numbers that do not exist or are infinite.

        Args:
            shown: one of MEASURES.
            thing: organ or class.

        Returns:
            A value a scan, slice, frame or slide.
        """
        rows = self.rows_of(thing, self.units if shown.by_unit else self.wholes)
        return [
            Value(f"{row.get('scan', '')}/{row['id']}", str(row[self.kind.group]), row[shown.column or shown.name])
            for row in rows
            if not shown.truth or row[shown.truth] > 0
        ]

    def distances(self, thing: str | None = None) -> tuple[int, int]:
        """Count distances between masks of which at least one holds something.

        Args:
            thing: organ or class; None for all of them.

        Returns:
            How many are infinite, as one mask is empty, and how many there are; of slides 0 and 0.
        """
        name = f"hd95_{self.kind.length}"
        things = self.things if thing is None else [thing]
        rows = [row for one in things for row in self.rows_of(one, self.wholes)]
        known = [row[name] for row in rows if not math.isnan(row.get(name, math.nan))]
        return sum(map(math.isinf, known)), len(known)


def judged_of(scans: Sequence[ScanScores], *, seed: int = 0, bootstrap: int = 2000) -> Judged:
    """Lay out scores that are in memory.

    Args:
        scans: as `summary.sorted_scans` takes them.
        seed: of the bootstrap over groups.
        bootstrap: number of its draws.

    Returns:
        The same rows as in the files, rounding apart.
    """
    scans = sorted_scans(scans)
    units = [row for scan in scans for row in slice_rows(scan)]
    wholes = [row for scan in scans for row in scan_rows(scan)] if scans[0].kind.has_volume else units
    return Judged(scans[0].kind, units, wholes, case_rows(scans), summarise(scans, seed=seed, bootstrap=bootstrap))


def judged_of_slides(
    scores: Sequence[SlideScore], classes: Sequence[str], *, seed: int = 0, bootstrap: int = 2000
) -> Judged:
    """Lay out scores of slides that are in memory.

    Args:
        scores: of at least one slide.
        classes: names, background first.
        seed: of the bootstrap over groups.
        bootstrap: number of its draws.

    Returns:
        The same rows as in the files.
    """
    rows = [{name: _value(name, str(value)) for name, value in row.items()} for row in slide_rows(scores, classes)]
    summary = summarise_slides(scores, classes)
    return _of_slides(rows, summary, confusion_rows(scores, classes), seed=seed, bootstrap=bootstrap)


def read_judged(folder: str | Path) -> Judged:
    """Read what `write_scores` or `slide_judging` wrote.

    Args:
        folder: with summary.json and its tables.

    Returns:
        What was judged.

    Raises:
        DataError: a file is missing, damaged, or not of this kind.
    """
    folder = Path(folder)
    summary = _read_json(folder / SUMMARY)
    try:
        return _read_slides(folder, summary) if "confusion" in summary else _read_scans(folder, summary)
    except KeyError as error:
        raise DataError(folder / SUMMARY, f"lacks {error} for what its tables hold. {_REPAIR}") from error


def joined_rows(judged: Judged, rows: Iterable[Row] | None = None) -> list[Row]:
    """The rows that join the organs: contest scores; none for anything but the contest's organs.

    Args:
        judged: scores.
        rows: of its `wholes`; those by case where None.

    Returns:
        A row a case or scan.
    """
    return judged.rows_of(JOINED, rows)


def _read_scans(folder: Path, summary: Mapping[str, Any]) -> Judged:
    kind = next((kind for kind in (SCANS, FRAMES) if isinstance(summary.get(kind.things), dict)), None)
    if kind is None:
        raise DataError(folder / SUMMARY, f"holds neither organs nor classes. {_REPAIR}")
    names = dict.fromkeys(f"{name}s" for name in (kind.unit, kind.whole, kind.group))
    tables = {name: _read_rows(folder / f"{name}.csv", kind.thing) for name in names}
    units, wholes, groups = (tables[f"{name}s"] for name in (kind.unit, kind.whole, kind.group))
    judged = Judged(kind, units, wholes, groups, summary)
    for measure in MEASURES[kind]:
        for thing in (None, *judged.things):
            judged.number(measure.name, thing)
    return judged


def _read_slides(folder: Path, summary: Mapping[str, Any]) -> Judged:
    path = folder / "confusion.csv"
    confusion = _read_rows(path, "truth") if path.is_file() else ()
    return _of_slides(_read_rows(folder / "slides.csv", "slide"), summary, confusion)


def _of_slides(rows: Sequence[Row], summary: Mapping[str, Any], confusion: Sequence[Row], **draws: int) -> Judged:
    classes = summary["confusion"]["classes"]
    units = slide_class_rows(rows, classes, confusion)
    return Judged(SLIDES, units, units, group_rows(units, classes), slide_summary(units, summary, **draws))


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DataError(path, f"no such file. {_REPAIR}") from error
    except ValueError as error:
        raise DataError(path, f"is damaged, wanted JSON. {_REPAIR}") from error
    if not isinstance(content, dict):
        raise DataError(path, f"holds no summary. {_REPAIR}")
    return content


def _read_rows(path: Path, column: str) -> list[Row]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = [{name: _value(name, text) for name, text in row.items()} for row in csv.DictReader(file)]
    except FileNotFoundError as error:
        raise DataError(path, f"no such file, but {SUMMARY} is there. {_REPAIR}") from error
    except (ValueError, TypeError, AttributeError, csv.Error) as error:
        raise DataError(path, f"is damaged, wanted a table of numbers. {_REPAIR}") from error
    if not rows or column not in rows[0]:
        raise DataError(path, f"has no rows with the column {column}. {_REPAIR}")
    return rows


def _value(name: str, text: str) -> str | float:
    if name in _TEXTS:
        return text
    return float(text) if text else float("nan")
