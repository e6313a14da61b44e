"""One row a bundle, read from the files that its programs left; None where something is not known."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from monai_gi.bundle_comparison.steps import NETWORK_COST_FILE
from monai_gi.labels import ORGAN_NAMES

MAIN_VARIANT = "mle_bench"
VARIANTS = (MAIN_VARIANT, "dice_empty_1", "dice_empty_0", "first_place")
DONE = "done"
_DICE, _HD95 = "dice_organ_slices", "hd95_mm_mean_of_finite"

Row = dict[str, Any]


def read_row(bundle: str, folder: Path, status: str) -> Row:
    """Gather what is known about a bundle.

    Args:
        bundle: its name.
        folder: of its run.
        status: "done", or what failed and why.

    Returns:
        Numbers by column; those of a step that did not come to its end are None.
    """
    files = (NETWORK_COST_FILE, "cost.json", "settings.json", "evaluation/summary.json")
    network, cost, settings, summary = (_read(folder / file) for file in files)
    return {
        "bundle": bundle,
        "status": status,
        **_scores(summary if status == DONE else {}),
        **_network_numbers(network),
        **_training_numbers(cost),
        **_start(settings),
    }


def ranked(rows: Sequence[Row]) -> list[Row]:
    """Put the best score first, and those without one last, in the order in which they came.

    Args:
        rows: of all bundles.

    Returns:
        The same rows.
    """
    return sorted(rows, key=lambda row: math.inf if row["score"] is None else -row["score"])


def data_differs(rows: Sequence[Row]) -> bool:
    """Whether the bundles did not see the same training and validation slices.

    Args:
        rows: of all bundles; those whose training never began are passed over.

    Returns:
        True where two of them disagree.
    """
    return len({row["data"] for row in rows if row["data"] is not None}) > 1


def _read(path: Path) -> Mapping[str, Any]:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def _scores(summary: Mapping[str, Any]) -> Row:
    contest = summary.get("contest_score", {})
    main = contest.get(MAIN_VARIANT, {})
    low, high = main.get("interval_95") or (None, None)
    organs = summary.get("organs", {})
    infinite = [organ["hd95_infinite_scans"] for organ in organs.values()]
    return {
        "score": main.get("score"),
        "score_low": low,
        "score_high": high,
        **{f"contest_{variant}": contest.get(variant, {}).get("score") for variant in VARIANTS},
        **{f"dice_{organ}": _mean(organs, organ, _DICE) for organ in ORGAN_NAMES},
        "dice_mean": _mean(summary, "mean_of_organs", _DICE),
        **{f"hd95_mm_{organ}": _mean(organs, organ, _HD95) for organ in ORGAN_NAMES},
        "hd95_mm_mean": _mean(summary, "mean_of_organs", _HD95),
        "hd95_infinite": sum(infinite) if infinite else None,
        "macro_f1": summary.get("pooled_macro_f1", {}).get("score"),
        "scans": summary.get("scans"),
        "cases": summary.get("cases"),
    }


def _mean(numbers: Mapping[str, Any], key: str, measure: str) -> float | None:
    return numbers.get(key, {}).get(measure, {}).get("mean")


def _network_numbers(network: Mapping[str, Any]) -> Row:
    return {key: network.get(key) for key in ("parameters", "gflops", "s_per_slice", "device")}


def _training_numbers(cost: Mapping[str, Any]) -> Row:
    begun = cost.get("seconds_to_first_epoch")
    return {
        "peak_memory_mb": _divided(cost.get("peak_memory_bytes"), 1e6),
        "peak_gpu_mb": _divided(cost.get("peak_gpu_bytes"), 1e6),
        "ms_to_first_epoch": None if begun is None else round(1000 * begun),
        "train_s_per_slice": _divided(cost.get("seconds_of_steps"), cost.get("slices", 0)),
        "train_seconds": cost.get("seconds"),
        **{key: cost.get(key) for key in ("epochs", "steps", "slices")},
    }


def _start(settings: Mapping[str, Any]) -> Row:
    """How the weights began, and a hash of the data."""
    began = settings.get("network", {}).get("init_weights")
    hashes = [side.get("sha256", "") for side in settings.get("data", {}).values()]
    kind = None if began is None else "random" if began.startswith("random") else "pretrained"
    return {"weights": kind, "init_weights": began, "data": "".join(hashes) or None}


def _divided(number: float | None, by: float) -> float | None:
    return number / by if number is not None and by else None
