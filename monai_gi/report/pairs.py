"""Two runs against each other on the same scans (frames, slides): the difference of their means, with an interval.

A difference is the second run minus the first. Values are paired scan by scan, slice by slice; means pool the pairs as
the summary of one run pools its scans, so that of scans that both runs judged in full they are its numbers.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from monai_gi.metrics.bootstrap import CaseBootstrap, CaseRatio, mean_of_ratios
from monai_gi.metrics.contest import combine
from monai_gi.metrics.judged import MEASURES, Judged, Shown, Value, joined_rows

LEAST_CASES = 6
"""With fewer, not even differences that all point one way tell a 5 % chance apart (sign test: 2 / 2**5 = 0.06)."""

CONTEST = Shown("contest_mle_bench", "contest score, mle_bench")
LEFT_OUT = "open: not all compared"

Statistic = Callable[[np.ndarray], np.ndarray]


class Difference(NamedTuple):
    """Second run minus first run.

    Attributes:
        shown: the measure.
        thing: organ or class; empty for the mean of all.
        first: mean of the first run over what both have a number for.
        second: the same of the second run.
        mean: the difference; NaN where there is nothing to compare.
        interval: 95 %, over cases; None where fewer than two count.
        cases: that count.
        better: of these, where the second run is better.
        failed: pairs that are left out since the first, or the second, run alone failed there: what one of them missed
            or invented has no finite distance, and what one of them invented no Dice in the other.
    """

    shown: Shown
    thing: str
    first: float
    second: float
    mean: float
    interval: tuple[float, float] | None
    cases: int
    better: int
    failed: tuple[int, int]

    @property
    def verdict(self) -> str:
        """In words what the interval tells; nothing for a run whose failures are left out."""
        if not self.cases:
            return "nothing to compare"
        if self.cases < LEAST_CASES or self.interval is None:
            return "too few cases to tell"
        low, high = self.interval
        if low <= 0 <= high:
            return "open"
        is_better = (low > 0) == self.shown.is_share
        if self.failed[1 if is_better else 0]:
            return LEFT_OUT
        return "better" if is_better else "worse"


class Shared(NamedTuple):
    """What two runs judged.

    Attributes:
        wholes: scans (frames, slides) in both.
        groups: cases of these.
        only_first: scans that the first run alone judged.
        only_second: those of the second.
    """

    wholes: int
    groups: int
    only_first: int
    only_second: int


class _Pairs(NamedTuple):
    """Values of two runs by unit: (N, 2), with N groups; and how many pairs are left out, by who failed."""

    groups: list[str]
    values: np.ndarray
    failed: tuple[int, int]


def paired_differences(first: Judged, second: Judged, *, seed: int = 0, bootstrap: int = 2000) -> list[Difference]:
    """Compare two runs on what both judged.

    Args:
        first: scores of the first run.
        second: scores of the second run, of the same kind.
        seed: of the bootstrap.
        bootstrap: number of its draws.

    Returns:
        For each measure the mean of the organs or classes that both have, then each of them; last the contest score
        where both have one.
    """
    things = [thing for thing in first.things if thing in second.things and thing != "background"]
    found: list[Difference] = []
    draws = {"seed": seed, "bootstrap": bootstrap}
    for shown in MEASURES[first.kind]:
        pairs = {thing: _pairs(first.values_of(shown, thing), second.values_of(shown, thing)) for thing in things}
        if len(things) > 1:
            found.append(_difference(shown, "", list(pairs.values()), **draws))
        found += [_difference(shown, thing, [own], **draws) for thing, own in pairs.items()]
    if joined_rows(first) and joined_rows(second):
        found.append(_contest_difference(first, second, **draws))
    return found


def shared(first: Judged, second: Judged) -> Shared:
    """Count what both runs judged, and what one of them did not."""
    one, other = ({row["id"]: row[judged.kind.group] for row in judged.wholes} for judged in (first, second))
    both = one.keys() & other.keys()
    groups = {one[name] for name in both}
    return Shared(len(both), len(groups), len(one) - len(both), len(other) - len(both))


def _pairs(one: Sequence[Value], other: Sequence[Value]) -> _Pairs:
    """Pair by id; what has no finite number in one of the runs is left out, and the run that failed is noted."""
    groups, kept, failed = [], [], [0, 0]
    theirs = {value.id: value.number for value in other}
    for identity, group, number in one:
        if identity not in theirs:
            continue
        pair = (number, theirs[identity])
        if all(map(math.isfinite, pair)):
            groups.append(group)
            kept.append(pair)
        elif _badness(pair[0]) != _badness(pair[1]):
            failed[0 if _badness(pair[0]) > _badness(pair[1]) else 1] += 1
    return _Pairs(groups, np.array(kept, dtype=np.float64).reshape(-1, 2), (failed[0], failed[1]))


def _badness(number: float) -> int:
    """None is right where both masks are empty; a number beside none is of something invented; infinite is worst."""
    return 0 if math.isnan(number) else 2 if math.isinf(number) else 1


def _difference(shown: Shown, thing: str, parts: Sequence[_Pairs], *, seed: int, bootstrap: int) -> Difference:
    first, second = (sum(part.failed[side] for part in parts) for side in (0, 1))
    groups = [group for part in parts for group in part.groups]
    if not groups:
        return Difference(shown, thing, math.nan, math.nan, math.nan, None, 0, 0, (first, second))
    draws = CaseBootstrap(groups, replicates=bootstrap, seed=seed)
    one, other = (mean_of_ratios([_ratio(p.values[:, side], p.groups, draws) for p in parts]) for side in (0, 1))
    return _measured(shown, thing, one, other, draws)._replace(failed=(first, second))


def _contest_difference(first: Judged, second: Judged, *, seed: int, bootstrap: int) -> Difference:
    """Each run by the contest's own rule for empty slices, on the scans that both judged."""
    judged_twice = {row["id"] for row in second.wholes}
    cases = {row["id"]: row[first.kind.group] for row in first.wholes if row["id"] in judged_twice}
    if not cases:
        return Difference(CONTEST, "", math.nan, math.nan, math.nan, None, 0, 0, (0, 0))
    draws = CaseBootstrap(list(cases.values()), replicates=bootstrap, seed=seed)
    return _measured(CONTEST, "", _contest(first, cases, draws), _contest(second, cases, draws), draws)


