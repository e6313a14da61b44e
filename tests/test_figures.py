"""Charts: what stands on the axes is what was given, colours and shapes tell apart, nothing global is left behind."""

import re
import sys
import xml.etree.ElementTree as ElementTree

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

from monai_gi.metrics.judged import judged_of, read_judged
from monai_gi.plots.class_colors import color_of
from monai_gi.plots.figures import Chart, as_pixels, as_svg, web_color
from monai_gi.plots.figures_counts import Share, matrix_chart, share_chart
from monai_gi.plots.figures_curves import Curve, curve_chart, last_of
from monai_gi.plots.figures_scores import LEAST_FOR_BOX, Estimate, Group, box_chart, distance_chart, estimate_chart
from monai_gi.score_charts import (
    best_epoch,
    box_charts,
    confusion_charts,
    contest_charts,
    distance_charts,
    empty_charts,
    empty_counts,
    learning_charts,
)
from tests.drawn_runs import draw_frames, draw_scans, draw_slides, write_evaluation

RED, BLUE = (213, 94, 0), (0, 114, 178)
DOT = Chart("dot", "One dot", "A dot.", lambda axes: axes.plot(0.5, 0.5, "o"))


def painted(chart):
    axes = Figure().add_subplot()
    axes.set_title(chart.title, loc="left")
    chart.paint(axes)
    return axes


def lines(axes):
    """x and y of all lines by label; several without one are in order."""
    return [(line.get_xdata(), line.get_ydata()) for line in axes.lines]


def test_a_chart_is_a_whole_svg_of_its_own_and_always_the_same():
    text = as_svg(DOT)
    root = ElementTree.fromstring(text)
    assert root.tag.endswith("svg")
    assert set(re.findall(r"https?://[^/\"]+", text)) == {"http://www.w3.org"}  # names of namespaces
    assert "<!DOCTYPE" not in text
    assert as_svg(DOT) == text


def test_charts_stand_in_rows_of_columns():
    wide = as_pixels([DOT, DOT, DOT], columns=3)
    high = as_pixels([DOT, DOT, DOT], columns=2)
    assert wide.dtype == np.uint8
    assert wide.shape[1] == pytest.approx(3 * high.shape[1] / 2, abs=3)
    assert high.shape[0] == 2 * wide.shape[0]
    assert wide.min() < 60 < wide.max() == 255


@pytest.mark.parametrize(("count", "columns"), [(0, 1), (1, 0)])
def test_nothing_to_draw_is_refused(count, columns):
    with pytest.raises(ValueError, match="at least one of each is wanted"):
        as_pixels([DOT] * count, columns=columns)


def test_no_global_state_of_matplotlib_is_touched():
    before = dict(mpl.rcParams)
    as_pixels([DOT])
    as_svg(DOT)
    assert dict(mpl.rcParams) == before
    assert "matplotlib.pyplot" not in sys.modules or not sys.modules["matplotlib.pyplot"].get_fignums()


def test_boxes_show_values_mean_and_interval():
    values = [0.1, 0.2, 0.3, 0.4, float("nan"), 0.9]
    chart = box_chart("d", "Dice", [Group("small_bowel", RED, values, 0.38, (0.2, 0.6))], is_share=True, over="cases")
    axes = painted(chart)
    assert chart.text == "Dice over cases, mean: small bowel 0.38."
    assert [label.get_text() for label in axes.get_xticklabels()] == ["small\nbowel"]
    assert any(np.array_equal(np.sort(y), [0.1, 0.2, 0.3, 0.4, 0.9]) for _, y in lines(axes)), "all dots"
    assert any(np.array_equal(y, [0.3, 0.3]) for _, y in lines(axes)), "the median"
    assert any(np.array_equal(y, [0.2, 0.6]) for _, y in lines(axes)), "the interval"
    assert any(np.array_equal(np.ravel(y), [0.38]) for _, y in lines(axes)), "the mean"
    assert axes.get_ylim() == (-0.03, 1.03)


