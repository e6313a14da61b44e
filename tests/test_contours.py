"""Polygons against a pixel-by-pixel filling, scikit-image and the true pixel edges, on masks with every odd shape."""

import numpy as np
import pytest
from scipy.ndimage import binary_fill_holes, label
from skimage.draw import polygon2mask

from monai_gi.dicom.contours import mask_to_polygons, polygons_to_mask
from tests.drawn_structures import draw_masks
from tests.oracles import contours as oracle

ODD_SHAPES = [mask[:, :, d] for mask in draw_masks() for d in range(mask.shape[2])]
both_ways = pytest.mark.parametrize("bridge_holes", [False, True])


def noise(seed):
    random = np.random.default_rng(seed)
    return random.random(random.integers(1, 14, 2)) < random.choice([0.2, 0.5, 0.8, 0.95])


def area(polygon):
    """By the trapezium rule; negative for a hole."""
    return sum(
        (c1 - c0) * -(r0 + r1) / 2 for (r0, c0), (r1, c1) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True)
    )


@both_ways
@pytest.mark.parametrize("mask", ODD_SHAPES)
def test_an_even_odd_filling_pixel_by_pixel_gives_the_mask_back(mask, bridge_holes):
    polygons = mask_to_polygons(mask, bridge_holes=bridge_holes)
    np.testing.assert_array_equal(oracle.fill(polygons, mask.shape), mask)


@both_ways
def test_filling_gives_every_mask_of_noise_back(bridge_holes):
    for seed in range(300):
        mask = noise(seed)
        polygons = mask_to_polygons(mask, bridge_holes=bridge_holes)
        np.testing.assert_array_equal(polygons_to_mask(polygons, mask.shape), mask)


def test_with_bridges_every_part_is_one_polygon_and_their_union_is_the_mask():
    for seed in range(300):
        mask = noise(seed)
        polygons = mask_to_polygons(mask, bridge_holes=True)
        assert len(polygons) == label(mask)[1]
        filled = [polygons_to_mask([polygon], mask.shape) for polygon in polygons]
        np.testing.assert_array_equal(np.any(filled, axis=0) if filled else np.zeros_like(mask), mask)


def test_bridges_enclose_nothing():
    for seed in range(300):
        areas = [sum(map(area, mask_to_polygons(noise(seed), bridge_holes=bridged))) for bridged in (False, True)]
        assert areas[0] == pytest.approx(areas[1])


def test_bridges_run_within_the_mask():
    for mask in ODD_SHAPES:
        for polygon in mask_to_polygons(mask, bridge_holes=True):
            for row, column in oracle.points_along(polygon.tolist(), steps=64):
                assert mask[round(row), round(column)] or near_an_edge((row, column), mask)


def near_an_edge(point, mask):
    return oracle.distance_to_segments(point, oracle.boundary_segments(mask)) < 0.36


def test_without_bridges_holes_are_polygons_that_run_the_other_way():
    mask = ODD_SHAPES[0]
    areas = [area(polygon) for polygon in mask_to_polygons(mask)]
    parts, holes = label(mask)[1], label(binary_fill_holes(mask) & ~mask, np.ones((3, 3)))[1]
    assert (sum(area < 0 for area in areas), sum(area > 0 for area in areas)) == (parts, holes)


@pytest.mark.parametrize("mask", ODD_SHAPES)
def test_no_line_leaves_the_pixel_edges_by_half_a_pixel(mask):
    edges = oracle.boundary_segments(mask)
    for polygon in mask_to_polygons(mask):
        distances = [oracle.distance_to_segments(point, edges) for point in oracle.points_along(polygon.tolist())]
        assert max(distances) < 0.36


@pytest.mark.parametrize("mask", ODD_SHAPES)
def test_every_point_lies_a_hundredth_of_a_pixel_inside_an_edge(mask):
    edges = oracle.boundary_segments(mask)
    for polygon in mask_to_polygons(mask, bridge_holes=True):
        distances = [oracle.distance_to_segments(point, edges) for point in polygon.tolist()]
        assert distances == pytest.approx([0.01] * len(polygon))
        assert mask[tuple(np.rint(polygon).astype(int).T)].all()


