"""Regions of an infinite plane on which a stored level lies, in steps that keep the memory bounded."""

from collections.abc import Callable, Iterator

import numpy as np

from monai_gi.slides.stores import Store

STEP_PIXELS = 1 << 23
"""Stored pixels read at once: 25 MB as RGB."""

_BLOCK_ROWS, _BLOCK_COLUMNS = 512, 4096


def halved(size: tuple[int, int], level: int) -> tuple[int, int]:
    """Size of a level.

    Args:
        size: (H, W) of the full image.
        level: 0 is the full image.

    Returns:
        (H, W), rounded up.

    Example:
        >>> halved((1001, 800), 3)
        (126, 100)
    """
    return -(-size[0] >> level), -(-size[1] >> level)


def steps(height: int, width: int, factor: int) -> Iterator[tuple[int, int]]:
    """Cut a region into bands that need a bounded number of stored pixels.

    Args:
        height: rows of the region.
        width: columns of the region.
        factor: stored pixels a pixel of the region, along each axis.

    Yields:
        tuple[int, int]: first row and number of rows.
    """
    rows = max(1, STEP_PIXELS // (width * factor * factor))
    for row in range(0, height, rows):
        yield row, min(rows, height - row)


def read_padded(
    store: Store,
    index: int,
    place: tuple[int, int, int, int],
    convert: Callable[[np.ndarray], np.ndarray],
    fill: int,
) -> np.ndarray:
    """Read a region that may lie outside the level.

    Args:
        store: an open file.
        index: of the level in `store.levels`.
        place: top, left, height, width in pixels of that level.
        convert: stored pixels (h, w, C) to what is wanted (h, w, ...), uint8.
        fill: value outside.

    Returns:
        (height, width, ...), uint8, to be written to at will.
    """
    top, left, height, width = place
    size = store.levels[index].size
    first_row, first_column = max(0, top), max(0, left)
    rows, columns = min(top + height, size[0]) - first_row, min(left + width, size[1]) - first_column
    if rows <= 0 or columns <= 0:
        shape = convert(np.zeros((1, 1, store.channels), dtype=np.uint8)).shape[2:]
        return np.full((height, width, *shape), fill, dtype=np.uint8)
    pixels = convert(store.read(index, first_row, first_column, rows, columns))
    if (rows, columns) == (height, width):
        return pixels
    region = np.full((height, width, *pixels.shape[2:]), fill, dtype=np.uint8)
    y, x = first_row - top, first_column - left
    region[y : y + rows, x : x + columns] = pixels
    return region


def paste(region: np.ndarray, tile: np.ndarray, y: int, x: int) -> None:
    """Copy the part of a tile that lies in a region.

    Args:
        region: (h, w, ...), written to.
        tile: (rows, columns, ...).
        y: the region's row at which the tile begins, may be negative.
        x: the region's column.
    """
    height, width = region.shape[:2]
    part = tile[max(0, -y) : height - y, max(0, -x) : width - x]
    region[max(0, y) : max(0, y) + part.shape[0], max(0, x) : max(0, x) + part.shape[1]] = part


def blocks(store: Store) -> Iterator[tuple[int, int, int, int]]:
    """Cut the full image into blocks of whole segments, so that each segment is decoded once.

    Args:
        store: an open file.

    Yields:
        tuple[int, int, int, int]: top, left, height, width; row by row.
    """
    (height, width), _, segment = store.levels[0]
    rows = _multiple(segment[0], _BLOCK_ROWS)
    columns = width if segment[1] >= width else _multiple(segment[1], _BLOCK_COLUMNS)
    for top in range(0, height, rows):
        for left in range(0, width, columns):
            yield top, left, min(rows, height - top), min(columns, width - left)


def _multiple(of: int, least: int) -> int:
    return of * max(1, -(-least // of))
