"""Colour pictures and masks: read as stored, hostile ones refused in one sentence."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from monai_gi.errors import DataError
from monai_gi.pictures import PictureHeader, picture_header, read_mask, read_rgb
from tests.drawn_frames import draw_frame

PICTURE, MASK = draw_frame(3)
ROWS, COLUMNS = MASK.shape
WHITE = np.where(MASK, 255, 0).astype(np.uint8)


def saved(path, image, **options):
    Image.fromarray(image).save(path, **options) if isinstance(image, np.ndarray) else image.save(path, **options)
    return path


def with_channels(*channels):
    return np.stack(channels, axis=2).astype(np.uint8)


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_pictures_are_read_as_stored_and_not_transposed(tmp_path, name):
    path = saved(tmp_path / name, PICTURE)
    assert np.array_equal(read_rgb(path), PICTURE)
    assert read_rgb(path).dtype == np.uint8
    assert picture_header(path).size == (ROWS, COLUMNS)


def test_jpeg_is_read_as_opencv_reads_it(tmp_path):
    cv2 = pytest.importorskip("cv2")
    path = saved(tmp_path / "a.jpg", PICTURE, quality=90)
    assert np.abs(read_rgb(path).astype(int) - cv2.imread(str(path))[..., ::-1]).max() <= 3
    assert picture_header(path) == PictureHeader("jpeg", (ROWS, COLUMNS), 3, 8, "RGB", 1, 1)


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_colour_tiffs_whose_tags_say_grey_are_read(tmp_path, compression):
    path = tmp_path / "original.tif"
    tifffile.imwrite(path, PICTURE, photometric="minisblack", planarconfig="contig", compression=compression)
    with pytest.raises(OSError, match="cannot identify"):
        Image.open(path)
    assert np.array_equal(read_rgb(path), PICTURE)


def test_the_original_tiffs_equal_their_png(real_data):
    folder = real_data / "cvc_clinicdb"
    for tif in sorted((folder / "TIF" / "Original").glob("*.tif")):
        png = folder / "PNG" / "Original" / f"{tif.stem}.png"
        assert np.array_equal(read_rgb(tif), read_rgb(png))
        masks = [
            folder / kind / "Ground Truth" / f"{tif.stem}{suffix}"
            for kind, suffix in (("TIF", ".tif"), ("PNG", ".png"))
        ]
        assert np.array_equal(read_mask(masks[0]), read_mask(masks[1]))


def test_the_name_tells_nothing(tmp_path):
    path = saved(tmp_path / "really_png.jpg", PICTURE, format="PNG")
    assert np.array_equal(read_rgb(path), PICTURE)
    assert picture_header(path).format == "png"


def test_a_palette_is_looked_up(tmp_path):
    image = Image.fromarray(PICTURE).quantize(200)
    assert np.array_equal(read_rgb(saved(tmp_path / "a.png", image)), np.asarray(image.convert("RGB")))
    assert picture_header(tmp_path / "a.png").mode == "P"


def test_grey_is_equal_red_green_and_blue(tmp_path):
    assert np.array_equal(read_rgb(saved(tmp_path / "a.png", WHITE)), with_channels(WHITE, WHITE, WHITE))


def test_alpha_without_effect_is_dropped(tmp_path):
    opaque = with_channels(*np.moveaxis(PICTURE, 2, 0), np.full_like(WHITE, 255))
    assert np.array_equal(read_rgb(saved(tmp_path / "a.png", opaque)), PICTURE)


def test_alpha_with_an_effect_is_refused(tmp_path):
    path = saved(tmp_path / "a.png", with_channels(*np.moveaxis(PICTURE, 2, 0), WHITE))
    with pytest.raises(DataError, match=rf"a.png: {(~MASK).sum()} of {MASK.size} pixels can be seen through"):
        read_rgb(path)


def sixteen_bits(path):
    cv2 = pytest.importorskip("cv2")
    cv2.imwrite(str(path), PICTURE.astype(np.uint16) * 257)


HOSTILE = {
    "empty.png": (lambda path: path.write_bytes(b""), r"is empty \(0 bytes\)"),
    "text.png": (lambda path: path.write_text("no picture"), r"is no PNG, JPEG or TIFF \(it starts with b'no pictu'"),
    "page.gif": (lambda path: saved(path, WHITE), "is no PNG, JPEG or TIFF"),
    "deep.png": (sixteen_bits, "16 bits a sample, wanted 8"),
    "deep.tif": (lambda path: tifffile.imwrite(path, PICTURE.astype(np.uint16) * 257), "16 bits a sample, wanted 8"),
    "grey16.png": (lambda path: saved(path, WHITE.astype(np.uint16) * 257), "16 bits a sample, wanted 8"),
    "cmyk.jpg": (lambda path: saved(path, Image.fromarray(PICTURE).convert("CMYK")), "colours are stored as CMYK"),
    "cmyk.tif": (lambda path: saved(path, Image.fromarray(PICTURE).convert("CMYK")), "colours are stored as CMYK"),
    "pages.tif": (
        lambda path: saved(path, Image.fromarray(PICTURE), save_all=True, append_images=[Image.fromarray(PICTURE)]),
        "2 pictures in one file",
    ),
    "moving.png": (
        lambda path: saved(path, Image.fromarray(PICTURE), save_all=True, append_images=[Image.fromarray(~PICTURE)]),
        "2 pictures in one file",
    ),
    "turned.jpg": (
        lambda path: saved(path, PICTURE, exif=turned()),
        r"to be turned before it is shown \(orientation 6\)",
    ),
}


def turned():
    exif = Image.Exif()
    exif[274] = 6
    return exif


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("read", [read_rgb, read_mask])
def test_hostile_pictures_end_in_one_sentence(tmp_path, name, read):
    write, problem = HOSTILE[name]
    write(tmp_path / name)
    with pytest.raises(DataError, match=problem) as error:
        read(tmp_path / name)
    assert error.value.where.endswith(name)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif"])
@pytest.mark.parametrize("share", [0.3, 0.7])
def test_a_truncated_picture_is_refused(tmp_path, name, share):
    path = saved(tmp_path / name, np.random.default_rng(0).integers(0, 256, (40, 30, 3), dtype=np.uint8))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(DataError, match=r"can not be read as a picture .* copy it again"):
        read_rgb(path)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif"])
def test_damaged_bytes_end_in_a_data_error_or_a_picture(tmp_path, name):
    path = saved(tmp_path / name, PICTURE)
    whole, rng = path.read_bytes(), np.random.default_rng(1)
    for _ in range(60):
        damaged = bytearray(whole)
        for place in rng.integers(0, len(whole), 4):
            damaged[place] = rng.integers(256)
        path.write_bytes(damaged)
        try:
            assert read_rgb(path, max_pixels=10_000_000).shape[2] == 3
        except DataError as error:
            assert error.where == str(path)  # noqa: PT017 (either outcome is right)


def test_a_missing_file(tmp_path):
    with pytest.raises(DataError, match=r"none.png: no such file"):
        picture_header(tmp_path / "none.png")


def test_what_does_not_fit_into_memory_is_told(tmp_path, monkeypatch):
    path = saved(tmp_path / "a.png", PICTURE)
    monkeypatch.setattr("monai_gi.pictures.pixels._filled", lambda *_: (_ for _ in ()).throw(MemoryError))
    with pytest.raises(DataError, match="the memory does not hold the picture"):
        read_rgb(path)


def test_the_pixel_budget_is_asked_before_decoding_and_pillow_s_is_not(tmp_path, monkeypatch):
    path = saved(tmp_path / "a.png", PICTURE)
    tiff = saved(tmp_path / "a.tif", PICTURE)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    for one in (path, tiff):
        assert np.array_equal(read_rgb(one, max_pixels=ROWS * COLUMNS), PICTURE)
    assert Image.MAX_IMAGE_PIXELS == 10
    with pytest.raises(DataError, match=r"26 x 20 \(W x H\) are 520 pixels, over the budget of 519; raise it"):
        read_rgb(path, max_pixels=519)
    with pytest.raises(DataError, match="over the budget"):
        read_mask(path, max_pixels=519)


def test_a_header_is_read_without_the_pixels(tmp_path):
    path = saved(tmp_path / "a.png", np.random.default_rng(0).integers(0, 256, (60, 50, 3), dtype=np.uint8))
    path.write_bytes(path.read_bytes()[:200])
    assert picture_header(path) == PictureHeader("png", (60, 50), 3, 8, "RGB", 1, 1)


# Masks


def test_masks_are_cut_above_the_threshold(tmp_path):
    steps = np.array([[0, 100, 127], [128, 200, 255]], np.uint8)
    path = saved(tmp_path / "a.png", steps)
    assert read_mask(path).tolist() == [[False, False, False], [True, True, True]]
    assert read_mask(path, threshold=200).tolist() == [[False, False, False], [False, False, True]]
    assert read_mask(path).dtype == bool


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA"])
def test_masks_are_read_from_every_mode(tmp_path, mode):
    path = saved(tmp_path / "a.png", Image.fromarray(WHITE).convert(mode))
    assert np.array_equal(read_mask(path), MASK)


def test_masks_that_jpeg_made_slightly_coloured_are_read(tmp_path):
    path = saved(tmp_path / "a.jpg", with_channels(WHITE, WHITE, WHITE), quality=80)
    assert (read_mask(path) != MASK).mean() < 0.02


def test_an_empty_mask_is_no_fault(tmp_path):
    assert not read_mask(saved(tmp_path / "a.png", np.zeros((7, 5), np.uint8))).any()


def test_a_stray_colour_in_a_mask_is_named(tmp_path):
    stray = with_channels(WHITE, WHITE, WHITE)
    stray[0, :3] = (255, 0, 0)
    stray[1, 0] = (0, 0, 255)
    path = saved(tmp_path / "a.png", stray)
    with pytest.raises(DataError, match=r"4 of 520 pixels of the mask have a colour, most often \(255, 0, 0\)"):
        read_mask(path)


def test_a_mask_of_ones_is_not_taken_for_an_empty_one(tmp_path):
    path = saved(tmp_path / "a.png", MASK.astype(np.uint8))
    with pytest.raises(DataError, match="no pixel of the mask is above 127, the brightest is 1"):
        read_mask(path)
    assert np.array_equal(read_mask(path, threshold=0), MASK)


@pytest.mark.parametrize("threshold", [-1, 255])
def test_threshold_out_of_its_range(tmp_path, threshold):
    with pytest.raises(ValueError, match=rf"threshold: {threshold}, wanted 0 to 254"):
        read_mask(tmp_path / "a.png", threshold=threshold)
