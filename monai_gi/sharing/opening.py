"""Open a bundle for prediction: its settings as plain values, its network with weights, and who it is.

Convention: a packed bundle runs as `models/model.ts`; none of its expressions is evaluated, its settings are read as
literals. A flat folder of `bundles/` has no weights of its own: its `network_def` is built by MONAI from classes of
the allow-list, and the weights are read with weights_only or as safetensors. The network comes in evaluation mode.
"""

import copy
import json
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import torch

from monai_gi.errors import DataError, DataErrors
from monai_gi.networks.init_weights import UNREADABLE, UnavailableError, first_line, load_weights_file
from monai_gi.sharing.config_inspection import inspect_configs
from monai_gi.sharing.findings import WRONG, printable
from monai_gi.sharing.inspection import Opened, bundle_root, inspect_folder
from monai_gi.sharing.manifest import sha256_of
from monai_gi.sharing.references import REFERENCE, bound_by_import
from monai_gi.sharing.run_overrides import as_trained

SETTINGS_OF_INPUT = {
    "slices": (
        *("roi_size", "slice_offsets", "spacing_mm", "slice_spacing_mm", "percentiles"),
        *("flips", "thresholds", "presence", "min_region_px", "amp"),
    ),
    "frames": ("classes", "roi_size", "flips", "thresholds", "min_region_px", "amp"),
    "slides": ("classes", "roi_size", "levels", "overlap", "mode", "sw_batch_size", "glass", "flips", "amp"),
}
"""Kinds of input, and the ids of inference.json that prediction of such input takes over."""

SCRIPT = "models/model.ts"
NAME_WEIGHTS = "Name the weights with --weights RUN/model.pt."
Folder = tempfile.TemporaryDirectory[str]


