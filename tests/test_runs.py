"""Whole runs: killed and resumed, in two processes, from another folder, on real slices."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from tests.test_bundles import (
    BUNDLES,
    ROOT,
    SIZES,
    SMALL,
    environment,
    monai_bundle,
    phantom,  # noqa: F401
    places,
    train,
)

pytestmark = pytest.mark.slow


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return torch.load(folder / "resume.pt", weights_only=True)["objects"]["network"]


def assert_equal_weights(first: Path, second: Path) -> None:
    one, other = weights(first), weights(second)
    assert one.keys() == other.keys()
    assert [name for name in one if not torch.equal(one[name], other[name])] == []


def start(name: str, *words: str | Path) -> subprocess.Popen:
    line = [
        sys.executable,
        "-m",
        "monai.bundle",
        "run",
        "training",
        "--config_file",
        f"bundles/{name}/train.json",
        *words,
    ]
    return subprocess.Popen(
        list(map(str, line)),
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def test_a_killed_run_resumes_to_the_same_weights_bit_for_bit(phantom, tmp_path):  # noqa: F811
    """Killed without warning as soon as the first epoch is kept, wherever the second then is."""
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    train("segformer", phantom, whole, "--max_epochs", "3")
    words = [*places(phantom, killed), *SMALL["segformer"], *SIZES, "--max_epochs", "3"]
    words += ["--cache_dir", phantom.parent / "store", "--batch_size", "4"]
    process = start("segformer", *words)
    deadline = time.monotonic() + 240
    while not (killed / "resume.pt").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert torch.load(killed / "resume.pt", weights_only=True)["epoch"] < 3
    train("segformer", phantom, killed, "--max_epochs", "3", "--resume", "True")
    assert_equal_weights(whole, killed)
    for name, tensor in torch.load(whole / "model.pt", weights_only=True).items():
        assert torch.equal(tensor, torch.load(killed / "model.pt", weights_only=True)[name]), "the best weights too"


def test_a_run_is_not_started_over_another(phantom, tmp_path):  # noqa: F811
    train("segformer", phantom, tmp_path, "--max_epochs", "1")
    done = train("segformer", phantom, tmp_path, "--max_epochs", "1", code=2)
    assert "--resume True" in done.stderr
    assert "Traceback" not in done.stderr


def test_two_processes_validate_as_one(phantom, tmp_path):  # noqa: F811
    """The same weights, judged by one process and by two that share the scans."""
    train("segformer", phantom, tmp_path, "--max_epochs", "1")
    network = SMALL["segformer"][:2]
    words = [*places(phantom, tmp_path), *network, *SIZES, "--folds", "2"]
    config = "bundles/segformer/evaluate.json"
    monai_bundle("evaluating", config, *words, "--evaluation_dir", tmp_path / "one")
    torchrun("evaluating", config, *words, "--evaluation_dir", tmp_path / "two")
    one, two = (json.loads((tmp_path / run / "summary.json").read_text()) for run in ("one", "two"))
    assert_close(one, two)


def test_two_processes_train(phantom, tmp_path):  # noqa: F811
    words = [*places(phantom, tmp_path), *SMALL["segformer"], *SIZES, "--folds", "2", "--max_epochs", "1"]
    torchrun("training", "bundles/segformer/train.json", *words, "--cache_dir", phantom.parent / "store")
    assert not any(name.startswith("module.") for name in torch.load(tmp_path / "model.pt", weights_only=True))


def torchrun(verb: str, config_file: str, *words: str | Path) -> None:
    line = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    line += ["-m", "monai.bundle", "run", verb, "--config_file", config_file, *map(str, words)]
    done = subprocess.run(line, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr[-5000:]


def assert_close(one: object, other: object, where: str = "summary") -> None:
    if isinstance(one, dict):
        assert one.keys() == other.keys(), where
        for key in one:
            assert_close(one[key], other[key], f"{where}.{key}")
    elif isinstance(one, list):
        assert len(one) == len(other), where
        for index, (first, second) in enumerate(zip(one, other, strict=True)):
            assert_close(first, second, f"{where}[{index}]")
    elif isinstance(one, float):
        assert one == pytest.approx(other, abs=1e-6), where
    else:
        assert one == other, where


def test_a_bundle_runs_from_another_folder(phantom, tmp_path):  # noqa: F811
    words = [*places(phantom, tmp_path / "run"), *SMALL["basic_unet"], *SIZES, "--max_epochs", "1"]
    monai_bundle("training", BUNDLES / "basic_unet" / "train.json", *words, cwd=tmp_path)
    assert (tmp_path / "run" / "model.pt").exists()


def test_real_slices_train_and_a_real_scan_is_judged(real_data, tmp_path):
    data = real_data / "uw_madison"
    words = ["--dataset_dir", data, "--output_dir", tmp_path, *SMALL["segformer"], "--cache_dir", tmp_path / "store"]
    size = ["--roi_size", "[160, 192]"]
    datalist = tmp_path / "datalist.json"
    hold_out(data, datalist, "case102")
    train_words = ["--datalist", datalist, "--max_epochs", "1", "--batch_size", "6"]
    monai_bundle("training", "bundles/segformer/train.json", *words, *size, *train_words)
    judge_words = ["--dataset_dir", data, "--output_dir", tmp_path, *SMALL["segformer"][:2], "--datalist", datalist]
    monai_bundle("evaluating", "bundles/segformer/evaluate.json", *judge_words, *size)
    scans = (tmp_path / "evaluation" / "scans.csv").read_text()
    assert "case102_day0" in scans
    monai_bundle(
        "inferring",
        "bundles/segformer/inference.json",
        *judge_words[2:-2],
        *size,
        "--input_dir",
        data / "train" / "case102",
    )
    assert len(list((tmp_path / "inference").rglob("case102_day0*.nii.gz"))) == 4


def hold_out(data: Path, datalist: Path, case: str) -> None:
    """A datalist of two folds, fold 0 being one case."""
    from monai_gi.datasets.datalist import write_datalist
    from monai_gi.datasets.uw_madison import index_uw_madison

    items = [{**item, "fold": int(item["group"] != case)} for item in index_uw_madison(data)]
    write_datalist(datalist, items, data)
