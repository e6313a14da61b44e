"""Pixels of pictures: (H, W, 3) uint8 RGB and masks (H, W) bool, row = y down, column = x right, as stored."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL.ImageFile import ImageFile

from monai_gi.errors import DataError
from monai_gi.pictures.bands import bands
from monai_gi.pictures.files import DEFAULT_MAX_PIXELS, header_of, opened, require_readable

THRESHOLD = 127
GREY_TOLERANCE = 16
"""Largest difference of a mask's red, green and blue: JPEG stores grey with a little colour."""

_OPAQUE = 255


def read_rgb(path: str | Path, *, max_pixels: int = DEFAULT_MAX_PIXELS) -> np.ndarray:
    """Read a picture in colour.

    Args:
        path: PNG, JPEG or TIFF of 8 bits. Palettes are looked up, grey becomes equal red, green and blue, an alpha
            channel without effect is dropped.
        max_pixels: larger pictures are not decoded.

    Returns:
        (H, W, 3), uint8.

    Raises:
        DataError: the file is missing, empty, cut short, of another kind, larger than `max_pixels`, has more than 8
            bits, CMYK, several pictures, a turned orientation, or pixels to be seen through.
    """
    with opened(path) as (image, kind):
        require_readable(path, header_of(image, kind), max_pixels)
        return _filled(path, image, kind)


def rgb_bands(path: str | Path, *, max_pixels: int = DEFAULT_MAX_PIXELS) -> Iterator[np.ndarray]:
    """Read a picture in colour, in bands of whole rows from top to bottom; all but JPEG in bounded memory.

    Args:
        path: as for `read_rgb`.
        max_pixels: larger pictures are not decoded.

    Yields:
        np.ndarray: (rows, W, 3), uint8.

    Raises:
        DataError: as for `read_rgb`.
    """
    with opened(path) as (image, kind):
        require_readable(path, header_of(image, kind), max_pixels)
        yield from _opaque_bands(path, image, kind)


def index_bands(path: str | Path) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
    """Read a picture of one channel as it is stored, in bands of whole rows from top to bottom.

    Args:
        path: of mode `L` or `P`; what it says of transparency does not matter.

    Yields:
        tuple[np.ndarray, np.ndarray | None]: (rows, W, 1) uint8, and the palette (256, 3) uint8 where there is one.

    Raises:
        DataError: the file is damaged.
    """
    with opened(path) as (image, kind):
        for band in bands(image, kind):
            colors = np.frombuffer(bytes(band.getpalette() or ()), np.uint8).reshape(-1, 3)
            palette = np.zeros((256, 3), dtype=np.uint8)
            palette[: len(colors)] = colors
            yield np.asarray(band)[..., None], palette if len(colors) else None


def read_mask(path: str | Path, *, threshold: int = THRESHOLD, max_pixels: int = DEFAULT_MAX_PIXELS) -> np.ndarray:
    """Read a black and white mask, also one whose edges are grey.

    Args:
        path: as for `read_rgb`; red, green and blue agree.
        threshold: what is brighter is inside, 0 to 254.
        max_pixels: larger pictures are not decoded.

    Returns:
        (H, W), bool.

    Raises:
        DataError: as for `read_rgb`; colours in the mask; or it is dark all over without being black, as masks of
            0 and 1 are.
        ValueError: the threshold is out of its range.
    """
    if not 0 <= threshold < _OPAQUE:
        raise ValueError(f"threshold: {threshold}, wanted 0 to 254")
    with opened(path) as (image, kind):
        require_readable(path, header_of(image, kind), max_pixels)
        is_grey = image.mode in ("1", "L")
        grey = np.asarray(image.convert("L")) if is_grey else _grey(path, _filled(path, image, kind))
    mask = grey > threshold
    brightest = int(grey.max())
    if brightest and not mask.any():
        problem = f"no pixel of the mask is above {threshold}, the brightest is {brightest}"
        raise DataError(path, f"{problem}; wanted 0 outside and 255 inside. Write it out anew in black and white")
    return mask


def _filled(path: str | Path, image: ImageFile, kind: str) -> np.ndarray:
    """(H, W, 3) uint8, all of the picture."""
    pixels = np.empty((image.height, image.width, 3), dtype=np.uint8)
    top = 0
    for band in _opaque_bands(path, image, kind):
        pixels[top : top + len(band)] = band
        top += len(band)
    return pixels


def _opaque_bands(path: str | Path, image: ImageFile, kind: str) -> Iterator[np.ndarray]:
    """Bands (rows, W, 3) uint8; after the last an error if alpha was not opaque."""
    clear = 0
    for band in bands(image, kind):
        pixels = np.asarray(band.convert("RGBA" if band.has_transparency_data else "RGB"))
        clear += int(np.count_nonzero(pixels[..., 3:] != _OPAQUE))
        yield pixels[..., :3]
    if clear:
        problem = f"{clear} of {image.height * image.width} pixels can be seen through (alpha)"
        raise DataError(path, f"{problem}, wanted none; lay the picture on the background that is meant, and save it")


def _grey(path: str | Path, rgb: np.ndarray) -> np.ndarray:
    """One channel (H, W) of a picture whose channels agree."""
    low, high = rgb.min(axis=2), rgb.max(axis=2)
    is_stray = high - low > GREY_TOLERANCE
    if is_stray.any():
        colors, counts = np.unique(rgb[is_stray], axis=0, return_counts=True)
        stray = tuple(colors[counts.argmax()].tolist())
        problem = f"{int(is_stray.sum())} of {is_stray.size} pixels of the mask have a colour, most often {stray}"
        raise DataError(
            path, f"{problem}; wanted black and white. Is it a picture, or a colour map of several classes?"
        )
    return high
