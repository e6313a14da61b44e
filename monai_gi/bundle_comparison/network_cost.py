"""What one slice costs a network: multiplications and additions, and seconds.

Convention: a FLOP is one multiplication or one addition of a convolution or matrix product, so a multiply-add counts
twice; norms, activations and interpolations are not counted, as torch.utils.flop_counter has it.
"""

import json
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from monai_gi.atomic_file import write_whole
from monai_gi.inferers import AutocastInferer

BATCH = 8  # as the inferer of scans passes windows
_LEAST_TURNS, _MOST_TURNS, _LEAST_S = 3, 20, 2.0


def write_network_cost(
    network: torch.nn.Module, slice_shape: Sequence[int], path: str | Path, *, amp: bool | str = False
) -> None:
    """Measure a network and write `parameters`, `gflops`, `s_per_slice`, `device` as JSON.

    Args:
        network: on its device; left in evaluation mode.
        slice_shape: (K, H, W) of one input.
        path: the file.
        amp: of the timed passes, as AutocastInferer takes it.
    """
    parameter = next(network.parameters())
    cost = {
        "parameters": sum(weight.numel() for weight in network.parameters()),
        "gflops": count_flops(network, slice_shape) / 1e9,
        "s_per_slice": seconds_per_slice(network, slice_shape, amp=amp),
        "slice_shape": list(slice_shape),
        "device": parameter.device.type,
    }
    write_whole(path, json.dumps(cost, indent=2) + "\n")


def count_flops(network: torch.nn.Module, slice_shape: Sequence[int]) -> int:
    """Count the FLOPs of one forward pass of one slice.

    Args:
        network: put into evaluation mode.
        slice_shape: (K, H, W).

    Returns:
        Multiplications and additions.
    """
    image = torch.rand(1, *slice_shape, device=next(network.parameters()).device)
    counter = FlopCounterMode(display=False)
    # The fused attention of CPUs is unknown to the counter and would count nothing; its plain form is counted.
    with torch.inference_mode(), sdpa_kernel(SDPBackend.MATH), counter:
        network.eval()(image)
    return int(counter.get_total_flops())


def seconds_per_slice(network: torch.nn.Module, slice_shape: Sequence[int], *, amp: bool | str = False) -> float:
    """Time forward passes of BATCH slices, after one that does not count.

    Args:
        network: put into evaluation mode.
        slice_shape: (K, H, W).
        amp: as AutocastInferer takes it.

    Returns:
        The median pass divided by its slices.
    """
    network.eval()
    images = torch.rand(BATCH, *slice_shape, device=next(network.parameters()).device)
    inferer = AutocastInferer(amp=amp)
    turns: list[float] = []
    with torch.inference_mode():
        inferer(images, network)
        while len(turns) < _LEAST_TURNS or (sum(turns) < _LEAST_S and len(turns) < _MOST_TURNS):
            _wait(images)
            began = time.perf_counter()
            inferer(images, network)
            _wait(images)
            turns.append(time.perf_counter() - began)
    return statistics.median(turns) / BATCH


def _wait(images: torch.Tensor) -> None:
    if images.is_cuda:
        torch.cuda.synchronize(images.device)
