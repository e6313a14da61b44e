"""TIFF slides, tile by tile or strip by strip: no region costs more than the segments that it touches.

Levels are the pages (also SubIFDs) whose size is a halving of the first; other pages, such as a label, are passed over.
OpenSlide reads tiled TIFF too, but its lower levels move by a fraction of a pixel with the place that is asked for.
"""

import itertools
import os
import threading
import weakref
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from monai_gi.errors import DataError
from monai_gi.pictures import BROKEN
from monai_gi.slides.regions import paste
from monai_gi.slides.segment_cache import process_cache
from monai_gi.slides.stores import StoredLevel, is_oversized, level_of
from monai_gi.slides.tiff_segments import Coding, coding_of, decode_segment
from monai_gi.slides.tiff_tags import layout_fault, palette_of, pixel_size_um

LARGEST_SEGMENT = 1 << 22
"""Pixels; what is packed in larger pieces is no better than a picture that is decoded whole."""

_counter = itertools.count()
_NO_COMPRESSION = 1
_OPAQUE = 255


class _Pixels(NamedTuple):
    """Where one level lies in the file."""

    level: StoredLevel
    offsets: tuple[int, ...]
    counts: tuple[int, ...]
    across: int
    coding: Coding
    palette: np.ndarray | None
    strip_rows: int  # of uncompressed strips, in which any row can be read by itself; else 0


