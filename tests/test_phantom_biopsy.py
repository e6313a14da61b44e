"""Drawn biopsies: files, sizes, colours, resolution, the same pixels again, and a stopped run that goes on."""

import tracemalloc

import numpy as np
import pytest
import yaml
from PIL import Image

from monai_gi.datasets.phantom import biopsy
from monai_gi.datasets.phantom.biopsy import write_biopsy
from monai_gi.datasets.phantom.biopsy_fields import fields_of, tissue_map
from monai_gi.datasets.phantom.biopsy_plan import plan_slide
from monai_gi.datasets.phantom.tiled_tiff import TiledTiff
from monai_gi.errors import DataError
from monai_gi.labels import TISSUE_NAMES, TISSUES
from monai_gi.pyramids import halve, level_sizes

SMALL = {"megapixels": 0.2, "mpp": 2.0, "progress": False}
RGB = np.array([tissue.rgb for tissue in TISSUES])


@pytest.fixture(scope="module")
def phantom(tmp_path_factory):
    root = tmp_path_factory.mktemp("biopsy") / "phantom"
    write_biopsy(root, slides=2, seed=5, **SMALL)
    return root


def pixels(path):
    with Image.open(path) as picture:
        assert picture.mode == "RGB"
        return np.asarray(picture)


def classes_of(mask_path):
    """The label map of a colour mask; fails on any colour that is not in the table."""
    mask = pixels(mask_path).astype(int)
    is_class = (mask[:, :, None] == RGB).all(axis=-1)
    assert is_class.any(axis=-1).all(), "a colour out of the table"
    return is_class.argmax(axis=-1)


def test_image_and_mask_have_one_size_wider_than_high(phantom):
    for number in (1, 2):
        assert pixels(phantom / "images" / f"slide_{number}.tif").shape == (387, 516, 3)
        assert pixels(phantom / "masks" / f"slide_{number}.png").shape == (387, 516, 3)


def test_every_class_is_on_the_first_slide(phantom):
    counts = np.bincount(classes_of(phantom / "masks" / "slide_1.png").ravel(), minlength=len(TISSUES))
    assert (counts > 200).all(), dict(zip(TISSUE_NAMES, counts.tolist(), strict=True))


def test_glass_is_light_and_tissue_is_magenta(phantom):
    image = pixels(phantom / "images" / "slide_1.tif").astype(float)
    labels = classes_of(phantom / "masks" / "slide_1.png")
    assert image[labels == 0].mean() > 225
    red, green, blue = image[labels == TISSUE_NAMES.index("tubule")].mean(axis=0)
    assert green + 25 < min(red, blue)
    infiltrate = image[labels == TISSUE_NAMES.index("infiltrate")].mean()
    assert infiltrate + 20 < image[labels == TISSUE_NAMES.index("tubule")].mean()


def test_colors_yaml_lists_the_table_of_tissues(phantom):
    table = yaml.safe_load((phantom / "colors.yaml").read_text())
    assert [(c["name"], c["index"], tuple(c["rgb"])) for c in table["classes"]] == [tuple(t) for t in TISSUES]


def test_openslide_reads_the_pyramid_and_its_resolution(phantom):
    openslide = pytest.importorskip("openslide")
    with openslide.OpenSlide(phantom / "images" / "slide_2.tif") as slide:
        assert slide.level_dimensions == ((516, 387), (258, 194))
        assert float(slide.properties["openslide.mpp-x"]) == pytest.approx(2.0)
        whole = np.asarray(slide.read_region((0, 0), 0, (516, 387)).convert("RGB"))
        half = np.asarray(slide.read_region((0, 0), 1, (258, 194)).convert("RGB")).astype(int)
    expected = whole[:386].reshape(193, 2, 258, 2, 3).mean(axis=(1, 3))
    assert np.abs(half[:193] - expected).mean() < 6  # two JPEGs of a grainy picture
    assert np.array_equal(whole, pixels(phantom / "images" / "slide_2.tif"))


def test_the_same_seed_gives_the_same_bytes_and_another_seed_does_not(phantom, tmp_path):
    write_biopsy(tmp_path / "again", slides=1, seed=5, **SMALL)
    write_biopsy(tmp_path / "other", slides=1, seed=6, **SMALL)
    for name in ("images/slide_1.tif", "masks/slide_1.png"):
        assert (tmp_path / "again" / name).read_bytes() == (phantom / name).read_bytes()
        assert (tmp_path / "other" / name).read_bytes() != (phantom / name).read_bytes()
    assert (phantom / "masks/slide_2.png").read_bytes() != (phantom / "masks/slide_1.png").read_bytes()


def test_a_window_is_drawn_alike_wherever_it_begins():
    plan = plan_slide(1, (500, 700), 1.0, seed=2)
    whole = tissue_map(fields_of(plan, 0, 0, 500, 700))
    assert np.array_equal(tissue_map(fields_of(plan, 100, 64, 320, 500)), whole[100:420, 64:564])
    assert len(np.unique(whole)) > 3


