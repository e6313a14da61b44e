"""Regions of slides in every format against the whole picture laid out on a white plane."""

import multiprocessing
import os
import pickle
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from monai_gi.slides import find_tissue, open_slide, read_stack
from monai_gi.slides.segment_cache import SegmentCache, process_cache
from monai_gi.slides.tissue import TissueMap, tissue_mask
from tests.drawn_slide_files import RESOLUTION, noise, write_aperio, write_palette, write_pyramid, write_tiff
from tests.oracles import slides as oracle

PIXELS = noise()
SMOOTH = np.asarray(Image.fromarray(noise(31, 41)).resize((403, 301)))
SIZE = (301, 403)
TILED = {"tile": (64, 48), "compression": "zlib"}


def save(path: Path, pixels: np.ndarray, **options: object) -> Path:
    Image.fromarray(pixels).save(path, **options)
    return path


def jpeg_in_tiff(path: Path, mode: str) -> Path:
    Image.fromarray(SMOOTH).convert(mode).save(path, compression="jpeg", quality=90)
    return path


LOSSLESS = {
    "tiles": lambda path: write_tiff(path, PIXELS, **TILED),
    "tiles with predictor": lambda path: write_tiff(path, PIXELS, predictor=2, **TILED),
    "tiles, big-endian BigTIFF": lambda path: write_tiff(path, PIXELS, bigtiff=True, byteorder=">", **TILED),
    "plain tiles": lambda path: write_tiff(path, PIXELS, tile=(64, 48)),
    "plain strips": lambda path: write_tiff(path, PIXELS, rowsperstrip=7),
    "one plain strip": lambda path: write_tiff(path, PIXELS),
    "strips": lambda path: write_tiff(path, PIXELS, rowsperstrip=20, compression="zlib"),
    "separate planes": lambda path: write_tiff(path, np.moveaxis(PIXELS, 2, 0), planarconfig="separate"),
    "three grey samples": lambda path: write_tiff(path, PIXELS, photometric="minisblack", planarconfig="contig"),
    "separate planes in packed tiles": lambda path: write_tiff(
        path, np.moveaxis(PIXELS, 2, 0), planarconfig="separate", **TILED
    ),
    "separate planes in one piece": lambda path: write_tiff(
        path, np.moveaxis(PIXELS, 2, 0), planarconfig="separate", compression="zlib", rowsperstrip=301
    ),
    "one packed strip with predictor": lambda path: write_tiff(
        path, PIXELS, compression="zlib", rowsperstrip=301, predictor=2
    ),
    "large strips": lambda path: write_tiff(path, PIXELS, compression="zlib", rowsperstrip=150),
    "lzw in one strip": lambda path: save(path, PIXELS, compression="tiff_lzw", tiffinfo={278: 301}),
    "lzw": lambda path: save(path, PIXELS, compression="tiff_lzw"),
    "packbits": lambda path: save(path, PIXELS, compression="packbits"),
    "png with a wrong ending": lambda path: save(path, PIXELS, format="PNG"),
}


@pytest.mark.parametrize("kind", LOSSLESS)
def test_regions_are_those_of_the_whole_picture(tmp_path, kind, monkeypatch):
    monkeypatch.setattr("monai_gi.slides.tiff_store.LARGEST_SEGMENT", 30_000)
    monkeypatch.setattr("monai_gi.slides.tiff_segments.BAND_PIXELS", 20_000)
    slide = open_slide(LOSSLESS[kind](tmp_path / "slide.tif"))
    assert slide.size == SIZE
    places = [
        (0, 0, 0, 301, 403),
        (0, 60, 40, 70, 101),
        (0, -5, 390, 20, 30),
        (0, 280, -9, 40, 30),
        (1, 7, 3, 31, 20),
        (1, 0, 128, 140, 70),
        (3, -2, 30, 43, 25),
    ]
    for place in places:
        found = slide.read(*place)
        assert found.dtype == np.uint8
        assert found.shape == (*place[3:], 3)
        assert np.abs(found - oracle.region(PIXELS, *place)).max() <= 0.5


