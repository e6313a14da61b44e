"""Tags of a TIFF page: whether its pixels are understood, its palette, and micrometres a pixel (row, column).

Source: https://www.loc.gov/preservation/digital/formats/content/tiff_tags.shtml; OME: PhysicalSizeX of
https://www.openmicroscopy.org/Schemas/Documentation/Generated/OME-2016-06/ome_xsd.html
"""

import logging
import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

PLAUSIBLE_UM = (0.01, 50.0)
"""Pixel sizes of microscopes; 72 or 96 dots an inch are a program's habit, not a measurement."""

_WHITE_IS_ZERO, _GREY, _RGB, _PALETTE, _YCBCR = 0, 1, 2, 3, 6
_READ = {_GREY: (1, 3), _RGB: (3,), _PALETTE: (1,), _YCBCR: (3,)}
_WITH_ALPHA = ((_GREY, 2), (_RGB, 4))
_PHOTOMETRIC_NAMES = {_WHITE_IS_ZERO: "white is zero", 4: "mask", 5: "CMYK", 8: "CIELab"}
_BITS = 8
_UM_OF_UNIT = {2: 25_400.0, 3: 10_000.0}
_OME_SIZE = re.compile(r'PhysicalSize([XY])="([0-9.eE+-]+)"')
_OME_UNIT = re.compile(r'PhysicalSize[XY]Unit="([^"]+)"')


@contextmanager
def without_remarks() -> Iterator[None]:
    """Keep tifffile from logging each damaged tag, while the file is read or refused in one sentence.

    Yields:
        None: meanwhile.
    """
    logger = logging.getLogger("tifffile")
    logger.addFilter(_say_nothing)
    try:
        yield
    finally:
        logger.removeFilter(_say_nothing)


def layout_fault(page: Any) -> str | None:
    """Say why a page's pixels are no slide.

    Args:
        page: of tifffile.

    Returns:
        One sentence, or None where they are 8-bit grey, palette or RGB; grey and RGB may have an alpha channel.
    """
    if page.bitspersample != _BITS or np.dtype(page.dtype or "V1").kind != "u":
        return f"{page.bitspersample} bits a sample ({page.dtype}), wanted {_BITS}; export it with {_BITS} bits"
    photometric = int(page.photometric)
    if photometric not in _READ:
        name = _PHOTOMETRIC_NAMES.get(photometric, f"kind {photometric}")
        return f"colours are stored as {name}, wanted RGB, grey or a palette of {_BITS} bits; convert it to RGB"
    if page.samplesperpixel not in _READ[photometric] and not has_alpha(page):
        wanted = " or ".join(map(str, _READ[photometric]))
        problem = f"{page.samplesperpixel} samples a pixel, wanted {wanted}"
        return f"{problem}; save it without an alpha channel, on the background that is meant"
    return None


def has_alpha(page: Any) -> bool:
    """Tell whether the last sample of each pixel says how opaque it is.

    Args:
        page: of tifffile.

    Returns:
        True for grey and RGB with one sample more than colours.
    """
    return (int(page.photometric), int(page.samplesperpixel)) in _WITH_ALPHA


def palette_of(page: Any) -> np.ndarray | None:
    """The colours of a palette.

    Args:
        page: of tifffile.

    Returns:
        (256, 3), uint8, or None where pixels are no indices into a palette.

    Raises:
        ValueError: it has another number of colours.
    """
    if int(page.photometric) != _PALETTE:
        return None
    colors = np.asarray(page.colormap).T
    if colors.shape != (1 << _BITS, 3):
        raise ValueError(f"a palette of shape {colors.shape}")
    return (colors >> 8 if colors.max() > 255 else colors).astype(np.uint8)


def pixel_size_um(tiff: Any, page: Any) -> tuple[float, float] | None:
    """Micrometres a pixel, of OME metadata or of the resolution tags.

    Args:
        tiff: an open file of tifffile.
        page: its first.

    Returns:
        (row, column), or None where the file does not tell, or tells what no microscope has.
    """
    sizes = _ome_size(page.description) if tiff.is_ome else None
    return plausible(sizes or _tagged_size(page))


def plausible(sizes: tuple[float, float] | None) -> tuple[float, float] | None:
    """Drop pixel sizes that no microscope has.

    Args:
        sizes: (row, column) in micrometres, or None.

    Returns:
        The sizes, or None.
    """
    low, high = PLAUSIBLE_UM
    if sizes is None or not all(math.isfinite(size) and low <= size <= high for size in sizes):
        return None
    return sizes


def _say_nothing(record: logging.LogRecord) -> bool:
    return False


def _ome_size(description: str) -> tuple[float, float] | None:
    sizes = dict(_OME_SIZE.findall(description))
    units = set(_OME_UNIT.findall(description))
    if set(sizes) != {"X", "Y"} or units - {"µm", "um", "\u03bcm", "&#181;m"}:
        return None
    return float(sizes["Y"]), float(sizes["X"])


def _tagged_size(page: Any) -> tuple[float, float] | None:
    tags = page.tags
    unit = _UM_OF_UNIT.get(int(tags["ResolutionUnit"].value) if "ResolutionUnit" in tags else 2)
    if unit is None or "XResolution" not in tags or "YResolution" not in tags:
        return None
    (rows, row_part), (columns, column_part) = tags["YResolution"].value, tags["XResolution"].value
    if not rows or not columns:
        return None
    return unit * row_part / rows, unit * column_part / columns
