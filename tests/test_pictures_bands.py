"""Pictures in bands of rows: every kind of PNG against what was drawn, and against Pillow's whole decoding."""

import subprocess
import sys
import textwrap
import zlib

import numpy as np
import pytest
from PIL import Image

from monai_gi.errors import DataError
from monai_gi.pictures import index_bands, read_rgb, rgb_bands
from tests.oracles.png import chunk, filtered, png, write_filtered, write_interlaced

NOISE = np.random.default_rng(0).integers(0, 256, (23, 17, 4), dtype=np.uint8)
NOISE[..., 3] = 255


@pytest.fixture(autouse=True)
def _narrow(monkeypatch):
    monkeypatch.setattr("monai_gi.pictures.bands.BAND_PIXELS", 17 * 5)


@pytest.mark.parametrize("filters", [[0], [1], [2], [3], [4], [4, 3, 2, 1, 0], [2, 0, 4, 1]])
@pytest.mark.parametrize("samples", [1, 3, 4])
def test_rows_of_every_filter_are_what_was_drawn(tmp_path, filters, samples):
    path = write_filtered(tmp_path / "a.png", NOISE[..., :samples], filters, pieces=7)
    bands = list(rgb_bands(path))
    assert [len(band) for band in bands] == [5, 5, 5, 5, 3]
    wanted = NOISE[..., :3] if samples > 1 else np.repeat(NOISE[..., :1], 3, axis=2)
    assert np.array_equal(np.concatenate(bands), wanted)
    assert np.array_equal(read_rgb(path), wanted)


def test_grey_with_alpha_comes_in_bands(tmp_path):
    path = write_filtered(tmp_path / "a.png", NOISE[..., 2:], [4, 1])
    assert np.array_equal(read_rgb(path), np.repeat(NOISE[..., 2:3], 3, axis=2))


def test_an_interlaced_picture_is_decoded_whole(tmp_path):
    path = write_interlaced(tmp_path / "a.png", NOISE[..., :3])
    assert np.array_equal(np.asarray(Image.open(path)), NOISE[..., :3])
    assert np.array_equal(np.concatenate(list(rgb_bands(path))), NOISE[..., :3])


@pytest.mark.parametrize("colors", [2, 7, 256])
def test_palettes_of_every_depth_are_looked_up(tmp_path, colors):
    image = Image.fromarray(NOISE[..., :3]).quantize(colors)
    image.save(tmp_path / "a.png")
    assert np.array_equal(read_rgb(tmp_path / "a.png"), np.asarray(image.convert("RGB")))
    bands, palettes = zip(*index_bands(tmp_path / "a.png"), strict=True)
    assert np.array_equal(palettes[-1][np.concatenate(bands)[..., 0]], np.asarray(image.convert("RGB")))


def test_a_colour_that_is_to_be_seen_through_is_refused_in_any_band(tmp_path):
    color = NOISE[20, 3, :3]
    seen_through = chunk(b"tRNS", b"".join(bytes([0, value]) for value in color.tolist()))
    path = write_filtered(tmp_path / "a.png", NOISE[..., :3], [1], before=seen_through)
    with pytest.raises(DataError, match="1 of 391 pixels can be seen through"):
        read_rgb(path)


def test_rows_that_lack_and_sums_that_disagree_are_refused(tmp_path):
    packed = zlib.compress(filtered(NOISE[..., :3], [1]))
    path = tmp_path / "a.png"
    path.write_bytes(png(NOISE[..., :3], zlib.compress(filtered(NOISE[:22, :, :3], [1]))))
    with pytest.raises(DataError, match="it ends within rows 20 to 25 of 23"):
        read_rgb(path)
    path.write_bytes(png(NOISE[..., :3], packed[:-1] + bytes([packed[-1] ^ 1])))
    with pytest.raises(DataError, match="incorrect data check"):
        read_rgb(path)


@pytest.mark.slow
def test_a_large_png_is_gone_through_in_bounded_memory(tmp_path):
    pixels = np.zeros((6000, 6000, 3), dtype=np.uint8)
    pixels[::7, ::5] = (10, 200, 90)
    Image.fromarray(pixels).save(tmp_path / "a.png", compress_level=1)  # 36 megapixels: 144 MB in Pillow
    program = f"""
        import resource
        from monai_gi.slides import open_slide
        slide = open_slide({str(tmp_path / "a.png")!r})
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(slide.read(0, 5999, 5990, 1, 10).sum())
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=True)
    total, growth_kb = map(int, done.stdout.split())
    assert total == pixels[-1, -10:].astype(int).sum()
    assert growth_kb < 110_000
