"""Scores in memory and scores read from files are the same rows; slides come in the form of the others."""

import json
import math

import numpy as np
import pytest

from monai_gi.errors import DataError
from monai_gi.metrics import score_frame
from monai_gi.metrics.judged import MEASURES, joined_rows, judged_of, read_judged
from monai_gi.metrics.judged_slides import group_rows, slide_class_rows, slide_summary
from monai_gi.metrics.kinds import FRAMES, SCANS, SLIDES
from tests.drawn_runs import draw_frames, draw_scans, draw_slides, write_evaluation


@pytest.mark.parametrize(("draw", "kind"), [(draw_scans, SCANS), (draw_frames, FRAMES)])
def test_files_hold_what_was_in_memory(tmp_path, draw, kind):
    write_evaluation(tmp_path, scores=draw())
    read, kept = read_judged(tmp_path), judged_of(draw(), bootstrap=200)
    assert read.kind == kept.kind == kind
    assert read.things == kept.things
    assert read.summary == json.loads(json.dumps(kept.summary))
    for name in ("units", "wholes", "groups"):
        assert len(getattr(read, name)) == len(getattr(kept, name))
        for one, other in zip(getattr(read, name), getattr(kept, name), strict=True):
            numbers = [key for key, value in other.items() if not isinstance(value, str)]
            assert {key: one[key] for key in other if key not in numbers} == {
                key: other[key] for key in other if key not in numbers
            }
            np.testing.assert_allclose([one[key] for key in numbers], [float(other[key]) for key in numbers], 1e-8)


def test_an_infinite_distance_and_a_missing_number_are_read_as_such(tmp_path):
    write_evaluation(tmp_path, scores=draw_scans(shift=2))
    judged = read_judged(tmp_path)
    missed, absent = (
        next(row for row in judged.rows_of("stomach", judged.wholes) if row["id"] == scan)
        for scan in ("case1_day0", "case2_day0")
    )
    assert np.isinf(missed["hd95_mm"])
    assert np.isnan(absent["hd95_mm"])


def test_rows_of_one_organ_are_those_by_case_unless_others_are_given():
    judged = judged_of(draw_scans(4), bootstrap=20)
    assert [row["id"] for row in judged.rows_of("stomach")] == ["case1", "case2"]
    assert len(judged.rows_of("stomach", judged.units)) == 4 * 6


def test_rows_that_join_the_organs_are_of_scans_only():
    assert [row["id"] for row in joined_rows(judged_of(draw_scans(4), bootstrap=20))] == ["case1", "case2"]
    assert joined_rows(judged_of(draw_frames(3), bootstrap=20)) == []


def test_the_mean_of_all_organs_is_asked_for_without_a_name():
    judged = judged_of(draw_scans(4, shift=0), bootstrap=20)
    assert judged.number("dice_3d_organ_scans") == judged.summary["mean_of_organs"]["dice_3d_organ_scans"]
    # scans 0 and 2 are not moved, 1 and 3 by one row of six; stomach is in 0 and 3, there one row of four
    assert judged.number("dice_3d_organ_scans", "large_bowel")["mean"] == pytest.approx((1 + 5 / 6) / 2)
    assert judged.number("dice_3d_organ_scans", "stomach")["mean"] == pytest.approx((1 + 3 / 4) / 2)


COUNTS = {"slide": ["a", "b", "c"], "group": ["p", "p", "q"]}
ROWS = [
    {"slide": "a", "group": "p", "dice_glass": 1.0, "dice_red": 0.5, "iou_glass": 1.0, "iou_red": 0.25},
    {"slide": "b", "group": "p", "dice_glass": 0.5, "dice_red": float("nan"), "iou_glass": 0.5},
    {"slide": "c", "group": "", "dice_glass": 0.0, "dice_red": 0.75, "iou_glass": 0.0, "iou_red": 0.5},
]
CLASSES = ["glass", "red"]


def test_slides_become_a_row_a_class():
    rows = slide_class_rows(ROWS, CLASSES)
    assert rows[1] == {"id": "a", "group": "p", "class": "red", "dice": 0.5, "iou": 0.25}
    assert rows[4]["group"] == "c", "a slide without a group is its own"
    assert np.isnan(rows[3]["dice"])


