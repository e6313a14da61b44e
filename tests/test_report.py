"""The report: what it says about one run and several, that it stands by itself, and what it says where things lack."""

import base64
import io
import json
import os
import re

import pytest
from PIL import Image

from monai_gi.errors import DataError, DataErrors
from monai_gi.provenance import INTENDED_USE
from monai_gi.report import REPORT_HTML, report_evaluation, write_report
from monai_gi.report.facts import duration
from tests.drawn_runs import (
    draw_frames,
    draw_scans,
    draw_slides,
    write_curves,
    write_evaluation,
    write_run,
    write_settings,
)
from tests.read_pages import Page, check_alone


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return write_run(tmp_path_factory.mktemp("runs") / "segformer", scores=draw_scans(16, shift=2))


@pytest.fixture(scope="module")
def text(run):
    return write_report([run], run.parent / "report.html").read_text()


@pytest.fixture(autouse=True)
def plain_charts(monkeypatch):
    """Charts have tests of their own and take most of the time; the page of the module's run is drawn with them."""
    monkeypatch.setattr("monai_gi.report.page.as_svg", lambda chart: "<svg/>")


def report(folder, *runs):
    return write_report(list(runs), folder / "out" / "report.html").read_text()


def test_the_page_stands_by_itself(text):
    page = check_alone(text)
    policy = next(found["content"] for tag, found in page.elements if found.get("http-equiv"))
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert page.elements[0] == ("html", {"lang": "en"})


def test_research_use_is_stated_above_and_below(text):
    assert text.count(INTENDED_USE) == 2


def test_parts_come_in_the_order_of_reading(text):
    titles = re.findall(r"<h2>(.*?)</h2>", text)
    assert titles == [
        "In brief",
        "Failures first",
        "Scores",
        "Dice against distance",
        "Empty slices",
        "Contest score",
        "Median and best",
        "Learning curves",
        "What was trained on what",
        "What each number counts",
    ]
    assert [link[1:] for link in Page(text).all("a", "href")] == Page(text).all("section", "id")


def test_the_brief_says_what_was_trained_on_what(text):
    words = Page(text).text
    assert (
        "HuggingFaceSegmenter (3.7 M parameters) from random weights, trained for 6 epochs on 8 cases (96 slices) of"
        " phantom (fold 0 of 5 kept aside). Judged on 8 cases, 16 scans, 96 slices." in words
    )
    assert "The best epoch is the last one" in words
    # moved by 2 and 3 rows of 6, the stomach never found
    assert f"3D Dice, mean of organs {(4 / 6 + 3 / 6) / 2 * 2 / 3:.2f}" in words


def test_failures_stand_before_scores_and_say_where_to_look(text):
    words = Page(text).text
    assert words.index("missed: 0.18 mL, none found") < words.index("Dots: cases")
    # scans 0, 3, 6, 9, 12 and 15 miss their stomach, scan 1 invents one; 33 pairs: 32 bowels less none, and those 7
    assert (
        "7 failed (missed or invented altogether, or Dice under 0.5); 39 pairs of scan and organ have a Dice." in words
    )
    assert "case1_day0 stomach missed: 0.18 mL, none found slice_0001 0.00 ∞" in words


def test_facts_tell_data_versions_and_cost(text):
    words = Page(text).text
    for part in (
        "weights began as random",
        "train data 8 cases (96 slices), hash c0ffeec0ffee",
        "epochs 6 of 6, best 6",
        "cost 13 min, 0.9 GB at the peak",
        "torch 2.13.0",
        "cpu, 2 threads",
        "python -m monai.bundle run training --config_file train.json",
    ):
        assert part in words


def test_rules_stand_beside_the_numbers(text):
    words = Page(text).text
    assert "3D, mean over scans whose truth holds the organ; empty prediction: 0" in words
    assert "95 % bootstrap over cases, percentiles widened for few cases, 200 draws, seed 0" in words
    for variant in ("mle_bench", "dice_empty_1", "dice_empty_0", "first_place"):
        assert f"contest score, {variant}" in words


def test_empty_masks_are_shown_under_every_rule(text):
    words = Page(text).text
    summary_rows = re.search(
        r"organ Dice, slices with it all slices, empty left out .*? stomach (\S+) (\S+) (\S+)", words
    )
    # stomach: 6 slices of 96 have it, none found; one more is invented; with both empty as 1, 89 of 96 are right
    assert summary_rows.groups() == ("0.000", "0.000", f"{89 / 96:.3f}")


