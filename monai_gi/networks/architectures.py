"""Which networks of transformers are built, in which sizes, from which fields of a config.

Convention: a design is plain values, so that a packed bundle can write the same network with transformers' own names.
Source of the sizes: SegFormer, Xie E. et al., https://arxiv.org/abs/2105.15203, table 6; UPerNet on ConvNeXt, Liu Z.
et al., https://arxiv.org/abs/2201.03545, table 5; DPT, Ranftl R. et al., https://arxiv.org/abs/2103.13413 (large), and
the same on the usual smaller ViTs; BEiT, Bao H. et al., https://arxiv.org/abs/2106.08254.
"""

from collections.abc import Mapping
from difflib import SequenceMatcher
from typing import Any, NamedTuple

Fields = dict[str, Any]
SET_BY_CHANNELS = ("num_channels", "num_labels")
FOUR_STAGES = ["stage1", "stage2", "stage3", "stage4"]


class Architecture(NamedTuple):
    """One family of transformers; its name is transformers' `model_type`.

    Attributes:
        config_class: name in transformers.
        model_class: name in transformers; its forward returns `.logits`.
        variants: fields of the config by variant, the default one first.
    """

    config_class: str
    model_class: str
    variants: dict[str, Fields]


class Design(NamedTuple):
    """A network before it is built.

    Attributes:
        config_class: name in transformers.
        model_class: name in transformers.
        fields: arguments of the config class, channels and classes among them; dicts, lists, texts and numbers.
    """

    config_class: str
    model_class: str
    fields: Fields


def _mit(depths: list[int], hidden_sizes: list[int], decoder_hidden_size: int) -> Fields:
    return {"depths": depths, "hidden_sizes": hidden_sizes, "decoder_hidden_size": decoder_hidden_size}


def _convnext(depth: int, width: int) -> Fields:
    backbone = {"depths": [3, 3, depth, 3], "hidden_sizes": [width * factor for factor in (1, 2, 4, 8)]}
    return {"backbone_config": {"model_type": "convnext", **backbone, "out_features": FOUR_STAGES}, "hidden_size": 512}


def _vit(hidden_size: int, layers: int, heads: int) -> Fields:
    return {
        "hidden_size": hidden_size,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "intermediate_size": 4 * hidden_size,
    }


def _dpt(layers: list[int], neck: list[int], fusion: int) -> Fields:
    return {
        "backbone_out_indices": layers,
        "neck_hidden_sizes": neck,
        "fusion_hidden_size": fusion,
        "use_batch_norm_in_fusion_residual": True,
    }


def _beit(stages: list[int], scale: float) -> Fields:
    return {"out_indices": stages, "layer_scale_init_value": scale, "use_relative_position_bias": True}


ARCHITECTURES = {
    "segformer": Architecture(
        "SegformerConfig",
        "SegformerForSemanticSegmentation",
        {
            "b0": _mit([2, 2, 2, 2], [32, 64, 160, 256], 256),
            "b1": _mit([2, 2, 2, 2], [64, 128, 320, 512], 256),
            "b2": _mit([3, 4, 6, 3], [64, 128, 320, 512], 768),
            "b3": _mit([3, 4, 18, 3], [64, 128, 320, 512], 768),
            "b4": _mit([3, 8, 27, 3], [64, 128, 320, 512], 768),
            "b5": _mit([3, 6, 40, 3], [64, 128, 320, 512], 768),
        },
    ),
    "upernet": Architecture(
        "UperNetConfig",
        "UperNetForSemanticSegmentation",
        {
            "tiny": _convnext(9, 96),
            "small": _convnext(27, 96),
            "base": _convnext(27, 128),
            "large": _convnext(27, 192),
            "xlarge": _convnext(27, 256),
        },
    ),
    "dpt": Architecture(
        "DPTConfig",
        "DPTForSemanticSegmentation",
        {
            "small": _vit(384, 12, 6) | _dpt([2, 5, 8, 11], [48, 96, 192, 384], 64),
            "base": _vit(768, 12, 12) | _dpt([2, 5, 8, 11], [96, 192, 384, 768], 128),
            "large": _vit(1024, 24, 16) | _dpt([5, 11, 17, 23], [256, 512, 1024, 1024], 256),
        },
    ),
    "beit": Architecture(
        "BeitConfig",
        "BeitForSemanticSegmentation",
        {
            "base": _vit(768, 12, 12) | _beit([3, 5, 7, 11], 0.1),
            "large": _vit(1024, 24, 16) | _beit([7, 11, 15, 23], 1e-5),
        },
    ),
}