def test_few_values_get_no_box():
    few = [1.0] * (LEAST_FOR_BOX - 2) + [5.0]
    axes = painted(box_chart("h", "HD95", [Group("stomach", RED, few)], is_share=False))
    assert [label.get_text() for label in axes.get_xticklabels()] == ["stomach"]
    assert len(axes.lines) == 1, "dots alone"
    assert axes.get_ylim() == pytest.approx((0, 5.4))


def test_infinite_distances_of_judged_scans_are_counted_below_their_box():
    """By case there are means of finite ones only; three stomachs of eight scans are missed and one is invented."""
    judged = judged_of(draw_scans(8, shift=2), bootstrap=20)
    distances = next(chart for chart in box_charts(judged) if chart.name == "hd95_mm_mean_of_finite")
    labels = [label.get_text() for label in painted(distances).get_xticklabels()]
    assert labels == ["large\nbowel", "small\nbowel", "stomach\n4 of 4 ∞"]
    assert distances.text.endswith("stomach -; infinite: stomach 4 of 4.")
    assert not any("∞" in label.get_text() for label in painted(box_charts(judged)[0]).get_xticklabels())


def test_an_axis_of_nothing_still_stands():
    axes = painted(box_chart("h", "HD95", [Group("stomach", RED, [float("inf"), float("nan")])], is_share=False))
    assert axes.get_ylim() == pytest.approx((0, 1.08))


def test_distances_are_told_apart_by_shape_and_infinite_ones_stand_in_a_strip():
    points = {"stomach": [(0.9, 3.0), (0.0, np.inf), (np.nan, np.nan)], "polyp": [(0.5, 20.0)]}
    chart = distance_chart("d", "Dice", points, {"stomach": RED, "polyp": BLUE}, "mm")
    axes = painted(chart)
    (x, y), _ = lines(axes)
    assert list(y) == [0.9, 0.0]
    assert x[0] == 3.0
    assert 20 < x[1] < axes.get_xlim()[1]
    assert axes.get_xticklabels()[-1].get_text() == "∞"
    assert len({line.get_marker() for line in axes.lines}) == 2
    assert "stomach 1." in chart.text
    assert axes.get_xlabel() == "HD95, mm (smaller is better)"


def test_without_infinite_distances_there_is_no_strip():
    axes = painted(distance_chart("d", "Dice", {"polyp": [(0.5, 700.0)]}, {"polyp": BLUE}, "px"))
    assert "∞" not in [label.get_text() for label in axes.get_xticklabels()]
    assert axes.get_xlim()[1] == pytest.approx(910)
    assert axes.get_legend() is None, "one class needs no name"


def test_shares_are_bars_in_percent_with_their_counts():
    chart = share_chart("m", "Missed", [Share("stomach", RED, 1, 4), Share("polyp", BLUE, 0, 0), Share("x", RED, 9, 9)])
    axes = painted(chart)
    assert [patch.get_width() for patch in axes.patches] == [25.0, 0.0, 100.0]
    assert [text.get_text() for text in axes.texts] == ["1 of 4 (25 %)", "there is none", "9 of 9 (100 %)"]
    assert axes.get_ylim()[0] > axes.get_ylim()[1], "the first on top"
    assert chart.text == "Missed: stomach 1 of 4, polyp 0 of 0, x 9 of 9."


def test_estimates_lie_around_a_middle_that_has_a_meaning():
    rows = [Estimate("a", 0.2, (0.1, 0.4), 0), Estimate("b", None, None, 1), Estimate("c", -0.1, None, 1)]
    axes = painted(estimate_chart("e", "Difference", rows, axis="b minus a", zero="a better   b better"))
    low, high = axes.get_xlim()
    assert low == -high
    assert high > 0.4
    assert axes.get_xlabel() == "b minus a\na better   b better"
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b", "c"]
    assert [0.1, 0.4] in [list(np.ravel(x)) for x, _ in lines(axes)]


def test_confusion_is_in_percent_of_the_true_class():
    chart = matrix_chart("c", "Confusion", [[3, 1], [0, 0]], ["glass", "red"])
    axes = painted(chart)
    assert [text.get_text() for text in axes.texts] == ["75", "25", "0", "0"]
    assert "glass 0.75, red 0.00" in chart.text


