"""95 % intervals by the bootstrap over cases: patients are drawn with replacement, never slices.

Slices of one patient resemble each other, so that an interval over slices would be far too narrow. Plain percentiles of
the draws are too narrow too where cases are few: of six they miss the truth one time in seven, not one in twenty. So
the percentiles lie further out, as far as Student's t lies beyond the normal distribution.
Source: Hesterberg, What Teachers Should Know About the Bootstrap (2015), on expanded percentiles.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int
from scipy.special import ndtr, stdtrit

TAIL = 0.025
"""Left out at either side."""


class Interval(NamedTuple):
    """A 95 % interval, or the reason why there is none.

    Attributes:
        low: lower bound; None without an interval.
        high: upper bound; None without an interval.
        note: why there is none, or what was left out of it; empty otherwise.
    """

    low: float | None
    high: float | None
    note: str = ""


class CaseRatio:
    """A mean over units (slices or scans) as sums and counts by case, so that cases can be drawn again.

    Args:
        values: one score a unit; NaN is left out.
        case_indices: position of each unit's case, 0 to cases - 1.
        cases: number of cases.
    """

    def __init__(self, values: Float64[np.ndarray, " N"], case_indices: Int[np.ndarray, " N"], cases: int) -> None:
        known = ~np.isnan(values)
        self.sums = np.bincount(case_indices[known], weights=values[known], minlength=cases)
        self.counts = np.bincount(case_indices[known], minlength=cases)

    def __call__(self, weights: Float64[np.ndarray, "R G"]) -> Float64[np.ndarray, " R"]:
        """Give the mean with each case counted as often as its weight; NaN where nothing is counted."""
        units = weights @ self.counts
        return np.divide(weights @ self.sums, units, out=np.full(len(weights), np.nan), where=units > 0)

    @property
    def contributing(self) -> int:
        """Number of cases with a unit that counts."""
        return int(np.count_nonzero(self.counts))


def mean_of_ratios(ratios: Sequence[CaseRatio]) -> Callable[[Float64[np.ndarray, "R G"]], Float64[np.ndarray, " R"]]:
    """Join classes to one statistic.

    Args:
        ratios: of each class, at least one.

    Returns:
        Gives, of weights (R, G), the plain mean of the classes' means; of those that a draw holds, NaN where it holds
        none.
    """

    def mean(weights: Float64[np.ndarray, "R G"]) -> Float64[np.ndarray, " R"]:
        means = np.stack([ratio(weights) for ratio in ratios])
        known = ~np.isnan(means)
        sums, counts = np.where(known, means, 0.0).sum(axis=0), known.sum(axis=0)
        return np.divide(sums, counts, out=np.full(counts.shape, np.nan), where=counts > 0)

    return mean


class CaseBootstrap:
    """Draws cases once and gives every statistic its interval from the same draws.

    Args:
        cases: one name for each unit that will be averaged over; repeated names are one case.
        replicates: number of draws.
        seed: of the draws; the same cases, replicates and seed give the same intervals.
        unit: what a case is called in notes.

    Raises:
        ValueError: if there are no cases or fewer than one replicate.
    """

    def __init__(self, cases: Sequence[str], *, replicates: int = 2000, seed: int = 0, unit: str = "case") -> None:
        self.unit = unit
        self.cases = tuple(sorted(set(cases)))
        if not self.cases or replicates < 1:
            raise ValueError(f"{len(self.cases)} cases and {replicates} replicates; at least one of each is needed")
        count = len(self.cases)
        draws = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=replicates)
        self._weights: Float64[np.ndarray, "R G"] = draws.astype(np.float64)

    def interval(self, statistic: Callable[[Float64[np.ndarray, "R G"]], np.ndarray], *, contributing: int) -> Interval:
        """Give the interval of a statistic of weighted cases.

        Args:
            statistic: takes weights (R, G), how often each case of `self.cases` was drawn, and gives R numbers,
                NaN where a draw holds nothing to count.
            contributing: number of cases that the statistic has anything from.

        Returns:
            What lies between the `lower_percent` of the contributing cases and its mirror; none with fewer than two.
        """
        if contributing < 2:
            return Interval(
                None, None, f"{contributing} {self.unit}(s) contribute; an interval over {self.unit}s needs two"
            )
        numbers = np.asarray(statistic(self._weights))
        known = numbers[~np.isnan(numbers)]
        if known.size == 0:
            return Interval(None, None, f"no draw of {self.unit}s holds anything to count")
        lower = lower_percent(contributing)
        low, high = np.percentile(known, [lower, 100 - lower])
        left_out = numbers.size - known.size
        note = f"{left_out} of {numbers.size} draws held nothing to count and were left out" if left_out else ""
        return Interval(float(low), float(high), note)


def interval_rule(unit: str, replicates: int, seed: int) -> str:
    """Say how intervals were made.

    Args:
        unit: what was drawn.
        replicates: number of draws.
        seed: of the draws.

    Returns:
        A line for summaries.
    """
    return f"95 % bootstrap over {unit}s, percentiles widened for few {unit}s, {replicates} draws, seed {seed}"


def lower_percent(cases: int) -> float:
    """The percentile of the draws at which an interval begins.

    Args:
        cases: that contribute, at least two.

    Returns:
        Under 2.5, which it nears with more cases; of five cases or fewer it is as good as the smallest draw.

    >>> round(lower_percent(10), 2), round(lower_percent(1000), 2)
    (0.86, 2.48)
    """
    return float(100 * ndtr(stdtrit(cases - 1, TAIL) * np.sqrt(cases / (cases - 1))))
