"""Slides from file to folder of results: right pixels, skipped, gone on with, refused."""

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from monai_gi.datasets.phantom.tiled_tiff import TiledTiff
from monai_gi.errors import DataError
from monai_gi.outcomes import NotContouredError
from monai_gi.prediction_request import Request
from monai_gi.provenance import INTENDED_USE
from monai_gi.sharing.opening import Bundle
from monai_gi.slide_contouring import contour_slides, find_slides, predict_slides
from monai_gi.streaming import SlideSettings
from tests.drawn_tissue import CLASSES, PAINTED, ColorNetwork, drawn_labels, write_pair

CONFIG = {
    "input": "slides",
    "classes": list(CLASSES),
    "roi_size": [32, 48],
    "levels": [0],
    "overlap": 0.25,
    "mode": "gaussian",
    "sw_batch_size": 2,
    "glass": True,
    "flips": [],
    "amp": False,
}


def bundle_of(network=None, **config):
    return Bundle(
        name="painted",
        version="0.1.0",
        weights_path=Path("model.pt"),
        weights_sha256="0" * 64,
        config={**CONFIG, **config},
        network=network or ColorNetwork(),
        modality="",
        metadata={},
        is_packed=False,
        input="slides",
    )


def ask(source, output, bundle=None, **options):
    return contour_slides(Request(Path("bundle"), source, output, device="cpu", **options), bundle or bundle_of())


@pytest.fixture
def slide(tmp_path):
    labels = drawn_labels()
    path, _ = write_pair(tmp_path, "block 7", labels)
    return path, labels


