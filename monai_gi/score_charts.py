"""From what was judged, and from a run's curves, to charts: the same in the report and in TensorBoard."""

from collections.abc import Mapping
from typing import Any

from monai_gi.metrics.contest import VARIANT_RULES
from monai_gi.metrics.judged import MEASURES, Judged, Shown
from monai_gi.metrics.kinds import SCANS, SLIDES
from monai_gi.plots.class_colors import color_of
from monai_gi.plots.figures import Chart
from monai_gi.plots.figures_counts import Share, matrix_chart, share_chart
from monai_gi.plots.figures_curves import Curve, curve_chart
from monai_gi.plots.figures_scores import Estimate, Group, box_chart, distance_chart, estimate_chart

Curves = Mapping[str, Mapping[str, Mapping[int, float]]]
"""Curves by side ("train", "validation", "iterations") and tag."""

SIDES = ("train", "validation")
_GREY = (110, 110, 110)


def box_charts(judged: Judged) -> list[Chart]:
    """Boxes over cases for each measure that is shown.

    Args:
        judged: scores.

    Returns:
        A chart a measure, the main one first.
    """
    return [_boxes(judged, shown) for shown in MEASURES[judged.kind]]


def distance_charts(judged: Judged) -> list[Chart]:
    """Dice against the 95 % Hausdorff distance of each scan or frame; none of slides, which have no distance.

    Args:
        judged: scores.

    Returns:
        One chart or none.
    """
    if judged.kind is SLIDES:
        return []
    kind, dice = judged.kind, "dice_3d_empty_left_out" if judged.kind is SCANS else "dice_empty_left_out"
    points = {
        thing: [(row[dice], row[f"hd95_{kind.length}"]) for row in judged.rows_of(thing, judged.wholes)]
        for thing in judged.things
    }
    title = f"{'3D Dice' if kind.has_volume else 'Dice'} against distance"
    colors = {thing: color_of(thing) for thing in judged.things}
    return [distance_chart("dice_against_hd95", title, points, colors, kind.length)]


def empty_charts(judged: Judged) -> list[Chart]:
    """How often a class is missed altogether, and how often found where there is none; none of slides.

    Args:
        judged: scores.

    Returns:
        Two charts or none.
    """
    if judged.kind is SLIDES:
        return []
    unit, thing = judged.kind.unit, judged.kind.thing
    counts = {name: empty_counts(judged, name) for name in judged.things}
    missed = [Share(name, color_of(name), one["missed"], one["with"]) for name, one in counts.items()]
    invented = [Share(name, color_of(name), one["invented"], one["without"]) for name, one in counts.items()]
    return [
        share_chart("missed", f"Missed: {unit}s with the {thing}, none found", missed),
        share_chart("invented", f"Invented: {unit}s without it, some found", invented),
    ]


def empty_counts(judged: Judged, thing: str) -> dict[str, int]:
    """Count the slices or frames in which one of the two masks is empty.

    Args:
        judged: scores of scans or frames.
        thing: organ or class.

    Returns:
        `with` and `without` it in the truth; `missed` of the first, `invented` of the second.
    """
    rows = judged.rows_of(thing, judged.units)
    having = [row for row in rows if row["truth_px"] > 0]
    lacking = [row for row in rows if row["truth_px"] == 0]
    return {
        "with": len(having),
        "without": len(lacking),
        "missed": sum(row["pred_px"] == 0 for row in having),
        "invented": sum(row["pred_px"] > 0 for row in lacking),
    }


def contest_charts(judged: Judged) -> list[Chart]:
    """The contest's score in all variants; none where there is no such score.

    Args:
        judged: scores.

    Returns:
        One chart or none.
    """
    scores: Mapping[str, Any] = judged.summary.get("contest_score", {})
    rows = [
        Estimate(variant, scores[variant]["score"], scores[variant]["interval_95"])
        for variant in VARIANT_RULES
        if variant in scores
    ]
    if not rows:
        return []
    return [estimate_chart("contest_score", "Contest score by variant", rows, axis="score", is_share=True)]


def confusion_charts(judged: Judged) -> list[Chart]:
    """Which class was taken for which; of slides only.

    Args:
        judged: scores.

    Returns:
        One chart or none.
    """
    confusion = judged.summary.get("confusion")
    if confusion is None:
        return []
    return [matrix_chart("confusion", "What was taken for what", confusion["pixels"], confusion["classes"])]


def learning_charts(curves: Curves) -> list[Chart]:
    """Loss and the mean score, train against validation, then the score of each class.

    Args:
        curves: of a run.

    Returns:
        A chart a measure that at least one side has; none without curves.
    """
    tags = list(dict.fromkeys(tag for side in SIDES for tag in curves.get(side, {})))
    things = [tag for tag in tags if tag.startswith("dice/") and tag != "dice/mean"]
    # One class is its own mean.
    wanted = ["loss", "dice/mean", *(["iou/mean"] if len(things) == 1 else things)]
    return [_learning(curves, tag) for tag in wanted if tag in tags]


def best_epoch(curves: Curves) -> int | None:
    """The epoch whose weights were kept as the best; None where that is not known."""
    found = curves.get("validation", {}).get("best/epoch", {})
    return round(found[max(found)]) if found else None


def _learning(curves: Curves, tag: str) -> Chart:
    measure, _, thing = tag.partition("/")
    words = {"dice": "Dice", "iou": "IoU"}.get(measure, measure.capitalize())
    title = f"{words}, {thing.replace('_', ' ')}" if thing else words
    lines = [Curve(side, curves.get(side, {}).get(tag, {})) for side in SIDES]
    return curve_chart(
        f"learning_{tag.replace('/', '_')}", title, lines, is_share=bool(thing), best_epoch=best_epoch(curves)
    )


def _boxes(judged: Judged, shown: Shown) -> Chart:
    kind = judged.kind
    groups = [
        Group(
            thing,
            _GREY if thing == "background" else color_of(thing),
            [row[shown.name] for row in judged.rows_of(thing)],
            judged.number(shown.name, thing)["mean"],
            judged.number(shown.name, thing)["interval_95"],
            (0, 0) if shown.is_share else judged.distances(thing),
        )
        for thing in judged.things
    ]
    return box_chart(shown.name, shown.title, groups, is_share=shown.is_share, over=f"{kind.group}s")
