"""Whole scans for judging, from scan items, or from slice items that are joined to scans."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from monai.data import CacheDataset

from monai_gi.datasets.datalist import scan_items

Items = Sequence[Mapping[str, Any]]


class ScanDataset(CacheDataset):
    """MONAI's CacheDataset for a list that may also hold plain volumes; `data` then holds the scan items.

    Args:
        data: scan items, slice items of whole scans, or what `expand` turns into slice items.
        transform: MONAI pipeline on one scan item.
        cache_rate: share of the scans, 0 to 1, kept in memory.
        expand: brings the list to slice items where it holds something else (`monai_gi.plain_lists.PlainLists`).
        progress: show a bar while filling the memory.
    """

    def __init__(
        self,
        data: Items,
        transform: Callable[[Any], Any] | Sequence[Callable[[Any], Any]],
        *,
        cache_rate: float = 0.0,
        expand: Callable[[Items], Items] | None = None,
        progress: bool = False,
    ) -> None:
        expanded = data if expand is None else expand(data)
        slices = [dict(item) for item in expanded if "slice" in item]
        scans = [*(item for item in expanded if "slice" not in item), *scan_items(slices)] if slices else expanded
        super().__init__(scans, transform, cache_rate=cache_rate, progress=progress)