@dataclass(frozen=True)
class Bundle:
    """An opened bundle; as a context manager it removes what was unpacked.

    Attributes:
        name: short name, such as "segformer".
        version: from its metadata.
        weights_path: what the network was loaded from; inside the unpacked folder for a zip, which is gone at the end.
        weights_sha256: of that file.
        config: the ids of `SETTINGS_OF_INPUT` that inference.json has, as plain values.
        network: on its device, in evaluation mode; (B, K, H, W) in, logits (B, C, H, W) out.
        modality: of the images, such as "MR"; empty where it is not said.
        metadata: metadata.json.
        is_packed: it was packed for others; else it is a folder of `bundles/`.
        input: what it takes, a key of `SETTINGS_OF_INPUT`.
    """

    name: str
    version: str
    weights_path: Path
    weights_sha256: str
    config: dict[str, Any]
    network: torch.nn.Module
    modality: str
    metadata: dict[str, Any]
    is_packed: bool
    input: str = "slices"
    _unpacked: Folder | None = None

    def __enter__(self) -> "Bundle":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Remove what was unpacked; the network stays usable."""
        if self._unpacked is not None:
            self._unpacked.cleanup()


def open_bundle(
    path: str | Path, *, weights: str | Path | None = None, trust: bool = False, device: str | torch.device = "cpu"
) -> Bundle:
    """Open a bundle, once its inspection found nothing wrong.

    Args:
        path: a flat folder of `bundles/`, a packed folder, or a packed `.zip`.
        weights: a state dict to use instead of the bundle's own (`.pt`, `.pth` or `.safetensors`); a flat folder
            needs one unless its `weights` names a file that exists.
        trust: open it whatever its inspection found; an archive that must not be unpacked stays refused.
        device: of the network.

    Returns:
        The bundle; a `with` statement removes what was unpacked.

    Raises:
        DataErrors: everything that is wrong with it, or with its archive.
        DataError: no such bundle, no weights, or weights that do not fit.
    """
    path = Path(path)
    if not path.exists():
        raise DataError(path, "there is no such bundle; a folder of bundles/, a packed folder or its .zip was wanted.")
    place = None if path.is_dir() else tempfile.TemporaryDirectory(prefix="monai-gi-bundle-")
    try:
        opened = inspect_folder(bundle_root(path, Path(place.name) if place else path), path)
        if opened.inspection.wrong and not trust:
            raise _refusal(path, opened)
        return _opened(opened, path, None if weights is None else Path(weights), torch.device(device), place)
    except BaseException:
        if place is not None:
            place.cleanup()
        raise


def _opened(opened: Opened, path: Path, weights: Path | None, device: torch.device, place: Folder | None) -> Bundle:
    is_packed = (opened.root / "configs").is_dir()
    folder = "configs/" if is_packed else ""
    config, metadata = (opened.contents.get(f"{folder}{name}.json") for name in ("inference", "metadata"))
    if not isinstance(config, dict) or not isinstance(metadata, dict):
        raise DataError(path, f"{folder}inference.json and {folder}metadata.json are to be objects that can be read.")
    kind = _kind(path, config)
    if is_packed:
        network, used = _packed_network(opened.root, weights, device)
    else:
        used = weights if weights is not None else _default_weights(opened.root, config)
        config = _as_trained(config, used)
        network = _flat_network(opened.root, config, used)
    settings = _settings(path, config, SETTINGS_OF_INPUT[kind])
    claims = opened.inspection.claims
    return Bundle(
        name=claims.name,
        version=claims.version,
        weights_path=used,
        weights_sha256=sha256_of(used),
        config=settings,
        network=network.to(device).eval(),
        modality=claims.modality,
        metadata=metadata,
        is_packed=is_packed,
        input=kind,
        _unpacked=place,
    )


def _refusal(path: Path, opened: Opened) -> DataErrors:
    wrong = [DataError(printable(one.where), printable(one.text)) for one in opened.inspection.wrong]
    repair = "look at it with `monai-gi inspect`; --trust opens it all the same, if you know who made it."
    return DataErrors(path, [*wrong, DataError("this bundle was not opened", repair)])


def _kind(path: Path, config: Mapping[str, Any]) -> str:
    kind = config.get("input", "slices")
    if not isinstance(kind, str) or kind not in SETTINGS_OF_INPUT:
        raise DataError(path, f"its inference.json takes the input {kind!r}; known are {', '.join(SETTINGS_OF_INPUT)}.")
    return kind


def _settings(path: Path, config: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """The plain values of the ids that prediction uses."""
    settings = {name: config[name] for name in names if name in config}
    wrong = [
        DataError(f"inference.json#/{name}", f"is {value!r}; a plain value was wanted, which needs nothing evaluated.")
        for name, value in settings.items()
        if any(text[:1] in ("$", "@", "%") for text in _texts(value))
    ]
    if wrong:
        raise DataErrors(path, wrong)
    return copy.deepcopy(settings)


def _as_trained(config: dict[str, Any], weights: Path) -> dict[str, Any]:
    """The config with what the run of these weights changed about its network; only plain values are taken."""
    settings_file = weights.parent / "settings.json"
    changed = as_trained(config, settings_file)
    known = set(_texts(config))
    evaluated = sorted(text for text in _texts(changed) if text[:1] in ("$", "@", "%") and text not in known)
    classes = sorted(set(_classes(changed)) - set(_classes(config)))
    if evaluated or classes:
        problem = (
            f"its overrides would execute {', '.join(map(repr, [*evaluated, *classes]))}; plain values were wanted"
        )
        raise DataError(settings_file, f"{problem}. Move the weights to a folder of their own to do without them.")
    if guarded := sorted(_faults(changed) - _faults(config)):
        raise DataError(settings_file, f"with its overrides {printable('; '.join(guarded))}")
    return changed


def _faults(config: Mapping[str, Any]) -> set[str]:
    """What an inspection finds wrong in a config."""
    findings = inspect_configs({"inference.json": json.dumps(config).encode()}).findings
    return {str(finding) for finding in findings if finding.severity == WRONG}


def _classes(value: Any) -> Iterator[str]:
    """Every `_target_`, and other ids with a meaning of their own, as text."""
    if isinstance(value, dict):
        yield from (f"{key}={one!r}" for key, one in value.items() if key.startswith("_"))
    for one in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _classes(one)


def _packed_network(root: Path, weights: Path | None, device: torch.device) -> tuple[torch.nn.Module, Path]:
    """models/model.ts, with other weights where they are named."""
    script = root / SCRIPT
    if not script.is_file():
        raise DataError(script.name, f"there is no {SCRIPT} in the bundle, which is what runs. Pack the bundle again.")
    try:
        network = torch.jit.load(script, map_location=device)
    except UNREADABLE as error:
        raise DataError(SCRIPT, f"cannot be loaded ({first_line(error)}). Get the bundle again.") from error
    if weights is None:
        return network, script
    _load(network, weights)
    return network, weights


def _flat_network(root: Path, config: Mapping[str, Any], weights: Path) -> torch.nn.Module:
    """network_def, built by MONAI, with weights."""
    if not weights.is_file():  # before seconds of imports
        raise DataError(weights, f"there is no such file of weights. {NAME_WEIGHTS}")
    network = _resolved(root / "inference.json", config, "network_def")
    if not isinstance(network, torch.nn.Module):
        raise DataError(root / "inference.json", f"network_def is a {type(network).__name__}; a network was wanted.")
    _load(network, weights)
    return network


def _default_weights(root: Path, config: Mapping[str, Any]) -> Path:
    """The file that `weights` of a flat bundle names, from here or from the bundle's folder."""
    value = config.get("weights")
    if isinstance(value, str) and value[:1] in ("$", "@", "%"):
        value = _resolved(root / "inference.json", config, "weights")
    if not isinstance(value, str) or not value:
        raise DataError(root, f"the bundle names no weights. {NAME_WEIGHTS}")
    found = [path for path in (Path(value), root / value) if path.is_file()]
    if not found:
        raise DataError(root, f"its weights {value} do not exist; it was not trained here. {NAME_WEIGHTS}")
    return found[0]


