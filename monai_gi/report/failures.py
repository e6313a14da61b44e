"""What went wrong, the worst first: a class missed or invented in a whole scan or frame, then low Dice."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from monai_gi.metrics.judged import Judged, Row
from monai_gi.metrics.kinds import SCANS, SLIDES
from monai_gi.metrics.slide_tables import ALL_SLIDES

LOW_DICE = 0.5
"""Under this Dice, more of the two masks is disputed than shared: nobody would correct such a contour by hand."""

WEAKEST = 3
"""So many are shown where nothing failed."""

_DICE = {"slice": "dice_3d_empty_left_out", "frame": "dice_empty_left_out", "slide": "dice"}


class Failure(NamedTuple):
    """One scan, frame or slide, and one organ or class of it.

    Attributes:
        where: its id.
        thing: organ or class.
        what: in words.
        dice: of the whole; NaN where there is none.
        distance: 95 % Hausdorff distance; NaN where there is none, infinite where one mask is empty.
        look_at: the slice with most disputed pixels; empty where there are no slices.
    """

    where: str
    thing: str
    what: str
    dice: float
    distance: float
    look_at: str


def find_failures(judged: Judged) -> list[Failure]:
    """List what failed.

    Args:
        judged: scores.

    Returns:
        First what was missed or invented altogether, the largest first; then Dice under LOW_DICE, the lowest first.
    """
    empty = sorted(
        (row for row in _scored(judged) if _is_one_sided(row, judged)), key=lambda row: -_amount(row, judged)
    )
    low = [row for row in _by_dice(judged) if row[_dice(judged)] < LOW_DICE and not _is_one_sided(row, judged)]
    return [_failure(row, judged) for row in (*empty, *low)]


def find_weakest(judged: Judged) -> list[Failure]:
    """List the lowest Dice, for where nothing failed.

    Args:
        judged: scores.

    Returns:
        At most WEAKEST.
    """
    return [_failure(row, judged) for row in _by_dice(judged)[:WEAKEST]]


def count_scored(judged: Judged) -> int:
    """How many pairs of a scan (frame, slide) and a class have a Dice."""
    return sum(not math.isnan(row[_dice(judged)]) for row in _scored(judged))


def _scored(judged: Judged) -> list[Row]:
    """Rows of the classes; the background of slides is none that one looks for."""
    things = judged.things[1:] if judged.kind is SLIDES else judged.things
    return [row for thing in things for row in judged.rows_of(thing, judged.wholes) if row["id"] != ALL_SLIDES]


def _by_dice(judged: Judged) -> list[Row]:
    known = [row for row in _scored(judged) if not math.isnan(row[_dice(judged)])]
    return sorted(known, key=lambda row: row[_dice(judged)])


def _dice(judged: Judged) -> str:
    return _DICE[judged.kind.unit]


def _sizes(row: Row, judged: Judged) -> tuple[float, float]:
    """Of truth and prediction: mL of a scan, pixels of a frame or slide; NaN where a slide tells none."""
    unit = "ml" if judged.kind is SCANS else "px"
    return row.get(f"truth_{unit}", math.nan), row.get(f"pred_{unit}", math.nan)


def _is_one_sided(row: Row, judged: Judged) -> bool:
    truth, pred = _sizes(row, judged)
    return (truth == 0) != (pred == 0)


def _amount(row: Row, judged: Judged) -> float:
    return max(_sizes(row, judged))


def _failure(row: Row, judged: Judged) -> Failure:
    distance = row.get(f"hd95_{judged.kind.length}", math.nan)
    what, dice = _words(row, judged), row[_dice(judged)]
    return Failure(row["id"], row[judged.kind.thing], what, dice, distance, _look_at(row, judged))


def _words(row: Row, judged: Judged) -> str:
    truth, pred = _sizes(row, judged)
    if _is_one_sided(row, judged):
        size = _size(max(truth, pred), judged)
        return f"missed: {size}, none found" if pred == 0 else f"invented: {size} where there is none"
    if math.isnan(truth):
        return "low Dice" if row[_dice(judged)] < LOW_DICE else "lowest Dice"
    found = f"{_size(pred, judged)} found, {_size(truth, judged)} true"
    return f"low Dice: {found}" if row[_dice(judged)] < LOW_DICE else found


def _size(value: float, judged: Judged) -> str:
    if judged.kind is not SCANS:
        return f"{value:,.0f} px"
    return f"{value:.0f} mL" if value >= 10 else f"{value:.2g} mL"


def _look_at(row: Row, judged: Judged) -> str:
    if not judged.kind.has_volume:
        return ""
    slices: Sequence[dict[str, Any]] = [
        one for one in judged.rows_of(row[judged.kind.thing], judged.units) if one["scan"] == row["id"]
    ]
    if not slices:
        return ""
    worst = max(slices, key=lambda one: one["truth_px"] + one["pred_px"] - 2 * one["overlap_px"])
    return str(worst["id"]).removeprefix(f"{row['id']}_")
