"""Python objects between the processes of a run; alone, each function gives back what it was given.

Every process must call them the same number of times, in the same order.
"""

import datetime
from collections.abc import Sequence
from typing import Any, TypeVar

import torch

T = TypeVar("T")
_PATIENCE = datetime.timedelta(days=30)


def patient_group() -> Any:
    """A group of all processes that wait for each other for days, where the usual one gives up after minutes.

    Returns:
        The group, for `gathered`; None alone.
    """
    return torch.distributed.new_group(backend="gloo", timeout=_PATIENCE) if _joined() else None


def bare_network(network: torch.nn.Module) -> torch.nn.Module:
    """The network inside DistributedDataParallel. No collective.

    Args:
        network: wrapped or not.

    Returns:
        The one whose state dict is saved.
    """
    return network.module if isinstance(network, torch.nn.parallel.DistributedDataParallel) else network


def share_of_process(objects: Sequence[T]) -> list[T]:
    """Deal objects out to the processes. No collective.

    Args:
        objects: the same in every process.

    Returns:
        Those of this process, every n-th of n processes; all of them alone.
    """
    rank = torch.distributed.get_rank() if _joined() else 0
    return list(objects[rank :: world_size()])


def gathered(objects: Sequence[T], group: Any = None) -> list[T]:
    """Join the lists of all processes.

    Args:
        objects: of this process; must pickle.
        group: of `patient_group`, where one process may take much longer than another; None for the usual one.

    Returns:
        Those of process 0, then of process 1 and so on, the same list in every process.
    """
    if not _joined():
        return list(objects)
    parts: list[list[T]] = [[] for _ in range(world_size())]
    torch.distributed.all_gather_object(parts, list(objects), group=group)
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
