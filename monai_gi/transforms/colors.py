"""RGB colour maps to label maps: the colour's place in the table is the label; colours of 0 to 255."""

import logging
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform
from monai.utils import ImageMetaKey, TransformBackends, convert_to_dst_type, convert_to_numpy

from monai_gi.colors import checked_colors, color_codes, color_codes_to_labels, name_unknown
from monai_gi.errors import DataError

logger = logging.getLogger(__name__)


class ColorMapToLabeld(MapTransform):
    """Turn an RGB colour map into a label map (1, H, W), uint8; colours[i] becomes i.

    Colours out of the table are counted: an error names the commonest when they exceed a share of the image, else
    a warning is logged and they become `unknown_label`.

    Args:
        keys: entries that hold RGB images (3, H, W) or (H, W, 3), whole numbers 0 to 255 of any dtype.
        colors: up to 256 different (red, green, blue), background first by custom.
        tolerance: a pixel takes the nearest colour whose largest difference in a channel is at most this, for edges
            blurred by compression; of colours equally near the first.
        max_unknown_share: largest share of unknown pixels that is no error, 0 to 1.
        unknown_label: label of unknown pixels.
        allow_missing_keys: items without a key pass unchanged.

    Attributes:
        backend: array types that are taken without a conversion, as MONAI lists them.

    Raises:
        ValueError: the table is empty, holds a colour twice or something that is no RGB colour, or an option is out
            of its range.
    """

    backend = [TransformBackends.NUMPY]  # noqa: RUF012 (as MONAI declares it)

    def __init__(
        self,
        keys: KeysCollection,
        colors: Sequence[Sequence[int]],
        tolerance: int = 0,
        *,
        max_unknown_share: float = 0.0,
        unknown_label: int = 0,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.colors = checked_colors(colors)
        if tolerance < 0 or not 0 <= max_unknown_share <= 1 or not 0 <= unknown_label < 256:
            options = f"tolerance {tolerance}, max_unknown_share {max_unknown_share}, unknown_label {unknown_label}"
            raise ValueError(f"{options}: wanted at least 0, 0 to 1, and 0 to 255")
        self.tolerance, self.max_unknown_share, self.unknown_label = tolerance, max_unknown_share, unknown_label

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Look up the colours of one item.

        Args:
            data: the item.

        Returns:
            The item with label maps, each in the type of its image and with its metadata.

        Raises:
            DataError: an image is no RGB image, or too many of its pixels have unknown colours.
        """
        item = dict(data)
        for key in self.key_iterator(item):
            where = _where(item, key)
            codes = _codes(convert_to_numpy(item[key]), where)
            labels, is_known = color_codes_to_labels(codes, self.colors, self.tolerance)
            if not is_known.all():
                problem = name_unknown(*np.unique(codes[~is_known], return_counts=True), codes.size)
                if np.count_nonzero(~is_known) > self.max_unknown_share * codes.size:
                    raise DataError(where, f"{problem}; add them to `colors`, or raise the tolerance or the share")
                logger.warning("%s: %s; labelled %d", where, problem, self.unknown_label)
                labels[~is_known] = self.unknown_label
            item[key] = convert_to_dst_type(labels[None], dst=item[key], dtype=np.uint8)[0]
        return item


def _codes(image: np.ndarray, where: str) -> np.ndarray:
    """The image (3, H, W) or (H, W, 3) as one whole number a pixel (H, W)."""
    if image.ndim != 3 or 3 not in (image.shape[0], image.shape[2]):
        raise DataError(where, f"image of shape {image.shape}, wanted RGB as (3, H, W) or (H, W, 3)")
    rgb = np.moveaxis(image, 0, 2) if image.shape[0] == 3 else image
    whole = rgb.astype(np.int32)
    if not np.array_equal(whole, rgb) or (whole.size and not 0 <= whole.min() <= whole.max() <= 255):
        raise DataError(where, "colours that are no whole numbers 0 to 255; convert the colour map before scaling it")
    return color_codes(whole)


def _where(item: Mapping[Hashable, Any], key: Hashable) -> str:
    image = item[key]
    if isinstance(image, MetaTensor) and ImageMetaKey.FILENAME_OR_OBJ in image.meta:
        return str(image.meta[ImageMetaKey.FILENAME_OR_OBJ])
    return str(item.get("id", key))
