"""Scatter plots with a name at every point: x logarithmic, y linear, one or several panels with the same y axis.

Told apart without colour: each point has its name beside it and a shape of its own. Colours are Okabe and Ito's.
Everything is drawn enlarged by SUBPIXELS and reduced, which smooths it.
"""

import math
from collections.abc import Iterable, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

Box = tuple[float, float, float, float]
"""Left, top, right, bottom in px."""

PANEL_PX = (520, 400)  # width, height of the area of the axes
LEFT_PX, RIGHT_PX, TOP_PX, BOTTOM_PX, LINE_PX = 90, 30, 50, 70, 22
MARKER_PX, FONT_PX, TICK_PX = 7, 14, 5
SUBPIXELS = 2
INK, GRID, PAPER = (40, 40, 40), (225, 225, 225), (255, 255, 255)
COLORS = ((0, 114, 178), (213, 94, 0), (0, 158, 115), (204, 121, 167), (0, 0, 0), (230, 159, 0), (86, 180, 233))
# Corners of the shapes on a circle: so many, turned by so many degrees; 0 is the circle itself.
SHAPES = ((0, 0), (4, 45), (3, -90), (4, 0), (3, 90), (5, -90), (6, 0))
_GAP_PX = 4


class Point(NamedTuple):
    """One named point.

    Attributes:
        name: written beside it; the same name has one shape and colour in all panels.
        x: above 0.
        y: any.
        interval: lowest and highest y of a bar through it; None draws none.
        is_filled: a hollow marker where False.
    """

    name: str
    x: float
    y: float
    interval: tuple[float, float] | None = None
    is_filled: bool = True


class Panel(NamedTuple):
    """One pair of axes.

    Attributes:
        x_title: below it.
        points: at least one.
    """

    x_title: str
    points: Sequence[Point]


def scatter(panels: Sequence[Panel], *, title: str, y_title: str, notes: Sequence[str] = ()) -> np.ndarray:
    """Draw panels side by side.

    Args:
        panels: at least one; their y axes have one range.
        title: above all.
        y_title: beside the first panel, above its axis.
        notes: lines below.

    Returns:
        uint8 (h, w, 3).

    Raises:
        ValueError: no panel, a panel without points, or an x that is not above 0.
    """
    if not panels or not all(panel.points for panel in panels):
        raise ValueError("panels: nothing to draw, wanted at least one panel, each with a point")
    points = [point for panel in panels for point in panel.points]
    if any(point.x <= 0 for point in points):
        raise ValueError("x: 0 or less, which has no place on a logarithmic axis")
    width = len(panels) * (LEFT_PX + PANEL_PX[0] + RIGHT_PX)
    height = TOP_PX + PANEL_PX[1] + BOTTOM_PX + LINE_PX * len(notes)
    sheet = _Sheet(width, height)
    sheet.text((LEFT_PX, 16), title, "lm")
    y_range = linear_range([y for point in points for y in (point.y, *(point.interval or ()))])
    names = sorted({point.name for point in points})
    for number, panel in enumerate(panels):
        axes = _Axes(number, log_range([point.x for point in panel.points]), y_range)
        _draw_axes(sheet, axes, panel.x_title, y_title)
        _draw_points(sheet, axes, panel.points, names)
    for number, note in enumerate(notes):
        sheet.text((LEFT_PX, height - LINE_PX * (len(notes) - number)), note, "lm")
    return sheet.pixels()


def linear_range(values: Sequence[float]) -> tuple[float, float]:
    """A range around values that ends a little beside them.

    Args:
        values: at least one.

    Returns:
        Lowest and highest, never the same.
    """
    low, high = min(values), max(values)
    pad = 0.08 * (high - low) or 0.05 * abs(low) or 0.5
    return low - pad, high + pad


def log_range(values: Sequence[float]) -> tuple[float, float]:
    """A range of logarithms (base 10) around positive values, at least half a decade.

    Args:
        values: above 0, at least one.

    Returns:
        Lowest and highest logarithm.
    """
    low, high = math.log10(min(values)), math.log10(max(values))
    pad = max(0.1 * (high - low), (0.5 - (high - low)) / 2, 0.05)
    return low - pad, high + pad


