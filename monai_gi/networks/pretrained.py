"""Pretrained folders of transformers: what their config.json says, and their weights laid into a network of ours.

Nothing in a folder is trusted to name code or further downloads: of its config only the sizes are read.
"""

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn

from monai_gi.errors import DataError
from monai_gi.networks.architectures import SET_BY_CHANNELS, Design, class_names, own_fields
from monai_gi.networks.hub import CONFIG_FILE, WEIGHT_FILES, weights_folder
from monai_gi.networks.init_weights import UNREADABLE, UnavailableError, first_line, shape_faults

RELATIVE_TABLE = "relative_position_bias_table"
ABSOLUTE_TABLE = "position_embeddings"
# Which layers are read: no weights depend on it, and a classifier's folder names only its last one.
READ_LAYERS = ("out_indices", "out_features", "backbone_out_indices")
ENCODERS = ("backbone", "model")  # where a class names no `base_model_prefix` of its own


def described_config(source: str | Path) -> dict[str, Any]:
    """Read which network a folder holds.

    Args:
        source: local folder or hub name.

    Returns:
        `model_type` and its own fields, without channels and classes.

    Raises:
        DataError: it is a file, can not be had, or holds no segmentation network of transformers.
    """
    if Path(source).expanduser().is_file():
        raise DataError(source, "holds weights, not their kind of network. Name `model_type` in config")
    try:
        folder = weights_folder(str(source))
    except UnavailableError as reason:
        raise DataError(
            source, f"could not be had ({reason}), so its kind of network is unknown. Name `model_type` in config"
        ) from reason
    content = _read_config(folder)
    try:
        config_class, _ = class_names(content.get("model_type", ""))
    except ValueError as error:
        raise DataError(folder / CONFIG_FILE, str(error)) from error
    fields = _sizes(content, config_class)
    for place in (fields, fields.get("backbone_config") or {}):
        for name in (*SET_BY_CHANNELS, "use_auxiliary_head"):
            place.pop(name, None)
    return {"model_type": content["model_type"], **fields}


def start_from(network: nn.Module, source: str, design: Design, encoder: str) -> None:
    """Copy the pretrained weights that fit; only what follows the encoder may be absent or of another shape.

    Args:
        network: changed in place.
        source: local folder or hub name.
        design: of the network.
        encoder: the keys of its encoder start so.

    Raises:
        UnavailableError: the weights can not be had.
        DataError: they do not fit.
    """
    weights, missing = _pretrained(weights_folder(source), design)
    own = network.state_dict()
    first = next(name for name, module in network.named_modules() if isinstance(module, nn.Conv2d)) + ".weight"
    weights[first] = adapt_kernel(weights[first], own[first].shape[1])
    found = {key: _fitted(key, tensor, own.get(key)) for key, tensor in weights.items() if key not in missing}
    absent = [key for key in own if key not in found and key.startswith(encoder)]
    misshapen = [text for text in shape_faults(found, own) if text.startswith(encoder)]
    if absent or misshapen:
        raise DataError(
            source,
            f"does not fit this network: {len(absent)} weights absent, {len(misshapen)} of another shape, first "
            f"{(absent + misshapen)[0]}. Choose the `variant` that these weights were trained in",
        )
    kept = {key: tensor for key, tensor in found.items() if key in own and tensor.shape == own[key].shape}
    network.load_state_dict(kept, strict=False)


def encoder_prefix(model: nn.Module) -> str:
    """The start of the keys that every pretrained folder of this class must hold.

    Args:
        model: of transformers.

    Returns:
        Such as "segformer."; "" where all keys must be there.
    """
    names = dict(model.named_children())
    return next((f"{name}." for name in (model.base_model_prefix, *ENCODERS) if name in names), "")


def adapt_kernel(kernel: torch.Tensor, in_channels: int) -> torch.Tensor:
    """Make a pretrained first kernel fit another number of channels, with the same answer to equal channels.

    Args:
        kernel: (F, P, h, w).
        in_channels: K.

    Returns:
        (F, K, h, w): the kernel itself where K is P, else its mean over P times P / K in every channel.
    """
    pretrained_channels = kernel.shape[1]
    if pretrained_channels == in_channels:
        return kernel
    mean = kernel.mean(dim=1, keepdim=True) * (pretrained_channels / in_channels)
    return mean.repeat(1, in_channels, 1, 1)


