"""The summary as a table for the terminal: a line an organ, means with their 95 % intervals over cases in brackets."""

from collections.abc import Mapping, Sequence
from typing import Any

_COLUMNS = {
    "Dice": "dice_organ_slices",
    "IoU": "iou_organ_slices",
    "Dice 3D": "dice_3d_organ_scans",
    "HD95 mm": "hd95_mm_mean_of_finite",
    "surface Dice": "surface_dice",
}


def scores_table(summary: Mapping[str, Any]) -> str:
    """Lay out the summary of `summarise` in text, with what its columns count below."""
    rows = [["", *_COLUMNS]]
    rows += [[organ, *_cells(numbers)] for organ, numbers in summary["organs"].items()]
    rows.append(["mean of organs", *_cells(summary["mean_of_organs"])])
    singles = [[f"contest score, {name}", _cell(number, "score")] for name, number in summary["contest_score"].items()]
    singles.append(["pooled macro F1", _cell(summary["pooled_macro_f1"], "score")])
    return "\n".join([_heading(summary), "", *_aligned(rows), "", *_aligned(singles), "", *_notes(summary)])


def _heading(summary: Mapping[str, Any]) -> str:
    return (
        f"{summary['cases']} cases, {summary['scans']} scans, {summary['slices']} slices"
        f" ({summary['annotated_slices']} annotated)"
    )


def _cells(numbers: Mapping[str, Any]) -> list[str]:
    return [_cell(numbers[key], "mean") for key in _COLUMNS.values()]


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


def _notes(summary: Mapping[str, Any]) -> list[str]:
    infinite = {organ: numbers["hd95_infinite_scans"] for organ, numbers in summary["organs"].items()}
    left_out = ", ".join(f"{organ} {count}" for organ, count in infinite.items() if count)
    notes = [
        "Dice, IoU: slices whose truth holds the organ; Dice 3D: scans whose truth holds it; empty prediction 0.",
        f"surface Dice: within {summary['tolerance_mm']:g} mm. In brackets: {summary['interval']}.",
        "Every rule for empty masks, and the same over all slices: summary.json.",
    ]
    if left_out:
        notes.insert(
            1, f"HD95 is infinite, and not in its mean, where one mask of a scan is empty: {left_out} scan(s)."
        )
    if summary["cases"] < 2:
        notes.append("One case: no interval can be given.")
    return notes
