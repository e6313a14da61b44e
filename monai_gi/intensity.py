"""Grey values of 16-bit MR scans: whole-scan percentiles by counting, and scaling of images to 0..1.

A window (low, high) belongs to one scan, never to one slice: the channels of a 2.5D stack keep their contrast.
"""

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Float64, Int64, Shaped, UInt16

GREY_VALUES = 65536

# A NumPy array or a torch tensor: this module stays free of torch, which takes seconds to import.
Image = TypeVar("Image")


def histogram(image: UInt16[np.ndarray, "..."]) -> Int64[np.ndarray, "65536"]:
    """Count every grey value.

    Args:
        image: any shape; an empty one gives zeros.

    Returns:
        The number of pixels of each value; histograms of slices add up to that of their scan.
    """
    return np.bincount(image.ravel(), minlength=GREY_VALUES)


def percentiles_of_histogram(
    counts: Int64[np.ndarray, "V"], percents: Sequence[float | int]
) -> Float64[np.ndarray, "P"]:
    """Percentiles of the counted pixels, the same bits as `np.percentile(pixels, percents)`.

    Args:
        counts: number of pixels of each value 0, 1, 2, ...
        percents: P numbers from 0 to 100.

    Returns:
        One value a percent, between two grey values interpolated linearly.

    Raises:
        ValueError: there is no pixel, or a percent is out of 0 to 100.

    Source: linear method of https://numpy.org/doc/stable/reference/generated/numpy.percentile.html
    """
    shares = np.asarray(percents, dtype=np.float64) / 100
    up_to = np.cumsum(counts)
    if len(up_to) == 0 or up_to[-1] == 0:
        raise ValueError("counts: no pixel, so there are no percentiles")
    if np.any((shares < 0) | (shares > 1)):
        raise ValueError(f"percents: {list(percents)}, wanted numbers from 0 to 100")
    ranks = (up_to[-1] - 1) * shares
    below = np.floor(ranks)
    way = ranks - below
    low = np.searchsorted(up_to, below, side="right")
    high = np.searchsorted(up_to, np.minimum(below + 1, up_to[-1] - 1), side="right")
    # NumPy goes to the nearer end, so that rounding never passes it; the same bits need the same two formulas.
    return np.where(way < 0.5, low + (high - low) * way, high - (high - low) * (1 - way))


def volume_window(
    volume: Shaped[np.ndarray, "..."], lower: float | int = 0.5, upper: float | int = 99.5
) -> tuple[float, float]:
    """The percentiles that scaling takes for black and white.

    Args:
        volume: a whole scan, any shape; 16-bit scans are counted, others sorted.
        lower: percent of the pixels that turn black.
        upper: percent of the pixels that do not turn white.

    Returns:
        (low, high) in the scan's grey values.

    Raises:
        ValueError: the volume is empty, or a percent is out of 0 to 100.
    """
    if volume.dtype == np.uint16:
        low, high = percentiles_of_histogram(histogram(volume), (lower, upper))
    elif volume.size == 0:
        raise ValueError("volume: no pixel, so there are no percentiles")
    else:
        low, high = np.percentile(volume, (lower, upper))
    return float(low), float(high)


def scale_to_window(image: Image, window: Any) -> Image:
    """Scale grey values so that the window becomes 0..1; what lies outside is cut off.

    In float32 and in this order, so that arrays and tensors, single images and batches get the same bits:
    (x - low), not under 0, divided by (high - low), not over 1.

    Args:
        image: NumPy array or torch tensor of any numeric type; it is left as it is.
        window: (low, high) for the whole image, or one window a sample as array or tensor (B, 2) for images (B, ...).

    Returns:
        float32, shape of `image`; zeros where high is not above low.
    """
    pixels: Any = image
    if isinstance(pixels, np.ndarray):
        low, span = _low_and_span(np.asarray(window, dtype=np.float32), pixels.ndim)
        scaled = pixels.astype(np.float32, copy=False) - low
        np.maximum(scaled, 0, out=scaled)
        scaled /= np.where(span > 0, span, np.float32(np.inf))
        return np.minimum(scaled, 1, out=scaled)
    as_float = pixels.float()
    limits = as_float.new_tensor(window) if isinstance(window, tuple | list) else window.to(as_float)
    low, span = _low_and_span(limits, pixels.ndim)
    # A float image may be its own float(); of whole numbers that is a copy, and one copy less is a third of the time.
    scaled = as_float.sub(low) if pixels.is_floating_point() else as_float.sub_(low)
    return scaled.clip_(min=0).div_(span.where(span > 0, float("inf"))).clip_(max=1)


def _low_and_span(limits: Any, ndim: int) -> tuple[Any, Any]:
    """Low end and length of windows (..., 2), shaped to stand against images of `ndim` axes."""
    shape = (*limits.shape[:-1], *[1] * (ndim - limits.ndim + 1))
    return limits[..., 0].reshape(shape), (limits[..., 1] - limits[..., 0]).reshape(shape)
