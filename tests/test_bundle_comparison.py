"""Several bundles compared with a runner that trains nothing: tables, resuming, failures, and what is refused."""

import csv
import datetime
import json
import math

import numpy as np
import pytest
from PIL import Image

from monai_gi.bundle_comparison import compare_bundles, parse_budget, parse_bundles
from monai_gi.bundle_comparison.comparison import end_of_all
from monai_gi.bundle_comparison.steps import steps_of
from tests.drawn_comparison import Runner, request_for, words


def table(tmp_path):
    with (tmp_path / "out" / "table.csv").open() as file:
        return {row["bundle"]: row for row in csv.DictReader(file)}


def compared(request, runner):
    """What is printed."""
    return compare_bundles(request, runner).text


def forget_row(folder):
    """As a comparison leaves a bundle that was stopped or failed."""
    record = json.loads((folder / "comparison.json").read_text())
    (folder / "comparison.json").write_text(json.dumps({"asked": record["asked"]}))


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
        "macro_f1": "0.9",
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
    text = compared(request_for(tmp_path, "a bb ccc"), Runner({"a": 0.5, "bb": 0.8, "ccc": 0.6}))
    assert text.startswith((tmp_path / "out" / "table.md").read_text())
    lines = [line for line in text.splitlines() if line.startswith(("| a ", "| bb ", "| ccc "))]
    assert [line.split()[1] for line in lines[:3]] == ["bb", "ccc", "a"]
    numbers = (
        "0.800 [0.750, 0.850] | 0.800 | 0.810 | 0.820 | 10.0 | 11.0 | 12.0 | 1.000 | 2.50 | 5 | 0.02 | 1.50 | 7250 | 2"
    )
    assert lines[0] == f"| bb | {numbers} | random | done |"
    assert lines[3] == "| bb | 0.800 | 0.801 | 0.802 | 0.803 |"
    assert "2 epochs of training each" in text
    assert "fold 0 of data (2 case(s), 3 scan(s)); 5 folds where the data have none yet, seed 0, device cpu." in text
    assert "HD95 infinite (one mask of a scan empty), so not in its mean: bb 3, ccc 3, a 3" in text


def test_memory_of_the_graphics_card_is_shown_where_there_is_one(tmp_path):
    class Card(Runner):
        def cost(self):
            return {**super().cost(), "peak_gpu_bytes": 4_240_000_000}

    text = compared(request_for(tmp_path, "unet"), Card({"unet": 0.7}))
    assert "| 4.24 | 7250 |" in text


def test_pretrained_weights_are_named(tmp_path):
    runner = Runner({"unet": 0.7})
    runner.weights = "nvidia/mit-b0"
    assert "weights began as: unet: nvidia/mit-b0" in compared(request_for(tmp_path, "unet"), runner)
    assert table(tmp_path)["unet"]["weights"] == "pretrained"


def test_weights_that_could_not_be_had_are_random_and_say_so(tmp_path):
    runner = Runner({"unet": 0.7})
    runner.weights = "random (nvidia/mit-b0 could not be had: offline)"
    assert f"unet: {runner.weights}" in compared(request_for(tmp_path, "unet"), runner)
    assert table(tmp_path)["unet"]["weights"] == "random"


def test_a_failing_network_is_a_row_with_its_reason_and_the_rest_goes_on(tmp_path):
    runner = Runner({"a": 0.5, "b": 0.9}, {("a", "training"): "out | of memory"})
    text = compared(request_for(tmp_path, "a b"), runner)
    assert ("a", "evaluating") not in runner.ran
    assert ("b", "evaluating") in runner.ran
    rows = table(tmp_path)
    assert list(rows) == ["b", "a"]
    assert (rows["a"]["status"], rows["a"]["score"]) == ("failed training: out | of memory", "")
    assert rows["a"]["parameters"] == "2500000", "what was measured before stays"
    assert "| failed training: out / of memory |" in text
    assert "tries again what failed" in text


def test_scores_of_an_earlier_try_do_not_stand_in_a_failed_row(tmp_path):
    request = request_for(tmp_path, "a")
    compare_bundles(request, Runner({"a": 0.5}))
    forget_row(tmp_path / "out" / "a")
    compare_bundles(request, Runner({}, {("a", "training"): "x"}))
    assert table(tmp_path)["a"]["score"] == ""


