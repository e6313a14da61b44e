"""From the scores of scans to the numbers of summary.json, each with its rule, its count and its interval over cases.

Means pool slices (or scans) of all cases; the interval draws cases with replacement, with all their slices.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from monai_gi.metrics.bootstrap import CaseBootstrap, CaseRatio, interval_rule, mean_of_ratios
from monai_gi.metrics.contest import VARIANT_RULES, combine
from monai_gi.metrics.kinds import Kind
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
        `mean` (or `score`), `interval_95`, `count`, `unit`, `cases`, `rule`. Of frames `classes` and
        `mean_of_classes`, with `sequences` in place of `cases`; what joins the organs is there for ORGANS only.
    """
    scans = sorted_scans(scans)
    kind, classes = scans[0].kind, scans[0].classes
    draws = CaseBootstrap([scan.group for scan in scans], replicates=bootstrap, seed=seed, unit=kind.group)
    table = {measure.name: measure for measure in measures(scans[0].tolerance_mm, kind)}
    ratios = {name: [_ratio(scans, measure, c, draws) for c in range(len(classes))] for name, measure in table.items()}
    return {
        **_counts(scans, draws),
        f"tolerance_{kind.length}": scans[0].tolerance_mm,
        "interval": interval_rule(kind.group, bootstrap, seed),
        kind.things: {
            name: {
                **{key: _number([ratios[key][c]], measure, draws, kind) for key, measure in table.items()},
                f"hd95_infinite_{kind.whole}s": sum(bool(np.isinf(scan.hd95_mm[c])) for scan in scans),
                f"both_empty_{kind.whole}s": sum(bool(np.isnan(scan.hd95_mm[c])) for scan in scans),
            }
            for c, name in enumerate(classes)
        },
        f"mean_of_{kind.things}": {key: _number(ratios[key], measure, draws, kind) for key, measure in table.items()},
        **_joined(scans, draws),
    }


def _counts(scans: Sequence[ScanScores], draws: CaseBootstrap) -> dict[str, int]:
    kind = scans[0].kind
    return {
        f"{kind.group}s": len(draws.cases),
        f"{kind.whole}s": len(scans),
        f"{kind.whole}s_without_truth": sum(not scan.annotated.any() for scan in scans),
        f"{kind.unit}s": sum(len(scan.slice_ids) for scan in scans),
        f"annotated_{kind.unit}s": int(sum(scan.annotated.sum() for scan in scans)),
    }


def _joined(scans: Sequence[ScanScores], draws: CaseBootstrap) -> dict[str, Any]:
    """What joins the organs of the contest; nothing for frames and other classes."""
    if not scans[0].has_contest_score:
        return {}
    return {
        "contest_score": {variant: _contest(scans, variant, draws) for variant in VARIANT_RULES},
        "pooled_macro_f1": _pooled_macro_f1(scans, draws),
    }


def sorted_scans(scans: Sequence[ScanScores]) -> list[ScanScores]:
    """Put scans in the order of all tables.

    Args:
        scans: scores of different scans, or frames, of the same classes with one tolerance.

    Returns:
        The scans sorted by id, as text.

    Raises:
        ValueError: if there are none, a scan comes twice, or tolerances, classes or kinds differ.
    """
    ids = [scan.scan for scan in scans]
    if not ids:
        raise ValueError("no scans were scored: nothing to summarise")
    twice = sorted({scan for scan in ids if ids.count(scan) > 1})
    if twice:
        raise ValueError(f"scored more than once: {', '.join(twice)}; each scan counts once")
    if len({scan.tolerance_mm for scan in scans}) > 1:
        raise ValueError("scans were scored with different tolerance_mm; one is needed")
    if len({(scan.is_frame, scan.classes) for scan in scans}) > 1:
        raise ValueError("scores of different classes, or of scans and frames; one kind is needed")
    return sorted(scans, key=lambda scan: scan.scan)


def _ratio(scans: Sequence[ScanScores], measure: Measure, organ: int, draws: CaseBootstrap) -> CaseRatio:
    return _case_ratio([measure.values(scan)[organ] for scan in scans], scans, draws)


def _case_ratio(values: Sequence[np.ndarray], scans: Sequence[ScanScores], draws: CaseBootstrap) -> CaseRatio:
    indices = [np.full(part.size, draws.cases.index(scan.group)) for part, scan in zip(values, scans, strict=True)]
    return CaseRatio(np.concatenate(values), np.concatenate(indices), len(draws.cases))


def _number(ratios: Sequence[CaseRatio], measure: Measure, draws: CaseBootstrap, kind: Kind) -> dict[str, Any]:
    """Give the mean of one class, or the plain mean of the classes' means where several ratios are given."""

    contributing = int(np.count_nonzero(sum(ratio.counts for ratio in ratios)))
    count = int(sum(ratio.counts.sum() for ratio in ratios))
    rule = measure.rule if len(ratios) == 1 else f"plain mean of the {kind.things}' means, each: {measure.rule}"
    body = _with_interval("mean", mean_of_ratios(ratios), draws, contributing)
    return {**body, "count": count, "unit": measure.unit, f"{kind.group}s": contributing, "rule": rule}


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


def _or_none(number: float) -> float | None:
    return None if np.isnan(number) else float(number)
