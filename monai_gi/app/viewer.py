"""One position of a case as SVG: the picture, outlines or fills, probabilities, the patient's sides, a scale bar.

Coordinates are those of the picture's size (mm of a scan): x to the right, y down. Prediction is solid, truth dashed
and lighter. Outlines are the polygons that RTSTRUCT gets, so what is seen is what is handed over.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from io import BytesIO
from typing import Any, NamedTuple

import numpy as np
from PIL import Image
from scipy import ndimage

from monai_gi.app.cases import Case, Masks, Picture
from monai_gi.dicom.contours import mask_to_polygons
from monai_gi.plots.figures import web_color

OUTLINES, FILLS = "Outlines", "Fills"
BARS_MM = (100, 50, 20, 10, 5, 2, 1)
_WIDEST_BAR = 0.26
_LOSSLESS_PIXELS = 1 << 19
_TRUTH_TINT = 0.45
_LEAST_PROBABILITY = 5  # of 255: below it the picture stays as it is
_EDGES_ACROSS = 400  # outlines of label maps, to the longer side
_PROBABILITY_GAIN = 0.35  # its dark end would drown in the picture
# Viridis in five steps (https://bids.github.io/colormap/), which grows evenly brighter, also for colour-blind readers.
RAMP = ((68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37))


class _Pen(NamedTuple):
    """How one mask is drawn."""

    name: str
    rgb: tuple[int, int, int]
    look: "Look"
    is_truth: bool
    is_alone: bool  # nothing else is drawn, so the truth need not stand back

    @property
    def is_filled(self) -> bool:
        return self.look.style == FILLS and (self.is_alone or not self.is_truth)


@dataclass(frozen=True)
class Look:
    """How a case is looked at.

    Attributes:
        position: from 0; outside the case the nearest one is taken.
        shown: names of the classes that are drawn.
        style: OUTLINES or FILLS.
        opacity: of fills, and of probabilities, 0 to 1.
        window: (low, high) grey values; None takes those of the case.
        probability: draw probabilities in place of the prediction.
    """

    position: int = 0
    shown: tuple[str, ...] = ()
    style: str = OUTLINES
    opacity: float = 0.4
    window: tuple[float, float] | None = None
    probability: bool = False


def view(case: Case, look: Look) -> str:
    """Draw one position of a case.

    Args:
        case: what is looked at.
        look: how.

    Returns:
        A `figure` with the SVG and a line about it.
    """
    position = min(max(look.position, 0), len(case.labels) - 1)
    picture = case.picture(position, look.window)
    height, width = picture.size
    layers = [_image(_encoded(picture.pixels), picture.size)]
    found = case.masks(position)
    if look.probability and case.has_probabilities:
        layers.append(_probability(_only(case.probabilities(position), look.shown), picture, look.opacity))
    else:
        layers += _layers(case, found, picture, look)
    layers += _layers(case, case.truth(position), picture, look, is_truth=True)
    layers.append(_sides(picture))
    caption = _caption(case, position, found)
    box = f"0 0 {_n(width)} {_n(height)}"
    return (
        f'<figure class="gi-figure"><svg class="gi-svg" xmlns="http://www.w3.org/2000/svg" tabindex="0" role="img" '
        f'aria-label="{escape(caption)}" viewBox="{box}" data-view="{box}" data-positions="{len(case.labels)}" '
        f'data-position="{position}" style="aspect-ratio:{_n(width)}/{_n(height)}">'
        f"{''.join(layers)}</svg><figcaption>{escape(caption)}{_key(case, look)}</figcaption></figure>"
    )


def empty_view(text: str) -> str:
    """What stands in the viewer's place before there is anything to look at.

    Args:
        text: what to do, one sentence.

    Returns:
        A `div`.
    """
    return f'<div class="gi-empty">{escape(text)}</div>'


def ramp(values: np.ndarray) -> np.ndarray:
    """Colours of probabilities.

    Args:
        values: uint8, any shape, 0 to 255 for 0 to 1.

    Returns:
        uint8, the same shape with a last axis of RGB.
    """
    stops = np.linspace(0, 255, len(RAMP))
    table = np.stack([np.interp(np.arange(256), stops, channel) for channel in np.transpose(RAMP)], axis=1)
    return np.rint(table).astype(np.uint8)[values]


def data_uri(picture: np.ndarray) -> str:
    """A picture as text that a page holds without another request.

    Args:
        picture: uint8, (h, w), (h, w, 3) or (h, w, 4).

    Returns:
        PNG, without loss.
    """
    return _uri(Image.fromarray(picture), "PNG", compress_level=1)


def _encoded(pixels: np.ndarray) -> str:
    """Grey slices and small pictures without loss; large colour pictures as JPEG, a tenth of the size."""
    if pixels.ndim == 2 or pixels.shape[0] * pixels.shape[1] < _LOSSLESS_PIXELS:
        return data_uri(pixels)
    return _uri(Image.fromarray(pixels), "JPEG", quality=90)


def _uri(picture: Image.Image, kind: str, **options: Any) -> str:
    buffer = BytesIO()
    picture.save(buffer, format=kind, **options)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _image(uri: str, size: tuple[float, float], opacity: float = 1) -> str:
    height, width = size
    return (
        f'<image href="{uri}" width="{_n(width)}" height="{_n(height)}" opacity="{_n(opacity)}" '
        f'preserveAspectRatio="none"/>'
    )


def _only(masks: Masks, shown: Sequence[str]) -> Masks:
    return {name: mask for name, mask in masks.items() if name in shown}


def _layers(case: Case, masks: Masks, picture: Picture, look: Look, *, is_truth: bool = False) -> list[str]:
    alone = not case.has_prediction
    pens = {
        name: _Pen(name, _tinted(case.colors[name], is_truth and not alone), look, is_truth, alone)
        for name, mask in _only(masks, look.shown).items()
        if mask.any()
    }
    if case.is_vector:
        return [_vector(masks[name], picture, pen) for name, pen in pens.items()]
    return [_raster([masks[name] for name in pens], picture, list(pens.values()))] if pens else []


def _vector(mask: np.ndarray, picture: Picture, pen: _Pen) -> str:
    """One mask as a path; the line is as wide at any zoom."""
    scale = np.array(picture.size) / mask.shape
    loops = [(polygon + 0.5) * scale for polygon in mask_to_polygons(np.asarray(mask, dtype=bool))]
    path = "".join(f"M{' '.join(f'{x:.2f},{y:.2f}' for y, x in loop)}Z" for loop in loops)
    fill = f'fill="{web_color(pen.rgb)}" fill-opacity="{_n(pen.look.opacity)}"' if pen.is_filled else 'fill="none"'
    words = f"{_words(pen.name)}{', truth' if pen.is_truth else ''}"
    return (
        f'<path class="{"gi-truth" if pen.is_truth else "gi-found"}" data-organ="{escape(pen.name)}" d="{path}" '
        f'fill-rule="evenodd" {fill} stroke="{web_color(pen.rgb)}"><title>{escape(words)}</title></path>'
    )


def _raster(masks: Sequence[np.ndarray], picture: Picture, pens: Sequence[_Pen]) -> str:
    """Masks that exclude each other as one transparent picture, for label maps with thousands of parts."""
    height, width = masks[0].shape
    layer = np.zeros((height, width), dtype=np.uint8)
    palette, opacities, line = [0, 0, 0], [0], max(2, max(height, width) // _EDGES_ACROSS)
    for mask, pen in zip(masks, pens, strict=True):
        edge = mask & ~ndimage.binary_erosion(mask, iterations=line)
        if pen.is_truth and not pen.is_alone:  # dashes: every other square of a chequered board
            row, column = np.arange(height)[:, None], np.arange(width)
            edge &= ((row // (3 * line) + column // (3 * line)) % 2).astype(bool)
        layer[mask], layer[edge] = len(opacities), len(opacities) + 1
        palette += [*pen.rgb, *pen.rgb]
        opacities += [round(255 * pen.look.opacity) if pen.is_filled else 0, 255]
    drawn = Image.fromarray(layer, mode="P")
    drawn.putpalette(palette)
    kind, names = "gi-truth" if pens[0].is_truth else "gi-found", " ".join(pen.name for pen in pens)
    uri = _uri(drawn, "PNG", transparency=bytes(opacities))
    return f'<g class="{kind}" data-organ="{escape(names)}">{_image(uri, picture.size)}</g>'


def _probability(probabilities: Masks, picture: Picture, opacity: float) -> str:
    """The largest probability of the classes shown."""
    if not probabilities:
        return ""
    largest = np.maximum.reduce(list(probabilities.values()))
    layer = np.dstack([ramp(largest), np.where(largest < _LEAST_PROBABILITY, 0, 255).astype(np.uint8)])
    return (
        f'<g data-layer="probability">{_image(data_uri(layer), picture.size, min(1, opacity + _PROBABILITY_GAIN))}</g>'
    )


def _sides(picture: Picture) -> str:
    """Letters at the edges and a scale bar, with a dark rim so that they are read on any ground."""
    height, width = picture.size
    letter = max(height, width) * 0.035
    texts = []
    places = ((width / 2, letter), (width - letter * 0.7, height / 2), (width / 2, height - letter * 0.5))
    for letters, (x, y) in zip(picture.edges or (), (*places, (letter * 0.7, height / 2)), strict=False):
        texts.append(f'<text class="gi-side" x="{_n(x)}" y="{_n(y)}" font-size="{_n(letter)}">{letters}</text>')
    return "".join(texts) + (_bar(height, width, letter) if picture.in_mm else "")


def _bar(height: float, width: float, letter: float) -> str:
    """The longest bar that fits, lower left."""
    for bar_mm in BARS_MM:
        if bar_mm <= _WIDEST_BAR * width:
            label = f"{bar_mm // 10} cm" if bar_mm >= 10 else f"{bar_mm} mm"
            x, y = letter * 0.6, height - letter * 0.6
            return (
                f'<line class="gi-bar-rim" x1="{_n(x)}" y1="{_n(y)}" x2="{_n(x + bar_mm)}" y2="{_n(y)}"/>'
                f'<line class="gi-bar" x1="{_n(x)}" y1="{_n(y)}" x2="{_n(x + bar_mm)}" y2="{_n(y)}"/>'
                f'<text class="gi-side gi-length" x="{_n(x)}" y="{_n(y - letter * 0.4)}" '
                f'font-size="{_n(letter * 0.8)}">{label}</text>'
            )
    return ""


def _caption(case: Case, position: int, found: Masks) -> str:
    here = [_words(name) for name, mask in found.items() if mask.any()]
    place = f"{case.unit} {position + 1} of {len(case.labels)}" if len(case.labels) > 1 else case.about
    if not case.has_prediction:
        return place
    return f"{place}: {', '.join(here) or 'nothing found here'}"


def _key(case: Case, look: Look) -> str:
    """What lines and colours mean, where that is not plain."""
    key = ""
    if case.has_truth:
        key += (
            "<br><small>solid: network, dashed: truth</small>"
            if case.has_prediction
            else "<br><small>outlines: the truth</small>"
        )
    if len(case.labels) == 1:
        key += "<br><small>the wheel zooms, dragging moves</small>"
    if look.probability and case.has_probabilities:
        stops = ", ".join(web_color(rgb) for rgb in RAMP)
        scale = f'<i style="background:linear-gradient(to right, {stops})"></i>'
        key += f'<span class="gi-scale">probability 0 {scale} 1</span>'
    return key


def _tinted(rgb: tuple[int, int, int], is_truth: bool) -> tuple[int, int, int]:
    """The colour itself; lighter for the truth."""
    red, green, blue = (round(value + _TRUTH_TINT * (255 - value)) for value in rgb) if is_truth else rgb
    return red, green, blue


def _words(name: str) -> str:
    return name.replace("_", " ")


def _n(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