def test_pictures_are_named_by_the_rule_that_chose_them(text):
    words = Page(text).text
    # odd scans have 1/2 in both bowels and, where there is a stomach, 0; scan 1 has an invented one: the lowest by id
    assert "Worst scan: case1_day1, mean 3D Dice 0.33. Solid: prediction. Dashed, lighter: truth." in words
    assert "Median scan: case" in words
    assert "Best scan: case" in words


def test_no_path_of_the_machine_is_in_it(text, run):
    assert str(run.parent) not in text
    assert "/tmp" not in text


def test_the_same_files_give_the_same_page(run, tmp_path):
    assert report(tmp_path, run) == report(tmp_path / "again", run)


def test_charts_are_drawn_into_the_page(text, run, tmp_path):
    drawn, plain = (Page(page).all("img", "src") for page in (text, report(tmp_path, run)))
    assert len(drawn) == len(plain) == 4 + 1 + 2 + 1 + 5 + 3
    assert len(set(drawn)) == len(drawn)
    assert len("".join(drawn)) > 100_000 + len("".join(plain))


def test_names_from_files_are_escaped(tmp_path):
    evil = "<script>alert(1)</script>"
    folder = write_run(tmp_path / 'a<b>"&', scores=draw_scans(2), dataset_dir=evil)
    page = check_alone(report(tmp_path, folder))
    assert evil in page.text
    assert 'Report: a<b>"& (segformer)' in page.text


def test_an_evaluation_alone_is_reported_too(tmp_path):
    write_evaluation(tmp_path / "judged", scores=draw_scans(4))
    words = Page(report(tmp_path, tmp_path / "judged")).text
    assert "Nothing is known about the training" in words
    assert "What was trained on what" not in words
    assert "Learning curves" not in words


def test_the_evaluation_of_a_run_finds_its_run(run, text, tmp_path):
    assert Page(report(tmp_path, run / "evaluation")).text == Page(text).text
    assert Page(report(tmp_path, run / "evaluation" / "summary.json")).text == Page(text).text


def test_a_run_that_was_not_judged_says_so(tmp_path):
    write_settings(tmp_path / "run")
    write_curves(tmp_path / "run" / "tensorboard")
    page = check_alone(report(tmp_path, tmp_path / "run"))
    assert "There are no scores yet." in page.text
    assert "run evaluating" in page.text
    assert len(page.all("img", "src")) == 5


def test_judging_other_data_than_was_kept_aside_is_the_first_warning(tmp_path):
    folder = write_run(tmp_path / "run", scores=draw_scans(4))
    judged = {"data": {"validation": {"sha256": "beef" * 16}}}
    (folder / "evaluation" / "settings.json").write_text(json.dumps(judged))
    assert "Judged on other data" not in report(tmp_path, folder)
    judged["data"]["validation"]["sha256"] = "f00d" * 16
    (folder / "evaluation" / "settings.json").write_text(json.dumps(judged))
    words = Page(report(tmp_path, folder)).text
    assert words.index("Judged on other data than the training kept aside") < words.index("Only 2 cases")


def test_frames_are_reported_in_their_words(tmp_path):
    page = check_alone(report(tmp_path, write_run(tmp_path / "polyps", scores=draw_frames(20))))
    for part in (
        "Judged on 3 sequences, 20 frames.",
        "Empty frames",
        "HD95, px",
        "cvc_0005 polyp invented: 9 px",
        "Worst frames. Solid",
    ):
        assert part in page.text
    assert "Contest score" not in page.text


def test_slides_are_reported_with_their_confusion(tmp_path):
    page = check_alone(report(tmp_path, write_run(tmp_path / "biopsy", scores=draw_slides())))
    for part in (
        "Judged on 3 groups, 3 slides.",
        "What was taken for what",
        "mean without background",
        "Worst slide: slide_",
        "Dice, mean without background",
        "on 8 groups (96 slides) of",
    ):
        assert part in page.text or part in " ".join(page.all("img", "alt"))
    assert "HD95" not in page.text


def test_without_pictures_the_page_says_so(tmp_path):
    folder = write_run(tmp_path / "run", scores=draw_scans(4))
    for path in (folder / "evaluation" / "overlays").iterdir():
        path.unlink()
    assert "No pictures were drawn." in Page(report(tmp_path, folder)).text


