"""Scores of slides as rows and as a summary, from pixels counted by true and predicted class.

The background, class 0, has a column of its own and is left out of every mean over classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from monai_gi.metrics.overlap import EMPTY_RULE_TEXTS
from monai_gi.metrics.slide_confusion import dice_of_classes, iou_of_classes

ALL_SLIDES = "all"


@dataclass(frozen=True)
class SlideScore:
    """What was found of one slide.

    Attributes:
        slide: its id.
        group: what was kept together in folds.
        counts: (C, C) pixels by (truth, prediction).
    """

    slide: str
    group: str
    counts: np.ndarray


def summarise_slides(scores: Sequence[SlideScore], classes: Sequence[str]) -> dict[str, Any]:
    """Dice and IoU of each class, over all pixels and as the mean of slides, and the confusion.

    Args:
        scores: of all slides.
        classes: names, background first.

    Returns:
        JSON-serialisable; None where nothing could be scored.
    """
    pooled = np.sum([score.counts for score in scores], axis=0)
    by_slide = np.stack([dice_of_classes(score.counts) for score in scores])
    of_classes = {
        name: {
            "dice_of_all_pixels": _number(dice_of_classes(pooled)[label]),
            "iou_of_all_pixels": _number(iou_of_classes(pooled)[label]),
            "dice_mean_of_slides": _number(_mean(by_slide[:, label])),
            "slides_counted": int(np.isfinite(by_slide[:, label]).sum()),
        }
        for label, name in enumerate(classes)
    }
    return {
        "slides": len(scores),
        "rule_for_empty": EMPTY_RULE_TEXTS["empty_left_out"],
        "mean_of_classes_without_background": {
            "dice_of_all_pixels": _number(_mean(dice_of_classes(pooled)[1:])),
            "dice_mean_of_slides": _number(_mean(np.array([_mean(dice[1:]) for dice in by_slide]))),
        },
        "pixel_accuracy": _number(np.trace(pooled) / pooled.sum()),
        "classes": of_classes,
        "confusion": {"rows": "truth", "columns": "prediction", "classes": list(classes), "pixels": pooled.tolist()},
    }


def slide_rows(scores: Sequence[SlideScore], classes: Sequence[str]) -> list[dict[str, Any]]:
    """A row a slide: its Dice and IoU of each class; empty where the class is absent from truth and prediction.

    Args:
        scores: of all slides.
        classes: names, background first.

    Returns:
        Rows for slides.csv.
    """
    rows = []
    for score in scores:
        dice, iou = dice_of_classes(score.counts), iou_of_classes(score.counts)
        row = {"slide": score.slide, "group": score.group, "pixels": int(score.counts.sum())}
        row["mean_dice_without_background"] = _text(_mean(dice[1:]))
        row |= {f"dice_{name}": _text(value) for name, value in zip(classes, dice, strict=True)}
        row |= {f"iou_{name}": _text(value) for name, value in zip(classes, iou, strict=True)}
        rows.append(row)
    return rows


def confusion_rows(scores: Sequence[SlideScore], classes: Sequence[str]) -> list[dict[str, Any]]:
    """A row a slide and true class: pixels by predicted class; last those of all slides together.

    Args:
        scores: of all slides.
        classes: names, background first.

    Returns:
        Rows for confusion.csv.
    """
    pooled = SlideScore(ALL_SLIDES, "", np.sum([score.counts for score in scores], axis=0))
    return [
        {"slide": score.slide, "truth": name} | dict(zip(classes, counts.tolist(), strict=True))
        for score in (*scores, pooled)
        for name, counts in zip(classes, score.counts, strict=True)
    ]


def score_table(scores: Sequence[SlideScore], classes: Sequence[str]) -> str:
    """Dice by slide and class as text.

    Args:
        scores: of all slides.
        classes: names, background first.

    Returns:
        A line a slide, and one for all pixels.
    """
    pooled = SlideScore(ALL_SLIDES, "", np.sum([score.counts for score in scores], axis=0))
    wide = max(len("slide"), *(len(score.slide) for score in (*scores, pooled)))
    widths = [max(len(name), 6) for name in classes]
    lines = ["  ".join(["slide".ljust(wide), *(name.rjust(w) for name, w in zip(classes, widths, strict=True))])]
    for score in (*scores, pooled):
        values = zip(dice_of_classes(score.counts), widths, strict=True)
        lines.append("  ".join([score.slide.ljust(wide), *((_text(one) or "-").rjust(w) for one, w in values)]))
    return "\n".join(lines)


def _mean(values: np.ndarray) -> float:
    """Of the numbers among them; NaN where there is none."""
    numbers = values[np.isfinite(values)]
    return float(numbers.mean()) if len(numbers) else float("nan")


def _number(value: float) -> float | None:
    return round(float(value), 6) if np.isfinite(value) else None


def _text(value: float) -> str:
    return f"{value:.4f}" if np.isfinite(value) else ""
