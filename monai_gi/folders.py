"""Files below a folder: hidden ones passed over, links followed, digits in names counted as numbers."""

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from monai_gi.errors import DataError


def natural_key(name: str) -> tuple[str | int, ...]:
    """Sort key that takes digits as numbers.

    >>> sorted(["case11", "case2", "case"], key=natural_key)
    ['case', 'case2', 'case11']
    """
    return tuple(int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", name))


def files_below(folder: str | Path, unlisted: Callable[[DataError], object] | None = None) -> Iterator[Path]:
    """Walk through a folder: its files, then those of one subfolder after the other, each in natural order.

    What begins with a dot is passed over: snapshots of a file server and the like hold everything once more. Links are
    followed, and no folder is entered twice.

    Args:
        folder: of any depth.
        unlisted: called with the fault of each folder that can not be listed; None raises the first.

    Yields:
        Path: files, as `folder` / their place in it.

    Raises:
        DataError: a folder can not be listed.
    """
    yield from _below(folder, set(), unlisted)


def _below(folder: str | Path, entered: set[str], unlisted: Callable[[DataError], object] | None) -> Iterator[Path]:
    real = os.path.realpath(folder)
    if real in entered:
        return
    entered.add(real)
    try:
        with os.scandir(folder) as listed:
            entries = sorted(
                (entry for entry in listed if not entry.name.startswith(".")), key=lambda entry: natural_key(entry.name)
            )
    except OSError as error:
        problem = f"can not be listed: {error.strerror}; ask for the right to read it, or name the folders beside it"
        fault = DataError(folder, problem)
        if unlisted is None:
            raise fault from error
        unlisted(fault)
        return
    yield from (Path(entry.path) for entry in entries if entry.is_file())
    for entry in entries:
        if entry.is_dir():
            yield from _below(entry.path, entered, unlisted)
