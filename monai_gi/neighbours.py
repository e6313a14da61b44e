"""Which slices stand beside a slice: positions in a sorted scan (0-based), never slice numbers, never another scan."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int


def neighbour_positions(numbers: Int[np.ndarray, "N"], offsets: Sequence[int]) -> Int[np.ndarray, "N K"]:
    """Find, for every slice of a scan, the slices that stand `offsets` away from it.

    The slice nearest to number + offset is taken: the scan's ends repeat, a gap gives its nearer edge, and of two
    edges equally near the one nearer to the slice itself.

    Args:
        numbers: slice numbers of one scan, ascending, each once.
        offsets: K steps in slice numbers, for example (-2, 0, 2); 0 is the slice itself.

    Returns:
        Positions in `numbers`, one row a slice, one column an offset; no slices give shape (0, K).

    Raises:
        ValueError: `offsets` is empty, or `numbers` are not ascending.

    >>> neighbour_positions(np.array([4, 5, 6, 9]), (-1, 0, 1)).tolist()
    [[0, 0, 1], [0, 1, 2], [1, 2, 2], [3, 3, 3]]
    """
    if len(offsets) == 0:
        raise ValueError("offsets: empty, wanted at least one step, such as (-2, 0, 2)")
    if np.any(np.diff(numbers) <= 0):
        raise ValueError("numbers: not ascending or not unique; sort the slices of one scan first")
    steps = np.asarray(offsets, dtype=np.int64)
    if len(numbers) == 0:
        return np.empty((0, len(steps)), dtype=np.int64)
    wanted = numbers[:, None].astype(np.int64) + steps
    after = np.searchsorted(numbers, wanted).clip(max=len(numbers) - 1)
    before = np.maximum(after - 1, 0)
    way_down, way_up = np.abs(wanted - numbers[before]), np.abs(numbers[after] - wanted)
    takes_before = (way_down < way_up) | ((way_down == way_up) & (steps > 0))
    return np.where(takes_before, before, after)
