"""Several bundles compared with a runner that trains nothing: tables, resuming, failures, and what is refused."""

import csv
import datetime
import json
import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from monai_gi.bundle_comparison import compare_bundles, parse_budget
from monai_gi.bundle_comparison.comparison import end_of_all
from monai_gi.bundle_comparison.steps import steps_of
from monai_gi.errors import DataError, DataErrors
from tests.drawn_comparison import Runner, request_for, write_bundle


def table(tmp_path):
    with (tmp_path / "out" / "table.csv").open() as file:
        return {row["bundle"]: row for row in csv.DictReader(file)}


def words(step):
    """The settings on a step's command line."""
    return dict(word.removeprefix("--").split("=", 1) for word in step.command if word.startswith("--"))


def test_each_number_stands_in_its_column(tmp_path):
    compare_bundles(request_for(tmp_path, "unet"), Runner({"unet": 0.7}))
    row = table(tmp_path)["unet"]
    expected = {
        "status": "done",
        "score": "0.7",
        "score_low": "0.65",
        "score_high": "0.75",
        "contest_mle_bench": "0.7",
        "contest_dice_empty_1": "0.701",
        "contest_dice_empty_0": "0.702",
        "contest_first_place": "0.703",
        "dice_large_bowel": "0.7",
        "dice_small_bowel": "0.71",
        "dice_stomach": "0.72",
        "dice_mean": "0.71",
        "hd95_mm_large_bowel": "10",
        "hd95_mm_small_bowel": "11",
        "hd95_mm_stomach": "12",
        "hd95_mm_mean": "",
        "hd95_infinite": "3",
        "scans": "3",
        "cases": "2",
        "parameters": "2500000",
        "gflops": "7",
        "s_per_slice": "0.02",
        "device": "cpu",
        "peak_memory_mb": "1500",
        "peak_gpu_mb": "0",
        "ms_to_first_epoch": "7250",
        "train_s_per_slice": "0.25",
        "train_seconds": "61.5",
        "epochs": "2",
        "steps": "9",
        "slices": "240",
        "weights": "random",
        "init_weights": "random",
        "data": "abc",
    }
    assert {key: row[key] for key in expected} == expected


def test_the_table_that_is_read_puts_the_best_first(tmp_path):
    text = compare_bundles(request_for(tmp_path, "a bb ccc"), Runner({"a": 0.5, "bb": 0.8, "ccc": 0.6}))
    assert text.startswith((tmp_path / "out" / "table.md").read_text())
    lines = [line for line in text.splitlines() if line.startswith(("| a ", "| bb ", "| ccc "))]
    assert [line.split()[1] for line in lines[:3]] == ["bb", "ccc", "a"]
    numbers = "0.800 [0.750, 0.850] | 0.800 | 0.810 | 0.820 | 10.0 | 11.0 | 12.0 | 2.50 | 5 | 0.02 | 1.50 | 7250 | 2"
    assert lines[0] == f"| bb | {numbers} | random | done |"
    assert lines[3] == "| bb | 0.800 | 0.801 | 0.802 | 0.803 |"
    assert "2 epochs of training each" in text
    assert "fold 0 of data (2 case(s), 3 scan(s)); 5 folds where the data have none yet, seed 0, device cpu." in text
    assert "HD95 infinite (one mask of a scan empty), so not in its mean: bb 3, ccc 3, a 3" in text


def test_memory_of_the_graphics_card_is_shown_where_there_is_one(tmp_path):
    class Card(Runner):
        def cost(self):
            return {**super().cost(), "peak_gpu_bytes": 4_240_000_000}

    text = compare_bundles(request_for(tmp_path, "unet"), Card({"unet": 0.7}))
    assert "| 4.24 | 7250 |" in text


def test_pretrained_weights_are_named(tmp_path):
    runner = Runner({"unet": 0.7})
    runner.weights = "nvidia/mit-b0"
    assert "weights began as: unet: nvidia/mit-b0" in compare_bundles(request_for(tmp_path, "unet"), runner)
    assert table(tmp_path)["unet"]["weights"] == "pretrained"


def test_weights_that_could_not_be_had_are_random_and_say_so(tmp_path):
    runner = Runner({"unet": 0.7})
    runner.weights = "random (nvidia/mit-b0 could not be had: offline)"
    assert f"unet: {runner.weights}" in compare_bundles(request_for(tmp_path, "unet"), runner)
    assert table(tmp_path)["unet"]["weights"] == "random"


