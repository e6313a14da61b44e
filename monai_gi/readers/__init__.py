"""Everything that reads images: slices and frames for MONAI's LoadImaged, DICOM series, volumes, pictures as scans.

What stands in `__all__` is loaded when it is asked for: it brings MONAI, and listing a folder needs none.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from monai_gi.readers.color_pictures import PictureReader
    from monai_gi.readers.slices import SliceReader, slice_affine

__all__ = ["PictureReader", "SliceReader", "slice_affine"]

_MODULES = {"PictureReader": "color_pictures", "SliceReader": "slices", "slice_affine": "slices"}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