@pytest.mark.parametrize(
    "write",
    [
        lambda path: save(path, SMOOTH, format="JPEG"),
        lambda path: jpeg_in_tiff(path, "RGB"),
        lambda path: jpeg_in_tiff(path, "YCbCr"),
    ],
)
def test_jpeg_is_read_as_pillow_reads_it(tmp_path, write):
    path = write(tmp_path / "slide.tif")
    whole = np.asarray(Image.open(path).convert("RGB"))
    assert np.abs(whole.astype(int) - SMOOTH).mean() < 20
    assert np.array_equal(open_slide(path).read(0, 33, 44, 55, 66), whole[33:88, 44:110])


def test_grey_and_palette_become_colours(tmp_path):
    grey = write_tiff(tmp_path / "grey.tif", PIXELS[..., 0], **TILED)
    assert np.array_equal(open_slide(grey).read(0, 3, 4, 50, 60), np.repeat(PIXELS[3:53, 4:64, :1], 3, axis=2))
    indices = PIXELS[..., 1] % 3
    colors = np.array([[9, 8, 7], [200, 0, 100], [5, 250, 5]], dtype=np.uint8)
    palette = write_palette(tmp_path / "palette.tif", indices, colors, compression="tiff_lzw")
    found = open_slide(palette).read(0, -1, 4, 50, 60)
    assert np.array_equal(found[1:], colors[indices[:49, 4:64]])
    assert (found[0] == 255).all()


@pytest.mark.parametrize("kind", [{}, {"rowsperstrip": 30}, TILED, {"tile": (64, 48)}])
def test_an_opaque_alpha_channel_is_dropped(tmp_path, kind):
    opaque = np.full_like(PIXELS[..., :1], 255)
    path = write_tiff(tmp_path / "slide.tif", np.dstack([PIXELS, opaque]), extrasamples=["unassalpha"], **kind)
    assert np.array_equal(open_slide(path).read(0, 3, 5, 290, 390), PIXELS[3:293, 5:395])
    grey = np.dstack([PIXELS[..., :1], opaque])
    write_tiff(path, grey, photometric="minisblack", extrasamples=["unassalpha"], planarconfig="contig", **kind)
    assert np.array_equal(open_slide(path).read(0, 3, 5, 290, 390)[..., 1], PIXELS[3:293, 5:395, 0])


def test_an_opaque_alpha_channel_is_dropped_by_libtiff_too(tmp_path):
    for mode in ("RGBA", "LA"):
        picture = Image.fromarray(PIXELS).convert(mode)
        picture.save(tmp_path / f"{mode}.tif", compression="tiff_lzw")
        found = open_slide(tmp_path / f"{mode}.tif")
        assert found.kind == "tiff"
        assert np.array_equal(found.read(0, 3, 5, 290, 390), np.asarray(picture.convert("RGB"))[3:293, 5:395])


def test_a_region_wholly_outside_is_white(tmp_path):
    slide = open_slide(write_tiff(tmp_path / "slide.tif", PIXELS, **TILED))
    for place in [(0, -50, 0, 50, 40), (0, 0, 403, 10, 10), (5, 1000, 1000, 3, 4)]:
        assert (slide.read(*place) == 255).all()


def test_stored_levels_are_used_where_they_are_halvings(tmp_path):
    half, eighth, odd = noise(150, 202, 1), noise(38, 51, 2), noise(100, 134, 3)
    path = write_pyramid(tmp_path / "slide.tif", [PIXELS, half, odd, eighth], compression="zlib")
    slide = open_slide(path)
    assert [(level.level, level.size) for level in slide.stored_levels] == [(0, SIZE), (1, (150, 202)), (3, (38, 51))]
    assert np.array_equal(slide.read(1, 10, 20, 30, 40), half[10:40, 20:60])
    assert np.array_equal(slide.read(3, 0, 0, 38, 51), eighth)
    assert np.abs(slide.read(2, 4, 5, 20, 30) - oracle.region(half, 1, 4, 5, 20, 30)).max() <= 0.5
    assert slide.level_size(1) == (151, 202)


