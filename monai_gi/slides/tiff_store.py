"""TIFF slides, tile by tile or strip by strip: no region costs more than the segments that it touches.

Levels are the pages (also SubIFDs) whose size is a halving of the first; other pages, such as a label, are passed over.
OpenSlide reads tiled TIFF too, but its lower levels move by a fraction of a pixel with the place that is asked for.
"""

import itertools
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from monai_gi.errors import DataError
from monai_gi.pictures import BROKEN, DEFAULT_MAX_PIXELS, require_within
from monai_gi.slides.byte_file import ByteFile, UnpackedPixels
from monai_gi.slides.picture_store import tell_large
from monai_gi.slides.regions import paste
from monai_gi.slides.segment_cache import process_cache
from monai_gi.slides.stores import StoredLevel, is_oversized, level_of
from monai_gi.slides.tiff_segments import Coding, coding_of, decode_bands, decode_segment
from monai_gi.slides.tiff_tags import layout_fault, palette_of, pixel_size_um, without_remarks

LARGEST_SEGMENT = 1 << 22
"""Pixels; a level that is packed in larger pieces is unpacked whole, piece by piece, into a temporary file."""

_counter = itertools.count()
_NO_COMPRESSION = 1
_YCBCR = 6
_OPAQUE = 255
_WHITE = 255


class _Pixels(NamedTuple):
    """Where one level lies in the file."""

    level: StoredLevel
    offsets: tuple[int, ...]
    counts: tuple[int, ...]
    across: int
    planes: int  # in which the samples lie apart; 1 where they lie together
    coding: Coding
    palette: np.ndarray | None
    strip_rows: int  # of uncompressed strips, in which any row can be read by itself; else 0
    is_large: bool  # of pieces that no patch can wait for

    def number(self, row: int, column: int, plane: int) -> int:
        """Place in the file's list of a piece."""
        down = len(self.offsets) // (self.across * self.planes)
        return (plane * down + row) * self.across + column


