"""The report of several runs: one table, differences on the same cases with their words, warnings, anchors apart."""

import json
import re

import pytest

from monai_gi.bundle_comparison import compare_bundles
from monai_gi.errors import DataError
from monai_gi.report import write_report
from tests.drawn_comparison import Runner, request_for
from tests.drawn_runs import draw_frames, draw_scans, draw_slides, write_run, write_settings
from tests.read_pages import Page, check_alone


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    root = tmp_path_factory.mktemp("runs")
    return [
        write_run(root / "good", scores=draw_scans(12, shift=0)),
        write_run(root / "pretrained", scores=draw_scans(12, shift=1), weights="nvidia/mit-b0"),
        write_run(root / "few", scores=draw_scans(8, shift=2), data="dead"),
    ]


@pytest.fixture(autouse=True)
def plain_charts(monkeypatch):
    """Charts have tests of their own and take most of the time; their words stand in the page all the same."""
    monkeypatch.setattr("monai_gi.report.page.as_svg", lambda chart: "<svg/>")


@pytest.fixture
def text(runs, tmp_path):
    return compare(tmp_path, *runs)


def compare(folder, *runs):
    return write_report(list(runs), folder / "report.html").read_text()


def test_the_page_stands_by_itself_with_every_run_on_it(text):
    page = check_alone(text)
    assert page.all("section", "id") == ["overview", "differences", "run1", "run2", "run3"]
    assert re.findall(r"<h2>(.*?)</h2>", text) == [
        "All runs",
        "Differences on the same cases",
        "good",
        "pretrained",
        "few",
    ]


def test_all_runs_stand_in_one_table(text):
    words = Page(text).text
    assert "run weights cases 3D Dice surface Dice HD95, mm Dice of slices contest, mle_bench" in words
    assert re.search(r"good random 6 0\.9\d\d", words)
    assert re.search(r"pretrained pretrained 6 0\.7\d\d", words)
    assert re.search(r"few random 4 0\.3\d\d", words)


def test_differences_are_each_against_the_first_with_their_words(text):
    words = Page(text).text
    # moved by a row more, of six in the bowels and of four in the stomach, which two of six cases lack
    assert "pretrained minus good 12 scans of 6 cases in both." in words
    assert re.search(r"3D Dice large bowel worse 0\.917 0\.750 -0\.167 \[-0\.167, -0\.167\] 6 0 of 6 0 0", words)
    assert "few minus good 8 scans of 4 cases in both; left out: 4 only in good, 0 only in few." in words
    assert re.search(r"3D Dice large bowel too few cases to tell 0\.917 0\.583 -0\.333", words)
    assert "pretrained minus few" not in words


def test_distances_say_which_side_is_better(text):
    shown = " ".join(Page(text).all("img", "alt"))
    assert "Difference of scores: 3D Dice -" in shown
    assert "Difference of HD95, mm: mean 1." in shown


def test_other_data_and_missing_scores_are_warned_of(text, runs, tmp_path):
    assert "trained on different data (their hashes differ)" in text
    write_settings(tmp_path / "unjudged")
    words = Page(compare(tmp_path, runs[0], runs[1], tmp_path / "unjudged")).text
    assert "Not judged: unjudged." in words
    assert "different data" not in words


def test_tolerances_that_differ_are_warned_of(runs, tmp_path):
    folder = write_run(tmp_path / "other", scores=draw_scans(4))
    summary = folder / "evaluation" / "summary.json"
    summary.write_text(summary.read_text().replace('"tolerance_mm": 3.0', '"tolerance_mm": 5.0'))
    assert "different tolerances" in compare(tmp_path, runs[0], folder)
    assert "different tolerances" not in compare(tmp_path, runs[0], runs[1])


def judged_on(folder, data):
    """Note the judged data, as the evaluation does."""
    (folder / "evaluation" / "settings.json").write_text(json.dumps({"data": {"validation": {"sha256": data}}}))
    return folder


def test_other_judged_data_is_warned_of(tmp_path):
    runs = [write_run(tmp_path / name, scores=draw_scans(4)) for name in ("one", "two")]
    assert "judged on different data" not in compare(tmp_path, *runs), "nothing is known"
    assert "judged on different data" not in compare(tmp_path, judged_on(runs[0], "beef"), judged_on(runs[1], "beef"))
    assert "judged on different data (their hashes differ)" in compare(tmp_path, runs[0], judged_on(runs[1], "f00d"))


