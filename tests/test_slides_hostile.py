"""Broken and hostile slides end in one clear message each."""

import io
import sys
from functools import partial

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from monai_gi.errors import DataError
from monai_gi.slides import open_label, open_slide, parse_color_table
from tests.drawn_slide_files import (
    COLORS,
    RESOLUTION,
    blobs,
    noise,
    write_aperio,
    write_palette,
    write_pyramid,
    write_tiff,
)

PIXELS = noise()
SMALL = noise(90, 110)
TABLE = parse_color_table(COLORS, "colors.yaml")
TILED = {"tile": (64, 48), "compression": "zlib"}


def message(path, **options):
    """The one message, without the path."""
    with pytest.raises(DataError) as fault, open_slide(path, **options) as slide:
        slide.read(0, 0, 0, *slide.size)
    assert fault.value.where == str(path)
    assert len(fault.value.problems) == 1
    return fault.value.problem


def test_missing_and_empty_files_are_named(tmp_path):
    assert message(tmp_path / "none.tif") == "can not be opened (No such file or directory); is the path right?"
    (tmp_path / "empty.tif").touch()
    assert message(tmp_path / "empty.tif") == "is empty (0 bytes); copy it again from its source"
    assert "can not be opened (Is a directory)" in message(tmp_path)


def test_other_files_are_named_with_what_is_wanted(tmp_path):
    (tmp_path / "slide.svs").write_text("no picture")
    problem = message(tmp_path / "slide.svs")
    assert "no image known here (it starts with b'no pictu'); wanted TIFF, SVS or the like, PNG or JPEG" in problem


