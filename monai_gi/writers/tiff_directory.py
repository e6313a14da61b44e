"""Directories of a tiled BigTIFF of one byte a pixel: little-endian, tiles compressed by deflate.

Source: TIFF 6.0, sections 2, 5 and 15.
"""

import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from monai_gi import __version__
from monai_gi.errors import DataError
from monai_gi.tiff_directories import (
    ASCII,
    BIG_HEADER,
    CODES,
    FIRST_BIG_DIRECTORY,
    LONG,
    LONG8,
    RATIONAL,
    SHORT,
    packed_directory,
)

_DEFLATE, _BLACK_IS_0, _PALETTE = 8, 1, 3
_NO_UNIT, _CENTIMETRE = 1, 3
_PARTS = 1000  # a resolution is a fraction of so many
_UM_IN_CM = 10_000
_MOST = 2**32 - 1
_COLORS = 256
_BYTE_TO_SHORT = 257


@dataclass
class ImagePage:
    """One level of an image.

    Attributes:
        size: (H, W).
        tile_px: rows and columns of a tile.
        tiles: (offset, length) in the file, row by row; may still grow.
    """

    size: tuple[int, int]
    tile_px: int
    tiles: list[tuple[int, int]]

    @property
    def rows_of_tiles(self) -> int:
        """Whole rows of tiles so far."""
        return len(self.tiles) // -(-self.size[1] // self.tile_px)


def write_directories(
    file: BinaryIO,
    pages: Sequence[ImagePage],
    *,
    colors: Sequence[Sequence[int]] | None,
    mpp: Sequence[float] | None,
    description: str,
) -> None:
    """Write one directory a page at the end of the file, and where the first one is into its header.

    Args:
        file: open for reading and writing; all tiles are in it.
        pages: levels, finest first.
        colors: (N, 3) RGB, 0 to 255, of the values from 0 on; None for grey values.
        mpp: (row, column) micrometres a pixel of the first page.
        description: of the image.
    """
    link = FIRST_BIG_DIRECTORY
    for number, page in enumerate(pages):
        file.seek(0, os.SEEK_END)
        file.write(b"\0" * (file.tell() % 2))
        at = file.tell()
        fields = _fields(page, colors, mpp and [one * pages[0].size[0] / page.size[0] for one in mpp])
        fields[254] = (LONG, [1 if number else 0])
        if not number:
            fields[270] = (ASCII, [*description.encode(), 0])
        directory, next_link = packed_directory(at, fields, is_big=True)
        file.write(directory)
        file.seek(link)
        file.write(struct.pack("<Q", at))
        link = next_link


def first_page(path: str | Path) -> ImagePage:
    """Read where the tiles of the first level are, of an image that this package wrote.

    Args:
        path: the image.

    Returns:
        Its first page.

    Raises:
        DataError: it is no such image.
    """
    with Path(path).open("rb") as file:
        values = _read_directory(file, path)
    tiles = list(zip(values[324], values[325], strict=True))
    return ImagePage((values[257][0], values[256][0]), values[322][0], tiles)


def read_description(path: str | Path) -> str:
    """Read the description of an image that this package wrote.

    Args:
        path: the image.

    Returns:
        As it was written.

    Raises:
        DataError: it is no such image.
    """
    with Path(path).open("rb") as file:
        return bytes(_read_directory(file, path)[270]).rstrip(b"\0").decode()


def _read_directory(file: BinaryIO, path: str | Path) -> dict[int, tuple[int, ...]]:
    """Numbers by tag of the first level."""
    header = file.read(len(BIG_HEADER))
    (at,) = struct.unpack("<Q", header[FIRST_BIG_DIRECTORY:].ljust(8, b"\0"))
    if header[:FIRST_BIG_DIRECTORY] != BIG_HEADER[:FIRST_BIG_DIRECTORY] or not at:
        raise DataError(path, "is no label image of this package. --overwrite makes it anew")
    file.seek(at)
    (count,) = struct.unpack("<Q", file.read(8))
    entries = [struct.unpack("<HHQ8s", file.read(20)) for _ in range(count)]
    return {tag: _values(file, kind, length, data) for tag, kind, length, data in entries}


def _fields(
    page: ImagePage, colors: Sequence[Sequence[int]] | None, mpp: Sequence[float] | None
) -> dict[int, tuple[int, list[int]]]:
    """Type and values by tag."""
    per_cm = [min(round(_UM_IN_CM / one * _PARTS), _MOST) for one in mpp] if mpp else [_PARTS, _PARTS]
    fields = {
        256: (LONG, [page.size[1]]),
        257: (LONG, [page.size[0]]),
        258: (SHORT, [8]),
        259: (SHORT, [_DEFLATE]),
        262: (SHORT, [_BLACK_IS_0 if colors is None else _PALETTE]),
        277: (SHORT, [1]),
        282: (RATIONAL, [per_cm[1], _PARTS]),
        283: (RATIONAL, [per_cm[0], _PARTS]),
        284: (SHORT, [1]),
        296: (SHORT, [_CENTIMETRE if mpp else _NO_UNIT]),
        305: (ASCII, [*f"monai_gi {__version__}".encode(), 0]),
        322: (LONG, [page.tile_px]),
        323: (LONG, [page.tile_px]),
        324: (LONG8, [offset for offset, _ in page.tiles]),
        325: (LONG8, [length for _, length in page.tiles]),
    }
    if colors is not None:
        table = [[int(color[channel]) * _BYTE_TO_SHORT for color in colors] for channel in range(3)]
        fields[320] = (SHORT, [value for channel in table for value in channel + [0] * (_COLORS - len(channel))])
    return fields


def _values(file: BinaryIO, kind: int, count: int, data: bytes) -> tuple[int, ...]:
    """The numbers of one entry."""
    form = f"<{count * (2 if kind == RATIONAL else 1)}{CODES[kind]}"
    size = struct.calcsize(form)
    if size > 8:
        file.seek(struct.unpack("<Q", data)[0])
        data = file.read(size)
    return struct.unpack(form, data[:size])
