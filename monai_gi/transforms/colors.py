"""RGB colour maps to label maps by a table of colour, name and index of each class, as slides' label maps are read."""

from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform
from monai.utils import ImageMetaKey, TransformBackends, convert_to_dst_type, convert_to_numpy

from monai_gi.colors import UNKNOWN, color_codes
from monai_gi.errors import DataError
from monai_gi.slides import ColorTable, parse_color_table, read_color_table


class ColorMapToLabeld(MapTransform):
    """Turn an RGB colour map into a label map (1, H, W), uint8, of the indices that the table gives to its colours.

    Colours out of the table are counted: an error names the commonest when they exceed the table's share of the image,
    else a warning is logged and they become the table's index of unknown ones.

    Args:
        keys: entries that hold RGB images (3, H, W) or (H, W, 3), whole numbers 0 to 255 of any dtype.
        colors: the table, or the path of its YAML, or what stands in that: `{"classes": [...], "tolerance": 3, ...}`,
            or the rows alone, `[{"name": "background", "index": 0, "rgb": [0, 0, 0]}, ...]`.
        allow_missing_keys: items without a key pass unchanged.

    Attributes:
        backend: array types that are taken without a conversion, as MONAI lists them.

    Raises:
        DataError: the table can not be read, or is not sound; all that is wrong with it.
    """

    backend = [TransformBackends.NUMPY]  # noqa: RUF012 (as MONAI declares it)

    def __init__(
        self,
        keys: KeysCollection,
        colors: ColorTable | str | Path | Mapping[str, Any] | Sequence[Mapping[str, Any]],
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.colors = _table(colors)

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
            labels = self.colors.lookup()[codes]
            is_unknown = labels == UNKNOWN
            if is_unknown.any():
                unknown, counts = np.unique(codes[is_unknown], return_counts=True)
                self.colors.require_known(where, unknown, counts, codes.size)
                labels[is_unknown] = self.colors.unknown
            item[key] = convert_to_dst_type(labels[None], dst=item[key], dtype=np.uint8)[0]
        return item


def _table(colors: Any) -> ColorTable:
    if isinstance(colors, ColorTable):
        return colors
    if isinstance(colors, str | Path):
        return read_color_table(colors)
    return parse_color_table(colors if isinstance(colors, Mapping) else {"classes": list(colors)}, "colors")


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
