"""Memory that a network on the CPU frees, kept for its next layer instead of handed back to the system.

Activations are tens of megabytes. glibc maps such blocks afresh for every layer and unmaps them behind it, and Linux
zeroes each page again: a fifth to nearly half of all processor time (`benchmarks/freed_memory.py`). mallopt(3)
describes the two settings.
"""

import ctypes
import sys

import torch

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # malloc.h of glibc
KEPT_BYTES = 2**30  # handed back only beyond


def keep_freed_memory(device: torch.device | str) -> bool:
    """Let this process use freed memory again; results stay the same bits, peak memory grows by up to a quarter.

    Args:
        device: of the network; on others than the CPU nothing changes, nor where the C library is not glibc.

    Returns:
        True where the C library took the settings.
    """
    if torch.device(device).type != "cpu" or not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return bool(mallopt and mallopt(M_MMAP_MAX, 0) and mallopt(M_TRIM_THRESHOLD, KEPT_BYTES))
