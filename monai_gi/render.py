"""Render `bundles/<name>/` from `bundles/source/`: shared files, and one small part for each bundle.

Each bundle stays complete and readable on its own; what several share is written once. A bundle's part names its
family, the folder of shared files for one kind of image: `slices`, `frames` or `slides`. In a shared file a value
`"<key>"` takes the bundle part's `values[key]`, or the content of `fragments/<key>.json`, and `<key>` inside a longer
string takes the text; what is a list itself gives all of its items to the list in which it is named. Then the part's
own sections are merged on top by file name.
"""

import json
import re
from pathlib import Path
from typing import Any

from monai_gi.errors import DataError

SOURCE_DIR = Path("bundles/source")
CONFIGS = ("train.json", "evaluate.json", "inference.json", "multi_gpu_train.json", "metadata.json")
PLACEHOLDER = re.compile(r"<([a-z_]+)>")


def bundle_names(source: Path = SOURCE_DIR) -> list[str]:
    """The bundles that the source describes, sorted; an empty or missing folder gives an empty list."""
    return sorted(path.stem for path in (source / "bundles").glob("*.json"))


def render(name: str, source: Path = SOURCE_DIR) -> dict[str, str]:
    """The files of one bundle as text, by their path inside the bundle.

    Args:
        name: a file stem in `source/bundles`.
        source: the folder of shared files and parts.

    Returns:
        Text by path, for example `train.json` and `docs/README.md`.

    Raises:
        DataError: the part is missing, or a placeholder has no value.
    """
    part = _read(source / "bundles" / f"{name}.json")
    family, values = source / part["family"], {**part["values"], "name": name}
    files = {file: _to_json(_render_config(family / file, part, values, source)) for file in CONFIGS}
    files["logging.conf"] = (source / "logging.conf").read_text()
    files["docs/README.md"] = _fill_text((family / "README.md").read_text(), values, family / "README.md")
    return files


def write_bundles(source: Path = SOURCE_DIR) -> list[Path]:
    """Write every bundle beside the source folder.

    Args:
        source: the folder of shared files and parts.

    Returns:
        The files whose text changed.
    """
    changed = []
    for name in bundle_names(source):
        for file, text in render(name, source).items():
            path = source.parent / name / file
            if not path.exists() or path.read_text() != text:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
                changed.append(path)
    return changed


def _render_config(file: Path, part: dict, values: dict[str, Any], source: Path) -> Any:
    config = _fill(_read(file), values, source)
    for section in ("every_config", file.name) if file.name != "metadata.json" else (file.name,):
        config = _merge(config, _fill(part.get(section, {}), values, source))
    return config


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except FileNotFoundError as error:
        raise DataError(path, "no such part of the bundle source") from error
    except json.JSONDecodeError as error:
        raise DataError(f"{path}:{error.lineno}", f"not JSON: {error.msg}") from error


def _fill(node: Any, values: dict[str, Any], source: Path) -> Any:
    """The node with every placeholder filled."""
    if isinstance(node, dict):
        return {key: _fill(value, values, source) for key, value in node.items()}
    if isinstance(node, list):
        return [one for value in node for one in _filled_items(value, values, source)]
    if not isinstance(node, str):
        return node
    whole = PLACEHOLDER.fullmatch(node)
    if whole is None:
        return _fill_text(node, values, source)
    key = whole[1]
    if key in values:
        return values[key]
    return _fill(_read(source / "fragments" / f"{key}.json"), values, source)


def _filled_items(item: Any, values: dict[str, Any], source: Path) -> list[Any]:
    """What an item of a list becomes: one or, where it names a list, several."""
    filled = _fill(item, values, source)
    return filled if isinstance(item, str) and isinstance(filled, list) else [filled]


def _fill_text(text: str, values: dict[str, Any], where: Path) -> str:
    missing = set(PLACEHOLDER.findall(text)) - set(values)
    if missing:
        raise DataError(where, f"no value for {', '.join(sorted(missing))} in the bundle's part")
    return PLACEHOLDER.sub(lambda match: str(values[match[1]]), text)


def _merge(below: Any, above: Any) -> Any:
    """The dict below with the one above laid over it, key by key; another component, or no dict, replaces it."""
    if not (isinstance(below, dict) and isinstance(above, dict)):
        return above
    if "_target_" in above and above["_target_"] != below.get("_target_", above["_target_"]):
        return above
    return {**below, **{key: _merge(below.get(key), value) for key, value in above.items()}}


def _to_json(config: Any) -> str:
    """JSON with short lists and dicts on one line, as a person would write it."""
    return _lines(config, 0) + "\n"


def _lines(node: Any, depth: int, width: int = 110) -> str:
    flat = json.dumps(node, ensure_ascii=False)
    nested = isinstance(node, dict) and any(isinstance(value, dict | list) for value in node.values())
    if not isinstance(node, dict | list) or not node or (depth and not nested and len(flat) + 4 * depth <= width):
        return flat
    pad = "    " * (depth + 1)
    if isinstance(node, dict):
        inner = [f"{pad}{json.dumps(key)}: {_lines(value, depth + 1)}" for key, value in node.items()]
    else:
        inner = [pad + _lines(value, depth + 1) for value in node]
    opening, closing = "{}" if isinstance(node, dict) else "[]"
    return f"{opening}\n" + ",\n".join(inner) + "\n" + "    " * depth + closing