@pytest.mark.parametrize("mask", ODD_SHAPES)
def test_every_pixel_edge_is_reached_by_a_line(mask):
    lines = [oracle.points_along(polygon.tolist(), steps=1) for polygon in mask_to_polygons(mask)]
    segments = [pair for points in map(list, lines) for pair in zip(points, [*points[1:], points[0]], strict=True)]
    for start, end in oracle.boundary_segments(mask):
        middle = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2
        assert oracle.distance_to_segments(middle, segments) < 0.011


def test_one_pixel_is_a_rhomb():
    mask = np.zeros((5, 7), dtype=bool)
    mask[2, 4] = True
    (polygon,) = mask_to_polygons(mask)
    assert sorted(map(tuple, polygon.round(6).tolist())) == [(1.51, 4), (2, 3.51), (2, 4.49), (2.49, 4)]


def test_points_in_the_middle_of_straight_lines_are_left_out():
    mask = np.zeros((30, 40), dtype=bool)
    mask[5:25, 3:37] = True
    assert len(mask_to_polygons(mask)[0]) == 8  # two at each corner


def test_pixels_that_touch_at_a_corner_are_two_parts():
    assert len(mask_to_polygons(np.eye(2, dtype=bool))) == 2


def test_an_empty_mask_has_no_polygons_and_no_polygons_fill_nothing():
    assert mask_to_polygons(np.zeros((3, 4), dtype=bool)) == []
    assert polygons_to_mask([], (3, 4)).tolist() == [[False] * 4] * 3


def test_filling_agrees_with_scikit_image_on_a_slanted_polygon():
    polygon = np.array([(2.3, 1.7), (17.6, 8.2), (11.1, 22.9), (4.2, 12.4)])
    np.testing.assert_array_equal(polygons_to_mask([polygon], (21, 26)), polygon2mask((21, 26), polygon))


def test_a_keyhole_of_any_slope_leaves_no_trace():
    outer = [(1.2, 1.3), (1.2, 20.7), (18.9, 20.7), (18.9, 1.3)]
    inner = [(6.1, 7.4), (13.3, 7.4), (13.3, 14.9), (6.1, 14.9)]
    keyhole = np.array([*outer, outer[0], *inner, inner[0]])
    apart = polygons_to_mask([np.array(outer), np.array(inner)], (20, 23))
    np.testing.assert_array_equal(polygons_to_mask([keyhole], (20, 23)), apart)
    np.testing.assert_array_equal(oracle.fill([keyhole], (20, 23)), apart)
    assert not apart[10, 10]


def test_polygons_side_by_side_share_no_centre_and_leave_none_out():
    left, right = (np.array([(0, c), (0, c + 4), (8, c + 4), (8, c)], dtype=float) for c in (0, 4))
    masks = [polygons_to_mask([polygon], (10, 12)) for polygon in (left, right)]
    assert [int(mask.sum()) for mask in masks] == [32, 32]
    assert not (masks[0] & masks[1]).any()


def test_what_lies_outside_the_image_is_cut_off():
    around = np.array([(-9, -9), (-9, 30), (30, 30), (30, -9)], dtype=float)
    assert polygons_to_mask([around], (6, 8)).all()
    beside = np.array([(1, 9), (1, 30), (4, 30), (4, 9)], dtype=float)
    assert not polygons_to_mask([beside], (6, 8)).any()
    assert not polygons_to_mask([beside - (40, 40)], (6, 8)).any()


@pytest.mark.parametrize("mask", [np.zeros((3, 4)), np.zeros((3, 4, 1), dtype=bool)])
def test_anything_but_a_flat_bool_mask_is_refused(mask):
    with pytest.raises(ValueError, match=r"wanted \(H, W\) of bool"):
        mask_to_polygons(mask)
