"""The app in a real browser with frames of colonoscopy; and as a Space of Hugging Face: a password, no bundle."""

import os
import sys
from urllib.error import HTTPError
from urllib.request import urlopen

import numpy as np
import pytest
import tifffile
from PIL import Image

from monai_gi.labels import ORGAN_NAMES, POLYP_NAMES, TISSUE_NAMES
from monai_gi.provenance import INTENDED_USE
from tests.app_visitor import Visitor
from tests.headless_chromium import Browser, needs_chromium
from tests.page_checks import outside, pale_texts
from tests.redness_bundle import redness_mask, write_redness_bundle
from tests.served_programs import free_port, served
from tests.test_app_browser import DESK, PHONE, STOPPED_BY_CTRL_C, pictures  # noqa: F401 - one folder of screenshots
from tests.test_spaces import HEADER, filled_space
from tests.tissue_bundle import write_tissue_bundle

pytestmark = [pytest.mark.slow, needs_chromium()]
pytest.importorskip("gradio", reason="gradio is not installed: pip install monai_gi[app]")
EXAMPLES = {"axial": set(ORGAN_NAMES), "frames": set(POLYP_NAMES), "slide": set(TISSUE_NAMES)}


@pytest.fixture
def browser(tmp_path):
    browser = Browser(tmp_path / "browser", *DESK)
    yield browser
    browser.close()


def test_a_frame_of_colonoscopy_gives_a_mask(browser, tmp_path, pictures):  # noqa: F811
    bundle = write_redness_bundle(tmp_path / "redness")
    frame = np.full((30, 44, 3), 60, dtype=np.uint8)
    frame[8:20, 10:31, 0] = 240
    Image.fromarray(frame).save(tmp_path / "Doe_Jane.png")
    port = free_port()
    words = [sys.executable, "-m", "monai_gi", "app", "--bundle", str(bundle), "--port", str(port), "--device", "cpu"]
    with served(words, port, tmp_path / "log.txt", os.environ) as program:
        visitor = Visitor(browser, program.url)
        visitor.enter()
        visitor.send(tmp_path / "Doe_Jane.png")
        visitor.contour()
        browser.becomes({"polyp"}, visitor.outlined)
        browser.becomes(["polyp", f"{100 * redness_mask(frame).mean():.1f} %"], lambda: visitor.table()[0][:2])
        assert not any("Doe" in name for name in visitor.offered())
        mask = visitor.download("mask.png")
        assert np.array_equal(np.asarray(Image.open(mask)) > 0, redness_mask(frame))
        browser.screenshot(pictures / "frame_1280.png")
        assert browser.foreign_requests(program.url) == []
        assert browser.complaints() == []
        assert program.stop() == STOPPED_BY_CTRL_C
    assert "Doe" not in program.log.read_text()


def test_a_biopsy_as_tiff_gives_a_label_image(browser, tmp_path, pictures):  # noqa: F811
    bundle, port = write_tissue_bundle(tmp_path / "tissue"), free_port()
    slide = np.full((320, 480, 3), 60, dtype=np.uint8)
    slide[40:200, 80:280, 1] = 250
    tifffile.imwrite(tmp_path / "Doe_Jane.tif", slide, tile=(64, 64), photometric="rgb")
    words = [sys.executable, "-m", "monai_gi", "app", "--bundle", str(bundle), "--port", str(port), "--device", "cpu"]
    with served(words, port, tmp_path / "log.txt", os.environ) as program:
        visitor = Visitor(browser, program.url)
        visitor.enter()
        visitor.send(tmp_path / "Doe_Jane.tif")
        assert "320 × 480" in visitor.message()
        visitor.contour()
        browser.becomes(["tubule", f"{160 * 200:,} pixels", "100.0 %"], lambda: visitor.table()[1])
        assert not any("Doe" in name for name in visitor.offered())
        labels = tifffile.imread(visitor.download("labels.tif"))
        assert np.array_equal(labels == 2, slide[..., 1] == 250)
        browser.screenshot(pictures / "slide_1280.png")
        browser.resize(*PHONE)
        assert outside(browser) == []
        browser.screenshot(pictures / "slide_390.png")
        assert browser.complaints() == []
        assert program.stop() == STOPPED_BY_CTRL_C


def test_an_upload_that_is_too_large_is_refused_in_a_sentence(browser, tmp_path, pictures):  # noqa: F811
    port, file = free_port(), tmp_path / "noise.nii.gz"
    file.write_bytes(np.random.default_rng(0).bytes(900_000))
    small = tmp_path / "small.nii.gz"
    small.write_bytes(np.random.default_rng(1).bytes(300_000))
    words = [sys.executable, "-m", "monai_gi", "app", "--port", str(port), "--max-upload-megabytes", "1"]
    with served(words, port, tmp_path / "log.txt", os.environ) as program:
        visitor = Visitor(browser, program.url)
        visitor.enter()
        for css in ("#upload", "#truth"):
            visitor.answered(lambda: browser.upload(f"{css} input[type=file]", small, file))  # noqa: B023 - at once
            assert visitor.message() == "1.2 MB are too many, at most 1 MB are taken. Upload a part of it."
            assert browser.shown("#message [role=alert]")
        browser.screenshot(pictures / "too_large_1280.png")
        visitor.send(small)
        assert visitor.message().startswith("small.nii.gz: ")
        assert browser.complaints() == []
        assert program.stop() == STOPPED_BY_CTRL_C


def test_a_space_asks_for_its_password_then_shows_the_truth_of_examples(browser, tmp_path, pictures):  # noqa: F811
    space, port = filled_space(tmp_path), free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    environment |= {"MONAI_GI_APP_AUTH": "reader:secret", "GRADIO_SERVER_PORT": str(port)}
    words = [sys.executable, str(space / HEADER["app_file"])]
    with served(words, port, tmp_path / "log.txt", environment) as program:
        with pytest.raises(HTTPError, match="401"):
            urlopen(program.url + "config", timeout=60)
        browser.driver.get(program.url)
        browser.find("input[type=password]")
        assert INTENDED_USE in browser.text()
        browser.screenshot(pictures / "login_1280.png")
        log_in(browser, "reader", "guess")
        browser.until("a refusal", lambda: "Incorrect Credentials" in browser.text())
        log_in(browser, "reader", "secret")
        browser.find("#message .gi-message")
        assert "monai-gi app --bundle" in browser.text()
        visitor = Visitor(browser, program.url)
        for name, classes in EXAMPLES.items():
            visitor.answered(lambda name=name: browser.click(f"#example-{name}"))
            browser.until("truth is drawn", lambda: visitor.outlined("gi-truth"))
            assert visitor.outlined("gi-truth") <= classes
            assert not browser.shown("#contour:enabled")
            browser.screenshot(pictures / f"example_{name}_1280.png")
        browser.resize(*PHONE)
        assert outside(browser) == []
        browser.becomes([], lambda: pale_texts(browser))
        browser.screenshot(pictures / "example_slide_390.png")
        assert browser.foreign_requests(program.url) == []
        assert program.stop() == STOPPED_BY_CTRL_C
    assert "Traceback" not in program.log.read_text()


def log_in(browser, user, password):
    for css, text in (("input[type=text]", user), ("input[type=password]", password)):
        browser.find(css).send_keys(text)
    browser.click("button.primary")
