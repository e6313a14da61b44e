"""What the page does, event by event, without a browser: uploads, contours, truths, faults, two people at once."""

import json
import logging
import re
import shutil
import threading

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

pytest.importorskip("gradio", reason="gradio is not installed: pip install monai_gi[app]")

from monai_gi.app.answers import followed
from monai_gi.app.session import Session
from monai_gi.errors import DataError
from monai_gi.labels import TISSUE_NAMES
from tests.brightness_bundle import brightness_masks, write_brightness_bundle
from tests.drawn_cases import after, asker, open_desk, uploaded
from tests.drawn_nifti_files import draw_affine, write_volume

SHAPE = (32, 28, 5)
AFFINE = draw_affine("PLI", (1.5, 1.5, 3.0))


def draw_voxels():
    """Boxes of other brightness, some on a few slices only."""
    voxels = np.full(SHAPE, 100, dtype=np.uint16)
    voxels[4:20, 6:15, 1:4] = 620
    voxels[8:12, 7:9, 2:4] = 1000
    voxels[22:26, 20:26, 1:3] = 800
    voxels[0, 0, 0] = 0
    return voxels


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return write_brightness_bundle(tmp_path_factory.mktemp("bundle") / "brightness")


@pytest.fixture
def desk(tmp_path, bundle):
    desk = open_desk(tmp_path, bundle=bundle, weights=bundle / "model.pt")
    yield desk
    desk.sessions.close_all()


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    return write_volume(tmp_path_factory.mktemp("scan") / "Doe_Jane.nii.gz", draw_voxels(), AFFINE)


def controls(place=1, *, probability=False, shown=(True, True, True)):
    return (place, "Outlines", 40, 500, 1000, probability, *shown)


def contoured(desk, scan, folder, name="page"):
    after(desk.receive(asker(name), uploaded(folder, scan)))
    return after(desk.contour(asker(name), *controls()))


def test_an_upload_is_shown_and_can_be_contoured(tmp_path, desk, scan):
    answer = after(desk.receive(asker(), uploaded(tmp_path, scan)))
    assert "Volume, 5 slices of 32 × 28, 1.50 × 1.50 × 3.00 mm. Press Contour." in answer["message"]
    assert 'data-positions="5"' in answer["viewer"]
    assert answer["contour"]["interactive"]
    assert answer["slice"]["maximum"] == 5
    assert answer["organ stomach"]["visible"]
    assert "Doe" not in str(answer)


def test_contours_are_those_of_the_network_and_can_be_downloaded(tmp_path, desk, scan):
    answer = contoured(desk, scan, tmp_path)
    assert re.search(r"Contoured in [\d.]+ s\. Automatic and unapproved", answer["message"])
    session = desk.sessions.get("\npage")
    case = session.case
    expected = brightness_masks(case.scan.voxels)
    assert expected.any(axis=(1, 2, 3)).all()
    assert np.array_equal(case.found, expected)
    assert f"/{session.token}/scan_stomach.nii.gz" in answer["downloads"]
    stomach = np.asarray(nib.load(session.result("scan_stomach.nii.gz")).dataobj) != 0
    assert stomach.sum() == expected[2].sum()
    text = session.result("result.json").read_text()
    result = json.loads(text)
    assert result["organs"]["stomach"]["volume_ml"] == pytest.approx(expected[2].sum() * 1.5 * 1.5 * 3 / 1000, abs=1e-3)
    assert "Doe" not in text
    assert str(tmp_path) not in text
    assert f"<td>{expected[2].sum() * 0.00675:.1f}</td>" in answer["volumes"]


def test_switches_and_slider_change_the_picture_alone(tmp_path, desk, scan):
    contoured(desk, scan, tmp_path)
    answer = desk.look(asker(), *controls(3, shown=(True, False, True)))
    assert list(answer) == ["viewer"]
    assert 'data-position="2"' in answer["viewer"]
    assert set(re.findall(r'data-organ="(\w+)"', answer["viewer"])) == {"large_bowel", "stomach"}
    assert 'data-layer="probability"' in desk.look(asker(), *controls(3, probability=True))["viewer"]


def test_reset_takes_the_window_of_the_scan(tmp_path, desk, scan):
    contoured(desk, scan, tmp_path)
    answer = desk.reset(asker(), *controls(2))
    low, high = desk.sessions.get("\npage").case.window[:2]
    assert answer["level"]["value"] == round((low + high) / 2)
    assert answer["window"]["value"] == round(high - low)
    assert desk.reset(asker("other"), *controls()) == {}


