"""Packed configs: an inference.json that MONAI runs without this package, and training configs beside it.

Convention: what a packed inference config executes stands in `packed_inference.json` (slices; `packed_frames.json` for
frames) and in the constants here, the same for every bundle; what differs between bundles stands in plain values under
the ids of `SETTINGS_OF_INPUT`. It reads NIfTI, or PNG, and writes the masks that `monai-gi predict` writes for it.
"""

import copy
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from monai.bundle import ConfigParser

from monai_gi.errors import DataError
from monai_gi.labels import LABEL_MAP_PRIORITY, ORGAN_NAMES, ORGANS
from monai_gi.networks.architectures import ARCHITECTURES, design
from monai_gi.sharing.opening import SETTINGS_OF_INPUT


class Kind(NamedTuple):
    """What a bundle of one kind of input is packed from.

    Attributes:
        template: the config, with null where a bundle's values go.
        per_class: settings that become one number a class.
        large_regions: expression that drops small regions of masks (C, ...).
    """

    template: Path
    per_class: tuple[str, ...]
    large_regions: str


# Half a pixel less: some versions of scikit-image drop regions of the size itself, others keep them.
_DROP = "monai.transforms.RemoveSmallObjects(math.ceil(size) - 0.5, connectivity=2)"
_EACH = "for organ, size in zip(masks.split(1), @min_region_px)"
KINDS = {
    "slices": Kind(
        Path(__file__).with_name("packed_inference.json"),
        ("thresholds", "presence", "min_region_px"),
        f"$lambda masks: torch.cat([torch.stack([{_DROP}(organ[..., number]) for number in range(organ.shape[-1])], "
        f"dim=-1) {_EACH}])",
    ),
    "frames": Kind(
        Path(__file__).with_name("packed_frames.json"),
        ("thresholds", "min_region_px"),
        f"$lambda masks: torch.cat([{_DROP}(organ) {_EACH}])",
    ),
}

# A forward hook turns the answer of a class of another package into one tensor and leaves its state-dict keys alone.
HOOKED_NETWORK = "$(@bare_network.register_forward_hook(@output_hook), @bare_network)[1]"
# DPT's own forward takes every grid of tokens for a square one; the window's size tells the right one.
GRIDDED_NETWORK = (
    "$(@bare_network.neck.register_forward_pre_hook(@grid_hook, with_kwargs=True), "
    "@bare_network.register_forward_hook(@output_hook), @bare_network)[2]"
)
DPT_PATCH = 16  # px, where the config does not say it
GRID_HOOK = "$lambda module, inputs, names: (inputs, dict(names, patch_height={0}, patch_width={1}))"
LOGITS_AT_INPUT_SIZE = (
    "$lambda module, inputs, output: torch.nn.functional.interpolate("
    "output.logits.float(), size=inputs[0].shape[-2:], mode='bilinear', align_corners=False)"
)
DEEPEST_HEAD = "$lambda module, inputs, output: output[-1]"
NETWORK_TARGETS = (
    "BasicUNet",
    "BasicUNetPlusPlus",
    "SwinUNETR",
    "torch.nn.Conv2d",
    *(f"transformers.{name}" for entry in ARCHITECTURES.values() for name in (entry.config_class, entry.model_class)),
)


