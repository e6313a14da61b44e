"""95 % intervals by the percentile bootstrap over cases: patients are drawn with replacement, never slices.

Slices of one patient resemble each other, so that an interval over slices would be far too narrow.
Source: Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 13.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int


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
            2.5th to 97.5th percentile of the numbers; none with fewer than two contributing cases.
        """
        if contributing < 2:
            return Interval(
                None, None, f"{contributing} {self.unit}(s) contribute; an interval over {self.unit}s needs two"
            )
        numbers = np.asarray(statistic(self._weights))
        known = numbers[~np.isnan(numbers)]
        if known.size == 0:
            return Interval(None, None, f"no draw of {self.unit}s holds anything to count")
        low, high = np.percentile(known, [2.5, 97.5])
        left_out = numbers.size - known.size
        note = f"{left_out} of {numbers.size} draws held nothing to count and were left out" if left_out else ""
        return Interval(float(low), float(high), note)
