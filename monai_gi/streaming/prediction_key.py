"""What the pixels of a predicted slide depend on: images that were begun with the same key may be gone on with."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from monai_gi import __version__
from monai_gi.devices import resolve_amp
from monai_gi.sharing.manifest import sha256_of
from monai_gi.slides import files_of


def prediction_key(predicted_with: Mapping[str, Any], device: torch.device) -> str:
    """Join what was asked for with what becomes of it on this machine.

    Args:
        predicted_with: settings with "amp", weights and slide, as JSON holds them.
        device: of the network.

    Returns:
        Text that is the same where the pixels are.
    """
    here = {"amp": resolve_amp(predicted_with["amp"], device), "device": device.type, "monai_gi": __version__}
    return json.dumps({**predicted_with, **here}, sort_keys=True)


def slide_hash(path: str | Path) -> str:
    """Hash the content of a slide.

    Args:
        path: of the slide.

    Returns:
        SHA-256 in hexadecimal digits: of the file, or of the hashes and names of all where there are several.

    Raises:
        OSError: a file can not be read.
    """
    first, *others = files_of(path)
    if not others:
        return sha256_of(first)
    lines = [f"{sha256_of(file)} {file.relative_to(first.parent).as_posix()}\n" for file in (first, *others)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()
