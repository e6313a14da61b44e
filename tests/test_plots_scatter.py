"""Scatter plots: ranges and ticks by hand, labels that cover nothing, shapes and bars where the numbers are."""

import itertools

import numpy as np
import pytest

from monai_gi.plots.scatter import (
    COLORS,
    LEFT_PX,
    PANEL_PX,
    TOP_PX,
    Panel,
    Point,
    linear_range,
    linear_ticks,
    log_range,
    log_ticks,
    place_labels,
    scatter,
)

AREA = (0.0, 0.0, 300.0, 200.0)


def marker(x, y):
    return (x - 7, y - 7, x + 7, y + 7)


def covers(one, other):
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def test_a_lone_label_stands_to_the_right():
    (label,) = place_labels([marker(100, 100)], [(50, 16)], AREA)
    assert label == pytest.approx((111, 92, 161, 108))


def test_a_label_at_the_right_edge_goes_to_the_left():
    (label,) = place_labels([marker(290, 100)], [(50, 16)], AREA)
    assert label == pytest.approx((229, 92, 279, 108))


@pytest.mark.parametrize("spread", [0, 3, 40])
def test_crowded_labels_cover_neither_each_other_nor_markers_nor_bars(spread):
    random = np.random.default_rng(3)
    centres = [(150 + spread * random.normal(), 100 + spread * random.normal()) for _ in range(8)]
    markers = [marker(x, y) for x, y in centres]
    bars = [(x - 1, 20, x + 1, 180) for x, _ in centres[:3]]
    labels = place_labels([*markers, *bars], [(60, 16)] * 8, AREA)
    assert not any(covers(one, other) for one, other in itertools.combinations(labels, 2))
    assert not any(covers(label, box) for label in labels for box in (*markers, *bars))
    assert all(label[0] >= 0 and label[1] >= 0 and label[2] <= 300 and label[3] <= 200 for label in labels)


def test_a_label_larger_than_the_area_lies_on_its_marker():
    assert place_labels([marker(100, 100)], [(400, 16)], AREA) == [marker(100, 100)]


def test_ranges_have_a_margin_and_never_collapse():
    assert linear_range([0.0, 1.0]) == pytest.approx((-0.08, 1.08))
    assert linear_range([0.8]) == pytest.approx((0.76, 0.84))
    assert linear_range([0.0]) == pytest.approx((-0.5, 0.5))
    assert log_range([1, 100]) == pytest.approx((-0.2, 2.2))
    assert log_range([10, 10]) == pytest.approx((0.75, 1.25))


def test_ticks_are_round_and_inside():
    assert linear_ticks(0.61, 0.79) == [0.65, 0.7, 0.75]
    assert linear_ticks(-0.04, 1.04) == [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    assert log_ticks(-2.1, -0.6) == [0.01, 0.02, 0.05, 0.1, 0.2]
    assert log_ticks(0, 4) == [1, 10, 100, 1000, 10000]


def pixels_of(picture, rgb):
    return np.argwhere((picture == rgb).all(axis=2))


def test_points_lie_where_their_numbers_say():
    points = [Point("a low one", 1, 0.0), Point("high", 100, 1.0)]
    picture = scatter([Panel("cost", points)], title="t", y_title="y")
    for (share_x, share_y), rgb in zip([(0.2 / 2.4, 0.08 / 1.16), (2.2 / 2.4, 1.08 / 1.16)], COLORS, strict=False):
        row, column = pixels_of(picture, rgb).mean(axis=0)
        assert column == pytest.approx(LEFT_PX + share_x * PANEL_PX[0], abs=1)
        assert row == pytest.approx(TOP_PX + (1 - share_y) * PANEL_PX[1], abs=1)


def test_a_hollow_marker_is_hollow_and_a_bar_is_drawn():
    def marks(**settings):
        picture = scatter([Panel("x", [Point("a", 1, 0.5, **settings), Point("b", 2, 0)])], title="", y_title="")
        return len(pixels_of(picture, COLORS[0]))

    assert marks(is_filled=False) < marks() < marks(interval=(0.2, 0.9))


def test_a_name_looks_alike_in_all_panels_and_notes_add_lines():
    panels = [Panel("x", [Point("a", 1, 0), Point("b", 2, 1)]), Panel("z", [Point("b", 5, 1)])]
    plain = scatter(panels, title="t", y_title="y")
    right = plain[:, plain.shape[1] // 2 :]
    assert len(pixels_of(right, COLORS[1])) > 50
    assert len(pixels_of(right, COLORS[0])) == 0
    assert scatter(panels, title="t", y_title="y", notes=["n", "m"]).shape[0] == plain.shape[0] + 44


def test_nothing_to_draw_is_an_error():
    with pytest.raises(ValueError, match="nothing to draw"):
        scatter([], title="", y_title="")
    with pytest.raises(ValueError, match="each with a point"):
        scatter([Panel("x", [])], title="", y_title="")


def test_zero_has_no_place_on_a_logarithmic_axis():
    with pytest.raises(ValueError, match="no place on a logarithmic axis"):
        scatter([Panel("x", [Point("a", 0, 1)])], title="", y_title="")