def _fitted(key: str, tensor: torch.Tensor, own: torch.Tensor | None) -> torch.Tensor:
    """A table of positions interpolated to the grid of ours, as forward would do for images of that size."""
    if own is None or own.shape == tensor.shape:
        return tensor
    if key.endswith(RELATIVE_TABLE) and tensor.shape[1] == own.shape[1]:
        grid = _resized_grid(tensor[:-3], len(own) - 3)
        return tensor if grid is None else torch.cat([grid, tensor[-3:]])
    if key.endswith(ABSOLUTE_TABLE) and tensor.shape[2] == own.shape[2]:
        grid = _resized_grid(tensor[0, 1:], own.shape[1] - 1)
        return tensor if grid is None else torch.cat([tensor[0, :1], grid])[None]
    return tensor


def _resized_grid(rows: torch.Tensor, count: int) -> torch.Tensor | None:
    """Rows (n * n, C) of a square grid as (count, C) of another; None where either is no square."""
    old, new = math.isqrt(len(rows)), math.isqrt(count)
    if old * old != len(rows) or new * new != count:
        return None
    grid = rows.reshape(1, old, old, -1).permute(0, 3, 1, 2)
    grid = nn.functional.interpolate(grid, size=(new, new), mode="bilinear", align_corners=False)
    return grid.permute(0, 2, 3, 1).reshape(count, -1)


def _pretrained(folder: Path, design: Design) -> tuple[dict[str, torch.Tensor], set[str]]:
    """State dict of the pretrained network in its own sizes, and the keys that the folder did not hold."""
    import transformers

    config_class, model_class = (getattr(transformers, name) for name in design[:2])
    content = _read_config(folder)
    if content.get("model_type") != config_class.model_type:
        found = content.get("model_type")
        raise DataError(
            folder / CONFIG_FILE, f"describes a network of type {found!r}, wanted {config_class.model_type!r}"
        )
    fields = _in_sizes_of(content, design) | {"num_labels": _classes(content)}
    try:
        # the missing head is drawn there too; our own random numbers must not depend on it
        with torch.random.fork_rng(devices=[]), _quiet_transformers():
            model, report = model_class.from_pretrained(
                folder,
                config=config_class(**fields),
                output_loading_info=True,
                weights_only=True,
                dtype=torch.float32,
                local_files_only=True,
            )
    except UNREADABLE as error:
        raise DataError(folder, f"can not be read as weights ({first_line(error)})") from error
    return model.state_dict(), set(report["missing_keys"])


def _read_config(folder: Path) -> dict[str, Any]:
    path = folder / CONFIG_FILE
    if not path.is_file():
        raise DataError(folder, f"holds no {CONFIG_FILE}, wanted one and {' or '.join(WEIGHT_FILES)}")
    return json.loads(path.read_text(encoding="utf-8"))


def _sizes(content: Mapping[str, Any], config_class: str) -> dict[str, Any]:
    """The fields of a config.json that are the class's own, those of its backbone among them."""
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

    names = own_fields(config_class)
    fields = {name: value for name, value in content.items() if name in names}
    backbone = fields.get("backbone_config")
    if isinstance(backbone, Mapping):
        kind = backbone.get("model_type", "")
        inner = own_fields(CONFIG_MAPPING_NAMES[kind]) if kind in CONFIG_MAPPING_NAMES else set()
        fields["backbone_config"] = {"model_type": kind} | {k: v for k, v in backbone.items() if k in inner}
    return fields


def _in_sizes_of(content: Mapping[str, Any], design: Design) -> dict[str, Any]:
    """The design's fields with the sizes of a config.json, reading the same layers as the design."""
    found = {name: value for name, value in _sizes(content, design.config_class).items() if name not in READ_LAYERS}
    theirs, ours = found.get("backbone_config"), design.fields.get("backbone_config")
    if isinstance(theirs, Mapping) and isinstance(ours, Mapping) and theirs.get("model_type") == ours["model_type"]:
        inner = {name: value for name, value in theirs.items() if name not in READ_LAYERS}
        found["backbone_config"] = {**ours, **inner}
    return {**design.fields, **found}


def _classes(content: Mapping[str, Any]) -> int:
    """How many classes a folder was trained for; transformers writes their names, or only their number."""
    return len(content.get("id2label") or ()) or content.get("num_labels", 2)


@contextmanager
def _quiet_transformers() -> Iterator[None]:
    """No progress bar and no table of missing weights: what was used and what not stands in our own status."""
    from transformers.utils import logging as chatter

    verbosity, has_bar = chatter.get_verbosity(), chatter.is_progress_bar_enabled()
    chatter.set_verbosity_error()
    chatter.disable_progress_bar()
    try:
        yield
    finally:
        chatter.set_verbosity(verbosity)
        if has_bar:
            chatter.enable_progress_bar()
