"""Drawn tiles (h, w, 3) set together on one sheet, with captions above and a legend of the classes' colours below."""

import math
from collections.abc import Sequence
from functools import cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from monai_gi.labels import ORGAN_NAMES
from monai_gi.plots.class_colors import color_of
from monai_gi.plots.outlines import SQUARE, outline_overlay

BACKGROUND = (16, 16, 16)
TEXT = (235, 235, 235)
FONT_PX = 14
LINE_PX = 26
GAP_PX = 4


def panel(
    image: np.ndarray,
    truth: np.ndarray | None = None,
    pred: np.ndarray | None = None,
    *,
    title: str = "slice",
    upscale: float = 2,
    spacing_mm: Sequence[float] = SQUARE,
    classes: Sequence[str] = ORGAN_NAMES,
) -> np.ndarray:
    """Set slice, truth and prediction side by side, captions above and the classes' colours below.

    Args:
        image: (H, W) or (H, W, 3), 0 to 1.
        truth: masks (C, H, W); None leaves its part out.
        pred: masks (C, H, W); None leaves its part out.
        title: caption of the slice, such as its id.
        upscale: as for `outline_overlay`.
        spacing_mm: (row, column[, slice]).
        classes: names of the C channels.

    Returns:
        uint8 (h, w, 3).
    """
    parts = {title: outline_overlay(image, upscale=upscale, spacing_mm=spacing_mm, classes=classes)}
    for name, masks in (("truth", truth), ("prediction", pred)):
        if masks is not None:
            parts[name] = outline_overlay(image, None, masks, upscale, spacing_mm=spacing_mm, classes=classes)
    return contact_sheet(list(parts.values()), list(parts), columns=len(parts), classes=classes)


def contact_sheet(
    tiles: Sequence[np.ndarray],
    captions: Sequence[str] | None = None,
    *,
    columns: int | None = None,
    legend: bool = True,
    outlines: bool = False,
    classes: Sequence[str] = ORGAN_NAMES,
) -> np.ndarray:
    """Set tiles in rows, each centred in a cell as large as the largest tile.

    Args:
        tiles: uint8 RGB (h, w, 3), at least one; sizes may differ.
        captions: one above each tile; what is too long for its tile is cut.
        columns: tiles in a row; None makes the sheet nearly square.
        legend: name the classes' colours in a line below.
        outlines: say in that line which outline is truth and which prediction.
        classes: what the line names.

    Returns:
        uint8 (h, w, 3).

    Raises:
        ValueError: no tile, a tile of another kind, not one caption a tile, or `columns` under 1.
    """
    if not len(tiles) or any(tile.ndim != 3 or tile.shape[2] != 3 or tile.dtype != np.uint8 for tile in tiles):
        raise ValueError("tiles: at least one RGB array (h, w, 3) of uint8 is wanted")
    if captions is not None and len(captions) != len(tiles):
        raise ValueError(f"captions: {len(captions)} for {len(tiles)} tiles, one for each is wanted")
    if columns is not None and columns < 1:
        raise ValueError(f"columns: {columns}, wanted 1 or more")
    columns = min(columns or math.ceil(math.sqrt(len(tiles))), len(tiles))
    head = 0 if captions is None else LINE_PX
    cell = max(tile.shape[1] for tile in tiles) + GAP_PX, max(tile.shape[0] for tile in tiles) + GAP_PX + head
    rows = math.ceil(len(tiles) / columns)
    sheet = Image.new("RGB", (columns * cell[0] + GAP_PX, rows * cell[1] + GAP_PX), BACKGROUND)
    for position, tile in enumerate(tiles):
        left, top = position % columns * cell[0] + GAP_PX, position // columns * cell[1] + GAP_PX
        offset = (cell[0] - GAP_PX - tile.shape[1]) // 2, (cell[1] - GAP_PX - head - tile.shape[0]) // 2
        sheet.paste(Image.fromarray(tile), (left + offset[0], top + head + offset[1]))
        if captions is not None:
            write_line(sheet, captions[position], (left + 2, top), cell[0] - GAP_PX - 4)
    return np.asarray(with_legend(sheet, outlines=outlines, classes=classes) if legend else sheet)


@cache
def font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """The font of all texts, read once."""
    return ImageFont.load_default(FONT_PX)


def write_line(picture: Image.Image, text: str, left_top: tuple[int, int], room_px: int) -> None:
    """Write one line into a picture, cut to its room.

    Args:
        picture: is changed.
        text: one line.
        left_top: of the line, LINE_PX high.
        room_px: width that it may take.
    """
    while text and font().getlength(text) > room_px:
        text = text[:-1]
    left, top = left_top
    ImageDraw.Draw(picture).text((left, top + LINE_PX // 2), text, fill=TEXT, font=font(), anchor="lm")


def with_legend(
    sheet: Image.Image,
    *,
    outlines: bool = False,
    classes: Sequence[str] = ORGAN_NAMES,
    colors: Sequence[tuple[int, int, int]] | None = None,
) -> Image.Image:
    """Add the classes' colours below, in as many lines as a narrow sheet needs.

    Args:
        sheet: the picture; it is left as it is.
        outlines: also say which outline is truth and which prediction.
        classes: names of the classes.
        colors: of the classes, where their names are not to decide.

    Returns:
        A larger picture.
    """
    palette = [color_of(name) for name in classes] if colors is None else colors
    entries = [(name.replace("_", " "), rgb, False) for name, rgb in zip(classes, palette, strict=True)]
    if outlines:
        entries += [("prediction", TEXT, False), ("truth", TEXT, True)]
    places, left, line = [], 2 * GAP_PX, 0
    for text, _, _ in entries:
        width = 24 + math.ceil(font().getlength(text)) + 16
        if left > 2 * GAP_PX and left + width > sheet.width:
            left, line = 2 * GAP_PX, line + 1
        places.append((left, sheet.height + line * LINE_PX))
        left += width
    whole = Image.new("RGB", (sheet.width, sheet.height + (line + 1) * LINE_PX), BACKGROUND)
    whole.paste(sheet)
    draw = ImageDraw.Draw(whole)
    for (text, rgb, dashed), (x, top) in zip(entries, places, strict=True):
        middle = top + LINE_PX // 2
        for start, end in ((0, 7), (11, 18)) if dashed else ((0, 18),):
            draw.line((x + start, middle, x + end, middle), fill=rgb, width=3 if rgb != TEXT else 2)
        write_line(whole, text, (x + 24, top), sheet.width - x - 24)
    return whole
