"""Bands of rows of an open picture, top to bottom; JPEG, interlaced PNG and TIFF alone need all of it in memory.

Pillow decodes whole pictures, and holds colours in 4 bytes a pixel. A band of a PNG's rows is a PNG of its own once the
row above, from which PNG predicts, is put on top of it: so Pillow decodes band after band.
Source: https://www.w3.org/TR/png-3/ (layout of chunks: 5.3; IHDR: 11.2.1; rows and their filters: 7.3 and 9).
"""

import io
import struct
import zlib
from collections.abc import Iterator
from typing import IO, NamedTuple

from PIL import Image, PngImagePlugin
from PIL.ImageFile import ImageFile

BAND_PIXELS = 1 << 22

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_IHDR = struct.Struct(">IIBBBBB")
_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by colour type: grey, RGB, palette, grey and alpha, RGB and alpha
_KEPT_CHUNKS = (b"PLTE", b"tRNS")
_READ_BYTES = 1 << 20
_UNFILTERED = b"\0"


class Inflated:
    """What a zlib stream holds, read in order.

    Args:
        packed: its bytes in pieces.
    """

    def __init__(self, packed: Iterator[bytes]) -> None:
        self._packed, self._zlib = packed, zlib.decompressobj()

    def read(self, count: int) -> bytes:
        """Read on.

        Args:
            count: bytes.

        Returns:
            So many bytes, fewer where the stream ends.
        """
        parts: list[bytes] = []
        while count:
            packed = self._zlib.unconsumed_tail or next(self._packed, b"")
            parts.append(self._zlib.decompress(packed, count))
            count -= len(parts[-1])
            if not packed and not parts[-1]:
                break
        return b"".join(parts)


class _PngHead(NamedTuple):
    """What stands in a PNG before its pixels: members of IHDR, and the chunks that tell what samples mean."""

    width: int
    height: int
    depth: int
    color_type: int
    is_interlaced: bool
    chunks: bytes

    @property
    def comes_in_bands(self) -> bool:
        """Rows lie in the file one below the other, in whole bytes."""
        return self.depth == 8 and not self.is_interlaced


def bands(image: ImageFile, kind: str) -> Iterator[Image.Image]:
    """Decode a picture in bands of some 4 million pixels.

    Args:
        image: open, not decoded yet.
        kind: `png`, `jpeg` or `tiff`.

    Yields:
        Image.Image: a band of whole rows, of the picture's mode.
    """
    rows = max(1, BAND_PIXELS // image.width)
    if kind == "png" and image.fp is not None:
        place = image.fp.tell()
        head = _head(image.fp)
        if head.comes_in_bands:
            yield from _png_bands(image.fp, head, rows)
            return
        image.fp.seek(place)
    image.load()
    for top in range(0, image.height, rows):
        yield image.crop((0, top, image.width, min(image.height, top + rows)))


def _head(file: IO[bytes]) -> _PngHead:
    """The head of a PNG; the file is left at its first IDAT chunk."""
    file.seek(len(_SIGNATURE))
    header, chunks = b"", b""
    while (start := file.read(8))[4:] != b"IDAT":
        length, name = struct.unpack(">I4s", start)
        if name == b"IHDR":
            header = file.read(length)
            file.seek(4, io.SEEK_CUR)
        elif name in _KEPT_CHUNKS:
            chunks += start + file.read(length + 4)
        else:
            file.seek(length + 4, io.SEEK_CUR)
    file.seek(-len(start), io.SEEK_CUR)
    width, height, depth, color_type, _, _, interlacing = _IHDR.unpack(header)
    return _PngHead(width, height, depth, color_type, bool(interlacing), chunks)


def _packed(file: IO[bytes]) -> Iterator[bytes]:
    """The content of the IDAT chunks that follow each other, in pieces."""
    while (start := file.read(8))[4:] == b"IDAT":
        left = int.from_bytes(start[:4], "big")
        while left and (piece := file.read(min(left, _READ_BYTES))):
            left -= len(piece)
            yield piece
        file.seek(4, io.SEEK_CUR)


def _png_bands(file: IO[bytes], head: _PngHead, rows: int) -> Iterator[Image.Image]:
    pixels = Inflated(_packed(file))
    row_bytes = 1 + head.width * _SAMPLES[head.color_type]
    above = b""
    for top in range(0, head.height, rows):
        wanted = min(rows, head.height - top) * row_bytes
        data = above + pixels.read(wanted)
        if len(data) < len(above) + wanted:
            raise EOFError(f"it ends within rows {top} to {top + rows} of {head.height}")
        with PngImagePlugin.PngImageFile(io.BytesIO(_png(head, data, row_bytes))) as band:
            yield band.crop((0, bool(above), band.width, band.height))
            above = _UNFILTERED + band.crop((0, band.height - 1, band.width, band.height)).tobytes()
    pixels.read(1)  # to the end, where the checksum is


def _png(head: _PngHead, data: bytes, row_bytes: int) -> bytes:
    """A PNG of filtered rows."""
    header = _IHDR.pack(head.width, len(data) // row_bytes, head.depth, head.color_type, 0, 0, 0)
    parts = (_chunk(b"IHDR", header), head.chunks, _chunk(b"IDAT", zlib.compress(data, 0)), _chunk(b"IEND", b""))
    return b"".join([_SIGNATURE, *parts])


def _chunk(name: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(content, zlib.crc32(name))
    return b"".join([struct.pack(">I", len(content)), name, content, struct.pack(">I", checksum)])
