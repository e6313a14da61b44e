"""A training data set that decodes every slice once and then reads raw 16-bit rows: a batch costs microseconds a slice.

Batches are (B, K, h, w) uint16 with one byte of packed masks a pixel (bit c = channel c) and the scan's window;
`monai_gi.augmentation.BatchAugmentation` scales, unpacks and augments them on the device.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset, default_collate

from monai_gi.datasets.fixed_transform import Transform, fixed_transform
from monai_gi.datasets.scan_arrays import ScanArrays
from monai_gi.datasets.scan_cache import ScanToBuild, build_scans, describe, scan_folder
from monai_gi.errors import DataError
from monai_gi.neighbours import neighbour_positions
from monai_gi.slices import list_slices, parse_slice_name


class SliceStoreDataset(Dataset):
    """Slices with their neighbours, cropped to one size, out of a store that is built when first needed.

    Neighbours and percentiles are those of the scan's items in `data`: give whole scans. An item without `scan` and
    `slice` is a scan of its own. `torch.utils.data.DataLoader(dataset, batch_size, collate_fn=collate)` asks for
    whole batches.

    Args:
        data: slice items.
        transform: deterministic MONAI pipeline on one item, or a list of transforms: `image` path to (1, H, W) of
            whole numbers 0 to 65535, `label` to (C, H, W) of 0 and 1. It runs once a slice, before cropping.
        cache_dir: folder of the store; several data sets and processes may share it.
        offsets: K steps in slice numbers to the channels of the image; the ends of a scan repeat.
        roi_size: (h, w) of the images given out. A larger slice is cropped, a smaller one padded with zeros around
            its centre, both as MONAI's ResizeWithPadOrCrop does.
        lower: percent of a scan's pixels that turn black.
        upper: percent of a scan's pixels that do not turn white.
        cache_rate: share of the slices, 0 to 1, kept in memory.
        seed: of the random crops.
        expand: brings a list that holds something else than slices, such as volumes, to slice items
            (`monai_gi.plain_lists.PlainLists`).
        random_crop: place the crop of a larger slice at random, anew each epoch; else at the centre.
        progress: show a bar with the end time while building.

    Raises:
        DataError: an item lacks image file, label or 16-bit grey values; a slice is there twice; a scan is not whole;
            the disk is too small.
        ValueError: `cache_rate` or `roi_size` is out of range, or the transform has a random part.
    """

    def __init__(
        self,
        data: Sequence[Mapping[str, Any]],
        transform: Transform | Sequence[Transform],
        cache_dir: str | Path,
        *,
        offsets: Sequence[int] = (-2, 0, 2),
        roi_size: Sequence[int] = (288, 288),
        lower: float = 0.5,
        upper: float = 99.5,
        cache_rate: float = 0.0,
        seed: int = 0,
        expand: Callable[[Sequence[Mapping[str, Any]]], Sequence[Mapping[str, Any]]] | None = None,
        random_crop: bool = True,
        progress: bool = True,
    ) -> None:
        if not 0 <= cache_rate <= 1:
            raise ValueError(f"cache_rate: {cache_rate}, wanted a share from 0 to 1")
        if len(roi_size) != 2 or min(roi_size) < 1:
            raise ValueError(f"roi_size: {tuple(roi_size)}, wanted (height, width) in pixels")
        self.data = data if expand is None else expand(data)
        self.transform = fixed_transform(transform)
        self.roi_size = (int(roi_size[0]), int(roi_size[1]))
        self.seed, self.epoch, self.random_crop = seed, 0, random_crop
        self._percents = (lower, upper)
        self._offsets = tuple(offsets)
        self._open(Path(cache_dir), progress)
        self._hold(cache_rate)

    def _open(self, cache_dir: Path, progress: bool) -> None:
        """Find every item's place in the store and build what is missing."""
        text = describe(self.transform)
        self._scan_of = np.empty(len(self.data), dtype=np.int32)
        self._position_of = np.empty(len(self.data), dtype=np.int32)
        self._neighbours: list[np.ndarray] = []
        scans = []
        for scan, (name, indices) in enumerate(_scans(self.data).items()):
            items = [self.data[index] for index in indices]
            numbers = _numbers(name, items)
            self._scan_of[indices], self._position_of[indices] = scan, np.arange(len(indices))
            self._neighbours.append(neighbour_positions(numbers, self._offsets))
            scans.append(ScanToBuild(scan_folder(cache_dir, name, items, text), items))
        build_scans(scans, self.transform, progress=progress)
        self._scans = [ScanArrays(scan.folder) for scan in scans]
        self._windows: dict[int, tuple[float, float]] = {}

    def _hold(self, cache_rate: float) -> None:
        """Keep scans in memory until their slices are the share asked for."""
        wanted = round(cache_rate * len(self))
        for arrays, neighbours in zip(self._scans, self._neighbours, strict=True):
            if wanted <= 0:
                return
            arrays.hold()
            wanted -= len(neighbours)

    def set_epoch(self, epoch: int) -> None:
        """Draw other random crops; worker processes that live longer than an epoch do not see it.

        Args:
            epoch: number of the epoch.
        """
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        """One slice.

        Args:
            index: of the item in `data`.

        Returns:
            As `__getitems__`, without the batch axis.
        """
        return {key: values[0] for key, values in self.__getitems__([index]).items()}

    def __getitems__(self, indices: Sequence[int]) -> dict[str, torch.Tensor]:
        """A batch of B slices.

        Args:
            indices: of the items in `data`.

        Returns:
            `image` (B, K, h, w) uint16, `label` (B, h, w) uint8 with bit c = channel c, `window` (B, 2) float32.
        """
        image = np.zeros((len(indices), len(self._offsets), *self.roi_size), dtype=np.uint16)
        label = np.zeros((len(indices), *self.roi_size), dtype=np.uint8)
        window = np.empty((len(indices), 2), dtype=np.float32)
        for row, index in enumerate(indices):
            index = range(len(self))[index]
            self._read(index, image[row], label[row])
            window[row] = self._window(int(self._scan_of[index]))
        return {"image": torch.from_numpy(image), "label": torch.from_numpy(label), "window": torch.from_numpy(window)}

    def _read(self, index: int, image: np.ndarray, label: np.ndarray) -> None:
        """Copy one slice and its neighbours into zeroed arrays."""
        scan, position = int(self._scan_of[index]), int(self._position_of[index])
        arrays = self._scans[scan]
        size = arrays.images.shape[1:]
        (rows, to_rows), (columns, to_columns) = self._crop(index, size)
        stack = arrays.images.read(self._neighbours[scan][position], rows)
        image[:, to_rows, to_columns] = stack[:, :, columns]
        label[to_rows, to_columns] = arrays.labels.read([position], rows)[0, :, columns]

    def _crop(self, index: int, size: tuple[int, int]) -> list[tuple[slice, slice]]:
        """For rows and for columns: what is taken from the slice and where it goes."""
        is_larger = size[0] > self.roi_size[0] or size[1] > self.roi_size[1]
        draws = np.random.default_rng([self.seed, self.epoch, index]) if self.random_crop and is_larger else None
        return [_crop_axis(length, roi, draws) for length, roi in zip(size, self.roi_size, strict=True)]

    def _window(self, scan: int) -> tuple[float, float]:
        if scan not in self._windows:
            self._windows[scan] = self._scans[scan].window(*self._percents)
        return self._windows[scan]