def test_a_failing_network_is_a_row_with_its_reason_and_the_rest_goes_on(tmp_path):
    runner = Runner({"a": 0.5, "b": 0.9}, {("a", "training"): "out | of memory"})
    text = compare_bundles(request_for(tmp_path, "a b"), runner)
    assert ("a", "evaluating") not in runner.ran
    assert ("b", "evaluating") in runner.ran
    rows = table(tmp_path)
    assert list(rows) == ["b", "a"]
    assert (rows["a"]["status"], rows["a"]["score"]) == ("failed training: out | of memory", "")
    assert rows["a"]["parameters"] == "2500000", "what was measured before stays"
    assert "| failed training: out / of memory |" in text
    assert "tries again what failed" in text


def test_scores_of_an_earlier_run_do_not_stand_in_a_failed_row(tmp_path):
    request = request_for(tmp_path, "a")
    compare_bundles(request, Runner({"a": 0.5}))
    (tmp_path / "out" / "a" / "comparison.json").unlink()
    compare_bundles(request, Runner({}, {("a", "training"): "x"}))
    assert table(tmp_path)["a"]["score"] == ""


def test_finished_bundles_are_not_done_again_and_failed_ones_are(tmp_path):
    request = request_for(tmp_path, "a b c")
    compare_bundles(request, Runner({"a": 0.5, "c": 0.6}, {("b", "measuring"): "size 96"}))
    before = table(tmp_path)["a"]
    again = Runner({"b": 0.9})
    text = compare_bundles(request, again)
    assert again.ran == [("b", "measuring"), ("b", "training"), ("b", "evaluating")]
    assert table(tmp_path)["a"] == before
    assert {row["status"] for row in table(tmp_path).values()} == {"done"}
    assert "tries again" not in text
    nothing = Runner({})
    assert compare_bundles(request, nothing) == text
    assert nothing.ran == []


def test_a_stopped_comparison_goes_on_at_the_bundle_it_was_stopped_in(tmp_path):
    request = request_for(tmp_path, "a b")

    class Stopped(Runner):
        def __call__(self, step, tell):
            if step.bundle == "b":
                raise KeyboardInterrupt
            return super().__call__(step, tell)

    with pytest.raises(KeyboardInterrupt):
        compare_bundles(request, Stopped({"a": 0.5}))
    assert list(table(tmp_path)) == ["a"]
    runner = Runner({"b": 0.5})
    compare_bundles(request, runner)
    assert {bundle for bundle, _ in runner.ran} == {"b"}


def test_a_bundle_may_be_added_later(tmp_path):
    compare_bundles(request_for(tmp_path, "a"), Runner({"a": 0.5}))
    runner = Runner({"b": 0.6})
    compare_bundles(request_for(tmp_path, "a b"), runner)
    assert {bundle for bundle, _ in runner.ran} == {"b"}
    assert list(table(tmp_path)) == ["b", "a"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"budget": "3epochs"}, r"budget was .*'epochs': 2.*is .*'epochs': 3}"),
        ({"fold": 1}, "fold was 0, is 1"),
        ({"folds": 4}, "folds was 5, is 4"),
        ({"seed": 7}, "seed was 0, is 7"),
        ({"device": "cpu"}, "device was auto, is cpu"),
        ({"settings": ((None, "batch_size", "3"),)}, "settings was {}, is {'batch_size': '3'}"),
    ],
)
def test_numbers_of_another_comparison_are_not_taken_over(tmp_path, change, said):
    compare_bundles(request_for(tmp_path, "a"), Runner({"a": 0.5}))
    with pytest.raises(DataError, match=f"holds another comparison: {said}. Ask as before, or choose another --output"):
        compare_bundles(request_for(tmp_path, "a", **change), Runner({"a": 0.5}))


def test_numbers_of_a_bundle_that_was_edited_since_are_not_taken_over(tmp_path):
    request = request_for(tmp_path, "a")
    compare_bundles(request, Runner({"a": 0.5}))
    config = tmp_path / "bundles" / "a" / "train.json"
    config.write_text(config.read_text().replace("0.1", "0.2"))
    assert "holds another comparison: configs was" in str(refused(request))


def test_a_damaged_record_is_named(tmp_path):
    (tmp_path / "out" / "a").mkdir(parents=True)
    (tmp_path / "out" / "a" / "comparison.json").write_text("{")
    with pytest.raises(DataError, match=r"comparison\.json: is damaged; take this folder away"):
        compare_bundles(request_for(tmp_path, "a"), Runner({}))


