"""MONAI datalist JSON of any data set: paths relative to its folder in the file, joined with it in memory.

Layout: https://docs.monai.io/en/stable/data.html#decathlon-datalist. An item's `image` is a path; its `label` is one
too, or anything that is no text and stays as it is, such as run lengths by organ.
"""

import json
import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from monai_gi.atomic_file import write_whole
from monai_gi.errors import DataError
from monai_gi.labels import ORGANS

DATALIST_NAME = "datalist.json"
UW_MADISON = {
    "name": "UW-Madison GI Tract",
    "description": "Slices of abdominal MR with run lengths by organ: 1-based, row-major, several organs a pixel",
    "reference": "https://doi.org/10.1016/j.dib.2024.111159",
    "modality": {"0": "MRI"},
}
ORGAN_LABELS = {"0": "background", **{str(organ.index): organ.name for organ in ORGANS}}
NAMED = 3
"""So many faults of a kind are named, the others counted."""
_PATHS = ("image", "label")

Items = list[dict[str, Any]]


def write_datalist(
    path: str | Path,
    items: Sequence[dict[str, Any]],
    root: str | Path,
    *,
    left_out: Sequence[dict[str, Any]] = (),
    about: Mapping[str, Any] = UW_MADISON,
    test: Sequence[dict[str, Any]] = (),
) -> None:
    """Write items as a MONAI datalist; the file is there whole or not at all.

    Args:
        path: the JSON file.
        items: with images (and labels that are files) below root.
        root: the data set's folder; paths are written relative to it, with forward slashes. A file outside it is a
            ValueError.
        left_out: {"scan", "slices", "source"} of each scan left out.
        about: `name`, `description`, `reference` and `modality` of the data set, `labels` by index where they are not
            ORGANS, and whatever else is to stand at the top.
        test: items that no fold holds.
    """
    content = {
        "labels": ORGAN_LABELS,
        **about,
        "numTraining": len(items),
        "numTest": len(test),
        "left_out": list(left_out),
        "training": [_with_relative_paths(item, root) for item in items],
        "test": [_with_relative_paths(item, root) for item in test],
    }
    write_whole(path, json.dumps(content))


def read_datalist(path: Path, repair: str) -> dict[str, Any]:
    """Read a datalist.

    Args:
        path: the JSON file.
        repair: what to do where it is none, for the error.

    Returns:
        All that stands in it; `training` holds at least one item.

    Raises:
        DataError: it is missing, no JSON, or holds no items.
    """
    if not path.is_file():
        raise DataError(path, f"the datalist does not exist; {repair}")
    try:
        content = json.loads(path.read_bytes())
    except ValueError as error:
        raise DataError(path, f"is no JSON ({error}); {repair}") from error
    items = content.get("training") if isinstance(content, dict) else None
    if not isinstance(items, list) or not items or not all(isinstance(item, dict) for item in items):
        raise DataError(path, f'no list of items under "training"; {repair}')
    return content


def keys_missing(items: Sequence[Mapping[str, Any]], keys: Collection[str]) -> list[str]:
    """Name the items that lack keys.

    Args:
        items: of a datalist.
        keys: that each must have.

    Returns:
        A few words for each of the first few.
    """
    wanted = set(keys)
    short = [(position, wanted - item.keys()) for position, item in enumerate(items) if not wanted <= item.keys()]
    return [f"training[{position}] lacks {', '.join(sorted(missing))}" for position, missing in short[:NAMED]]


def with_joined_paths(path: Path, items: Sequence[dict[str, Any]], root: str | Path, repair: str) -> Items:
    """Join the paths of items with the data set's folder.

    Args:
        path: the datalist, for the error.
        items: as they stand in it.
        root: the data set's folder.
        repair: what to do where files are gone, for the error.

    Returns:
        Copies of the items.

    Raises:
        DataError: files are gone.
    """
    joined = [{**item, **{key: str(Path(root, item[key])) for key in _path_keys(item)}} for item in items]
    require_files(path, [Path(item[key]) for item in joined for key in _path_keys(item)], repair)
    return joined


def require_files(path: Path, files: Sequence[Path], repair: str) -> None:
    """Refuse a datalist whose files are not where it says.

    Args:
        path: the datalist, for the error.
        files: joined with the data set's folder.
        repair: what to do where files are gone, for the error.

    Raises:
        DataError: files are gone.
    """
    # One listing a folder: asking for every file by itself is slow over a network.
    folders = {file.parent for file in files}
    present = {file for folder in folders if folder.is_dir() for file in folder.iterdir()}
    gone = [file for file in files if file not in present]
    if gone:
        named = ", ".join(map(str, gone[:NAMED])) + (", ..." if len(gone) > NAMED else "")
        where = f"Is the data set's folder right? If so, index it again: {repair}"
        raise DataError(path, f"{len(gone)} of {len(files)} images are gone: {named}. {where}")


def _path_keys(item: Mapping[str, Any]) -> list[str]:
    return [key for key in _PATHS if isinstance(item.get(key), str)]


def _with_relative_paths(item: dict[str, Any], root: str | Path) -> dict[str, Any]:
    return {**item, **{key: _relative(item[key], root) for key in _path_keys(item)}}


def _relative(file: str, root: str | Path) -> str:
    relative = os.path.relpath(file, root)
    if relative.startswith(".."):
        raise ValueError(f"{file} lies outside {root}: the datalist names files relative to the data set's folder")
    return Path(relative).as_posix()
