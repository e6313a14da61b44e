"""What a packed bundle says of itself: metadata.json and docs/README.md, with training facts and scores.

Convention: facts are picked one by one from what training and evaluation wrote, so that a folder's or a file's name of
the packer does not come along.
"""

import copy
import json
import math
import re
from collections.abc import Mapping
from importlib import metadata as installed
from pathlib import Path
from typing import Any

from monai_gi.errors import DataError
from monai_gi.handlers.judge import main_numbers
from monai_gi.labels import LABEL_MAP_PRIORITY, ORGANS

TRAINING_SETTINGS = (
    "fold",
    "folds",
    "max_epochs",
    "max_minutes",
    "batch_size",
    "accumulation_steps",
    "learning_rate",
    "weight_decay",
    "optimizer_name",
    "lr_scheduler_name",
    "warmup_share",
    "roi_size",
    "slice_offsets",
    "amp",
    "ema_momentum",
    "seed",
    "val_interval",
    "early_stop_patience",
)
DATA_FACTS = ("items", "slices", "cases", "sha256")
SCORE_FACTS = (
    *("cases", "scans", "slices", "annotated_slices", "tolerance_mm", "mean_of_organs", "interval"),
    *("sequences", "frames", "annotated_frames", "tolerance_px", "mean_of_classes"),
)
HUB_NAME = re.compile(r"(nvidia|microsoft|google|facebook)/[\w.-]+")
OWN_WEIGHTS = "other weights of the packer"
CLAIMLESS = "No trained weights come with this bundle yet, so it makes no claim of accuracy."


def packed_metadata(metadata: Mapping[str, Any], config: Mapping[str, Any], version: str | None) -> dict[str, Any]:
    """Bring a bundle's metadata.json up to what is packed: versions, sizes and the label map that comes out.

    Args:
        metadata: of the bundle.
        config: its packed inference config.
        version: of the packed bundle; None keeps the bundle's.

    Returns:
        New metadata; `network_data_format.outputs.pred` counts the network's channels, as MONAI's checks want, and
        names the label map's values, as MONAI Label and MONAI Deploy want.
    """
    packed = copy.deepcopy(dict(metadata))
    packed["version"] = version or packed["version"]
    packed["changelog"] = {**packed.get("changelog", {}), packed["version"]: "packed with trained weights"}
    for key, package in (("monai_version", "monai"), ("pytorch_version", "torch"), ("numpy_version", "numpy")):
        packed[key] = _installed(package, packed[key])
    packages = packed.get("required_packages_version", {})
    if "large_regions" in config:
        packages = {**packages, "scikit-image": ""}
    packed["required_packages_version"] = {name: _installed(name, found) for name, found in packages.items()}
    packed["required_packages_note"] = "monai_gi is needed for training and evaluation, not for inference"
    _set_formats(packed["network_data_format"], config)
    return packed


def training_facts(settings_file: Path) -> dict[str, Any]:
    """Pick from the settings.json that training wrote beside model.pt what another hospital wants to know.

    Args:
        settings_file: of `monai_gi.handlers.SettingsHandler`; it may be missing.

    Returns:
        `settings`, `network`, `data`, `versions`; nothing where there is no file.
    """
    if not settings_file.is_file():
        return {}
    report = _read(settings_file)
    network = report.get("network") or {}
    return {
        "settings": {key: report["settings"][key] for key in TRAINING_SETTINGS if key in report.get("settings", {})},
        "network": {
            **{key: network[key] for key in ("name", "parameters") if key in network},
            "init_weights": _shareable(network.get("init_weights", "random")),
        },
        "data": {
            side: {key: facts[key] for key in DATA_FACTS if key in facts}
            for side, facts in report.get("data", {}).items()
        },
        "versions": report.get("versions", {}),
    }