def test_bundles_that_saw_other_slices_are_not_comparable(tmp_path):
    request = request_for(tmp_path, "a b")
    compare_bundles(request, Runner({"a": 0.5}, {("b", "training"): "x"}))
    other = Runner({"b": 0.6})
    other.data = "another hash"
    assert "NOT COMPARABLE" in compare_bundles(request, other)


def test_same_folds_seed_and_budget_on_every_command_line(tmp_path):
    request = request_for(tmp_path, "a b", budget="90s", fold=2, folds=4, seed=9, device="cuda:1")
    measuring, training, evaluating = steps_of(request, "a")
    for step in (measuring, training, evaluating):
        said = words(step)
        assert (said["folds"], said["fold"], said["seed"], said["device"]) == ("4", "2", "9", "cuda:1")
        assert (said["dataset_dir"], said["output_dir"]) == (str(tmp_path / "data"), str(tmp_path / "out" / "a"))
    assert words(training)["max_minutes"] == "1.5"
    assert words(training)["resume"] == "True"
    assert words(training)["config_file"] == str(tmp_path / "bundles" / "a" / "train.json")
    assert words(evaluating)["config_file"] == str(tmp_path / "bundles" / "a" / "evaluate.json")
    assert str(tmp_path / "bundles" / "a" / "evaluate.json") in words(measuring)["config_file"]
    assert training.command[1:5] == ["-m", "monai.bundle", "run", "training"]


def test_epochs_are_epochs_validated_once(tmp_path):
    said = words(steps_of(request_for(tmp_path, "a", budget="6epochs"), "a")[1])
    assert (said["max_epochs"], said["val_interval"]) == ("6", "6")
    assert "max_minutes" not in said


def test_the_device_is_left_to_the_bundle(tmp_path):
    assert all("device" not in words(step) for step in steps_of(request_for(tmp_path, "a"), "a"))


def test_settings_go_where_they_are_known_and_one_for_a_bundle_wins(tmp_path):
    settings = (
        ("a", "network_def#width", "8"),
        (None, "network_def::width", "6"),
        (None, "learning_rate", "0.5"),
        (None, "network_def#depth", "3"),
        (None, "validate#inferer#x", "1"),
        (None, "thresholds", "0.4"),
    )
    request = request_for(tmp_path, "a b", settings=settings)
    measuring, training, evaluating = (words(step) for step in steps_of(request, "a"))
    for said in (measuring, evaluating):
        assert (said["network_def#width"], said["network_def#depth"]) == ("8", "3")
        assert "learning_rate" not in said
        assert (said["validate#inferer#x"], said["thresholds"]) == ("1", "0.4")
    assert (training["learning_rate"], training["validate#inferer#x"]) == ("0.5", "1")
    assert "thresholds" not in training
    assert words(steps_of(request, "b")[1])["network_def#width"] == "6"


def test_the_plot_shows_those_with_a_score(tmp_path):
    compare_bundles(request_for(tmp_path, "a b"), Runner({"a": 0.5}, {("b", "training"): "x"}))
    picture = np.asarray(Image.open(tmp_path / "out" / "cost.png"))
    assert picture.shape[2] == 3
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 20


def test_an_old_plot_does_not_outlive_its_scores(tmp_path):
    request = request_for(tmp_path, "a")
    compare_bundles(request, Runner({"a": 0.5}))
    (tmp_path / "out" / "a" / "comparison.json").unlink()
    compare_bundles(request, Runner({}, {("a", "measuring"): "x"}))
    assert not (tmp_path / "out" / "cost.png").exists()


def test_one_case_has_no_interval(tmp_path):
    class OneCase(Runner):
        def __call__(self, step, tell):
            failed = super().__call__(step, tell)
            if step.name == "evaluating":
                path = step.log.parent / "evaluation" / "summary.json"
                summary = json.loads(path.read_text())
                summary["contest_score"]["mle_bench"]["interval_95"] = None
                path.write_text(json.dumps(summary))
            return failed

    assert "| a | 0.500 | 0.500 |" in compare_bundles(request_for(tmp_path, "a"), OneCase({"a": 0.5}))


