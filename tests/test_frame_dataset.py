"""Frames in memory: pixels as stored, Pillow's resizing as the other library, and each fault in one clear message."""

import numpy as np
import pytest
import torch
from monai.transforms import EnsureChannelFirstd, LoadImaged, RandFlipd
from PIL import Image
from torch.utils.data import DataLoader

from monai_gi.augmentation import BatchAugmentation
from monai_gi.datasets.frame_dataset import FrameDataset
from monai_gi.errors import DataError, DataErrors
from monai_gi.readers import PictureReader
from tests.drawn_polyps import SIZE, write_frames

pytestmark = pytest.mark.filterwarnings("ignore:NvImgCodecPydicomReader")


def pipeline(keys=("image", "label")):
    readers = {"image": PictureReader(), "label": PictureReader(mask=True)}
    return [*(LoadImaged(key, reader=readers[key], dtype="uint8") for key in keys), EnsureChannelFirstd(keys)]


@pytest.fixture
def items(tmp_path):
    return write_frames(tmp_path)


def make(items, **settings):
    return FrameDataset(items, pipeline(), progress=False, **settings)


@pytest.mark.parametrize("cache_rate", [0.0, 0.5, 1.0])
def test_a_frame_comes_out_as_stored_rows_first(items, cache_rate):
    frames = make(items, cache_rate=cache_rate)
    assert len(frames) == 6
    for item, frame in zip(items, frames, strict=True):
        stored, mask = (np.asarray(Image.open(item[key])) for key in ("image", "label"))
        assert frame["image"].dtype == frame["label"].dtype == torch.uint8
        assert np.array_equal(np.moveaxis(frame["image"].numpy(), 0, -1), stored)
        assert np.array_equal(frame["label"].numpy()[0], mask > 127)
        assert {key: frame[key] for key in ("id", "group", "size")} == {
            key: item[key] for key in ("id", "group", "size")
        }
    assert frames[-1]["label"].sum() == 0
    with pytest.raises(IndexError):
        frames[6]


@pytest.mark.parametrize("size", [(18, 26), (20, 20), (50, 100)])
def test_frames_are_resized_as_pillow_does_it(items, size):
    frames = make(items, roi_size=size)
    for item, frame in zip(items, frames, strict=True):
        wanted = Image.open(item["image"]).resize(size[::-1], Image.Resampling.BILINEAR)
        difference = frame["image"].numpy().astype(int) - np.moveaxis(np.asarray(wanted), -1, 0)
        assert np.abs(difference).max() <= 1  # Pillow rounds after each of its two passes
        share = np.asarray(
            Image.open(item["label"]).convert("F").resize(size[::-1], Image.Resampling.BILINEAR), dtype=float
        )
        certain = np.abs(share - 127.5) > 1
        assert np.array_equal(frame["label"].numpy()[0][certain], (share > 127.5)[certain])


def test_held_frames_are_read_once_and_the_others_each_time(items, monkeypatch):
    reads = []
    get_data = PictureReader.get_data
    monkeypatch.setattr(PictureReader, "get_data", lambda self, path: reads.append(path) or get_data(self, path))
    frames = make(items, cache_rate=0.5)
    assert len(reads) == 3 * 2
    for _ in range(2):
        assert [frame["id"] for frame in frames] == [item["id"] for item in items]
    assert len(reads) == 3 * 2 + 2 * 3 * 2


def test_a_batch_becomes_what_the_network_takes(items):
    batch = next(iter(DataLoader(make(items, roi_size=(32, 48)), batch_size=4)))
    image, label = BatchAugmentation(augment=False, label_channels=1)(batch)
    assert (image.dtype, tuple(image.shape)) == (torch.float32, (4, 3, 32, 48))
    assert (label.dtype, tuple(label.shape)) == (torch.float32, (4, 1, 32, 48))
    assert torch.equal(image, batch["image"].double().div(255).float())
    assert set(label.unique().tolist()) == {0.0, 1.0}


def test_frames_without_truth_have_no_label(items):
    bare = [{"id": item["id"], "image": item["image"]} for item in items]
    frame = FrameDataset(bare, pipeline(("image",)), progress=False)[0]
    assert set(frame) == {"id", "image"}


def test_all_faulty_frames_are_named_at_once(items, tmp_path):
    Image.new("L", SIZE[::-1][::-1]).save(items[1]["label"])  # height and width exchanged
    (tmp_path / "image" / "4.png").write_bytes(b"")
    with pytest.raises(DataErrors, match="2 problems") as caught:
        make(items)
    assert "cvc_0002: mask and frame are 52x36 and 36x52 (height x width)" in str(caught.value)
    assert "4.png" in str(caught.value)


def test_a_frame_that_is_not_held_is_refused_when_it_is_asked_for(items):
    frames = make(items, cache_rate=0.0)
    Image.new("L", (7, 5)).save(items[0]["label"])
    with pytest.raises(DataError, match="mask and frame are 5x7 and 36x52"):
        frames[0]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda item: {**item, "image": item["image"] / 255}, "image holds .* wanted whole numbers 0 to 255"),
        (lambda item: {**item, "label": item["label"] * 255}, "label holds 0 to 255 .* wanted whole numbers 0 to 1"),
        (lambda item: {**item, "image": item["image"][:1]}, r"image has shape \(1, 36, 52\) .*, wanted \(3, H, W\)"),
        (lambda item: {**item, "label": item["label"][0]}, r"label has shape \(36, 52\) .*, wanted \(C, H, W\)"),
    ],
)
def test_a_transform_that_gives_something_else_is_refused(items, change, sentence):
    with pytest.raises(DataErrors, match=sentence):
        FrameDataset(items, [*pipeline(), change], progress=False)


def test_arguments_out_of_range_are_refused(items):
    with pytest.raises(ValueError, match=r"cache_rate: 1\.5, wanted a share"):
        make(items, cache_rate=1.5)
    with pytest.raises(ValueError, match=r"roi_size: \(0, 5\), wanted \(height, width\)"):
        make(items, roi_size=(0, 5))
    with pytest.raises(ValueError, match="RandFlipd is random"):
        FrameDataset(items, [*pipeline(), RandFlipd("image")], progress=False)
