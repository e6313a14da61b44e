"""Folders that phantoms are drawn into: marked until the last file stands, so that a stopped drawing can go on."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from monai_gi.atomic_file import write_whole
from monai_gi.errors import DataError

UNFINISHED = ".unfinished_phantom.json"


@contextmanager
def drawing_into(root: Path, settings: Mapping[str, int | float | bool], last: str) -> Iterator[None]:
    """Mark a folder as being drawn into, and take the mark away at the end.

    Args:
        root: the folder; new, empty, or with a phantom of the same settings that was stopped.
        settings: of the phantom.
        last: name of the file that is written last.

    Yields:
        None: while it is drawn.

    Raises:
        DataError: the folder holds something else, or another phantom; nothing was changed.
    """
    marker = root / UNFINISHED
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        if not marker.is_file() or (root / last).exists():
            raise DataError(root, "holds something already; nothing was changed. Name a new or empty folder")
        found = marker.read_text()
        if found != json.dumps(settings):
            problem = f"holds an unfinished phantom of {found}"
            raise DataError(root, f"{problem}. Give the same options, or delete the folder")
    write_whole(marker, json.dumps(settings))
    yield
    marker.unlink()
