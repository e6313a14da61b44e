"""Grey values to 0..1 by percentiles of the whole scan, the same for each of its slices (`monai_gi.intensity`)."""

import os
from collections.abc import Hashable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform
from monai.utils import ImageMetaKey, TransformBackends, convert_to_dst_type, convert_to_numpy, convert_to_tensor

from monai_gi.intensity import GREY_VALUES, histogram, percentiles_of_histogram, scale_to_window, volume_window
from monai_gi.slices import list_slices, read_slice


class ScaleIntensityByVolumed(MapTransform):
    """Scale grey values by percentiles of their whole scan to 0..1, so that the slices of a stack keep their contrast.

    A volume (C, H, W, D) is scaled by its own percentiles. A slice or stack (C, H, W) is scaled by those of all slices
    in the folder that it was read from (metadata `filename_or_obj`, so metadata must be tracked); they are read once a
    folder. Both ways give the same values. Scale before anything else changes the grey values.

    Args:
        keys: entries that hold loaded images, channel first.
        lower: percent of the scan's pixels that turn 0.
        upper: percent of the scan's pixels that stay under 1.
        allow_missing_keys: items without a key pass unchanged.

    Attributes:
        backend: array types that are taken without a conversion, as MONAI lists them.

    Raises:
        ValueError: not 0 <= lower < upper <= 100.
    """

    backend = [TransformBackends.TORCH, TransformBackends.NUMPY]  # noqa: RUF012 (as MONAI declares it)

    def __init__(
        self, keys: KeysCollection, lower: float = 0.5, upper: float = 99.5, allow_missing_keys: bool = False
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        if not 0 <= lower < upper <= 100:
            raise ValueError(f"lower {lower} and upper {upper}, wanted 0 <= lower < upper <= 100")
        self.lower, self.upper = float(lower), float(upper)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Scale the images of one item.

        Args:
            data: the item.

        Returns:
            The item with float32 images, each of the type that it had.

        Raises:
            ValueError: an image is neither (C, H, W, D) nor (C, H, W), or a slice does not carry its file's path.
        """
        item = dict(data)
        for key in self.key_iterator(item):
            image = item[key]
            if image.ndim == 4:
                window = volume_window(_exact_integers(convert_to_numpy(image)), self.lower, self.upper)
            elif image.ndim == 3 and isinstance(image, MetaTensor) and ImageMetaKey.FILENAME_OR_OBJ in image.meta:
                folder = Path(image.meta[ImageMetaKey.FILENAME_OR_OBJ]).parent
                window = folder_window(folder, self.lower, self.upper)
            else:
                wanted = "(C, H, W, D), or (C, H, W) with the file's path in its metadata"
                raise ValueError(f"{key}: {type(image).__name__} of shape {tuple(image.shape)}, wanted {wanted}")
            scaled = scale_to_window(convert_to_tensor(image) if isinstance(image, torch.Tensor) else image, window)
            item[key] = convert_to_dst_type(scaled, dst=image, dtype=scaled.dtype)[0]
        return item


def folder_window(folder: str | os.PathLike, lower: float = 0.5, upper: float = 99.5) -> tuple[float, float]:
    """Percentiles of all slices in a scan's folder; kept until files are added, removed, replaced or renamed there.

    Args:
        folder: holds the slices of one scan.
        lower: percent of the pixels.
        upper: percent of the pixels.

    Returns:
        (low, high) in grey values, equal to `numpy.percentile` over the scan.
    """
    return _window_of_files(list_slices(Path(folder)).paths, Path(folder).stat().st_mtime_ns, lower, upper)


@lru_cache(maxsize=4096)
def _window_of_files(paths: tuple[str, ...], changed: int, lower: float, upper: float) -> tuple[float, float]:
    counts = np.zeros(GREY_VALUES, dtype=np.int64)
    for path in paths:
        counts += histogram(read_slice(path).astype(np.uint16))
    low, high = percentiles_of_histogram(counts, (lower, upper))
    return float(low), float(high)


def _exact_integers(volume: np.ndarray) -> np.ndarray:
    """The volume as uint16 where that changes no value, since counting is faster than sorting."""
    if volume.dtype == np.uint16 or volume.size == 0 or not 0 <= volume.min() <= volume.max() < GREY_VALUES:
        return volume
    integers = volume.astype(np.uint16)
    return integers if np.array_equal(integers, volume) else volume
