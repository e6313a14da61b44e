"""The app in a real browser: what people do with it, from a zip of DICOM to an RTSTRUCT that is read back.

Screenshots are kept in MONAI_GI_SCREENSHOTS, or else in pytest's temporary folder.
"""

import json
import os
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread

from monai_gi.dicom.geometry import arrange
from monai_gi.dicom.structures import read_structures
from monai_gi.labels import ORGAN_NAMES, ORGANS
from monai_gi.provenance import INTENDED_USE
from monai_gi.readers.label_volumes import read_label_volume
from tests.app_visitor import PATIENT, SIZE, SPACING_MM, Visitor, draw_upload
from tests.headless_chromium import Browser, Keys, needs_chromium
from tests.outgoing_calls import calls, outgoing, telling
from tests.page_checks import outside, pale_texts, reached_by_tab
from tests.served_programs import free_port, served
from tests.slow_brightness_bundle import write_slow_brightness_bundle

pytestmark = [pytest.mark.slow, needs_chromium()]
pytest.importorskip("gradio", reason="gradio is not installed: pip install monai_gi[app]")
DESK, PHONE = (1280, 900), (390, 844)
STOPPED_BY_CTRL_C = 130
LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = os.environ.get("MONAI_GI_SCREENSHOTS")
    return Path(folder) if folder else tmp_path_factory.mktemp("screenshots")


@pytest.fixture(scope="module")
def axial(tmp_path_factory):
    return draw_upload(tmp_path_factory.mktemp("axial"))


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    """The app with the network of brightness; at its end nothing of anybody is left."""
    folder = tmp_path_factory.mktemp("app")
    temporary = folder / "temporary"
    temporary.mkdir()
    bundle, weights = write_slow_brightness_bundle(folder, SPACING_MM, roi_size=list(SIZE))
    port = free_port()
    words = [sys.executable, "-m", "monai_gi", "app", "--bundle", str(bundle), "--weights", str(weights)]
    environment = telling(folder / "calls", os.environ | {"TMPDIR": str(temporary), "OMP_NUM_THREADS": "1"})
    with served([*words, "--port", str(port), "--device", "cpu"], port, folder / "log.txt", environment) as program:
        yield program
        assert program.stop() == STOPPED_BY_CTRL_C
    log = program.log.read_text()
    assert INTENDED_USE in log
    assert not any(word in log for word in ("Traceback", "Warning", *PATIENT.split("^")))
    assert not list(temporary.glob("monai-gi-*"))
    assert calls(folder / "calls")  # its own port
    assert outgoing(folder / "calls") == []


def own_folders(program) -> list[Path]:
    """Of the sessions that are open."""
    return list(program.log.parent.glob("temporary/monai-gi-app-*/sessions/*"))


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    browser = Browser(tmp_path_factory.mktemp("browser"), *DESK)
    yield browser
    browser.close()


@pytest.fixture
def visitor(app, browser):
    browser.resize(*DESK)
    visitor = Visitor(browser, app.url)
    visitor.enter()
    yield visitor
    assert browser.foreign_requests(app.url) == []
    assert browser.complaints() == []