def test_groups_are_means_of_the_slides_that_have_the_class():
    rows = group_rows(slide_class_rows(ROWS, CLASSES), CLASSES)
    assert [(row["id"], row["class"], row["dice"]) for row in rows] == [
        ("p", "glass", 0.75),
        ("p", "red", 0.5),
        ("c", "glass", 0.0),
        ("c", "red", 0.75),
    ]


def test_the_summary_of_slides_leaves_the_background_out_of_the_mean():
    rows = slide_class_rows(ROWS, CLASSES)
    summary = slide_summary(rows, {"slides": 3, "confusion": {"classes": CLASSES}}, bootstrap=50)
    assert summary["groups"] == 2
    assert summary["classes"]["glass"]["dice"]["mean"] == pytest.approx(0.5)
    assert summary["mean_of_classes"]["dice"]["mean"] == pytest.approx((0.5 + 0.75) / 2)
    low, high = summary["classes"]["red"]["dice"]["interval_95"]
    assert low == pytest.approx(0.5)  # both draws are the first group
    assert high == pytest.approx(0.75)


def test_slides_are_read_with_a_class_that_nobody_has(tmp_path):
    write_evaluation(tmp_path, scores=draw_slides())
    judged = read_judged(tmp_path)
    assert judged.kind == SLIDES
    assert len(judged.units) == 3 * 6
    assert judged.number("dice", "infiltrate")["mean"] is None
    assert judged.number("dice")["interval_95"] is not None
    assert all(judged.number(measure.name) for measure in MEASURES[SLIDES])


def damage(folder, name, text):
    write_evaluation(folder)
    (folder / name).write_text(text)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("summary.json", "{", "is damaged, wanted JSON"),
        ("summary.json", "[1]", "holds no summary"),
        ("summary.json", "{}", "holds neither organs nor classes"),
        ("summary.json", '{"organs": {"stomach": {}}}', "lacks 'mean_of_organs'"),
        ("scans.csv", "", "has no rows with the column organ"),
        ("scans.csv", "id,number\na,1\n", "has no rows with the column organ"),
        ("slices.csv", "id,organ,truth_px\na,stomach,many\n", "is damaged, wanted a table of numbers"),
        ("slices.csv", "id,organ\na,stomach,1,2\n", "is damaged, wanted a table of numbers"),
    ],
)
def test_damaged_files_are_named_with_what_to_do(tmp_path, name, text, words):
    damage(tmp_path, name, text)
    with pytest.raises(DataError, match=rf"{name}: {words}.*Judge again"):
        read_judged(tmp_path)


@pytest.mark.parametrize("name", ["summary.json", "cases.csv"])
def test_missing_files_are_named(tmp_path, name):
    write_evaluation(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(DataError, match=f"{name}: no such file"):
        read_judged(tmp_path)


def test_frames_of_one_sequence_have_no_interval():
    mask = np.ones((1, 4, 5), bool)
    judged = judged_of([score_frame("f", "s", mask, mask, classes=("polyp",))], bootstrap=20)
    assert judged.number("dice_class_frames", "polyp")["interval_95"] is None


@pytest.mark.parametrize("draw", [draw_scans, draw_frames])
def test_measures_are_means_of_their_values(draw):
    judged = judged_of(draw(8), bootstrap=20)
    for shown in MEASURES[judged.kind]:
        for thing in judged.things:
            numbers = [value.number for value in judged.values_of(shown, thing)]
            finite = [number for number in numbers if math.isfinite(number)]
            assert judged.number(shown.name, thing)["mean"] == pytest.approx(np.mean(finite))
            assert judged.number(shown.name, thing)["count"] == len(finite)


def test_infinite_distances_are_counted_of_those_with_a_mask(tmp_path):
    judged = judged_of(draw_scans(8, shift=2), bootstrap=20)
    # three of eight scans have a stomach that is missed, another has one invented; both bowels are found in all
    assert [judged.distances(thing) for thing in judged.things] == [(0, 8), (0, 8), (4, 4)]
    assert judged.distances() == (4, 20)
    write_evaluation(tmp_path, scores=draw_slides())
    assert read_judged(tmp_path).distances() == (0, 0)
