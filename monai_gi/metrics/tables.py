"""Scores as files: slices.csv, scans.csv, cases.csv and summary.json; written beside and renamed, never half there.

Of frames they are frames.csv, sequences.csv and summary.json. Rows are sorted by scan id, then by slice as scanned,
then in the order of the classes. An empty field is a number that does not exist by its rule (NaN); `inf` is an infinite
distance. Rows with `all` as organ hold what joins the organs.
"""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from monai_gi.atomic_file import write_whole
from monai_gi.metrics.contest import VARIANT_RULES
from monai_gi.metrics.macro_f1 import macro_f1
from monai_gi.metrics.measures import contest_score, mean_known, measures, scan_overlap
from monai_gi.metrics.overlap import EMPTY_RULES, dice_from_counts, iou_from_counts
from monai_gi.metrics.scores import ScanScores
from monai_gi.metrics.summary import sorted_scans, summarise

JOINED = "all"


def write_scores(
    scans: Sequence[ScanScores],
    folder: str | Path,
    *,
    seed: int = 0,
    bootstrap: int = 2000,
    state_dict_sha256: str = "",
) -> dict[str, Any]:
    """Write slices.csv, scans.csv, cases.csv and summary.json into a folder, and give the summary.

    Frames have frames.csv and sequences.csv in place of the first three.

    Args:
        scans: as `summary.sorted_scans` takes them; their order does not matter.
        folder: made where it is missing; files of these names in it are replaced.
        seed: of the bootstrap over cases.
        bootstrap: number of its draws.
        state_dict_sha256: of the weights that were judged, see `monai_gi.network_digest`; "" where they are unknown.

    Returns:
        What stands in summary.json.
    """
    scans = sorted_scans(scans)
    judged = {"state_dict_sha256": state_dict_sha256} if state_dict_sha256 else {}
    summary = {**judged, **summarise(scans, seed=seed, bootstrap=bootstrap)}
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in _tables(scans).items():
        write_whole(folder / f"{name}.csv", _as_csv(rows))
    write_whole(folder / "summary.json", json.dumps(summary, indent=2, allow_nan=False) + "\n")
    return summary


def _tables(scans: Sequence[ScanScores]) -> dict[str, list[dict[str, Any]]]:
    kind = scans[0].kind
    tables = {f"{kind.unit}s": [row for scan in scans for row in slice_rows(scan)]}
    if kind.has_volume:
        tables[f"{kind.whole}s"] = [row for scan in scans for row in scan_rows(scan)]
    return {**tables, f"{kind.group}s": case_rows(scans)}


def slice_rows(scan: ScanScores) -> list[dict[str, Any]]:
    """Give one row a slice and organ, or a frame and class."""
    counts = (scan.overlap_px, scan.pred_px, scan.truth_px)
    overlaps = {f"dice_{rule}": dice_from_counts(*counts, both_empty=score) for rule, score in EMPTY_RULES.items()}
    overlaps |= {f"iou_{rule}": iou_from_counts(*counts, both_empty=score) for rule, score in EMPTY_RULES.items()}
    annotated, kind = scan.annotated, scan.kind
    return [
        {
            "id": slice_id,
            kind.group: scan.group,
            **({"scan": scan.scan} if kind.has_volume else {}),
            kind.thing: name,
            "annotated": int(annotated[d]),
            "truth_px": int(scan.truth_px[c, d]),
            "pred_px": int(scan.pred_px[c, d]),
            "overlap_px": int(scan.overlap_px[c, d]),
            **{rule: float(values[c, d]) for rule, values in overlaps.items()},
            **_distances(scan, c, d),
        }
        for d, slice_id in enumerate(scan.slice_ids)
        for c, name in enumerate(scan.classes)
    ]


def _distances(scan: ScanScores, channel: int, position: int) -> dict[str, float]:
    """Of one slice; a frame's are its own."""
    if scan.kind.has_volume:
        return {"first_place_hausdorff": float(scan.first_place_hausdorff[channel, position])}
    distance = float(scan.hd95_mm[channel])
    return {f"hd95_{scan.kind.length}": distance, "surface_dice": float(scan.surface_dice[channel])}


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
        for c, organ in enumerate(scan.classes)
    ]
    if not scan.has_contest_score:
        return rows
    joined = {"id": scan.scan, "case": scan.group, "organ": JOINED, "unit_cube_hausdorff": scan.unit_cube_hausdorff}
    return [*rows, joined | _joined_scores([scan])]


def case_rows(scans: Sequence[ScanScores]) -> list[dict[str, Any]]:
    """Give one row a case and organ with the means over its slices or scans, and one named `all` a case.

    Of frames one row a sequence and class.
    """
    cases = sorted({scan.group for scan in scans})
    return [row for case in cases for row in _rows_of_case(case, [scan for scan in scans if scan.group == case])]


def _rows_of_case(case: str, scans: Sequence[ScanScores]) -> list[dict[str, Any]]:
    kind = scans[0].kind
    values = {m.name: [m.values(scan) for scan in scans] for m in measures(scans[0].tolerance_mm, kind)}
    rows = [
        {
            "id": case,
            kind.thing: name,
            f"{kind.whole}s": len(scans),
            f"{kind.unit}s": sum(len(scan.slice_ids) for scan in scans),
            **{key: mean_known(np.concatenate([part[c] for part in parts])) for key, parts in values.items()},
            f"hd95_infinite_{kind.whole}s": sum(bool(np.isinf(scan.hd95_mm[c])) for scan in scans),
        }
        for c, name in enumerate(scans[0].classes)
    ]
    if not scans[0].has_contest_score:
        return rows
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
