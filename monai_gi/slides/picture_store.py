"""PNG and JPEG: decoded at the first read, whole, into a temporary file.

Label maps in palettes or indices stay one byte a pixel.
"""

import logging
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from monai_gi.errors import DataError
from monai_gi.pictures import PictureHeader, index_bands, picture_header, require_readable, rgb_bands
from monai_gi.slides.byte_file import UnpackedPixels
from monai_gi.slides.stores import StoredLevel

logger = logging.getLogger(__name__)

LARGE = 100_000_000
"""Pixels from which on a hint to tiled TIFF is logged: 0.3 GB as RGB."""

_BLOCK = 512
_ONE_CHANNEL = ("L", "P")


class PictureStore:
    """A picture that is unpacked whole; forked processes share its pixels once they are there.

    Args:
        path: the file.
        header: of the picture.
        max_pixels: larger ones are refused.
        as_stored: keep one channel of indices as it is, do not turn it into colours.

    Attributes:
        kind: `png` or `jpeg`.
        levels: the full image alone.
        mpp: None.
        channels: 1 or 3.
        survives_fork: yes.
        is_whole: yes.

    Raises:
        DataError: the header shows that the picture can not be read, or is too large.
    """

    kind: str
    levels: tuple[StoredLevel, ...]
    mpp: tuple[float, float] | None = None
    channels: int
    survives_fork: bool = True
    is_whole: bool = True

    def __init__(self, path: Path, header: PictureHeader, max_pixels: int, *, as_stored: bool = False) -> None:
        require_readable(path, header, max_pixels)
        self._path, self._max_pixels, self._as_stored = path, max_pixels, as_stored
        self.kind = header.format
        self.levels = (StoredLevel(header.size, 0, (_BLOCK, _BLOCK)),)
        self.channels = 1 if as_stored else 3
        self._unpacked: UnpackedPixels | None = None
        self._palette: np.ndarray | None = None
        self._lock = threading.Lock()

    @property
    def palette(self) -> np.ndarray | None:
        """(256, 3), uint8, where the one channel holds indices into a palette."""
        self._pixels()
        return self._palette

    def read(self, index: int, top: int, left: int, height: int, width: int) -> np.ndarray:
        """Read a region that lies inside the picture.

        Args:
            index: 0.
            top: first row.
            left: first column.
            height: rows.
            width: columns.

        Returns:
            (height, width, 1 or 3), uint8.

        Raises:
            DataError: the picture is damaged, or its alpha channel hides something.
        """
        return self._pixels().read(top, left, height, width)

    def close(self) -> None:
        """Let go of the pixels."""
        self._unpacked = None

    def _pixels(self) -> UnpackedPixels:
        with self._lock:
            if self._unpacked is None:
                self._unpacked = self._unpack()
            return self._unpacked

    def _unpack(self) -> UnpackedPixels:
        size = self.levels[0].size
        tell_large(self._path, size, "with 4 bytes of memory a pixel, " if self.kind == "jpeg" else "")
        pixels, top = UnpackedPixels(self._path, size, self.channels), 0
        for band in self._bands():
            pixels.write(top, 0, band)
            top += len(band)
        return pixels

    def _bands(self) -> Iterator[np.ndarray]:
        if not self._as_stored:
            yield from rgb_bands(self._path, max_pixels=self._max_pixels)
            return
        for band, palette in index_bands(self._path):
            self._palette = palette
            yield band


def tell_large(path: Path, size: tuple[int, int], how: str = "") -> None:
    """Log that a picture is large, and what would serve better.

    Args:
        path: of the picture.
        size: (H, W) of it.
        how: it is unpacked.
    """
    if size[0] * size[1] > LARGE:
        megapixels = size[0] * size[1] // 1_000_000
        folder = tempfile.gettempdir()
        hint = "of a tiled TIFF only the parts used are read"
        logger.warning("%s: %d megapixels are unpacked whole %sinto %s; %s", path, megapixels, how, folder, hint)


def open_picture(path: Path, max_pixels: int) -> PictureStore:
    """Open a picture in colour.

    Args:
        path: PNG or JPEG of 8 bits.
        max_pixels: larger ones are refused.

    Returns:
        It, not unpacked yet.

    Raises:
        DataError: its header shows that it can not be read, or is too large.
    """
    return PictureStore(path, picture_header(path), max_pixels)


def open_label_picture(path: Path, max_pixels: int) -> PictureStore:
    """Open a label map: RGB pixels, or one channel of indices with its palette, if it has one.

    Args:
        path: PNG or JPEG.
        max_pixels: larger ones are refused.

    Returns:
        It, not unpacked yet.

    Raises:
        DataError: its header shows that it can not be read, or is too large; or it is a grey JPEG, whose values are no
            indices.
    """
    header = picture_header(path)
    as_stored = header.mode in _ONE_CHANNEL
    if as_stored and header.format == "jpeg":
        raise DataError(path, "grey values of a JPEG are no indices of classes; wanted PNG or TIFF, which keep them")
    return PictureStore(path, header, max_pixels, as_stored=as_stored)
