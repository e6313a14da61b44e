"""Masks (C, H, W[, D]) to one label map (1, H, W[, D]); where organs overlap LABEL_MAP_PRIORITY decides."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
from monai.config import KeysCollection
from monai.transforms import MapTransform
from monai.utils import TransformBackends, convert_to_dst_type, convert_to_numpy

from monai_gi.labels import LABEL_MAP_PRIORITY, ORGAN_NAMES, to_label_map


class LabelMapd(MapTransform):
    """Join overlapping masks into a label map of organ indices; 0 is background.

    Args:
        keys: entries that hold masks (3, H, W) or (3, H, W, D); what is not zero is inside.
        priority: every organ's name once; where masks overlap the later name wins.
        allow_missing_keys: items without a key pass unchanged.

    Attributes:
        backend: array types that are taken without a conversion, as MONAI lists them.

    Raises:
        ValueError: `priority` does not hold every organ once.
    """

    backend = [TransformBackends.NUMPY]  # noqa: RUF012 (as MONAI declares it)

    def __init__(
        self, keys: KeysCollection, priority: Sequence[str] = LABEL_MAP_PRIORITY, allow_missing_keys: bool = False
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        if sorted(priority) != sorted(ORGAN_NAMES):
            raise ValueError(f"priority: {list(priority)}, wanted each of {list(ORGAN_NAMES)} once")
        self.priority = tuple(priority)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Write the label maps, uint8, in the type of the masks and with their metadata."""
        item = dict(data)
        for key in self.key_iterator(item):
            label_map = to_label_map(convert_to_numpy(item[key]), self.priority)
            item[key] = convert_to_dst_type(label_map, dst=item[key], dtype=np.uint8)[0]
        return item
