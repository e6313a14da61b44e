"""Which pictures of an evaluation are shown, and who is in them: the worst, the median and the best by Dice."""

from pathlib import Path
from typing import NamedTuple

from monai_gi.metrics.judged import Judged
from monai_gi.metrics.kinds import SCANS, SLIDES
from monai_gi.metrics.ranking import PLACES, placed, ranked_by_dice
from monai_gi.report.page import picture
from monai_gi.report.reading import Run

_OUTLINES = "Solid: prediction. Dashed, lighter: truth."
_SIDE_BY_SIDE = "Left: prediction. Right: truth."


class Shown(NamedTuple):
    """One picture.

    Attributes:
        place: "worst", "median" or "best".
        path: PNG.
        who: what is in it; empty where its own captions tell.
    """

    place: str
    path: Path
    who: str


def chosen_pictures(run: Run) -> list[Shown]:
    """Choose what is shown of a run.

    Args:
        run: judged.

    Returns:
        At most one a place; of slides those at the places of the ranking, as each has a picture of its own.
    """
    if run.judged is None:
        return []
    ranked = _ranked(run.judged)
    if run.judged.kind is not SLIDES:
        who = placed([f"{name}, mean 3D Dice {dice:.2f}" for name, dice in ranked]) if run.judged.kind is SCANS else {}
        return [Shown(place, run.pictures[place], who.get(place, "")) for place in PLACES if place in run.pictures]
    drawn = [(name, dice) for name, dice in ranked if name in run.pictures]
    return [
        Shown(place, run.pictures[name], f"{name}, mean Dice {dice:.2f}")
        for place, (name, dice) in placed(drawn).items()
    ]


def picture_html(run: Run, shown: Shown) -> str:
    """Put a picture on the page.

    Args:
        run: judged.
        shown: one of its pictures.

    Returns:
        HTML.
    """
    kind = SCANS if run.judged is None else run.judged.kind
    title = f"{shown.place.capitalize()} {f'{kind.whole}s' if not shown.who else f'{kind.whole}: {shown.who}'}"
    how = _SIDE_BY_SIDE if kind is SLIDES else _OUTLINES
    return picture(shown.path, f"{title}. {how}", f"{title}: truth and prediction in the image")


def _ranked(judged: Judged) -> list[tuple[str, float]]:
    """Scans, frames or slides by their mean Dice over what truth or prediction hold; those that have none left out."""
    column = {"slice": "dice_3d_empty_left_out", "frame": "dice_empty_left_out", "slide": "dice"}[judged.kind.unit]
    things = judged.things[1:] if judged.kind is SLIDES else judged.things
    rows = [row for thing in things for row in judged.rows_of(thing, judged.wholes)]
    return ranked_by_dice((row["id"], row[column]) for row in rows)
