"""ColorMapToLabeld by hand, on drawn non-square colour maps, and on real biopsy masks."""

import json
import logging

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from PIL import Image

from monai_gi.errors import DataError
from monai_gi.slides import open_label, parse_color_table, read_color_table
from monai_gi.transforms import ColorMapToLabeld

ROWS = [
    {"name": "background", "index": 0, "rgb": [0, 0, 0]},
    {"name": "tubule", "index": 2, "rgb": [255, 0, 0]},
    {"name": "vessel", "index": 1, "rgb": [0, 128, 255]},
    {"name": "glomerulus", "index": 5, "rgb": [10, 10, 10]},
]
RGB_OF_INDEX = np.zeros((6, 3), dtype=np.uint8)
RGB_OF_INDEX[[row["index"] for row in ROWS]] = [row["rgb"] for row in ROWS]
LABELS = np.array([[0, 1, 2, 5, 0], [5, 5, 2, 1, 1]], dtype=np.uint8)
IMAGE = RGB_OF_INDEX[LABELS]  # (H, W, 3)


def convert(image: np.ndarray, **options: object) -> np.ndarray:
    return ColorMapToLabeld("label", {"classes": ROWS, **options})({"label": image, "id": "tile_7"})["label"]


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float32])
def test_colours_become_their_indices(dtype):
    for image in (IMAGE, np.moveaxis(IMAGE, 2, 0)):
        label_map = convert(image.astype(dtype))
        assert label_map.shape == (1, 2, 5)
        assert label_map.dtype == np.uint8
        assert np.array_equal(label_map[0], LABELS)


def test_the_table_comes_in_every_form(tmp_path):
    path = tmp_path / "colors.yaml"
    path.write_text(json.dumps({"classes": ROWS, "tolerance": 3}))
    table = read_color_table(path)
    blurred = IMAGE + np.uint8(3)
    blurred[IMAGE == 255] = 252
    for colors in (table, path, str(path), {"classes": ROWS, "tolerance": 3}, table.to_json()):
        transform = ColorMapToLabeld("label", colors)
        assert transform.colors == table
        assert np.array_equal(transform({"label": blurred})["label"][0], LABELS)
    assert ColorMapToLabeld("label", ROWS).colors == table._replace(tolerance=0)


def test_a_label_map_read_as_a_slide_is_the_same(tmp_path):
    Image.fromarray(IMAGE).save(tmp_path / "mask.png")
    table = parse_color_table({"classes": ROWS}, "colors.yaml")
    assert np.array_equal(open_label(tmp_path / "mask.png", table).read(0, 0, 0, 2, 5), convert(IMAGE)[0])


def test_metadata_stays():
    label = MetaTensor(torch.from_numpy(np.moveaxis(IMAGE, 2, 0).copy()), meta={"filename_or_obj": "tile.png"})
    label_map = ColorMapToLabeld("label", ROWS)({"label": label})["label"]
    assert isinstance(label_map, MetaTensor)
    assert label_map.dtype == torch.uint8
    assert label_map.meta["filename_or_obj"] == "tile.png"


def test_tolerance_takes_the_nearest_colour():
    image = np.array([[[3, 0, 2], [6, 6, 5], [250, 5, 4], [0, 122, 250]]], dtype=np.uint8)
    assert convert(image, tolerance=6).tolist() == [[[0, 5, 2, 1]]]
    with pytest.raises(DataError, match=r"1 of 4 pixels \(25.00%\) have unknown colours: \(0, 122, 250\) 1 px"):
        convert(image, tolerance=5)


def test_unknown_colours_are_counted_and_the_commonest_named():
    image = np.repeat(IMAGE, 2, axis=0)
    image[0, :3] = (1, 2, 3)
    image[1, 0] = (9, 9, 9)
    with pytest.raises(DataError, match=r"tile_7: 4 of 20 .*20.00%.*: \(1, 2, 3\) 3 px, \(9, 9, 9\) 1 px. Add them"):
        convert(image)


def test_many_unknown_colours_are_summed_up():
    image = np.zeros((1, 9, 3), dtype=np.uint8)
    image[0, :, 0] = range(1, 10)
    with pytest.raises(DataError, match=r"\(5, 0, 0\) 1 px and 4 more\."):
        convert(image)


def test_few_unknown_pixels_are_a_warning_and_get_their_label(caplog):
    image = IMAGE.copy()
    image[1, 4] = (1, 2, 3)
    with caplog.at_level(logging.WARNING, logger="monai_gi"):
        label_map = convert(image, max_unknown_share=0.1, unknown=4)
    assert label_map[0, 1].tolist() == [5, 5, 2, 1, 4]
    assert "tile_7: 1 of 10 pixels (10.00%) have unknown colours: (1, 2, 3) 1 px; taken as class 4" in caplog.text
    with pytest.raises(DataError, match="1 of 10"):
        convert(image, max_unknown_share=0.09)


def test_file_is_named_where_metadata_knows_it():
    label = MetaTensor(torch.full((3, 2, 4), 7), meta={"filename_or_obj": "tiles/t1.png"})
    with pytest.raises(DataError, match=r"tiles/t1.png: 8 of 8 pixels"):
        ColorMapToLabeld("label", ROWS)({"label": label, "id": "tile_7"})


def test_missing_key_passes_where_allowed():
    assert ColorMapToLabeld("label", ROWS, allow_missing_keys=True)({}) == {}


@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 4), (1, 4, 5)])
def test_images_without_three_channels_are_errors(shape):
    with pytest.raises(DataError, match=r"tile_7: image of shape .* wanted RGB as \(3, H, W\) or \(H, W, 3\)"):
        convert(np.zeros(shape, dtype=np.uint8))


@pytest.mark.parametrize("value", [0.5, -1, 256])
def test_scaled_colours_are_errors(value):
    with pytest.raises(DataError, match="no whole numbers 0 to 255"):
        convert(np.full((3, 4, 5), value))


@pytest.mark.parametrize(
    ("colors", "problem"),
    [
        ([], "no list `classes`"),
        ([(0, 0, 0), (255, 0, 0)], "wanted the keys name, index and rgb"),
        (ROWS[1:], "no class has index 0"),
        ({"classes": ROWS, "tolerance": -1}, "tolerance: -1, wanted a whole number"),
        ("none.yaml", "none.yaml: can not be opened"),
    ],
)
def test_tables_that_are_not_sound_are_errors(colors, problem):
    with pytest.raises(DataError, match=problem):
        ColorMapToLabeld("label", colors)


def test_real_glomeruli_masks_are_red_and_black(real_data):
    paths = sorted(p for p in (real_data / "glomeruli_biopsy").rglob("*.png") if "mask" in str(p).lower())
    if not paths:
        pytest.skip("no glomeruli masks among the real data")
    image = np.asarray(Image.open(paths[0]).convert("RGB"))
    colors = {"classes": ROWS[:2], "tolerance": 127}
    label_map = ColorMapToLabeld("label", colors)({"label": image})["label"]
    assert np.array_equal(label_map[0], 2 * (image[..., 0] > 127))
