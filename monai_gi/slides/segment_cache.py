"""Decoded tiles and strips of all open files of a process, the least recently used let go beyond a number of bytes."""

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable

import numpy as np

CAPACITY_BYTES = 96 * 1024 * 1024
"""Holds a row of tiles 512 high across an image 60,000 pixels wide."""
AVERAGES_BYTES = 64 * 1024 * 1024
"""Holds level 2 of an image of 350 megapixels."""


class SegmentCache:
    """Arrays by key; threads may share it.

    Args:
        capacity: bytes held at most; a larger array is handed through.
    """

    def __init__(self, capacity: int = CAPACITY_BYTES) -> None:
        self.capacity, self.held = capacity, 0
        self._arrays: OrderedDict[Hashable, np.ndarray] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, decode: Callable[[], np.ndarray]) -> np.ndarray:
        """Find an array, or make it; two threads may make it at once.

        Args:
            key: names it.
            decode: makes it.

        Returns:
            The array, not to be written to.
        """
        with self._lock:
            array = self._arrays.get(key)
            if array is not None:
                self._arrays.move_to_end(key)
                return array
        array = decode()
        with self._lock:
            self._put(key, array)
        return array

    def forget(self, owner: Hashable) -> None:
        """Let go of the arrays whose key begins with `owner`.

        Args:
            owner: first member of their keys.
        """
        with self._lock:
            for key in [key for key in self._arrays if isinstance(key, tuple) and key[0] == owner]:
                self.held -= self._arrays.pop(key).nbytes

    def _put(self, key: Hashable, array: np.ndarray) -> None:
        if array.nbytes > self.capacity or key in self._arrays:
            return
        self._arrays[key] = array
        self.held += array.nbytes
        while self.held > self.capacity:
            self.held -= self._arrays.popitem(last=False)[1].nbytes


_of_process: dict[int, tuple[SegmentCache, SegmentCache]] = {}


def process_cache() -> SegmentCache:
    """The cache of this process; a forked one begins with its own, since the lock may be held by a thread left behind.

    Returns:
        The cache of tiles and strips as they are stored.
    """
    return _caches()[0]


def averages_cache() -> SegmentCache:
    """The cache of this process for averaged pixels; stored ones, which are many more, would flush them from theirs.

    Returns:
        The cache of tiles of levels that files lack.
    """
    return _caches()[1]


def _caches() -> tuple[SegmentCache, SegmentCache]:
    pid = os.getpid()
    if pid not in _of_process:
        _of_process.clear()
        _of_process[pid] = (SegmentCache(CAPACITY_BYTES), SegmentCache(AVERAGES_BYTES))
    return _of_process[pid]
