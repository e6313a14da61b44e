"""The network of a flat folder of `bundles/`: built by MONAI from classes of the allow-list, with weights from a run.

Convention: of the config only what `network_def` needs is evaluated; of a run's settings only plain values are taken.
"""

import copy
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from monai_gi.errors import DataError
from monai_gi.networks.init_weights import UnavailableError, first_line, load_weights_file
from monai_gi.sharing.config_inspection import inspect_configs
from monai_gi.sharing.findings import WRONG, printable
from monai_gi.sharing.references import REFERENCE, bound_by_import
from monai_gi.sharing.run_overrides import as_trained

NAME_WEIGHTS = "Name the weights with --weights RUN/model.pt."


def flat_network(root: Path, config: Mapping[str, Any], weights: Path) -> torch.nn.Module:
    """Build `network_def` and load its weights.

    Args:
        root: the bundle's folder.
        config: its inference.json.
        weights: a state dict, `.pt`, `.pth` or `.safetensors`.

    Returns:
        The network.

    Raises:
        DataError: there is no network_def, it is no network, or the weights are not there or do not fit.
    """
    if not weights.is_file():  # before seconds of imports
        raise DataError(weights, f"there is no such file of weights. {NAME_WEIGHTS}")
    network = _resolved(root / "inference.json", config, "network_def")
    if not isinstance(network, torch.nn.Module):
        raise DataError(root / "inference.json", f"network_def is a {type(network).__name__}; a network was wanted.")
    load_weights(network, weights)
    return network


def default_weights(root: Path, config: Mapping[str, Any]) -> Path:
    """The file that `weights` of the config names, from here or from the bundle's folder.

    Args:
        root: the bundle's folder.
        config: its inference.json.

    Returns:
        A file that exists.

    Raises:
        DataError: none is named, or it does not exist.
    """
    value = config.get("weights")
    if isinstance(value, str) and value[:1] in ("$", "@", "%"):
        value = _resolved(root / "inference.json", config, "weights")
    if not isinstance(value, str) or not value:
        raise DataError(root, f"the bundle names no weights. {NAME_WEIGHTS}")
    found = [path for path in (Path(value), root / value) if path.is_file()]
    if not found:
        train = f"python -m monai.bundle run training --config_file {root}/train.json"
        raise DataError(
            root, f"its weights {value} do not exist. Train it first: `{train}`. Trained elsewhere? {NAME_WEIGHTS}"
        )
    return found[0]


def plainly_as_trained(config: dict[str, Any], weights: Path) -> dict[str, Any]:
    """The config with what the run of these weights changed about its network; only plain values are taken.

    Args:
        config: inference.json.
        weights: of the run; its settings.json lies beside them, or not.

    Returns:
        A new config.

    Raises:
        DataError: with the run's overrides it would execute more than it does.
    """
    settings_file = weights.parent / "settings.json"
    changed = as_trained(config, settings_file)
    known = set(texts(config))
    evaluated = sorted(text for text in texts(changed) if text[:1] in ("$", "@", "%") and text not in known)
    classes = sorted(set(_classes(changed)) - set(_classes(config)))
    if evaluated or classes:
        problem = (
            f"its overrides would execute {', '.join(map(repr, [*evaluated, *classes]))}; plain values were wanted"
        )
        raise DataError(settings_file, f"{problem}. Move the weights to a folder of their own to do without them.")
    if guarded := sorted(_faults(changed) - _faults(config)):
        raise DataError(settings_file, f"with its overrides {printable('; '.join(guarded))}")
    return changed


def load_weights(network: torch.nn.Module, weights: Path) -> None:
    """Load a state dict into a network.

    Args:
        network: gets the weights.
        weights: `.pt`, `.pth` or `.safetensors`, read without running code.

    Raises:
        DataError: the file is not there, is something else, or does not fit.
    """
    try:
        load_weights_file(network, weights)
    except UnavailableError as error:
        raise DataError(weights, f"there is no such file of weights. {NAME_WEIGHTS}") from error


def texts(value: Any) -> Iterator[str]:
    """Every text in a value of a config, keys not counted.

    Args:
        value: JSON.

    Yields:
        str: in the order of the config.
    """
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from texts(one)


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


def _resolved(where: Path, config: Mapping[str, Any], key: str) -> Any:
    """An id of a flat bundle's config as MONAI resolves it, with what it refers to and nothing else."""
    from monai.bundle import ConfigParser

    if key not in config:
        raise DataError(where, f"has no {key}, from which the network is built.")
    needed = _needed(config, key)
    used_texts = list(texts(list(needed.values())))
    imports = [text for text in texts(config.get("imports")) if _is_used(text, used_texts)]
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
            for text in texts(config[name]):
                found = REFERENCE.findall(text.replace("#", "::").replace("%", "@"))
                waiting.extend(reference[1:].partition("::")[0] for reference in found)
    return needed


def _is_used(statement: str, users: list[str]) -> bool:
    bound = bound_by_import(statement[1:]) if statement.startswith("$") else None
    root = bound[0].partition(".")[0] if bound else ""
    return bool(root) and any(text.startswith("$") and re.search(rf"\b{re.escape(root)}\b", text) for text in users)
