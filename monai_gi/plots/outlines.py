"""Pictures of slices and frames with outlines: an image and masks (C, H, W) in, uint8 RGB (h, w, 3) out.

Nothing is turned: row = y down, column = x right, so a slice has the patient's right on the left and anterior on top.
Outlines run between pixels. Prediction is solid, truth is dashed and lighter, each class in the colour of its name.
"""

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from PIL import Image, ImageDraw
from skimage.measure import find_contours

from monai_gi.labels import ORGAN_NAMES
from monai_gi.plots.class_colors import color_of

SQUARE = (1.0, 1.0)
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
    classes: Sequence[str] = ORGAN_NAMES,
    colors: Sequence[tuple[int, int, int]] | None = None,
) -> np.ndarray:
    """Draw outlines of truth (dashed, lighter) and prediction (solid) on a grey slice or a colour frame.

    Args:
        image: (H, W), 0 black to 1 white, NaN black; what is outside is clipped. Dark tones are drawn brighter (GAMMA).
            Or a colour frame (H, W, 3), drawn as it is.
        truth: masks (C, H, W), one channel a class; None draws none.
        pred: the same for the prediction.
        upscale: picture pixels for the shorter side of an image pixel, 1 or more.
        spacing_mm: (row, column[, slice]); uneven spacing stretches the picture to true proportions.
        classes: names of the C channels, which decide the colours.
        colors: of the C channels, where their names are not to decide.

    Returns:
        uint8 (h, w, 3).

    Raises:
        ValueError: shapes do not fit each other, or a number is out of its range.
    """
    _check(image, upscale, spacing_mm)
    _check_masks({"truth": truth, "pred": pred}, (len(classes), *image.shape[:2]))
    scale = _scale(upscale, spacing_mm)
    size = round(image.shape[1] * scale[1]), round(image.shape[0] * scale[0])
    tones = np.clip(np.nan_to_num(np.asarray(image, dtype=np.float32)), 0, 1) ** (GAMMA if image.ndim == 2 else 1) * 255
    picture = Image.fromarray(np.rint(tones).astype(np.uint8)).resize(size, Image.Resampling.BICUBIC).convert("RGB")
    palette = [color_of(name) for name in classes] if colors is None else colors
    for masks, dashed in ((pred, False), (truth, True)):
        for rgb, mask in zip(palette, () if masks is None else masks, strict=masks is not None):
            _draw_outline(picture, mask, scale, rgb=_tinted(rgb) if dashed else rgb, dashed=dashed)
    return np.asarray(picture)


def _check(image: np.ndarray, upscale: float, spacing_mm: Sequence[float]) -> None:
    if image.shape[2:] not in ((), (3,)) or image.ndim < 2 or 0 in image.shape:
        raise ValueError(f"image: shape {image.shape}, wanted one slice (H, W) or one frame (H, W, 3)")
    if upscale < 1:
        raise ValueError(f"upscale: {upscale}, wanted 1 or more")
    if len(spacing_mm) < 2 or not all(0 < step < math.inf for step in spacing_mm[:2]):
        raise ValueError(f"spacing_mm: {tuple(spacing_mm)}, wanted positive (row, column)")


def _check_masks(named: Mapping[str, np.ndarray | None], wanted: tuple[int, ...]) -> None:
    for name, masks in named.items():
        if masks is not None and masks.shape != wanted:
            raise ValueError(f"{name}: shape {masks.shape}, wanted {wanted} as the image")


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