def linear_ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers in a range: multiples of 1, 2 or 5 times a power of ten.

    Args:
        low: of the range.
        high: of the range, above low.
        most: ticks at most.

    Returns:
        Two or more for `most` above 3, ascending.

    >>> linear_ticks(0.11, 0.93)
    [0.2, 0.4, 0.6, 0.8]
    """
    power = 10.0 ** math.floor(math.log10((high - low) / most))
    found: list[int] = []
    for step in (power * factor for factor in (1, 2, 5, 10, 20)):
        found = list(range(math.ceil(low / step), math.floor(high / step) + 1))
        if len(found) <= most:
            break
    return [round(number * step, 12) for number in found]


def log_ticks(low: float, high: float) -> list[float]:
    """Round numbers in a range of logarithms: powers of ten, and 2 and 5 times these where there is room.

    Args:
        low: logarithm of the lowest number.
        high: of the highest.

    Returns:
        Numbers, ascending.

    >>> log_ticks(-0.1, 1.1)
    [1.0, 2.0, 5.0, 10.0]
    """
    factors = (1, 2, 5) if high - low < 3 else (1,)
    exponents = range(math.floor(low), math.ceil(high) + 1)
    ticks = [float(f"{factor}e{exponent}") for exponent in exponents for factor in factors]
    return [tick for tick in ticks if low <= math.log10(tick) <= high]


def place_labels(markers: Sequence[Box], sizes: Sequence[tuple[float, float]], area: Box) -> list[Box]:
    """Find a free place near its marker for every label.

    Places to the right, left, above and below are tried first, then rings farther out. Where the area is full, a label
    takes the place with the least overlap.

    Args:
        markers: boxes that no label may cover; the first `len(sizes)` are what the labels belong to.
        sizes: width and height of each label.
        area: that labels stay in.

    Returns:
        The labels' boxes.
    """
    taken = list(markers)
    for marker, size in zip(markers, sizes, strict=False):
        places = [place for place in _places(marker, size, area) if _inside(place, area)]
        best = min(places, key=lambda place: sum(_overlap(place, box) for box in taken)) if places else marker
        taken.append(best)
    return taken[len(markers) :]


def _places(marker: Box, size: tuple[float, float], area: Box) -> Iterable[Box]:
    """Boxes around a marker, nearest first."""
    middle = ((marker[0] + marker[2]) / 2, (marker[1] + marker[3]) / 2)
    reach = ((marker[2] - marker[0] + size[0]) / 2 + _GAP_PX, (marker[3] - marker[1] + size[1]) / 2 + _GAP_PX)
    farthest = max(area[2] - area[0], area[3] - area[1])
    for ring in range(int(farthest / size[1]) + 1):
        for degrees in (0, 180, 270, 90, *range(0, 360, 15)):
            angle = math.radians(degrees)
            x = middle[0] + math.cos(angle) * (reach[0] + ring * size[1])
            y = middle[1] + math.sin(angle) * (reach[1] + ring * size[1])
            yield x - size[0] / 2, y - size[1] / 2, x + size[0] / 2, y + size[1] / 2


def _inside(box: Box, area: Box) -> bool:
    return box[0] >= area[0] and box[1] >= area[1] and box[2] <= area[2] and box[3] <= area[3]


def _overlap(one: Box, other: Box) -> float:
    """Area that both cover."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    return max(0.0, width) * max(0.0, height)


class _Axes:
    """Where values lie on the sheet."""

    def __init__(self, number: int, log_x: tuple[float, float], y: tuple[float, float]) -> None:
        left = number * (LEFT_PX + PANEL_PX[0] + RIGHT_PX) + LEFT_PX
        self.area: Box = (left, TOP_PX, left + PANEL_PX[0], TOP_PX + PANEL_PX[1])
        self.log_x, self.y = log_x, y

    def place(self, x: float, y: float) -> tuple[float, float]:
        share = (math.log10(x) - self.log_x[0]) / (self.log_x[1] - self.log_x[0])
        height = (y - self.y[0]) / (self.y[1] - self.y[0])
        return self.area[0] + share * PANEL_PX[0], self.area[3] - height * PANEL_PX[1]


