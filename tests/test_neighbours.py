"""Neighbours against a slow search, and drawn cases."""

import numpy as np
import pytest

from monai_gi.neighbours import neighbour_positions
from tests.oracles.neighbours import slow_neighbour


def test_gapless_scan_repeats_its_ends():
    positions = neighbour_positions(np.arange(1, 8), (-2, 0, 2))
    assert positions.tolist() == [[0, 0, 2], [0, 1, 3], [0, 2, 4], [1, 3, 5], [2, 4, 6], [3, 5, 6], [4, 6, 6]]


def test_gap_gives_the_nearer_edge_and_a_tie_the_edge_nearer_to_the_slice():
    numbers = np.array([10, 14, 16])
    assert neighbour_positions(numbers, (2,)).ravel().tolist() == [0, 2, 2]
    assert neighbour_positions(numbers, (3,)).ravel().tolist() == [1, 2, 2]
    assert neighbour_positions(numbers, (-2,)).ravel().tolist() == [0, 1, 1]


@pytest.mark.parametrize("seed", range(10))
def test_equals_the_slow_search_in_scans_with_gaps(seed):
    rng = np.random.default_rng(seed)
    numbers = np.sort(rng.choice(40, size=int(rng.integers(1, 25)), replace=False))
    offsets = tuple(rng.integers(-9, 10, size=5).tolist())
    expected = [[slow_neighbour(numbers.tolist(), p, o) for o in offsets] for p in range(len(numbers))]
    assert neighbour_positions(numbers, offsets).tolist() == expected


def test_order_of_offsets_is_the_order_of_columns():
    numbers = np.arange(6)
    assert neighbour_positions(numbers, (3, -1))[2].tolist() == [5, 1]


def test_no_slices_give_no_rows():
    assert neighbour_positions(np.array([], dtype=np.int64), (-1, 0, 1)).shape == (0, 3)


def test_no_offsets_are_refused():
    with pytest.raises(ValueError, match="offsets: empty"):
        neighbour_positions(np.arange(3), ())


@pytest.mark.parametrize("numbers", [[2, 1, 3], [1, 1, 2]])
def test_unsorted_or_doubled_numbers_are_refused(numbers):
    with pytest.raises(ValueError, match="not ascending or not unique"):
        neighbour_positions(np.array(numbers), (0,))
