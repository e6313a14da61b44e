"""The run's settings, as text in TensorBoard and as `settings.json`, with what decided the result beside them.

Convention: nothing names the machine or its user: of a path only the last name is kept.
"""

import hashlib
import json
import platform
import re
import sys
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Events
from monai.engines import Workflow

from monai_gi.atomic_file import write_whole
from monai_gi.handlers.event_files import event_writer, flush_event_writers
from monai_gi.handlers.processes import bare_network

PACKAGES = ("monai_gi", "torch", "monai", "pytorch-ignite", "transformers", "numpy")
_ROOT = r"(?:file://|~|\.\.|[A-Za-z]:(?=[\\/]))?[\\/]"
_WHOLE_PATH = re.compile(rf"{_ROOT}[^'\"\[\]{{}}]+|~[^'\"\[\]{{}}]*")
_PATH_INSIDE = re.compile(rf"(?<![\w.:/\\]){_ROOT}[^\s'\",;()\[\]{{}}]+|~[^\s'\",;()\[\]{{}}]*")


class SettingsHandler:
    """Writes `<output_dir>/settings.json` and TensorBoard's text tab as the trainer starts; process 0 only.

    Args:
        settings: the config's settings by name, plain values.
        output_dir: where the file goes.
        tensorboard_dir: as given to CurvesHandler; None writes no text there.
        network: its class, number of parameters and `init_weights_status` (how its weights began) are noted.
        data: lists of slice or scan items by side, `{"train": [...], "validation": [...]}`.
        overrides: what the command line set in place of the config's values, by id; `monai_gi.sharing` reads from it
            which network the weights are for.
    """

    def __init__(
        self,
        settings: Mapping[str, Any],
        output_dir: str | Path,
        tensorboard_dir: str | Path | None = None,
        network: torch.nn.Module | None = None,
        data: Mapping[str, Sequence[dict]] | None = None,
        *,
        overrides: Mapping[str, Any] | None = None,
    ) -> None:
        self.settings = settings
        self.overrides = overrides or {}
        self.path = Path(output_dir) / "settings.json"
        self.tensorboard_dir = tensorboard_dir
        self.network = network
        self.data = data or {}

    def attach(self, engine: Workflow) -> None:
        """Listen to a trainer or evaluator.

        Args:
            engine: a MONAI engine; its device is noted.
        """
        if engine.state.rank == 0:
            engine.add_event_handler(Events.STARTED, self)

    def __call__(self, engine: Workflow) -> None:
        """Write both.

        Args:
            engine: the engine that starts.
        """
        text = json.dumps(self.report(engine), indent=2) + "\n"
        write_whole(self.path, text)
        if self.tensorboard_dir is not None:
            folder = Path(self.tensorboard_dir) / "train"
            indented = "\n".join(f"    {line}" for line in text.splitlines())
            event_writer(folder, engine.state.epoch + 1).add_text("settings", indented, engine.state.epoch)
            flush_event_writers(folder)

    def report(self, engine: Workflow) -> dict[str, Any]:
        """Everything that is written.

        Args:
            engine: the engine that starts.

        Returns:
            `settings`, `overrides`, `network`, `data`, `device`, `versions`, `command`; paths cut to their last names.
        """
        report = {
            "settings": self.settings,
            "overrides": self.overrides,
            "network": None if self.network is None else describe_network(self.network),
            "data": {side: describe_items(items) for side, items in self.data.items()},
            "device": describe_device(engine.state.device),
            "versions": package_versions(),
            "command": ["python", *sys.orig_argv[1:]],
        }
        report = without_paths(report)
        return report | {"command": " ".join(report["command"])}


def describe_network(network: torch.nn.Module) -> dict[str, Any]:
    """Which network it is and how its weights began.

    Args:
        network: perhaps wrapped for several processes.

    Returns:
        `name`, `parameters`, `init_weights` ("random" where the network says nothing).
    """
    network = bare_network(network)
    return {
        "name": type(network).__name__,
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "init_weights": getattr(network, "init_weights_status", "random"),
    }


def describe_items(items: Sequence[dict]) -> dict[str, Any]:
    """How much data there is, and a hash that changes when its ids, labels or sizes do.

    Args:
        items: slice or scan items, as the index gives them.

    Returns:
        `items`, `slices`, `cases`, and `sha256` of the items without their paths.
    """
    bare = [_without_folders(item) for item in items]
    return {
        "items": len(items),
        "slices": sum(len(item["image"]) if isinstance(item.get("image"), (list, tuple)) else 1 for item in items),
        "cases": len({item.get("group") for item in items}),
        "sha256": hashlib.sha256(json.dumps(bare, sort_keys=True, default=str).encode()).hexdigest(),
    }


def items_in_words(described: Mapping[str, Any]) -> str:
    """How much data there is in one phrase.

    Args:
        described: of `describe_items`.

    Returns:
        `96 items of 4 cases (hash 1a2b3c4d)`.
    """
    counts = ((described[f"{noun}s"], noun) for noun in ("item", "case"))
    items, cases = (f"{count} {noun}{'' if count == 1 else 's'}" for count, noun in counts)
    return f"{items} of {cases} (hash {described['sha256'][:8]})"


def describe_device(device: torch.device | str) -> str:
    """The device in words.

    Args:
        device: as torch names it.

    Returns:
        `cpu` with its number of threads, or the name of the graphics card.
    """
    device = torch.device(device)
    if device.type == "cuda":
        return f"{device} {torch.cuda.get_device_name(device)}"
    return f"{device}, {torch.get_num_threads()} threads"


def package_versions() -> dict[str, str]:
    """The versions that a result depends on.

    Returns:
        By package name; "absent" where one is not installed.
    """
    versions = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:  # noqa: PERF203
            versions[name] = "absent"
    return versions


def without_paths(value: Any) -> Any:
    """Plain JSON in which absolute paths are cut to their last name, since they name machines and people.

    Args:
        value: dictionaries, lists, numbers, strings; anything else is written as its string.

    Returns:
        The same structure.
    """
    if isinstance(value, Mapping):
        return {str(key): without_paths(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_paths(item) for item in value]
    if value is None or isinstance(value, (bool, int, float)):
        return value
    return _cut_paths(str(value))


def _without_folders(item: Mapping[str, Any]) -> dict[str, Any]:
    """An item without its image; of a label that is a file its name only."""
    label = {"label": _last_name(item["label"])} if isinstance(item.get("label"), str) else {}
    return {key: value for key, value in item.items() if key != "image"} | label


def _cut_paths(text: str) -> str:
    """A path, `--key=path` or text with paths inside; only the first two may hold spaces."""
    option, equals, path = text.partition("=")
    if _WHOLE_PATH.fullmatch(path if equals else option):
        return f"{option}{equals}{_last_name(path)}" if equals else _last_name(option)
    return _PATH_INSIDE.sub(lambda match: _last_name(match.group()), text)


def _last_name(path: str) -> str:
    return re.split(r"[\\/]", path.rstrip("\\/"))[-1]