def test_a_truth_brings_dice_and_can_be_removed(tmp_path, desk, scan):
    contoured(desk, scan, tmp_path)
    masks = brightness_masks(draw_voxels())
    path = write_volume(tmp_path / "own_stomach.nii.gz", masks[2].astype(np.uint8), AFFINE)
    answer = after(desk.receive_truth(asker(), uploaded(tmp_path, path), *controls(3)))
    assert "<td>1.000</td>" in answer["volumes"]
    assert 'class="gi-truth"' in answer["viewer"]
    assert answer["truth-clear"]["visible"]
    answer = after(desk.drop_truth(asker(), *controls(3)))
    assert "Dice" not in answer["volumes"]
    assert 'class="gi-truth"' not in answer["viewer"]


def test_a_truth_needs_an_image_first(tmp_path, desk, scan):
    assert "Upload the image first" in after(desk.receive_truth(asker(), [], *controls()))["message"]
    assert "Upload an image" in after(desk.drop_truth(asker(), *controls()))["message"]


@pytest.mark.parametrize("content", [b"\x00\x01garbage", b"PK\x03\x04 no zip", b"", b"some text"])
def test_garbage_is_one_sentence_and_the_page_lives_on(tmp_path, desk, scan, content):
    contoured(desk, scan, tmp_path)
    (tmp_path / "garbage.bin").write_bytes(content)
    answer = after(desk.receive(asker(), uploaded(tmp_path, tmp_path / "garbage.bin")))
    assert 'class="gi-message gi-wrong" role="alert"' in answer["message"]
    assert str(tmp_path) not in answer["message"]
    assert "\n" not in answer["message"]
    assert len(answer["message"]) < 250
    assert not answer["contour"]["interactive"]
    assert "<table" not in answer["volumes"]
    assert answer["downloads"] == ""
    assert "Contoured in" in contoured(desk, scan, tmp_path)["message"]


def test_two_pages_do_not_see_each_other(tmp_path, desk, scan):
    contoured(desk, scan, tmp_path, "one")
    assert desk.look(asker("other"), *controls()) == {}
    assert "There is no image here" in after(desk.contour(asker("other")))["message"]
    assert desk.look(asker("one", user="reader"), *controls()) == {}
    one = desk.sessions.get("\none")
    assert one.result("result.json").is_file()
    desk.leave(asker("one"))
    assert not one.folder.exists()


def test_removing_my_data_removes_them(tmp_path, desk, scan):
    contoured(desk, scan, tmp_path)
    folder = desk.sessions.get("\npage").folder
    answer = after(desk.clear(asker()))
    assert not folder.exists()
    assert not list((tmp_path / "uploads").iterdir())
    assert "removed" in answer["message"]
    assert answer["downloads"] == ""


def test_an_upload_takes_the_place_of_the_one_before_on_the_disk_too(tmp_path, desk, scan):
    contoured(desk, scan, tmp_path)
    folder = desk.sessions.get("\npage").folder
    again = uploaded(tmp_path, scan)
    after(desk.receive(asker(), again))
    assert [path.name.partition("_")[0] for path in folder.iterdir()] == ["input"]
    other = write_volume(tmp_path / "other.nii.gz", draw_voxels()[:30], AFFINE)
    (tmp_path / "later").mkdir()
    after(desk.receive(asker(), uploaded(tmp_path / "later", other)))
    assert not list((tmp_path / "uploads").iterdir())
    assert (tmp_path / "later" / "uploads" / "0other.nii.gz" / "other.nii.gz").exists()


def test_another_scan_of_the_upload_can_be_chosen(tmp_path, desk, scan):
    other = write_volume(tmp_path / "other.nii.gz", draw_voxels()[:30], AFFINE)
    answer = after(desk.receive(asker(), uploaded(tmp_path, scan, other)))
    assert len(answer["choice"]["choices"]) == 2
    shown = desk.sessions.get("\npage").case
    after(desk.choose(asker(), 1))
    assert desk.sessions.get("\npage").case.scan.voxels.shape != shown.scan.voxels.shape


def test_missing_slices_are_taken_where_the_box_is_ticked(tmp_path, desk):
    folder = tmp_path / "scans"
    folder.mkdir()
    for number in (1, 2, 4):
        Image.fromarray(draw_voxels()[..., number]).save(folder / f"slice_{number:04d}_28_32_1.50_1.50.png")
    slices = sorted(folder.iterdir())
    answer = after(desk.receive(asker(), uploaded(tmp_path, *slices)))
    assert "1 slices are missing between 1 and 4: 3 to 3" in answer["message"]
    assert "with the box below the examples" in answer["message"]
    after(desk.receive(asker(), uploaded(tmp_path, *slices), True))
    assert desk.sessions.get("\npage").case.labels == ["1", "2", "4"]


