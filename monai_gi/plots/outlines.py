"""Pictures of slices with organ outlines: arrays (H, W) and (C, H, W) in, uint8 RGB (H, W, 3) out.

Nothing is turned: row = y down, column = x right, so the patient's right is on the left and anterior is on top.
Outlines run between pixels. Prediction is solid, truth is dashed and lighter, colours are those of labels.ORGANS.
"""

import math
from collections.abc import Iterator, Sequence
from functools import cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from skimage.measure import find_contours

from monai_gi.labels import ORGANS

SQUARE = (1.0, 1.0)
BACKGROUND = (16, 16, 16)
TEXT = (235, 235, 235)
FONT_PX = 14
LINE_PX = 26
GAP_PX = 4
OUTLINE_WIDTH = {"solid": 2.0, "dashed": 1.5}
DASH_PX = (5.0, 4.0)
TRUTH_TINT = 0.45
SUBPIXELS = 4
SOFTENING_PX = 0.2  # slopes between pixels come out too flat, and so distances too long
_PADDING = 4  # pixels; a picture pixel is never larger than an image pixel, so the drawn window stays inside
GAMMA = 0.75  # fat outshines the organs: without it they are nearly black


def outline_overlay(
    image: np.ndarray,
    truth: np.ndarray | None = None,
    pred: np.ndarray | None = None,
    upscale: float = 2,
    *,
    spacing_mm: Sequence[float] = SQUARE,
) -> np.ndarray:
    """Draw outlines of truth (dashed, lighter) and prediction (solid) on a grey slice.

    Args:
        image: (H, W), 0 black to 1 white, NaN black; what is outside is clipped. Dark tones are drawn brighter (GAMMA).
        truth: masks (C, H, W), channel c is ORGANS[c]; None draws none.
        pred: the same for the prediction.
        upscale: picture pixels for the shorter side of an image pixel, 1 or more.
        spacing_mm: (row, column[, slice]); uneven spacing stretches the picture to true proportions.

    Returns:
        uint8 (h, w, 3).

    Raises:
        ValueError: shapes do not fit each other, or a number is out of its range.
    """
    _check(image, truth, pred, upscale, spacing_mm)
    scale = _scale(upscale, spacing_mm)
    size = round(image.shape[1] * scale[1]), round(image.shape[0] * scale[0])
    grey = np.clip(np.nan_to_num(np.asarray(image, dtype=np.float32)), 0, 1) ** GAMMA * 255
    picture = Image.fromarray(np.rint(grey).astype(np.uint8)).resize(size, Image.Resampling.BICUBIC).convert("RGB")
    for masks, dashed in ((pred, False), (truth, True)):
        for organ, mask in zip(ORGANS, () if masks is None else masks, strict=masks is not None):
            _draw_outline(picture, mask, scale, rgb=_tinted(organ.rgb) if dashed else organ.rgb, dashed=dashed)
    return np.asarray(picture)


def panel(
    image: np.ndarray,
    truth: np.ndarray | None = None,
    pred: np.ndarray | None = None,
    *,
    title: str = "slice",
    upscale: float = 2,
    spacing_mm: Sequence[float] = SQUARE,
) -> np.ndarray:
    """Set slice, truth and prediction side by side, captions above and the organs' colours below.

    Args:
        image: (H, W), 0 to 1.
        truth: masks (C, H, W); None leaves its part out.
        pred: masks (C, H, W); None leaves its part out.
        title: caption of the slice, such as its id.
        upscale: as for `outline_overlay`.
        spacing_mm: (row, column[, slice]).

    Returns:
        uint8 (h, w, 3).
    """
    parts = {title: outline_overlay(image, upscale=upscale, spacing_mm=spacing_mm)}
    for name, masks in (("truth", truth), ("prediction", pred)):
        if masks is not None:
            parts[name] = outline_overlay(image, pred=masks, upscale=upscale, spacing_mm=spacing_mm)
    return contact_sheet(list(parts.values()), list(parts), columns=len(parts))