class _Sheet:
    """A white sheet that is drawn on in px of the result."""

    def __init__(self, width: int, height: int) -> None:
        self.image = Image.new("RGB", (width * SUBPIXELS, height * SUBPIXELS), PAPER)
        self.pen = ImageDraw.Draw(self.image)

    def line(self, points: Sequence[tuple[float, float]], rgb: tuple[int, int, int], width: float = 1) -> None:
        self.pen.line(_enlarged(points), fill=rgb, width=round(width * SUBPIXELS))

    def text(self, place: tuple[float, float], text: str, anchor: str) -> None:
        self.pen.text(_enlarged([place])[0], text, fill=INK, font=_font(), anchor=anchor)

    def shape(self, corners: Sequence[tuple[float, float]], rgb: tuple[int, int, int], *, is_filled: bool) -> None:
        xy = _enlarged(corners)
        self.pen.polygon(xy, fill=rgb if is_filled else PAPER, outline=rgb, width=2 * SUBPIXELS)

    def pixels(self) -> np.ndarray:
        return np.asarray(self.image.reduce(SUBPIXELS))


def _enlarged(points: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    return [(x * SUBPIXELS, y * SUBPIXELS) for x, y in points]


@cache
def _font() -> ImageFont.FreeTypeFont:
    return ImageFont.load_default(FONT_PX * SUBPIXELS)  # type: ignore[return-value]


def _draw_axes(sheet: _Sheet, axes: _Axes, x_title: str, y_title: str) -> None:
    left, top, right, bottom = axes.area
    for tick in linear_ticks(*axes.y):
        y = axes.place(1, tick)[1]
        sheet.line([(left, y), (right, y)], GRID)
        sheet.text((left - TICK_PX, y), format(tick, "g"), "rm")
    for tick in log_ticks(*axes.log_x):
        x = axes.place(tick, 0)[0]
        sheet.line([(x, top), (x, bottom)], GRID)
        sheet.text((x, bottom + TICK_PX), format(tick, "g"), "ma")
    sheet.line([(left, top), (left, bottom), (right, bottom)], INK)
    sheet.text((left, top - 12), y_title, "lm")
    sheet.text(((left + right) / 2, bottom + 36), x_title, "mm")


def _draw_points(sheet: _Sheet, axes: _Axes, points: Sequence[Point], names: Sequence[str]) -> None:
    centres = [axes.place(point.x, point.y) for point in points]
    markers = [(x - MARKER_PX, y - MARKER_PX, x + MARKER_PX, y + MARKER_PX) for x, y in centres]
    bars: list[Box] = []
    for point in points:
        if point.interval is not None:
            (x, low), (_, high) = (axes.place(point.x, y) for y in point.interval)
            bars.append((x - 1, high, x + 1, low))
            sheet.line([(x, low), (x, high)], COLORS[names.index(point.name) % len(COLORS)], 1.5)
    sizes = [(_font().getlength(point.name) / SUBPIXELS, FONT_PX * 1.2) for point in points]
    labels = place_labels([*markers, *bars], sizes, axes.area)
    for point, centre, label in zip(points, centres, labels, strict=True):
        number = names.index(point.name)
        _draw_leader(sheet, centre, label)
        corners = _corners(centre, *SHAPES[number % len(SHAPES)])
        sheet.shape(corners, COLORS[number % len(COLORS)], is_filled=point.is_filled)
        sheet.text(((label[0] + label[2]) / 2, (label[1] + label[3]) / 2), point.name, "mm")


def _draw_leader(sheet: _Sheet, centre: tuple[float, float], label: Box) -> None:
    """A thin line to a label that had to go far from its marker."""
    nearest = (min(max(centre[0], label[0]), label[2]), min(max(centre[1], label[1]), label[3]))
    if math.dist(centre, nearest) > 3 * MARKER_PX:
        sheet.line([centre, nearest], INK, 0.5)


def _corners(centre: tuple[float, float], corners: int, turned: float) -> list[tuple[float, float]]:
    count = corners or 48
    angles = [math.radians(turned + 360 * number / count) for number in range(count)]
    return [(centre[0] + MARKER_PX * math.cos(angle), centre[1] + MARKER_PX * math.sin(angle)) for angle in angles]
