"""Scores of one set of structures against another as a table, JSON or CSV; A is the reference."""

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from monai_gi.metrics.overlap import dice
from monai_gi.metrics.path_length import added_path_length
from monai_gi.metrics.surface import surface_scores
from monai_gi.provenance import INTENDED_USE

COLUMNS = {
    "name": "ROI",
    "dice": "Dice",
    "surface_dice": "surface Dice",
    "hd95_mm": "HD95 mm",
    "added_path_length_mm": "added path mm",
    "volume_a_ml": "A mL",
    "volume_b_ml": "B mL",
}
_DIGITS = {"dice": 3, "surface_dice": 3}


@dataclass(frozen=True)
class Comparison:
    """Scores of the ROIs that two files share.

    Attributes:
        rows: one a shared ROI, as `compare_masks` gives them, with its name in A (`name`) and in B (`name_b`).
        only_in_a: names that B does not have.
        only_in_b: names that A does not have.
        notes: what was left out while reading, in sentences.
        tolerance_mm: of the surface Dice.
    """

    rows: tuple[dict[str, Any], ...]
    only_in_a: tuple[str, ...]
    only_in_b: tuple[str, ...]
    notes: tuple[str, ...]
    tolerance_mm: float

    def table(self) -> str:
        """Lay out the scores in text, with what is missing and what was left out below."""
        cells = [list(COLUMNS.values()), *([_cell(row[key], key) for key in COLUMNS] for row in self.rows)]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = ["  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in cells]
        lines += ["", f"A is the reference. Surface Dice within {self.tolerance_mm:g} mm; - where both are empty."]
        lines += [f"Only in {file}: {', '.join(names)}." for file, names in self._missing() if names]
        return "\n".join([*lines, *self.notes])

    def as_dict(self) -> dict[str, Any]:
        """Give everything as plain values; numbers that do not exist (NaN) or are infinite are None."""
        return {
            "reference": "A",
            "tolerance_mm": self.tolerance_mm,
            "rows": [{key: _finite(value) for key, value in row.items()} for row in self.rows],
            "only_in_a": list(self.only_in_a),
            "only_in_b": list(self.only_in_b),
            "notes": list(self.notes),
            "intended_use": INTENDED_USE,
        }

    def as_csv(self) -> str:
        """Give one line a ROI, also those of one file only; an empty field is a number that does not exist (NaN)."""
        columns = ["name", "name_b", *list(COLUMNS)[1:], "only_in"]
        text = io.StringIO()
        writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows({key: _field(value) for key, value in row.items()} for row in self.rows)
        writer.writerows({"name": name, "only_in": file} for file, names in self._missing() for name in names)
        return text.getvalue()

    def _missing(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        return ("A", self.only_in_a), ("B", self.only_in_b)


def compare_masks(
    a: np.ndarray, b: np.ndarray, spacing_mm: Sequence[float], *, tolerance_mm: float
) -> dict[str, float]:
    """Score one mask against another.

    Args:
        a: (H, W, D) bool, the reference.
        b: mask of the same shape.
        spacing_mm: between voxels along each axis.
        tolerance_mm: of the surface Dice.

    Returns:
        `dice`, `surface_dice`, `hd95_mm`: NaN where both are empty; with one empty the HD95 is infinite, the others 0.
        `added_path_length_mm`: of A's contour, what B lacks. `volume_a_ml`, `volume_b_ml`.

    Raises:
        ValueError: shapes differ, or spacing or tolerance do not fit.
    """
    surfaces = surface_scores(b, a, spacing_mm, tolerance_mm=tolerance_mm)
    voxel_ml = math.prod(spacing_mm) / 1000
    return {
        "dice": dice(b, a),
        "surface_dice": surfaces.surface_dice,
        "hd95_mm": surfaces.hd_mm,
        "added_path_length_mm": added_path_length(b, a, spacing_mm),
        "volume_a_ml": int(np.count_nonzero(a)) * voxel_ml,
        "volume_b_ml": int(np.count_nonzero(b)) * voxel_ml,
    }


def _cell(value: Any, key: str) -> str:
    if isinstance(value, str):
        return value
    return "-" if math.isnan(value) else f"{value:.{_DIGITS.get(key, 1)}f}"


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _field(value: Any) -> Any:
    if not isinstance(value, float):
        return value
    return "" if math.isnan(value) else format(value, ".9g")
