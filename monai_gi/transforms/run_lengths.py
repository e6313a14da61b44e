"""Run-length strings by class name to masks (C, H, W) or (C, H, W, D), and back; channel c is classes[c].

The strings are those of train.csv: 1-based, row-major (see `monai_gi.rle`). Masks may overlap.
"""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.data import MetaTensor, get_track_meta
from monai.transforms import MapTransform
from monai.utils import TransformBackends, convert_to_numpy

from monai_gi.errors import DataError
from monai_gi.labels import ORGAN_NAMES
from monai_gi.rle import RunLengthError, decode_rle, encode_rle


class DecodeRLEd(MapTransform):
    """Turn run-length strings by class into masks; organs may overlap.

    A dict gives (C, H, W), a list of dicts (one a slice) gives (C, H, W, D), uint8 of 0 and 1, with the metadata of the
    image where that is loaded and tracked. H and W are those of the image at `image_key`, channel first or without a
    channel; while it is still a path, those of the item's `size`. Decode before the image is cropped or resized.

    Args:
        keys: entries that hold the strings.
        classes: names in the order of the channels; each must be there, "" where the organ is absent.
        image_key: entry of the image that the strings describe.
        allow_missing_keys: items without a key (scans without truth) pass unchanged.

    Attributes:
        backend: array types that are taken without a conversion, as MONAI lists them.
    """

    backend = [TransformBackends.NUMPY]  # noqa: RUF012 (as MONAI declares it)

    def __init__(
        self,
        keys: KeysCollection,
        classes: Sequence[str] = ORGAN_NAMES,
        image_key: str = "image",
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.classes = tuple(classes)
        self.image_key = image_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Decode the entries of one item; DataError names the item, slice and class of a fault."""
        item = dict(data)
        for key in self.key_iterator(item):
            label = item[key]
            slices = [label] if isinstance(label, Mapping) else list(label)
            where = _names_of_slices(item, len(slices))
            mask = decode_slices(slices, self._size(item, label), self.classes, where)
            mask = mask[..., 0] if isinstance(label, Mapping) else mask
            item[key] = _with_meta_of(torch.from_numpy(mask), item.get(self.image_key))
        return item

    def _size(self, item: Mapping[Hashable, Any], label: Mapping | Sequence) -> tuple[int, int]:
        """(H, W) of the image, else of the item; where both are known they must agree."""
        image, size = item.get(self.image_key), item.get("size")
        where = str(item.get("id", "item"))
        if isinstance(image, np.ndarray | torch.Tensor):
            shape = _size_of_image(image.shape, label, where)
            if size is not None and shape != tuple(size):
                problem = f"image of {shape} pixels (H, W), but the run lengths are of {tuple(size)}"
                raise DataError(where, f"{problem}; decode before resizing, and read without a transpose")
            return shape
        if size is None:
            raise DataError(where, f"`{self.image_key}` is not loaded and there is no `size`; run lengths carry none")
        return size[0], size[1]


class EncodeRLEd(MapTransform):
    """Turn masks into run-length strings by class: (C, H, W) to a dict, (C, H, W, D) to a list of dicts.

    The inverse of `DecodeRLEd`, overlaps kept; an empty mask gives "".

    Args:
        keys: entries that hold masks of 0 and 1 (any dtype).
        classes: names of the C channels.
        allow_missing_keys: items without a key pass unchanged.

    Attributes:
        backend: array types that are taken without a conversion, as MONAI lists them.
    """

    backend = [TransformBackends.NUMPY]  # noqa: RUF012 (as MONAI declares it)

    def __init__(
        self, keys: KeysCollection, classes: Sequence[str] = ORGAN_NAMES, allow_missing_keys: bool = False
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.classes = tuple(classes)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Encode the masks of one item.

        Args:
            data: the item.

        Returns:
            The item with strings by class, or a list of them, one a slice.

        Raises:
            ValueError: a mask has other dimensions, another number of channels, or values besides 0 and 1.
        """
        item = dict(data)
        for key in self.key_iterator(item):
            mask = convert_to_numpy(item[key])
            if mask.ndim not in (3, 4) or len(mask) != len(self.classes):
                wanted = f"({len(self.classes)}, H, W) or ({len(self.classes)}, H, W, D)"
                raise ValueError(f"{key}: mask of shape {mask.shape}, wanted {wanted} for {self.classes}")
            inside = mask.astype(bool, copy=False)
            if mask.dtype != bool and not np.array_equal(inside, mask):
                raise ValueError(f"{key}: values besides 0 and 1; apply thresholds to probabilities first")
            slices = encode_slices(inside if mask.ndim == 4 else inside[..., None], self.classes)
            item[key] = slices if mask.ndim == 4 else slices[0]
        return item


def decode_slices(
    slices: Sequence[Mapping[str, str]], size: tuple[int, int], classes: Sequence[str], names: Sequence[str]
) -> np.ndarray:
    """Decode the slices of a scan.

    Args:
        slices: D slices, strings by class.
        size: (H, W).
        classes: C names, the order of the channels.
        names: D names of the slices, for errors.

    Returns:
        (C, H, W, D), uint8 of 0 and 1.

    Raises:
        DataError: a class is unknown or missing, or a string is no mask of this size.
    """
    masks = np.zeros((len(classes), size[0] * size[1], len(slices)), dtype=np.uint8)
    for position, (strings, name) in enumerate(zip(slices, names, strict=True)):
        if set(strings) != set(classes):
            raise DataError(name, f"classes {sorted(strings)}, wanted {sorted(classes)}, with '' where one is absent")
        for channel, organ in enumerate(classes):
            if strings[organ] == "":
                continue
            try:
                mask = decode_rle(strings[organ], size)
            except (RunLengthError, TypeError, AttributeError) as error:
                raise DataError(f"{name}, {organ}", str(error)) from error
            # Only the few pixels inside are written: a slice of the last axis is scattered through memory.
            masks[channel, np.flatnonzero(mask), position] = 1
    return masks.reshape(len(classes), *size, len(slices))


def encode_slices(masks: np.ndarray, classes: Sequence[str]) -> list[dict[str, str]]:
    """Encode a scan's masks (C, H, W, D), bool, as one dict of strings a slice."""
    slices = [dict.fromkeys(classes, "") for _ in range(masks.shape[3])]
    for channel, position in np.argwhere(masks.any(axis=(1, 2))):
        slices[position][classes[channel]] = encode_rle(masks[channel, :, :, position])
    return slices


def _size_of_image(shape: Sequence[int], label: Mapping | Sequence, where: str) -> tuple[int, int]:
    """(H, W) of a slice (H, W) or (C, H, W), or of a scan (H, W, D) or (C, H, W, D) with as many slices as labels."""
    spatial = 2 if isinstance(label, Mapping) else 3
    if len(shape) not in (spatial, spatial + 1):
        wanted = (
            "(H, W) or (C, H, W) for one slice" if spatial == 2 else "(H, W, D) or (C, H, W, D) for a list of slices"
        )
        raise DataError(where, f"image of shape {tuple(shape)}, wanted {wanted}")
    if spatial == 3 and shape[-1] != len(label):
        raise DataError(where, f"{shape[-1]} slices in the image, but run lengths of {len(label)}; wanted one each")
    return shape[-spatial], shape[1 - spatial]


def _names_of_slices(item: Mapping[Hashable, Any], count: int) -> list[str]:
    name, names = str(item.get("id", "item")), item.get("slice_ids")
    if count == 1 and names is None:
        return [name]
    if names is not None and len(names) != count:
        raise DataError(name, f"{count} slices of run lengths, but {len(names)} `slice_ids`; wanted one each")
    return [str(slice_id) for slice_id in names] if names is not None else [f"{name} [{i}]" for i in range(count)]


def _with_meta_of(mask: torch.Tensor, image: Any) -> torch.Tensor:
    """The mask stands where the image stands: spatial transforms and writers then treat both alike."""
    if not get_track_meta() or not isinstance(image, MetaTensor):
        return mask
    return MetaTensor(mask).copy_meta_from(image)