def test_a_lone_slice_is_contoured_with_a_warning(tmp_path, desk):
    Image.fromarray(draw_voxels()[..., 2]).save(tmp_path / "Doe_Jane.png")
    answer = contoured(desk, tmp_path / "Doe_Jane.png", tmp_path)
    assert "One slice alone" in answer["downloads"]
    assert "take pixels of 1 mm and a slice of 3 mm, as the picture does not say" in answer["downloads"]
    assert "Doe" not in str(answer)


def test_work_that_is_cancelled_leaves_the_image(tmp_path, desk, scan, monkeypatch):
    after(desk.receive(asker(), uploaded(tmp_path, scan)))

    def predict(scan, progress):
        while True:
            progress(1, 5)

    monkeypatch.setattr(desk.opened.engine.predictor, "predict", predict)
    updates = desk.contour(asker(), *controls())
    answer = next(updates)
    assert answer["cancel"]["interactive"]
    while "Contouring slice 1 of 5" not in str(answer):
        answer = next(updates)
    assert not desk.cancel(asker())["cancel"]["interactive"]
    answer = after(updates)
    assert "Stopped." in answer["message"]
    assert answer["contour"]["interactive"]
    assert desk.sessions.get("\npage").case is not None
    monkeypatch.undo()
    assert "Contoured in" in after(desk.contour(asker(), *controls()))["message"]


def test_writing_stops_between_two_formats(tmp_path, desk, monkeypatch):
    folder = tmp_path / "scans"
    folder.mkdir()
    for number in (1, 2, 3):
        Image.fromarray(draw_voxels()[..., number]).save(folder / f"slice_{number:04d}_28_32_1.50_1.50.png")
    after(desk.receive(asker(), uploaded(tmp_path, *sorted(folder.iterdir()))))
    stopped, begun = threading.Event(), []

    def write(name):
        def wait(folder, results):
            begun.append(name)
            assert stopped.wait(30)
            return []

        return wait

    monkeypatch.setattr("monai_gi.outputs.WRITERS", {name: write(name) for name in ("overlay", "nifti", "submission")})
    updates = desk.contour(asker(), *controls())
    while "Writing" not in str(next(updates)):
        pass
    desk.cancel(asker())
    stopped.set()
    assert "Stopped." in after(updates)["message"]
    assert sorted(begun) in (["nifti", "overlay"], ["overlay"])
    assert not list(desk.sessions.get("\npage").folder.glob("results_*"))


def test_what_nobody_foresaw_is_logged_without_the_data(tmp_path, desk, scan, monkeypatch, caplog):
    after(desk.receive(asker(), uploaded(tmp_path, scan)))

    def predict(scan, progress):
        raise RuntimeError("Doe^Jane")

    monkeypatch.setattr(desk.opened.engine.predictor, "predict", predict)
    with caplog.at_level(logging.ERROR):
        answer = after(desk.contour(asker(), *controls()))
    assert "could not be done (RuntimeError)" in answer["message"]
    assert "RuntimeError in predict" in caplog.text
    assert "Doe" not in caplog.text + str(answer)


def test_too_little_memory_is_one_sentence(tmp_path):
    def work(report):
        raise MemoryError

    answer = after(followed(Session(tmp_path / "one"), work, dict, can_contour=True))
    assert "too large for the memory" in answer["message"]
    assert not answer["contour"]["interactive"]


def test_without_a_bundle_images_are_only_shown(tmp_path, scan):
    desk = open_desk(tmp_path)
    answer = after(desk.receive(asker(), uploaded(tmp_path, scan)))
    assert "<svg" in answer["viewer"]
    assert not answer["contour"]["interactive"]
    assert "monai-gi app --bundle" in after(desk.contour(asker()))["message"]
    assert desk.kinds == ("slices", "frames", "slides")
    assert set(desk.classes) == {"large_bowel", "small_bowel", "stomach", "polyp", *TISSUE_NAMES[1:]}


def test_a_bundle_that_can_not_be_opened_is_told_at_once(tmp_path, bundle):
    broken = shutil.copytree(bundle, tmp_path / "broken")
    (broken / "inference.json").write_text("{")
    with pytest.raises(DataError, match=r"inference\.json"):
        open_desk(tmp_path, bundle=broken, weights=bundle / "model.pt")
