"""2.5D input: a slice's path becomes the paths of its neighbours in the same scan folder, in the order of the offsets.

Offsets are steps in slice numbers, which ascend towards the feet.
"""

import os
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

from monai.config import KeysCollection
from monai.transforms import MapTransform
from monai.utils import TransformBackends

from monai_gi.errors import DataError
from monai_gi.neighbours import neighbour_positions
from monai_gi.slices import list_slices, parse_slice_name


class StackSlicesd(MapTransform):
    """Replace a slice's path by the paths of its neighbours, so that LoadImaged reads them as one stack.

    Follow it with `LoadImaged(reader=SliceReader(always_stack=True))` and `EnsureChannelFirstd(channel_dim=-1)`, which
    give (K, H, W). Neighbours come from the folder of the slice, which is one scan: its ends repeat, a gap gives its
    nearer edge (see `neighbour_positions`). A folder's listing is read once.

    Args:
        keys: entries that hold the path of one slice.
        offsets: K steps in slice numbers, in the order of the channels; 0 is the slice itself.
        allow_missing_keys: items without a key pass unchanged.

    Attributes:
        backend: array types that are taken without a conversion, as MONAI lists them.

    Raises:
        ValueError: `offsets` is empty.
    """

    backend = [TransformBackends.NUMPY]  # noqa: RUF012 (as MONAI declares it)

    def __init__(
        self, keys: KeysCollection, offsets: Sequence[int] = (-2, 0, 2), allow_missing_keys: bool = False
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        if len(offsets) == 0:
            raise ValueError("offsets: empty, wanted at least one step, such as (-2, 0, 2)")
        self.offsets = tuple(offsets)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Find the neighbours of one item's slices.

        Args:
            data: the item.

        Returns:
            The item with K paths a key; DataError where a path is no slice in its folder.

        Raises:
            TypeError: an entry is no path, for example a whole scan's list or an image that is loaded already.
        """
        item = dict(data)
        for key in self.key_iterator(item):
            if not isinstance(item[key], str | os.PathLike):
                raise TypeError(f"{key}: {type(item[key]).__name__}, wanted the path of one slice (before LoadImaged)")
            item[key] = neighbour_paths(item[key], self.offsets)
        return item


def neighbour_paths(path: str | os.PathLike, offsets: Sequence[int]) -> list[str]:
    """Find the files of a slice's neighbours in its folder.

    Args:
        path: file of a slice that is there.
        offsets: K steps in slice numbers.

    Returns:
        K paths, the slice itself at offset 0.

    Raises:
        DataError: the file is not named like a slice, or is not there.
    """
    slice_path = Path(path)
    name = parse_slice_name(slice_path.name)
    if name is None:
        raise DataError(slice_path, "not named like slice_0001_266_266_1.50_1.50.png, so its neighbours are unknown")
    scan = list_slices(slice_path.parent)
    position = int(scan.numbers.searchsorted(name.number))
    if position == len(scan.paths) or Path(scan.paths[position]).name != slice_path.name:
        raise DataError(slice_path, "no such file in its folder; index the data again")
    return [scan.paths[place] for place in neighbour_positions(scan.numbers, offsets)[position]]
