"""Frames and slides at the desk of the app: contoured, scored, offered for download."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

pytest.importorskip("gradio", reason="gradio is not installed: pip install monai_gi[app]")

from monai_gi.labels import TISSUE_NAMES, TISSUES
from tests.drawn_cases import after, asker, open_desk, uploaded
from tests.redness_bundle import redness_mask, write_redness_bundle


def test_frames_are_contoured_one_after_the_other(tmp_path):
    bundle = write_redness_bundle(tmp_path / "redness")
    desk = open_desk(tmp_path, bundle=bundle, weights=bundle / "model.pt")
    pixels = np.zeros((30, 44, 3), dtype=np.uint8)
    pixels[5:15, 10:30, 0] = 255
    paths = [tmp_path / "a.png", tmp_path / "b.png"]
    for path, frame in zip(paths, (pixels, pixels[:, ::-1].copy()), strict=True):
        Image.fromarray(frame).save(path)
    answer = contoured_all(desk, tmp_path, *paths)
    case = desk.sessions.get("\npage").case
    assert np.array_equal(case.found[1][0], redness_mask(pixels[:, ::-1]))
    assert "<td>2 of 2</td>" in answer["volumes"]
    assert desk.sessions.get("\npage").result("frame_2/mask.png").is_file()
    answer = contoured_all(desk, tmp_path, paths[0])
    assert "/mask.png" in answer["downloads"]


def contoured_all(desk, folder, *paths):
    after(desk.receive(asker(), uploaded(folder, *paths)))
    return after(desk.contour(asker(), 1, "Outlines", 40, None, None, False, *(True for _ in desk.classes)))


def write_tissue_bundle(folder):
    """A bundle of slides whose network tells tubules, green, from anything else."""
    write_redness_bundle(folder)
    config = json.loads((folder / "inference.json").read_text())
    config |= {
        "input": "slides",
        "classes": list(TISSUE_NAMES[:3]),
        "roi_size": [32, 32],
        "levels": [0],
        "glass": False,
    }
    config["network_def"] |= {"out_channels": 3}
    (folder / "inference.json").write_text(json.dumps(config))
    weight = torch.zeros(3, 3, 1, 1)
    weight[2, 1] = 50.0
    torch.save({"weight": weight, "bias": torch.tensor([0.0, -100.0, -25.0])}, folder / "model.pt")
    return folder


def test_a_slide_is_predicted_and_scored(tmp_path):
    bundle = write_tissue_bundle(tmp_path / "tissue")
    desk = open_desk(tmp_path, bundle=bundle, weights=bundle / "model.pt")
    pixels = np.full((80, 120, 3), 60, dtype=np.uint8)
    pixels[10:50, 20:70, 1] = 250
    Image.fromarray(pixels).save(tmp_path / "slide.png")
    labels = np.zeros((80, 120), dtype=np.uint8)
    labels[10:50, 20:45] = 2
    Image.fromarray(np.array([one.rgb for one in TISSUES], dtype=np.uint8)[labels]).save(tmp_path / "truth.png")
    after(desk.receive(asker(), uploaded(tmp_path, tmp_path / "slide.png")))
    after(
        desk.receive_truth(
            asker(), uploaded(tmp_path, tmp_path / "truth.png"), 1, "Fills", 40, None, None, False, True, True
        )
    )
    answer = after(desk.contour(asker(), 1, "Fills", 40, None, None, False, True, True))
    case = desk.sessions.get("\npage").case
    assert np.array_equal(case.found == 2, pixels[..., 1] == 250)
    assert case.findings()[1].dice == pytest.approx(2 * 1000 / (2000 + 1000))
    assert "<td>2,000 pixels</td>" in answer["volumes"]
    assert case.probabilities(0)["tubule"][20, 30] > 250
    assert desk.sessions.get("\npage").result("regions.geojson").is_file()
