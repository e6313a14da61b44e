"""Intervals over cases against an obvious resampling and SciPy's bootstrap."""

import numpy as np
import pytest
from scipy import stats

from monai_gi.metrics import CaseBootstrap, CaseRatio
from tests.oracles import metrics as oracle

VALUES_BY_CASE = [np.array([0.2, 0.4]), np.array([0.9]), np.array([0.5, 0.6, 0.7, 0.1]), np.array([0.3])]
VALUES = np.concatenate(VALUES_BY_CASE)
CASES = np.repeat(np.arange(4), [2, 1, 4, 1])
NAMES = [f"case{index}" for index in CASES]


def widened(cases):
    """Where Student's t would stand on the normal distribution that the draws come from."""
    step = stats.t.ppf(0.975, cases - 1) / np.sqrt((cases - 1) / cases)
    return [100 * stats.norm.sf(step), 100 * stats.norm.cdf(step)]


def test_the_mean_pools_units_and_leaves_nan_out():
    ratio = CaseRatio(np.array([1.0, np.nan, 0.0, 0.5]), np.array([0, 0, 1, 2]), 4)
    assert ratio(np.ones((1, 4))) == pytest.approx(0.5)
    assert ratio.contributing == 3


def test_the_interval_equals_taking_cases_apart_and_together():
    draws = np.random.default_rng(5).multinomial(4, [0.25] * 4, size=200)
    expected = np.percentile(oracle.bootstrap_means(VALUES_BY_CASE, draws), widened(4))
    interval = CaseBootstrap(NAMES, replicates=200, seed=5).interval(CaseRatio(VALUES, CASES, 4), contributing=4)
    assert (interval.low, interval.high) == pytest.approx(expected)
    assert interval.note == ""


def test_with_one_unit_a_case_the_interval_is_scipys():
    values = np.random.default_rng(0).beta(8, 2, size=40)
    names = [f"case{index:02d}" for index in range(40)]
    ours = CaseBootstrap(names, replicates=20000, seed=1).interval(
        CaseRatio(values, np.arange(40), 40), contributing=40
    )
    low, high = widened(40)
    theirs = stats.bootstrap(
        (values,), np.mean, n_resamples=20000, method="percentile", confidence_level=(high - low) / 100, rng=2
    ).confidence_interval
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=2e-3)


@pytest.mark.parametrize("cases", [6, 10])
def test_about_one_interval_in_twenty_misses_the_truth_with_few_cases_too(cases):
    """Plain percentiles miss it 14 times in a hundred with six cases, and 9 times with ten."""
    rng = np.random.default_rng(1)
    names, trials, missed = [f"case{index}" for index in range(cases)], 400, 0
    draws = CaseBootstrap(names, seed=2)
    for values in rng.normal(size=(trials, cases)):
        interval = draws.interval(CaseRatio(values, np.arange(cases), cases), contributing=cases)
        missed += not interval.low <= 0 <= interval.high
    assert 0.02 < missed / trials < 0.085


def test_the_cases_that_contribute_decide_the_width():
    """Nothing is known of the four others, so that they make no interval narrower."""
    values, cases = np.linspace(0, 1, 6), np.arange(6)
    draws = CaseBootstrap([f"case{index}" for index in range(10)], seed=2)
    few = draws.interval(CaseRatio(values, cases, 10), contributing=6)
    many = draws.interval(CaseRatio(values, cases, 10), contributing=10)
    assert few.low < many.low < many.high < few.high


def test_slices_of_one_case_do_not_narrow_the_interval():
    """A case drawn takes all its slices along: ten times the same slice tells no more than one."""
    few = CaseBootstrap(NAMES, seed=3).interval(CaseRatio(VALUES, CASES, 4), contributing=4)
    many = CaseBootstrap(NAMES, seed=3).interval(CaseRatio(np.tile(VALUES, 10), np.tile(CASES, 10), 4), contributing=4)
    assert many == pytest.approx(few, abs=1e-12)


def test_seed_and_replicates_change_the_draws():
    def interval(**settings):
        return CaseBootstrap(NAMES, **settings).interval(CaseRatio(VALUES, CASES, 4), contributing=4)

    assert interval(replicates=50, seed=0) == interval(replicates=50, seed=0)
    assert interval(replicates=50, seed=0) != interval(replicates=50, seed=1)
    assert interval(replicates=50, seed=0) != interval(replicates=51, seed=0)


def test_one_case_has_no_interval_and_says_why():
    interval = CaseBootstrap(["case1"]).interval(CaseRatio(np.ones(3), np.zeros(3, dtype=int), 1), contributing=1)
    assert interval == (None, None, "1 case(s) contribute; an interval over cases needs two")


def test_draws_that_hold_nothing_are_left_out_and_counted():
    ratio = CaseRatio(np.array([0.5, 0.7, np.nan]), np.arange(3), 3)
    interval = CaseBootstrap(["a", "b", "c"], replicates=1000).interval(ratio, contributing=2)
    assert (interval.low, interval.high) == (0.5, 0.7)
    left_out = int(interval.note.split()[0])
    assert left_out / 1000 == pytest.approx((1 / 3) ** 3, abs=0.02)
    nothing = CaseBootstrap(["a", "b"]).interval(lambda weights: np.full(len(weights), np.nan), contributing=2)
    assert nothing == (None, None, "no draw of cases holds anything to count")


def test_no_cases_or_no_draws_are_refused():
    with pytest.raises(ValueError, match="0 cases and 2000 replicates"):
        CaseBootstrap([])
    with pytest.raises(ValueError, match="1 cases and 0 replicates"):
        CaseBootstrap(["a"], replicates=0)
