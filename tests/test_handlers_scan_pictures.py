"""Which slices of a drawn scan are shown, and how: spread over the organs, in true proportions, bare without organs."""

import numpy as np

from monai_gi.handlers.scan_pictures import draw_slice, scan_overlays, shown_slices
from monai_gi.handlers.scans import Scan
from monai_gi.plots import GAP_PX, outline_overlay

SIZE = (12, 40)
DEPTH = 9


def organs_on(*slices, organ=1):
    masks = np.zeros((3, *SIZE, DEPTH), dtype=bool)
    for position in slices:
        masks[organ, 3 : 5 + position, 4:16, position] = True
    return masks


def draw_scan(pred, truth=None):
    ids = tuple(f"slice_{number:04d}" for number in range(1, DEPTH + 1))
    image = np.linspace(0, 1, DEPTH) * np.ones((*SIZE, 1))
    return Scan("case1_day0", "case1", ids, (3.0, 1.5, 3.0), np.eye(4), image, pred, truth)


def test_all_slices_with_any_organ_are_shown():
    assert shown_slices(organs_on(2, 3) | organs_on(7, organ=2), 12) == [2, 3, 7]


def test_many_are_thinned_out_evenly_with_both_ends():
    masks = organs_on(0, 1, 2, 3, 4, 5, 7)
    assert shown_slices(masks, 3) == [0, 3, 7]
    assert shown_slices(masks, 6) == [0, 1, 2, 4, 5, 7]  # steps of 1.2 among seven
    assert shown_slices(masks, 1) == [3]


def test_scan_without_organs_shows_none():
    assert shown_slices(organs_on(), 12) == []


def test_pictures_are_named_by_slice_and_stand_on_a_sheet():
    pictures, sheet = scan_overlays(draw_scan(organs_on(2, 3, 6)), most=2)
    assert list(pictures) == ["slice_0003", "slice_0007"]
    assert {picture.shape for picture in pictures.values()} == {(48, 80, 3)}  # rows are twice as high as columns
    assert sheet.shape[1] == 2 * (40 + GAP_PX) + GAP_PX


def test_sheet_without_organs_shows_bare_slices():
    pictures, sheet = scan_overlays(draw_scan(organs_on()), most=3)
    assert pictures == {}
    assert sheet.shape[1] == 2 * (40 + GAP_PX) + GAP_PX


def test_truth_is_drawn_where_there_is_one():
    pred, truth = organs_on(4), organs_on(6)
    with_truth, without = draw_slice(draw_scan(pred, truth), 6, 2), draw_slice(draw_scan(pred), 6, 2)
    image = draw_scan(pred).image[..., 6]
    assert np.array_equal(without, outline_overlay(image, spacing_mm=(3.0, 1.5)))
    assert np.array_equal(with_truth, outline_overlay(image, truth[..., 6], spacing_mm=(3.0, 1.5)))


def test_legend_tells_truth_from_prediction_where_both_are_drawn():
    one, both = (scan_overlays(draw_scan(organs_on(4), truth))[1] for truth in (None, organs_on(4)))
    assert len(both) > len(one)  # a narrow sheet takes two lines more
