"""The programs of a comparison: run, stopped, failed, measured; and one real comparison of two small networks."""

import json
import os
import sys
import time

import psutil
import pytest
import torch
from torch import nn

from monai_gi.bundle_comparison import ComparisonRequest, compare_bundles
from monai_gi.bundle_comparison.network_cost import BATCH, count_flops, seconds_per_slice, write_network_cost
from monai_gi.bundle_comparison.steps import Step, failure_reason, run_step, steps_of
from monai_gi.networks import UNetPlusPlus
from tests.drawn_comparison import request_for, words
from tests.test_bundles import ROOT, SMALL, phantom  # noqa: F401


def step_of(tmp_path, code):
    return Step("unet", "training", [sys.executable, "-c", code], tmp_path / "unet" / "training.log")


def test_a_step_that_ends_well_has_no_reason_and_a_log(tmp_path):
    step = step_of(tmp_path, "import sys; print('out'); print('err', file=sys.stderr)")
    assert run_step(step, lambda _: None) is None
    assert sorted(step.log.read_text().split()) == ["err", "out"]


def test_logs_of_several_sessions_follow_each_other(tmp_path):
    first, second = step_of(tmp_path, "print('error: first'); exit(2)"), step_of(tmp_path, "exit(3)")
    assert run_step(first, lambda _: None) == "first"
    assert run_step(second, lambda _: None) == "exit code 3", "the reason is not that of the session before"
    assert "first" in first.log.read_text()


def test_the_last_line_is_told_while_a_step_runs(tmp_path):
    lines = []
    code = "import time; print('loading\\repoch 1', flush=True); time.sleep(2.5)"
    run_step(step_of(tmp_path, code), lines.append)
    assert "epoch 1" in lines


@pytest.mark.parametrize(
    ("code", "log", "reason"),
    [
        (0, "whatever", None),
        (2, "a line\nerror: data: no such folder\nlast\n", "data: no such folder"),
        (1, "Traceback\n  File x\ntorch.OutOfMemoryError: CUDA\n\n", "torch.OutOfMemoryError: CUDA"),
        (1, "", "exit code 1"),
        (-9, "x", "ended by SIGKILL: out of memory?"),
        (-15, "x", "ended by SIGTERM"),
        (1, "y" * 500, "y" * 200),
    ],
)
def test_reasons(tmp_path, code, log, reason):
    path = tmp_path / "log"
    path.write_text(log)
    assert failure_reason(code, path) == reason


@pytest.mark.parametrize("listens", [True, False])
def test_ctrl_c_ends_the_program_too(tmp_path, monkeypatch, listens):
    monkeypatch.setattr("monai_gi.bundle_comparison.steps.PATIENCE_S", 0.5)
    deaf = "" if listens else "signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    code = f"import os, signal, time; {deaf}print(os.getpid(), flush=True); time.sleep(60)"

    def stop(line):
        if line:
            raise KeyboardInterrupt

    step = step_of(tmp_path, code)
    with pytest.raises(KeyboardInterrupt):
        run_step(step, stop)
    assert not psutil.pid_exists(int(step.log.read_text()))


def test_flops_of_a_convolution_by_hand():
    network = nn.Conv2d(3, 4, 3, padding=1, bias=False)
    assert count_flops(network, (3, 6, 10)) == 2 * (3 * 3 * 3) * 4 * (6 * 10)


def test_flops_of_attention_by_hand():
    class Attention(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(1))

        def forward(self, image):
            tokens = image.flatten(2)[:, None]  # (B, 1 head, K tokens, H * W features): the fused kernel's layout
            return nn.functional.scaled_dot_product_attention(tokens * self.scale, tokens, tokens)

    tokens, features = 5, 6 * 10
    assert count_flops(Attention(), (tokens, 6, 10)) == 2 * (2 * tokens * tokens * features)


def test_flops_are_those_of_one_slice_in_evaluation():
    network = UNetPlusPlus(features=(4, 4, 4, 4, 4, 4))
    one = count_flops(network, (3, 32, 48))
    assert not network.training
    assert count_flops(network, (3, 64, 48)) == 2 * one


def test_seconds_are_the_median_pass_of_a_batch(monkeypatch):
    class Counting(nn.Conv2d):
        batches = ()

        def forward(self, image):
            self.batches += (len(image),)
            return super().forward(image)

    network, ticks = Counting(3, 2, 1), iter([0, 100, 200, 201, 300, 303, 400, 402])
    monkeypatch.setattr(time, "perf_counter", lambda: next(ticks))
    assert seconds_per_slice(network, (3, 6, 10)) == pytest.approx(3 / BATCH), "median of 100, 1 and 3"
    assert network.batches == (BATCH,) * 4, "the first one does not count"


def test_what_a_network_costs_is_written(tmp_path):
    write_network_cost(nn.Conv2d(3, 4, 3, padding=1), (3, 6, 10), tmp_path / "cost.json", amp="bf16")
    cost = json.loads((tmp_path / "cost.json").read_text())
    assert cost["s_per_slice"] > 0
    assert (cost["parameters"], cost["gflops"]) == (112, 2 * 27 * 4 * 60 / 1e9)
    assert (cost["slice_shape"], cost["device"]) == ([3, 6, 10], "cpu")


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


@pytest.mark.slow
def test_a_small_network_and_one_that_can_not_be_built(phantom, tmp_path, monkeypatch):  # noqa: F811
    """By the clock, through MONAI's command line, in processes of their own."""
    monkeypatch.chdir(ROOT)
    widths = SMALL["basic_unet"][1]
    settings = [("basic_unet", "network_def#features", widths), ("unetpp", "network_def#features", "[8, 8]")]
    everywhere = {"roi_size": "[64, 96]", "batch_size": "4", "cache_dir": os.fspath(phantom.parent / "store")}
    request = ComparisonRequest(
        bundles={"unetpp": "unetpp", "basic_unet": "basic_unet"},
        dataset_dir=phantom,
        budget="1s",
        output=tmp_path,
        folds=3,
        settings=(*settings, *((None, key, value) for key, value in everywhere.items())),
    )
    text = compare_bundles(request).text
    record, failed = (
        json.loads((tmp_path / name / "comparison.json").read_text()) for name in ("basic_unet", "unetpp")
    )
    row = record["row"]
    assert row["status"] == "done"
    assert 0 <= row["score"] <= 1
    assert row["gflops"] == pytest.approx(0.042682368), "its convolutions at 64 x 96"
    assert row["steps"] >= 1
    assert row["train_seconds"] >= 1
    assert row["ms_to_first_epoch"] > 500
    assert row["data"]
    assert (tmp_path / "basic_unet" / "model.pt").exists()
    assert "row" not in failed
    assert "| failed measuring: " in text
    assert (tmp_path / "cost.png").stat().st_size > 1000
