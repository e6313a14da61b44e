"""Colour pictures and masks from PNG, JPEG and TIFF files of 8 bits: read as stored, or refused in one sentence."""

from monai_gi.pictures.files import BROKEN, DEFAULT_MAX_PIXELS, PictureHeader, opened, picture_header, require_readable
from monai_gi.pictures.pixels import GREY_TOLERANCE, THRESHOLD, read_mask, read_rgb

__all__ = [
    "BROKEN",
    "DEFAULT_MAX_PIXELS",
    "GREY_TOLERANCE",
    "THRESHOLD",
    "PictureHeader",
    "opened",
    "picture_header",
    "read_mask",
    "read_rgb",
    "require_readable",
]
