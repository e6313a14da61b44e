"""The most memory that NumPy and PyTorch held at once while something ran, as asked for, whatever allocators keep."""

import tracemalloc
import weakref

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class TensorBytes(TorchDispatchMode):
    """Counts the storages that operations of this thread made and that still live.

    Attributes:
        most: bytes, the largest sum so far.
    """

    def __init__(self):
        super().__init__()
        self.live = {}
        self.most = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        made = function(*args, **(kwargs or {}))
        for tensor in tree_leaves(made):
            if isinstance(tensor, torch.Tensor):
                self._add(tensor.untyped_storage())
        self.most = max(self.most, sum(self.live.values()))
        return made

    def _add(self, storage):
        key = storage._cdata
        if key not in self.live:
            weakref.finalize(storage, self.live.pop, key, None)
        self.live[key] = storage.nbytes()


def most_bytes(job):
    """Run it; the most bytes of Python and NumPy, and of tensors."""
    tracemalloc.start()
    try:
        with TensorBytes() as tensors:
            job()
        return tracemalloc.get_traced_memory()[1], tensors.most
    finally:
        tracemalloc.stop()
