"""Frames in an evaluator: pictures for TensorBoard, files of a prediction that goes on, overlap of each frame."""

import io
import math
import re

import numpy as np
import pytest
import torch
from ignite.engine import Engine, Events
from monai.data import DataLoader
from monai.engines import SupervisedEvaluator
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from monai_gi.errors import DataError
from monai_gi.handlers import (
    FrameImagesHandler,
    FrameWriter,
    OrganOverlap,
    ProgressHandler,
    index_frames,
    key_overlap,
    unfinished,
)
from monai_gi.handlers.event_files import close_event_writers
from monai_gi.handlers.frame_images import telling_frames
from tests.drawn_polyps import SIZE, draw_frame, write_frames


def item_of(number, group, size=SIZE):
    frame, mask = draw_frame(number, size)
    image = torch.from_numpy(np.moveaxis(frame, -1, 0).astype(np.float32) / 255)
    return {"id": f"frame_{number}", "group": group, "image": image, "label": torch.from_numpy(mask)[None].float()}


ITEMS = [item_of(number, group) for number, group in enumerate("aaabbc")]


def evaluate(handler, items=ITEMS, *, epoch=1, stop_after=None, classes=1):
    """Run an evaluator whose prediction is the truth moved three pixels to the right; `classes` copies of it."""
    truths = iter([item["label"] for item in items])

    def infer(inputs, network):
        return next(truths)[None].roll(3, dims=-1).expand(-1, classes, -1, -1)

    evaluator = SupervisedEvaluator(
        device="cpu",
        val_data_loader=DataLoader(items, batch_size=1),
        network=torch.nn.Identity(),
        inferer=infer,
        val_handlers=[handler],
    )
    if stop_after is not None:

        def stop():
            raise KeyboardInterrupt

        evaluator.add_event_handler(Events.ITERATION_COMPLETED(once=stop_after), stop)
    evaluator.run(epoch)


# ---- pictures


def pictures_of(folder, **settings):
    handler = FrameImagesHandler(folder, ITEMS, **settings)
    for epoch in (1, 2):
        evaluate(handler, epoch=epoch)
    close_event_writers(folder)
    events = EventAccumulator(str(folder / "validation"), size_guidance={"images": 0}).Reload()
    return {
        tag: [(one.step, one.encoded_image_string) for one in events.Images(tag)] for tag in events.Tags()["images"]
    }


def test_the_same_frames_return_at_every_validation(tmp_path):
    pictures = pictures_of(tmp_path, count=3)
    assert set(pictures) == {"frame_1", "frame_4", "frame_5"}
    assert all([step for step, _ in shown] == [1, 2] for shown in pictures.values())


def test_a_picture_shows_the_colours_of_the_frame_and_the_polyp(tmp_path):
    ((_, encoded), _) = pictures_of(tmp_path, count=1, upscale=2)["frame_4"]
    picture = np.asarray(Image.open(io.BytesIO(encoded)).convert("RGB")).astype(int)
    assert picture.shape[1] > 3 * 2 * SIZE[1]
    corner = picture[26 + 4 + 60 : 26 + 4 + 68, 10:40]  # of the frame, below the caption and left of the polyp
    assert (corner[..., 0] - corner[..., 2]).mean() > 60, "mucosa is red: nothing is drawn in grey or exchanged"
    is_polyp_blue = (np.abs(picture - (86, 180, 233)).max(axis=-1) < 40).any(axis=0)
    thirds = [part.any() for part in np.array_split(is_polyp_blue, 3)]
    assert thirds[1:] == [True, True]


@pytest.mark.parametrize(
    ("count", "wanted"), [(1, [4]), (2, [1, 5]), (3, [1, 4, 5]), (5, [0, 2, 3, 4, 5]), (100, [0, 1, 2, 3, 4, 5])]
)
def test_frames_are_spread_over_groups_and_within_them(count, wanted):
    assert telling_frames(ITEMS, count) == [f"frame_{number}" for number in wanted]
    assert telling_frames([], count) == []


def test_progress_counts_frames():
    stream = io.StringIO()
    evaluate(ProgressHandler(0, "judging", stream, unit="frame"))
    assert re.search(r"judging frame 6/6  \d+ frames/s", stream.getvalue())
    assert "scan" not in stream.getvalue()


def test_progress_counts_patches_in_batches():
    stream = io.StringIO()
    evaluate(ProgressHandler(0, stream=stream, unit="patch"))
    assert re.search(r"validation batch 6/6  \d+ patches/s", stream.getvalue())


# ---- files


def test_masks_and_overlays_are_written_by_frame(tmp_path):
    evaluate(FrameWriter(tmp_path))
    assert not (tmp_path / "parts").exists()
    for number, item in enumerate(ITEMS):
        mask = np.asarray(Image.open(tmp_path / f"frame_{number}" / "mask.png"))
        assert np.array_equal(mask, item["label"][0].roll(3, dims=-1).numpy() * 255)
        overlay = np.asarray(Image.open(tmp_path / f"frame_{number}" / "overlay.png")).astype(int)
        assert overlay.ndim == 3
        assert (np.abs(overlay - (86, 180, 233)).max(axis=-1) < 40).any()