def test_a_zip_of_dicom_becomes_contours_that_an_rtstruct_holds(visitor, axial, pictures):
    page = visitor.browser
    assert INTENDED_USE in page.text()
    page.screenshot(pictures / "empty_1280.png")
    visitor.send(axial.archive)
    visitor.contour()
    page.becomes(axial.volumes(), visitor.table)
    assert not any(word in page.text() for word in PATIENT.split("^"))
    middle = visitor.position()
    page.becomes(axial.organs(middle), visitor.outlined)
    page.screenshot(pictures / "contoured_1280.png")

    visitor.slide("slice", Keys.ARROW_RIGHT)
    visitor.at(middle + 1)
    page.roll("#viewer svg", 100)
    visitor.at(middle + 2)
    page.find("#viewer svg").send_keys(Keys.HOME)
    visitor.at(0)
    page.becomes(axial.organs(0), visitor.outlined)
    check = page.all("#checks .gi-check")[1]
    asked = int(check.get_attribute("data-position")) - 1
    assert str(asked + 1) in check.text.split()
    check.click()
    visitor.at(asked)

    visitor.compare(axial.truth)
    page.becomes(axial.dice(), lambda: [row[3] for row in visitor.table()])
    page.becomes(axial.organs(asked, axial.others), lambda: visitor.outlined("gi-truth"))
    assert visitor.position() == asked
    page.screenshot(pictures / "compared_1280.png")

    files = {"rtstruct.dcm", "seg.dcm", "overlay.png", "result.json", "scan_labels.nii.gz"}
    assert files <= set(visitor.offered())
    rtstruct = visitor.download("rtstruct.dcm")
    assert dcmread(rtstruct).Modality == "RTSTRUCT"
    labels = read_label_volume(visitor.download("scan_labels.nii.gz"))
    assert np.allclose(labels.grid.affine, LPS_TO_RAS @ axial.affine_lps)
    alone = axial.found.sum(axis=0) == 1  # a label map holds one organ a voxel
    wanted = np.tensordot([organ.index for organ in ORGANS], axial.found, axes=1)
    assert np.array_equal(labels.labels[alone], wanted[alone])
    assert alone.sum() > 1000
    for file in (rtstruct, visitor.download("seg.dcm")):
        structures = {one.name: one.mask for one in read_structures(file, arrange(axial.series))}
        for name, mask in zip(ORGAN_NAMES, axial.found, strict=True):
            assert np.array_equal(structures[name], mask), (file.name, name)
    for name, mask in zip(ORGAN_NAMES, axial.found, strict=True):
        one_organ = read_label_volume(visitor.download(f"scan_{name}.nii.gz"))
        assert np.array_equal(one_organ.labels != 0, mask), name
    result = json.loads(visitor.download("result.json").read_text())
    assert result["intended_use"] == INTENDED_USE
    assert visitor.download("overlay.png").read_bytes().startswith(b"\x89PNG")


def test_loose_files_of_dicom_a_nifti_and_a_png_are_taken_too(visitor, axial, tmp_path):
    page = visitor.browser
    visitor.send(*axial.files)
    visitor.contour()
    page.becomes(axial.volumes(), visitor.table)
    page.click("#clear")
    page.becomes([], visitor.table)
    image = tmp_path / "scan.nii.gz"
    nib.save(nib.Nifti1Image(axial.voxels, LPS_TO_RAS @ axial.affine_lps), image)
    visitor.send(image)
    visitor.contour()
    page.becomes(axial.volumes(), visitor.table)
    assert "rtstruct.dcm" not in visitor.offered()
    assert "scan_labels.nii.gz" in visitor.offered()
    page.click("#clear")
    page.becomes([], visitor.table)
    middle = axial.voxels[..., 6]
    Image.fromarray((middle / middle.max() * 255).astype(np.uint8)).save(tmp_path / "slice.png")
    visitor.send(tmp_path / "slice.png")
    visitor.contour()
    page.until("outlines", visitor.outlined)
    assert not page.shown("#slice")


def test_switches_change_the_picture_and_nothing_else(visitor, axial, pictures):
    page = visitor.browser
    visitor.send(axial.archive)
    visitor.contour()
    before, organs = visitor.table(), axial.organs(visitor.position())
    name = sorted(organs)[0]
    visitor.switch(name)
    page.becomes(organs - {name}, visitor.outlined)
    assert visitor.colors() == {one.name: one.rgb for one in ORGANS if one.name in organs - {name}}
    page.click("#style label:nth-of-type(2) input")
    page.until("fills", lambda: page.all("#viewer path.gi-found[fill-opacity='0.4']"))
    visitor.slide("opacity", Keys.END)
    page.until("opaque fills", lambda: page.all("#viewer path.gi-found[fill-opacity='1']"))
    page.screenshot(pictures / "filled_1280.png")

    def grey() -> str:
        return str(page.all("#viewer svg > image")[0].get_attribute("href"))

    first = grey()
    visitor.slide("level", Keys.HOME)
    page.until("a brighter picture", lambda: grey() != first)
    second = grey()
    visitor.slide("window", Keys.HOME)
    page.until("a harder picture", lambda: grey() not in (first, second))
    page.click("#reset")
    page.until("the picture as before", lambda: grey() == first)

    page.click("#probability input")
    page.until("probabilities", lambda: page.all("#viewer [data-layer=probability]") and not visitor.outlined())
    page.becomes([], lambda: pale_texts(page))
    page.screenshot(pictures / "probability_1280.png")
    page.click("#probability input")
    visitor.switch(name)
    page.becomes(organs, visitor.outlined)
    assert visitor.table() == before