def test_a_slide_leaves_labels_regions_picture_and_record(tmp_path, slide):
    path, labels = slide
    (outcome,) = ask(path, tmp_path / "out")
    assert (outcome.name, outcome.status) == ("block_7", "contoured")
    names = sorted(file.name for file in outcome.folder.iterdir())
    assert names == ["labels.tif", "overlay.png", "regions.geojson", "result.json"]
    assert np.array_equal(tifffile.imread(outcome.folder / "labels.tif"), labels)
    result = json.loads((outcome.folder / "result.json").read_text())
    assert result["intended_use"] == INTENDED_USE
    assert result["slide"] == {"name": "block_7", "kind": "png", "size": [150, 203], "mpp": None}
    counts = dict(zip(CLASSES, np.bincount(labels.ravel(), minlength=6).tolist(), strict=True))
    assert {name: facts["pixels"] for name, facts in result["classes"].items()} == counts
    features = json.loads((outcome.folder / "regions.geojson").read_text())["features"]
    assert {one["properties"]["classification"]["name"] for one in features} == set(CLASSES[1:5])
    with Image.open(outcome.folder / "overlay.png") as picture:
        assert picture.size == (picture.width, 150 + 24 * ((picture.height - 150) // 24))
        assert picture.height > 150


def test_probabilities_are_written_on_request_only_and_alone_if_asked(tmp_path, slide):
    path, labels = slide
    (outcome,) = ask(path, tmp_path / "out", formats=("probability",))
    files = {file.name for file in outcome.folder.iterdir()}
    assert files == {"result.json", *(f"probability_{name}.tif" for name in CLASSES)}
    images = [tifffile.imread(outcome.folder / f"probability_{name}.tif").astype(int) for name in CLASSES]
    assert np.array_equal(np.argmax(images, axis=0), labels)
    assert np.abs(np.sum(images, axis=0) - 255).max() <= 3


def test_a_tiled_slide_keeps_its_resolution_and_a_coarser_output_scales_the_outlines(tmp_path):
    labels = np.zeros((300, 420), dtype=np.uint8)
    labels[60:180, 80:200] = 2
    with (tmp_path / "slide.tif").open("w+b") as file:
        tiff = TiledTiff(file, [(300, 420)], 0.5, is_lossy=False)
        for row, top in enumerate(range(0, 300, 256)):
            tiff.write_row(0, row, PAINTED[labels[top : top + 256]])
        tiff.close()
    (outcome,) = ask(tmp_path / "slide.tif", tmp_path / "out", bundle_of(levels=[1, 2]))
    with tifffile.TiffFile(outcome.folder / "labels.tif") as image:
        assert np.array_equal(image.asarray(), labels[::2, ::2])
        assert image.pages[0].tags["XResolution"].value[0] / 1000 == 10_000  # 1 micrometre a pixel
    (feature,) = json.loads((outcome.folder / "regions.geojson").read_text())["features"]
    points = np.array(feature["geometry"]["coordinates"][0])
    assert (points.min(axis=0).tolist(), points.max(axis=0).tolist()) == ([80, 60], [200, 180])
    facts = json.loads((outcome.folder / "result.json").read_text())["classes"]["tubule"]
    assert facts == {"pixels": 3600, "area_mm2": 0.0036, "regions": 1}


def test_done_slides_are_skipped_and_other_settings_are_told(tmp_path, slide):
    path, _ = slide
    network = ColorNetwork()
    ask(path, tmp_path / "out", bundle_of(network))
    before = network.windows
    (again,) = ask(path, tmp_path / "out", bundle_of(network))
    assert (again.status, network.windows) == ("already done", before)
    with pytest.raises(DataError, match=r"made with other overlap\. --overwrite redoes it"):
        ask(path, tmp_path / "out", bundle_of(overlap=0.5))
    (redone,) = ask(path, tmp_path / "out", bundle_of(network, overlap=0.5), overwrite=True)
    assert redone.status == "contoured"
    assert network.windows > before


def test_a_stopped_slide_goes_on_and_gives_the_same_files(tmp_path):
    labels = drawn_labels(620, 90, seed=3)
    path, _ = write_pair(tmp_path, "long", labels)
    formats = ("label-image", "probability", "geojson")
    whole = ColorNetwork()
    (expected,) = ask(path, tmp_path / "whole", bundle_of(whole, glass=False), formats=formats)
    with pytest.raises(KeyboardInterrupt):
        ask(
            path,
            tmp_path / "out",
            bundle_of(ColorNetwork(stop_after=whole.windows * 2 // 3), glass=False),
            formats=formats,
        )
    folder = tmp_path / "out" / "long"
    assert not (folder / "result.json").exists()
    assert not (folder / "labels.tif").exists()
    rest = ColorNetwork()
    (outcome,) = ask(path, tmp_path / "out", bundle_of(rest, glass=False), formats=formats)
    assert 0 < rest.windows < whole.windows
    assert outcome.status == "contoured"
    for name in ("labels.tif", "regions.geojson", *(f"probability_{name}.tif" for name in CLASSES)):
        assert (folder / name).read_bytes() == (expected.folder / name).read_bytes()
    assert not list(folder.glob("*.part"))
    assert not list(folder.glob("*.journal"))


def test_a_slide_that_another_version_began_is_not_gone_on_with(tmp_path, monkeypatch):
    path, _ = write_pair(tmp_path, "long", drawn_labels(620, 90, seed=3))
    whole = ColorNetwork()
    (expected,) = ask(path, tmp_path / "whole", bundle_of(whole))
    with monkeypatch.context() as patch:
        patch.setattr("monai_gi.streaming.prediction_key.__version__", "0.0.0")
        with pytest.raises(KeyboardInterrupt):
            ask(path, tmp_path / "out", bundle_of(ColorNetwork(stop_after=whole.windows * 2 // 3)))
    rest = ColorNetwork()
    (outcome,) = ask(path, tmp_path / "out", bundle_of(rest))
    assert rest.windows == whole.windows
    assert (outcome.folder / "labels.tif").read_bytes() == (expected.folder / "labels.tif").read_bytes()


def test_a_further_format_is_added_without_another_prediction(tmp_path, slide):
    path, _ = slide
    (expected,) = ask(path, tmp_path / "whole")
    (outcome,) = ask(path, tmp_path / "out", formats=("label-image", "overlay"))
    network = ColorNetwork()
    (added,) = ask(path, tmp_path / "out", bundle_of(network), formats=("geojson",))
    assert (added.status, network.windows) == ("contoured", 0)
    for file in expected.folder.iterdir():
        assert file.name == "result.json" or file.read_bytes() == (outcome.folder / file.name).read_bytes()
    found, wanted = (json.loads((one.folder / "result.json").read_text()) for one in (added, expected))
    assert [found[key] for key in ("settings", "classes", "files")] == [
        wanted[key] for key in ("settings", "classes", "files")
    ]
    (again,) = ask(path, tmp_path / "out", formats=("overlay",))
    assert again.status == "already done"
    (redone,) = ask(path, tmp_path / "out", formats=("overlay",), overwrite=True)
    assert {file.name for file in redone.folder.iterdir()} == {"overlay.png", "result.json"}


def test_a_slide_whose_picture_was_never_drawn_is_not_predicted_again(tmp_path, slide, monkeypatch):
    path, _ = slide

    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("monai_gi.streaming.slide_results.slide_overlay", stop)
        with pytest.raises(KeyboardInterrupt):
            ask(path, tmp_path / "out")
    network = ColorNetwork()
    (outcome,) = ask(path, tmp_path / "out", bundle_of(network))
    assert network.windows == 0
    assert (outcome.folder / "overlay.png").is_file()


def test_a_broken_slide_does_not_stop_the_others(tmp_path):
    write_pair(tmp_path, "a", drawn_labels())
    write_pair(tmp_path, "c", drawn_labels(seed=1))
    (tmp_path / "images" / "b.png").write_bytes((tmp_path / "images" / "a.png").read_bytes()[:200])
    with pytest.raises(NotContouredError, match=r"b\.png") as raised:
        ask(tmp_path / "images", tmp_path / "out")
    assert [(one.name, one.status) for one in raised.value.outcomes] == [("a", "contoured"), ("c", "contoured")]


def test_names_of_slides_are_plain_and_unique(tmp_path):
    for name in ("a.png", "a.TIF", "b c.svs", ".hidden.png", "notes.txt"):
        (tmp_path / name).write_bytes(b"x")
    assert list(find_slides(tmp_path)) == ["a.TIF", "a.png", "b_c"]
    (tmp_path / "b_c.svs").write_bytes(b"x")
    with pytest.raises(DataError, match=r"b c\.svs: and b_c\.svs would both get the folder b_c\.svs .* Rename one"):
        find_slides(tmp_path)
    with pytest.raises(DataError, match="no such file or folder"):
        find_slides(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"no slide lies directly in this folder; wanted \.bif"):
        find_slides(tmp_path / "empty")


def test_thresholds_and_strange_formats_are_refused(tmp_path, slide):
    path, _ = slide
    with pytest.raises(DataError, match="--threshold: does not suit slides"):
        ask(path, tmp_path / "out", thresholds=((None, 0.5),))
    with pytest.raises(DataError, match="nifti does not suit slide input"):
        ask(path, tmp_path / "out", formats=("nifti",))


def test_tta_and_float32_reach_the_settings_of_the_result(tmp_path, slide):
    path, _ = slide
    (outcome,) = ask(path, tmp_path / "out", bundle_of(amp="auto"), tta=True, precision="float32", formats=("overlay",))
    settings = json.loads((outcome.folder / "result.json").read_text())["settings"]
    assert (settings["flips"], settings["amp"]) == (["left_right", "up_down", "both"], False)


def test_the_pixel_budget_is_passed_on(tmp_path, slide):
    path, _ = slide
    with pytest.raises(NotContouredError, match="over the budget of 1,000"):
        ask(path, tmp_path / "out", max_pixels=1000)


def test_a_config_predicts_with_its_own_network(tmp_path, slide):
    path, labels = slide
    weights = tmp_path / "model.pt"
    torch.save(ColorNetwork().state_dict(), weights)
    settings = SlideSettings.from_config(CONFIG)
    (outcome,) = predict_slides(
        path.parent, ColorNetwork(), settings, tmp_path / "out", weights=weights, name="painted", device="cpu"
    )
    assert np.array_equal(tifffile.imread(outcome.folder / "labels.tif"), labels)
    assert json.loads((outcome.folder / "result.json").read_text())["made_by"]["bundle_name"] == "painted"
    with pytest.raises(NotContouredError, match="over the budget of 1,000"):
        predict_slides(path, ColorNetwork(), settings, tmp_path, weights=weights, name="painted", max_pixels=1000)