def test_tiles_that_a_file_leaves_out_are_white(tmp_path):
    tiles = iter([PIXELS[:64, :48], None, PIXELS[64:128, :48], None])
    path = tmp_path / "slide.tif"
    tifffile.imwrite(path, tiles, shape=(128, 96, 3), dtype=np.uint8, photometric="rgb", metadata=None, **TILED)
    found = open_slide(path).read(0, 0, 0, 128, 96)
    assert np.array_equal(found[:, :48], PIXELS[:128, :48])
    assert (found[:, 48:] == 255).all()


def test_only_large_pieces_are_unpacked_whole(tmp_path, monkeypatch):
    path = LOSSLESS["large strips"](tmp_path / "slide.tif")
    assert not open_slide(path).is_whole
    monkeypatch.setattr("monai_gi.slides.tiff_store.LARGEST_SEGMENT", 30_000)
    slide = open_slide(path)
    assert slide.is_whole
    assert np.array_equal(slide.read(0, 140, 390, 20, 13), PIXELS[140:160, 390:])
    path.unlink()
    assert np.array_equal(slide.read(0, 0, 0, *SIZE), PIXELS)


def test_strips_that_a_file_leaves_out_are_white(tmp_path):
    path = LOSSLESS["plain strips"](tmp_path / "slide.tif")
    data = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as tiff:
        place = tiff.pages[0].tags["StripByteCounts"].valueoffset
    data[place + 4 : place + 6] = bytes(2)  # of the third, rows 14 to 20
    path.write_bytes(data)
    found = open_slide(path).read(0, 10, 0, 20, 403)
    assert (found[4:11] == 255).all()
    assert np.array_equal(found[:4], PIXELS[10:14])
    assert np.array_equal(found[11:], PIXELS[21:30])


def test_a_scanners_file_is_read_through_openslide(tmp_path):
    pixels = noise(600, 800)
    slide = open_slide(write_aperio(tmp_path / "slide.svs", pixels))
    assert (slide.kind, slide.mpp, slide.size) == ("aperio", (0.5, 0.5), (600, 800))
    assert [level.level for level in slide.stored_levels] == [0, 2]
    assert np.array_equal(slide.read(0, 50, 100, 300, 200), pixels[50:350, 100:300])
    assert np.array_equal(slide.read(2, -1, 10, 20, 30)[1:], pixels[::4, ::4][:19, 10:40])
    assert np.abs(slide.read(1, 5, 6, 70, 80) - oracle.region(pixels, 1, 5, 6, 70, 80)).max() <= 0.5


@pytest.mark.parametrize(
    ("options", "mpp"),
    [
        (RESOLUTION, (0.4, 0.5)),
        ({"resolution": (50800, 101600), "resolutionunit": "INCH"}, (0.25, 0.5)),
        ({"resolution": (72, 72), "resolutionunit": "INCH"}, None),
        ({"resolution": (20000, 20000), "resolutionunit": "NONE"}, None),
        ({}, None),
    ],
)
def test_pixel_sizes_come_from_the_resolution_tags(tmp_path, options, mpp):
    slide = open_slide(write_tiff(tmp_path / "slide.tif", PIXELS, **TILED, **options))
    assert slide.mpp == (None if mpp is None else pytest.approx(mpp))


def test_pixel_sizes_come_from_ome_metadata(tmp_path):
    path = tmp_path / "slide.ome.tif"
    metadata = {"axes": "YXS", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.25}
    tifffile.imwrite(path, PIXELS, photometric="rgb", metadata=metadata, **TILED)
    assert open_slide(path).mpp == (0.25, 0.5)


def test_a_patch_costs_its_tiles_and_no_level(tmp_path):
    pixels = np.tile(noise(256, 256), (12, 16, 1))  # 38 MB
    files = [
        write_tiff(tmp_path / "tiles.tif", pixels, tile=(256, 256), compression="zlib"),
        write_tiff(tmp_path / "strips.tif", pixels, rowsperstrip=8, compression="zlib"),
        write_tiff(tmp_path / "plain.tif", pixels),
    ]
    for path in files:
        slide = open_slide(path)
        tracemalloc.start()
        slide.read(0, 1000, 2000, 64, 96)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        slide.close()
        assert peak < 2_500_000, path


