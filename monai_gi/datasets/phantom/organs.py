"""The organs of the abdomen on one slice: solid ones, then the gut with its masks (C, H, W), row-major.

A pixel belongs to an organ when its centre lies inside its outer wall; masks overlap where organs press on each other.
Each part of the gut looks its own way: dark mottled stool, feathery folds, air over fluid.
"""

import numpy as np
from scipy import ndimage

from monai_gi.datasets.phantom.anatomy import Body
from monai_gi.datasets.phantom.canvas import TISSUE, Canvas
from monai_gi.datasets.phantom.shapes import FAR_MM, Window, inner_window
from monai_gi.labels import ORGAN_NAMES

# A contour of less is not drawn by hand: the very end of a loop is left out, some 1 cm2 in the patient.
SMALLEST_REGION_PX = 36
ABOVE_DIAPHRAGM = ("heart",)


def paint_solids(canvas: Canvas, body: Body) -> None:
    """Paint liver, spleen, kidneys and the others that are not asked for."""
    for name, ellipsoids in body.solids.items():
        pieces = [piece for piece in (ellipsoid.depth(canvas.plane) for ellipsoid in ellipsoids) if piece]
        if pieces:
            window, depth = _union(pieces)
            depth = np.minimum(depth, canvas.cavity[window] - 2)
            if name not in ABOVE_DIAPHRAGM:
                depth = np.minimum(depth, canvas.dome[window])
            canvas.paint_rimmed(window, depth, _solid_signal(canvas, name, window, depth))
    found = body.pancreas.depth(canvas.plane)
    if found:
        window, depth, _ = found
        canvas.paint(window, depth, TISSUE["pancreas"] + 0.10 * canvas.fine[window])


def _union(pieces: list[tuple[Window, np.ndarray]]) -> tuple[Window, np.ndarray]:
    """One window and depth for several shapes that grow together."""
    window: Window = (
        slice(min(w[0].start for w, _ in pieces), max(w[0].stop for w, _ in pieces)),
        slice(min(w[1].start for w, _ in pieces), max(w[1].stop for w, _ in pieces)),
    )
    depth = np.full([side.stop - side.start for side in window], FAR_MM, np.float32)
    for part, piece in pieces:
        area = depth[inner_window(part, window)]
        np.maximum(area, piece, out=area)
    return window, depth


def _solid_signal(canvas: Canvas, name: str, window: Window, depth: np.ndarray) -> np.ndarray:
    fine, coarse = canvas.fine[window], canvas.coarse[window]
    if name == "liver":
        vessels = np.clip(coarse - 1.3, 0, 0.8) * (depth > 8)
        return TISSUE[name] + 0.02 * fine + 0.16 * vessels
    if name == "kidney":
        pyramids = (depth > 7) * np.clip(0.6 * coarse, -1, 1)
        return TISSUE[name] + 0.02 * fine - 0.05 * pyramids
    if name == "heart":
        return TISSUE[name] + 0.02 * fine + 0.22 * np.clip(0.5 * coarse + 0.6, 0, 1) * np.clip((depth - 9) / 2, 0, 1)
    if name == "sinus":
        return TISSUE[name] + 0.12 * fine
    return TISSUE[name] + 0.02 * fine


def paint_gut(canvas: Canvas, body: Body) -> np.ndarray:
    """Paint the organs asked for.

    Args:
        canvas: with the torso and the solid organs.
        body: whose gut.

    Returns:
        Masks (C, H, W) bool, channels as in labels.ORGANS; an absent organ is empty.
    """
    masks = np.zeros((len(ORGAN_NAMES), *canvas.signal.shape), bool)
    for mask, name in zip(masks, ORGAN_NAMES, strict=True):
        for tube in body.organs.get(name, ()):
            found = tube.depth(canvas.plane)
            if found:
                window, depth, along = found
                depth = np.minimum(depth, canvas.cavity[window] - 1.5)
                canvas.paint_rimmed(window, depth, TISSUE["wall"] + 0.03 * canvas.fine[window])
                thick = 2.2 if name != "stomach" else 3.0 + 0.8 * canvas.coarse[window]
                canvas.paint(window, depth - thick, _content(canvas, body, name, (window, along)))
                mask[window] |= _without_specks(depth >= 0)
    return masks


def _content(canvas: Canvas, body: Body, name: str, at: tuple[Window, np.ndarray]) -> np.ndarray:
    """Signal (h, w) of what an organ holds."""
    window, along = at
    fine, coarse = canvas.fine[window], canvas.coarse[window]
    if name == "large_bowel":
        return 0.05 + body.bright[name] * 0.13 * np.clip(0.55 + 0.7 * coarse + 0.35 * fine, 0, 2)
    if name == "small_bowel":
        folds = np.cos(along * (2 * np.pi / 8.5) + 1.2 * coarse)
        return body.bright[name] * (0.42 + 0.06 * folds + 0.06 * coarse + 0.04 * fine)
    _, y = canvas.plane.coordinates(window)
    air = canvas.plane.coverage(body.air_mm - y)
    fluid = body.bright[name] * (0.46 + 0.05 * coarse)
    return fluid + air * (0.04 - fluid)


def _without_specks(inside: np.ndarray) -> np.ndarray:
    """The mask without regions too small to contour."""
    regions, count = ndimage.label(inside)
    if count == 0:
        return inside
    large = np.bincount(regions.ravel()) >= SMALLEST_REGION_PX
    large[0] = False
    return large[regions]