def test_finished_bundles_are_not_done_again_and_failed_ones_are(tmp_path):
    request = request_for(tmp_path, "a b c")
    compare_bundles(request, Runner({"a": 0.5, "c": 0.6}, {("b", "measuring"): "size 96"}))
    before = table(tmp_path)["a"]
    again = Runner({"b": 0.9})
    text = compared(request, again)
    assert again.ran == [("b", "measuring"), ("b", "training"), ("b", "evaluating")]
    assert table(tmp_path)["a"] == before
    assert {row["status"] for row in table(tmp_path).values()} == {"done"}
    assert "tries again" not in text
    nothing = Runner({})
    assert compared(request, nothing) == text
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


def test_bundles_that_saw_other_slices_are_not_comparable(tmp_path):
    request = request_for(tmp_path, "a b")
    compare_bundles(request, Runner({"a": 0.5}, {("b", "training"): "x"}))
    other = Runner({"b": 0.6})
    other.data = "another hash"
    assert "NOT COMPARABLE" in compared(request, other)


def test_the_plot_shows_those_with_a_score(tmp_path):
    compare_bundles(request_for(tmp_path, "a b"), Runner({"a": 0.5}, {("b", "training"): "x"}))
    picture = np.asarray(Image.open(tmp_path / "out" / "cost.png"))
    assert picture.shape[2] == 3
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 20


def test_an_old_plot_does_not_outlive_its_scores(tmp_path):
    request = request_for(tmp_path, "a")
    compare_bundles(request, Runner({"a": 0.5}))
    forget_row(tmp_path / "out" / "a")
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

    assert "| a | 0.500 | 0.500 |" in compared(request_for(tmp_path, "a"), OneCase({"a": 0.5}))


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


def test_the_end_is_a_time_of_day_or_a_date():
    noon = datetime.datetime(2026, 3, 1, 12, 0)
    assert end_of_all(1800, noon) == "all done at about 12:30"
    assert end_of_all(86400, noon) == "all done about 2026-03-02 12:00"
    assert end_of_all(math.nan) == "the end is known after the first"


def test_one_failed_bundle_alone_names_no_table_of_scores_and_no_plot(tmp_path):
    text = compared(request_for(tmp_path, "a"), Runner({}, {("a", "measuring"): "x"}))
    assert text.startswith("# 1 bundle, ")
    assert "by variant" not in text
    assert "cost.png" not in text


def test_one_bundle_stands_in_several_rows_with_settings_of_its_own(tmp_path):
    request = request_for(tmp_path, "net wide=net", settings=(("wide", "network_def#width", "8"),))
    runner = Runner({"net": 0.5, "wide": 0.7})
    text = compared(request, runner)
    assert list(table(tmp_path)) == ["wide", "net"]
    assert {bundle for bundle, _ in runner.ran} == {"net", "wide"}
    assert "- wide: bundle net, network_def#width=8" in text
    assert "- net: " not in text
    plain, wide = (words(steps_of(request, name)[1]) for name in ("net", "wide"))
    assert plain["config_file"] == wide["config_file"] == str(tmp_path / "bundles" / "net" / "train.json")
    assert [said["output_dir"] for said in (plain, wide)] == [str(tmp_path / "out" / name) for name in ("net", "wide")]
    assert "network_def#width" not in plain
    assert wide["network_def#width"] == "8"


def test_names_of_rows_and_folders_of_bundles():
    assert parse_bundles("segformer,,b4=segformer") == {"segformer": "segformer", "b4": "segformer"}


@pytest.mark.parametrize(
    ("fails", "ok", "said"),
    [
        ((), True, None),
        (("a",), True, "1 of 2 failed: a"),
        (("a", "b"), False, "2 of 2 failed: a, b"),
    ],
)
def test_it_says_which_failed_and_is_not_well_where_all_did(tmp_path, fails, ok, said):
    runner = Runner({"a": 0.5, "b": 0.6}, {(name, "training"): "x" for name in fails})
    comparison = compare_bundles(request_for(tmp_path, "a b"), runner)
    assert comparison.ok == ok
    assert comparison.failed == fails
    last = comparison.text.splitlines()[-1]
    assert last == said if said else "of 2 failed" not in comparison.text


def test_a_row_of_an_earlier_version_gets_the_columns_that_it_lacks(tmp_path):
    request = request_for(tmp_path, "a")
    compare_bundles(request, Runner({"a": 0.5}))
    path = tmp_path / "out" / "a" / "comparison.json"
    record = json.loads(path.read_text())
    del record["row"]["macro_f1"]
    path.write_text(json.dumps(record))
    compare_bundles(request, Runner({}))
    assert table(tmp_path)["a"]["macro_f1"] == "0.7"
