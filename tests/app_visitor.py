"""A person at the page of `monai-gi app`, and what the page is to show of drawn series."""

import re
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from pydicom import dcmread

from monai_gi.datasets.phantom.dicom import plan_dicom, write_drawn
from monai_gi.dicom.series import Series, find_series
from monai_gi.drawing import DRAWN
from monai_gi.labels import ORGAN_NAMES
from monai_gi.readers.dicom import read_series
from monai_gi.writers.rtstruct import write_rtstruct
from tests.brightness_bundle import brightness_masks
from tests.headless_chromium import Browser, Keys

PATIENT = "Doe^Jane"
SPACING_MM = 3.0
SIZE = (120, 160)
GREYS, STEP = 15, 40
MOVED = (1, 3, 1)
WAITING = "(the test waits)"


@dataclass(frozen=True)
class DrawnUpload:
    """A drawn series, zipped as people zip theirs.

    Attributes:
        archive: the zip.
        truth: RTSTRUCT of other contours.
        files: what is in the zip.
        series: as read from its folder.
        voxels: (H, W, D) uint16.
        affine_lps: (4, 4), of the voxels.
        found: (3, H, W, D) bool, what the network of brightness is to find.
        others: (3, H, W, D) bool, what those enclose: what is to be found, moved by another way for each organ.
    """

    archive: Path
    truth: Path
    files: tuple[Path, ...]
    series: Series
    voxels: np.ndarray
    affine_lps: np.ndarray
    found: np.ndarray
    others: np.ndarray

    def volumes(self) -> list[list[str]]:
        """Rows of the page's table."""
        rows, voxel_ml = [], abs(float(np.linalg.det(self.affine_lps[:3, :3]))) / 1000
        for name, mask in zip(ORGAN_NAMES, self.found, strict=True):
            slices = np.flatnonzero(mask.any(axis=(0, 1))) + 1
            rows.append([name.replace("_", " "), f"{mask.sum() * voxel_ml:.1f}", f"{slices[0]}–{slices[-1]}"])
        return rows

    def dice(self) -> list[str]:
        """Of what is found against the other contours, as the page writes it."""
        pairs = zip(self.found, self.others, strict=True)
        return [f"{2 * (a & b).sum() / (a.sum() + b.sum()):.3f}" for a, b in pairs]

    def organs(self, position: int, masks: np.ndarray | None = None) -> set[str]:
        """Names of the organs that are to be found on a slice, counted from 0; or those of other masks."""
        masks = self.found if masks is None else masks
        return {name for name, mask in zip(ORGAN_NAMES, masks, strict=True) if mask[..., position].any()}


def draw_upload(folder: Path, *, kind: str = "axial", slices: int = 12, seed: int = 0) -> DrawnUpload:
    """Draw one series with a patient's name in its files."""
    (drawn,) = plan_dicom(folder / "dicom", kinds=(kind,), slices=slices, seed=seed, size=SIZE, spacing_mm=SPACING_MM)
    # As few grey values as 16 bits of any kind keep apart: the network finds the same in every precision.
    shares = np.rint(drawn.voxels / drawn.voxels.max() * GREYS)
    drawn = replace(drawn, voxels=(shares * STEP).astype(np.uint16))
    files = tuple(write_drawn(drawn))
    for path in files:
        header = dcmread(path)
        header.PatientName = PATIENT
        header.save_as(path)
    (series,) = find_series(drawn.folder)
    truth = folder / "contours.dcm"
    found = brightness_masks(drawn.values)
    others = np.stack([np.roll(mask, way, axis=1) for mask, way in zip(found, MOVED, strict=True)])
    write_rtstruct(truth, read_series(series), others, DRAWN)
    archive = Path(shutil.make_archive(str(folder / "scan"), "zip", drawn.folder))
    return DrawnUpload(archive, truth, files, series, drawn.voxels, drawn.affine_lps, found, others)


