"""Slides contoured for the page, as `monai-gi predict` does."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from monai_gi.app.cases import Results
from monai_gi.app.jobs import Report
from monai_gi.app.slides import SlideCase
from monai_gi.outputs import FORMATS_OF_KIND
from monai_gi.provenance import Provenance
from monai_gi.slides import open_slide
from monai_gi.streaming import SlideSettings
from monai_gi.streaming.label_files import blocks_in
from monai_gi.streaming.label_pass import LabelPass
from monai_gi.streaming.slide_results import LABELS, SlideJob, SlideResults, probability_name

_NAME = "slide"
_PROBABILITY_PIXELS = 60_000_000


class SlideEngine:
    """Predicts slides with one bundle.

    Args:
        network: of the bundle, on the device.
        settings: of the bundle.
        provenance: of the bundle.
        device: of the network.
        max_pixels: of pictures that have to be decoded whole.

    Attributes:
        kind: "slides".
    """

    kind = "slides"

    def __init__(
        self,
        network: torch.nn.Module,
        settings: SlideSettings,
        provenance: Provenance,
        device: torch.device,
        *,
        max_pixels: int,
    ) -> None:
        self.network, self.settings, self.provenance, self.device = network, settings, provenance, device
        self.max_pixels = max_pixels
        self.all_classes = settings.classes
        self.classes = settings.classes[1:]

    def contour(self, case: SlideCase, folder: Path, report: Report) -> SlideCase:
        """Predict a slide and write its results.

        Args:
            case: to be predicted.
            folder: for the results, empty.
            report: is told of every window, and may end the work.

        Returns:
            The case with its results.
        """
        report("Looking for tissue")
        formats = FORMATS_OF_KIND["slide"]
        if case.size[0] * case.size[1] > _PROBABILITY_PIXELS:  # six more images of the slide's size
            formats = tuple(name for name in formats if name != "probability")
        job = SlideJob(
            network=self.network,
            settings=self.settings,
            output=folder,
            provenance=self.provenance,
            formats=formats,
            device=self.device,
            max_pixels=self.max_pixels,
        )
        with open_slide(case.path, max_pixels=self.max_pixels) as slide:
            total = blocks_in(slide, self.settings)
        done = 0

        def count(more: int) -> None:
            nonlocal done
            done += more
            report(f"Contouring window {done} of {total}", done / total)

        SlideResults(_NAME, case.path, job).write(count)
        report("Drawing")
        return self._read(case, folder / _NAME).with_truth(case.truth_path, self.max_pixels, report)

    def _read(self, case: SlideCase, folder: Path) -> SlideCase:
        """The results as the page shows them."""
        labels = LabelPass(folder / LABELS, len(self.all_classes), case.thumbnail.shape[:2])
        for _ in labels.rows():
            pass
        paths = [folder / probability_name(name) for name in self.classes]
        certain = tuple(_thumbnail(path, case.thumbnail.shape[:2]) for path in paths if path.is_file())
        notes = () if certain else ("Large slides have no probability view.",)
        return replace(
            case,
            found=labels.small,
            pixels=tuple(int(one) for one in labels.pixels),
            level=self.settings.levels[0],
            certain=certain,
            results=Results({path.name: path for path in sorted(folder.iterdir(), key=_importance)}, notes),
        )


def _thumbnail(path: Path, size: tuple[int, ...]) -> np.ndarray:
    """A grey image of this package in a thumbnail's size (h, w)."""
    labels = LabelPass(path, 256, size)
    for _ in labels.rows():
        pass
    return labels.small


def _importance(path: Path) -> tuple[bool, str]:
    return path.name.startswith("probability"), path.name
