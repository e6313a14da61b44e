"""Polygons of regions: filled again they give the label image, however it was cut into bands."""

import json
import tracemalloc
from itertools import pairwise

import numpy as np
import pytest
from scipy import ndimage
from skimage.measure import points_in_poly

from monai_gi.writers.region_outlines import RegionTracer, signed_area, simple_loops
from monai_gi.writers.slide_polygons import RegionClass, write_polygons

CLASSES = [
    RegionClass(1, "tubule", (0, 158, 115)),
    RegionClass(3, "vessel", (86, 180, 233)),
    RegionClass(4, "none", (1, 2, 3)),
]


def traced(mask, cuts=(), least_px=1, **limit):
    tracer = RegionTracer(mask.shape[1], least_px, **limit)
    edges = [0, *cuts, len(mask)]
    regions = [region for top, bottom in pairwise(edges) for region in tracer.add(mask[top:bottom])]
    regions += tracer.finish()
    assert not tracer.rings
    assert not tracer.going_down
    assert not tracer.coming_up
    return regions


def filled(rings, shape):
    """Pixels whose middle lies inside, by another library; rings after the first are holes."""
    rows, columns = np.indices(shape)
    middles = np.stack([columns.ravel(), rows.ravel()], axis=1) + 0.5
    inside = [points_in_poly(middles, np.asarray(ring)).reshape(shape) for ring in rings]
    assert all((inside[0] & hole).sum() == hole.sum() for hole in inside[1:])
    return inside[0] & ~np.any(inside[1:], axis=0) if len(inside) > 1 else inside[0]


def of_text(text):
    return np.array([[pixel == "#" for pixel in line] for line in text.split()])


@pytest.mark.parametrize("density", [0.3, 0.5, 0.6, 0.85])
@pytest.mark.parametrize("seed", range(6))
def test_regions_filled_again_give_the_mask_in_bands_of_any_height(seed, density):
    generator = np.random.default_rng(seed)
    shape = tuple(generator.integers(3, 24, 2))
    mask = generator.random(shape) < density
    cuts = sorted({int(cut) for cut in generator.integers(1, shape[0], 4)})
    regions = traced(mask, cuts)
    masks = [filled([region.outer, *region.holes], shape) for region in regions]
    assert np.array_equal(np.sum([np.zeros(shape), *masks], axis=0), mask)
    labelled, count = ndimage.label(mask)
    assert sorted(int(one.sum()) for one in masks) == sorted(np.bincount(labelled.ravel())[1:].tolist())
    assert len(regions) == count


@pytest.mark.parametrize("seed", range(4))
def test_no_ring_touches_itself(seed):
    mask = np.random.default_rng(seed).random((17, 23)) < 0.65
    for region in traced(mask, (5, 6, 13)):
        assert signed_area(region.outer) > 0
        for ring in (region.outer, *region.holes):
            assert len(np.unique(ring, axis=0)) == len(ring)
            steps = np.abs(np.diff(np.vstack([ring, ring[:1]]), axis=0))
            assert (np.count_nonzero(steps, axis=1) == 1).all()
        assert all(signed_area(hole) < 0 for hole in region.holes)


@pytest.mark.parametrize("seed", range(6))
def test_regions_whose_outline_is_too_long_come_in_parts_that_fill_the_mask_again(seed):
    generator = np.random.default_rng(seed)
    mask = generator.random((40, 17)) < 0.75
    parts = traced(mask, range(4, 40, 4), most_points=150)
    assert len(parts) > len(traced(mask, range(4, 40, 4)))
    masks = [filled([part.outer, *part.holes], mask.shape) for part in parts]
    assert np.array_equal(np.sum(masks, axis=0), mask)
    assert all(ndimage.label(one)[1] == 1 for one in masks)
    for ring in (ring for part in parts for ring in (part.outer, *part.holes)):
        assert len(np.unique(ring, axis=0)) == len(ring)


def test_only_the_longest_outline_is_cut():
    mask = np.zeros((30, 22), dtype=bool)
    mask[1:29, 1] = True
    mask[::2, 4:] = mask[:, 4] = True
    areas = sorted(signed_area(part.outer) for part in traced(mask, range(3, 30, 3), most_points=130))
    assert areas[0] == 28
    assert len(areas) > 2
    assert sum(areas) == mask.sum()


def test_a_ring_of_pixels_around_an_island_is_two_regions():
    mask = of_text("##### #...# #.#.# #...# #####")
    ring, island = sorted(traced(mask, (2, 3)), key=lambda region: -signed_area(region.outer))
    assert signed_area(ring.outer) == 25
    assert [signed_area(hole) for hole in ring.holes] == [-9]
    assert island.outer.tolist() == [[2, 2], [3, 2], [3, 3], [2, 3]]
    assert island.holes == []