def test_a_damaged_picture_is_named(tmp_path):
    folder = write_run(tmp_path / "run", scores=draw_scans(4))
    (folder / "evaluation" / "overlays" / "worst.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"worst\.png: is no picture"):
        report(tmp_path, folder)


def test_large_pictures_are_made_smaller(tmp_path):
    folder = write_run(tmp_path / "run", scores=draw_scans(2))
    Image.new("RGB", (3000, 400)).save(folder / "evaluation" / "overlays" / "worst.png")
    sources = Page(report(tmp_path, folder)).all("img", "src")
    pictures = [base64.b64decode(source.split(",")[1]) for source in sources if source.startswith("data:image/jpeg")]
    assert [Image.open(io.BytesIO(picture)).size for picture in pictures] == [(1500, 200), (240, 161), (240, 162)]


def test_a_process_that_is_not_the_first_writes_no_page(tmp_path, monkeypatch):
    monkeypatch.setattr("monai_gi.handlers.processes.is_first_process", lambda: False)
    report_evaluation(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_end_of_an_evaluation_writes_the_page_beside_the_scores(tmp_path, capsys):
    folder = write_run(tmp_path / "run", scores=draw_scans(2)) / "evaluation"
    report_evaluation(str(folder))
    assert "Judged on 1 case, 2 scans" in Page((folder / REPORT_HTML).read_text()).text
    assert f"Report: {folder / REPORT_HTML}" in capsys.readouterr().out


def test_an_old_page_is_replaced_whole(tmp_path):
    output = tmp_path / "report.html"
    output.write_text("old")
    folder = write_run(tmp_path / "run", scores=draw_scans(2))
    assert write_report([folder], output) == output
    assert output.read_text().startswith("<!DOCTYPE html>")
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize("name", ["report", "report.txt", "runs"])
def test_an_output_that_is_no_page_is_refused(tmp_path, name):
    (tmp_path / "runs").mkdir()
    with pytest.raises(DataError, match=r"wanted a file name that ends in \.html"):
        write_report([tmp_path], tmp_path / name)


def test_folders_without_a_run_are_named_at_once_with_what_to_do(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataErrors) as caught:
        report(tmp_path, tmp_path / "absent", tmp_path / "empty")
    assert "absent: no such folder; wanted a run" in str(caught.value)
    assert "empty: holds neither summary.json of an evaluation nor settings.json of a training" in str(caught.value)


def test_a_folder_of_runs_names_them(tmp_path):
    for number in range(7):
        write_settings(tmp_path / "runs" / f"r{number}")
    with pytest.raises(DataError, match=r"but folders in it do: r0, r1, r2, r3, r4, \.\.\.\. Give these"):
        report(tmp_path, tmp_path / "runs")


def test_a_run_given_twice_is_refused(run, tmp_path):
    with pytest.raises(DataError, match=r"segformer, summary\.json: is given twice"):
        report(tmp_path, run, run / "evaluation" / "summary.json")


def test_a_run_that_left_nothing_is_refused(tmp_path):
    (tmp_path / "run" / "tensorboard").mkdir(parents=True)
    with pytest.raises(DataError, match="run: has neither settings, curves nor scores yet; train first"):
        report(tmp_path, tmp_path / "run")


def test_damaged_settings_are_named(tmp_path):
    folder = write_run(tmp_path / "run", scores=draw_scans(2))
    (folder / "settings.json").write_text("{")
    with pytest.raises(DataError, match=r"settings\.json: is damaged, wanted JSON"):
        report(tmp_path, folder)


def test_no_run_is_a_fault_of_the_caller(tmp_path):
    with pytest.raises(ValueError, match="runs: none"):
        write_report([], tmp_path / "report.html")


def test_the_day_is_that_of_the_judging(tmp_path):
    folder = write_run(tmp_path / "run", scores=draw_scans(2))
    os.utime(folder / "evaluation" / "summary.json", (86400 * 10957 + 43200,) * 2)
    assert "Judged 2000-01-01." in Page(report(tmp_path, folder)).text


def test_times_are_written_as_people_say_them():
    assert [duration(seconds) for seconds in (0, 89, 90, 5340, 5400)] == [
        "0 s",
        "89 s",
        "2 min",
        "89 min",
        "1 h 30 min",
    ]
