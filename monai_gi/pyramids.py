"""The coarser levels of pyramidal images: each half as long and wide as the one before, rounded up."""

import numpy as np

SMALLEST_LEVEL_PX = 512
"""A level is added while the smaller one is longer than this."""


def level_sizes(size: tuple[int, int]) -> list[tuple[int, int]]:
    """The levels of a pyramid.

    Args:
        size: (H, W) of the full image.

    Returns:
        (H, W) of each, the full image first.

    >>> level_sizes((1501, 2001))
    [(1501, 2001), (751, 1001), (376, 501)]
    """
    sizes = [size]
    while max(sizes[-1]) > SMALLEST_LEVEL_PX:
        sizes.append((-(-sizes[-1][0] // 2), -(-sizes[-1][1] // 2)))
    return sizes


def halve(image: np.ndarray) -> np.ndarray:
    """Averages of 2 x 2 pixels, rounded; an odd edge is repeated.

    Args:
        image: (h, w) or (h, w, C), uint8.

    Returns:
        (ceil(h / 2), ceil(w / 2)) or with C, uint8.
    """
    missing = [(0, length % 2) for length in image.shape[:2]] + [(0, 0)] * (image.ndim - 2)
    even = np.pad(image, missing, mode="edge").astype(np.uint16)
    rows = even[::2] + even[1::2]
    return ((rows[:, ::2] + rows[:, 1::2] + 2) // 4).astype(np.uint8)
