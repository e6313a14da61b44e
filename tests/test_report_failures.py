"""Failures: missed and invented before low Dice, the largest first, with the slice to look at."""

import math

from monai_gi.metrics.judged import judged_of, read_judged
from monai_gi.report.failures import count_scored, find_failures, find_weakest
from tests.drawn_runs import draw_frames, draw_scans, draw_slides, write_evaluation


def test_what_is_missed_comes_first_with_its_volume_and_slice():
    first, *_ = find_failures(judged_of(draw_scans(8, shift=2), bootstrap=20))
    # 4 x 5 pixels on one slice, 1.5 x 2 x 3 mm each
    assert first[:3] == ("case1_day0", "stomach", "missed: 0.18 mL, none found")
    assert first.dice == 0
    assert math.isinf(first.distance)
    assert first.look_at == "slice_0001"


def test_what_is_invented_follows_by_its_size():
    found = find_failures(judged_of(draw_scans(8, shift=2), bootstrap=20))
    assert [one.what.split(":")[0] for one in found] == ["missed"] * 3 + ["invented"]
    assert found[-1][:3] == ("case1_day1", "stomach", "invented: 0.036 mL where there is none")
    assert found[-1].look_at == "slice_0006"


def test_low_dice_comes_last_and_lowest_first():
    found = find_failures(judged_of(draw_scans(4, shift=3), bootstrap=20))
    # moved by 3 and 4 rows of 6: Dice 1/2 and 1/3; a stomach of 4 rows: 1/4 and 0, which is not missed, but elsewhere
    assert [(one.where, one.thing, round(one.dice, 2)) for one in found] == [
        ("case2_day1", "stomach", 0.0),
        ("case1_day0", "stomach", 0.25),
        ("case1_day1", "large_bowel", 0.33),
        ("case2_day1", "large_bowel", 0.33),
        ("case1_day1", "small_bowel", 0.33),
        ("case2_day1", "small_bowel", 0.33),
    ]
    assert found[0].what == "low Dice: 0.18 mL found, 0.18 mL true"


def test_where_nothing_failed_the_weakest_are_named():
    judged = judged_of(draw_scans(4, shift=0), bootstrap=20)
    assert find_failures(judged) == []
    weakest = find_weakest(judged)
    assert [(one.where, one.thing) for one in weakest[:1]] == [("case2_day1", "stomach")]
    assert weakest[0].what == "0.18 mL found, 0.18 mL true"
    assert len(weakest) == 3


def test_scored_pairs_leave_out_those_that_both_masks_lack():
    # 8 scans with two bowels, 3 stomachs, and the invented one
    assert count_scored(judged_of(draw_scans(8, shift=2), bootstrap=20)) == 20


def test_frames_are_told_in_pixels_without_a_slice():
    found = find_failures(judged_of(draw_frames(12), bootstrap=20))
    assert [one[:3] for one in found] == [("cvc_0005", "polyp", "invented: 9 px where there is none")]
    assert found[0].look_at == ""


def test_slides_are_told_without_background_and_absent_classes(tmp_path):
    write_evaluation(tmp_path, scores=draw_slides())
    judged = read_judged(tmp_path)
    assert find_failures(judged) == []
    weakest = find_weakest(judged)
    assert {one.thing for one in weakest} <= {"interstitium", "tubule", "glomerulus", "vessel"}
    # row and column sums of the drawn confusion
    counts = draw_slides()[int(weakest[0].where[-1])].counts
    label = judged.things.index(weakest[0].thing)
    assert weakest[0].what == f"{counts[:, label].sum()} px found, {counts[label].sum()} px true"
    assert math.isnan(weakest[0].distance)
    assert count_scored(judged) == 3 * 4
    (tmp_path / "confusion.csv").unlink()
    assert find_weakest(read_judged(tmp_path))[0].what == "lowest Dice"


def test_a_class_that_a_slide_lacks_or_alone_has_is_told(tmp_path):
    scores = draw_slides()
    scores[0].counts[:, 3] = 0  # nothing is called a glomerulus
    scores[1].counts[5, 0] = 0
    scores[1].counts[0, 5] = 1234  # an infiltrate where there is none
    write_evaluation(tmp_path, scores=scores)
    found = find_failures(read_judged(tmp_path))
    assert [one[:3] for one in found] == [
        ("slide_1", "infiltrate", "invented: 1,234 px where there is none"),
        ("slide_0", "glomerulus", f"missed: {scores[0].counts[3].sum()} px, none found"),
    ]
