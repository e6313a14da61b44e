"""What `predict` does with a slide takes memory for its width, not for its height."""

import numpy as np
import pytest
import torch

from monai_gi.provenance import Provenance
from monai_gi.slide_contouring import DEFAULT_FORMATS
from monai_gi.streaming import SlideSettings, stream_blocks
from monai_gi.streaming.slide_results import SlideJob, SlideResults
from tests.drawn_tissue import CLASSES, PAINTED, drawn_labels
from tests.live_memory import most_bytes

WIDTH = 101
LOW, TALL = 780, 2340  # both with a pyramid, and more rows of tiles than may wait to be written
SETTINGS = SlideSettings(roi_size=(48, 64), levels=(0,), classes=CLASSES, amp=False)
SLACK = 1.1


def color_network():
    """The class whose colour is the nearest, by one convolution."""
    colors = torch.from_numpy(PAINTED).float() / 255
    network = torch.nn.Conv2d(3, len(CLASSES), 1)
    network.load_state_dict({"weight": 400 * colors[..., None, None], "bias": -200 * (colors**2).sum(dim=1)})
    return network


class PaintedSlide:
    """A slide whose pixels are made when they are read; its thumbnail is as small for every height."""

    kind, mpp = "drawn", None

    def __init__(self, height):
        self.size = (height, WIDTH)
        self.rows = PAINTED[drawn_labels(80, WIDTH)]

    def read(self, level, top, left, height, width):
        columns = slice(left, left + width)
        region = np.full((height, width, 3), 255, dtype=np.uint8)
        known = self.rows[np.arange(top, min(top + height, self.size[0])) % len(self.rows), columns]
        region[: len(known), : known.shape[1]] = known
        return region

    def thumbnail(self, longest):
        return np.full((40, 30, 3), 120, dtype=np.uint8)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass


def results_of(folder, height, monkeypatch):
    (folder / "slide.tif").write_bytes(b"drawn")
    job = SlideJob(
        network=color_network(),
        settings=SETTINGS,
        output=folder,
        provenance=Provenance("painted", "1", "0" * 64, "1"),
        formats=DEFAULT_FORMATS,
        device=torch.device("cpu"),
    )
    results = SlideResults(f"slide_{height}", folder / "slide.tif", job)
    assert results.predicted_with["input_sha256"]  # kept; hashing takes a megabyte for any slide
    monkeypatch.setattr(results, "opened", lambda: PaintedSlide(height))
    return results


@pytest.mark.slow
def test_predicting_a_slide_of_three_times_the_height_takes_no_more_memory(tmp_path, monkeypatch):
    first, low, tall = (results_of(tmp_path, height, monkeypatch) for height in (100, LOW, TALL))
    first.write(lambda blocks: None)  # what is imported and kept only once
    (python, tensors), (python_tall, tensors_tall) = (
        most_bytes(lambda one=one: one.write(lambda blocks: None)) for one in (low, tall)
    )
    assert tensors_tall < SLACK * tensors
    assert python_tall < SLACK * python


@pytest.mark.parametrize("kept", ["probabilities", "labels"])
def test_the_measure_sees_answers_that_are_kept(kept):
    def collect(height):
        answers = []
        for band in stream_blocks(PaintedSlide(height), color_network(), SETTINGS):
            answers += [getattr(block, kept) for block in band.blocks]

    low, tall = (most_bytes(lambda height=height: collect(height))[1] for height in (200, 800))
    assert tall > SLACK * low