def collate(batch: Any) -> Any:
    """Pass on the batch that `SliceStoreDataset` already made; a list of single items is stacked as usual.

    Args:
        batch: what the data loader hands over.

    Returns:
        A batch.
    """
    return batch if isinstance(batch, Mapping) else default_collate(batch)


def _is_of_a_scan(item: Mapping[str, Any]) -> bool:
    return "scan" in item and "slice" in item


def _scans(data: Sequence[Mapping[str, Any]]) -> dict[str, list[int]]:
    """Indices of the items by scan, in ascending slice number."""
    scans: dict[str, list[int]] = {}
    for index, item in enumerate(data):
        name = item["scan"] if _is_of_a_scan(item) else item.get("id", item["image"])
        scans.setdefault(str(name), []).append(index)
    for indices in scans.values():
        indices.sort(key=lambda index: data[index].get("slice", 0))
    return scans


def _numbers(scan: str, items: Sequence[Mapping[str, Any]]) -> np.ndarray:
    """Slice numbers of a scan's items, once it is sure that no slice is there twice or left out."""
    numbers = np.array([item.get("slice", 0) for item in items])
    if np.any(np.diff(numbers) == 0):
        twice = numbers[:-1][np.diff(numbers) == 0][0]
        raise DataError(scan, f"slice {twice} stands twice in the list; index the data again")
    path = items[0]["image"]
    if _is_of_a_scan(items[0]) and isinstance(path, str | Path) and parse_slice_name(Path(path).name):
        there = len(list_slices(Path(path).parent).numbers)
        if there > len(items):
            repair = "Give whole scans and choose slices with a sampler: neighbours and percentiles need them all"
            raise DataError(scan, f"{len(items)} slices in the list, {there} in {Path(path).parent}. {repair}")
    return numbers


def _crop_axis(length: int, roi: int, draws: np.random.Generator | None) -> tuple[slice, slice]:
    """One axis: where to take from and where to put; centres as in MONAI's ResizeWithPadOrCrop."""
    if length <= roi:
        before = (roi - length) // 2
        return slice(0, length), slice(before, before + length)
    start = length // 2 - roi // 2 if draws is None else int(draws.integers(length - roi + 1))
    return slice(start, start + roi), slice(0, roi)
