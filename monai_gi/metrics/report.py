"""The summary as a table for the terminal: a line a class, means with their 95 % intervals over cases in brackets."""

from collections.abc import Mapping, Sequence
from typing import Any

from monai_gi.metrics.kinds import FRAMES, SCANS, Kind

_COLUMNS = {
    SCANS: {
        "Dice": "dice_organ_slices",
        "IoU": "iou_organ_slices",
        "Dice 3D": "dice_3d_organ_scans",
        "HD95 mm": "hd95_mm_mean_of_finite",
        "surface Dice": "surface_dice",
    },
    FRAMES: {
        "Dice": "dice_class_frames",
        "IoU": "iou_class_frames",
        "HD95 px": "hd95_px_mean_of_finite",
        "surface Dice": "surface_dice",
    },
}
_COUNTED = {
    SCANS: "Dice, IoU: slices whose truth holds the organ; Dice 3D: scans whose truth holds it; empty prediction 0.",
    FRAMES: "Dice, IoU: frames whose truth holds the class, mean over frames; empty prediction 0.",
}


def scores_table(summary: Mapping[str, Any]) -> str:
    """Lay out the summary of `summarise` in text, with what its columns count below."""
    kind = FRAMES if FRAMES.things in summary else SCANS
    rows = [["", *_COLUMNS[kind]]]
    rows += [[name, *_cells(numbers, kind)] for name, numbers in summary[kind.things].items()]
    rows.append([f"mean of {kind.things}", *_cells(summary[f"mean_of_{kind.things}"], kind)])
    singles = [
        [f"contest score, {name}", _cell(one, "score")] for name, one in summary.get("contest_score", {}).items()
    ]
    if "pooled_macro_f1" in summary:
        singles.append(["pooled macro F1", _cell(summary["pooled_macro_f1"], "score")])
    joined = [*_aligned(singles), ""] if singles else []
    return "\n".join([_heading(summary, kind), "", *_aligned(rows), "", *joined, *_notes(summary, kind)])


def _heading(summary: Mapping[str, Any], kind: Kind) -> str:
    names = dict.fromkeys(f"{name}s" for name in (kind.group, kind.whole, kind.unit))
    counted = ", ".join(f"{summary[name]} {name}" for name in names)
    return f"{counted} ({summary[f'annotated_{kind.unit}s']} annotated)"


def _cells(numbers: Mapping[str, Any], kind: Kind) -> list[str]:
    return [_cell(numbers[key], "mean") for key in _COLUMNS[kind].values()]


def _cell(number: Mapping[str, Any], key: str) -> str:
    if number[key] is None:
        return "-"
    digits = 1 if number[key] > 1 else 3
    interval = number["interval_95"]
    spread = "" if interval is None else f" [{interval[0]:.{digits}f}, {interval[1]:.{digits}f}]"
    return f"{number[key]:.{digits}f}{spread}"


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return [line.rstrip() for line in lines]


def _notes(summary: Mapping[str, Any], kind: Kind) -> list[str]:
    infinite = {name: numbers[f"hd95_infinite_{kind.whole}s"] for name, numbers in summary[kind.things].items()}
    left_out = ", ".join(f"{name} {count}" for name, count in infinite.items() if count)
    tolerance = f"{summary[f'tolerance_{kind.length}']:g} {kind.length}"
    notes = [
        _COUNTED[kind],
        f"surface Dice: within {tolerance}. In brackets: {summary['interval']}.",
        f"Every rule for empty masks, and the same over all {kind.unit}s: summary.json.",
    ]
    if left_out:
        one = f"where one mask of a {kind.whole} is empty: {left_out} {kind.whole}(s)"
        notes.insert(1, f"HD95 is infinite, and not in its mean, {one}.")
    if summary[f"{kind.group}s"] < 2:
        notes.append(f"One {kind.group}: no interval can be given.")
    return notes
