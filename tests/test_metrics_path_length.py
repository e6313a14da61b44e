"""Added path length against pixel-by-pixel counting and numbers by hand."""

import numpy as np
import pytest

from monai_gi.metrics import added_path_length
from tests.oracles import contours as oracle
from tests.oracles.metrics import drawn_organs

PRED, TRUTH = drawn_organs()
SPACING_MM = (1.5, 1.63, 3.0)
PIXEL_MM = (1.5 * 1.63) ** 0.5


def square(low, high, size=(12, 15)):
    mask = np.zeros(size, dtype=bool)
    mask[low:high, low:high] = True
    return mask


@pytest.mark.parametrize("channel", range(3))
def test_it_counts_the_contour_pixels_that_the_prediction_lacks(channel):
    expected = oracle.added_path_pixels(PRED[channel], TRUTH[channel]) * PIXEL_MM
    assert added_path_length(PRED[channel], TRUTH[channel], SPACING_MM) == pytest.approx(expected)
    assert expected > 0


@pytest.mark.parametrize("tolerance_mm", [1.4, 1.5, 1.63, 3.2])
@pytest.mark.parametrize("channel", [0, 1])
def test_a_contour_within_the_tolerance_serves(channel, tolerance_mm):
    pixels = oracle.added_path_pixels(PRED[channel], TRUTH[channel], SPACING_MM, tolerance_mm)
    found = added_path_length(PRED[channel], TRUTH[channel], SPACING_MM, tolerance_mm=tolerance_mm)
    assert found == pytest.approx(pixels * PIXEL_MM)


def test_a_square_one_pixel_too_wide_lacks_all_of_its_contour():
    assert added_path_length(square(2, 10), square(3, 9), (2.0, 2.0)) == 20 * 2.0
    assert added_path_length(square(2, 10), square(3, 9), (2.0, 2.0), tolerance_mm=2.0) == 0


def test_equal_masks_cost_nothing_and_a_missing_hole_costs_its_rim():
    ring = square(2, 11)
    ring[6, 6] = False
    assert added_path_length(ring, ring, (1.0, 1.0)) == 0
    assert added_path_length(square(2, 11), ring, (1.0, 1.0)) == 4


def test_deleting_costs_nothing_and_drawing_costs_the_whole_contour():
    empty = np.zeros((12, 15), dtype=bool)
    assert added_path_length(square(2, 8), empty, (1.0, 1.0)) == 0
    assert added_path_length(empty, empty, (1.0, 1.0)) == 0
    assert added_path_length(empty, square(2, 8), (1.0, 1.0), tolerance_mm=50.0) == 20


def test_the_image_border_ends_a_mask():
    assert added_path_length(square(0, 0), np.ones((12, 15), dtype=bool), (1.0, 1.0)) == 2 * 12 + 2 * 15 - 4


def test_slices_are_judged_one_by_one():
    truth, pred = np.zeros((2, 12, 15, 3), dtype=bool)
    truth[..., 1] = square(2, 8)
    pred[..., 0] = pred[..., 2] = square(2, 8)
    # The neighbouring slices do not serve, and their masks do not make the middle of the square a surface.
    assert added_path_length(pred, truth, (1.0, 1.0, 0.1), tolerance_mm=5.0) == 20


@pytest.mark.parametrize(
    ("pred", "spacing_mm", "tolerance_mm", "message"),
    [
        (square(1, 2)[:5], (1.0, 1.0), 0.0, "prediction has shape"),
        (square(1, 2), (1.0, 1.0, 1.0), 0.0, "must hold 2 positive numbers"),
        (square(1, 2), (1.0, 0.0), 0.0, "must hold 2 positive numbers"),
        (square(1, 2), (1.0, 1.0), -1.0, "must be 0 or more"),
        (square(1, 2), (1.0, 1.0), float("nan"), "must be 0 or more"),
    ],
)
def test_what_does_not_fit_is_refused(pred, spacing_mm, tolerance_mm, message):
    with pytest.raises(ValueError, match=message):
        added_path_length(pred, square(1, 2), spacing_mm, tolerance_mm=tolerance_mm)


def test_a_line_has_no_contour():
    line = np.ones(4, dtype=bool)
    with pytest.raises(ValueError, match=r"wanted two of \(H, W\)"):
        added_path_length(line, line, (1.0,))