def contact_sheet(
    tiles: Sequence[np.ndarray],
    captions: Sequence[str] | None = None,
    *,
    columns: int | None = None,
    legend: bool = True,
    outlines: bool = False,
) -> np.ndarray:
    """Set tiles in rows, each centred in a cell as large as the largest tile.

    Args:
        tiles: uint8 RGB (h, w, 3), at least one; sizes may differ.
        captions: one above each tile; what is too long for its tile is cut.
        columns: tiles in a row; None makes the sheet nearly square.
        legend: name the organs' colours in a line below.
        outlines: say in that line which outline is truth and which prediction.

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
    return np.asarray(with_legend(sheet, outlines=outlines) if legend else sheet)


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


def with_legend(sheet: Image.Image, *, outlines: bool = False) -> Image.Image:
    """Add the organs' colours below, in as many lines as a narrow sheet needs.

    Args:
        sheet: the picture; it is left as it is.
        outlines: also say which outline is truth and which prediction.

    Returns:
        A larger picture.
    """
    entries = [(organ.name.replace("_", " "), organ.rgb, False) for organ in ORGANS]
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


def _check(
    image: np.ndarray,
    truth: np.ndarray | None,
    pred: np.ndarray | None,
    upscale: float,
    spacing_mm: Sequence[float],
) -> None:
    if image.ndim != 2 or 0 in image.shape:
        raise ValueError(f"image: shape {image.shape}, wanted one slice (H, W)")
    for name, masks in (("truth", truth), ("pred", pred)):
        if masks is not None and masks.shape != (len(ORGANS), *image.shape):
            raise ValueError(f"{name}: shape {masks.shape}, wanted {(len(ORGANS), *image.shape)} as the image")
    if upscale < 1:
        raise ValueError(f"upscale: {upscale}, wanted 1 or more")
    if len(spacing_mm) < 2 or not all(0 < step < math.inf for step in spacing_mm[:2]):
        raise ValueError(f"spacing_mm: {tuple(spacing_mm)}, wanted positive (row, column)")


def _scale(upscale: float, spacing_mm: Sequence[float]) -> tuple[float, float]:
    """Picture pixels an image pixel, (row, column); the smaller is `upscale`."""
    row, column = spacing_mm[:2]
    shorter = min(row, column)
    return upscale * row / shorter, upscale * column / shorter


def _tinted(rgb: tuple[int, int, int]) -> tuple[int, int, int]:
    red, green, blue = (round(value + TRUTH_TINT * (255 - value)) for value in rgb)
    return red, green, blue


def _draw_outline(
    picture: Image.Image, mask: np.ndarray, scale: tuple[float, float], *, rgb: tuple[int, int, int], dashed: bool
) -> None:
    """Draw the outline of one mask (H, W) into the picture, in a window around it."""
    rows, columns = (np.flatnonzero(np.any(mask, axis=axis)) for axis in (1, 0))
    if not rows.size:
        return
    window = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    corner = int(rows[0]), int(columns[0])
    left_top, opacity = (_dashed if dashed else _solid)(window, corner, scale)
    picture.paste(rgb, left_top, opacity)


def _solid(
    window: np.ndarray, corner: tuple[int, int], scale: tuple[float, float]
) -> tuple[tuple[int, int], Image.Image]:
    """Where the outline of a window goes, (left, top), and its opacity (L), by the distance to the border."""
    top, left = (math.floor((first - 1) * step) for first, step in zip(corner, scale, strict=True))
    height, width = (math.ceil((size + 2) * step) + 1 for size, step in zip(window.shape, scale, strict=True))
    padded = Image.fromarray(np.pad(window, _PADDING).astype(np.uint8) * 255)
    # What of the padded window lies under the pixels from (left, top) on, in fractions of its own pixels.
    start = left / scale[1] - corner[1] + _PADDING, top / scale[0] - corner[0] + _PADDING
    box = (*start, start[0] + width / scale[1], start[1] + height / scale[0])
    half = np.asarray(padded.resize((width, height), Image.Resampling.BILINEAR, box), np.float32) - 127.5
    slope = np.hypot(*np.gradient(half)) + 1e-3
    distance_px = np.abs(half) / slope
    opacity = np.clip(OUTLINE_WIDTH["solid"] / 2 + 0.5 + SOFTENING_PX - distance_px, 0, 1) * 255
    return (left, top), Image.fromarray(opacity.astype(np.uint8))


def _dashed(
    window: np.ndarray, corner: tuple[int, int], scale: tuple[float, float]
) -> tuple[tuple[int, int], Image.Image]:
    """The same for a dashed outline; smooth by drawing it enlarged."""
    left, top = math.floor(corner[1] * scale[1]) - 2, math.floor(corner[0] * scale[0]) - 2
    size = math.ceil(window.shape[1] * scale[1]) + 5, math.ceil(window.shape[0] * scale[0]) + 5
    enlarged = Image.new("L", (size[0] * SUBPIXELS, size[1] * SUBPIXELS))
    draw = ImageDraw.Draw(enlarged)
    width = round(OUTLINE_WIDTH["dashed"] * SUBPIXELS)
    for contour in find_contours(np.pad(window, 1).astype(np.uint8), 0.5):
        # Centre of pixel i lies at i + 0.5; the padding took one pixel.
        for line in _dashes((contour - 0.5 + corner) * scale):
            xy = ((line[:, ::-1] - [left, top]) * SUBPIXELS).ravel().tolist()
            draw.line(xy, fill=255, width=width, joint="curve")
    return (left, top), enlarged.reduce(SUBPIXELS)


def _dashes(points_yx: np.ndarray) -> Iterator[np.ndarray]:
    """Cut a polyline (N, 2) into dashes of picture pixels, as many as fit its length evenly."""
    along = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(points_yx, axis=0).T))])
    count = max(1, round(along[-1] / sum(DASH_PX)))
    period = along[-1] / count
    for start in np.arange(count) * period:
        inside = np.linspace(start, start + period * DASH_PX[0] / sum(DASH_PX), 6)
        yield np.stack([np.interp(inside, along, points_yx[:, axis]) for axis in (0, 1)], axis=1)
