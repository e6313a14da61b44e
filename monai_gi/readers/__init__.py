"""Everything that reads images: slices for MONAI's LoadImaged, DICOM series, volumes and pictures as scans.

`SliceReader` and `slice_affine` are loaded when they are asked for: they bring MONAI, and listing a folder needs none.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from monai_gi.readers.slices import SliceReader, slice_affine

__all__ = ["SliceReader", "slice_affine"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from monai_gi.readers import slices

    return getattr(slices, name)