def test_whole_levels_are_read_in_bounded_memory(tmp_path):
    pixels = np.tile(noise(256, 256), (16, 24, 1))  # 75 MB
    slide = open_slide(write_tiff(tmp_path / "plain.tif", pixels))
    tracemalloc.start()
    found = slide.read(4, 0, 0, 256, 384)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 60_000_000
    assert np.abs(found - pixels.reshape(256, 16, 384, 16, 3).mean(axis=(1, 3))).max() <= 0.5


def test_averages_are_kept_for_patches_that_overlap(tmp_path, monkeypatch):
    slide = open_slide(write_tiff(tmp_path / "slide.tif", np.tile(PIXELS, (2, 2, 1)), **TILED))
    first = slide.read(1, 20, 30, 150, 160)
    reads = []
    read = slide._handle.store.read
    monkeypatch.setattr(slide._handle.store, "read", lambda *place: reads.append(place) or read(*place))
    assert np.array_equal(slide.read(1, 60, 70, 80, 90), first[40:120, 40:130])
    assert reads == []
    slide.close()
    slide.read(1, 60, 70, 80, 90)
    other = open_slide(write_tiff(tmp_path / "other.tif", 255 - np.tile(PIXELS, (2, 2, 1)), **TILED))
    assert np.abs(other.read(1, 60, 70, 80, 90).astype(int) - (255 - first[40:120, 40:130])).max() <= 1


def test_a_pickled_slide_reads_the_same(tmp_path):
    slide = open_slide(write_tiff(tmp_path / "slide.tif", PIXELS, **TILED))
    again = pickle.loads(pickle.dumps(slide))
    assert np.array_equal(again.read(1, 2, 3, 40, 50), slide.read(1, 2, 3, 40, 50))


def read_and_tell(slide, place, results):
    results.put((os.getpid(), int(slide.read(*place).astype(int).sum())))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
@pytest.mark.parametrize("write", [lambda path: write_tiff(path, PIXELS, **TILED), lambda path: save(path, PIXELS)])
def test_forked_processes_read_on_at_once(tmp_path, write):
    slide = open_slide(write(tmp_path / "slide.tif"))
    place = (0, 10, 20, 200, 300)
    wanted = int(slide.read(*place).astype(int).sum())
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    processes = [context.Process(target=read_and_tell, args=(slide, place, results)) for _ in range(3)]
    for process in processes:
        process.start()
    told = [results.get(timeout=60) for _ in processes]
    for process in processes:
        process.join()
    assert {total for _, total in told} == {wanted}
    assert len({pid for pid, _ in told} | {os.getpid()}) == 4
    assert int(slide.read(*place).astype(int).sum()) == wanted


def test_an_inherited_file_is_neither_used_nor_closed(tmp_path, monkeypatch):
    slide = open_slide(write_aperio(tmp_path / "slide.svs", noise(600, 800)))
    parents, wanted = slide._handle.store, slide.read(0, 3, 4, 50, 60)
    with monkeypatch.context() as child:
        child.setattr("monai_gi.slides.opening.os.getpid", lambda: -1)
        assert np.array_equal(slide.read(0, 3, 4, 50, 60), wanted)
        assert slide._handle.store is not parents
        slide.close()
    assert np.array_equal(parents.read(0, 3, 4, 50, 60), wanted)


def test_a_closed_slide_opens_again_and_lets_go_of_its_tiles(tmp_path):
    with open_slide(write_tiff(tmp_path / "slide.tif", PIXELS, **TILED)) as slide:
        held = process_cache().held
        slide.read(0, 0, 0, 64, 48)
        assert process_cache().held == held + 64 * 48 * 3
    assert process_cache().held == held
    assert np.array_equal(slide.read(0, 0, 0, 64, 48), PIXELS[:64, :48])
    slide.close()


def test_the_cache_lets_go_of_what_was_used_longest_ago():
    cache = SegmentCache(capacity=25)
    made = []
    for key in "abacab":
        cache.get(key, lambda key=key: made.append(key) or np.zeros(10, np.uint8))
    assert made == ["a", "b", "c", "b"]
    assert cache.held == 20
    assert cache.get("large", lambda: np.zeros(26, np.uint8)).nbytes == 26
    assert cache.held == 20