def score_facts(summary_file: Path | None, digest: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Pick the scores from the summary.json that evaluation wrote.

    Args:
        summary_file: of `monai_gi.handlers.JudgeHandler`; None where nothing was evaluated.
        digest: of the weights that are packed, see `monai_gi.network_digest`.

    Returns:
        Main numbers by name, and the same with intervals, counts and rules; both empty where there is no file.

    Raises:
        DataError: the file is there and holds something else, or the scores of other weights.
    """
    if summary_file is None:
        return {}, {}
    summary = _read(summary_file)
    try:
        numbers = {key: value for key, value in main_numbers(summary).items() if math.isfinite(value)}
    except (KeyError, TypeError) as error:
        problem = f"holds no scores (no {error}). Take the summary.json that `monai-gi` evaluation writes"
        raise DataError(summary_file, problem) from error
    if (judged := summary.get("state_dict_sha256")) != digest:
        both = f"{str(judged)[:12]}... judged, {digest[:12]}... packed"
        whose = f"other weights ({both})" if judged else "unknown weights"
        repair = "Evaluate the weights that you pack, name their summary.json with --scores, or pack --scores none"
        raise DataError(summary_file, f"holds the scores of {whose}. {repair}")
    return numbers, {key: summary[key] for key in SCORE_FACTS if key in summary}


def packed_readme(text: str, name: str, metadata: Mapping[str, Any], kind: str = "slices") -> str:
    """The bundle's docs/README.md with what is true of the packed one.

    Args:
        text: of the bundle in its repository.
        name: of the bundle.
        metadata: packed.
        kind: of input, "slices" or "frames".

    Returns:
        Markdown that begins with how to run it.
    """
    text = text.replace(f"bundles/{name}/", "configs/").replace(CLAIMLESS, _score_sentence(metadata))
    title, _, rest = text.partition("\n")
    written = _WORDS[kind]["written"].format(map=_label_map_words())
    return f"{title}\n{_RUN.format(**_WORDS[kind] | {'version': metadata['version'], 'written': written})}{rest}"


_RUN = """
Packed, version {version}. In this folder, with MONAI and PyTorch alone, `data/{files}` becomes `predictions/`:

    python -m monai.bundle run --config_file configs/inference.json --bundle_root . --dataset_dir data

{written}
With the package monai_gi: `monai-gi inspect BUNDLE.zip`, `monai-gi predict BUNDLE.zip {input} --output DIR`, which
writes the same masks.
Training (`configs/train.json`) and evaluation need monai_gi; training writes `models/model.pt` over the packed one.
"""
_WORDS = {
    "slices": {
        "files": "*.nii.gz",
        "written": "It writes one mask an organ, and a label map: {map}.",
        "input": "SCAN",
    },
    "frames": {
        "files": "*.png",
        "written": "It takes RGB pictures of 8 bits and any size, and writes a mask a class, 255 inside.",
        "input": "FRAME",
    },
}


def _set_formats(formats: dict[str, Any], config: Mapping[str, Any]) -> None:
    image, pred = formats["inputs"]["image"], formats["outputs"]["pred"]
    for tensor in (image, pred):
        if all(isinstance(length, int) for length in tensor.get("spatial_shape", [])):
            tensor["spatial_shape"] = list(config["roi_size"])
    if "slice_offsets" not in config:  # frames: masks are the network's channels, no label map is made of them
        return
    image["num_channels"] = len(config["slice_offsets"])
    pred["channel_def"] = {"0": "background", **{str(organ.index): organ.name for organ in ORGANS}}
    formats["post_processed_outputs"] = {
        "pred": {
            **pred,
            "num_channels": 1,
            "spatial_shape": ["h", "w", "d"],
            "dtype": "uint8",
            "value_range": [0, len(ORGANS)],
            "is_patch_data": False,
        }
    }


def _label_map_words() -> str:
    values = ", ".join(f"{organ.index} {organ.name}" for organ in ORGANS)
    return f"0 background, {values}; where organs overlap {' over '.join(reversed(LABEL_MAP_PRIORITY))}"


def _score_sentence(metadata: Mapping[str, Any]) -> str:
    if "evaluation" not in metadata:
        return "These weights come without scores, so no claim of accuracy is made."
    facts = metadata["evaluation"]
    names = ("frames", "sequences") if "frames" in facts else ("scans", "cases")
    counts = [(facts.get(name), name) for name in names]
    judged = " of ".join(f"{count} {name.removesuffix('s') if count == 1 else name}" for count, name in counts)
    return f"Scores on {judged} stand in `configs/metadata.json` under `evaluation`."


def _shareable(init_weights: str) -> str:
    """How training began, without the name of a file."""
    if init_weights.startswith("random"):
        return "random"
    return init_weights if HUB_NAME.fullmatch(init_weights) else OWN_WEIGHTS


def _installed(package: str, found: str) -> str:
    try:
        return installed.version(package).partition("+")[0]
    except installed.PackageNotFoundError:
        return found


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(path, f"can not be read as JSON: {error}") from error
    if not isinstance(content, dict):
        raise DataError(path, f"holds a {type(content).__name__}, wanted an object")
    return content
