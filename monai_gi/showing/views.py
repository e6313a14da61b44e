"""What is shown: tiles that are drawn when they are wanted, and the one sheet that they are set on.

Pictures are uint8 RGB (h, w, 3), row = y down, column = x right.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from monai_gi.errors import DataError
from monai_gi.plots import BACKGROUND, LINE_PX, contact_sheet
from monai_gi.plots.class_colors import class_palette
from monai_gi.plots.clinical import NARROWEST_PX, with_use
from monai_gi.plots.sheets import font, with_legend, write_line
from monai_gi.provenance import INTENDED_USE

MOST = 12
"""Tiles of one sheet."""
SIZES_PX = {1: 900, 2: 600, 4: 460, MOST: 340}
"""The longer side of an image, by the number of tiles up to which it is taken."""
USE = INTENDED_USE.partition("Automatic")[0].strip()
"""Not all that is shown was made by a network."""


@dataclass(frozen=True)
class Tile:
    """One picture of a sheet.

    Attributes:
        number: that `--slice` asks for.
        caption: a few words.
        draw: from the longer side in pixels to the picture.
        marked: a label is on it, so that it comes before those without.
    """

    number: int
    caption: str
    draw: Callable[[int], np.ndarray]
    marked: bool = False


@dataclass(frozen=True)
class View:
    """What a file or folder holds.

    Attributes:
        title: what it is, in a few words.
        tiles: all of them, at least one.
        classes: names of what is outlined.
        word: what a tile is: "slice", "picture", "scan", ...
        single: `--slice` may choose one.
    """

    title: str
    tiles: tuple[Tile, ...]
    classes: tuple[str, ...] = ()
    word: str = "slice"
    single: bool = True


def palette(classes: Sequence[str]) -> list[tuple[int, int, int]]:
    """Colours of outlined classes, no two alike: those of tiles and of the legend.

    Args:
        classes: names; capitals and blanks make no difference.

    Returns:
        (red, green, blue), 0 to 255, of each.
    """
    return class_palette(["background", *(name.casefold().replace(" ", "_") for name in classes)])[1:]


def spread(count: int, most: int = MOST) -> list[int]:
    """Choose places evenly.

    >>> spread(5, 3), spread(2, 3)
    ([0, 2, 4], [0, 1])

    Args:
        count: how many there are.
        most: how many are wanted.

    Returns:
        Ascending places from 0, the first and the last among them.
    """
    return sorted({round(place) for place in np.linspace(0, count - 1, min(count, most))})


def draw_view(view: View, number: int | None = None) -> np.ndarray:
    """Draw a contact sheet, or one tile alone.

    Args:
        view: what to show.
        number: of one tile; None for a sheet of up to twelve, those with labels where there are any.

    Returns:
        uint8 (h, w, 3).

    Raises:
        DataError: there is no such tile, or tiles can not be chosen here.
    """
    chosen = _chosen(view.tiles) if number is None else [_tile(view, number)]
    longest = next(size for count, size in SIZES_PX.items() if len(chosen) <= count)
    tiles = [tile.draw(longest) for tile in chosen]
    tiles = [_wide(tiles[0])] if len(tiles) == 1 else tiles
    sheet = Image.fromarray(contact_sheet(tiles, [tile.caption for tile in chosen], legend=False))
    whole = _with_title(sheet, _title(view, chosen))
    if view.classes:
        whole = with_legend(whole, classes=view.classes, colors=palette(view.classes))
    return np.asarray(with_use(whole, USE))


def _tile(view: View, number: int) -> Tile:
    numbers = [tile.number for tile in view.tiles]
    if not view.single:
        problem = f"{len(view.tiles)} {view.word}s, and --slice takes one out of a single scan"
        raise DataError(view.title, f"{problem}. Name one of them: its file, its folder, or --series UID")
    if number not in numbers:
        word = f"{view.word} {numbers[0]}" + (f" to {numbers[-1]}" if len(numbers) > 1 else " alone")
        raise DataError("--slice", f"{number} asked for; there is {word} in {view.title}")
    return view.tiles[numbers.index(number)]


def _chosen(tiles: Sequence[Tile]) -> list[Tile]:
    among = [tile for tile in tiles if tile.marked] or list(tiles)
    return [among[place] for place in spread(len(among))]


def _title(view: View, chosen: Sequence[Tile]) -> str:
    if len(chosen) == len(view.tiles):
        return view.title
    marked = " with labels" if all(tile.marked for tile in chosen) else ""
    return f"{view.title}: {len(chosen)} of {len(view.tiles)} {view.word}s{marked}"


def _with_title(sheet: Image.Image, title: str) -> Image.Image:
    """The title above, in as many lines as the width needs."""
    width = max(sheet.width, NARROWEST_PX)
    lines = [""]
    for word in title.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and font().getlength(longer) > width - 16:
            lines.append(word)
        else:
            lines[-1] = longer
    whole = Image.new("RGB", (width, sheet.height + len(lines) * LINE_PX), BACKGROUND)
    whole.paste(sheet, (0, len(lines) * LINE_PX))
    for number, line in enumerate(lines):
        write_line(whole, line, (8, 2 + number * LINE_PX), width - 16)
    return whole


def _wide(picture: np.ndarray) -> np.ndarray:
    """The picture in the middle of a background that has room for the lines of text."""
    missing = max(NARROWEST_PX - picture.shape[1], 0)
    wide = Image.new("RGB", (picture.shape[1] + missing, picture.shape[0]), BACKGROUND)
    wide.paste(Image.fromarray(picture), (missing // 2, 0))
    return np.asarray(wide)