def test_what_is_no_image_gets_one_sentence_and_the_app_lives_on(visitor, axial, tmp_path, pictures):
    page = visitor.browser
    noise = tmp_path / "noise.dcm"
    noise.write_bytes(np.random.default_rng(0).bytes(4000))
    broken = tmp_path / "broken.zip"
    broken.write_bytes(axial.archive.read_bytes()[:5000])
    text = tmp_path / "letter.txt"
    text.write_text("Dear colleague")
    for file in (noise, broken, text):
        visitor.send(file)
        assert page.shown("#message [role=alert]"), visitor.message()
        sentence = visitor.message()
        assert "\n" not in sentence
        assert str(tmp_path.parent) not in sentence
        assert "monai-gi-app" not in sentence
        assert len(sentence) < 300
        assert not page.shown("#contour:enabled")
        print(f"{file.name}: {sentence}")
        page.click("#clear")
        page.until("it is cleared", lambda: "removed" in visitor.message())
    visitor.example("axial")
    visitor.compare(text)
    assert page.shown("#message [role=alert]")
    assert visitor.outlined()
    page.screenshot(pictures / "garbage_1280.png")


def test_long_work_shows_how_far_it_is_and_stops_when_told(visitor, axial, tmp_path, pictures):
    page = visitor.browser
    visitor.send(draw_upload(tmp_path, slices=60, seed=5).archive)
    page.click("#contour")
    page.until("progress", lambda: page.all("#message progress[value]"))
    assert "of 60" in page.find("#message .gi-busy").text
    page.screenshot(pictures / "busy_1280.png")
    page.click("#cancel")
    page.until("it stopped", lambda: visitor.message().startswith("Stopped"))
    assert not visitor.table()
    assert not visitor.offered()
    page.until("it can be asked again", lambda: page.shown("#contour:enabled"))
    page.click("#clear")
    page.until("it is cleared", lambda: "removed" in visitor.message())
    visitor.send(axial.archive)
    visitor.contour()
    page.becomes(axial.volumes(), visitor.table)


def test_two_people_at_once_see_their_own(app, visitor, axial, tmp_path, tmp_path_factory, pictures):
    second = draw_upload(tmp_path, slices=10, seed=3)
    before = len(own_folders(app))
    other = Visitor(Browser(tmp_path_factory.mktemp("phone"), *PHONE), app.url)
    try:
        other.enter()
        visitor.send(axial.archive)
        other.send(second.archive)
        other.browser.click("#contour")
        visitor.contour()
        other.contoured()
        visitor.browser.becomes(axial.volumes(), visitor.table)
        other.browser.becomes(second.volumes(), other.table)
        for one, drawn in ((visitor, axial), (other, second)):
            reference = dcmread(one.download("rtstruct.dcm")).ReferencedFrameOfReferenceSequence[0]
            series = reference.RTReferencedStudySequence[0].RTReferencedSeriesSequence[0]
            assert series.SeriesInstanceUID == drawn.series.uid
        assert outside(other.browser) == []
        other.browser.screenshot(pictures / "contoured_390.png")
        assert len(own_folders(app)) == before + 2
    finally:
        other.browser.close()
    visitor.browser.until("the folder of who left is gone", lambda: len(own_folders(app)) == before + 1)


def test_everything_is_legible_and_reached_without_a_mouse(visitor, axial, pictures):
    page = visitor.browser
    visitor.send(axial.archive)
    visitor.contour()
    visitor.compare(axial.truth)
    page.becomes([], lambda: pale_texts(page))
    assert outside(page) == []
    reached = reached_by_tab(page, 60)
    ids = [name for one in reached for name in one["ids"]]
    wanted = ["upload", "example-axial", "contour", "truth", "clear", "viewer", "slice", "style", "opacity"]
    wanted += ["probability", "level", "window", "checks", "downloads", *(f"organ-{name}" for name in ORGAN_NAMES)]
    assert [name for name in wanted if name not in ids] == []
    assert [one["ids"][:1] for one in reached if not one["seen"]] == []
    page.resize(*PHONE)
    assert outside(page) == []
    page.becomes([], lambda: pale_texts(page))
    page.screenshot(pictures / "compared_390.png")
