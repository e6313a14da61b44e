"""ColorMapToLabeld by hand, on drawn non-square colour maps, and on real biopsy masks."""

import logging

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from PIL import Image

from monai_gi.errors import DataError
from monai_gi.transforms import ColorMapToLabeld

COLORS = [(0, 0, 0), (255, 0, 0), (0, 128, 255), (10, 10, 10)]
LABELS = np.array([[0, 1, 2, 3, 0], [3, 3, 2, 1, 1]], dtype=np.uint8)
IMAGE = np.array(COLORS, dtype=np.uint8)[LABELS]  # (H, W, 3)


def convert(image: np.ndarray, colors: list = COLORS, **options: object) -> np.ndarray:
    return ColorMapToLabeld("label", colors, **options)({"label": image, "id": "tile_7"})["label"]


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float32])
def test_place_in_the_table_is_the_label(dtype):
    for image in (IMAGE, np.moveaxis(IMAGE, 2, 0)):
        label_map = convert(image.astype(dtype))
        assert label_map.shape == (1, 2, 5)
        assert label_map.dtype == np.uint8
        assert np.array_equal(label_map[0], LABELS)


def test_order_of_the_table_is_the_users():
    swapped = [COLORS[i] for i in (2, 0, 3, 1)]
    assert np.array_equal(convert(IMAGE, swapped)[0], np.array([1, 3, 0, 2])[LABELS])


def test_metadata_stays():
    label = MetaTensor(torch.from_numpy(np.moveaxis(IMAGE, 2, 0).copy()), meta={"filename_or_obj": "tile.png"})
    label_map = ColorMapToLabeld("label", COLORS)({"label": label})["label"]
    assert isinstance(label_map, MetaTensor)
    assert label_map.dtype == torch.uint8
    assert label_map.meta["filename_or_obj"] == "tile.png"


def test_tolerance_takes_the_nearest_colour():
    image = np.array([[[3, 0, 2], [6, 6, 5], [250, 5, 4], [0, 122, 250]]], dtype=np.uint8)
    assert convert(image, tolerance=6).tolist() == [[[0, 3, 1, 2]]]
    with pytest.raises(DataError, match=r"1 of 4 pixels \(25.00%\) have unknown colours: \(0, 122, 250\) 1 px"):
        convert(image, tolerance=5)


def test_unknown_colours_are_counted_and_the_commonest_named():
    image = np.repeat(IMAGE, 2, axis=0)
    image[0, :3] = (1, 2, 3)
    image[1, 0] = (9, 9, 9)
    with pytest.raises(DataError, match=r"tile_7: 4 of 20 .*20.00%.*: \(1, 2, 3\) 3 px, \(9, 9, 9\) 1 px; add them"):
        convert(image)


def test_many_unknown_colours_are_summed_up():
    image = np.zeros((1, 9, 3), dtype=np.uint8)
    image[0, :, 0] = range(1, 10)
    with pytest.raises(DataError, match=r"\(5, 0, 0\) 1 px and 4 more;"):
        convert(image)


def test_few_unknown_pixels_are_a_warning_and_get_their_label(caplog):
    image = IMAGE.copy()
    image[1, 4] = (1, 2, 3)
    with caplog.at_level(logging.WARNING, logger="monai_gi"):
        label_map = convert(image, max_unknown_share=0.1, unknown_label=9)
    assert label_map[0, 1].tolist() == [3, 3, 2, 1, 9]
    assert "tile_7: 1 of 10 pixels (10.00%) have unknown colours: (1, 2, 3) 1 px; labelled 9" in caplog.text
    with pytest.raises(DataError, match="1 of 10"):
        convert(image, max_unknown_share=0.09)


def test_file_is_named_where_metadata_knows_it():
    label = MetaTensor(torch.full((3, 2, 4), 7), meta={"filename_or_obj": "tiles/t1.png"})
    with pytest.raises(DataError, match=r"tiles/t1.png: 8 of 8 pixels"):
        ColorMapToLabeld("label", COLORS)({"label": label, "id": "tile_7"})


def test_missing_key_passes_where_allowed():
    assert ColorMapToLabeld("label", COLORS, allow_missing_keys=True)({}) == {}


@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 4), (1, 4, 5)])
def test_images_without_three_channels_are_errors(shape):
    with pytest.raises(DataError, match=r"tile_7: image of shape .* wanted RGB as \(3, H, W\) or \(H, W, 3\)"):
        convert(np.zeros(shape, dtype=np.uint8))


@pytest.mark.parametrize("value", [0.5, -1, 256])
def test_scaled_colours_are_errors(value):
    with pytest.raises(DataError, match="no whole numbers 0 to 255"):
        convert(np.full((3, 4, 5), value))


@pytest.mark.parametrize("colors", [[], [(0, 0)], [(0, 0, 256)], [(-1, 0, 0)], [(0.5, 0, 0)], [(0, 0, 0)] * 257])
def test_tables_of_no_colours_are_errors(colors):
    with pytest.raises(ValueError, match="wanted 1 to 256 colours"):
        ColorMapToLabeld("label", colors)


def test_doubled_colours_are_errors():
    with pytest.raises(ValueError, match="wanted every colour once"):
        ColorMapToLabeld("label", [(0, 0, 0), (1, 1, 1), (0, 0, 0)])


@pytest.mark.parametrize("option", [{"tolerance": -1}, {"max_unknown_share": 1.1}, {"unknown_label": 256}])
def test_options_out_of_range_are_errors(option):
    with pytest.raises(ValueError, match="wanted at least 0, 0 to 1, and 0 to 255"):
        ColorMapToLabeld("label", COLORS, **option)


def test_real_glomeruli_masks_are_red_and_black(real_data):
    paths = sorted(p for p in (real_data / "glomeruli_biopsy").rglob("*.png") if "mask" in str(p).lower())
    if not paths:
        pytest.skip("no glomeruli masks among the real data")
    image = np.asarray(Image.open(paths[0]).convert("RGB"))
    label_map = convert(image, [(0, 0, 0), (255, 0, 0)], tolerance=127)
    assert np.array_equal(label_map[0], image[..., 0] > 127)