class Visitor:
    """Somebody who uses the page.

    Args:
        browser: of their own.
        url: of the app.
    """

    def __init__(self, browser: Browser, url: str) -> None:
        self.browser, self.url = browser, url

    def enter(self) -> None:
        """Load the page anew: a new session."""
        self.browser.driver.get(self.url)
        self.browser.find("#message .gi-message")

    def send(self, *files: Path) -> None:
        """Upload images and wait for the answer."""
        self.answered(lambda: self.browser.upload("#upload input[type=file]", *files))

    def compare(self, *files: Path) -> None:
        """Upload a truth and wait for the answer."""
        self.answered(lambda: self.browser.upload("#truth input[type=file]", *files))

    def contour(self) -> None:
        """Press the button and wait until it is done."""
        self.browser.click("#contour")
        self.contoured()

    def example(self, name: str) -> None:
        """Take an example and wait until it is contoured."""
        self.browser.click(f"#example-{name}")
        self.contoured()

    def contoured(self) -> None:
        """Wait until the page tells that it is done."""
        self.browser.until("contours", lambda: self.message().startswith("Contoured in"))

    def answered(self, act) -> None:
        """Do something, then wait until the page has answered and nothing runs."""
        # Gradio changes what stands there in place: a word that the app never says tells old from new.
        self.browser.driver.execute_script(
            "document.querySelector('#message .gi-message').textContent = arguments[0]", WAITING
        )
        act()
        self.browser.until("the page answers", lambda: self._is_answered())

    def _is_answered(self) -> bool:
        # In this order: what is new may be how far the work is.
        is_new = self.message() != WAITING
        return is_new and not self.browser.all("#message .gi-busy") and not self.browser.shown("#cancel:enabled")

    def message(self) -> str:
        """What the page says."""
        return self.browser.shown("#message .gi-message")[0].text

    def position(self) -> int:
        """Of the slice that is shown, from 0."""
        return int(self.browser.all("#viewer svg")[0].get_attribute("data-position"))

    def at(self, position: int) -> None:
        """Wait until a slice is shown."""
        self.browser.until(f"slice {position + 1} is shown", lambda: self.position() == position)

    def slide(self, name: str, *keys: str) -> None:
        """Keys to a slider."""
        self.browser.find(f"#{name} input[type=range]").send_keys(*keys)

    def outlined(self, kind: str = "gi-found") -> set[str]:
        """Organs that are drawn."""
        drawn = self.browser.driver.execute_script(
            "return [...document.querySelectorAll(arguments[0])].flatMap((one) => one.dataset.organ.split(' '))",
            f"#viewer .{kind}",
        )
        return set(drawn)

    def colors(self) -> dict[str, tuple[int, ...]]:
        """Red, green and blue of the lines around each organ, as the browser draws them."""
        script = (
            "return [...document.querySelectorAll('#viewer path.gi-found')]"
            ".map((one) => [one.dataset.organ, getComputedStyle(one).stroke])"
        )
        found = dict(self.browser.driver.execute_script(script))
        return {name: tuple(int(part) for part in re.findall(r"\d+", color)) for name, color in found.items()}

    def switch(self, name: str) -> None:
        """Turn an organ on or off."""
        self.browser.click(f"#organ-{name} input")

    def table(self) -> list[list[str]]:
        """Cells of the table of volumes."""
        script = (
            "return [...document.querySelectorAll('#volumes tbody tr')]"
            ".map((row) => [...row.children].map((cell) => cell.innerText.trim()))"
        )
        return list(self.browser.driver.execute_script(script))

    def offered(self) -> list[str]:
        """Names of the files to download."""
        return [link.get_attribute("download") for link in self.browser.all("#downloads a")]

    def download(self, name: str) -> Path:
        """Click on a file's link."""
        self.browser.click(f"#downloads a[download='{name}']")
        return self.browser.downloaded(name)


__all__ = ["PATIENT", "DrawnUpload", "Keys", "Visitor", "draw_upload"]
