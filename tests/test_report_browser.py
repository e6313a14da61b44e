"""The report in a real browser, on a screen and on a phone: nothing asked for, nothing cut off, every picture drawn.

Screenshots are kept in MONAI_GI_SCREENSHOTS, or else in pytest's temporary folder.
"""

import os
from pathlib import Path

import pytest

from monai_gi.report import write_report
from tests.drawn_runs import draw_frames, draw_scans, draw_slides, write_run
from tests.headless_chromium import Browser, needs_chromium
from tests.page_checks import pale_texts

pytestmark = [pytest.mark.slow, needs_chromium()]
DESK, PHONE = (1280, 900), (390, 844)
_DECODED = """
const [done] = arguments;
const tries = [...document.images].map((one) => one.decode().then(() => one.naturalWidth > 0, () => false));
Promise.all(tries).then(done);
"""
_SCROLLED = """
return [...document.querySelectorAll(".scroll")].filter((one) => one.scrollWidth > one.clientWidth + 1)
  .map((one) => one.ariaLabel);
"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Of scans, frames and slides, and of two runs of each name."""
    root = tmp_path_factory.mktemp("pages")
    runs = {
        "scans": write_run(root / "segformer", scores=draw_scans(8, shift=2)),
        "frames": write_run(root / "polyps", scores=draw_frames(10), curves=False),
        "slides": write_run(root / "biopsy", scores=draw_slides(), curves=False),
    }
    other = write_run(root / "context_unet", scores=draw_scans(8, shift=1), curves=False)
    written = {name: write_report([run], root / f"{name}.html") for name, run in runs.items()}
    return written | {"comparison": write_report([other, runs["scans"]], root / "comparison.html")}


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    browser = Browser(tmp_path_factory.mktemp("browser"), *DESK)
    yield browser
    browser.close()


@pytest.mark.parametrize("kind", ["scans", "frames", "slides", "comparison"])
@pytest.mark.parametrize("size", [DESK, PHONE])
def test_a_report_is_whole_and_fits_the_window(kind, size, pages, browser, tmp_path):
    browser.resize(*size)
    browser.driver.get(pages[kind].as_uri())
    decoded = browser.driver.execute_async_script(_DECODED)
    assert len(decoded) >= 4
    assert all(decoded), "a picture can not be shown"
    assert browser.driver.execute_script("return document.documentElement.scrollWidth") <= size[0]
    if size == DESK:
        assert browser.driver.execute_script(_SCROLLED) == [], "a table is cut off where there is room"
    assert pale_texts(browser) == []
    assert browser.complaints() == []
    assert browser.foreign_requests("file:") == []
    folder = Path(os.environ.get("MONAI_GI_SCREENSHOTS", tmp_path))
    browser.screenshot(folder / f"report_{kind}_{size[0]}.png")
