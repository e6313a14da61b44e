"""Files that are either whole or absent: written beside their name, synced to disk, then renamed over it.

Convention: while it is written, `name` stands in the same folder as `name.part`; only a kill leaves that behind.
"""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO


def write_atomically(path: str | Path, write: Callable[[BinaryIO], object]) -> None:
    """Give `path` new content in one step; whoever reads it sees the old file or the new one, never a mixture.

    Args:
        path: the file; missing folders are made.
        write: is given the open binary file and fills it.

    Raises:
        OSError: the disk refuses; the old file is then still whole, and the part is gone.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = part_of(path)
    try:
        with part.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def write_whole(path: str | Path, content: bytes | str) -> Path:
    """Give `path` this content in one step.

    Args:
        path: the file; missing folders are made.
        content: all of it; text is written as UTF-8.

    Returns:
        The path.

    Raises:
        OSError: the disk refuses; the old file is then still whole.
    """
    data = content.encode() if isinstance(content, str) else content
    write_atomically(path, lambda file: file.write(data))
    return Path(path)


def part_of(path: str | Path) -> Path:
    """The name under which `path` is written before it is whole.

    Args:
        path: the final name.

    Returns:
        The same folder, the same name and `.part`.
    """
    return Path(path).with_name(Path(path).name + ".part")


def _sync_folder(folder: Path) -> None:
    """Make the rename itself last through a power cut, on systems whose folders can be opened."""
    with contextlib.suppress(PermissionError):  # Windows opens no folders
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
