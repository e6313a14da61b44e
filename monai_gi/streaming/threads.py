"""Short work on one thread: on a CPU that reads and compresses meanwhile, waiting for a second one takes longer."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def single_thread(device: torch.device) -> Iterator[None]:
    """Let PyTorch use one thread for a while; 20 small operations took 3 to 80 ms on several, 6 ms on one.

    Args:
        device: of the work; on others than the CPU nothing changes.
    """
    threads = torch.get_num_threads()
    if device.type != "cpu" or threads == 1:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
