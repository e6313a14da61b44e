"""PictureReader in MONAI's LoadImaged."""

import numpy as np
import pytest
from monai.transforms import LoadImage, LoadImaged
from PIL import Image

from monai_gi.errors import DataError
from monai_gi.readers import PictureReader
from tests.drawn_frames import draw_frame

PICTURE, MASK = draw_frame(1)


@pytest.fixture
def item(tmp_path):
    Image.fromarray(PICTURE).save(tmp_path / "1.png")
    Image.fromarray(np.where(MASK, 130, 120).astype(np.uint8)).save(tmp_path / "1_mask.png")
    return {"image": str(tmp_path / "1.png"), "label": str(tmp_path / "1_mask.png")}


def test_channels_come_first_and_nothing_is_transposed(item):
    image = LoadImaged("image", PictureReader(), ensure_channel_first=True, dtype=np.uint8)(item)["image"]
    label = LoadImaged("label", PictureReader(mask=True), ensure_channel_first=True)(item)["label"]
    assert np.array_equal(image.numpy(), np.moveaxis(PICTURE, 2, 0))
    assert np.array_equal(label.numpy(), MASK[None])
    assert image.meta["spatial_shape"].tolist() == list(MASK.shape)
    assert image.affine.tolist() == np.eye(4).tolist()


def test_threshold_and_budget_reach_the_file(item):
    label = LoadImaged("label", PictureReader(mask=True, threshold=110))(item)["label"]
    assert label.min() == 1
    with pytest.raises(DataError, match="over the budget of 9"):
        LoadImaged("image", PictureReader(max_pixels=9))(item)
    with pytest.raises(DataError, match="over the budget of 9"):
        LoadImaged("label", PictureReader(mask=True, max_pixels=9))(item)


def test_a_faulty_file_is_told_and_no_other_reader_tried(tmp_path):
    (tmp_path / "a.xyz").write_bytes(b"")
    with pytest.raises(DataError, match="is empty"):
        LoadImage(PictureReader(), image_only=True)(tmp_path / "a.xyz")


def test_several_paths_are_no_frame():
    with pytest.raises(ValueError, match="2 paths, wanted one"):
        PictureReader().read(["a.png", "b.png"])