def _load(network: torch.nn.Module, weights: Path) -> None:
    try:
        load_weights_file(network, weights)
    except UnavailableError as error:
        raise DataError(weights, f"there is no such file of weights. {NAME_WEIGHTS}") from error


def _resolved(where: Path, config: Mapping[str, Any], key: str) -> Any:
    """An id of a flat bundle's config as MONAI resolves it, with what it refers to and nothing else."""
    from monai.bundle import ConfigParser

    if key not in config:
        raise DataError(where, f"has no {key}, from which the network is built.")
    needed = _needed(config, key)
    texts = list(_texts(list(needed.values())))
    imports = [text for text in _texts(config.get("imports")) if _is_used(text, texts)]
    try:
        return ConfigParser({"imports": imports, **copy.deepcopy(needed)}).get_parsed_content(key)
    except (RuntimeError, ValueError, KeyError, TypeError, AttributeError, ImportError) as error:
        reason = error.__cause__ or error
        raise DataError(where, f"{key} cannot be built ({first_line(reason)}).") from error


def _needed(config: Mapping[str, Any], key: str) -> dict[str, Any]:
    """The top-level ids that an id refers to, with what those refer to."""
    needed: dict[str, Any] = {}
    waiting = [key]
    while waiting:
        name = waiting.pop()
        if name in config and name not in needed:
            needed[name] = config[name]
            for text in _texts(config[name]):
                found = REFERENCE.findall(text.replace("#", "::").replace("%", "@"))
                waiting.extend(reference[1:].partition("::")[0] for reference in found)
    return needed


def _is_used(statement: str, texts: list[str]) -> bool:
    bound = bound_by_import(statement[1:]) if statement.startswith("$") else None
    root = bound[0].partition(".")[0] if bound else ""
    return bool(root) and any(text.startswith("$") and re.search(rf"\b{re.escape(root)}\b", text) for text in texts)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)
