"""A packed bundle trains where this package is installed: by itself, in MONAI Label, in a federation."""

import json
import os
import subprocess
import sys

import nibabel as nib
import numpy as np
import pytest

from monai_gi.datasets.phantom.uw_madison import write_uw_madison
from monai_gi.labels import ORGAN_NAMES
from monai_gi.sharing.pack import pack
from tests.packable_bundle import ROOT, eager_network, small_bundle, unpacked


@pytest.fixture
def root(tmp_path):
    """A packed bundle that somebody unpacked."""
    bundle, weights = small_bundle(tmp_path, "basic_unet")
    return unpacked(pack(bundle, weights, tmp_path / "basic_unet.zip"), tmp_path / "elsewhere")


@pytest.fixture
def phantom(tmp_path):
    write_uw_madison(tmp_path / "phantom", cases=3, days=1, slices=6, seed=3, progress=False)
    return tmp_path / "phantom"


def with_package(*line, cwd, **env):
    """Run Python with this package, elsewhere than in its repository."""
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), **env}
    line = [sys.executable, *map(str, line)]
    done = subprocess.run(line, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-5000:]
    return done.stdout + done.stderr


@pytest.mark.slow
def test_it_trains_again_and_again_and_is_judged(root, phantom, tmp_path):
    received = (root / "models" / "model.pt").read_bytes()
    places = ("--dataset_dir", phantom, "--bundle_root", ".", "--cache_dir", tmp_path / "store")
    line = ("-m", "monai.bundle", "run", "--config_file")
    sizes = ("--max_epochs", "1", "--batch_size", "4")
    with_package(*line, "configs/train.json", *places, *sizes, cwd=root)
    with_package(*line, "configs/train.json", *places, *sizes, cwd=root)  # MONAI Label trains again and again
    assert (root / "models" / "model.pt").read_bytes() != received
    with_package(*line, "configs/evaluate.json", *places, cwd=root)
    summary = json.loads((root / "models" / "evaluation" / "summary.json").read_text())
    assert set(summary["organs"]) == set(ORGAN_NAMES)


FEDERATED = """
import json, sys
from pathlib import Path
import torch
from monai.fl.client import MonaiAlgo
from monai.fl.utils.constants import ExtraItems
from monai.fl.utils.exchange_object import ExchangeObject

if __name__ == "__main__":
    root, data = sys.argv[1:]
    places = {"dataset_dir": data, "cache_dir": data + "-store", "batch_size": 4}
    algo = MonaiAlgo(bundle_root=root, local_epochs=1, train_kwargs=dict(places), eval_kwargs=dict(places))
    algo.initialize(extra={ExtraItems.CLIENT_NAME: "site", ExtraItems.APP_ROOT: root})
    weights = torch.load(Path(root, "models", "model.pt"), weights_only=True)
    algo.train(data=ExchangeObject(weights=dict(weights)), extra={})
    trained = algo.get_weights()
    judged = algo.evaluate(data=ExchangeObject(weights=dict(weights)), extra={})
    algo.finalize()
    print("ANSWER" + json.dumps([len(trained.weights), {k: float(v) for k, v in judged.metrics.items()}]))
"""


@pytest.mark.slow
def test_it_takes_part_in_federated_training(root, phantom, tmp_path):
    script = tmp_path / "federated.py"
    script.write_text(FEDERATED)
    said = with_package(script, root, phantom, cwd=tmp_path)
    count, metrics = json.loads(said.partition("ANSWER")[2].splitlines()[0])
    assert count == len(eager_network(root / "configs" / "inference.json").state_dict())
    assert "val_scan_dice" in metrics


LABEL = """
import json, sys
from pathlib import Path
import monai.bundle
from monai.bundle import ConfigParser

if __name__ == "__main__":
    root, items = Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text())
    config_file = str(root / "configs" / "train.json")
    config = ConfigParser()
    config.read_config(config_file)
    handlers = config.get("train#handlers", [])
    handlers.insert(0, {
        "_target_": "CheckpointLoader",
        "load_path": str(root / "models" / "model.pt"),
        "load_dict": {"model": "$@network"},
        "strict": False,
    })
    monai.bundle.run(
        run_id="run", init_id=None, final_id=None, meta_file=str(root / "configs" / "metadata.json"),
        config_file=config_file, bundle_root=str(root), device="cpu", **{
            "train#trainer#max_epochs": 1, "train#dataset#data": items[:2], "train#handlers": handlers,
            "validate#dataset#data": items[2:],
        },
    )
"""


@pytest.mark.slow
def test_monai_label_trains_it_on_a_plain_list_of_files(root, tmp_path):
    items = [labelled_volume(tmp_path / f"volume{i}", seed=i) for i in range(3)]
    (tmp_path / "items.json").write_text(json.dumps(items))
    (tmp_path / "label.py").write_text(LABEL)
    received = (root / "models" / "model.pt").read_bytes()
    said = with_package(tmp_path / "label.py", root, tmp_path / "items.json", cwd=tmp_path, HOME=str(tmp_path))
    assert "val_scan_dice" in said
    assert (root / "models" / "model.pt").read_bytes() != received


def labelled_volume(folder, seed):
    """A volume whose organs are bright blocks, and its label map."""
    folder.mkdir()
    random = np.random.default_rng(seed)
    labels = np.zeros((60, 84, 5), dtype=np.uint8)
    for organ in (1, 2, 3):
        labels[8 + 12 * organ : 18 + 12 * organ, 10 * organ : 30 + 10 * organ] = organ
    image = (100 * labels + random.normal(40, 9, labels.shape)).astype(np.int16)
    affine = np.diag([-1.5, -1.5, 3.0, 1.0])
    for name, voxels in (("image", image), ("label", labels)):
        nib.save(nib.Nifti1Image(voxels, affine), folder / f"{name}.nii.gz")
    return {name: str(folder / f"{name}.nii.gz") for name in ("image", "label")}
