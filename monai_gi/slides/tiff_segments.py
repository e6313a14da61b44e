"""One tile or strip of a TIFF to pixels (rows, columns, samples): by tifffile where NumPy and zlib do, else by libtiff.

tifffile leaves LZW, JPEG and others to a package that is not wanted here. Pillow's libtiff knows them, but only in
whole files; so the segment is handed to it as a TIFF of one strip in memory.
Source: https://www.loc.gov/preservation/digital/formats/content/tiff_tags.shtml (tags of the one-strip file).
"""

import io
import math
import struct
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from PIL import TiffImagePlugin

from monai_gi.pictures import BAND_PIXELS, Inflated
from monai_gi.slides.tiff_tags import has_alpha

_NONE, _DEFLATE, _OLD_DEFLATE, _JPEG = 1, 8, 32946, 7
_BY_TIFFFILE = (_NONE, _DEFLATE, _OLD_DEFLATE)
_NO_PREDICTOR, _DIFFERENCES = 1, 2
_SHORT, _LONG, _BYTES = 3, 4, 7
_TYPE_SIZE = {_SHORT: 2, _LONG: 4, _BYTES: 1}
_GREY, _RGB, _YCBCR = 1, 2, 6
_STRAIGHT_ALPHA = 2
_HEADER_BYTES, _ENTRY_BYTES, _INLINE_BYTES = 8, 12, 4


class Coding(NamedTuple):
    """How the segments of one level are packed.

    Attributes:
        page: of tifffile.
        compression: number of the TIFF tag.
        samples: a pixel, alpha among them.
        has_alpha: the last of them is alpha.
        jpeg_tables: shared by all segments, or None.
    """

    page: Any
    compression: int
    samples: int
    has_alpha: bool
    jpeg_tables: bytes | None

    @property
    def channels(self) -> int:
        """Samples a pixel without alpha."""
        return self.samples - self.has_alpha


def coding_of(page: Any) -> Coding:
    """Take from a page what decoding its segments needs, so that its file may be closed.

    Args:
        page: of tifffile, its file still open.

    Returns:
        The coding.
    """
    compression = int(page.compression)
    if compression in _BY_TIFFFILE:
        page.decode  # noqa: B018 - made, and kept by tifffile, when first asked for
    return Coding(page, compression, int(page.samplesperpixel), has_alpha(page), page.jpegtables)


def decode_segment(data: bytes, index: int, size: tuple[int, int], coding: Coding) -> np.ndarray:
    """Decode one tile or strip.

    Args:
        data: its bytes in the file.
        index: its number in the level.
        size: (rows, columns) of it.
        coding: of the level.

    Returns:
        (rows, columns, samples), uint8; YCbCr of JPEG as RGB. Damaged bytes raise one of `pictures.BROKEN`.
    """
    if coding.compression in _BY_TIFFFILE:
        pixels = coding.page.decode(data, index)[0]
        pixels = np.asarray(pixels).reshape(-1, *np.shape(pixels)[-2:])
    else:
        pixels = _by_libtiff(data, size, coding)
    if pixels.shape[0] < size[0] or pixels.shape[1:] != (size[1], coding.samples) or pixels.dtype != np.uint8:
        raise ValueError(f"{pixels.shape} of {pixels.dtype} where {(*size, coding.samples)} of uint8 are wanted")
    return pixels[: size[0]]


def decode_bands(data: bytes, index: int, size: tuple[int, int], coding: Coding) -> Iterator[np.ndarray]:
    """Decode a large tile or strip in bands of whole rows, in bounded memory where zlib packed it.

    Args:
        data: its bytes in the file.
        index: its number in the level.
        size: (rows, columns) of it.
        coding: of the level.

    Yields:
        np.ndarray: (rows, columns, samples), uint8.
    """
    predictor = int(coding.page.predictor)
    if coding.compression not in (_DEFLATE, _OLD_DEFLATE) or predictor not in (_NO_PREDICTOR, _DIFFERENCES):
        yield decode_segment(data, index, size, coding)
        return
    rows, columns = size
    pixels, most = Inflated(iter([data])), max(1, BAND_PIXELS // columns)
    for top in range(0, rows, most):
        shape = (min(most, rows - top), columns, coding.samples)
        band = np.frombuffer(pixels.read(math.prod(shape)), np.uint8).reshape(shape)
        yield np.add.accumulate(band, axis=1, dtype=np.uint8) if predictor == _DIFFERENCES else band


def _by_libtiff(data: bytes, size: tuple[int, int], coding: Coding) -> np.ndarray:
    with TiffImagePlugin.TiffImageFile(io.BytesIO(_one_strip(data, size, coding))) as image:
        return np.asarray(image).reshape(*size, -1)


def _one_strip(data: bytes, size: tuple[int, int], coding: Coding) -> bytes:
    """A little-endian TIFF whose only strip is the segment: header, strip, directory, values too long for it."""
    rows, columns = size
    tags: list[tuple[int, int, list[int] | bytes]] = [
        (256, _LONG, [columns]),
        (257, _LONG, [rows]),
        (258, _SHORT, [8] * coding.samples),
        (259, _SHORT, [coding.compression]),
        (262, _SHORT, [_photometric(coding)]),
        (273, _LONG, [_HEADER_BYTES]),
        (277, _SHORT, [coding.samples]),
        (278, _LONG, [rows]),
        (279, _LONG, [len(data)]),
        (284, _SHORT, [1]),
        (317, _SHORT, [int(coding.page.predictor)]),
    ]
    if coding.has_alpha:
        tags.append((338, _SHORT, [_STRAIGHT_ALPHA]))
    if coding.jpeg_tables:
        tags.append((347, _BYTES, coding.jpeg_tables))
    data += b"\0" * (len(data) % 2)
    directory = _HEADER_BYTES + len(data)
    after = directory + 2 + _ENTRY_BYTES * len(tags) + 4
    entries, values = struct.pack("<H", len(tags)), b""
    for tag, kind, content in tags:
        value = content if isinstance(content, bytes) else struct.pack(f"<{len(content)}{' HL'[kind - 2]}", *content)
        entries += struct.pack("<HHL", tag, kind, len(value) // _TYPE_SIZE[kind])
        if len(value) <= _INLINE_BYTES:
            entries += value.ljust(_INLINE_BYTES, b"\0")
        else:
            entries += struct.pack("<L", after + len(values))
            values += value + b"\0" * (len(value) % 2)
    return b"II*\0" + struct.pack("<L", directory) + data + entries + b"\0" * 4 + values


def _photometric(coding: Coding) -> int:
    """JPEG may hold YCbCr; all else is handed over as plain numbers, palettes too."""
    if coding.channels == 1:
        return _GREY
    is_ycbcr = coding.compression == _JPEG and int(coding.page.photometric) == _YCBCR
    return _YCBCR if is_ycbcr else _RGB