def test_pixels_that_touch_at_a_corner_are_two_regions():
    assert len(traced(of_text("#. .#"))) == 2
    assert len(traced(of_text(".# #."), (1,))) == 2


def test_small_regions_are_left_out_and_small_holes_filled():
    mask = of_text("#####.## #.#.#.## #.###... #####... #####...")
    (region,) = traced(mask, (2,), least_px=5)
    assert signed_area(region.outer) == 25
    assert region.holes == []
    assert len(traced(mask, (2,), least_px=4)) == 2


def test_an_empty_image_has_no_regions():
    assert traced(np.zeros((5, 4), dtype=bool), (2,)) == []


def test_loops_are_cut_where_a_ring_passes_twice():
    eight = np.array([[0, 0], [1, 0], [1, 1], [2, 1], [2, 2], [1, 2], [1, 1], [0, 1]])
    assert sorted(signed_area(loop) for loop in simple_loops(eight)) == [1, 1]


def test_a_long_ring_that_touches_itself_again_and_again_is_cut_into_its_loops():
    squares = 20_000
    corners = np.arange(squares)
    there = np.stack([corners, corners, corners + 1, corners], axis=1).reshape(-1, 2)
    back = np.stack([corners + 1, corners + 1, corners, corners + 1], axis=1)[::-1].reshape(-1, 2)
    loops = simple_loops(np.concatenate([there, back]))
    assert [signed_area(loop) for loop in loops] == [1] * squares


def test_qupath_gets_names_colours_holes_and_pixels_of_the_full_slide(tmp_path):
    labels = np.zeros((40, 30), dtype=np.uint8)
    labels[2:38, 3:20] = 1
    labels[10:20, 5:15] = 3
    labels[12:15, 6:9] = 2
    counts = write_polygons(tmp_path / "regions.geojson", [labels[:13], labels[13:]], 30, CLASSES, scale=4, least_px=10)
    assert counts == {"tubule": (1, 36 * 17 - 100), "vessel": (1, 100), "none": (0, 0)}
    content = json.loads((tmp_path / "regions.geojson").read_text())
    assert content["type"] == "FeatureCollection"
    features = {one["properties"]["classification"]["name"]: one for one in content["features"]}
    assert features["tubule"]["properties"]["objectType"] == "annotation"
    assert features["vessel"]["properties"]["classification"]["color"] == [86, 180, 233]
    outer, hole = features["tubule"]["geometry"]["coordinates"]
    assert outer[0] == outer[-1]
    assert np.abs(signed_area(np.array(hole[:-1]))) == 16 * 100
    for name, label in (("tubule", 1), ("vessel", 3)):
        rings = [np.array(ring[:-1]) / 4 for ring in features[name]["geometry"]["coordinates"]]
        expected = labels == label
        if label == 3:
            expected |= labels == 2  # nine pixels are fewer than ten: the hole is filled
        assert np.array_equal(filled(rings, labels.shape), expected)


def test_the_same_labels_give_the_same_file_whatever_the_bands(tmp_path):
    labels = (np.random.default_rng(0).random((50, 41)) < 0.6).astype(np.uint8)
    texts = []
    for name, cuts in (("a", [0, 50]), ("b", [0, 7, 8, 30, 50])):
        bands = [labels[top:bottom] for top, bottom in pairwise(cuts)]
        write_polygons(tmp_path / name, bands, 41, CLASSES[:1], least_px=3)
        features = json.loads((tmp_path / name).read_text())["features"]
        texts.append({one["id"]: len(one["geometry"]["coordinates"]) for one in features})
    assert texts[0] == texts[1]


def holed_band(top, height=64, width=240):
    """Rows of a plane with diamonds cut out, one in each 20 x 20 pixels."""
    rows, columns = ((np.arange(start, start + length) % 20 - 10) for start, length in ((top, height), (0, width)))
    return (np.abs(rows)[:, None] + np.abs(columns) > 7).astype(np.uint8)


def peak_of_writing(path, height):
    tracemalloc.start()
    try:
        bands = (holed_band(top) for top in range(0, height, 64))
        write_polygons(path, bands, 240, CLASSES[:1], most_points=2000)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_does_not_grow_with_the_height_of_a_region_full_of_holes(tmp_path):
    peak_of_writing(tmp_path / "first.geojson", 64)  # what is imported and kept only once
    low, tall = (peak_of_writing(tmp_path / f"{height}.geojson", height) for height in (192, 768))
    assert tall < 1.15 * low
    content = json.loads((tmp_path / "768.geojson").read_text())
    assert len(content["features"]) > 4
    holes = sum(len(one["geometry"]["coordinates"]) - 1 for one in content["features"])
    assert holes > 300


def test_no_regions_are_an_empty_collection(tmp_path):
    write_polygons(tmp_path / "regions.geojson", [np.zeros((4, 5), dtype=np.uint8)], 5, CLASSES)
    assert json.loads((tmp_path / "regions.geojson").read_text())["features"] == []
