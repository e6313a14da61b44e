"""Colour pictures and their masks for MONAI's LoadImaged: (H, W, 3) and (H, W), row = y down, not transposed."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from monai.config import PathLike
from monai.data import ImageReader
from monai.utils import MetaKeys, SpaceKeys

from monai_gi.pictures import DEFAULT_MAX_PIXELS, THRESHOLD, read_mask, read_rgb


class PictureReader(ImageReader):
    """Read PNG, JPEG and TIFF of 8 bits as stored, with `monai_gi.pictures`; MONAI's own PIL reader transposes.

    Use it as `LoadImaged(keys="image", reader=PictureReader())`, which gives (H, W, 3), uint8 RGB once
    `dtype="uint8"` is asked for, and as `LoadImaged(keys="label", reader=PictureReader(mask=True))`, which gives
    (H, W), 1 inside. `EnsureChannelFirstd`, or `ensure_channel_first=True`, makes them (3, H, W) and (1, H, W).
    The affine is the identity: pixels are the unit of length.

    Args:
        mask: read masks in place of pictures.
        threshold: of masks; what is brighter is inside.
        max_pixels: larger pictures are refused.
    """

    def __init__(self, *, mask: bool = False, threshold: int = THRESHOLD, max_pixels: int = DEFAULT_MAX_PIXELS) -> None:
        super().__init__()
        self.mask, self.threshold, self.max_pixels = mask, threshold, max_pixels

    def verify_suffix(self, filename: Sequence[PathLike] | PathLike) -> bool:
        """Take any name: the content tells the kind."""
        return True

    def read(self, data: Sequence[PathLike] | PathLike, **kwargs: object) -> Path:
        """Keep the path for `get_data`.

        LoadImage swallows errors raised here and tries its own readers, which transpose; so nothing is opened yet.

        Args:
            data: one path.
            **kwargs: none are known.

        Returns:
            The path.

        Raises:
            ValueError: several paths are given.
        """
        paths = [data] if isinstance(data, str | os.PathLike) else list(data)
        if len(paths) != 1:
            raise ValueError(f"{len(paths)} paths, wanted one: a frame is one picture")
        return Path(paths[0])

    def get_data(self, img: PathLike) -> tuple[np.ndarray, dict]:
        """Decode the file; a missing or faulty one raises DataError.

        Args:
            img: what `read` returned.

        Returns:
            uint8 pixels (H, W, 3), or of a mask (H, W), and MONAI's metadata.
        """
        path = Path(img)
        if self.mask:
            pixels = read_mask(path, threshold=self.threshold, max_pixels=self.max_pixels).astype(np.uint8)
        else:
            pixels = read_rgb(path, max_pixels=self.max_pixels).copy()  # Pillow's own memory is read-only
        meta = {
            MetaKeys.AFFINE: np.eye(4),
            MetaKeys.ORIGINAL_AFFINE: np.eye(4),
            MetaKeys.SPATIAL_SHAPE: np.array(pixels.shape[:2]),
            MetaKeys.SPACE: SpaceKeys.RAS,
            MetaKeys.ORIGINAL_CHANNEL_DIM: float("nan") if self.mask else -1,
        }
        return pixels, meta