def plain_inference(config: Mapping[str, Any], where: str | Path) -> dict[str, Any]:
    """Build the packed inference config of a bundle.

    Args:
        config: the bundle's inference.json; its own expressions are evaluated.
        where: the file, for messages.

    Returns:
        A complete config: plain values, MONAI's classes and fixed expressions.

    Raises:
        DataError: an id is missing, or the bundle asks for what plain MONAI can not do (flips, an unknown network).
    """
    parser = ConfigParser(copy.deepcopy(dict(config)))
    kind = KINDS[input_of(config)]
    settings = {key: _value(parser, key, where) for key in SETTINGS_OF_INPUT[input_of(config)]}
    names = settings.get("classes", ORGAN_NAMES)
    for key in kind.per_class:
        settings[key] = per_class(settings[key], names)
    if settings["flips"]:
        problem = f"flips are {settings['flips']}, which plain MONAI has no transform for. Set them to [] and predict "
        raise DataError(where, problem + "with --tta where they are wanted")
    packed = json.loads(kind.template.read_text(encoding="utf-8")) | settings
    packed["postprocessing"]["transforms"] = list(_for_classes(packed["postprocessing"]["transforms"], names))
    if "label_map" in packed:
        packed["label_map"] = label_map_expression()
    network = plain_network(resolved(parser, "network_def"), where, settings["roi_size"])
    packed = _with(packed, "network_def", network)
    if max(settings["min_region_px"]) > 1:
        transforms = packed["postprocessing"]["transforms"]
        masks = next(i for i, item in enumerate(transforms) if item.get("func") == "@masks")
        transforms.insert(masks + 1, {"_target_": "Lambdad", "keys": "pred", "func": "@large_regions"})
        packed = _with(packed, "masks", {"masks": packed["masks"], "large_regions": kind.large_regions})
    return packed


def input_of(config: Mapping[str, Any]) -> str:
    """What a bundle takes.

    Args:
        config: its inference.json.

    Returns:
        "slices", "frames", or what else it says.
    """
    return str(config.get("input", "slices"))


def label_map_expression() -> str:
    """Join the masks of organs into a label map.

    Returns:
        An expression that gives what `monai_gi.labels.to_label_map` gives.

    >>> label_map_expression()[:52]
    '$lambda masks: torch.where(masks[1:2], 2, torch.wher'
    """
    text = "0"
    for name in LABEL_MAP_PRIORITY:
        channel = ORGAN_NAMES.index(name)
        text = f"torch.where(masks[{channel}:{channel + 1}], {ORGANS[channel].index}, {text})"
    return f"$lambda masks: {text}"


def plain_network(network_def: Mapping[str, Any], where: str | Path, roi_size: Sequence[int]) -> dict[str, Any]:
    """Write a network of this package with classes of MONAI, PyTorch or transformers, same state-dict keys.

    Args:
        network_def: plain values, as `resolved` gives them.
        where: the file, for messages.
        roi_size: (height, width) of every window; DPT answers to this size only.

    Returns:
        Ids and values, `network_def` last.

    Raises:
        DataError: the class is unknown here.
    """
    target, fields = network_def.get("_target_"), {key: network_def[key] for key in network_def if key != "_target_"}
    if target == "monai_gi.networks.HuggingFaceSegmenter":
        return _transformer(fields, where, roi_size)
    if target == "monai_gi.networks.UNetPlusPlus":
        bare = {"_target_": "BasicUNetPlusPlus", **fields, "deep_supervision": False}
        return _hooked(bare, DEEPEST_HEAD)
    if target not in NETWORK_TARGETS:
        known = "HuggingFaceSegmenter, UNetPlusPlus of monai_gi.networks, " + ", ".join(NETWORK_TARGETS)
        raise DataError(where, f"network_def is a {target}, of which no plain form is known. Known are {known}")
    return {"network_def": dict(network_def)}


def packed_training(config: Mapping[str, Any]) -> dict[str, Any]:
    """Take train.json, evaluate.json or multi_gpu_train.json out of the repository: places relative to the bundle.

    Outputs go to `models/`, where MONAI Label and NVFlare look for `model.pt`. `run`, the id that those call, starts
    afresh each time; `training` goes on with a stopped run on request.

    Args:
        config: a bundle's config.

    Returns:
        A complete config of the same ids without macros; it needs this package.
    """
    places = {
        "bundle_root": ".",
        "dataset_dir": "data",
        "output_dir": "$os.path.join(@bundle_root, 'models')",
        "datalist": None,
        "init_weights": config.get("init_weights") if _is_hub_name(config.get("init_weights")) else None,
    }
    packed = copy.deepcopy(dict(config)) | {key: value for key, value in places.items() if key in config}
    if "run" in packed:
        steps = packed.get("training") or packed.get("evaluating") or packed["run"]
        packed["run"] = [step for step in steps if not step.startswith("$@checkpoint.attach(")]
    return packed


