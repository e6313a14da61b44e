"""Weights that can leave: tensors by key, read without running code, and nothing else in the file."""

import io
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file

from monai_gi.errors import DataError
from monai_gi.networks.init_weights import UNREADABLE, first_line

Weights = Mapping[str, torch.Tensor]


def read_plain_weights(path: Path) -> Weights:
    """Read a plain state dict.

    Args:
        path: `.pt`, `.pth` or `.safetensors`.

    Returns:
        Tensors by key, in the file's order.

    Raises:
        DataError: the file is missing, a pickle of other things, or a whole training state.
    """
    if not path.is_file():
        raise DataError(path, "no such file. Name the weights of a run: RUN/model.pt")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except UNREADABLE as error:
        problem = f"does not load with weights_only=True ({first_line(error)}), so it may run code. "
        raise DataError(path, problem + "Save network.state_dict() alone") from error
    if not isinstance(content, Mapping) or not all(isinstance(value, torch.Tensor) for value in content.values()):
        keys = f" with {', '.join(map(str, list(content)[:4]))}" if isinstance(content, Mapping) else ""
        problem = f"holds a {type(content).__name__}{keys}, wanted a plain state dict. Take RUN/model.pt, "
        raise DataError(path, problem + "not a file to resume from")
    return content


def plain_weights_file(weights: Weights) -> bytes:
    """The content of model.pt.

    Args:
        weights: of `read_plain_weights`.

    Returns:
        A file that `torch.load(weights_only=True)` takes; what training wrote comes out as it was, byte by byte.
    """
    buffer = io.BytesIO()
    torch.save(weights, buffer)
    return buffer.getvalue()