class TiffStore:
    """An open TIFF of 8 bits, grey, palette or RGB, in tiles or strips; an opaque alpha channel is dropped.

    Args:
        path: the file.
        max_pixels: budget of a level that has to be unpacked whole.

    Attributes:
        kind: `tiff`.
        levels: the full image first.
        mpp: (row, column), or None.
        channels: 1 or 3.
        palette: (256, 3), or None.
        survives_fork: yes.
        is_whole: the full image is packed in large pieces.
        fill: value of tiles that the file leaves out, (channels,) or one for all; white unless set before reading.

    Raises:
        DataError: the file is damaged or cut short, or of a kind that is read wrongly elsewhere: more than 8 bits,
            CMYK, several images; or it is over the budget.
    """

    kind: str = "tiff"
    levels: tuple[StoredLevel, ...]
    mpp: tuple[float, float] | None
    channels: int
    palette: np.ndarray | None
    survives_fork: bool = True
    is_whole: bool
    fill: int | tuple[int, ...]

    def __init__(self, path: Path, max_pixels: int = DEFAULT_MAX_PIXELS) -> None:
        self._path, self.fill = path, _WHITE
        self._key = next(_counter)
        pages, self.mpp = _read_structure(path)
        self._pixels = pages
        self.levels = tuple(page.level for page in pages)
        self.channels = pages[0].coding.channels
        self.palette = pages[0].palette
        for level in pages:
            if level.is_large:
                require_within(path, level.level.size, max_pixels)
        self.is_whole = pages[0].is_large
        self._lock = threading.Lock()
        self._unpacked: dict[int, UnpackedPixels] = {}
        self._file = ByteFile(path, os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0)))

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
        if pixels.is_large:
            return self._whole(index).read(top, left, height, width)
        region = np.empty((height, width, self.channels), dtype=np.uint8)
        rows, columns = pixels.level.segment
        for row in range(top // rows, -(-(top + height) // rows)):
            for column in range(left // columns, -(-(left + width) // columns)):
                paste(region, self._segment(index, row, column), row * rows - top, column * columns - left)
        return region

    def close(self) -> None:
        """Let go of the file and of its decoded tiles."""
        self._file.close()
        self._unpacked.clear()
        process_cache().forget(self._key)

    def _segment(self, index: int, row: int, column: int) -> np.ndarray:
        return process_cache().get((self._key, index, row, column), lambda: self._decode(index, row, column))

    def _whole(self, index: int) -> UnpackedPixels:
        """All of a level, unpacked when first asked for."""
        with self._lock:
            if index not in self._unpacked:
                self._unpacked[index] = self._unpack(index)
            return self._unpacked[index]

    def _unpack(self, index: int) -> UnpackedPixels:
        pixels = self._pixels[index]
        (height, width), _, (rows, columns) = pixels.level
        tell_large(self._path, (height, width), f"in pieces of {columns} x {rows} pixels ")
        unpacked = UnpackedPixels(self._path, (height, width), self.channels)
        for row in range(-(-height // rows)):
            for column in range(pixels.across):
                top, left = row * rows, column * columns
                for band in self._bands(index, row, column):
                    inside = band[: height - top, : width - left]
                    if len(inside):
                        unpacked.write(top, left, inside)
                    top += len(band)
        return unpacked

    def _decode(self, index: int, row: int, column: int) -> np.ndarray:
        return np.concatenate(list(self._bands(index, row, column)))

    def _bands(self, index: int, row: int, column: int) -> Iterator[np.ndarray]:
        """A piece from top to bottom, (rows, columns, channels): one band of it, unless it is large."""
        pixels = self._pixels[index]
        rows, columns = pixels.level.segment
        is_tiled = pixels.coding.page.is_tiled
        size = (rows if is_tiled else min(rows, pixels.level.size[0] - row * rows), columns)
        places = [pixels.number(row, column, plane) for plane in range(pixels.planes)]
        if not all(pixels.counts[place] for place in places):
            yield np.broadcast_to(np.array(self.fill, dtype=np.uint8), (*size, self.channels))
            return
        top = row * rows
        try:
            for band in zip(*(self._plane(pixels, place, size) for place in places), strict=True):
                samples = np.concatenate(band, axis=2) if len(band) > 1 else band[0]
                inside = (pixels.level.size[0] - top, pixels.level.size[1] - column * columns)
                yield self._opaque(samples, pixels, inside)
                top += len(samples)
        except BROKEN as error:
            where = f"the piece at row {row * rows}, column {column * columns} of level {pixels.level.level}"
            raise DataError(
                self._path, f"{where} can not be decoded ({error}); copy it again from its source"
            ) from error

    def _plane(self, pixels: _Pixels, place: int, size: tuple[int, int]) -> Iterator[np.ndarray]:
        """All samples of a piece, or one plane of them."""
        coding = pixels.coding if pixels.planes == 1 else pixels.coding._replace(samples=1, has_alpha=False)
        data = self._file.read(pixels.offsets[place], pixels.counts[place])
        if pixels.is_large:
            return decode_bands(data, place, size, coding)
        return iter([decode_segment(data, place, size, coding)])

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
        region = np.empty((height, width, pixels.coding.samples), dtype=np.uint8)
        together = pixels.coding.samples // pixels.planes
        for line in range(height):
            strip, row = divmod(top + line, pixels.strip_rows)
            for plane in range(pixels.planes):
                place = pixels.number(strip, 0, plane)
                start = pixels.offsets[place] + (row * pixels.level.size[1] + left) * together
                data = self._file.read(start, width * together)
                region[line, :, plane * together :][:, :together] = np.frombuffer(data, np.uint8).reshape(width, -1)
        return self._opaque(region, pixels, (height, width))


def _read_structure(path: Path) -> tuple[tuple[_Pixels, ...], tuple[float, float] | None]:
    try:
        import tifffile
    except ImportError as error:
        raise DataError(path, "TIFF slides need tifffile: pip install monai_gi[wsi]") from error
    try:
        with without_remarks(), tifffile.TiffFile(path) as tiff:
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
    if min(tile) < 1 or (page.is_tiled and is_oversized(tile, (height, width))):
        raise ValueError(f"pieces of {tile[1]} x {tile[0]} pixels in an image of {width} x {height}")
    planes = int(page.samplesperpixel) if int(page.planarconfig) != 1 else 1
    if planes > 1 and int(page.photometric) == _YCBCR:
        raise DataError(path, "colours are stored as YCbCr in separate planes, wanted RGB; convert it to RGB")
    down, across = -(-height // tile[0]), -(-width // tile[1])
    offsets, counts = tuple(page.dataoffsets), tuple(page.databytecounts)
    _require_whole(path, offsets, counts, down * across * planes)
    is_plain = is_plain and all(counts)
    return _Pixels(
        StoredLevel((height, width), level, (1, width) if is_plain else tile),
        offsets,
        counts,
        across,
        planes,
        coding_of(page),
        palette_of(page),
        strip_rows=tile[0] if is_plain else 0,
        is_large=not is_plain and tile[0] * tile[1] > LARGEST_SEGMENT,
    )


def _require_whole(path: Path, offsets: tuple[int, ...], counts: tuple[int, ...], wanted: int) -> None:
    size = path.stat().st_size
    end = max((offset + count for offset, count in zip(offsets, counts, strict=False)), default=0)
    if len(offsets) != wanted or len(counts) != wanted or end > size:
        listed = f"{wanted} pieces with {len(offsets)} places and {len(counts)} lengths listed"
        problem = f"is cut short: {listed}, {size:,} bytes there, {end:,} wanted"
        raise DataError(path, f"{problem}; copy it again from its source")
