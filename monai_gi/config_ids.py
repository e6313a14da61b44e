"""Ids of a config as monai.bundle counts them: `train#trainer#max_epochs`, `train::trainer`, `train#handlers#0`."""

import difflib
from collections.abc import Mapping
from typing import Any


def is_known(key: str, config: Mapping[str, Any]) -> bool:
    """Whether an id exists, or is a new argument of a component that exists: what monai.bundle can set.

    Args:
        key: with `#` or `::` between names; a `+` before it adds to a list or dict.
        config: as it stands in the file.

    Returns:
        False for what monai.bundle would take in silence.

    >>> is_known("net#width", {"net": {"_target_": "Net"}}), is_known("width", {"net": {"_target_": "Net"}})
    (True, False)
    """
    node: Any = config
    *parents, last = key.lstrip("+").replace("::", "#").split("#")
    for name in parents:
        if isinstance(node, list) and name.isdigit() and int(name) < len(node):
            node = node[int(name)]
        elif isinstance(node, Mapping) and name in node:
            node = node[name]
        else:
            return False
    if isinstance(node, list):
        return last.isdigit() and int(last) < len(node)
    return isinstance(node, Mapping) and (last in node or bool(parents and "_target_" in node))


def unknown_id(key: str, config: Mapping[str, Any]) -> str:
    """The sentence about an id that is not known.

    Args:
        key: as typed.
        config: without it.

    Returns:
        Words to stand behind the config's name.
    """
    near = difflib.get_close_matches(key, list(config), n=1, cutoff=0.5)
    hint = f"Did you mean --{near[0]}?" if near else "The settings stand at the top of the file."
    return f"has no setting --{key}. {hint}"