def test_thumbnail_keeps_the_shape(tmp_path):
    slide = open_slide(write_tiff(tmp_path / "slide.tif", PIXELS, **TILED))
    small = slide.thumbnail(100)
    assert small.shape == (75, 100, 3)
    assert abs(float(small.mean()) - float(PIXELS.mean())) < 2  # the last row and column are partly white
    assert np.array_equal(slide.thumbnail(500), PIXELS)


@pytest.mark.parametrize("place", [(-1, 0, 0, 5, 5), (0, 0, 0, 0, 5), (0, 0, 0, 5, 0)])
def test_empty_regions_and_negative_levels_are_errors(tmp_path, place):
    slide = open_slide(write_tiff(tmp_path / "slide.tif", PIXELS, **TILED))
    with pytest.raises(ValueError, match="wanted level 0 or more, and pixels"):
        slide.read(*place)


def test_levels_of_a_stack_share_their_centre(tmp_path):
    gradient = np.zeros((512, 768, 3), dtype=np.uint8)
    gradient[..., 0] = np.arange(512)[:, None] // 2
    gradient[..., 1] = np.arange(768) // 3
    slide = open_slide(save(tmp_path / "slide.png", gradient))
    stack = read_stack(slide, [0, 2], (200, 300), (32, 48))
    assert stack.shape == (6, 32, 48)
    assert np.array_equal(stack[:3], np.moveaxis(gradient[200:232, 300:348], 2, 0))
    assert np.array_equal(stack[3:], np.moveaxis(slide.read(2, 54 - 16, 81 - 24, 32, 48), 2, 0))
    assert abs(float(stack[3].mean()) - float(stack[0].mean())) < 1
    shifted = read_stack(slide, [1, 2, 4], (-7, 33), (31, 20))
    assert np.array_equal(
        shifted[3:6], np.moveaxis(slide.read(2, (-14 + 31) // 4 - 15, (66 + 20) // 4 - 10, 31, 20), 2, 0)
    )


def test_glass_is_bright_wide_and_without_colour():
    picture = np.full((90, 120, 3), 240, dtype=np.uint8)
    picture[20:60, 30:80] = (200, 120, 180)
    picture[35:39, 40:44] = 240  # a small hole
    picture[:, 110:] = 0  # a scanner's padding
    tissue = tissue_mask(picture, 6)
    wanted = np.zeros((90, 120), dtype=bool)
    wanted[18:62, 28:82] = True
    assert np.array_equal(tissue, wanted)
    border = np.full((40, 50, 3), (200, 120, 180), dtype=np.uint8)
    border[:, :3] = 240  # narrow in the picture, but it goes on beyond
    assert tissue_mask(border, 6).sum(axis=0).tolist() == [0] + [40] * 49
    assert not tissue_mask(np.full((40, 50, 3), 240, dtype=np.uint8)).any()
    assert tissue_mask(np.full((40, 50, 3), (240, 200, 230), dtype=np.uint8)).all()


def test_tissue_of_a_region_is_a_share_of_the_map(tmp_path):
    mask = np.zeros((10, 20), dtype=bool)
    mask[2:4, 5:10] = True
    tissue = TissueMap(mask, (100, 200))
    assert tissue.share(0, 20, 50, 20, 50) == 1
    assert tissue.share(1, 10, 25, 10, 25) == 1
    assert tissue.share(0, 0, 0, 20, 200) == 0
    assert tissue.share(0, 0, 50, 40, 50) == 0.5
    assert tissue.share(0, -50, -50, 20, 20) == 0
    picture = np.full((300, 400, 3), 245, dtype=np.uint8)
    picture[100:200, 100:300] = (150, 60, 140)
    slide = open_slide(save(tmp_path / "slide.png", picture))
    found = find_tissue(slide, 200)
    assert found.mask.shape == (150, 200)
    assert found.share(0, 110, 110, 80, 180) == 1
    assert found.share(0, 0, 0, 40, 400) == 0
