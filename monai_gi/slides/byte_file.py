"""An open file of which threads and forked processes read any part at once; also one without a name, for pixels."""

import os
import tempfile
import threading
import weakref
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from monai_gi.errors import DataError


class ByteFile:
    """Bytes by their place.

    Args:
        path: of the file, for errors.
        descriptor: of the open file, closed with this object.
    """

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path, self._descriptor, self._lock = path, descriptor, threading.Lock()
        self._close = weakref.finalize(self, os.close, descriptor)

    def read(self, offset: int, count: int) -> bytes:
        """Read a part.

        Args:
            offset: of its first byte.
            count: of bytes.

        Returns:
            They.

        Raises:
            DataError: the file ends before.
        """
        if hasattr(os, "pread"):
            data = os.pread(self._descriptor, count, offset)
        else:
            with self._lock:  # Windows
                os.lseek(self._descriptor, offset, os.SEEK_SET)
                data = os.read(self._descriptor, count)
        if len(data) < count:
            raise DataError(self._path, "has become shorter since it was opened; is it still being copied?")
        return data

    def read_lines(self, offsets: Iterable[int], count: int) -> np.ndarray:
        """Read parts of one length.

        Args:
            offsets: of their first bytes.
            count: bytes of each.

        Returns:
            (parts, count), uint8.

        Raises:
            DataError: the file ends before.
        """
        parts = [self.read(offset, count) for offset in offsets]
        return np.frombuffer(bytearray().join(parts), np.uint8).reshape(len(parts), count)

    def write(self, offset: int, content: memoryview) -> None:
        """Write a part.

        Args:
            offset: of its first byte.
            content: bytes.
        """
        with self._lock:
            os.lseek(self._descriptor, offset, os.SEEK_SET)
            while content:
                content = content[os.write(self._descriptor, content) :]

    def close(self) -> None:
        """Let go of the file."""
        self._close()


class UnpackedPixels:
    """Pixels (H, W, C), uint8, in a temporary file, read by region: the memory need not hold them.

    Args:
        path: of the picture that they come from, for errors.
        size: (H, W).
        channels: C.
    """

    def __init__(self, path: Path, size: tuple[int, int], channels: int) -> None:
        self._path, self._size, self._channels = path, size, channels
        try:
            with tempfile.TemporaryFile(prefix="monai_gi_") as file:
                self._file = ByteFile(path, os.dup(file.fileno()))
        except OSError as error:
            raise self._fault(error) from error

    def write(self, top: int, left: int, pixels: np.ndarray) -> None:
        """Write a region; the same one once, and all of them before any is read.

        Args:
            top: its first row.
            left: its first column.
            pixels: (h, w, C), uint8, inside the picture.

        Raises:
            DataError: the disk is full.
        """
        rows = np.ascontiguousarray(pixels)
        if rows.shape[1] == self._size[1]:
            rows = rows[None]
        try:
            for line, offset in zip(rows, self._offsets(top, left, len(rows)), strict=True):
                self._file.write(offset, memoryview(line).cast("B"))
        except OSError as error:
            raise self._fault(error) from error

    def read(self, top: int, left: int, height: int, width: int) -> np.ndarray:
        """Read a region that lies inside the picture.

        Args:
            top: first row.
            left: first column.
            height: rows.
            width: columns.

        Returns:
            (height, width, C), uint8.
        """
        lines = self._file.read_lines(self._offsets(top, left, height), width * self._channels)
        return lines.reshape(height, width, self._channels)

    def close(self) -> None:
        """Let go of the pixels."""
        self._file.close()

    def _offsets(self, top: int, left: int, height: int) -> Iterable[int]:
        line = self._size[1] * self._channels
        first = top * line + left * self._channels
        return range(first, first + height * line, line)

    def _fault(self, error: OSError) -> DataError:
        wanted = self._size[0] * self._size[1] * self._channels / 1e9
        problem = f"{tempfile.gettempdir()} has no room for its {wanted:.1f} GB of pixels ({error.strerror})"
        return DataError(self._path, f"{problem}; set TMPDIR to a larger disk, or convert the picture to tiled TIFF")
