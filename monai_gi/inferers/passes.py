"""What inferers share: half precision, passes over flipped images and their mean, networks that return one tensor."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from monai.data import MetaTensor

FLIPS = {"left_right": (-1,), "up_down": (-2,), "both": (-2, -1)}
AMP_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}
Network = Callable[..., torch.Tensor]


def autocast(amp: str, device: torch.device) -> AbstractContextManager:
    """Autocast for a device; nothing at all for full precision.

    Args:
        amp: "" for full precision, "bf16", "fp16", or "device" for what suits the device.
        device: where the network runs.

    Returns:
        A context to run the network in.

    Raises:
        ValueError: "fp16" on another device than CUDA.
    """
    if not amp:
        return nullcontext()
    if amp == "fp16" and device.type != "cuda":
        raise ValueError(f"amp: 'fp16' on {device.type}, wanted 'bf16' there: fp16 needs CUDA's gradient scaling")
    if amp == "device":
        amp = "fp16" if device.type == "cuda" else "bf16"
    return torch.autocast(device.type, AMP_DTYPES[amp])


def logits_of_mean(passes: Sequence[torch.Tensor]) -> torch.Tensor:
    """Join passes over the same images.

    Args:
        passes: logits of one shape, at least one pass.

    Returns:
        Logits of the mean probability (sigmoid); of one pass, its own.
    """
    if len(passes) == 1:
        return passes[0]
    return (sum(logits.sigmoid() for logits in passes) / len(passes)).logit(eps=1e-6)  # type: ignore[union-attr]


def flip_axes(flips: Sequence[str]) -> tuple[tuple[int, ...], ...]:
    """Look up the axes that are turned in each further pass.

    Args:
        flips: of FLIPS.

    Returns:
        Axes of (..., H, W) for each.

    Raises:
        ValueError: a flip is unknown, or a string stands in place of the list.
    """
    if isinstance(flips, str):
        raise ValueError(f"flips: {flips!r} is a string, wanted a list such as [{flips!r}]")
    if unknown := [flip for flip in flips if flip not in FLIPS]:
        raise ValueError(f"flips: {unknown} not known, there are {list(FLIPS)}")
    return tuple(FLIPS[flip] for flip in flips)


def checked_amp(amp: bool | str) -> str:
    """Check a setting of half precision.

    Args:
        amp: as for `AutocastInferer`.

    Returns:
        What `autocast` takes.

    Raises:
        ValueError: another value.
    """
    if isinstance(amp, bool):
        return "device" if amp else ""
    if amp not in AMP_DTYPES:
        raise ValueError(f"amp: {amp!r}, wanted True, False, {' or '.join(map(repr, AMP_DTYPES))}")
    return amp


def plain(tensor: torch.Tensor) -> torch.Tensor:
    """Take MONAI's metadata off, which costs time in every operation of a network.

    Args:
        tensor: any.

    Returns:
        The same memory.
    """
    return tensor.as_tensor() if isinstance(tensor, MetaTensor) else tensor


def one_tensor(outputs: object) -> torch.Tensor:
    """Refuse a network that returns several heads.

    Args:
        outputs: what it returned.

    Returns:
        The tensor, without metadata.

    Raises:
        TypeError: it is no tensor.
    """
    if not isinstance(outputs, torch.Tensor):
        raise TypeError(
            f"network: returned {type(outputs).__name__}, wanted one tensor (n, C, h, w). "
            "Was it left in training mode? Call network.eval() first"
        )
    return plain(outputs)


def device_of(network: Network, inputs: torch.Tensor) -> torch.device:
    """Find out where a network runs.

    Args:
        network: any callable.
        inputs: what it is given.

    Returns:
        The device of its weights; of the input where it has none.
    """
    weights = getattr(network, "parameters", lambda: iter(()))()
    return next((weight.device for weight in weights), inputs.device)