def design(
    architecture: str = "segformer",
    variant: str | None = None,
    in_channels: int = 3,
    out_channels: int = 3,
    config: Mapping[str, Any] | None = None,
) -> Design:
    """Gather a network's fields.

    Args:
        architecture: a name in `ARCHITECTURES`, or "auto" for any segmentation network of transformers, whose
            `model_type` stands in `config`.
        variant: a name of that architecture, None for its first; "auto" has none.
        in_channels: from 1.
        out_channels: from 1.
        config: fields that differ from the variant's; those of `backbone_config` are laid over one by one.

    Returns:
        The design. An auxiliary head is left out unless asked for: nothing here would train it.

    Raises:
        ValueError: unknown architecture, variant, kind or field; a field that another argument sets; channels under 1.
    """
    for name, channels in (("in_channels", in_channels), ("out_channels", out_channels)):
        if channels < 1:
            raise ValueError(f"{name}: {channels}, wanted 1 or more")
    if architecture == "auto":
        entry, sizes, wanted = _auto(variant, config or {})
    else:
        entry = ARCHITECTURES[known("architecture", architecture, {**ARCHITECTURES, "auto": None})]
        variant = next(iter(entry.variants)) if variant is None else variant
        sizes, wanted = entry.variants[known("variant", variant, entry.variants)], dict(config or {})
    names = own_fields(entry.config_class)
    _check(wanted, names)
    fields = {"num_labels": out_channels, **_laid_over(sizes, wanted)}
    if "use_auxiliary_head" in names:
        fields.setdefault("use_auxiliary_head", False)
    if "num_channels" in names:
        fields["num_channels"] = in_channels
    elif isinstance(fields.get("backbone_config"), Mapping):
        fields["backbone_config"] = {"num_channels": in_channels, **fields["backbone_config"]}
    else:
        raise ValueError("config: no 'backbone_config', wanted a dict with the backbone's 'model_type' and its fields")
    return Design(entry.config_class, entry.model_class, fields)


def _auto(variant: str | None, config: Mapping[str, Any]) -> tuple[Architecture, Fields, Fields]:
    """The class names of a kind, no sizes, and the other fields."""
    if variant is not None:
        raise ValueError(f"variant: {variant!r}, but 'auto' has none. Give the sizes in config")
    kind = config.get("model_type")
    if kind is None:
        raise ValueError("config: 'auto' wants its 'model_type', or init_weights with a config.json that says it")
    config_class, model_class = class_names(kind)
    return (
        Architecture(config_class, model_class, {}),
        {},
        {name: config[name] for name in config if name != "model_type"},
    )


def class_names(kind: str) -> tuple[str, str]:
    """Look up the classes of a kind of segmentation network.

    Args:
        kind: transformers' `model_type`.

    Returns:
        The names of config and network.

    Raises:
        ValueError: transformers segments nothing with it.
    """
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES
    from transformers.models.auto.modeling_auto import MODEL_FOR_SEMANTIC_SEGMENTATION_MAPPING_NAMES as KINDS

    return CONFIG_MAPPING_NAMES[known("model_type", kind, KINDS)], KINDS[kind]


def own_fields(config_class: str) -> set[str]:
    """What a config class adds to those of every network: sizes, never where code or weights come from.

    Args:
        config_class: name in transformers.

    Returns:
        Names of fields.
    """
    import transformers

    base = transformers.PreTrainedConfig().to_dict()
    return {name for name in getattr(transformers, config_class)().to_dict() if name not in base}


def _check(fields: Mapping[str, Any], names: set[str]) -> None:
    """Refuse what transformers would keep in silence, or fetch from elsewhere."""
    for field in fields:
        if field in SET_BY_CHANNELS:
            raise ValueError(f"config: {field!r} is set by in_channels and out_channels")
        known("config", field, dict.fromkeys(sorted(names)))
    if fields.get("is_hybrid"):
        raise ValueError("config: 'is_hybrid' is not built here, wanted DPT on a plain ViT. Leave it out")


def _laid_over(below: Fields, above: Fields) -> Fields:
    """The fields with others over them, a backbone's one by one unless it is of another kind."""
    backbone = above.get("backbone_config")
    if not isinstance(backbone, Mapping):
        return {**below, **above}
    old = below.get("backbone_config", {})
    kind = backbone.get("model_type", old.get("model_type"))
    merged = {**(old if old.get("model_type") == kind else {}), **backbone, "model_type": kind}
    if not {"out_features", "out_indices"} & set(merged):
        merged["out_features"] = FOUR_STAGES
    _check({name: merged[name] for name in merged if name != "model_type"}, own_fields(_backbone_class(kind)))
    return {**below, **above, "backbone_config": merged}


def _backbone_class(kind: str | None) -> str:
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES
    from transformers.models.auto.modeling_auto import MODEL_FOR_BACKBONE_MAPPING_NAMES as KINDS

    kinds = {name: None for name in KINDS if name != "timm_backbone"}  # timm fetches weights by name
    return CONFIG_MAPPING_NAMES[known("backbone_config model_type", str(kind), kinds)]


def known(what: str, name: str, names: Mapping[str, object]) -> str:
    """The name itself where it is known.

    Args:
        what: of which argument, for the message.
        name: as given.
        names: the known ones.

    Returns:
        `name`.

    Raises:
        ValueError: it is unknown; the nearest and all known ones are named.
    """
    if name not in names:
        near = max(names, key=lambda known: SequenceMatcher(None, known.lower(), str(name).lower()).ratio())
        raise ValueError(f"{what}: {name!r} is not known, nearest is {near!r}; there are {', '.join(names)}")
    return name
