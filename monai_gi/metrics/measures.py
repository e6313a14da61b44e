"""The table of measures: each has a name (column of cases.csv, key of summary.json), its rule in words, its values.

`organ_slices` are slices whose truth holds that organ, `annotated_slices` those whose truth holds any organ,
`all_slices` every slice of the scan; scans likewise. Of frames they are `class_frames`, `annotated_frames` and
`all_frames`, and there is nothing in 3D. A value of NaN is left out of every mean.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64

from monai_gi.metrics.contest import VARIANT_RULES, combine
from monai_gi.metrics.kinds import SCANS, Kind
from monai_gi.metrics.overlap import EMPTY_RULE_TEXTS, EMPTY_RULES, dice_from_counts, iou_from_counts
from monai_gi.metrics.scores import ScanScores

_OVERLAPS = {"dice": dice_from_counts, "iou": iou_from_counts}
_SETS = {"annotated": "{unit}s whose truth holds any {thing}", "all": "all {unit}s"}


class Measure(NamedTuple):
    """A number by organ or other class.

    Attributes:
        name: column and key.
        unit: what is averaged over, `slices` or `scans`, or `frames`.
        rule: what is counted, and what empty masks give.
        values: gives (C, n) values of a scan, NaN where a unit does not count.
    """

    name: str
    unit: str
    rule: str
    values: Callable[[ScanScores], np.ndarray]


def measures(tolerance: float, kind: Kind = SCANS) -> tuple[Measure, ...]:
    """Give every measure by class, in the order in which tables show them.

    Args:
        tolerance: of surface Dice, in the kind's unit of length.
        kind: what is judged.

    Returns:
        Measures.
    """
    found: list[Measure] = []
    for name in _OVERLAPS:
        found += _slice_measures(name, kind)
    for name in _OVERLAPS if kind.has_volume else ():
        found += _scan_measures(name)
    return (*found, *_surface_measures(tolerance, kind))


def contest_values(scan: ScanScores, variant: str) -> tuple[Float64[np.ndarray, " N"], Float64[np.ndarray, " M"]]:
    """Give what a contest variant averages over in one scan.

    Args:
        scan: scores of the scan.
        variant: a key of VARIANT_RULES.

    Returns:
        Dice values and Hausdorff values, 0 to 1; NaN is left out of the means.

    Raises:
        ValueError: if the variant is not one of VARIANT_RULES.
    """
    if variant not in VARIANT_RULES:
        raise ValueError(f"contest variant {variant!r} is unknown; there are {', '.join(VARIANT_RULES)}")
    if variant == "first_place":
        return _first_place_dice(scan), scan.first_place_hausdorff.ravel()
    empty = EMPTY_RULES[{"mle_bench": "empty_left_out"}.get(variant, variant.removeprefix("dice_"))]
    return _slice_overlap(scan, "dice", empty).ravel(), np.array([scan.unit_cube_hausdorff])


def contest_score(scans: Sequence[ScanScores], variant: str) -> float:
    """Give the contest score of some scans in one variant; NaN where nothing counts."""
    dice, hausdorff = (np.concatenate(part) for part in zip(*(contest_values(s, variant) for s in scans), strict=True))
    return float(combine(*(np.array([mean_known(part)]) for part in (dice, hausdorff)))[0])


def mean_known(values: np.ndarray) -> float:
    """Give the mean of the values that are not NaN; NaN where there are none."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")


def _slice_measures(name: str, kind: Kind) -> list[Measure]:
    own = Measure(
        f"{name}_{kind.thing}_{kind.unit}s",
        f"{kind.unit}s",
        f"mean over {kind.unit}s whose truth holds the {kind.thing}; empty prediction: 0",
        partial(_organ_slices, name=name),
    )
    rest = [
        Measure(
            f"{name}_{which}_{kind.unit}s_{empty}",
            f"{kind.unit}s",
            f"mean over {text.format(unit=kind.unit, thing=kind.thing)}; {EMPTY_RULE_TEXTS[empty]}",
            partial(_slices, name=name, which=which, both_empty=EMPTY_RULES[empty]),
        )
        for which, text in _SETS.items()
        for empty in EMPTY_RULES
    ]
    return [own, *rest]


def _scan_measures(name: str) -> list[Measure]:
    own = Measure(
        f"{name}_3d_organ_scans",
        "scans",
        "3D, mean over scans whose truth holds the organ; empty prediction: 0",
        partial(_organ_scans, name=name),
    )
    rest = [
        Measure(
            f"{name}_3d_all_scans_{empty}",
            "scans",
            f"3D, mean over all scans; {EMPTY_RULE_TEXTS[empty]}",
            partial(scan_overlap, name=name, both_empty=EMPTY_RULES[empty]),
        )
        for empty in EMPTY_RULES
    ]
    return [own, *rest]


def _surface_measures(tolerance: float, kind: Kind) -> list[Measure]:
    where = "in 3D with true spacing" if kind.has_volume else "of the outlines"
    whole, infinite = kind.whole, f"hd95_infinite_{kind.whole}s"
    return [
        Measure(
            f"hd95_{kind.length}_mean_of_finite",
            f"{whole}s",
            f"95 % Hausdorff distance {where}, larger of the two directions; mean over {whole}s whose truth"
            f" and prediction both hold the {kind.thing}; one empty: infinite, counted in {infinite} and not in this"
            " mean; both empty: left out",
            lambda scan: np.where(np.isfinite(scan.hd95_mm), scan.hd95_mm, np.nan)[:, None],
        ),
        Measure(
            "surface_dice",
            f"{whole}s",
            f"share of both {'surfaces' if kind.has_volume else 'outlines'} within {tolerance:g} {kind.length}"
            f"{' ' + where if kind.has_volume else ''}, mean over {whole}s;"
            " truth and prediction both empty: left out; one of them empty: 0",
            lambda scan: scan.surface_dice[:, None],
        ),
    ]


def _slice_overlap(scan: ScanScores, name: str, both_empty: float) -> np.ndarray:
    return _OVERLAPS[name](scan.overlap_px, scan.pred_px, scan.truth_px, both_empty=both_empty)


def _organ_slices(scan: ScanScores, *, name: str) -> np.ndarray:
    return np.where(scan.truth_px > 0, _slice_overlap(scan, name, np.nan), np.nan)


def _slices(scan: ScanScores, *, name: str, which: str, both_empty: float) -> np.ndarray:
    values = _slice_overlap(scan, name, both_empty)
    return values if which == "all" else np.where(scan.annotated, values, np.nan)


def scan_overlap(scan: ScanScores, *, name: str, both_empty: float) -> np.ndarray:
    """Give the 3D Dice or IoU of each organ, (C, 1)."""
    counts = (px.sum(axis=1, keepdims=True) for px in (scan.overlap_px, scan.pred_px, scan.truth_px))
    return _OVERLAPS[name](*counts, both_empty=both_empty)


def _organ_scans(scan: ScanScores, *, name: str) -> np.ndarray:
    drawn = scan.truth_px.sum(axis=1, keepdims=True) > 0
    return np.where(drawn, scan_overlap(scan, name=name, both_empty=np.nan), np.nan)


def _first_place_dice(scan: ScanScores) -> np.ndarray:
    """Give, by slice, the mean Dice of the organs in the truth; NaN where there is none."""
    drawn = scan.truth_px > 0
    organs = drawn.sum(axis=0)
    sums = _slice_overlap(scan, "dice", 0.0).sum(axis=0)  # an organ that is not drawn adds 0
    return np.divide(sums, organs, out=np.full(organs.shape, np.nan), where=organs > 0)
