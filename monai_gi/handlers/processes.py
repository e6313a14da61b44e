"""Python objects between the processes of a run; alone, each function gives back what it was given.

Every process must call them the same number of times, in the same order.
"""

from collections.abc import Sequence
from typing import TypeVar

import torch

T = TypeVar("T")


def gathered(objects: Sequence[T]) -> list[T]:
    """Join the lists of all processes.

    Args:
        objects: of this process; must pickle.

    Returns:
        Those of process 0, then of process 1 and so on, the same list in every process.
    """
    if not _joined():
        return list(objects)
    parts: list[list[T]] = [[] for _ in range(torch.distributed.get_world_size())]
    torch.distributed.all_gather_object(parts, list(objects))
    return [one for part in parts for one in part]


def from_first(value: T) -> T:
    """Take the value of process 0 in every process.

    Args:
        value: of this process; only that of process 0 counts, and it must pickle.

    Returns:
        The value of process 0.
    """
    if not _joined():
        return value
    box = [value]
    torch.distributed.broadcast_object_list(box)
    return box[0]


def _joined() -> bool:
    return torch.distributed.is_available() and torch.distributed.is_initialized()
