"""Which reader a file gets, by its content; and handles that are opened anew in every process.

TIFF goes segment by segment (`tiff_store`), vendors' files through OpenSlide, the rest is unpacked whole.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from monai_gi.errors import DataError
from monai_gi.slides.openslide_store import GENERIC, OpenSlideStore, vendor_of
from monai_gi.slides.picture_store import open_picture
from monai_gi.slides.stores import Store
from monai_gi.slides.tiff_store import TiffStore

Opener = Callable[[Path, int], Store]

SUFFIXES = (
    *(".bif", ".btf", ".dcm", ".mrxs", ".ndpi", ".scn", ".svs", ".svslide", ".tf8", ".tif", ".tiff", ".vms", ".vmu"),
    *(".jpeg", ".jpg", ".png"),
)
"""Of slides and label maps in a folder; a file that is named by itself may have any."""

_TIFF_STARTS = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")
_PICTURE_STARTS = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")
_LONGEST_START = 8


def open_image(path: Path, max_pixels: int) -> Store:
    """Open a slide's image with the reader that suits its content.

    Args:
        path: the file.
        max_pixels: budget of what has to be decoded whole.

    Returns:
        The open file.

    Raises:
        DataError: the file is missing, empty, damaged, unknown, or over the budget.
    """
    start = first_bytes(path)
    vendor = vendor_of(path)
    if vendor not in (None, GENERIC):
        return OpenSlideStore(path)
    if is_tiff(start):
        return TiffStore(path, max_pixels)
    if start.startswith(_PICTURE_STARTS):
        return open_picture(path, max_pixels)
    problem = f"no image known here (it starts with {start!r}); wanted TIFF, SVS or the like, PNG or JPEG"
    raise DataError(path, f"{problem}. Files of a scanner need OpenSlide: pip install monai_gi[wsi]")


def is_tiff(start: bytes) -> bool:
    """Tell TIFF and BigTIFF by their first bytes.

    Args:
        start: of the file.

    Returns:
        Whether it is one.
    """
    return start.startswith(_TIFF_STARTS)


def first_bytes(path: Path) -> bytes:
    """Read the bytes that tell a file's kind.

    Args:
        path: the file.

    Returns:
        Up to 8 bytes, at least one.

    Raises:
        DataError: there is no such file, or it is empty.
    """
    try:
        with path.open("rb") as file:
            start = file.read(_LONGEST_START)
    except OSError as error:
        raise DataError(path, f"can not be opened ({error.strerror}); is the path right?") from error
    if not start:
        raise DataError(path, "is empty (0 bytes); copy it again from its source")
    return start


class Handle:
    """An open file that may be sent to other processes: each opens its own when it first reads.

    Args:
        path: the file.
        opener: opens it.
        max_pixels: handed to the opener.
    """

    def __init__(self, path: str | Path, opener: Opener, max_pixels: int) -> None:
        self.path, self.max_pixels = Path(path), max_pixels
        self._opener = opener
        self._store: Store | None = None
        self._pid = os.getpid()
        self._inherited: list[Store] = []

    @property
    def store(self) -> Store:
        """The file, opened now where this process has not opened it yet."""
        if self._store is not None and self._pid != os.getpid() and not self._store.survives_fork:
            self._inherited.append(self._store)  # the parent's, not to be closed here
            self._store = None
        if self._store is None:
            self._store = self._opener(self.path, self.max_pixels)
            self._pid = os.getpid()
        return self._store

    def close(self) -> None:
        """Let go of the file; the next read opens it again."""
        if self._store is not None and self._pid == os.getpid():
            self._store.close()
        self._store = None

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the open file."""
        return {**self.__dict__, "_store": None, "_inherited": []}
