"""Every bundle trains an epoch, is judged and infers, by the command lines that a user types."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from monai_gi.datasets.phantom.uw_madison import write_uw_madison
from monai_gi.labels import ORGAN_NAMES
from monai_gi.network_digest import weights_digest
from tests import packable_bundle

ROOT = Path(__file__).parent.parent
BUNDLES = ROOT / "bundles"
SAME_CLASS_AS_SEGFORMER = ("upernet", "dpt", "beit")  # judged and inferred with by the same configs and code
JUDGED = [name for name in packable_bundle.SLICE_BUNDLES if name not in SAME_CLASS_AS_SEGFORMER]
SMALL = {
    "basic_unet": ["--network_def#features", "[8, 8, 8, 8, 8, 8]"],
    "segformer": [
        "--network_def#config",
        "{'hidden_sizes': [8, 16, 24, 32], 'num_attention_heads': [1, 1, 1, 1], 'decoder_hidden_size': 16}",
        "--init_weights",
        "",
    ],
    "swin_unetr": ["--network_def#feature_size", "12"],
    "unetpp": ["--network_def#features", "[8, 8, 8, 8, 8, 8]"],
    **{
        name: ["--network_def#config", repr(packable_bundle.SMALL[name]["config"]), "--init_weights", ""]
        for name in SAME_CLASS_AS_SEGFORMER
    },
}
SIZES = ["--roi_size", "[64, 96]"]


def environment(**more: str) -> dict[str, str]:
    """Of every run that a test starts: with other threads floating-point sums, and so weights, differ."""
    return {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", **more}


def monai_bundle(verb: str, config_file: Path | str, *words: str | Path, cwd: Path = ROOT, code: int = 0, **env: str):
    """Run `python -m monai.bundle run` and check its exit code; returns the finished process."""
    line = [sys.executable, "-m", "monai.bundle", "run", verb, "--config_file", config_file, *words]
    done = subprocess.run(
        list(map(str, line)), cwd=cwd, env=environment(**env), capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stdout[-3000:] + done.stderr[-5000:]
    return done


@pytest.fixture(scope="module")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data") / "phantom"
    write_uw_madison(root, cases=3, days=1, slices=6, seed=3, progress=False)
    return root


def places(phantom: Path, output: Path) -> list[str | Path]:
    return ["--dataset_dir", phantom, "--output_dir", output]


def train(name: str, phantom: Path, output: Path, *words: str | Path, **options):
    store = ["--cache_dir", phantom.parent / "store", "--batch_size", "4"]
    return monai_bundle(
        "training",
        f"bundles/{name}/train.json",
        *places(phantom, output),
        *SMALL[name],
        *SIZES,
        *store,
        *words,
        **options,
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", JUDGED)
def test_a_bundle_trains_is_judged_and_infers(name, phantom, tmp_path):
    network = SMALL[name][:2]  # the weights come from training
    train(name, phantom, tmp_path, "--max_epochs", "1")
    assert (tmp_path / "model.pt").stat().st_size > 1000
    monai_bundle("evaluating", f"bundles/{name}/evaluate.json", *places(phantom, tmp_path), *network, *SIZES)
    summary = json.loads((tmp_path / "evaluation" / "summary.json").read_text())
    assert set(ORGAN_NAMES) <= set(json.dumps(summary).replace('"', " ").split()), "each organ is named"
    assert summary["state_dict_sha256"] == weights_digest(torch.load(tmp_path / "model.pt", weights_only=True))
    assert "Learning curves" in (tmp_path / "evaluation" / "report.html").read_text()
    monai_bundle("inferring", f"bundles/{name}/inference.json", *places(phantom, tmp_path), *network, *SIZES)
    with (
        (tmp_path / "inference" / "submission.csv").open() as answered,
        (phantom / "sample_submission.csv").open() as asked,
    ):
        rows, wanted = list(csv.DictReader(answered)), list(csv.DictReader(asked))
    assert [(row["id"], row["class"]) for row in rows] == [(row["id"], row["class"]) for row in wanted]


@pytest.mark.slow
@pytest.mark.parametrize("name", SAME_CLASS_AS_SEGFORMER)
def test_a_bundle_trains_an_epoch(name, phantom, tmp_path):
    train(name, phantom, tmp_path, "--max_epochs", "1")
    weights = torch.load(tmp_path / "model.pt", weights_only=True)
    assert all(torch.isfinite(tensor).all() for tensor in weights.values())
    report = json.loads((tmp_path / "settings.json").read_text())
    assert report["network"]["init_weights"] == "random"


@pytest.mark.slow
def test_a_missing_data_set_ends_with_one_clear_message(tmp_path):
    done = monai_bundle("training", "bundles/segformer/train.json", "--dataset_dir", tmp_path / "absent", code=2)
    message = done.stderr[done.stderr.index("error:") :]
    for part in (
        str(tmp_path / "absent"),
        "kaggle competitions download",
        "monai-gi phantom uw-madison",
        "--dataset_dir",
    ):
        assert part in message
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_a_misspelt_setting_ends_with_exit_code_2():
    done = monai_bundle("training", "bundles/segformer/train.json", "--lerning_rate", "1", code=2)
    assert "Did you mean --learning_rate?" in done.stderr
    assert "Traceback" not in done.stderr
