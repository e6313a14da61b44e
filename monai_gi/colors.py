"""Tables of RGB colours, 0 to 255, and their labels: a colour is one whole number, red * 65536 + green * 256 + blue."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

UNKNOWN = 255
"""Stands in lookups for colours out of the table; never the label of a class."""

_COLORS_NAMED = 5
_ALL_COLORS = 1 << 24


def checked_colors(colors: Sequence[Sequence[int]]) -> np.ndarray:
    """Check a table of colours.

    Args:
        colors: (red, green, blue) of each.

    Returns:
        (N, 3), int32.

    Raises:
        ValueError: the table is empty, holds a colour twice or something that is no RGB colour, or over 256 colours.
    """
    table = np.asarray(colors)
    is_table = table.ndim == 2 and table.shape[1] == 3 and 0 < len(table) <= 256 and table.dtype.kind in "iu"
    if not is_table or table.min() < 0 or table.max() > 255:
        raise ValueError(f"colors: {colors}, wanted 1 to 256 colours of three whole numbers 0 to 255")
    if len(np.unique(table, axis=0)) < len(table):
        raise ValueError(f"colors: {colors}, wanted every colour once")
    return table.astype(np.int32)


def color_codes(rgb: np.ndarray) -> np.ndarray:
    """Pack colours into whole numbers.

    Args:
        rgb: (..., 3), whole numbers 0 to 255 of any integer dtype.

    Returns:
        (...), int32.
    """
    codes = rgb[..., 0].astype(np.int32)
    for channel in (1, 2):
        codes <<= 8
        codes |= rgb[..., channel]
    return codes


def colors_of_codes(codes: np.ndarray) -> np.ndarray:
    """Unpack whole numbers into colours.

    Args:
        codes: (...), integers.

    Returns:
        (..., 3), of the same dtype.
    """
    return np.stack([codes >> 16, codes >> 8 & 255, codes & 255], axis=-1)


@lru_cache(maxsize=4)
def color_lookup(colors: tuple[tuple[int, int, int], ...], labels: tuple[int, ...], tolerance: int) -> np.ndarray:
    """The label of every colour there is, for images of many megapixels: `lookup[color_codes(rgb)]`.

    Args:
        colors: the table, every colour once.
        labels: of each colour, 0 to 254.
        tolerance: largest difference in a channel; of colours equally near the first is taken.

    Returns:
        (16777216,), uint8, `UNKNOWN` for colours out of the table; not to be written to. 16 MB, kept for the last
        few tables of a process.
    """
    lookup = np.full((256, 256, 256), UNKNOWN, dtype=np.uint8)
    taken = np.full((256, 256, 256) if tolerance else (0, 0, 0), tolerance + 1, dtype=np.int16)
    values = np.arange(256)
    for color, label in zip(colors, labels, strict=True):
        near = tuple(slice(max(0, value - tolerance), value + tolerance + 1) for value in color)
        if not tolerance:
            lookup[near] = label
            continue
        red, green, blue = (np.abs(values[part] - value) for part, value in zip(near, color, strict=True))
        distance = np.maximum(np.maximum(red[:, None, None], green[:, None]), blue)
        is_nearer = distance < taken[near]
        lookup[near][is_nearer] = label
        taken[near][is_nearer] = distance[is_nearer]
    lookup.flags.writeable = False
    return lookup.reshape(_ALL_COLORS)


def name_colors(codes: np.ndarray, counts: np.ndarray) -> str:
    """List colours with their pixels, the commonest first.

    Args:
        codes: (N,), different colours as whole numbers.
        counts: (N,), pixels of each.

    Returns:
        Such as `(1, 2, 3) 40 px, (9, 9, 9) 1 px and 4 more`.
    """
    commonest = np.argsort(-counts, kind="stable")[:_COLORS_NAMED]
    named = ", ".join(f"{tuple(colors_of_codes(codes[i]).tolist())} {counts[i]} px" for i in commonest)
    return named + (f" and {len(codes) - _COLORS_NAMED} more" if len(codes) > _COLORS_NAMED else "")


def name_unknown(codes: np.ndarray, counts: np.ndarray, size: int, total: int | None = None) -> str:
    """Say how many pixels have unknown colours, and which.

    Args:
        codes: (N,), different unknown colours, at least one.
        counts: (N,), pixels of each.
        size: pixels of the image.
        total: unknown pixels, where not all of their colours are given.

    Returns:
        One clause for a message.
    """
    unknown = int(counts.sum()) if total is None else total
    share = f"{unknown} of {size} pixels ({unknown / size:.2%})"
    return f"{share} have unknown colours: {name_colors(codes, counts)}"
