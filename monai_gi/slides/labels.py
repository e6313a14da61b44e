"""Label maps of slides, read by region: RGB colour maps, palette images and index images become class indices, uint8.

Level k takes the pixel at the centre of each 2**k square of the full image, at the image's edge the last one inside.
Stored lower levels are used for index images only: those of colour maps are often averages, whose mixed colours no
table knows.
"""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np

from monai_gi.colors import UNKNOWN, color_codes
from monai_gi.errors import DataError
from monai_gi.pictures import DEFAULT_MAX_PIXELS
from monai_gi.slides.color_table import ColorTable
from monai_gi.slides.opening import Handle, first_bytes, is_tiff
from monai_gi.slides.openslide_store import GENERIC, vendor_of
from monai_gi.slides.picture_store import open_label_picture
from monai_gi.slides.regions import blocks, halved, read_padded, steps
from monai_gi.slides.stores import Store, nearest_finer
from monai_gi.slides.tiff_store import TiffStore

BACKGROUND = 0


class LabelSlide:
    """A label map of which regions are read; it may be pickled, and used by forked processes.

    Args:
        path: the file: an RGB colour map, a palette image (looked up by colour), or a grey index image.
        table: colours and indices of the classes.
        max_pixels: budget of what has to be decoded whole.

    Attributes:
        path: the file.
        table: as given.
        size: (H, W) of the full image.
        kind: `tiff`, `png` or `jpeg`.
        is_whole: the file is unpacked whole into a temporary file.

    Raises:
        DataError: the file is missing, damaged, of an unknown kind or over the budget.
    """

    path: Path
    table: ColorTable
    size: tuple[int, int]
    kind: str
    is_whole: bool

    def __init__(self, path: str | Path, table: ColorTable, *, max_pixels: int = DEFAULT_MAX_PIXELS) -> None:
        self._handle = Handle(path, partial(open_label_store, table=table), max_pixels)
        store = self._handle.store
        self.path, self.table = Path(path), table
        self.size = store.levels[0].size
        self.kind, self.is_whole = store.kind, store.is_whole

    def level_size(self, level: int) -> tuple[int, int]:
        """Size of a level, stored or not.

        Args:
            level: 0 is the full image.

        Returns:
            (H, W), rounded up.
        """
        return halved(self.size, level)

    def read(self, level: int, top: int, left: int, height: int, width: int) -> np.ndarray:
        """Read a region.

        Args:
            level: 0 is the full image.
            top: first row, in pixels of the level; may lie outside, as all of the region may.
            left: first column.
            height: rows.
            width: columns.

        Returns:
            (height, width), uint8, indices of classes; 0 outside, `table.unknown` where the colour is unknown.

        Raises:
            DataError: the file is damaged there.
            ValueError: the level is negative, or the region empty.
        """
        if level < 0 or height < 1 or width < 1:
            raise ValueError(f"level {level}, {height} x {width} pixels (H x W); wanted level 0 or more, and pixels")
        store = self._handle.store
        to_indices = self._converter(store)
        index = nearest_finer(store.levels, level) if store.channels == 1 else 0
        factor = 1 << (level - store.levels[index].level)
        size = store.levels[index].size
        columns = _middles(left, width, factor, size[1])
        region = np.empty((height, width), dtype=np.uint8)
        for row, rows in steps(height, width, factor):
            place = ((top + row) * factor, left * factor, rows * factor, width * factor)
            labels = read_padded(store, index, place, to_indices, BACKGROUND)
            region[row : row + rows] = labels[_middles(top + row, rows, factor, size[0])][:, columns]
        region[region == UNKNOWN] = self.table.unknown
        return region

    def blocks(self) -> Iterator[tuple[int, int, np.ndarray, np.ndarray]]:
        """Go through the full image once, in bounded memory.

        Yields:
            tuple[int, int, np.ndarray, np.ndarray]: top, left, indices (h, w) uint8 with 255 where unknown, and the
                codes (N,) int32 of the unknown colours, pixel by pixel.
        """
        store = self._handle.store
        to_indices = self._converter(store)
        for top, left, height, width in blocks(store):
            stored = store.read(0, top, left, height, width)
            labels = to_indices(stored)
            is_unknown = labels == UNKNOWN
            yield top, left, labels, _codes(stored[is_unknown], store.palette)

    def close(self) -> None:
        """Let go of the file; the next read opens it again."""
        self._handle.close()

    def _converter(self, store: Store) -> Callable[[np.ndarray], np.ndarray]:
        if store.channels == 3:
            lookup = self.table.lookup()
            return lambda stored: lookup[color_codes(stored)]
        values = self.table.index_lookup() if store.palette is None else self.table.palette_lookup(store.palette)
        return lambda stored: values[stored[..., 0]]


def _middles(first: int, count: int, factor: int, size: int) -> np.ndarray:
    """The pixel in the middle of every square along one axis, counted from the first one's edge.

    Args:
        first: number of the first square.
        count: squares.
        factor: pixels of a square.
        size: pixels of the image; of a square that reaches beyond, the last one inside is taken at most.

    Returns:
        (count,).
    """
    edges = (first + np.arange(count)) * factor
    return edges - first * factor + np.clip(size - 1 - edges, 0, factor // 2)


def open_label(path: str | Path, table: ColorTable, *, max_pixels: int = DEFAULT_MAX_PIXELS) -> LabelSlide:
    """Open a label map of any size.

    Args:
        path: an RGB colour map, a palette image or an index image, as TIFF, PNG or (colour maps) JPEG.
        table: colours and indices of the classes.
        max_pixels: budget of what has to be decoded whole; tiled TIFF has no limit.

    Returns:
        The label map.

    Raises:
        DataError: the file is missing, damaged, of an unknown kind or over the budget.
    """
    return LabelSlide(path, table, max_pixels=max_pixels)


def open_label_store(path: Path, max_pixels: int, table: ColorTable | None = None) -> Store:
    """Open the file of a label map with its values as they are stored.

    Args:
        path: the file.
        max_pixels: budget of what has to be decoded whole.
        table: tells what stands where the file leaves tiles out: the background. None where no pixel is read.

    Returns:
        The open file.

    Raises:
        DataError: the file is missing, damaged, of an unknown kind or over the budget.
    """
    if is_tiff(first_bytes(path)):
        store = TiffStore(path, max_pixels)
        if table is not None:
            store.fill = table.background_value(store.channels, store.palette)
        return store
    if vendor_of(path) not in (None, GENERIC):
        raise DataError(path, "is a scanner's slide, a label map is wanted: TIFF, PNG or JPEG of the classes' colours")
    return open_label_picture(path, max_pixels)


def _codes(stored: np.ndarray, palette: np.ndarray | None) -> np.ndarray:
    """Colours (N,) of stored pixels (N, 1 or 3); an index image's values as grey."""
    if stored.shape[1] == 3:
        return color_codes(stored)
    return color_codes(palette[stored[:, 0]] if palette is not None else np.repeat(stored, 3, axis=1))
