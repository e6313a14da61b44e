"""Directories of a tiled BigTIFF of one byte a pixel: little-endian, tiles compressed by deflate.

Source: TIFF 6.0, sections 2, 5 and 15; https://libtiff.gitlab.io/libtiff/specification/bigtiff.html
"""

import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from monai_gi import __version__
from monai_gi.errors import DataError

HEADER = struct.pack("<2sHHHQ", b"II", 43, 8, 0, 0)
FIRST_DIRECTORY = 8  # where the header says where the first directory begins

_ASCII, _SHORT, _LONG, _RATIONAL, _LONG8 = 2, 3, 4, 5, 16
_CODES = {_ASCII: "B", _SHORT: "H", _LONG: "I", _RATIONAL: "I", _LONG8: "Q"}
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
    link = FIRST_DIRECTORY
    for number, page in enumerate(pages):
        file.seek(0, os.SEEK_END)
        file.write(b"\0" * (file.tell() % 2))
        at = file.tell()
        fields = _fields(page, colors, mpp and [one * pages[0].size[0] / page.size[0] for one in mpp])
        fields[254] = (_LONG, [1 if number else 0])
        if not number:
            fields[270] = (_ASCII, [*description.encode(), 0])
        file.write(_directory(at, fields))
        file.seek(link)
        file.write(struct.pack("<Q", at))
        link = at + 8 + 20 * len(fields)


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
    header = file.read(len(HEADER))
    (at,) = struct.unpack("<Q", header[FIRST_DIRECTORY:].ljust(8, b"\0"))
    if header[:FIRST_DIRECTORY] != HEADER[:FIRST_DIRECTORY] or not at:
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
        256: (_LONG, [page.size[1]]),
        257: (_LONG, [page.size[0]]),
        258: (_SHORT, [8]),
        259: (_SHORT, [_DEFLATE]),
        262: (_SHORT, [_BLACK_IS_0 if colors is None else _PALETTE]),
        277: (_SHORT, [1]),
        282: (_RATIONAL, [per_cm[1], _PARTS]),
        283: (_RATIONAL, [per_cm[0], _PARTS]),
        284: (_SHORT, [1]),
        296: (_SHORT, [_CENTIMETRE if mpp else _NO_UNIT]),
        305: (_ASCII, [*f"monai_gi {__version__}".encode(), 0]),
        322: (_LONG, [page.tile_px]),
        323: (_LONG, [page.tile_px]),
        324: (_LONG8, [offset for offset, _ in page.tiles]),
        325: (_LONG8, [length for _, length in page.tiles]),
    }
    if colors is not None:
        table = [[int(color[channel]) * _BYTE_TO_SHORT for color in colors] for channel in range(3)]
        fields[320] = (_SHORT, [value for channel in table for value in channel + [0] * (_COLORS - len(channel))])
    return fields


def _directory(at: int, fields: dict[int, tuple[int, list[int]]]) -> bytes:
    """A directory that begins at `at`, with the values behind it that do not fit into its entries."""
    behind = at + 8 + 20 * len(fields) + 8
    entries, values = [struct.pack("<Q", len(fields))], bytearray()
    for tag, (kind, numbers) in sorted(fields.items()):
        data = struct.pack(f"<{len(numbers)}{_CODES[kind]}", *numbers)
        count = len(numbers) // 2 if kind == _RATIONAL else len(numbers)
        entries.append(struct.pack("<HHQ", tag, kind, count))
        if len(data) <= 8:
            entries.append(data.ljust(8, b"\0"))
        else:
            entries.append(struct.pack("<Q", behind + len(values)))
            values += data.ljust(-(-len(data) // 8) * 8, b"\0")
    return b"".join(entries) + struct.pack("<Q", 0) + bytes(values)


def _values(file: BinaryIO, kind: int, count: int, data: bytes) -> tuple[int, ...]:
    """The numbers of one entry."""
    form = f"<{count * (2 if kind == _RATIONAL else 1)}{_CODES[kind]}"
    size = struct.calcsize(form)
    if size > 8:
        file.seek(struct.unpack("<Q", data)[0])
        data = file.read(size)
    return struct.unpack(form, data[:size])
