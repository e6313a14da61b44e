"""The bundle of colour frames: its loss and choices by hand, and trained, judged and run by a user's command lines."""

import csv
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from monai_gi.sharing.config_inspection import inspect_configs
from monai_gi.sharing.findings import WRONG
from monai_gi.sharing.opening import open_bundle
from monai_gi.sharing.pack import pack
from tests.drawn_polyps import SIZE, write_kaggle_layout
from tests.test_bundles import ROOT, monai_bundle

BUNDLE = ROOT / "bundles" / "polyp_unetpp"
SMALL = ["--network_def#features", "[8, 8, 8, 8, 8, 8]"]


def config_of(file="train.json", **overrides):
    parser = ConfigParser(json.loads((BUNDLE / file).read_text()))
    parser.update({key.replace("__", "#"): value for key, value in overrides.items()})
    return parser


def dice_and_bce(logits, truth):
    """Of one head, frame by frame, from the definitions."""
    p = logits.sigmoid().double()
    bce = -(truth * p.log() + (1 - truth) * (1 - p).log()).mean()
    both, areas = (p * truth).sum(dim=(1, 2, 3)), (p + truth).sum(dim=(1, 2, 3))
    return (1 - 2 * both / areas).mean() + bce


# ---- pieces


def test_the_loss_is_the_mean_of_the_heads():
    generator = torch.Generator().manual_seed(0)
    heads = [torch.randn((2, 1, 12, 20), generator=generator) for _ in range(4)]
    truth = torch.zeros(2, 1, 12, 20)
    truth[0, :, 3:8, 4:15] = truth[1, :, 2:4, 10:12] = 1
    loss = config_of().get_parsed_content("loss")
    wanted = [dice_and_bce(head, truth) for head in heads]
    assert loss(heads, truth).item() == pytest.approx(float(sum(wanted)) / 4, abs=1e-4)
    assert loss(heads[-1], truth).item() == pytest.approx(float(wanted[-1]), abs=1e-4)


@pytest.mark.parametrize(("deep_supervision", "heads"), [(True, 4), (False, 1)])
def test_the_heads_can_be_switched_off(deep_supervision, heads):
    changes = {"network_def__deep_supervision": deep_supervision, "network_def__features": [8] * 6}
    network = config_of(**changes).get_parsed_content("network_def")
    image = torch.zeros(2, 3, 32, 48)
    answer = network.train()(image)
    assert len(answer if isinstance(answer, list) else [answer]) == heads
    assert network.eval()(image).shape == (2, 1, 32, 48)


@pytest.mark.parametrize("measure", ["dice", "iou"])
def test_the_key_metric_decides_the_best_epoch_and_when_to_stop(measure):
    parser = config_of(key_metric=measure)
    (name,) = parser.get_parsed_content("validate#key_metric")
    assert name == f"val_mean_{measure}"
    score = parser.get_parsed_content("early_stop#score_function")
    assert score(_engine({name: 0.7})) == 0.7


def test_a_wrong_measure_is_refused_before_anything_is_trained():
    with pytest.raises(RuntimeError) as caught:
        config_of(key_metric="f1").get_parsed_content("train#key_metric")
    assert "key_metric: 'f1', wanted 'dice' or 'iou'" in str(caught.value.__cause__)


def _engine(metrics):
    return type(
        "Engine", (), {"state": type("State", (), {"metrics": metrics, "key_metric_name": "", "best_metric": 0})}
    )


@pytest.mark.parametrize("file", ["train.json", "evaluate.json", "inference.json"])
def test_an_inspection_finds_nothing_wrong(file):
    findings = inspect_configs({file: (BUNDLE / file).read_bytes()}).findings
    assert [str(one) for one in findings if one.severity == WRONG] == []


def test_prediction_reads_plain_values():
    config = json.loads((BUNDLE / "inference.json").read_text())
    assert config["input"] == "frames"
    assert config["classes"] == ["polyp"]
    metadata = json.loads((BUNDLE / "metadata.json").read_text())
    assert metadata["network_data_format"]["outputs"]["pred"]["channel_def"] == {"0": "polyp"}
    trained = json.loads((BUNDLE / "train.json").read_text())
    assert (
        trained["roi_size"] == config["roi_size"] == metadata["network_data_format"]["inputs"]["image"]["spatial_shape"]
    )


# ---- whole


def scalars_of(folder: Path) -> dict[str, list[float]]:
    events = EventAccumulator(str(folder)).Reload()
    return {tag: [one.value for one in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


@pytest.mark.slow
def test_it_trains_is_judged_and_infers(tmp_path):
    data, output = tmp_path / "data", tmp_path / "run"
    items = write_kaggle_layout(data)
    places = ["--dataset_dir", data, "--output_dir", output, *SMALL, "--roi_size", "[32, 48]"]
    lists = ["--folds", "3", "--fold", "1"]
    words = ["--max_epochs", "2", "--batch_size", "2", "--key_metric", "iou"]
    monai_bundle("training", BUNDLE / "train.json", *places, *lists, *words)

    train, validation = (scalars_of(output / "tensorboard" / side) for side in ("train", "validation"))
    for tag in ("dice/mean", "dice/polyp", "iou/mean", "iou/polyp", "loss"):
        assert len(train[tag]) == len(validation[tag]) == 2
    assert validation["best/metric"][-1] == pytest.approx(max(validation["iou/mean"]))
    assert torch.load(output / "model.pt", weights_only=True)["final_conv_0_4.weight"].shape[0] == 1
    settings = json.loads((output / "settings.json").read_text())
    assert settings["data"]["train"]["cases"] == 2
    assert settings["data"]["validation"]["cases"] == 1

    monai_bundle("evaluating", BUNDLE / "evaluate.json", *places, *lists)
    with (output / "evaluation" / "frames.csv").open() as file:
        judged = {row["frame"] if "frame" in row else row["id"] for row in csv.DictReader(file)}
    assert len(judged) == 2
    best = int(np.argmax(validation["iou/mean"]))
    summary = json.loads((output / "evaluation" / "summary.json").read_text())
    assert validation["dice/mean"][best] == pytest.approx(_numbers(summary, "dice_class_frames"), abs=1e-3)
    assert validation["iou/mean"][best] == pytest.approx(_numbers(summary, "iou_class_frames"), abs=1e-3)

    monai_bundle("inferring", BUNDLE / "inference.json", *places, "--flips", "['left_right']")
    masks = {path.parent.name: np.asarray(Image.open(path)) for path in (output / "inference").glob("*/mask.png")}
    assert set(masks) == {str(number + 1) for number in range(len(items))}
    assert all(mask.shape == SIZE and set(np.unique(mask)) <= {0, 255} for mask in masks.values())
    with open_bundle(BUNDLE, weights=output / "model.pt") as bundle:
        assert bundle.input == "frames"
        assert bundle.network(torch.zeros(1, 3, 32, 48)).shape == (1, 1, 32, 48)
    with zipfile.ZipFile(pack(BUNDLE, output / "model.pt", tmp_path / "packed.zip")) as archive:
        metadata = json.loads(archive.read("polyp_unetpp/configs/metadata.json"))
        readme = archive.read("polyp_unetpp/docs/README.md").decode()
    assert metadata["eval_metrics"]["mean_dice"] == _numbers(summary, "dice_class_frames")
    assert "Scores on 2 frames of 1 sequence stand in" in readme


def _numbers(summary: dict, name: str) -> float:
    return summary["mean_of_classes"][name]["mean"]
