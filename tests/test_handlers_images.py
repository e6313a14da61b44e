"""Pictures in TensorBoard: the same telling slices at each validation, drawn by the package's panel."""

import io

import numpy as np
import pytest
import torch
from ignite.engine import Events
from monai.data import DataLoader
from monai.engines import SupervisedEvaluator
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from monai_gi.handlers import ImagesHandler
from monai_gi.handlers.event_files import close_event_writers
from monai_gi.handlers.images import telling_slices

DEPTH = 20


def label_of(organs_at):
    """Masks (3, 12, 18, 20) with the given organs on the given slices."""
    label = torch.zeros(3, 12, 18, DEPTH)
    for position, organs in organs_at.items():
        for organ in organs:
            label[organ, 3:8, 2 + organ * 4 : 9 + organ * 4, position] = 1
    return label


def scan(name, organs_at, *, has_truth=True):
    item = {
        "id": name,
        "group": name.split("_")[0],
        "slice_ids": [f"{name}_slice_{i + 1:04d}" for i in range(DEPTH)],
        "spacing_mm": [1.5, 1.5, 3.0],
        "image": torch.rand(1, 12, 18, DEPTH),
    }
    return {**item, "label": label_of(organs_at)} if has_truth else item


SCANS = [
    scan("case1_day0", {4: [0], 9: [0, 1, 2], 10: [0, 1, 2], 16: [0, 1]}),
    scan("case2_day0", {2: [2]}),
    scan("case3_day0", {5: [1], 15: [1]}),
]


def pictures_of(folder, scans=SCANS, epochs=(1, 2), **settings):
    """{tag: [(step, picture), ...]} after validations in the given epochs."""
    evaluator = SupervisedEvaluator(
        device="cpu",
        val_data_loader=DataLoader(scans, batch_size=1),
        network=torch.nn.Identity(),
        inferer=lambda image, network: (image > 0.5).float().expand(-1, 3, -1, -1, -1),
        prepare_batch=lambda batch, *_, **__: (batch["image"], batch.get("label")),
        val_handlers=[ImagesHandler(folder, **settings)],
    )
    for epoch in epochs:
        evaluator.run(epoch)
    close_event_writers(folder)
    if not (folder / "validation").exists():
        return {}
    events = EventAccumulator(str(folder / "validation"), size_guidance={"images": 0}).Reload()
    return {tag: [(e.step, _decoded(e)) for e in events.Images(tag)] for tag in events.Tags()["images"]}


def _decoded(event):
    return np.asarray(Image.open(io.BytesIO(event.encoded_image_string)))


def test_same_telling_slices_return_in_every_epoch(tmp_path):
    pictures = pictures_of(tmp_path)
    assert set(pictures) == {
        "case1_day0_slice_0010",
        "case1_day0_slice_0017",
        "case2_day0_slice_0003",
        "case3_day0_slice_0006",
        "case3_day0_slice_0016",
    }
    assert all([step for step, _ in shown] == [1, 2] for shown in pictures.values())
    picture = pictures["case2_day0_slice_0003"][0][1]
    assert picture.shape[2] == 3
    assert picture.shape[1] > 3 * 18  # slice, truth and prediction side by side
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 50


def test_count_and_share_of_a_scan_are_kept(tmp_path):
    assert set(pictures_of(tmp_path / "a", count=2)) == {"case1_day0_slice_0010", "case1_day0_slice_0017"}
    assert len(pictures_of(tmp_path / "b", per_scan=1)) == 3


def test_upscale_makes_larger_pictures(tmp_path):
    small, large = (pictures_of(tmp_path / str(scale), upscale=scale, count=1) for scale in (1, 4))
    assert large["case1_day0_slice_0010"][0][1].shape[1] >= 3 * small["case1_day0_slice_0010"][0][1].shape[1]


def test_scan_without_truth_shows_slice_and_prediction(tmp_path):
    pictures = pictures_of(tmp_path, [scan("case4_day1", {}, has_truth=False)], count=3, per_scan=2)
    assert set(pictures) == {"case4_day1_slice_0006", "case4_day1_slice_0016"}


def test_only_process_zero_draws(tmp_path):
    evaluator = SupervisedEvaluator(device="cpu", val_data_loader=[{}], network=torch.nn.Identity())
    evaluator.state.rank = 1
    ImagesHandler(tmp_path).attach(evaluator)
    assert not evaluator._event_handlers[Events.ITERATION_COMPLETED]


@pytest.mark.parametrize(
    ("organs_at", "count", "slices"),
    [
        ({4: [0], 9: [0, 1], 12: [2]}, 1, [9]),
        ({9: [0, 1], 10: [0, 1], 11: [0, 1], 15: [0]}, 3, [9, 11, 15]),  # an eighth of the scan apart
        ({3: [0]}, 4, [3]),
        ({}, 2, [5, 15]),
    ],
)
def test_most_organs_first_then_spread(organs_at, count, slices):
    assert telling_slices(label_of(organs_at).numpy(), count) == slices


def test_more_pixels_win_among_equal_organs():
    label = label_of({3: [0], 12: [0]})
    label[0, 8, 2, 12] = 1
    assert telling_slices(label.numpy(), 1) == [12]


def test_scan_of_one_slice_gives_that_slice():
    assert telling_slices(1, 3) == [0]