@pytest.mark.parametrize(
    ("text", "minutes", "epochs"),
    [("90s", 1.5, None), ("10m", 10, None), ("10 min", 10, None), ("1.5h", 90, None), ("1epoch", None, 1)],
)
def test_budgets(text, minutes, epochs):
    assert parse_budget(text) == (minutes, epochs)


@pytest.mark.parametrize("text", ["", "10", "m", "0s", "-3m", "1.5epochs", "10 weeks", "0epochs"])
def test_what_is_no_budget_is_refused(text):
    with pytest.raises(ValueError, match=r"budget: .*, wanted a time or whole epochs above 0, such as 90s, 10m"):
        parse_budget(text)


def refused(request):
    runner = Runner({})
    with pytest.raises((DataError, ValueError)) as caught:
        compare_bundles(request, runner)
    assert runner.ran == []
    return caught.value


def test_no_bundle_and_one_twice_are_refused(tmp_path):
    assert "bundles: none, wanted names of folders" in str(refused(request_for(tmp_path, "")))
    assert "bundles: a more than once; each is trained once" in str(refused(request_for(tmp_path, "a b a")))


def test_all_faults_are_told_before_anything_is_trained(tmp_path):
    request = request_for(tmp_path, "segformer", settings=(("unet", "batch_size", "3"),))
    write_bundle(tmp_path / "bundles" / "polyps", input="frames")
    write_bundle(tmp_path / "bundles" / "broken")
    (tmp_path / "bundles" / "broken" / "evaluate.json").write_text("{")
    (tmp_path / "bundles" / "half").mkdir()
    (tmp_path / "bundles" / "half" / "train.json").write_text("{}")
    names = ("segformer", "segfromer", "qqq", "polyps", "broken", "half")
    fault = refused(type(request)(**{**vars(request), "bundles": names, "dataset_dir": Path("absent")}))
    assert isinstance(fault, DataErrors)
    said = str(fault)
    for part in (
        "segfromer: no such bundle; did you mean segformer?",
        "qqq: no such bundle; there are broken, half, polyps, segformer.",
        "polyps: is a bundle for frames; only those for scans are compared",
        "evaluate.json: not JSON",
        "evaluate.json: no such file; a bundle is a folder with train.json and evaluate.json",
        "--set unet:batch_size: unet is not compared here; there are segformer, ",
        "absent: no such folder; give the data set's folder with --dataset_dir",
    ):
        assert part in said


def test_the_end_is_a_time_of_day_or_a_date():
    noon = datetime.datetime(2026, 3, 1, 12, 0)
    assert end_of_all(1800, noon) == "all done at about 12:30"
    assert end_of_all(86400, noon) == "all done about 2026-03-02 12:00"
    assert end_of_all(math.nan) == "the end is known after the first"


def test_a_setting_that_no_config_knows_is_told_before_anything_is_trained(tmp_path):
    request = request_for(tmp_path, "a b", settings=((None, "lerning_rate", "1"), ("b", "thresholds", "0.3")))
    said = str(refused(request))
    assert said.startswith("compare-bundles: 2 problems:")
    assert "--set lerning_rate: a has no setting --lerning_rate. Did you mean --learning_rate?" in said
    assert "--set lerning_rate: b has" in said


@pytest.mark.parametrize("name", [".", "..", "a/", "../bundles/a", "/tmp"])
def test_a_path_is_no_name_of_a_bundle_as_its_run_would_lie_elsewhere(tmp_path, name):
    request = request_for(tmp_path, "a")
    fault = refused(type(request)(**{**vars(request), "bundles": (name,)}))
    assert str(fault) == f"--bundles {name}: is no name of a folder; wanted one in bundles/, such as segformer"


def test_a_folder_without_bundles_and_an_output_that_is_a_file_are_told(tmp_path):
    request = request_for(tmp_path, "a")
    elsewhere = refused(type(request)(**{**vars(request), "source_dir": tmp_path / "elsewhere"}))
    assert f"there is none in {tmp_path / 'elsewhere'}. Run this in the folder that holds them" in str(elsewhere)
    (tmp_path / "out").write_text("")
    assert "out is a file, wanted a folder for results" in str(refused(request))


def test_one_failed_bundle_alone_names_no_table_of_scores_and_no_plot(tmp_path):
    text = compare_bundles(request_for(tmp_path, "a"), Runner({}, {("a", "measuring"): "x"}))
    assert text.startswith("# 1 bundle, ")
    assert "by variant" not in text
    assert "cost.png" not in text
