"""Where a network runs and in which precision: names such as "auto" and "cuda:1" turned into what there is."""

from pathlib import Path

import torch

from monai_gi.errors import DataError

# Processors that multiply bfloat16 by themselves: x86 with AVX-512 or AMX, Arm. Elsewhere float32 is quicker.
BF16_FLAGS = {"avx512_bf16", "amx_bf16", "bf16"}


def resolve_device(device: str | torch.device) -> torch.device:
    """The device of a name.

    Args:
        device: "auto" takes CUDA where there is one, else the CPU.

    Returns:
        The device.

    Raises:
        DataError: the name is unknown, or of CUDA without CUDA.
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        found = torch.device(device)
    except RuntimeError:
        found = None
    if found is None or found.type not in ("cpu", "cuda"):
        raise DataError("--device", f"{str(device)!r} asked for, wanted auto, cpu, cuda or cuda:N")
    if found.type == "cuda" and (found.index or 0) >= torch.cuda.device_count():
        seen = f"{found} asked for, but PyTorch sees {torch.cuda.device_count()} CUDA devices"
        raise DataError("--device", f"{seen}; take auto or cpu, or ask `monai-gi doctor` why")
    return found


def resolve_amp(amp: bool | str, device: torch.device) -> bool | str:
    """The precision of a name.

    Args:
        amp: as for `StackedSliceInferer`, or "auto": fp16 on CUDA, bf16 on processors that have it, else float32.
        device: where the network runs.

    Returns:
        A precision that `StackedSliceInferer` takes.
    """
    if amp != "auto":
        return amp
    return device.type == "cuda" or (device.type == "cpu" and has_bf16())


def has_bf16(processor: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether this processor computes bfloat16 by itself; False where Linux does not tell.

    Args:
        processor: what Linux tells.

    Returns:
        True where bfloat16 is worth its rounding.
    """
    if not processor.is_file():
        return False
    return not BF16_FLAGS.isdisjoint(processor.read_text(encoding="utf-8", errors="replace").split())
