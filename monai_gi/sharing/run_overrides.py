"""A bundle's config as one run had it: what its command line changed about the network comes from settings.json."""

import ast
import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from monai_gi.errors import DataError

# What decides which weights fit, and what they see.
DECISIVE = ("network_def", "roi_size", "slice_offsets", "slice_spacing_mm", "levels", "classes")


def as_trained(config: Mapping[str, Any], settings_file: Path) -> dict[str, Any]:
    """Lay a run's overrides of the network and its input over a config.

    Args:
        config: of the bundle, any of its files.
        settings_file: that training wrote beside model.pt; without it, or in one of an older version, nothing changes.

    Returns:
        A new config; ids that this file does not have are left out, and so is how the weights began.

    Raises:
        DataError: the file is no settings.json.
    """
    changed = copy.deepcopy(dict(config))
    for key, value in _overrides(settings_file).items():
        *parents, last = key.split("#")
        if (parents or [last])[0] not in DECISIVE or last.startswith("init_weights"):
            continue
        node: Any = changed
        for name in parents:
            node = node.get(name) if isinstance(node, dict) else None
        if isinstance(node, dict) and (parents or last in node):
            node[last] = _as_typed(value)
    return changed


def _overrides(path: Path) -> Mapping[str, Any]:
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8")).get("overrides", {})
    except (ValueError, AttributeError) as error:
        raise DataError(
            path, f"is no settings.json of a run: {error}. Take it away or put the run's own there"
        ) from error
    return found if isinstance(found, Mapping) else {}


def _as_typed(value: Any) -> Any:
    """A word of the command line as Fire reads it: Python where it is Python, else text."""
    try:
        return ast.literal_eval(value) if isinstance(value, str) else value
    except (ValueError, SyntaxError):
        return value