def test_only_the_formats_asked_for_and_a_mask_a_class(tmp_path):
    evaluate(FrameWriter(tmp_path / "masks", ["mask"], classes=("polyp", "tool")), classes=2)
    assert {path.name for path in (tmp_path / "masks").glob("*/*")} == {"mask_polyp.png", "mask_tool.png"}
    evaluate(FrameWriter(tmp_path / "overlays", ["overlay"]))
    assert {path.name for path in (tmp_path / "overlays").glob("*/*")} == {"overlay.png"}


def test_a_stopped_run_goes_on_with_the_same_settings_only(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        evaluate(FrameWriter(tmp_path, settings={"thresholds": 0.5}), stop_after=4)
    left = unfinished(ITEMS, tmp_path)
    assert [item["id"] for item in left] == ["frame_4", "frame_5"]
    with pytest.raises(DataError, match=r"predicted with other settings: thresholds\. Remove"):
        evaluate(FrameWriter(tmp_path, settings={"thresholds": 0.4}), left)
    evaluate(FrameWriter(tmp_path, settings={"thresholds": 0.5}), left)
    assert len(list(tmp_path.glob("*/mask.png"))) == 6
    assert unfinished(ITEMS, tmp_path) == ITEMS


def test_formats_that_are_none_are_refused(tmp_path):
    for formats in ([], ["nifti"], "mask"):
        with pytest.raises(ValueError, match=r"formats: .* wanted a list of some of"):
            FrameWriter(tmp_path, formats)


def test_colour_frames_of_a_folder_are_listed_and_masks_left_out(tmp_path):
    write_frames(tmp_path / "data")
    both = tmp_path / "data" / "image"
    (tmp_path / "data" / "label" / "1.png").rename(both / "mask_1.png")
    items = index_frames(both)
    assert [item["id"] for item in items] == ["1", "2", "3", "4", "5", "6"]
    assert items[0]["image"] == str(both / "1.png")
    assert [item["id"] for item in index_frames(both / "3.png")] == ["3"]
    with pytest.raises(DataError, match="all 5 pictures are grey"):
        index_frames(tmp_path / "data" / "label")
    with pytest.raises(DataError, match="no such file or folder; name pictures with --input_dir"):
        index_frames(tmp_path / "absent")


# ---- overlap of each frame


def mask_of(*rows):
    return torch.tensor([[int(digit) for digit in row] for row in rows])[None, None].float()


PAIRS = [
    (mask_of("1100", "0000"), mask_of("1110", "0000")),  # Dice 4/5, IoU 2/3
    (mask_of("0000", "0011"), mask_of("1000", "0000")),  # 0
    (mask_of("0000", "0000"), mask_of("0000", "0000")),  # nothing to judge
]


def numbers_of(pairs, **settings):
    metric = OrganOverlap(organs=("polyp",), **settings)
    for pair in pairs:
        metric.update(pair)
    return metric.compute()


def test_each_frame_counts_the_same_whatever_the_batches_are():
    batch = tuple(torch.cat(side) for side in zip(*PAIRS, strict=True))
    for pairs in (PAIRS, [batch]):
        numbers = numbers_of(pairs, per_image=True)
        assert numbers["mean_dice"] == numbers["dice_polyp"] == pytest.approx((4 / 5 + 0) / 2)
        assert numbers["mean_iou"] == numbers["iou_polyp"] == pytest.approx((2 / 3 + 0) / 2)
    assert numbers_of(PAIRS)["mean_dice"] == pytest.approx(2 * 2 / (4 + 4)), "pooled, for comparison"


def test_frames_without_anything_to_judge_give_no_best_metric():
    numbers = numbers_of(PAIRS[2:], per_image=True)
    assert math.isnan(numbers["dice_polyp"])
    assert numbers["mean_dice"] == numbers["mean_iou"] == 0.0


@pytest.mark.parametrize(("measure", "value"), [("dice", 0.4), ("iou", 1 / 3)])
def test_the_key_metric_is_the_measure_asked_for(measure, value):
    ((name, metric),) = key_overlap(measure, "val_", organs=("polyp",), per_image=True).items()
    assert name == f"val_mean_{measure}"
    engine = Engine(lambda engine, pair: {"pred": pair[0], "label": pair[1]})
    metric.attach(engine, name)
    engine.run(PAIRS)
    assert engine.state.metrics[name] == pytest.approx(value)
    assert engine.state.metrics["val_mean_dice"] == pytest.approx(0.4)
    assert engine.state.metrics["val_mean_iou"] == pytest.approx(1 / 3)


def test_another_measure_is_refused():
    with pytest.raises(ValueError, match="key_metric: 'f1', wanted 'dice' or 'iou'"):
        key_overlap("f1")