class TiffStore:
    """An open TIFF of 8 bits, grey, palette or RGB, in tiles or strips; an opaque alpha channel is dropped.

    Args:
        path: the file.
        fill: value of tiles that the file leaves out.

    Attributes:
        kind: `tiff`.
        levels: the full image first.
        mpp: (row, column), or None.
        channels: 1 or 3.
        palette: (256, 3), or None.
        survives_fork: no, since processes would share the place in the file.

    Raises:
        DataError: the file is damaged or cut short, or of a kind that is read wrongly elsewhere: more than 8 bits,
            CMYK, several images.
        Unsuitable: it has to be decoded whole: large compressed pieces, or colours in separate planes.
    """

    kind: str = "tiff"
    levels: tuple[StoredLevel, ...]
    mpp: tuple[float, float] | None
    channels: int
    palette: np.ndarray | None
    survives_fork: bool = False

    def __init__(self, path: Path, fill: int = 255) -> None:
        self._path, self._fill = path, fill
        self._key = next(_counter)
        pages, self.mpp = _read_structure(path)
        self._pixels = pages
        self.levels = tuple(page.level for page in pages)
        self.channels = pages[0].coding.channels
        self.palette = pages[0].palette
        self._lock = threading.Lock()
        self._file = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        self._close = weakref.finalize(self, os.close, self._file)

    def read(self, index: int, top: int, left: int, height: int, width: int) -> np.ndarray:
        """Read a region that lies inside a level.

        Args:
            index: of the level in `levels`.
            top: first row.
            left: first column.
            height: rows.
            width: columns.

        Returns:
            (height, width, channels), uint8.

        Raises:
            DataError: a tile is damaged, or has pixels to be seen through.
        """
        pixels = self._pixels[index]
        if pixels.strip_rows:
            return self._read_rows(pixels, top, left, height, width)
        region = np.empty((height, width, self.channels), dtype=np.uint8)
        rows, columns = pixels.level.segment
        for row in range(top // rows, -(-(top + height) // rows)):
            for column in range(left // columns, -(-(left + width) // columns)):
                paste(region, self._segment(index, row, column), row * rows - top, column * columns - left)
        return region

    def close(self) -> None:
        """Let go of the file and of its decoded tiles."""
        self._close()
        process_cache().forget(self._key)

    def _segment(self, index: int, row: int, column: int) -> np.ndarray:
        return process_cache().get((self._key, index, row, column), lambda: self._decode(index, row, column))

    def _decode(self, index: int, row: int, column: int) -> np.ndarray:
        pixels = self._pixels[index]
        number = row * pixels.across + column
        rows, columns = pixels.level.segment
        is_tiled = pixels.coding.page.is_tiled
        size = (rows if is_tiled else min(rows, pixels.level.size[0] - row * rows), columns)
        if not pixels.counts[number]:
            return np.full((*size, self.channels), self._fill, dtype=np.uint8)
        data = self._bytes(pixels.offsets[number], pixels.counts[number])
        try:
            decoded = decode_segment(data, number, size, pixels.coding)
        except BROKEN as error:
            where = f"the piece at row {row * rows}, column {column * columns} of level {pixels.level.level}"
            raise DataError(
                self._path, f"{where} can not be decoded ({error}); copy it again from its source"
            ) from error
        inside = (pixels.level.size[0] - row * rows, pixels.level.size[1] - column * columns)
        return self._opaque(decoded, pixels, inside)

    def _opaque(self, samples: np.ndarray, pixels: _Pixels, inside: tuple[int, int]) -> np.ndarray:
        """The colours of (h, w, samples); alpha counts in the (rows, columns) of them that lie inside the image."""
        if not pixels.coding.has_alpha:
            return samples
        clear = int(np.count_nonzero(samples[: inside[0], : inside[1], -1] != _OPAQUE))
        if clear:
            problem = f"level {pixels.level.level} has pixels to be seen through (alpha), {clear} in one piece"
            raise DataError(self._path, f"{problem}; wanted none. Lay it on the background that is meant, and save it")
        return np.ascontiguousarray(samples[..., :-1])

    def _read_rows(self, pixels: _Pixels, top: int, left: int, height: int, width: int) -> np.ndarray:
        samples = pixels.coding.samples
        region = np.empty((height, width, samples), dtype=np.uint8)
        row_bytes = pixels.level.size[1] * samples
        for line in range(height):
            strip, row = divmod(top + line, pixels.strip_rows)
            data = self._bytes(pixels.offsets[strip] + row * row_bytes + left * samples, width * samples)
            region[line] = np.frombuffer(data, np.uint8).reshape(width, samples)
        return self._opaque(region, pixels, (height, width))

    def _bytes(self, offset: int, count: int) -> bytes:
        if hasattr(os, "pread"):
            data = os.pread(self._file, count, offset)
        else:
            with self._lock:  # Windows
                os.lseek(self._file, offset, os.SEEK_SET)
                data = os.read(self._file, count)
        if len(data) < count:
            raise DataError(self._path, "has become shorter since it was opened; is it still being copied?")
        return data


class Unsuitable(Exception):
    """The file is sound, but has to be decoded whole."""


def _read_structure(path: Path) -> tuple[tuple[_Pixels, ...], tuple[float, float] | None]:
    try:
        import tifffile
    except ImportError as error:
        raise DataError(path, "TIFF slides need tifffile: pip install monai_gi[wsi]") from error
    try:
        with tifffile.TiffFile(path) as tiff:
            pages = [page for first in tiff.pages for page in (first.aspage(), *(first.aspage().pages or ()))]
            return _levels(path, [page.aspage() for page in pages]), pixel_size_um(tiff, pages[0])
    except (tifffile.TiffFileError, *BROKEN) as error:
        raise DataError(path, f"can not be read as a TIFF ({error}); copy it again from its source") from error


def _levels(path: Path, pages: list[Any]) -> tuple[_Pixels, ...]:
    first = pages[0]
    fault = layout_fault(first)
    if fault:
        raise DataError(path, fault)
    full = (int(first.imagelength), int(first.imagewidth))
    if min(full) < 1:
        raise DataError(path, f"{full[1]} x {full[0]} pixels (W x H), wanted some; copy it again from its source")
    same = sum((page.imagelength, page.imagewidth) == full for page in pages)
    if same > 1:
        raise DataError(path, f"{same} images of the same size in one file, wanted one; export the one that is meant")
    found: dict[int, _Pixels] = {}
    for page in pages:
        level = level_of((int(page.imagelength), int(page.imagewidth)), full)
        is_alike = page.samplesperpixel == first.samplesperpixel and page.photometric == first.photometric
        if level is not None and level not in found and is_alike:
            found[level] = _pixels(path, page, level)
    return tuple(found[level] for level in sorted(found))


def _pixels(path: Path, page: Any, level: int) -> _Pixels:
    height, width = int(page.imagelength), int(page.imagewidth)
    strip = (min(height, int(page.rowsperstrip)), width)
    tile = (int(page.tilelength), int(page.tilewidth)) if page.is_tiled else strip
    is_plain = int(page.compression) == _NO_COMPRESSION and not page.is_tiled
    if int(page.planarconfig) != 1 and page.samplesperpixel > 1:
        raise Unsuitable
    if min(tile) < 1:
        raise ValueError(f"pieces of {tile[1]} x {tile[0]} pixels")
    if page.is_tiled and is_oversized(tile, (height, width)):
        raise ValueError(f"tiles of {tile[1]} x {tile[0]} pixels in an image of {width} x {height}")
    if not is_plain and tile[0] * tile[1] > LARGEST_SEGMENT:
        raise Unsuitable
    down, across = -(-height // tile[0]), -(-width // tile[1])
    offsets, counts = tuple(page.dataoffsets), tuple(page.databytecounts)
    _require_whole(path, offsets, counts, down * across)
    stored = StoredLevel((height, width), level, (1, width) if is_plain else tile)
    strip_rows = tile[0] if is_plain else 0
    return _Pixels(stored, offsets, counts, across, coding_of(page), palette_of(page), strip_rows)


def _require_whole(path: Path, offsets: tuple[int, ...], counts: tuple[int, ...], wanted: int) -> None:
    size = path.stat().st_size
    end = max((offset + count for offset, count in zip(offsets, counts, strict=False)), default=0)
    if len(offsets) != wanted or len(counts) != wanted or end > size:
        problem = f"is cut short: {len(counts)} of {wanted} pieces listed, {size:,} bytes there, {end:,} wanted"
        raise DataError(path, f"{problem}; copy it again from its source")
