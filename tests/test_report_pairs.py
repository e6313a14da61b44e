"""Differences between runs, case by case: means, intervals and words as counted by hand."""

import math

import numpy as np
import pytest

from monai_gi.metrics.judged import MEASURES, Judged, judged_of
from monai_gi.metrics.kinds import SLIDES
from monai_gi.report.pairs import LEAST_CASES, Difference, paired_differences, shared_cases
from tests.drawn_runs import draw_frames, draw_scans


def judged_slides(values):
    """Slides' scores by group and class, as many measures as there are of slides."""
    rows = [
        {"id": group, "class": name, "dice": dice, "iou": dice / 2}
        for group, own in values.items()
        for name, dice in own.items()
    ]
    names = dict.fromkeys(row["class"] for row in rows)
    return Judged(SLIDES, rows, rows, rows, {"classes": {name: {} for name in names}})


def find(found, name, thing=""):
    return next(one for one in found if (one.shown.name, one.thing) == (name, thing))


def test_a_shift_by_one_row_of_six_costs_a_sixth_in_every_case():
    first, second = judged_of(draw_scans(16, shift=0), bootstrap=20), judged_of(draw_scans(16, shift=1), bootstrap=20)
    one = find(paired_differences(first, second, bootstrap=100), "dice_3d_organ_scans", "large_bowel")
    assert one.mean == pytest.approx(-1 / 6)
    assert one.interval == pytest.approx((-1 / 6, -1 / 6))
    assert (one.cases, one.better, one.left_out) == (8, 0, 0)
    # a case has a scan that is not moved and one by a row, in the second run by one and two
    assert one.first == pytest.approx((1 + 5 / 6) / 2)
    assert one.second == pytest.approx((5 / 6 + 4 / 6) / 2)
    assert one.verdict == "worse"


def test_turned_round_the_same_is_better():
    first, second = judged_of(draw_scans(16, shift=1), bootstrap=20), judged_of(draw_scans(16, shift=0), bootstrap=20)
    found = paired_differences(first, second, bootstrap=100)
    assert find(found, "dice_3d_organ_scans", "large_bowel").verdict == "better"
    distance = find(found, "hd95_mm_mean_of_finite", "large_bowel")
    assert distance.mean < 0
    assert distance.better == 8
    assert distance.verdict == "better", "a smaller distance is better"
    assert find(found, "contest_mle_bench").verdict == "better"


def test_a_run_against_itself_is_open():
    judged = judged_of(draw_scans(16), bootstrap=20)
    assert {one.verdict for one in paired_differences(judged, judged, bootstrap=100)} == {"open"}


def test_intervals_are_those_of_the_bootstrap_over_cases():
    rng = np.random.default_rng(3)
    values = rng.random((7, 2))
    first, second = (
        judged_slides({f"g{number}": {"glass": 0.0, "red": own[side]} for number, own in enumerate(values)})
        for side in (0, 1)
    )
    one = find(paired_differences(first, second, seed=4, bootstrap=500), "dice", "red")
    steps = values[:, 1] - values[:, 0]
    draws = np.random.default_rng(4).multinomial(7, np.full(7, 1 / 7), size=500)
    assert one.interval == pytest.approx(np.percentile(draws @ steps / 7, [2.5, 97.5]))
    assert one.better == (steps > 0).sum()


def test_the_mean_is_over_the_classes_that_both_runs_have_in_a_case():
    nan = math.nan
    first = judged_slides({"p": {"red": 0.5, "blue": 0.5}, "q": {"red": 0.5, "blue": nan}})
    second = judged_slides({"p": {"red": 0.7, "blue": 0.9}, "q": {"red": 0.6, "blue": 0.8}})
    one = find(paired_differences(first, second, bootstrap=100), "dice")
    assert one.mean == pytest.approx((0.3 + 0.1) / 2)
    assert one.left_out == 1
    assert find(paired_differences(first, second, bootstrap=100), "dice", "blue").cases == 1


def test_an_infinite_distance_of_one_run_is_left_out_and_counted():
    first, second = judged_of(draw_scans(8, shift=1), bootstrap=20), judged_of(draw_scans(8, shift=2), bootstrap=20)
    one = find(paired_differences(first, second, bootstrap=100), "hd95_mm_mean_of_finite", "stomach")
    # scans 0, 3 and 6 have a stomach: cases 1, 2 and 4; the second run never finds one
    assert (one.cases, one.left_out) == (0, 3)
    assert one.verdict == "no shared case"
    assert math.isnan(one.mean)


def test_the_background_is_not_compared_and_one_class_needs_no_mean():
    judged = judged_slides({"p": {"background": 1.0, "red": 0.5}})
    assert [one.thing for one in paired_differences(judged, judged, bootstrap=100)] == ["red", "red"]
    frames = judged_of(draw_frames(), bootstrap=20)
    assert len(paired_differences(frames, frames)) == len(MEASURES[frames.kind])


def test_cases_are_counted_by_who_judged_them():
    first, second = judged_of(draw_scans(8), bootstrap=20), judged_of(draw_scans(4), bootstrap=20)
    assert shared_cases(first, second) == (2, 2, 0)
    assert shared_cases(second, first) == (2, 0, 2)
    assert find(paired_differences(first, second, bootstrap=100), "surface_dice").cases == 2


def test_too_few_cases_claim_nothing():
    shown = MEASURES[SLIDES][0]
    few = Difference(shown, "", 0.1, 0.9, 0.8, (0.7, 0.9), LEAST_CASES - 1, LEAST_CASES - 1, 0)
    assert few.verdict == "too few cases to tell"
    assert few._replace(cases=LEAST_CASES).verdict == "better"
