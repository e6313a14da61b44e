"""Two runs against each other on the same cases: the difference of each case, and its mean with an interval over cases.

A difference is the second run minus the first. Cases that only one run has a number for are left out and counted.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from monai_gi.metrics import CaseBootstrap, CaseRatio
from monai_gi.metrics.judged import MEASURES, Judged, Shown, joined_rows

LEAST_CASES = 6
"""With fewer, not even differences that all point one way tell a 5 % chance apart (sign test: 2 / 2**5 = 0.06)."""

CONTEST = Shown("contest_mle_bench", "contest score, mle_bench")

Values = Mapping[str, float]


class Difference(NamedTuple):
    """Second run minus first run.

    Attributes:
        shown: the measure.
        thing: organ or class; empty for the mean of all.
        first: mean of the first run over the cases that count.
        second: the same of the second run.
        mean: of the differences; NaN where no case counts.
        interval: 95 %, over cases; None where fewer than two count.
        cases: that count.
        better: of these, where the second run is better.
        left_out: cases that only one of the two has a finite number for.
    """

    shown: Shown
    thing: str
    first: float
    second: float
    mean: float
    interval: tuple[float, float] | None
    cases: int
    better: int
    left_out: int

    @property
    def verdict(self) -> str:
        """In words what the interval tells."""
        if not self.cases:
            return "no shared case"
        if self.cases < LEAST_CASES or self.interval is None:
            return "too few cases to tell"
        low, high = self.interval
        if low <= 0 <= high:
            return "open"
        return "better" if (low > 0) == self.shown.is_share else "worse"


def paired_differences(first: Judged, second: Judged, *, seed: int = 0, bootstrap: int = 2000) -> list[Difference]:
    """Compare two runs on the cases that both judged.

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
        pairs = {thing: (_values(first, shown, thing), _values(second, shown, thing)) for thing in things}
        rows = {thing: _joint(*pair) for thing, pair in pairs.items()}
        if len(things) > 1:
            found.append(_difference(shown, "", _mean_of(rows), _left_out(pairs.values()), **draws))
        for thing, pair in pairs.items():
            found.append(_difference(shown, thing, rows[thing], _left_out([pair]), **draws))
    contest = [{row["id"]: row[CONTEST.name] for row in joined_rows(judged)} for judged in (first, second)]
    if all(contest):
        found.append(_difference(CONTEST, "", _joint(*contest), _left_out([contest]), **draws))
    return found


def shared_cases(first: Judged, second: Judged) -> tuple[int, int, int]:
    """Count cases: in both, only in the first, only in the second."""
    one, other = ({row["id"] for row in judged.groups} for judged in (first, second))
    return len(one & other), len(one - other), len(other - one)


def _values(judged: Judged, shown: Shown, thing: str) -> dict[str, float]:
    return {row["id"]: row[shown.name] for row in judged.rows_of(thing)}


def _joint(one: Values, other: Values) -> dict[str, tuple[float, float]]:
    both = [case for case in one if case in other]
    return {case: (one[case], other[case]) for case in both if math.isfinite(one[case]) and math.isfinite(other[case])}


def _left_out(pairs: Iterable[Sequence[Values]]) -> int:
    """Cases that were judged twice and have a number in one run only, of any class."""
    found = set()
    for one, other in pairs:
        found |= {case for case in one if case in other and math.isfinite(one[case]) != math.isfinite(other[case])}
    return len(found)


def _mean_of(rows: Mapping[str, Mapping[str, tuple[float, float]]]) -> dict[str, tuple[float, float]]:
    """By case the mean of the classes that both runs have a number for."""
    cases = dict.fromkeys(case for own in rows.values() for case in own)
    means = {case: np.mean([own[case] for own in rows.values() if case in own], axis=0) for case in cases}
    return {case: (float(one), float(other)) for case, (one, other) in means.items()}


def _difference(
    shown: Shown, thing: str, pairs: Mapping[str, tuple[float, float]], left_out: int, *, seed: int, bootstrap: int
) -> Difference:
    if not pairs:
        return Difference(shown, thing, math.nan, math.nan, math.nan, None, 0, 0, left_out)
    values = np.array(list(pairs.values()))
    steps = values[:, 1] - values[:, 0]
    draws = CaseBootstrap(list(pairs), replicates=bootstrap, seed=seed)
    indices = np.array([draws.cases.index(case) for case in pairs], dtype=np.int64)
    interval = draws.interval(CaseRatio(steps, indices, len(pairs)), contributing=len(pairs))
    better = int(np.count_nonzero(steps > 0 if shown.is_share else steps < 0))
    first, second = values.mean(axis=0)
    bounds = None if interval.low is None or interval.high is None else (interval.low, interval.high)
    return Difference(
        shown, thing, float(first), float(second), float(steps.mean()), bounds, len(pairs), better, left_out
    )