def per_class(value: float | Sequence[float] | Mapping[str, float], names: Sequence[str]) -> list[float]:
    """One number a class in channel order.

    Args:
        value: one number for all, one a class, or a dict by name.
        names: of the classes.

    Returns:
        As many numbers as there are classes.
    """
    if isinstance(value, Mapping):
        return [value[name] for name in names]
    return list(value) if isinstance(value, Sequence) else [value] * len(names)


def resolved(parser: ConfigParser, key: str) -> Any:
    """A part of a config with its expressions and references evaluated, but no class instantiated.

    Args:
        parser: of the whole config.
        key: id of the part, `a#b`.

    Returns:
        Plain JSON values.
    """
    node = parser[key]
    if isinstance(node, dict):
        return {name: resolved(parser, f"{key}#{name}") for name in node}
    if isinstance(node, list):
        return [resolved(parser, f"{key}#{number}") for number in range(len(node))]
    return parser.get_parsed_content(key) if isinstance(node, str) and node[:1] in "$@" else node


def _for_classes(transforms: Sequence[Mapping[str, Any]], names: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The template's transforms; what names `<class>` comes once a class."""
    for transform in transforms:
        if transform["_target_"] == "SplitDimd":
            yield {**transform, "output_postfixes": list(names)}
        elif transform.get("output_postfix") == "<class>":
            yield from ({**transform, "keys": f"pred_{name}", "output_postfix": name} for name in names)
        else:
            yield dict(transform)


def _with(config: dict[str, Any], place: str, items: Mapping[str, Any]) -> dict[str, Any]:
    """The config with some ids in the place of one, so that it reads in order."""
    placed: dict[str, Any] = {}
    for key, value in config.items():
        placed |= items if key == place else {key: value}
    return placed


def _hooked(bare: dict[str, Any], hook: str) -> dict[str, Any]:
    return {"bare_network": bare, "output_hook": hook, "network_def": HOOKED_NETWORK}


def _transformer(fields: Mapping[str, Any], where: str | Path, roi_size: Sequence[int]) -> dict[str, Any]:
    given = ("architecture", "variant", "in_channels", "out_channels", "config")
    plan = design(**{name: fields[name] for name in given if name in fields})
    if plan.model_class not in [entry.model_class for entry in ARCHITECTURES.values()]:
        known = ", ".join(entry.model_class for entry in ARCHITECTURES.values())
        raise DataError(
            where, f"network_def is a {plan.model_class}, which is not shared in plain form. Known are {known}"
        )
    config = {"_target_": f"transformers.{plan.config_class}", **plan.fields}
    network = _hooked({"_target_": f"transformers.{plan.model_class}", "config": config}, LOGITS_AT_INPUT_SIZE)
    if plan.model_class != "DPTForSemanticSegmentation":
        return network
    patch = plan.fields.get("patch_size", DPT_PATCH)
    grid = GRID_HOOK.format(*(side // patch for side in roi_size))
    return _with(network, "network_def", {"grid_hook": grid, "network_def": GRIDDED_NETWORK})


def _value(parser: ConfigParser, key: str, where: str | Path) -> Any:
    if key not in parser:
        raise DataError(where, f"has no id {key!r}, which a packed config takes over. Add it with a plain value")
    return resolved(parser, key)


def _is_hub_name(source: Any) -> bool:
    """Whether it may leave: a name on the hub such as nvidia/mit-b0, and no file of this machine."""
    return isinstance(source, str) and source.count("/") == 1 and not Path(source).expanduser().exists()
