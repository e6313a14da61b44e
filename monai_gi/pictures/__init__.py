"""Colour pictures and masks from PNG, JPEG and TIFF files of 8 bits: read as stored, or refused in one sentence."""

from monai_gi.pictures.bands import BAND_PIXELS, Inflated
from monai_gi.pictures.files import (
    BROKEN,
    DEFAULT_MAX_PIXELS,
    PictureHeader,
    opened,
    picture_header,
    require_readable,
    require_within,
)
from monai_gi.pictures.pixels import GREY_TOLERANCE, THRESHOLD, index_bands, read_mask, read_rgb, rgb_bands

__all__ = [
    "BAND_PIXELS",
    "BROKEN",
    "DEFAULT_MAX_PIXELS",
    "GREY_TOLERANCE",
    "THRESHOLD",
    "Inflated",
    "PictureHeader",
    "index_bands",
    "opened",
    "picture_header",
    "read_mask",
    "read_rgb",
    "require_readable",
    "require_within",
    "rgb_bands",
]
