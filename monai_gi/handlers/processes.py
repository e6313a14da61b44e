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
    parts: list[list[T]] = [[] for _ in range(world_size())]
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


def is_first_process() -> bool:
    """Whether this process writes the files: rank 0, or the only one. No collective, so it can be asked anywhere.

    Returns:
        True on one process of the run.
    """
    return not _joined() or torch.distributed.get_rank() == 0


def world_size() -> int:
    """How many processes share the run; 1 alone."""
    return torch.distributed.get_world_size() if _joined() else 1


def _joined() -> bool:
    return torch.distributed.is_available() and torch.distributed.is_initialized()
