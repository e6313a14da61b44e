"""Differences between runs, case by case: means, intervals and words as counted by hand."""

import math

import numpy as np
import pytest
from scipy import stats

from monai_gi.metrics import score_scan
from monai_gi.metrics.judged import MEASURES, Judged, judged_of
from monai_gi.metrics.kinds import SLIDES
from monai_gi.report.pairs import CONTEST, LEAST_CASES, LEFT_OUT, Difference, paired_differences, shared
from tests.drawn_runs import draw_frames, draw_scans


def judged_slides(values):
    """Slides' scores by group and class, as many measures as there are of slides."""
    rows = [
        {"id": f"{group}1", "group": group, "class": name, "dice": dice, "iou": dice / 2}
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
    assert (one.cases, one.better, one.failed) == (8, 0, (0, 0))
    # half of the scans are not moved and half by a row, in the second run by one and two
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
    # t of six degrees of freedom leaves 2.5 % above 2.447; the draws are narrower than it by the root of 6 / 7
    below = 100 * stats.norm.sf(2.446912 / math.sqrt(6 / 7))
    assert one.interval == pytest.approx(np.percentile(draws @ steps / 7, [below, 100 - below]))
    assert one.better == (steps > 0).sum()


def test_the_mean_is_over_the_classes_that_both_runs_have_in_a_case():
    nan = math.nan
    first = judged_slides({"p": {"red": 0.5, "blue": 0.5}, "q": {"red": 0.5, "blue": nan}})
    second = judged_slides({"p": {"red": 0.7, "blue": 0.9}, "q": {"red": 0.6, "blue": 0.8}})
    one = find(paired_differences(first, second, bootstrap=100), "dice")
    assert one.mean == pytest.approx(((0.2 + 0.1) / 2 + 0.4) / 2), "the mean of the classes' means, as of one run"
    assert one.failed == (0, 1), "the second invents blue in q"
    assert find(paired_differences(first, second, bootstrap=100), "dice", "blue").cases == 1


def test_an_infinite_distance_of_one_run_is_left_out_and_counted():
    first, second = judged_of(draw_scans(8, shift=1), bootstrap=20), judged_of(draw_scans(8, shift=2), bootstrap=20)
    one = find(paired_differences(first, second, bootstrap=100), "hd95_mm_mean_of_finite", "stomach")
    # scans 0, 3 and 6 have a stomach: cases 1, 2 and 4; the second run never finds one
    # and in scan 1, which has none, it invents one
    assert (one.cases, one.failed) == (0, (0, 4))
    assert one.verdict == "nothing to compare"
    assert math.isnan(one.mean)


def test_the_background_is_not_compared_and_one_class_needs_no_mean():
    judged = judged_slides({"p": {"background": 1.0, "red": 0.5}})
    assert [one.thing for one in paired_differences(judged, judged, bootstrap=100)] == ["red", "red"]
    frames = judged_of(draw_frames(), bootstrap=20)
    assert len(paired_differences(frames, frames)) == len(MEASURES[frames.kind])


def test_scans_are_counted_by_who_judged_them():
    first, second = judged_of(draw_scans(8), bootstrap=20), judged_of(draw_scans(4), bootstrap=20)
    assert shared(first, second) == (4, 2, 4, 0)
    assert shared(second, first) == (4, 2, 0, 4)
    assert find(paired_differences(first, second, bootstrap=100), "surface_dice").cases == 2


def test_too_few_cases_claim_nothing():
    shown = MEASURES[SLIDES][0]
    few = Difference(shown, "", 0.1, 0.9, 0.8, (0.7, 0.9), LEAST_CASES - 1, LEAST_CASES - 1, (0, 0))
    assert few.verdict == "too few cases to tell"
    assert few._replace(cases=LEAST_CASES).verdict == "better"


def scores_of_boxes(moved):
    """A row of two organs and no stomach in seven cases of three scans; by scan how far the bowel is moved, or None."""
    truth = np.zeros((3, 6, 30, 2), bool)
    truth[:2, 2:4, 4:8] = True
    scores = []
    for number in range(21):
        pred = np.zeros_like(truth) if moved(number) is None else np.roll(truth, moved(number) or 0, axis=2)
        names = f"case{number // 3}_day{number % 3}", f"case{number // 3}"
        pair = {"spacing_mm": (1.0, 1.0, 1.0), "slice_ids": [f"{names[0]}_slice_{d}" for d in range(2)]}
        scores.append(score_scan(*names, pred, truth, **pair))
    return judged_of(scores, bootstrap=20)


def test_distances_are_compared_on_the_scans_that_both_found():
    """The second run misses the scan of each case that is hardest for both: its mean of the others is no better."""
    first = scores_of_boxes(lambda number: 9 if number % 3 == 2 else 1)
    second = scores_of_boxes(lambda number: None if number % 3 == 2 else 2)
    one = find(paired_differences(first, second, bootstrap=100), "hd95_mm_mean_of_finite", "large_bowel")
    assert (one.first, one.second) == pytest.approx((1, 2))
    assert (one.mean, one.better, one.failed) == (pytest.approx(1), 0, (0, 7))
    assert one.verdict == "worse", "what is left out speaks against it too"


def test_a_run_that_misses_more_is_not_called_better():
    first = scores_of_boxes(lambda number: 9 if number % 3 == 2 else 2)
    second = scores_of_boxes(lambda number: None if number == 5 else 1)
    one = find(paired_differences(first, second, bootstrap=100), "hd95_mm_mean_of_finite", "large_bowel")
    assert one.mean < 0
    assert (one.better, one.failed, one.verdict) == (7, (0, 1), LEFT_OUT)
    turned = find(paired_differences(second, first, bootstrap=100), "hd95_mm_mean_of_finite", "large_bowel")
    assert (turned.failed, turned.verdict) == ((1, 0), LEFT_OUT)


def test_what_both_miss_takes_nothing_from_either():
    first = scores_of_boxes(lambda number: None if number == 5 else 2)
    second = scores_of_boxes(lambda number: None if number == 5 else 1)
    one = find(paired_differences(first, second, bootstrap=100), "hd95_mm_mean_of_finite", "large_bowel")
    assert (one.failed, one.verdict) == ((0, 0), "better")


def test_an_organ_that_only_one_run_invents_is_counted_against_it():
    """Where truth and prediction hold none there is no surface Dice, and where it is invented it is 0."""
    first, second = judged_of(draw_scans(8, shift=1), bootstrap=20), judged_of(draw_scans(8, shift=2), bootstrap=20)
    one = find(paired_differences(first, second, bootstrap=100), "surface_dice", "stomach")
    assert (one.cases, one.failed) == (3, (0, 1))


@pytest.mark.parametrize("scores", [draw_scans(8, shift=2), draw_frames(12)])
def test_means_of_runs_that_judged_the_same_are_those_of_their_summaries(scores):
    judged = judged_of(scores, bootstrap=20)
    for one in paired_differences(judged, judged, bootstrap=20):
        if one.shown == CONTEST:
            assert one.first == pytest.approx(judged.summary["contest_score"]["mle_bench"]["score"])
        elif one.cases:
            assert one.first == pytest.approx(judged.number(one.shown.name, one.thing or None)["mean"])
