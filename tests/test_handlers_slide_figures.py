"""Figures of slides in TensorBoard: drawn at the epoch, from the pixels of each slide's patches."""

import numpy as np
import pytest
import torch
from monai.engines import SupervisedEvaluator
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.utils.data import DataLoader

from monai_gi.augmentation import SlideAugmentation
from monai_gi.handlers import SlideFiguresHandler
from monai_gi.handlers.event_files import close_event_writers

CLASSES = ("background", "tubule", "vessel")
ITEMS = [{"id": "s0", "group": "p0"}, {"id": "s1", "group": "p1"}]
TRUTH = np.array([[0, 1, 2, 2], [0, 1, 1, 2]], dtype=np.uint8)


class Painted(torch.nn.Module):
    """Logits that call a pixel what its red says."""

    def forward(self, image):
        called = (image[:, :1] * 10).round()
        return -(called - torch.arange(3.0)[None, :, None, None]).abs()


def patch(slide, called):
    image = torch.from_numpy(np.stack([called] * 3)).float() / 10
    return {"image": image, "label": torch.from_numpy(TRUTH), "id": slide}


def run(folder, patches, epochs=(1,), **settings):
    handler = SlideFiguresHandler(folder, ITEMS, **{"classes": CLASSES, **settings})
    evaluator = SupervisedEvaluator(
        device="cpu",
        val_data_loader=DataLoader(patches, batch_size=2),
        network=Painted(),
        prepare_batch=SlideAugmentation(augment=False),
        decollate=False,
        val_handlers=[handler],
    )
    for epoch in epochs:
        evaluator.run(epoch)
    close_event_writers(folder)
    return handler


@pytest.fixture
def plain(monkeypatch):
    monkeypatch.setattr("monai_gi.handlers.figures.as_pixels", lambda charts, columns: np.zeros((4, 4, 3), np.uint8))


PATCHES = [patch("s0", TRUTH), patch("s1", TRUTH), patch("s1", np.zeros_like(TRUTH))]


def test_the_figures_of_the_report_are_written_at_the_epoch(tmp_path):
    run(tmp_path, PATCHES, epochs=(1, 2, 3), every=2)
    events = EventAccumulator(str(tmp_path / "validation"), size_guidance={"images": 0}).Reload()
    assert set(events.Tags()["images"]) == {"figures/scores", "figures/confusion"}
    assert [image.step for image in events.Images("figures/confusion")] == [2]
    assert events.Images("figures/scores")[0].width > 800


def test_pixels_of_a_slide_are_added_up_and_those_of_the_last_epoch_forgotten(tmp_path, plain):
    handler = run(tmp_path, PATCHES, epochs=(1, 2))
    assert handler.scores["s0"].tolist() == [[2, 0, 0], [0, 3, 0], [0, 0, 3]]
    assert handler.scores["s1"].tolist() == [[4, 0, 0], [3, 3, 0], [3, 0, 3]]


def test_scores_of_all_processes_are_joined_by_slide(tmp_path, plain):
    handler = run(tmp_path, PATCHES)
    judged = handler.judged([*handler.scores.items(), ("s0", np.diag([0, 4, 0]))])
    assert judged.number("dice", "tubule")["mean"] == pytest.approx((1 + 6 / 9) / 2, abs=1e-4)
    assert judged.summary["groups"] == 2
    assert judged.summary["confusion"]["pixels"][1] == [3, 10, 0]


def test_no_epoch_at_all_and_labels_that_are_no_class_are_refused(tmp_path, plain):
    with pytest.raises(ValueError, match="every: 0, wanted 1 or more epochs"):
        run(tmp_path, PATCHES, every=0)
    with pytest.raises(ValueError, match="class index 2, there are 2 classes"):
        run(tmp_path, PATCHES, classes=CLASSES[:2])
