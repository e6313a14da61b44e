"""A small picture of a slide with its classes in colour: uint8 RGB, the slide's own colours seen through."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

OPACITY = 0.45
FONT_PX = 14
LINE_PX = 24
MARGIN_PX = 8
PAPER = (255, 255, 255)
INK = (30, 30, 30)
_EDGE = 0.6


class LegendEntry(NamedTuple):
    """A class in the legend.

    Attributes:
        label: value in the label map.
        name: in words.
        rgb: its colour.
    """

    label: int
    name: str
    rgb: tuple[int, int, int]


def slide_overlay(image: np.ndarray, labels: np.ndarray, entries: Sequence[LegendEntry]) -> np.ndarray:
    """Lay classes over a thumbnail, their outlines darker, with a legend of the classes below.

    Args:
        image: (h, w, 3), uint8.
        labels: (h, w), uint8; labels without an entry stay clear.
        entries: classes to show.

    Returns:
        (h + legend, at least w, 3), uint8.

    Raises:
        ValueError: image and labels of another shape.
    """
    if image.shape != (*labels.shape, 3):
        raise ValueError(f"image of shape {image.shape} and labels of {labels.shape}, wanted (h, w, 3) and (h, w)")
    painted = image.astype(np.float32)
    is_edge = np.zeros(labels.shape, dtype=bool)
    is_edge[:-1] |= labels[:-1] != labels[1:]
    is_edge[:, :-1] |= labels[:, :-1] != labels[:, 1:]
    for label, _, rgb in entries:
        color = np.array(rgb, dtype=np.float32)
        inside = labels == label
        painted[inside] += OPACITY * (color - painted[inside])
        painted[inside & is_edge] = _EDGE * color
    picture = np.rint(painted).astype(np.uint8)
    return _stacked([picture, _legend(entries, picture.shape[1])])


def side_by_side(pictures: Sequence[np.ndarray], titles: Sequence[str]) -> np.ndarray:
    """Put pictures next to each other, each under its title.

    Args:
        pictures: (h, w, 3), uint8, of any sizes.
        titles: one a picture.

    Returns:
        (h, w, 3), uint8.
    """
    columns = [
        _stacked([_text(title, picture.shape[1]), picture]) for title, picture in zip(titles, pictures, strict=True)
    ]
    height = max(len(column) for column in columns)
    padded = [
        np.pad(column, ((0, height - len(column)), (0, MARGIN_PX), (0, 0)), constant_values=PAPER[0])
        for column in columns
    ]
    return np.concatenate(padded, axis=1)[:, :-MARGIN_PX]


def _legend(entries: Sequence[LegendEntry], width: int) -> np.ndarray:
    """Colour patches with names, as many a line as fit."""
    font = ImageFont.load_default(FONT_PX)
    patch = FONT_PX + MARGIN_PX
    widths = [patch + round(font.getlength(entry.name)) + 2 * MARGIN_PX for entry in entries]
    places, x, line = [], MARGIN_PX, 0
    for wide in widths:
        if x > MARGIN_PX and x + wide > width:
            x, line = MARGIN_PX, line + 1
        places.append((x, line * LINE_PX))
        x += wide
    wide = max([width, *(x + wide for (x, _), wide in zip(places, widths, strict=True))])
    sheet = Image.new("RGB", (wide, (line + 1) * LINE_PX), PAPER)
    draw = ImageDraw.Draw(sheet)
    for (x, y), (_, name, rgb) in zip(places, entries, strict=True):
        top = y + (LINE_PX - FONT_PX) // 2
        draw.rectangle((x, top, x + FONT_PX, top + FONT_PX), fill=rgb, outline=INK)
        draw.text((x + patch, top - 1), name, fill=INK, font=font)
    return np.asarray(sheet)


def _text(text: str, width: int) -> np.ndarray:
    sheet = Image.new("RGB", (width, LINE_PX), PAPER)
    ImageDraw.Draw(sheet).text(
        (MARGIN_PX, (LINE_PX - FONT_PX) // 2), text, fill=INK, font=ImageFont.load_default(FONT_PX)
    )
    return np.asarray(sheet)


def _stacked(pictures: Sequence[np.ndarray]) -> np.ndarray:
    """Pictures below each other on white."""
    width = max(picture.shape[1] for picture in pictures)
    return np.concatenate(
        [np.pad(one, ((0, 0), (0, width - one.shape[1]), (0, 0)), constant_values=PAPER[0]) for one in pictures]
    )
