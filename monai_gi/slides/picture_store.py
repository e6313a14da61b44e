"""PNG, JPEG and such TIFF as can only be decoded whole: decoded at the first read, and kept in memory.

Label maps in palettes or indices stay one byte a pixel.
"""

import logging
import threading
from pathlib import Path

import numpy as np

from monai_gi.errors import DataError
from monai_gi.pictures import PictureHeader, opened, picture_header, read_rgb, require_readable
from monai_gi.slides.stores import StoredLevel

logger = logging.getLogger(__name__)

LARGE = 100_000_000
"""Pixels from which on a hint to tiled TIFF is logged: 0.3 GB as RGB."""

_BLOCK = 512
_ONE_CHANNEL = ("L", "P")


class PictureStore:
    """A picture that is decoded whole; forked processes share its pixels once they are there.

    Args:
        path: the file.
        header: of the picture.
        max_pixels: larger ones are refused.
        as_stored: keep one channel of indices as it is, do not turn it into colours.

    Attributes:
        kind: `png`, `jpeg` or `tiff`.
        levels: the full image alone.
        mpp: None.
        channels: 1 or 3.
        survives_fork: yes.

    Raises:
        DataError: the header shows that the picture can not be read, or is too large.
    """

    kind: str
    levels: tuple[StoredLevel, ...]
    mpp: tuple[float, float] | None = None
    channels: int
    survives_fork: bool = True

    def __init__(self, path: Path, header: PictureHeader, max_pixels: int, *, as_stored: bool = False) -> None:
        require_readable(path, header, max_pixels)
        self._path, self._max_pixels, self._as_stored = path, max_pixels, as_stored
        self.kind = header.format
        self.levels = (StoredLevel(header.size, 0, (_BLOCK, header.size[1])),)
        self.channels = 1 if as_stored else 3
        self._decoded: tuple[np.ndarray, np.ndarray | None] | None = None
        self._lock = threading.Lock()

    @property
    def palette(self) -> np.ndarray | None:
        """(256, 3), uint8, where the one channel holds indices into a palette."""
        return self._pixels()[1] if self._as_stored else None

    def read(self, index: int, top: int, left: int, height: int, width: int) -> np.ndarray:
        """Read a region that lies inside the picture.

        Args:
            index: 0.
            top: first row.
            left: first column.
            height: rows.
            width: columns.

        Returns:
            (height, width, 1 or 3), uint8, a view that is not to be written to.

        Raises:
            DataError: the picture is damaged, or its alpha channel hides something.
        """
        return self._pixels()[0][top : top + height, left : left + width]

    def close(self) -> None:
        """Let go of the pixels."""
        self._decoded = None

    def _pixels(self) -> tuple[np.ndarray, np.ndarray | None]:
        with self._lock:
            if self._decoded is None:
                self._decoded = self._decode()
            return self._decoded

    def _decode(self) -> tuple[np.ndarray, np.ndarray | None]:
        height, width = self.levels[0].size
        if height * width > LARGE:
            megapixels = height * width // 1_000_000
            logger.warning(
                "%s: %d megapixels decoded whole; of a tiled TIFF only the parts used", self._path, megapixels
            )
        if self._as_stored:
            return _indices(self._path)
        return read_rgb(self._path, max_pixels=self._max_pixels), None


def open_picture(path: Path, max_pixels: int) -> PictureStore:
    """Open a picture in colour.

    Args:
        path: PNG, JPEG or TIFF of 8 bits.
        max_pixels: larger ones are refused.

    Returns:
        It, not decoded yet.

    Raises:
        DataError: its header shows that it can not be read, or is too large.
    """
    return PictureStore(path, picture_header(path), max_pixels)


def open_label_picture(path: Path, max_pixels: int) -> PictureStore:
    """Open a label map: RGB pixels, or one channel of indices with its palette, if it has one.

    Args:
        path: PNG, JPEG or TIFF.
        max_pixels: larger ones are refused.

    Returns:
        It, not decoded yet.

    Raises:
        DataError: its header shows that it can not be read, or is too large; or it is a grey JPEG, whose values are no
            indices.
    """
    header = picture_header(path)
    as_stored = header.mode in _ONE_CHANNEL
    if as_stored and header.format == "jpeg":
        raise DataError(path, "grey values of a JPEG are no indices of classes; wanted PNG or TIFF, which keep them")
    return PictureStore(path, header, max_pixels, as_stored=as_stored)


def _indices(path: Path) -> tuple[np.ndarray, np.ndarray | None]:
    """Indices (H, W, 1) and the palette (256, 3); its transparency does not matter to classes."""
    with opened(path) as (image, _):
        pixels = np.asarray(image)[..., None]
        colors = np.frombuffer(bytes(image.getpalette() or ()), np.uint8).reshape(-1, 3)
    palette = np.zeros((256, 3), dtype=np.uint8)
    palette[: len(colors)] = colors
    return pixels, palette if len(colors) else None