def _contest(judged: Judged, cases: Mapping[str, str], draws: CaseBootstrap) -> Statistic:
    slices = [(row["scan"], row["dice_empty_left_out"]) for row in judged.units]
    scans = [(row["id"], row["unit_cube_hausdorff"]) for row in joined_rows(judged, judged.wholes)]
    shares = [[(number, cases[scan]) for scan, number in own if scan in cases] for own in (slices, scans)]
    dice, hausdorff = (_ratio([number for number, _ in own], [case for _, case in own], draws) for own in shares)
    return lambda weights: combine(dice(weights), hausdorff(weights))


def _measured(shown: Shown, thing: str, one: Statistic, other: Statistic, draws: CaseBootstrap) -> Difference:
    """Both runs over all cases, the difference in each of them, and its interval."""

    def step(weights: np.ndarray) -> np.ndarray:
        return other(weights) - one(weights)

    everyone, each = np.ones((1, len(draws.cases))), step(np.eye(len(draws.cases)))
    first, second = float(one(everyone)[0]), float(other(everyone)[0])
    cases = int(np.isfinite(each).sum())
    interval = draws.interval(step, contributing=cases)
    bounds = None if interval.low is None or interval.high is None else (interval.low, interval.high)
    better = int(np.count_nonzero(each > 0 if shown.is_share else each < 0))
    return Difference(shown, thing, first, second, second - first, bounds, cases, better, (0, 0))


def _ratio(values: Sequence[float] | np.ndarray, groups: Sequence[str], draws: CaseBootstrap) -> CaseRatio:
    indices = np.array([draws.cases.index(group) for group in groups], dtype=np.int64)
    return CaseRatio(np.asarray(values, dtype=np.float64), indices, len(draws.cases))