def test_a_share_that_rounds_to_nothing_is_not_none():
    axes = painted(matrix_chart("c", "Confusion", [[999, 1], [0, 5]], ["glass", "red"]))
    assert axes.texts[1].get_text() == "<1"


def test_curves_of_both_sides_differ_in_line_and_marker_and_the_best_epoch_is_marked():
    train, validation = Curve("train", {1: 0.2, 2: 0.5}), Curve("validation", {2: 0.4})
    chart = curve_chart("dice", "Dice", [train, validation], is_share=True, best_epoch=2)
    axes = painted(chart)
    marks, first, second = axes.lines
    assert list(marks.get_xdata()) == [2, 2]
    assert list(first.get_xdata()) == [1, 2]
    assert list(second.get_ydata()) == [0.4]
    assert first.get_linestyle() != second.get_linestyle()
    assert first.get_marker() != second.get_marker() != ""
    assert chart.text == "Dice by epoch; at the end: train 0.500, validation 0.400."


def test_long_curves_have_no_markers_and_losses_below_zero_are_shown():
    long = Curve("train", {epoch: -1.0 / epoch for epoch in range(1, 60)})
    axes = painted(curve_chart("loss", "Loss", [long, Curve("validation", {})]))
    assert axes.lines[0].get_marker() == "None" or axes.lines[0].get_marker() == ""
    assert axes.get_ylim()[0] == -1.0


def test_the_last_value_of_a_curve_is_that_of_the_highest_step():
    assert last_of({3: 0.5, 1: 0.9}) == 0.5


def test_scans_are_drawn_in_the_colours_of_their_organs():
    judged = judged_of(draw_scans(), bootstrap=20)
    dice, surface, distance, slices = box_charts(judged)
    assert [chart.title for chart in (dice, surface, distance, slices)] == [
        "3D Dice",
        "surface Dice",
        "HD95, mm",
        "Dice of slices",
    ]
    colors = [line.get_color() for line in painted(dice).lines if line.get_marker() == "o"]
    assert colors == [web_color(color_of(name)) for name in judged.things]


def test_empty_slices_are_counted_as_by_hand():
    judged = judged_of(draw_scans(8, shift=2), bootstrap=20)
    # scans 0, 3 and 6 have a stomach, each on one slice, none is found; scan 1 gets one on its last slice
    assert empty_counts(judged, "stomach") == {"with": 3, "without": 45, "missed": 3, "invented": 1}
    assert empty_counts(judged, "large_bowel") == {"with": 32, "without": 16, "missed": 0, "invented": 0}
    missed, invented = empty_charts(judged)
    assert "stomach 3 of 3" in missed.text
    assert "stomach 1 of 45" in invented.text


def test_each_kind_has_the_charts_that_it_can_have(tmp_path):
    write_evaluation(tmp_path, scores=draw_slides())
    scans, frames, slides = judged_of(draw_scans(4)), judged_of(draw_frames()), read_judged(tmp_path)
    makers = (box_charts, distance_charts, empty_charts, contest_charts, confusion_charts)
    counts = [[len(make(judged)) for make in makers] for judged in (scans, frames, slides)]
    assert counts == [[4, 1, 2, 1, 0], [4, 1, 2, 0, 0], [2, 0, 0, 0, 1]]
    assert "polyp 1 of 3" in empty_charts(frames)[1].text


def test_learning_curves_are_loss_mean_and_each_class():
    side = {
        "loss": {1: 1.0},
        "dice/mean": {1: 0.5},
        "dice/stomach": {1: 0.4},
        "dice/liver": {1: 0.6},
        "iou/mean": {1: 0.3},
    }
    names = [chart.title for chart in learning_charts({"train": side, "validation": {}})]
    assert names == ["Loss", "Dice, mean", "Dice, stomach", "Dice, liver"]
    alone = {key: side[key] for key in ("dice/stomach", "dice/mean", "iou/mean")}
    assert [chart.title for chart in learning_charts({"validation": alone})] == ["Dice, mean", "IoU, mean"]
    assert learning_charts({}) == []


def test_the_best_epoch_is_the_last_that_was_noted():
    assert best_epoch({"validation": {"best/epoch": {1: 1.0, 5: 3.0}}}) == 3
    assert best_epoch({}) is None
