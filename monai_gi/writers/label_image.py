"""A tiled, pyramidal, deflate-compressed TIFF of one byte a pixel, written band by band; a job that stopped goes on.

While it grows it stands beside its name as `name.part`, with `name.journal` saying which rows of tiles are on disk;
both go when the image is whole. Rows go down, columns right. BigTIFF, little-endian, one directory a level in the
main chain, the coarser ones marked as reductions, which OpenSlide, QuPath and tifffile read as a pyramid.
Source: TIFF 6.0, sections 2, 5, 15 (https://www.itu.int/itudoc/itu-t/com16/tiff-fx/docs/tiff6.pdf);
https://libtiff.gitlab.io/libtiff/specification/bigtiff.html
"""

import hashlib
import json
import os
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np

from monai_gi.atomic_file import part_of
from monai_gi.errors import DataError
from monai_gi.pyramids import halve, level_sizes
from monai_gi.tiff_directories import BIG_HEADER
from monai_gi.writers.tiff_directory import ImagePage, first_page, read_description, write_directories

TILE_PX = 256
_LEVEL_OF_DEFLATE = 6
_MOST_WAITING = 2

Tiles = list[tuple[int, int]]


class LabelImageWriter:
    """Takes rows from the top and writes them as tiles, in a thread of its own.

    As a context manager it closes its files, also after an error: what is on disk then waits to be gone on with.

    Args:
        path: the image; it appears when `finish` is done.
        size: (H, W).
        key: what the image depends on, in any words; another writer goes on only where it is the same.
        colors: (N, 3) uint8 RGB of the labels, for viewers; None writes grey values, whose pyramid is averaged.
        mpp: (row, column) micrometres a pixel; None where it is not known.
        description: kept in the file.

    Attributes:
        rows_done: rows that are on disk already; the next ones are wanted.
    """

    rows_done: int

    def __init__(
        self,
        path: str | Path,
        size: Sequence[int],
        key: str,
        *,
        colors: Sequence[Sequence[int]] | None = None,
        mpp: Sequence[float] | None = None,
        description: str = "",
    ) -> None:
        self.path = Path(path)
        self.page = ImagePage((size[0], size[1]), TILE_PX, [])
        self.colors, self.mpp, self.description = colors, mpp, description + _key_line(key)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.start = {"key": key, "size": list(size), "tile_px": TILE_PX}
        self.file, self.journal = self._opened()
        self.rows_done = min(self.page.rows_of_tiles * TILE_PX, size[0])
        self._room = np.zeros((TILE_PX, size[1]), dtype=np.uint8)
        self._filled = 0
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="label-image")
        self._waiting: list[Future[None]] = []

    def write(self, rows: np.ndarray) -> None:
        """Take the next rows.

        Args:
            rows: (n, W), uint8.

        Raises:
            ValueError: rows of another width or type, or more than the image has.
            OSError: the disk refuses.
        """
        height, width = self.page.size
        room = height - self.rows_done
        if rows.dtype != np.uint8 or rows.ndim != 2 or rows.shape[1] != width or len(rows) > room:
            raise ValueError(f"rows: {rows.dtype} of shape {rows.shape}, wanted uint8 (at most {room}, {width})")
        taken = 0
        while taken < len(rows):
            part = rows[taken : taken + TILE_PX - self._filled]
            self._room[self._filled : self._filled + len(part)] = part
            self._filled += len(part)
            self.rows_done += len(part)
            taken += len(part)
            if self._filled == TILE_PX or self.rows_done == height:
                self._send()

    def finish(self) -> Path:
        """Add the pyramid and give the file its name.

        Returns:
            The path.

        Raises:
            ValueError: rows are missing.
            OSError: the disk refuses.
        """
        if self.rows_done < self.page.size[0]:
            raise ValueError(f"finish: {self.rows_done} rows came, wanted {self.page.size[0]}")
        self._wait(0)
        pages = [self.page]
        for size in level_sizes(self.page.size)[1:]:
            pages.append(self._reduced(pages[-1], size))
        write_directories(self.file, pages, colors=self.colors, mpp=self.mpp, description=self.description)
        self._sync()
        self.close()
        part_of(self.path).replace(self.path)
        _journal_of(self.path).unlink(missing_ok=True)
        return self.path

    def close(self) -> None:
        """Close the files; what is on disk stays."""
        self._pool.shutdown(cancel_futures=True)
        self.file.close()
        self.journal.close()

    def __enter__(self) -> "LabelImageWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _opened(self) -> tuple[BinaryIO, BinaryIO]:
        """The part and its journal, behind the last row of tiles that both of them know; else both new."""
        part, journal = part_of(self.path), _journal_of(self.path)
        end = len(BIG_HEADER)
        lines = _complete_lines(journal)
        is_ours = bool(lines) and part.is_file() and lines[0] == self.start
        for line in lines[1:] if is_ours else ():
            if line["end"] <= part.stat().st_size:
                self.page.tiles += [(offset, length) for offset, length in line["tiles"]]
                end = line["end"]
        if not self.page.tiles:
            part.write_bytes(BIG_HEADER)
            journal.write_text(json.dumps(self.start) + "\n")
        else:
            kept = [self.start, *(line for line in lines[1:] if line["end"] <= end)]
            journal.write_text("".join(json.dumps(line) + "\n" for line in kept))
        file = part.open("r+b")
        file.truncate(end)
        file.seek(end)
        return file, journal.open("ab")

    def _send(self) -> None:
        """Have the room written; the next rows get a new one."""
        rows, self._room = self._room[: self._filled], np.zeros_like(self._room)
        self._filled = 0
        self._wait(_MOST_WAITING - 1)
        self._waiting.append(self._pool.submit(self._write_tiles, rows))

    def _wait(self, most: int) -> None:
        while len(self._waiting) > most:
            self._waiting.pop(0).result()

    def _write_tiles(self, rows: np.ndarray) -> None:
        tiles = self._append(rows)
        self._sync()
        self.page.tiles += tiles
        self.journal.write(json.dumps({"end": self.file.tell(), "tiles": tiles}).encode() + b"\n")
        self.journal.flush()

    def _append(self, rows: np.ndarray) -> Tiles:
        """Write one row of tiles at the end of the file; rows may be fewer than a tile has."""
        columns = -(-rows.shape[1] // TILE_PX)
        padded = np.pad(rows, ((0, TILE_PX - len(rows)), (0, columns * TILE_PX - rows.shape[1])))
        tiles = []
        for column in range(columns):
            tile = np.ascontiguousarray(padded[:, column * TILE_PX : (column + 1) * TILE_PX])
            data = zlib.compress(tile.data, _LEVEL_OF_DEFLATE)
            tiles.append((self.file.tell(), len(data)))
            self.file.write(data)
        return tiles

    def _reduced(self, page: ImagePage, size: tuple[int, int]) -> ImagePage:
        """Write the next coarser level, of this size, a row of tiles at a time."""
        coarse = ImagePage(size, TILE_PX, [])
        halves = (self._halved(rows) for rows in read_rows(self.file, page))
        for upper in halves:
            lower = next(halves, upper[:0])
            self.file.seek(0, os.SEEK_END)
            coarse.tiles += self._append(np.concatenate([upper, lower]))
        return coarse

    def _halved(self, rows: np.ndarray) -> np.ndarray:
        """Labels: every other pixel; grey values: means."""
        return halve(rows) if self.colors is None else rows[::2, ::2]

    def _sync(self) -> None:
        self.file.flush()
        os.fsync(self.file.fileno())


def read_rows(file: BinaryIO, page: ImagePage) -> Iterator[np.ndarray]:
    """Read an image one row of tiles at a time.

    Args:
        file: the open image; it may be moved between two reads.
        page: its level.

    Yields:
        np.ndarray: (up to TILE_PX, W), uint8, from the top.
    """
    height, width = page.size
    columns, tile_px = -(-width // page.tile_px), page.tile_px
    for row in range(page.rows_of_tiles):
        rows = np.empty((tile_px, columns * tile_px), dtype=np.uint8)
        for column, (offset, length) in enumerate(page.tiles[row * columns : (row + 1) * columns]):
            file.seek(offset)
            tile = np.frombuffer(zlib.decompress(file.read(length)), dtype=np.uint8).reshape(tile_px, tile_px)
            rows[:, column * tile_px : (column + 1) * tile_px] = tile
        yield rows[: min(tile_px, height - row * tile_px), :width]


def label_rows(path: str | Path) -> Iterator[np.ndarray]:
    """Read a whole image of this package one row of tiles at a time.

    Args:
        path: of the image.

    Yields:
        np.ndarray: (up to TILE_PX, W), uint8, from the top.

    Raises:
        DataError: it is no such image.
    """
    page = first_page(path)
    with Path(path).open("rb") as file:
        yield from read_rows(file, page)


def is_whole(path: str | Path, key: str) -> bool:
    """Whether an image is finished and was made with the same key.

    Args:
        path: of the image; it need not exist.
        key: as for the writer.

    Returns:
        True where nothing is left to do.

    Raises:
        DataError: another image lies there.
    """
    return Path(path).is_file() and read_description(path).endswith(_key_line(key))


def forget(path: str | Path) -> None:
    """Remove an image and what a stopped job left of it.

    Args:
        path: of the image; it need not exist.
    """
    for one in (Path(path), part_of(path), _journal_of(Path(path))):
        one.unlink(missing_ok=True)


def _key_line(key: str) -> str:
    return f"\nkey {hashlib.sha256(key.encode()).hexdigest()}"


def _journal_of(path: Path) -> Path:
    return path.with_name(path.name + ".journal")


def _complete_lines(journal: Path) -> list[dict[str, Any]]:
    """What a journal says; a line that was not written to its end is left out."""
    if not journal.is_file():
        return []
    lines = []
    for line in journal.read_bytes().split(b"\n")[:-1]:
        try:
            lines.append(json.loads(line))
        except ValueError as error:  # noqa: PERF203 (some hundred lines)
            raise DataError(journal, f"can not be read ({error}). Remove it, and the image is made anew") from error
    return lines
