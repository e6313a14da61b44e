"""Colour pictures and masks from PNG, JPEG and TIFF files of 8 bits: read as stored, or refused in one sentence."""

from monai_gi.pictures.files import DEFAULT_MAX_PIXELS, PictureHeader, picture_header, require_readable
from monai_gi.pictures.pixels import GREY_TOLERANCE, THRESHOLD, read_mask, read_rgb

__all__ = [
    "DEFAULT_MAX_PIXELS",
    "GREY_TOLERANCE",
    "THRESHOLD",
    "PictureHeader",
    "picture_header",
    "read_mask",
    "read_rgb",
    "require_readable",
]
