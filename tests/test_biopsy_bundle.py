"""The bundle of slides: its choices by hand, and trained, judged and run by a user's command lines, real data too."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from monai_gi.datasets.phantom.biopsy import write_biopsy
from monai_gi.datasets.slide_classes import matching_colors
from monai_gi.errors import DataError
from monai_gi.labels import TISSUE_NAMES
from monai_gi.losses import LOSS_NAMES
from monai_gi.sharing.config_inspection import inspect_configs
from monai_gi.sharing.findings import WRONG
from monai_gi.sharing.opening import open_bundle
from monai_gi.slide_indexing import index_biopsy
from monai_gi.slides import ColorTable
from monai_gi.streaming import SlideSettings
from tests.test_bundles import ROOT, monai_bundle

BUNDLE = ROOT / "bundles" / "biopsy_unet"
SMALL = ["--network_def#features", "[4, 4, 8, 8, 8, 4]"]
# The networks here are so small that threads would wait for each other longer than they work.
ONE_THREAD = {"OMP_NUM_THREADS": "1"}
CONFIGS = ("train.json", "evaluate.json", "inference.json")


def config_of(file="train.json", **overrides):
    parser = ConfigParser(json.loads((BUNDLE / file).read_text()))
    parser.update({key.replace("__", "#"): value for key, value in overrides.items()})
    return parser


# ---- pieces


@pytest.mark.parametrize(("levels", "channels"), [([0], 3), ([0, 2], 6), ([1, 2, 3], 9)])
def test_the_network_follows_the_levels_and_the_classes(levels, channels):
    changes = {"levels": levels, "classes": ["background", "glomerulus"], "network_def__features": [4] * 6}
    network = config_of(**changes).get_parsed_content("network_def").eval()
    assert network(torch.zeros(1, channels, 32, 48)).shape == (1, 2, 32, 48)


@pytest.mark.parametrize("name", LOSS_NAMES)
def test_the_loss_is_chosen_by_name(name):
    dataset = type("Counted", (), {"class_counts": [5, 0, 2, 1, 1, 1]})
    loss = config_of(loss_name=name, train__dataset=dataset).get_parsed_content("loss")
    label = torch.randint(0, 6, (2, 1, 8, 12), generator=torch.Generator().manual_seed(0))
    right = 12.0 * torch.nn.functional.one_hot(label[:, 0], 6).permute(0, 3, 1, 2)
    assert loss(right, label).item() < 0.1 < loss(torch.zeros(2, 6, 8, 12), label).item()


def test_automatic_weights_come_from_the_counts_of_the_training_slides():
    dataset = type("Counted", (), {"class_counts": [400, 100, 0, 50, 100, 100]})
    parser = config_of(loss_name="weighted_ce", class_weights="auto", train__dataset=dataset)
    assert parser.get_parsed_content("loss").loss.weight.tolist() == [0.25, 1, 1, 2, 1, 1]


@pytest.mark.parametrize("file", CONFIGS)
def test_an_inspection_finds_nothing_wrong(file):
    findings = inspect_configs({file: (BUNDLE / file).read_bytes()}).findings
    assert [str(one) for one in findings if one.severity == WRONG] == []


def test_prediction_reads_plain_values_that_agree_with_training():
    configs = {file: json.loads((BUNDLE / file).read_text()) for file in (*CONFIGS, "metadata.json")}
    settings = SlideSettings.from_config(configs["inference.json"])
    assert settings.classes == TISSUE_NAMES
    assert settings.levels == (0, 2)
    for name in ("input", "classes", "levels", "roi_size"):
        assert configs["train.json"][name] == configs["evaluate.json"][name] == configs["inference.json"][name]
    shapes = configs["metadata.json"]["network_data_format"]
    assert shapes["inputs"]["image"]["spatial_shape"] == list(settings.roi_size)
    assert shapes["inputs"]["image"]["num_channels"] == 3 * len(settings.levels)
    assert list(shapes["outputs"]["pred"]["channel_def"].values()) == list(TISSUE_NAMES)


def test_other_classes_than_the_table_s_are_refused_with_the_words_to_type():
    table = ColorTable(("background", "glomerulus"), (0, 1), ((0, 0, 0), (255, 0, 0)))
    with pytest.raises(DataError, match=r"Give --classes \"\['background', 'glomerulus'\]\""):
        matching_colors(table, TISSUE_NAMES)
    with pytest.raises(DataError, match="glomerulus, background; the data set's colours are background, glomerulus"):
        matching_colors(table, ["glomerulus", "background"])


# ---- whole


@pytest.fixture(scope="module")
def phantom(tmp_path_factory):
    root = tmp_path_factory.mktemp("slides") / "phantom"
    write_biopsy(root, slides=2, megapixels=0.1, mpp=4.0, seed=1, progress=False)
    return root


def scalars_of(folder: Path) -> dict[str, list[float]]:
    events = EventAccumulator(str(folder)).Reload()
    return {tag: [one.value for one in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


@pytest.mark.slow
def test_it_trains_is_judged_and_infers(phantom, tmp_path):
    places = ["--dataset_dir", phantom, "--output_dir", tmp_path, *SMALL, "--roi_size", "[64, 96]"]
    words = ["--max_epochs", "2", "--samples_per_epoch", "12", "--batch_size", "4", "--folds", "2"]
    words += ["--loss_name", "weighted_ce", "--class_weights", "auto"]
    monai_bundle("training", BUNDLE / "train.json", *places, *words, **ONE_THREAD)
    train, validation = (scalars_of(tmp_path / "tensorboard" / side) for side in ("train", "validation"))
    for tag in ("dice/mean", "iou/mean", "loss", *(f"dice/{name}" for name in TISSUE_NAMES)):
        assert len(train[tag]) == len(validation[tag]) == 2, tag
    pictures = EventAccumulator(str(tmp_path / "tensorboard" / "validation")).Reload().Tags()["images"]
    assert {"figures/scores", "figures/confusion", "figures/learning_curves"} <= set(pictures)
    settings = json.loads((tmp_path / "settings.json").read_text())
    assert settings["data"]["train"]["cases"] == settings["data"]["validation"]["cases"] == 1

    monai_bundle("evaluating", BUNDLE / "evaluate.json", *places, "--folds", "2", **ONE_THREAD)
    with (tmp_path / "evaluation" / "slides.csv").open() as file:
        (judged,) = {row["slide"] for row in csv.DictReader(file)} - {"all"}
    assert set(TISSUE_NAMES) <= set(
        (tmp_path / "evaluation" / "confusion.csv").read_text().replace("\n", ",").split(",")
    )

    monai_bundle("inferring", BUNDLE / "inference.json", *places, "--flips", "['left_right']", **ONE_THREAD)
    for name in ("slide_1", "slide_2"):
        with Image.open(tmp_path / "inference" / name / "labels.tif") as labels:
            assert labels.size == (365, 274)
            assert np.asarray(labels).max() < len(TISSUE_NAMES)
        assert json.loads((tmp_path / "inference" / name / "regions.geojson").read_text())["features"] is not None
    assert judged in ("slide_1", "slide_2")
    with open_bundle(BUNDLE, weights=tmp_path / "model.pt") as bundle:
        assert bundle.input == "slides"
        assert SlideSettings.from_config(bundle.config).roi_size == (64, 96), "as it was trained"
        assert bundle.network(torch.zeros(1, 6, 64, 96)).shape == (1, 6, 64, 96)


@pytest.mark.parametrize("file", ["train.json", "evaluate.json", "inference.json"])
def test_the_pixel_budget_is_an_id_of_every_config(file, phantom):
    config = config_of(file, dataset_dir=str(phantom), max_pixels=1000)
    uses = [text for text in json.dumps(config.config).split('"') if "@max_pixels" in text]
    assert len(uses) == {"train.json": 3, "evaluate.json": 2, "inference.json": 1}[file]


def test_a_data_set_with_other_classes_stops_before_training(phantom):
    with pytest.raises(RuntimeError) as caught:
        config_of(dataset_dir=str(phantom), classes=["background", "glomerulus"]).get_parsed_content("colors")
    assert isinstance(caught.value.__cause__, DataError)
    assert "Give --classes \"['background', 'interstitium'" in str(caught.value.__cause__)


@pytest.mark.slow
def test_real_glomeruli_train_are_judged_and_predicted(real_data, tmp_path):
    """Three jobs in this process, as a start of MONAI takes longer than each of them."""
    root = real_data / "glomeruli_biopsy"
    if not root.is_dir():
        pytest.skip("no glomeruli among the real data")
    colors, datalist = tmp_path / "colors.yaml", tmp_path / "datalist.json"
    rows = ["{name: background, index: 0, rgb: [0, 0, 0]}", "{name: glomerulus, index: 1, rgb: [255, 0, 0]}"]
    colors.write_text("classes:\n" + "".join(f"  - {row}\n" for row in rows))
    index_biopsy(root, datalist, colors=colors, progress=False)
    run = {
        "dataset_dir": str(root),
        "output_dir": str(tmp_path / "run"),
        "roi_size": [96, 128],
        "levels": [2, 3],
        "classes": ["background", "glomerulus"],
        "network_def__features": [4, 4, 8, 8, 8, 4],
        "device": "cpu",
    }
    lists = {"datalist": str(datalist)}
    sizes = {"max_epochs": 1, "samples_per_epoch": 16, "batch_size": 4}
    config_of("train.json", **run, **lists, **sizes).get_parsed_content("training")
    config_of("evaluate.json", **run, **lists).get_parsed_content("evaluating")
    with (tmp_path / "run" / "evaluation" / "slides.csv").open() as file:
        assert len({row["slide"] for row in csv.DictReader(file)} - {"all"}) == 2
    image = sorted((root / "images").glob("*.png"))[0]
    config_of("inference.json", **run, input_dir=str(image)).get_parsed_content("inferring")
    with Image.open(tmp_path / "run" / "inference" / image.stem / "labels.tif") as labels:
        assert labels.size == (256, 256), "level 2 of 1024 x 1024"
