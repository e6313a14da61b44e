"""Slow, obvious version of looking up colours: each pixel is held against every colour of the table."""

import numpy as np


def label_of(pixel, colors, labels, tolerance, unknown):
    """The label of the nearest colour within the tolerance, the first of those equally near."""
    distances = [max(abs(int(one) - int(other)) for one, other in zip(pixel, color, strict=True)) for color in colors]
    nearest = distances.index(min(distances))
    return labels[nearest] if distances[nearest] <= tolerance else unknown


def labels_of(pixels, colors, labels, tolerance, unknown):
    """(N,) of pixels (N, 3)."""
    return np.array([label_of(pixel, colors, labels, tolerance, unknown) for pixel in pixels], dtype=np.uint8)
