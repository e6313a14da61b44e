"""Run lengths pixel by pixel: row-major, from 1; slow and plain."""

import numpy as np


def decode_by_pixel(rle: str, shape: tuple[int, int]) -> np.ndarray:
    """Set each pixel that a run names."""
    numbers = [int(word) for word in rle.split()]
    mask = np.zeros(shape, dtype=bool)
    for start, length in zip(numbers[::2], numbers[1::2], strict=True):
        for pixel in range(start - 1, start - 1 + length):
            mask[pixel // shape[1], pixel % shape[1]] = True
    return mask


def encode_by_pixel(mask: np.ndarray) -> str:
    """Walk the rows from left to right and write a run whenever one ends."""
    words, length, position = [], 0, 0
    for row in mask:
        for inside in row:
            position += 1
            if inside:
                length += 1
            elif length:
                words += [position - length, length]
                length = 0
    if length:
        words += [position - length + 1, length]
    return " ".join(map(str, words))