def test_another_truth_of_the_same_scans_is_warned_of(tmp_path):
    runs = [write_run(tmp_path / name, scores=draw_scans(4, shift)) for shift, name in enumerate(("one", "two"))]
    assert "against different truths" not in compare(tmp_path, *runs)
    slices = runs[1] / "evaluation" / "slices.csv"
    head, first, rest = slices.read_text().split("\n", 2)
    changed = dict(zip(head.split(","), first.split(","), strict=True)) | {"truth_px": "7"}
    slices.write_text("\n".join((head, ",".join(changed.values()), rest)))
    assert "against different truths" in compare(tmp_path, *runs)


def test_slides_of_another_truth_are_warned_of(tmp_path):
    one, two, other = draw_slides(), draw_slides(), draw_slides()
    two[0].counts[1, [1, 2]] += (-5, 5)  # other pixels found, the same true ones
    other[0].counts[[1, 2], 1] += (-5, 5)
    names = ("one", "two", "other")
    runs = [write_run(tmp_path / name, scores=own) for name, own in zip(names, (one, two, other), strict=True)]
    assert "against different truths" not in compare(tmp_path, *runs[:2])
    assert "slides were judged against different truths or in another size" in compare(tmp_path, *runs)


def test_scans_that_one_run_alone_missed_are_counted_and_it_is_not_called_better(tmp_path):
    runs = [write_run(tmp_path / f"r{shift}", scores=draw_scans(12, shift)) for shift in (1, 2)]
    words = Page(compare(tmp_path, *runs)).text
    assert "better in r1 failed alone r2 failed alone" in words
    # of twelve scans four have a stomach, which the second run never finds; one it invents
    assert re.search(r"HD95, mm stomach nothing to compare – – – 0 0 of 0 0 5", words)
    assert "no run is called better that has some" in words


def test_runs_of_one_name_are_told_apart(tmp_path):
    runs = [write_run(tmp_path / name / "segformer", scores=draw_scans(2)) for name in ("a", "b")]
    assert re.findall(r"<h2>(.*?)</h2>", compare(tmp_path, *runs))[-2:] == ["a/segformer", "b/segformer"]
    again = [write_run(tmp_path / name / "a" / "segformer", scores=draw_scans(2)) for name in ("c", "d")]
    assert re.findall(r"<h2>(.*?)</h2>", compare(tmp_path, *again))[-2:] == ["a/segformer (1)", "a/segformer (2)"]


def test_runs_without_a_shared_case_are_not_compared(tmp_path):
    one, other = (
        write_run(tmp_path / "one", scores=draw_scans(2)),
        write_run(tmp_path / "two", scores=draw_scans(4)[2:]),
    )
    words = Page(compare(tmp_path, one, other)).text
    assert "0 scans of 0 cases in both; left out: 2 only in one, 2 only in two. Nothing can be compared." in words


def test_nothing_judged_is_said(tmp_path):
    for name in ("one", "two"):
        write_settings(tmp_path / name)
    words = Page(compare(tmp_path, tmp_path / "one", tmp_path / "two")).text
    assert "No run has been judged yet." in words
    assert "Differences" not in words


def test_frames_are_compared_by_sequence(tmp_path):
    runs = [write_run(tmp_path / f"r{shift}", scores=draw_frames(20, shift)) for shift in (0, 2)]
    words = Page(compare(tmp_path, *runs)).text
    assert "20 frames of 3 sequences in both." in words
    assert "Contest" not in words
    assert re.search(r"Dice polyp too few cases to tell", words)


def test_runs_of_different_kinds_are_refused(runs, tmp_path):
    frames = write_run(tmp_path / "polyps", scores=draw_frames(6))
    with pytest.raises(DataError, match=r"judge different things \(good slices, polyps frames\)"):
        compare(tmp_path, runs[0], frames)


def test_a_comparison_of_bundles_ends_with_a_report_of_those_that_were_judged(tmp_path, monkeypatch):
    asked = []

    def write(runs, output):
        asked.append([run.name for run in runs])
        output.write_text("page")

    monkeypatch.setattr("monai_gi.bundle_comparison.comparison.write_report", write)
    runner = Runner({"worse": 0.2, "better": 0.7}, fails={("failing", "training"): "no memory"})
    text = compare_bundles(request_for(tmp_path, "worse failing better"), runner).text
    assert asked == [["better", "worse"]], "the best first: the others are compared with it"
    assert "table.csv, cost.png, report.html and a folder a bundle" in text


def test_a_comparison_whose_scores_can_not_be_reported_says_why(tmp_path):
    text = compare_bundles(
        request_for(tmp_path, "one"), Runner({"one": 0.5})
    ).text  # leaves a summary without its tables
    assert "No report.html: " in text
    assert not (tmp_path / "out" / "report.html").exists()