def test_every_fourth_slide_has_no_infiltrate():
    kinds = [set(plan_slide(number, (1500, 2000), 1.0, seed=0).structures.kind.tolist()) for number in (1, 2, 4)]
    assert ["infiltrate" in found for found in kinds] == [True, True, False]


def test_a_large_mask_is_a_tiled_tiff_with_the_same_classes(phantom, tmp_path, monkeypatch):
    tifffile = pytest.importorskip("tifffile")
    monkeypatch.setattr(biopsy, "PNG_PIXELS", 1000)
    write_biopsy(tmp_path / "tiled", slides=1, seed=5, **SMALL)
    path = tmp_path / "tiled" / "masks" / "slide_1.tif"
    assert np.array_equal(classes_of(path), classes_of(phantom / "masks" / "slide_1.png"))
    with tifffile.TiffFile(path) as file:
        assert file.pages[0].is_tiled


@pytest.mark.parametrize("is_big", [False, True])
def test_lossless_tiles_come_back_whole_from_plain_and_big_tiffs(tmp_path, monkeypatch, is_big):
    tifffile = pytest.importorskip("tifffile")
    monkeypatch.setattr("monai_gi.datasets.phantom.tiled_tiff.PLAIN_TIFF_BYTES", 0 if is_big else 2**31)
    image = np.random.default_rng(0).integers(0, 256, (300, 530, 3)).astype(np.uint8)
    with (tmp_path / "drawn.tif").open("wb") as file:
        tiles = TiledTiff(file, [(300, 530)], 0.25, is_lossy=False)
        for row, top in reversed(list(enumerate((0, 256)))):
            tiles.write_row(0, row, image[top : top + 256])
        tiles.close()
    with tifffile.TiffFile(tmp_path / "drawn.tif") as read:
        assert read.is_bigtiff == is_big
        assert np.array_equal(read.asarray(), image)


def test_halving_averages_four_pixels_and_repeats_an_odd_edge():
    image = np.array([[[0], [4], [10]], [[2], [5], [20]], [[7], [9], [40]]], np.uint8).repeat(3, axis=2)
    assert halve(image)[..., 0].tolist() == [[3, 15], [8, 40]]
    assert level_sizes((387, 516)) == [(387, 516), (194, 258)]


def test_a_stopped_run_goes_on_after_its_last_finished_slide(tmp_path, monkeypatch):
    drawn = []
    original = biopsy._write_slide

    def stop_at_second(slide, bar):
        drawn.append(slide.image.stem)
        if drawn == ["slide_1", "slide_2"]:
            raise KeyboardInterrupt
        original(slide, bar)

    monkeypatch.setattr(biopsy, "_write_slide", stop_at_second)
    tiny = {"slides": 2, "megapixels": 0.02, "mpp": 4.0, "progress": False}
    with pytest.raises(KeyboardInterrupt):
        write_biopsy(tmp_path / "phantom", **tiny)
    assert not (tmp_path / "phantom" / "colors.yaml").exists()
    with pytest.raises(DataError, match="unfinished phantom of"):
        write_biopsy(tmp_path / "phantom", **{**tiny, "slides": 3})
    write_biopsy(tmp_path / "phantom", **tiny)
    assert drawn == ["slide_1", "slide_2", "slide_2"]
    names = {path.name for path in (tmp_path / "phantom").rglob("*") if path.is_file()}
    assert names == {"slide_1.tif", "slide_2.tif", "slide_1.png", "slide_2.png", "colors.yaml"}
    with pytest.raises(DataError, match="holds something already"):
        write_biopsy(tmp_path / "phantom", **tiny)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"slides": 0}, "slides 0"),
        ({"megapixels": 0.0}, "megapixels 0.0"),
        ({"seed": -1}, "seed -1"),
        ({"mpp": 9.0}, "mpp: 9.0"),
    ],
)
def test_settings_out_of_range_are_refused_before_anything_is_written(settings, sentence, tmp_path):
    with pytest.raises(ValueError, match=sentence):
        write_biopsy(tmp_path / "phantom", **settings)
    assert not (tmp_path / "phantom").exists()


@pytest.mark.slow
def test_memory_does_not_grow_with_the_height(tmp_path, monkeypatch):
    width, heights, peaks = 200, (1024, 4096), []
    monkeypatch.setattr(biopsy, "PNG_PIXELS", 0)
    for height in (256, *heights):  # the first one for what is imported and kept only once
        monkeypatch.setattr(biopsy, "ASPECT", width / height)
        tracemalloc.start()
        write_biopsy(tmp_path / str(height), slides=1, megapixels=width * height / 1e6, progress=False)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    with Image.open(tmp_path / str(heights[1]) / "images" / "slide_1.tif") as picture:
        assert picture.size == (width, heights[1])
    of_labels = width * (heights[1] - heights[0])
    assert peaks[2] - peaks[1] < of_labels / 2, "pixels are kept"
