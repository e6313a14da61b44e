"""Rows and summary of judged slides in the form of those of scans: a row a slide and class, intervals over groups.

The background, the first class, is shown but left out of the mean of classes.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from monai_gi.metrics.bootstrap import CaseBootstrap, CaseRatio, interval_rule, mean_of_ratios
from monai_gi.metrics.overlap import EMPTY_RULE_TEXTS

NAMES = ("dice", "iou")
_RULE = f"mean over slides; {EMPTY_RULE_TEXTS['empty_left_out']}"


def slide_class_rows(
    rows: Sequence[Mapping[str, Any]], classes: Sequence[str], confusion: Sequence[Mapping[str, Any]] = ()
) -> list[dict[str, Any]]:
    """Turn rows of slides.csv, one a slide, into one a slide and class.

    Args:
        rows: with `slide`, `group`, and `dice_` and `iou_` of each class.
        classes: names, background first.
        confusion: rows of confusion.csv, one a slide and true class.

    Returns:
        Rows with `id`, `group`, `class`, `dice`, `iou`; with `truth_px` and `pred_px` where `confusion` has the slide.
    """
    counts: dict[str, dict[str, Mapping[str, Any]]] = {}
    for row in confusion:
        counts.setdefault(row["slide"], {})[row["truth"]] = row
    return [
        {
            "id": row["slide"],
            "group": row["group"] or row["slide"],
            "class": name,
            **{key: float(row.get(f"{key}_{name}", np.nan)) for key in NAMES},
            **_sizes(counts.get(row["slide"], {}), name, classes),
        }
        for row in rows
        for name in classes
    ]


def group_rows(rows: Sequence[Mapping[str, Any]], classes: Sequence[str]) -> list[dict[str, Any]]:
    """Give the means of each group.

    Args:
        rows: of `slide_class_rows`.
        classes: names, background first.

    Returns:
        A row a group and class, with the group as `id`; NaN where no slide has the class.
    """
    groups = dict.fromkeys(row["group"] for row in rows)
    return [
        {"id": group, "class": name, **{key: _mean([row[key] for row in own]) for key in NAMES}}
        for group in groups
        for name in classes
        if (own := [row for row in rows if row["group"] == group and row["class"] == name])
    ]


def slide_summary(
    rows: Sequence[Mapping[str, Any]], summary: Mapping[str, Any], *, seed: int = 0, bootstrap: int = 2000
) -> dict[str, Any]:
    """Give the numbers of a slides' summary in the form of those of scans, with intervals over groups.

    Args:
        rows: of `slide_class_rows`, at least one.
        summary: as slide_judging wrote it.
        seed: of the bootstrap.
        bootstrap: number of its draws.

    Returns:
        `classes`, `mean_of_classes`, `slides`, `groups`, `interval`, `confusion`, `pixel_accuracy`.
    """
    classes = summary["confusion"]["classes"]
    draws = CaseBootstrap([row["group"] for row in rows], replicates=bootstrap, seed=seed, unit="group")
    ratios = {name: {key: _ratio(rows, name, key, draws) for key in NAMES} for name in classes}
    return {
        "slides": summary["slides"],
        "groups": len(draws.cases),
        "interval": interval_rule("group", bootstrap, seed),
        "classes": {name: {key: _number([own[key]], draws) for key in NAMES} for name, own in ratios.items()},
        "mean_of_classes": {key: _number([ratios[name][key] for name in classes[1:]], draws) for key in NAMES},
        "confusion": summary["confusion"],
        "pixel_accuracy": summary.get("pixel_accuracy"),
    }


def _sizes(counts: Mapping[str, Mapping[str, Any]], name: str, classes: Sequence[str]) -> dict[str, float]:
    """Pixels of a class in the truth and in the prediction of a slide, by its rows of true classes."""
    if not counts:
        return {}
    return {
        "truth_px": float(sum(counts[name][other] for other in classes)),
        "pred_px": float(sum(counts[other][name] for other in classes)),
    }


def _ratio(rows: Sequence[Mapping[str, Any]], name: str, key: str, draws: CaseBootstrap) -> CaseRatio:
    own = [row for row in rows if row["class"] == name]
    indices = np.array([draws.cases.index(row["group"]) for row in own], dtype=np.int64)
    return CaseRatio(np.array([row[key] for row in own], dtype=np.float64), indices, len(draws.cases))


def _number(ratios: Sequence[CaseRatio], draws: CaseBootstrap) -> dict[str, Any]:
    statistic = mean_of_ratios(ratios)
    contributing = int(np.count_nonzero(sum(ratio.counts for ratio in ratios)))
    interval = draws.interval(statistic, contributing=contributing)
    mean = float(statistic(np.ones((1, len(draws.cases))))[0])
    return {
        "mean": None if np.isnan(mean) else mean,
        "interval_95": None if interval.low is None else [interval.low, interval.high],
        "count": int(sum(ratio.counts.sum() for ratio in ratios)),
        "groups": contributing,
        "rule": _RULE,
    }


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else float("nan")
