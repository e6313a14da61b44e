"""Files that are either whole or absent: written beside their name under a leading dot, then renamed over it."""

import os
from pathlib import Path


def write_whole(path: str | Path, content: bytes) -> Path:
    """Give a file new content in one step; whoever reads it sees the old content or the new one.

    Args:
        path: the file; missing folders are made.
        content: all of it.

    Returns:
        The path.

    Raises:
        OSError: the disk refuses; an old file is then still whole and nothing is left beside it.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with beside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    return path


def check_name(scan_id: str) -> str:
    """Refuse a scan id that is no plain file name, before it leads a file out of its folder.

    Args:
        scan_id: as `case1_day0`.

    Returns:
        The id.

    Raises:
        ValueError: it is empty, begins with a dot or holds a path's separators.
    """
    if not scan_id or scan_id.startswith(".") or any(sign in scan_id for sign in "/\\\0"):
        raise ValueError(f"scan_id: {scan_id!r} can not name files, wanted a name such as case1_day0")
    return scan_id
