"""From the scores of scans to the numbers of summary.json, each with its rule, its count and its interval over cases.

Means pool slices (or scans) of all cases; the interval draws cases with replacement, with all their slices.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from monai_gi.labels import ORGAN_NAMES
from monai_gi.metrics.bootstrap import CaseBootstrap, CaseRatio
from monai_gi.metrics.contest import VARIANT_RULES, combine
from monai_gi.metrics.macro_f1 import MACRO_F1_RULE, macro_f1
from monai_gi.metrics.measures import Measure, contest_values, measures
from monai_gi.metrics.scores import ScanScores


def summarise(scans: Sequence[ScanScores], *, seed: int = 0, bootstrap: int = 2000) -> dict[str, Any]:
    """Give every number over all scans as a dict that is valid JSON; NaN is None.

    Args:
        scans: as `sorted_scans` takes them; their order does not matter.
        seed: of the bootstrap.
        bootstrap: number of draws of cases.

    Returns:
        `organs` by name and `mean_of_organs`, `contest_score` by variant, `pooled_macro_f1`: each number is a dict of
        `mean` (or `score`), `interval_95`, `count`, `unit`, `cases`, `rule`.
    """
    scans = sorted_scans(scans)
    draws = CaseBootstrap([scan.group for scan in scans], replicates=bootstrap, seed=seed)
    tolerance_mm = scans[0].tolerance_mm
    table = {measure.name: measure for measure in measures(tolerance_mm)}
    ratios = {
        name: [_ratio(scans, measure, c, draws) for c in range(len(ORGAN_NAMES))] for name, measure in table.items()
    }
    return {
        "cases": len(draws.cases),
        "scans": len(scans),
        "scans_without_truth": sum(not scan.annotated.any() for scan in scans),
        "slices": sum(len(scan.slice_ids) for scan in scans),
        "annotated_slices": int(sum(scan.annotated.sum() for scan in scans)),
        "tolerance_mm": tolerance_mm,
        "interval": f"95 % percentile bootstrap over cases, {bootstrap} draws, seed {seed}",
        "organs": {
            organ: {
                **{name: _number([ratios[name][c]], measure, draws) for name, measure in table.items()},
                "hd95_infinite_scans": sum(bool(np.isinf(scan.hd95_mm[c])) for scan in scans),
                "both_empty_scans": sum(bool(np.isnan(scan.hd95_mm[c])) for scan in scans),
            }
            for c, organ in enumerate(ORGAN_NAMES)
        },
        "mean_of_organs": {name: _number(ratios[name], measure, draws) for name, measure in table.items()},
        "contest_score": {variant: _contest(scans, variant, draws) for variant in VARIANT_RULES},
        "pooled_macro_f1": _pooled_macro_f1(scans, draws),
    }


def sorted_scans(scans: Sequence[ScanScores]) -> list[ScanScores]:
    """Put scans in the order of all tables.

    Args:
        scans: scores of different scans with one tolerance.

    Returns:
        The scans sorted by id, as text.

    Raises:
        ValueError: if there are none, a scan comes twice, or tolerances differ.
    """
    ids = [scan.scan for scan in scans]
    if not ids:
        raise ValueError("no scans were scored: nothing to summarise")
    twice = sorted({scan for scan in ids if ids.count(scan) > 1})
    if twice:
        raise ValueError(f"scored more than once: {', '.join(twice)}; each scan counts once")
    if len({scan.tolerance_mm for scan in scans}) > 1:
        raise ValueError("scans were scored with different tolerance_mm; one is needed")
    return sorted(scans, key=lambda scan: scan.scan)


def _ratio(scans: Sequence[ScanScores], measure: Measure, organ: int, draws: CaseBootstrap) -> CaseRatio:
    return _case_ratio([measure.values(scan)[organ] for scan in scans], scans, draws)


def _case_ratio(values: Sequence[np.ndarray], scans: Sequence[ScanScores], draws: CaseBootstrap) -> CaseRatio:
    indices = [np.full(part.size, draws.cases.index(scan.group)) for part, scan in zip(values, scans, strict=True)]
    return CaseRatio(np.concatenate(values), np.concatenate(indices), len(draws.cases))


def _number(ratios: Sequence[CaseRatio], measure: Measure, draws: CaseBootstrap) -> dict[str, Any]:
    """Give the mean of one organ, or the plain mean of the organs' means where several ratios are given."""

    def statistic(weights: np.ndarray) -> np.ndarray:
        return _mean_rows(np.stack([ratio(weights) for ratio in ratios]))

    contributing = int(np.count_nonzero(sum(ratio.counts for ratio in ratios)))
    count = int(sum(ratio.counts.sum() for ratio in ratios))
    rule = measure.rule if len(ratios) == 1 else f"plain mean of the organs' means, each: {measure.rule}"
    body = _with_interval("mean", statistic, draws, contributing)
    return {**body, "count": count, "unit": measure.unit, "cases": contributing, "rule": rule}


def _contest(scans: Sequence[ScanScores], variant: str, draws: CaseBootstrap) -> dict[str, Any]:
    parts = [contest_values(scan, variant) for scan in scans]
    dice = _case_ratio([part[0] for part in parts], scans, draws)
    hausdorff = _case_ratio([part[1] for part in parts], scans, draws)

    def statistic(weights: np.ndarray) -> np.ndarray:
        return combine(dice(weights), hausdorff(weights))

    everyone = np.ones((1, len(draws.cases)))
    return {
        **_with_interval("score", statistic, draws, dice.contributing),
        "dice": _or_none(dice(everyone)[0]),
        "hausdorff": _or_none(hausdorff(everyone)[0]),
        "cases": dice.contributing,
        "rule": VARIANT_RULES[variant],
    }


def _pooled_macro_f1(scans: Sequence[ScanScores], draws: CaseBootstrap) -> dict[str, Any]:
    counts = np.zeros((len(draws.cases), *scans[0].confusion.shape))
    for scan in scans:
        counts[draws.cases.index(scan.group)] += scan.confusion

    def statistic(weights: np.ndarray) -> np.ndarray:
        return macro_f1(np.tensordot(weights, counts, axes=1))

    contributing = int(np.count_nonzero(counts.sum(axis=(1, 2))))
    return {
        **_with_interval("score", statistic, draws, contributing),
        "count": int(counts.sum()),
        "unit": "pixels",
        "cases": contributing,
        "rule": MACRO_F1_RULE,
    }


def _with_interval(
    key: str, statistic: Callable[[np.ndarray], np.ndarray], draws: CaseBootstrap, contributing: int
) -> dict[str, Any]:
    interval = draws.interval(statistic, contributing=contributing)
    return {
        key: _or_none(statistic(np.ones((1, len(draws.cases))))[0]),
        "interval_95": None if interval.low is None else [interval.low, interval.high],
        **({"interval_note": interval.note} if interval.note else {}),
    }


def _mean_rows(rows: np.ndarray) -> np.ndarray:
    """Give the mean over the first axis of what is not NaN; NaN where everything is."""
    known = ~np.isnan(rows)
    counts = known.sum(axis=0)
    return np.divide(
        np.where(known, rows, 0.0).sum(axis=0), counts, out=np.full(counts.shape, np.nan), where=counts > 0
    )


def _or_none(number: float) -> float | None:
    return None if np.isnan(number) else float(number)
