"""Images of any size, read by region: level k is the full image scaled down by 2**k, whatever levels the file stores.

Places are (top, left) in pixels of the level, rows down, columns to the right. The slide lies on an infinite white
plane: what is asked for outside is white. Pixels are (rows, columns, RGB), uint8.
"""

import uuid
from functools import partial
from pathlib import Path
from types import TracebackType

import numpy as np
from PIL import Image

from monai_gi.pictures import DEFAULT_MAX_PIXELS
from monai_gi.slides.opening import Handle, Opener, open_image
from monai_gi.slides.regions import halved, paste, read_padded, steps
from monai_gi.slides.segment_cache import averages_cache
from monai_gi.slides.stores import StoredLevel, as_rgb, nearest_finer

WHITE = 255
TILE = 128
"""Pixels of a level that a file lacks, averaged and kept together."""
KEPT_PIXELS = 1 << 20
"""Larger regions, such as whole levels, are averaged without keeping anything."""


class Slide:
    """An image of which regions are read; it may be pickled, and used by forked processes.

    Args:
        path: the file.
        max_pixels: budget of pictures that have to be decoded whole (PNG, JPEG, TIFF in one piece); tiled files have
            no limit.
        opener: opens the file.

    Attributes:
        path: the file.
        size: (H, W) of the full image.
        mpp: micrometres a pixel of the full image (row, column), None where the file does not tell.
        stored_levels: what the file holds, the full image first.
        kind: `tiff`, `png`, `jpeg`, or a vendor's name as OpenSlide knows it.
        is_whole: the file is unpacked whole into a temporary file.

    Raises:
        DataError: the file is missing, damaged, of an unknown kind or over the budget.
    """

    path: Path
    size: tuple[int, int]
    mpp: tuple[float, float] | None
    stored_levels: tuple[StoredLevel, ...]
    kind: str
    is_whole: bool

    def __init__(self, path: str | Path, *, max_pixels: int = DEFAULT_MAX_PIXELS, opener: Opener = open_image) -> None:
        self._handle = Handle(path, opener, max_pixels)
        store = self._handle.store
        self._key = uuid.uuid4().hex
        self.path = Path(path)
        self.size = store.levels[0].size
        self.mpp = store.mpp
        self.stored_levels = store.levels
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
            level: 0 is the full image. Levels that the file lacks are box averages of the nearest finer one.
            top: first row, in pixels of the level; may lie outside, as all of the region may.
            left: first column.
            height: rows.
            width: columns.

        Returns:
            (height, width, 3), uint8, to be written to at will.

        Raises:
            DataError: the file is damaged there.
            ValueError: the level is negative, or the region empty.
        """
        if level < 0 or height < 1 or width < 1:
            raise ValueError(f"level {level}, {height} x {width} pixels (H x W); wanted level 0 or more, and pixels")
        store = self._handle.store
        index = nearest_finer(store.levels, level)
        stored = store.levels[index]
        is_in_tiles = stored.segment[1] < stored.size[1]
        if level > stored.level and is_in_tiles and height * width <= KEPT_PIXELS:
            return self._from_averages(level, top, left, height, width)
        return self._averaged(level, top, left, height, width)

    def _from_averages(self, level: int, top: int, left: int, height: int, width: int) -> np.ndarray:
        """A region of tiles that are averaged once and kept, for patches that overlap."""
        region = np.empty((height, width, 3), dtype=np.uint8)
        for row in range(top // TILE, -(-(top + height) // TILE)):
            for column in range(left // TILE, -(-(left + width) // TILE)):
                place = (level, row * TILE, column * TILE, TILE, TILE)
                tile = averages_cache().get((self._key, *place), partial(self._averaged, *place))
                paste(region, tile, place[1] - top, place[2] - left)
        return region

    def _averaged(self, level: int, top: int, left: int, height: int, width: int) -> np.ndarray:
        """A region straight from the file."""
        store = self._handle.store
        index = nearest_finer(store.levels, level)
        factor = 1 << (level - store.levels[index].level)
        region = np.empty((height, width, 3), dtype=np.uint8)
        for row, rows in steps(height, width, factor):
            place = ((top + row) * factor, left * factor, rows * factor, width * factor)
            pixels = read_padded(store, index, place, lambda stored: as_rgb(stored, store.palette), WHITE)
            region[row : row + rows] = pixels if factor == 1 else np.asarray(Image.fromarray(pixels).reduce(factor))
        return region

    def thumbnail(self, longest: int = 1024) -> np.ndarray:
        """The whole slide in small.

        Args:
            longest: its longer side in pixels; a smaller slide stays as it is.

        Returns:
            (h, w, 3), uint8.
        """
        level = max(0, (max(self.size) // longest).bit_length() - 1)
        height, width = self.level_size(level)
        pixels = self.read(level, 0, 0, height, width)
        if max(height, width) <= longest:
            return pixels
        scale = longest / max(height, width)
        small = (max(1, round(width * scale)), max(1, round(height * scale)))
        return np.asarray(Image.fromarray(pixels).resize(small, Image.Resampling.BOX))

    def close(self) -> None:
        """Let go of the file; the next read opens it again."""
        self._handle.close()
        averages_cache().forget(self._key)

    def __enter__(self) -> "Slide":
        """The slide itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go of the file."""
        self.close()


def open_slide(path: str | Path, *, max_pixels: int = DEFAULT_MAX_PIXELS) -> Slide:
    """Open a slide: tiled, striped or pyramidal TIFF, SVS and what else OpenSlide reads, PNG, JPEG.

    Args:
        path: the file; its content tells its kind, not its name.
        max_pixels: budget of pictures that have to be decoded whole; tiled files have no limit.

    Returns:
        The slide.

    Raises:
        DataError: the file is missing, damaged, of an unknown kind or over the budget.
    """
    return Slide(path, max_pixels=max_pixels)
