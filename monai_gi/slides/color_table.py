"""The table of a data set's colour maps: colour, name and index of each class, and how strict to be; `colors.yaml`.

    tolerance: 0              # a colour counts when no channel differs by more
    max_unknown_share: 0.0    # of an image's pixels, 0 to 1; more of them is an error
    unknown: 0                # index of pixels whose colour is unknown
    classes:
      - {name: background, index: 0, rgb: [0, 0, 0]}
      - {name: glomerulus, index: 1, rgb: [255, 0, 0]}

Several colours may stand for one class (same name and index). Index 0 is the background; 255 is never a class.
"""

import logging
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from monai_gi.colors import UNKNOWN, checked_colors, color_codes, color_lookup, name_unknown
from monai_gi.errors import DataError, DataErrors

logger = logging.getLogger(__name__)

_OPTIONS: dict[str, Any] = {"tolerance": 0, "max_unknown_share": 0.0, "unknown": 0}
_CLASS_KEYS = {"name", "index", "rgb"}


class ColorTable(NamedTuple):
    """Colours of classes, one row a colour.

    Attributes:
        names: of each row's class.
        indices: in label maps, 0 (background) to 254, of each row.
        rgb: colour of each row, 0 to 255.
        tolerance: largest difference in a channel at which a colour is still known.
        max_unknown_share: of an image's pixels, 0 to 1; more unknown ones are an error.
        unknown: index that unknown pixels get.
    """

    names: tuple[str, ...]
    indices: tuple[int, ...]
    rgb: tuple[tuple[int, int, int], ...]
    tolerance: int = 0
    max_unknown_share: float = 0.0
    unknown: int = 0

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names by index, 0 to the largest; an index that no row has is named `class N`."""
        by_index = dict(zip(self.indices, self.names, strict=True))
        return tuple(by_index.get(index, f"class {index}") for index in range(max(self.indices) + 1))

    def to_json(self) -> dict[str, Any]:
        """What stands in colors.yaml and, as `colors`, in datalists."""
        rows = zip(self.names, self.indices, self.rgb, strict=True)
        classes = [{"name": name, "index": index, "rgb": list(rgb)} for name, index, rgb in rows]
        return {**{key: getattr(self, key) for key in _OPTIONS}, "classes": classes}

    def lookup(self) -> np.ndarray:
        """The index of every colour, (16777216,) uint8, by `monai_gi.colors.color_codes`; 255 is unknown."""
        return color_lookup(self.rgb, self.indices, self.tolerance)

    def index_lookup(self) -> np.ndarray:
        """The index of every value of a grey image, (256,) uint8; 255 is unknown.

        A value is an index where the table has it, else exactly a grey of the table, as in masks of black and white.
        """
        known = color_lookup(self.rgb, self.indices, 0)[np.arange(256) * 0x010101]
        known[list(self.indices)] = self.indices
        return known

    def require_known(
        self, where: str | Path, codes: np.ndarray, counts: np.ndarray, size: int, total: int | None = None
    ) -> None:
        """Refuse an image with too many unknown colours; fewer are logged.

        Args:
            where: named in the error.
            codes: (N,), its different unknown colours as whole numbers, at least one.
            counts: (N,), pixels of each.
            size: pixels of the image.
            total: unknown pixels, where not all of their colours are given.

        Raises:
            DataError: their share is above `max_unknown_share`.
        """
        problem = name_unknown(codes, counts, size, total)
        if (int(counts.sum()) if total is None else total) > self.max_unknown_share * size:
            repair = "Add them to the table of colours, or raise its tolerance or max_unknown_share"
            raise DataError(where, f"{problem}. {repair}")
        logger.warning("%s: %s; taken as class %d", where, problem, self.unknown)

    def background_value(self, channels: int, palette: np.ndarray | None) -> int | tuple[int, ...]:
        """How a label map stores the background, index 0.

        Args:
            channels: 3 of a colour map, 1 of a palette or index image.
            palette: (256, 3), uint8, of a palette image.

        Returns:
            A colour, or a value; 0 where a palette has no colour of the background.
        """
        if channels == 3:
            return self.rgb[self.indices.index(0)]
        return 0 if palette is None else int(np.argmax(self.palette_lookup(palette) == 0))

    def palette_lookup(self, palette: np.ndarray) -> np.ndarray:
        """The index of every value of a palette image, by its colour.

        Args:
            palette: (256, 3), uint8.

        Returns:
            (256,), uint8; 255 is unknown.
        """
        return self.lookup()[color_codes(palette)]


def read_color_table(path: str | Path) -> ColorTable:
    """Read colors.yaml.

    Args:
        path: the YAML (or JSON) file.

    Returns:
        The table.

    Raises:
        DataError: the file is missing, no YAML, or no sound table; all its faults at once.
    """
    import yaml

    path = Path(path)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(path, f"can not be opened ({error.strerror}); the table of colours is wanted") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        example = "`monai-gi phantom biopsy DIR` writes one to compare with"
        raise DataError(path, f"is no YAML ({' '.join(str(error).split())}); {example}") from error
    return parse_color_table(content, path)


def parse_color_table(content: Any, where: str | Path) -> ColorTable:
    """Check a table that was read from YAML or JSON.

    Args:
        content: `{"classes": [{"name", "index", "rgb"}], ...}`.
        where: named in errors.

    Returns:
        The table.

    Raises:
        DataError: all that is wrong with it.
    """
    classes = content.get("classes") if isinstance(content, Mapping) else None
    if not isinstance(classes, list) or not classes:
        raise DataError(where, "no list `classes` of {name, index, rgb}; wanted one row a colour, background first")
    problems = [*_option_faults(content), *(fault for row in classes for fault in _row_faults(row))]
    if not problems:
        problems = _table_faults(classes)
    if problems:
        faults = [DataError("colors", problem) for problem in problems]
        raise DataErrors(where, faults)
    return ColorTable(
        names=tuple(row["name"] for row in classes),
        indices=tuple(row["index"] for row in classes),
        rgb=tuple(tuple(row["rgb"]) for row in classes),
        **{key: content.get(key, default) for key, default in _OPTIONS.items()},
    )


def _option_faults(content: Mapping[str, Any]) -> list[str]:
    strange = sorted(map(str, set(content) - {*_OPTIONS, "classes"}))
    faults = [f"{key} is not known; there are {', '.join(_OPTIONS)} and classes" for key in strange]
    tolerance, share, unknown = (content.get(key, default) for key, default in _OPTIONS.items())
    if not _is_whole(tolerance, 255):
        faults.append(f"tolerance: {tolerance}, wanted a whole number 0 to 255")
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
        faults.append(f"max_unknown_share: {share}, wanted a number 0 to 1")
    if not _is_whole(unknown, UNKNOWN - 1):
        faults.append(f"unknown: {unknown}, wanted an index 0 to {UNKNOWN - 1}")
    return faults


def _row_faults(row: Any) -> list[str]:
    if not isinstance(row, Mapping) or set(row) != _CLASS_KEYS:
        return [f"{row}: wanted the keys name, index and rgb"]
    faults = []
    if not isinstance(row["name"], str) or not row["name"].strip():
        faults.append(f"{row}: wanted a name in letters")
    if not _is_whole(row["index"], UNKNOWN - 1):
        faults.append(f"{row['name']}: index {row['index']}, wanted a whole number 0 to {UNKNOWN - 1}")
    rgb = row["rgb"]
    if not isinstance(rgb, list) or len(rgb) != 3 or not all(_is_whole(value, 255) for value in rgb):
        faults.append(f"{row['name']}: rgb {rgb}, wanted three whole numbers 0 to 255")
    return faults


def _table_faults(classes: list[dict[str, Any]]) -> list[str]:
    faults = []
    try:
        checked_colors([row["rgb"] for row in classes])
    except ValueError as error:
        faults.append(str(error))
    pairs = sorted({(row["index"], row["name"]) for row in classes})
    if 0 not in {index for index, _ in pairs}:
        faults.append("no class has index 0; wanted the background there")
    for one, other in pairwise(pairs):
        if one[0] == other[0]:
            faults.append(f"index {one[0]} is {one[1]} and {other[1]}; wanted one name an index")
    names = [name for _, name in pairs]
    twice = sorted({name for name in names if names.count(name) > 1})
    return faults + [f"{name} has several indices; wanted one" for name in twice]


def _is_whole(value: Any, largest: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= largest
