"""A tiled TIFF of several levels, written as its tiles come, in any order, on any page; row-major, little-endian.

Only what the drawn slides need: RGB of 8 bits, JPEG or deflate tiles, all directories at the end of the file.
Source: TIFF 6.0 (https://www.itu.int/itudoc/itu-t/com16/tiff-fx/docs/tiff6.pdf), sections 2, 15 and 22, and its
Technical Note 2 for JPEG.
"""

import io
import struct
import zlib
from typing import BinaryIO, NamedTuple

import numpy as np
from PIL import Image

from monai_gi.tiff_directories import (
    BIG_HEADER,
    FIRST_BIG_DIRECTORY,
    FIRST_DIRECTORY,
    HEADER,
    LONG,
    LONG8,
    RATIONAL,
    SHORT,
    packed_directory,
)

TILE_PX = 256
JPEG_QUALITY = 88
# Past this many bytes the 32-bit offsets of a plain TIFF could run out.
PLAIN_TIFF_BYTES = 2**32 - 2**24
_PARTS = 10_000  # a resolution is a fraction of so many
_DEFLATE, _JPEG = 8, 7
_RGB, _YCBCR = 2, 6


class Page(NamedTuple):
    """One level of the image.

    Attributes:
        size: (H, W) in pixels.
        offsets: of each tile in the file, row by row, 0 until it is written.
        lengths: of each tile, in bytes.
    """

    size: tuple[int, int]
    offsets: list[int]
    lengths: list[int]


class TiledTiff:
    """Collects tiles of RGB pages in an open file.

    Args:
        file: open for writing, empty.
        sizes: (H, W) of each page; those after the first are marked as reductions of it.
        mpp: micrometres a pixel of the first page, written as its resolution.
        is_lossy: JPEG tiles, as scanners write them; else deflate.
    """

    def __init__(self, file: BinaryIO, sizes: list[tuple[int, int]], mpp: float, *, is_lossy: bool) -> None:
        self.file, self.mpp, self.is_lossy = file, mpp, is_lossy
        self.pages = [Page(size, *([0] * (_tiles(size[0]) * _tiles(size[1])) for _ in range(2))) for size in sizes]
        self.is_big = sum(height * width * 3 for height, width in sizes) > PLAIN_TIFF_BYTES
        file.write(BIG_HEADER if self.is_big else HEADER)
        self.end = file.tell()

    def write_row(self, page: int, row: int, band: np.ndarray) -> None:
        """Write one row of tiles.

        Args:
            page: number of the level.
            row: number of the row of tiles.
            band: (h, W, 3) uint8, h up to TILE_PX; a lower or narrower edge is repeated to fill the tile.
        """
        columns = _tiles(self.pages[page].size[1])
        missing = ((0, TILE_PX - band.shape[0]), (0, columns * TILE_PX - band.shape[1]), (0, 0))
        band = np.pad(band, missing, mode="edge")
        for column in range(columns):
            tile = band[:, column * TILE_PX : (column + 1) * TILE_PX]
            data = encode_jpeg(tile) if self.is_lossy else zlib.compress(tile.tobytes(), 6)
            self._append(page, row * columns + column, data)

    def _append(self, page: int, tile: int, data: bytes) -> None:
        self.file.write(data)
        self.pages[page].offsets[tile], self.pages[page].lengths[tile] = self.end, len(data)
        self.end += len(data)

    def close(self) -> None:
        """Write the directories and point the header at the first; the file stays open."""
        link = FIRST_BIG_DIRECTORY if self.is_big else FIRST_DIRECTORY
        for number in range(len(self.pages)):
            self._pad()
            directory, next_link = packed_directory(self.end, self._fields(number), is_big=self.is_big)
            self.file.seek(link)
            self.file.write(struct.pack("<Q" if self.is_big else "<I", self.end))
            self.file.seek(self.end)
            self.file.write(directory)
            self.end, link = self.file.tell(), next_link

    def _pad(self) -> None:
        """Directories begin on even bytes."""
        if self.end % 2:
            self.file.write(b"\0")
            self.end += 1

    def _fields(self, number: int) -> dict[int, tuple[int, list[int]]]:
        """Type and values by tag of one page."""
        page = self.pages[number]
        per_cm = [round(1e4 / (self.mpp * 2**number) * _PARTS), _PARTS]
        fields = {
            254: (LONG, [1 if number else 0]),
            256: (LONG, [page.size[1]]),
            257: (LONG, [page.size[0]]),
            258: (SHORT, [8, 8, 8]),
            259: (SHORT, [_JPEG if self.is_lossy else _DEFLATE]),
            262: (SHORT, [_YCBCR if self.is_lossy else _RGB]),
            277: (SHORT, [3]),
            282: (RATIONAL, per_cm),
            283: (RATIONAL, per_cm),
            284: (SHORT, [1]),
            296: (SHORT, [3]),
            322: (LONG, [TILE_PX]),
            323: (LONG, [TILE_PX]),
            324: (LONG8 if self.is_big else LONG, page.offsets),
            325: (LONG, page.lengths),
        }
        return {**fields, 530: (SHORT, [1, 1])} if self.is_lossy else fields


def encode_jpeg(tile: np.ndarray) -> bytes:
    """One tile as a whole JPEG file in YCbCr, colours not thinned out.

    Args:
        tile: (h, w, 3) uint8.

    Returns:
        The file's bytes.
    """
    buffer = io.BytesIO()
    Image.fromarray(tile).save(buffer, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    return buffer.getvalue()


def _tiles(length: int) -> int:
    return -(-length // TILE_PX)
