"""Slides of scanners' vendors (SVS, NDPI, MRXS, SCN, DICOM ...) through OpenSlide; what was not scanned is white.

OpenSlide wants places in pixels of the full image: a lower level whose factor is no whole number is read with a shift
of up to half a pixel of the full image. Source: https://openslide.org/api/python/
"""

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from monai_gi.errors import DataError
from monai_gi.slides.stores import StoredLevel, is_oversized, level_of
from monai_gi.slides.tiff_tags import plausible

CACHE_BYTES = 64 * 1024 * 1024
"""Of decoded tiles, shared by all open files."""

GENERIC = "generic-tiff"
_WHITE = 255


def vendor_of(path: Path) -> str | None:
    """Ask OpenSlide what a file is.

    Args:
        path: the file.

    Returns:
        Such as `aperio`; None where OpenSlide does not know it, or is not installed.
    """
    try:
        import openslide
    except (ImportError, OSError):  # the package, or the library that it calls
        return None
    return openslide.OpenSlide.detect_format(path)


class OpenSlideStore:
    """A file that OpenSlide reads.

    Args:
        path: the file.

    Attributes:
        kind: the vendor, as OpenSlide names it.
        levels: the full image first; only those that are halvings of it.
        mpp: (row, column), or None.
        channels: 3.
        palette: None.
        survives_fork: no.
        is_whole: no.

    Raises:
        DataError: OpenSlide refuses the file.
    """

    kind: str
    levels: tuple[StoredLevel, ...]
    mpp: tuple[float, float] | None
    channels: int = 3
    palette: np.ndarray | None = None
    survives_fork: bool = False
    is_whole: bool = False

    def __init__(self, path: Path) -> None:
        import openslide

        self._path, self._error = path, openslide.OpenSlideError
        try:
            self._slide = openslide.OpenSlide(path)
        except openslide.OpenSlideError as error:
            raise DataError(path, f"OpenSlide can not read it ({error}); copy it again from its source") from error
        self._slide.set_cache(_shared_cache())
        properties = self._slide.properties
        self.kind = properties.get(openslide.PROPERTY_NAME_VENDOR, "openslide")
        self.mpp = _mpp(properties)
        self._places, self.levels = _levels(self._slide)
        for level in self.levels:
            if is_oversized(level.segment, level.size):  # asked for such a tile, OpenSlide ends the process
                rows, columns = level.segment
                problem = f"tiles of {columns} x {rows} pixels in an image of {level.size[1]} x {level.size[0]}"
                raise DataError(path, f"{problem}; copy it again from its source")

    def read(self, index: int, top: int, left: int, height: int, width: int) -> np.ndarray:
        """Read a region that lies inside a level.

        Args:
            index: of the level in `levels`.
            top: first row.
            left: first column.
            height: rows.
            width: columns.

        Returns:
            (height, width, 3), uint8.

        Raises:
            DataError: the file is damaged there.
        """
        place = self._places[index]
        factor = self._slide.level_downsamples[place]
        corner = (round(left * factor), round(top * factor))
        try:
            pixels = np.asarray(self._slide.read_region(corner, place, (width, height)))
        except self._error as error:
            where = f"the region at row {top}, column {left} of level {self.levels[index].level}"
            problem = f"{where} can not be read ({error}); copy it again from its source"
            raise DataError(self._path, problem) from error
        return _on_white(pixels)

    def close(self) -> None:
        """Let go of the file."""
        self._slide.close()


@lru_cache(maxsize=1)
def _shared_cache() -> Any:
    import openslide

    return openslide.OpenSlideCache(CACHE_BYTES)


def _levels(slide: Any) -> tuple[list[int], tuple[StoredLevel, ...]]:
    """Places of the usable levels in the file, and the levels."""
    sizes = [(height, width) for width, height in slide.level_dimensions]
    found: dict[int, int] = {}
    for place, size in enumerate(sizes):
        level = level_of(size, sizes[0])
        if level is not None:
            found.setdefault(level, place)
    order = sorted(found)
    stored = tuple(StoredLevel(sizes[found[level]], level, _tile(slide, found[level])) for level in order)
    return [found[level] for level in order], stored


def _tile(slide: Any, place: int) -> tuple[int, int]:
    properties = slide.properties
    name = f"openslide.level[{place}].tile-"
    return int(properties.get(f"{name}height", 256)), int(properties.get(f"{name}width", 256))


def _mpp(properties: Any) -> tuple[float, float] | None:
    try:
        return plausible((float(properties["openslide.mpp-y"]), float(properties["openslide.mpp-x"])))
    except (KeyError, ValueError):
        return None


def _on_white(rgba: np.ndarray) -> np.ndarray:
    alpha = rgba[..., 3:]
    if alpha.min(initial=_WHITE) == _WHITE:
        return np.ascontiguousarray(rgba[..., :3])
    whole = alpha.astype(np.uint16)
    blended = rgba[..., :3] * whole + _WHITE * (_WHITE - whole) + _WHITE // 2
    return (blended // _WHITE).astype(np.uint8)