@pytest.mark.parametrize("keep", [6, 100, 0.5, 0.99])
def test_a_truncated_tiff_is_cut_short_or_unreadable(tmp_path, keep):
    whole = write_tiff(tmp_path / "slide.tif", PIXELS, **TILED).read_bytes()
    (tmp_path / "slide.tif").write_bytes(whole[: keep if keep > 1 else int(len(whole) * keep)])
    problem = message(tmp_path / "slide.tif")
    assert "is cut short" in problem or "can not be read as a TIFF" in problem
    assert "copy it again from its source" in problem


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_truncated_picture_is_unreadable(tmp_path, kind):
    Image.fromarray(PIXELS).save(tmp_path / "slide", format=kind)
    whole = (tmp_path / "slide").read_bytes()
    (tmp_path / "slide").write_bytes(whole[: len(whole) // 2])
    assert "can not be read as a picture" in message(tmp_path / "slide")


def test_a_file_that_shrinks_while_it_is_open_is_an_error(tmp_path):
    slide = open_slide(write_tiff(tmp_path / "slide.tif", PIXELS))
    with (tmp_path / "slide.tif").open("r+b") as file:
        file.truncate(10_000)
    with pytest.raises(DataError, match="has become shorter since it was opened"):
        slide.read(0, 200, 0, 10, 10)


def tag_bytes(path):
    """Where the header, the directories and the short values of tags lie."""
    places = set(range(8))
    with tifffile.TiffFile(path) as tiff:
        for page in tiff.pages:
            for tag in page.aspage().tags:
                places |= {*range(tag.offset, tag.offset + 12)}
                places |= {*range(tag.valueoffset, tag.valueoffset + min(48, tag.valuebytecount))}
    return sorted(places)


def read_or_refuse(path, opener):
    try:
        slide = opener(path, max_pixels=10**6)
        slide.read(0, 0, 0, *(min(side, 300) for side in slide.size))
    except DataError as error:
        assert error.where == str(path)  # noqa: PT017 (either outcome is right)


DAMAGED = {
    "tiles": lambda path: write_pyramid(path, [SMALL, SMALL[::2, ::2]], compression="zlib", **RESOLUTION),
    "plain strips": lambda path: write_tiff(path, SMALL, rowsperstrip=7, **RESOLUTION),
    "palette": lambda path: write_palette(path, blobs(90, 110), format="TIFF", compression="tiff_lzw"),
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_damaged_tags_end_in_a_data_error_or_a_slide(tmp_path, kind, caplog):
    path = tmp_path / "slide.tif"
    DAMAGED[kind](path)
    whole, places, rng = path.read_bytes(), tag_bytes(path), np.random.default_rng(0)
    for _ in range(150):
        damaged = bytearray(whole)
        for place in rng.choice(places, 3):
            damaged[place] = rng.choice([0, 1, 255, rng.integers(256)])
        path.write_bytes(damaged)
        for opener in (open_slide, partial(open_label, table=TABLE)):
            read_or_refuse(path, opener)
    assert {record.name for record in caplog.records} <= {"monai_gi.slides.color_table"}


@pytest.mark.parametrize("compression", ["zlib", "tiff_lzw"])
def test_a_damaged_tile_is_named_by_its_place(tmp_path, compression):
    path = tmp_path / "slide.tif"
    if compression == "zlib":
        write_tiff(path, PIXELS, **TILED)
    else:
        Image.fromarray(PIXELS).save(path, compression=compression)
    with tifffile.TiffFile(path) as tiff:
        page = tiff.pages[0]
        offset, count = page.dataoffsets[1], page.databytecounts[1]
        place = "row 0, column 48" if page.is_tiled else f"row {page.rowsperstrip}, column 0"
    data = bytearray(path.read_bytes())
    data[offset : offset + count] = b"\xff" * count
    path.write_bytes(data)
    assert f"the piece at {place} of level 0 can not be decoded" in message(path)


def test_16_bits_are_refused(tmp_path):
    path = write_tiff(tmp_path / "slide.tif", PIXELS.astype(np.uint16) * 257, **TILED)
    assert message(path) == "16 bits a sample (uint16), wanted 8; export it with 8 bits"
    cv2.imwrite(str(tmp_path / "slide.png"), PIXELS.astype(np.uint16) * 257)
    assert "16 bits a sample, wanted 8" in message(tmp_path / "slide.png")
    path = write_tiff(tmp_path / "signed.tif", PIXELS.astype(np.int8), **TILED)
    assert "8 bits a sample (int8), wanted 8" in message(path)


def test_cmyk_and_alpha_are_refused(tmp_path):
    four = np.dstack([PIXELS, PIXELS[..., 0]])
    path = tmp_path / "slide.tif"
    write_tiff(path, four, photometric="separated", **TILED)
    assert "colours are stored as CMYK, wanted RGB" in message(path)
    for options in (TILED, {}, {"tile": (64, 48)}):
        write_tiff(path, four, extrasamples=["unassalpha"], **options)
        assert "level 0 has pixels to be seen through (alpha)" in message(path)
    write_tiff(path, np.dstack([four, four[..., :1]]), extrasamples=["unassalpha"] * 2, **TILED)
    assert "5 samples a pixel, wanted 3; save it without an alpha channel" in message(path)
    Image.fromarray(four, mode=None).save(tmp_path / "slide.png")
    assert "can be seen through (alpha)" in message(tmp_path / "slide.png")


def test_several_images_in_one_file_are_refused(tmp_path):
    write_tiff(tmp_path / "slide.tif", np.stack([PIXELS, PIXELS]), **TILED)
    assert "2 images of the same size in one file, wanted one" in message(tmp_path / "slide.tif")


def test_a_budget_holds_for_what_is_decoded_whole(tmp_path):
    Image.fromarray(PIXELS).save(tmp_path / "slide.png")
    problem = message(tmp_path / "slide.png", max_pixels=403 * 301 - 1)
    assert "403 x 301 (W x H) are 121,303 pixels, over the budget of 121,302" in problem
    assert open_slide(tmp_path / "slide.png", max_pixels=403 * 301).size == (301, 403)
    large = np.tile(PIXELS, (8, 7, 1))  # 2408 x 2821 in one packed piece
    write_tiff(tmp_path / "piece.tif", large, compression="zlib", rowsperstrip=2408)
    assert "over the budget" in message(tmp_path / "piece.tif", max_pixels=1_000_000)
    assert np.array_equal(open_slide(tmp_path / "piece.tif").read(0, 300, 400, 500, 600), large[300:800, 400:1000])


@pytest.mark.parametrize("failing", ["monai_gi.slides.byte_file.tempfile.TemporaryFile", "os.write"])
def test_a_full_disk_is_told(tmp_path, monkeypatch, failing):
    Image.fromarray(PIXELS).save(tmp_path / "slide.png")
    with monkeypatch.context() as full:
        full.setattr(failing, lambda *_, **__: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        problem = message(tmp_path / "slide.png")
    assert "has no room for its 0.0 GB of pixels (No space left on device); set TMPDIR to a larger disk" in problem


def test_planes_of_ycbcr_are_refused(tmp_path):
    path = write_tiff(tmp_path / "slide.tif", np.moveaxis(PIXELS, 2, 0), planarconfig="separate", photometric="ycbcr")
    assert "colours are stored as YCbCr in separate planes, wanted RGB" in message(path)


def test_tiled_files_have_no_budget(tmp_path):
    path = write_tiff(tmp_path / "slide.tif", PIXELS, **TILED)
    assert open_slide(path, max_pixels=1).read(0, 0, 0, 301, 403).shape == (301, 403, 3)


def test_a_file_that_lies_about_its_size_costs_nothing(tmp_path):
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, PIXELS[:64, :48], photometric="rgb", metadata=None, **TILED)
    buffer.seek(0)
    with tifffile.TiffFile(buffer) as tiff:
        width, height = (tiff.pages[0].tags[name].valueoffset for name in ("ImageWidth", "ImageLength"))
    data = bytearray(buffer.getvalue())
    for place in (width, height):
        data[place : place + 4] = (1_000_000).to_bytes(4, "little")
    (tmp_path / "slide.tif").write_bytes(data)
    assert "is cut short: 325531250 pieces with 1 places and 1 lengths listed" in message(tmp_path / "slide.tif")


def test_a_missing_package_names_the_extra(tmp_path, monkeypatch):
    path = write_tiff(tmp_path / "slide.tif", PIXELS, **TILED)
    monkeypatch.setitem(sys.modules, "tifffile", None)
    assert message(path) == "TIFF slides need tifffile: pip install monai_gi[wsi]"
    monkeypatch.setitem(sys.modules, "openslide", None)
    assert "pip install monai_gi[wsi]" in message(path)


def test_a_damaged_scanners_file_is_an_error(tmp_path):
    path = write_aperio(tmp_path / "slide.svs", noise(600, 800))
    with tifffile.TiffFile(path) as tiff:
        offset, count = tiff.pages[0].dataoffsets[4], tiff.pages[0].databytecounts[4]
    data = bytearray(path.read_bytes())
    data[offset : offset + count] = b"\xff" * count
    path.write_bytes(data)
    assert "the region at row 0, column 0 of level 0 can not be read" in message(path)


def test_a_scanners_file_whose_tiles_are_larger_than_memory_is_an_error(tmp_path):
    path = write_aperio(tmp_path / "slide.svs", noise(600, 800))
    with tifffile.TiffFile(path) as tiff:
        place = tiff.pages[1].tags["TileWidth"].valueoffset
    data = bytearray(path.read_bytes())
    data[place : place + 4] = (33_554_432).to_bytes(4, "little")
    path.write_bytes(data)
    assert "tiles of 33554432 x 256 pixels in an image of 200 x 150" in message(path)


def test_a_palette_of_another_length_is_an_error(tmp_path):
    path = write_palette(tmp_path / "mask.tif", blobs(), format="TIFF")
    with tifffile.TiffFile(path) as tiff:
        place = tiff.pages[0].tags["ColorMap"].offset + 4
    data = bytearray(path.read_bytes())
    data[place : place + 4] = (512).to_bytes(4, "little")
    path.write_bytes(data)
    assert "can not be read as a TIFF (a palette of shape" in message(path)


def test_a_scanners_slide_is_no_label_map(tmp_path):
    Image.fromarray(PIXELS[..., 0]).save(tmp_path / "mask.jpg")
    with pytest.raises(
        DataError, match=r"mask.jpg: grey values of a JPEG are no indices of classes; wanted PNG or TIFF"
    ):
        open_label(tmp_path / "mask.jpg", TABLE)
    (tmp_path / "mask.txt").write_text("no picture")
    with pytest.raises(DataError, match=r"mask.txt: is no PNG, JPEG or TIFF"):
        open_label(tmp_path / "mask.txt", TABLE)
