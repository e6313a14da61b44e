"""Numbers that a reader could take for better than they are: what is infinite, and what is learnt by heart."""

import pytest
from PIL import Image

from monai_gi.report import write_report
from monai_gi.report.facts import training_facts, warnings_of
from monai_gi.report.reading import Run
from tests.drawn_runs import draw_frames, draw_scans, draw_slides, write_evaluation
from tests.read_pages import Page


@pytest.fixture(autouse=True)
def plain_charts(monkeypatch):
    """Charts have tests of their own and take most of the time."""
    monkeypatch.setattr("monai_gi.report.page.as_svg", lambda chart: "<svg/>")


def words_of(folder, scores):
    write_evaluation(folder / "judged", scores=scores)
    return Page(write_report([folder / "judged"], folder / "report.html").read_text()).text


def test_tile_and_table_say_how_many_distances_are_infinite(tmp_path):
    words = words_of(tmp_path, draw_scans(8, shift=2))
    # of 20 pairs of scan and organ with a mask three stomachs are missed and one is invented
    assert "; 4 of 20 infinite: missed or invented" in words
    head, _, rows = words.partition("organ 3D Dice surface Dice HD95, mm Dice of slices ")
    assert head
    stomach, whole = (rows[rows.index(name) :] for name in ("stomach", "mean of organs"))
    assert stomach.startswith("stomach 0.000 [0.000, 0.000] 0.000 [0.000, 0.000] –, 4 of 4 ∞ ")
    assert ", 4 of 20 ∞ " in whole[:100]
    assert "∞" not in rows[: rows.index("stomach")]


def test_frames_tell_their_infinite_distances_too(tmp_path):
    # every fifth frame of 12 has no polyp; frame 5 gets one
    assert "; 1 of 10 infinite: missed or invented" in words_of(tmp_path, draw_frames(12))


def test_without_infinite_distances_nothing_is_said_of_them(tmp_path):
    words = words_of(tmp_path, draw_scans(8, shift=0))
    assert "missed or invented:" not in words
    assert " of 20 ∞" not in words


def run_with(train, validation, best):
    sides = {"train": train, "validation": validation}
    curves = {side: {"dice/mean": dict(enumerate(own, start=1))} for side, own in sides.items()}
    curves["validation"]["best/epoch"] = {len(validation): best}
    return Run("run", curves=curves)


@pytest.mark.parametrize(
    ("train", "validation", "said"),
    [
        ([0.6, 0.8, 0.9, 0.97], [0.5, 0.7, 0.66, 0.61], True),
        ([0.6, 0.95, 0.95, 0.97], [0.3, 0.5, 0.49, 0.5], False),  # far apart, but they go on side by side
        ([0.6, 0.8, 0.9, 0.7], [0.5, 0.7, 0.6, 0.6], False),  # both fall
    ],
)
def test_learning_by_heart_is_told_from_the_course_of_the_curves_and_not_from_their_difference(train, validation, said):
    warnings = " ".join(warnings_of(run_with(train, validation, best=2)))
    assert ("by heart" in warnings) == said
    if said:
        assert (
            "best epoch (2) the mean Dice fell from 0.70 to 0.61 in validation and rose from 0.80 to 0.97" in warnings
        )


def test_every_mean_of_the_page_is_named(tmp_path):
    words = words_of(tmp_path, draw_scans(8, shift=1))
    assert "Dots: cases, each the mean of its scans." in words
    assert "Diamond: the mean over all scans (of slices: over all slices), each of which counts the same" in words


def test_where_no_true_mask_is_empty_no_rule_for_them_is_shown(tmp_path):
    frames = [score for number, score in enumerate(draw_frames(12)) if number % 5]
    words = words_of(tmp_path, frames)
    assert "No true mask, one a frame and class, is empty" in words
    assert "under each rule" not in words
    assert "A dot is a frame. Up" in words


def test_places_without_a_picture_are_not_promised(tmp_path):
    write_evaluation(tmp_path / "judged", scores=draw_frames(2), overlays=("worst", "best"))
    text = write_report([tmp_path / "judged"], tmp_path / "report.html").read_text()
    assert "<h2>Best</h2>" in text
    assert "Median" not in text


def test_one_of_something_is_not_many():
    data = {side: {"cases": count, "slices": count, "sha256": "c0ffee"} for side, count in (("train", 2), ("test", 1))}
    known = training_facts(Run("run", settings={"data": data}))
    assert (known["train data"], known["test data"]) == (
        "2 cases (2 images), hash c0ffee",
        "1 case (1 image), hash c0ffee",
    )


@pytest.mark.parametrize("told", ["lowest Dice", " px true"])
def test_what_did_not_fail_is_not_marked_as_bad(tmp_path, told):
    write_evaluation(tmp_path / "judged", scores=draw_slides())
    if told == "lowest Dice":
        (tmp_path / "judged" / "confusion.csv").unlink()
    text = write_report([tmp_path / "judged"], tmp_path / "report.html").read_text()
    assert f"{told}</td>" in text
    assert 'class="bad"' not in text


def test_only_wide_pictures_scroll_on_a_phone(tmp_path):
    write_evaluation(tmp_path / "judged", scores=draw_scans(2))
    Image.new("RGB", (1000, 200)).save(tmp_path / "judged" / "overlays" / "worst.png")
    text = write_report([tmp_path / "judged"], tmp_path / "report.html").read_text()
    assert (text.count('<div class="sheet wide"'), text.count('<div class="sheet"')) == (1, 2)
