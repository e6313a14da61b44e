"""Frames and slides at the desk of the app: contoured, scored, offered for download."""

import zipfile

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("gradio", reason="gradio is not installed: pip install monai_gi[app]")

from monai_gi.app.session import ALL
from monai_gi.labels import TISSUES
from tests.drawn_cases import after, asker, open_desk, uploaded
from tests.redness_bundle import redness_mask, write_redness_bundle
from tests.tissue_bundle import write_tissue_bundle


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


@pytest.fixture
def slides(tmp_path):
    """A desk with a bundle of slides; a slide, and its truth, of which half is found."""
    bundle = write_tissue_bundle(tmp_path / "tissue")
    pixels = np.full((80, 120, 3), 60, dtype=np.uint8)
    pixels[10:50, 20:70, 1] = 250
    Image.fromarray(pixels).save(tmp_path / "slide.png")
    labels = np.zeros((80, 120), dtype=np.uint8)
    labels[10:50, 20:45] = 2
    Image.fromarray(np.array([one.rgb for one in TISSUES], dtype=np.uint8)[labels]).save(tmp_path / "truth.png")
    return open_desk(tmp_path, bundle=bundle, weights=bundle / "model.pt")


CONTROLS = (1, "Fills", 40, None, None, False, True, True)
HALF_FOUND = 2 * 1000 / (2000 + 1000)


def test_a_slide_is_predicted_and_scored(tmp_path, slides):
    after(slides.receive(asker(), uploaded(tmp_path, tmp_path / "slide.png")))
    after(slides.receive_truth(asker(), uploaded(tmp_path, tmp_path / "truth.png"), *CONTROLS))
    answer = after(slides.contour(asker(), *CONTROLS))
    case = slides.sessions.get("\npage").case
    assert np.argwhere(case.found == 2).min(axis=0).tolist() == [10, 20]
    assert np.count_nonzero(case.found == 2) == 2000
    assert case.findings()[1].dice == pytest.approx(HALF_FOUND)
    assert "<td>2,000 pixels</td>" in answer["volumes"]
    assert case.probabilities(0)["tubule"][20, 30] > 250
    assert slides.sessions.get("\npage").result("regions.geojson").is_file()


def test_a_second_run_that_is_cancelled_leaves_the_results_of_the_first(tmp_path, slides, monkeypatch):
    after(slides.receive(asker(), uploaded(tmp_path, tmp_path / "slide.png")))
    after(slides.contour(asker(), *CONTROLS))
    session = slides.sessions.get("\npage")
    first = session.result("regions.geojson").read_bytes()

    def contour(case, folder, report):
        (folder / "half").write_text("a part")
        while True:
            report("Contouring")

    monkeypatch.setattr(slides.opened.engine, "contour", contour)
    updates = slides.contour(asker(), *CONTROLS)
    while "Contouring" not in str(next(updates)):
        pass
    slides.cancel(asker())
    answer = after(updates)
    assert "Stopped." in answer["message"]
    assert session.result("regions.geojson").read_bytes() == first
    with zipfile.ZipFile(session.result(ALL)) as archive:
        assert "slide/regions.geojson" in archive.namelist()
    answer = after(slides.receive_truth(asker(), uploaded(tmp_path, tmp_path / "truth.png"), *CONTROLS))
    assert f"<td>{HALF_FOUND:.3f}</td>" in answer["volumes"]
    assert len([path for path in session.folder.glob("results_*") if path.is_dir()]) == 1


def test_a_truth_that_fails_leaves_the_one_before_for_the_next_run(tmp_path, slides):
    after(slides.receive(asker(), uploaded(tmp_path, tmp_path / "slide.png")))
    after(slides.receive_truth(asker(), uploaded(tmp_path, tmp_path / "truth.png"), *CONTROLS))
    answer = after(slides.receive_truth(asker(), uploaded(tmp_path, tmp_path / "tissue" / "inference.json"), *CONTROLS))
    assert "inference.json" in answer["message"]
    after(slides.contour(asker(), *CONTROLS))
    assert slides.sessions.get("\npage").case.findings()[1].dice == pytest.approx(HALF_FOUND)
