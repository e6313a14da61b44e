"""Weights to start from: safetensors, or pickles read with weights_only, so that no file runs code.

One rule everywhere: weights that can not be had give one loud line (an error where they are required), weights that
do not fit are always an error. `network.init_weights_status` says which weights training started from.
"""

import logging
import os
import pickle
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from monai_gi.errors import DataError

logger = logging.getLogger(__name__)
PICKLE_SUFFIXES = (".pt", ".pth", ".bin")
UNREADABLE = (OSError, RuntimeError, ValueError, KeyError, EOFError, SafetensorError, pickle.UnpicklingError)


class UnavailableError(Exception):
    """The weights can not be had; the text is the reason, without the name."""


def load_init_weights(network: nn.Module, source: str | Path | None, *, required: bool = False) -> nn.Module:
    """Start a network from a file of weights with exactly its keys and shapes; set `network.init_weights_status`.

    Args:
        network: changed in place.
        source: a `.safetensors`, `.pt` or `.pth` file: a state dict, or a dict that holds one under `model` or
            `state_dict`. None or "" leaves the random weights: status "random".
        required: a missing file is an error instead of a warning.

    Returns:
        The same network, for use in an expression.

    Raises:
        DataError: the file can not be read or its keys or shapes are not the network's; or it is missing and required.
    """
    network.init_weights_status = status_after(  # type: ignore[assignment]
        lambda: load_weights_file(network, Path(str(source)).expanduser()), source, required=required
    )
    return network


def status_after(load: Callable[[], None], source: str | Path | None, *, required: bool) -> str:
    """Load weights and say in words what the network then holds.

    Args:
        load: does it, or raises UnavailableError and has changed nothing.
        source: as the user named it; None or "" asks for random weights and nothing is loaded.
        required: weights that can not be had are an error.

    Returns:
        "random", the source, or "random (SOURCE could not be had: REASON)".

    Raises:
        DataError: the weights can not be had and are required.
    """
    if not source:
        return "random"
    try:
        load()
    except UnavailableError as reason:
        if required:
            raise DataError(
                source, f"the required weights could not be had ({reason}). Name a local file or folder"
            ) from reason
        _warn_loudly(source, reason)
        return f"random ({source} could not be had: {reason})"
    return str(source)


def _warn_loudly(source: str | Path, reason: Exception) -> None:
    if os.environ.get("RANK", "0") == "0":  # every other process is given the weights of rank 0
        logger.warning(
            "PRETRAINED WEIGHTS NOT USED: '%s' could not be had (%s); training starts from random weights. "
            "Name a local file or folder with --init_weights, or stop instead with --init_weights_required True.",
            source,
            reason,
        )


def load_weights_file(network: nn.Module, path: Path) -> None:
    """Load a file that fits exactly.

    Args:
        network: changed in place, or not at all.
        path: as for `load_init_weights`.

    Raises:
        UnavailableError: there is no such file.
        DataError: unknown kind of file, unreadable, or other keys or shapes than the network's.
    """
    weights = read_weights(path)
    own = network.state_dict()
    faults = [
        *_named("missing", [key for key in own if key not in weights]),
        *_named("unexpected", [key for key in weights if key not in own]),
        *_named("of another shape", shape_faults(weights, own)),
    ]
    if faults:
        raise DataError(
            path, f"does not fit {type(network).__name__}: {'; '.join(faults)}. Was it made with other settings?"
        )
    network.load_state_dict(weights)


def read_weights(path: Path) -> dict[str, torch.Tensor]:
    """Read a state dict onto the CPU without running code from it.

    Args:
        path: as for `load_init_weights`.

    Returns:
        Tensors by key.

    Raises:
        UnavailableError: there is no such file.
        DataError: unknown kind of file, unreadable, a pickle of other things than tensors, or no state dict.
    """
    if not path.is_file():
        raise UnavailableError("no such file")
    if path.suffix not in (".safetensors", *PICKLE_SUFFIXES):
        raise DataError(path, f"suffix {path.suffix!r}, wanted .safetensors, .pt or .pth")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except UNREADABLE as error:
        raise DataError(
            path, f"can not be read as weights ({first_line(error)}). Copy it again or re-save it"
        ) from error
    return _state_dict(path, content)


def _state_dict(path: Path, content: object) -> dict[str, torch.Tensor]:
    for key in ("model", "state_dict"):
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping) or not all(isinstance(value, torch.Tensor) for value in content.values()):
        raise DataError(path, "holds no state dict: wanted tensors by key, at the top or under 'model' or 'state_dict'")
    return dict(content)


def shape_faults(weights: Mapping[str, torch.Tensor], own: Mapping[str, torch.Tensor]) -> list[str]:
    """Name the keys that both have in different shapes.

    Args:
        weights: from a file.
        own: the network's.

    Returns:
        One text a key: its name, the shape found and the shape wanted.
    """
    return [
        f"{key} {list(weights[key].shape)} for {list(own[key].shape)}"
        for key in own
        if key in weights and weights[key].shape != own[key].shape
    ]


def _named(fault: str, keys: Sequence[str]) -> list[str]:
    """At most one text: how many keys and the first four of them."""
    return [f"{len(keys)} {fault} ({', '.join(keys[:4])}{', ...' if len(keys) > 4 else ''})"] if keys else []


def first_line(error: BaseException) -> str:
    """The error's kind and the first line of its text, cut at 160 characters."""
    text = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {text}"[:160].removesuffix(": ")
