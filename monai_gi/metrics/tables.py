"""Scores as files: slices.csv, scans.csv, cases.csv and summary.json; written beside and renamed, never half there.

Rows are sorted by scan id, then by slice as scanned, then in the order of ORGANS. An empty field is a number that does
not exist by its rule (NaN); `inf` is an infinite distance. Rows with `all` as organ hold what joins the organs.
"""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from monai_gi.atomic_file import write_whole
from monai_gi.labels import ORGAN_NAMES
from monai_gi.metrics.contest import VARIANT_RULES
from monai_gi.metrics.macro_f1 import macro_f1
from monai_gi.metrics.measures import contest_score, mean_known, measures, scan_overlap
from monai_gi.metrics.overlap import EMPTY_RULES, dice_from_counts, iou_from_counts
from monai_gi.metrics.scores import ScanScores
from monai_gi.metrics.summary import sorted_scans, summarise

JOINED = "all"


def write_scores(
    scans: Sequence[ScanScores], folder: str | Path, *, seed: int = 0, bootstrap: int = 2000
) -> dict[str, Any]:
    """Write slices.csv, scans.csv, cases.csv and summary.json into a folder, and give the summary.

    Args:
        scans: as `summary.sorted_scans` takes them; their order does not matter.
        folder: made where it is missing; files of these names in it are replaced.
        seed: of the bootstrap over cases.
        bootstrap: number of its draws.

    Returns:
        What stands in summary.json.
    """
    scans = sorted_scans(scans)
    summary = summarise(scans, seed=seed, bootstrap=bootstrap)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / "slices.csv", _as_csv(row for scan in scans for row in slice_rows(scan)))
    write_whole(folder / "scans.csv", _as_csv(row for scan in scans for row in scan_rows(scan)))
    write_whole(folder / "cases.csv", _as_csv(case_rows(scans)))
    write_whole(folder / "summary.json", json.dumps(summary, indent=2, allow_nan=False) + "\n")
    return summary


def slice_rows(scan: ScanScores) -> list[dict[str, Any]]:
    """Give one row a slice and organ."""
    counts = (scan.overlap_px, scan.pred_px, scan.truth_px)
    overlaps = {f"dice_{rule}": dice_from_counts(*counts, both_empty=score) for rule, score in EMPTY_RULES.items()}
    overlaps |= {f"iou_{rule}": iou_from_counts(*counts, both_empty=score) for rule, score in EMPTY_RULES.items()}
    annotated = scan.annotated
    return [
        {
            "id": slice_id,
            "case": scan.group,
            "scan": scan.scan,
            "organ": organ,
            "annotated": int(annotated[d]),
            "truth_px": int(scan.truth_px[c, d]),
            "pred_px": int(scan.pred_px[c, d]),
            "overlap_px": int(scan.overlap_px[c, d]),
            **{name: float(values[c, d]) for name, values in overlaps.items()},
            "first_place_hausdorff": float(scan.first_place_hausdorff[c, d]),
        }
        for d, slice_id in enumerate(scan.slice_ids)
        for c, organ in enumerate(ORGAN_NAMES)
    ]


def scan_rows(scan: ScanScores) -> list[dict[str, Any]]:
    """Give one row an organ, and one named `all` with the contest scores and the pooled macro F1 of the scan."""
    overlaps = {
        f"{name}_3d_{rule}": scan_overlap(scan, name=name, both_empty=score)[:, 0]
        for name in ("dice", "iou")
        for rule, score in EMPTY_RULES.items()
    }
    rows = [
        {
            "id": scan.scan,
            "case": scan.group,
            "organ": organ,
            "slices": len(scan.slice_ids),
            "annotated_slices": int(scan.annotated.sum()),
            "organ_slices": int((scan.truth_px[c] > 0).sum()),
            "truth_ml": float(scan.truth_px[c].sum() * scan.voxel_ml),
            "pred_ml": float(scan.pred_px[c].sum() * scan.voxel_ml),
            **{name: float(values[c]) for name, values in overlaps.items()},
            "hd95_mm": float(scan.hd95_mm[c]),
            "surface_dice": float(scan.surface_dice[c]),
        }
        for c, organ in enumerate(ORGAN_NAMES)
    ]
    joined = {"id": scan.scan, "case": scan.group, "organ": JOINED, "unit_cube_hausdorff": scan.unit_cube_hausdorff}
    return [*rows, joined | _joined_scores([scan])]


def case_rows(scans: Sequence[ScanScores]) -> list[dict[str, Any]]:
    """Give one row a case and organ with the means over its slices or scans, and one named `all` a case."""
    cases = sorted({scan.group for scan in scans})
    return [row for case in cases for row in _rows_of_case(case, [scan for scan in scans if scan.group == case])]


def _rows_of_case(case: str, scans: Sequence[ScanScores]) -> list[dict[str, Any]]:
    values = {m.name: [m.values(scan) for scan in scans] for m in measures(scans[0].tolerance_mm)}
    rows = [
        {
            "id": case,
            "organ": organ,
            "scans": len(scans),
            "slices": sum(len(scan.slice_ids) for scan in scans),
            **{name: mean_known(np.concatenate([part[c] for part in parts])) for name, parts in values.items()},
            "hd95_infinite_scans": sum(bool(np.isinf(scan.hd95_mm[c])) for scan in scans),
        }
        for c, organ in enumerate(ORGAN_NAMES)
    ]
    return [*rows, {"id": case, "organ": JOINED, "scans": len(scans)} | _joined_scores(scans)]


def _joined_scores(scans: Sequence[ScanScores]) -> dict[str, float]:
    contest = {f"contest_{variant}": contest_score(scans, variant) for variant in VARIANT_RULES}
    return contest | {"pooled_macro_f1": float(macro_f1(np.sum([scan.confusion for scan in scans], axis=0)))}


def _as_csv(rows: Iterable[dict[str, Any]]) -> str:
    rows = list(rows)
    columns = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _field(value) for name, value in row.items()} for row in rows)
    return text.getvalue()


def _field(value: Any) -> Any:
    if not isinstance(value, float):
        return value
    return "" if np.isnan(value) else format(value, ".9g")
