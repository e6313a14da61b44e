"""Everything of the trunk but the organs in it: skin, fat, wall, lungs, spine, back and hip, great vessels, arms.

The trunk's surfaces are star-shaped about the body's axis: a table of their radius by angle serves every pixel.
Body coordinates as in shapes.py.
"""

import numpy as np

from monai_gi.datasets.phantom.anatomy import Body
from monai_gi.datasets.phantom.canvas import TISSUE, Canvas
from monai_gi.datasets.phantom.shapes import Ellipsoid, Window

ANGLES = 2048
BACK_MM = 119.0
DISC_MM = 34.0


def paint_torso(canvas: Canvas, body: Body) -> None:
    """Paint the trunk, and set the canvas's cavity and dome.

    Args:
        canvas: of signal 0.
        body: whose trunk.
    """
    x, y = canvas.plane.coordinates(canvas.plane.whole)
    angle = np.arctan2(y, x)
    place = ((angle + np.pi) * (ANGLES / (2 * np.pi))).astype(np.int16) % ANGLES
    radius = np.sqrt(x * x + y * y)
    skin, wall, cavity = (table[place] - radius for table in _surfaces(body, canvas.plane.z_mm))
    canvas.cavity = cavity
    canvas.dome = _dome(x, y, canvas.plane.z_mm)
    _paint_arms(canvas, body, float(_surfaces(body, canvas.plane.z_mm)[0][ANGLES // 2]))
    _paint_wall(canvas, body, (skin, wall, cavity), angle)
    _paint_lungs(canvas)
    _paint_back(canvas)
    _paint_spine(canvas)
    _paint_pelvis(canvas)
    for name, at, radii in (("aorta", (10, 31), (9, 9)), ("vena_cava", (-20, 32), (12, 9))):
        canvas.ellipse(*at, (radii[0] + 1.5, radii[1] + 1.5), 0.14)
        canvas.ellipse(*at, radii, TISSUE[name])


def _surfaces(body: Body, z_mm: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Radius of skin, of the muscular wall and of the cavity by angle from -pi: (ANGLES,) float32 each, mm."""
    angle = np.linspace(-np.pi, np.pi, ANGLES, endpoint=False)
    across, front = np.cos(angle), np.clip(-np.sin(angle), 0, 1)
    back = np.clip(np.sin(angle), 0, 1)
    chest, hip = np.clip((-95 - z_mm) / 150, 0, 1), np.clip((z_mm - 80) / 100, 0, 1)
    wide = 137 * (1 - 0.10 * chest**2 + 0.03 * hip)
    deep = np.where(front > 0, 97 * (1 + 0.05 * chest - 0.12 * hip), 106)
    wall = (np.abs(across / wide) ** 2.3 + np.abs(np.sin(angle) / deep) ** 2.3) ** (-1 / 2.3)
    wall *= 1 + body.outline[:3] @ np.sin(np.outer((2, 3, 5), angle) + body.outline[3:, None])
    straight = np.exp(-(((np.abs(across) * wall - 30) / 20) ** 2)) * (front > 0.3)
    cavity = wall - (6 + 6 * across**2 + 5 * straight)
    groove = np.exp(-((across / 0.16) ** 2)) * back
    fat = body.fat_mm * (0.75 + body.belly * front**2 + 0.5 * (1 + hip) * back * np.abs(across)) * (1 - 0.5 * groove)
    skin = wall + fat + 2
    # The patient lies on a flat couch.
    skin = np.minimum(skin, BACK_MM / np.maximum(back, 1e-3))
    wall = np.minimum(wall, skin - 5)
    return skin.astype(np.float32), wall.astype(np.float32), cavity.astype(np.float32)


def _dome(x: np.ndarray, y: np.ndarray, z_mm: float) -> np.ndarray:
    """Depth below the diaphragm, mm: two domes, the right one higher, that reach far down behind."""
    sag = np.where(y > 0, 34, 8) * (y / 78) ** 2
    right = -102 + np.where(x < -58, 34, 9) * ((x + 58) / 64) ** 2
    left = -92 + np.where(x > 62, 38, 7) * ((x - 62) / 60) ** 2
    return 0.7 * (z_mm - np.minimum(np.minimum(right, left) + sag, -8))


def _paint_arms(canvas: Canvas, body: Body, half_width: float) -> None:
    for offset, y, radius in body.arms:
        x = offset + np.copysign(half_width, offset)
        canvas.ellipse(x, y, (radius, radius), TISSUE["fat"])
        canvas.ellipse(x, y + 1, (radius * 0.76, radius * 0.8), TISSUE["muscle"])
        canvas.ellipse(x - 5, y + 4, (9, 8), TISSUE["cortex"])
        canvas.ellipse(x - 5, y + 4, (5.5, 5), TISSUE["fat"])


def _paint_wall(
    canvas: Canvas, body: Body, depths: tuple[np.ndarray, np.ndarray, np.ndarray], angle: np.ndarray
) -> None:
    """Skin, fat under it, the layers of the wall (ribs in the chest), and the fat inside."""
    skin, wall, cavity = depths
    whole, z_mm = canvas.plane.whole, canvas.plane.z_mm
    canvas.paint(whole, skin, TISSUE["skin"])
    canvas.paint(whole, skin - 1.8, TISSUE["fat"] * (1 + 0.025 * canvas.coarse))
    layers = TISSUE["muscle"] + 0.16 * np.maximum(np.cos(wall * (2 * np.pi / 4.6) + 1.2), 0) ** 2
    if z_mm < 20:
        rib = np.clip(4 * np.sin(13 * angle + z_mm / 11) - 2, 0, 1) * np.clip((20 - z_mm) / 20, 0, 1)
        layers += rib * (TISSUE["marrow"] - layers) * (np.abs(wall - cavity / 2 - 4) < 5)
    canvas.paint(whole, wall, layers + 0.03 * canvas.fine)
    inside = body.visceral * TISSUE["fat"] * (1 + 0.03 * canvas.coarse)
    strands = np.exp(-((canvas.coarse / 0.16) ** 2)) * np.clip(canvas.fine, 0, 1)
    canvas.paint(whole, cavity, inside - 0.22 * strands)


def _paint_lungs(canvas: Canvas) -> None:
    """Air above the diaphragm, with vessels, and the mediastinum between the lungs."""
    z_mm = canvas.plane.z_mm
    if z_mm < 0:
        lung = np.minimum(canvas.cavity - 1.5, -1.0 - canvas.dome)
        canvas.paint(canvas.plane.whole, lung, TISSUE["lung"] + 0.10 * np.clip(canvas.fine - 1.6, 0, 1.5))
        high = float(np.clip((-60 - z_mm) / 40, 0, 1))
        if high > 0:
            canvas.ellipse(4, 20, (24 * high + 4, 44 * high + 4), TISSUE["fat"] * 0.7)
            canvas.ellipse(16, -62, (34 * high, 30 * high), TISSUE["fat"] * 0.7)
            canvas.ellipse(-2, 14, (7, 6), TISSUE["wall"])


def _paint_back(canvas: Canvas) -> None:
    """Muscles of the back and along the spine, with strands of fat."""
    plane = canvas.plane
    lower = float(np.clip((plane.z_mm + 35) / 90, 0, 1))
    for side in (-1, 1):
        shapes: list[tuple[float, float, float, float, float]] = [
            (side * 32, 87, 27, 19, 0.0),
            (side * 66, 78, 16, 11, side * -0.6),
        ]
        if lower > 0:
            shapes.append((side * (30 + 8 * lower), 56 - 6 * lower, 8 + 10 * lower, 12 + 8 * lower, 0.0))
        for x, y, rx, ry, turn in shapes:
            found = _flat(canvas, (x, y), (rx, ry), turn)
            if found:
                window, depth = found
                strand = np.clip(canvas.fine[window] + 0.5 * canvas.coarse[window] - 1.0, 0, 1)
                back = 0.40 if y > 80 else 0.12
                canvas.paint_rimmed(window, depth, TISSUE["muscle"] + back * strand + 0.02 * canvas.fine[window])


def _paint_spine(canvas: Canvas) -> None:
    """Vertebrae and discs in turn, canal with cord, arch and spinous process."""
    place = (canvas.plane.z_mm / DISC_MM) % 1
    disc = float(np.clip(6 * (0.16 - abs(place - 0.5)), 0, 1))
    waist = 1 - 0.10 * float(np.cos(2 * np.pi * (place - 0.5)) < 0)
    for side in (-1, 1):
        canvas.ellipse(side * 20, 86, (17, 4.5), TISSUE["cortex"], side * -0.35)
        canvas.ellipse(side * 20, 86, (15, 2.5), TISSUE["marrow"], side * -0.35)
    canvas.ellipse(0, 100, (5, 14), TISSUE["cortex"])
    canvas.ellipse(0, 100, (3, 12), TISSUE["marrow"])
    found = _flat(canvas, (0, 58), (24 * waist, 19 * waist), 0.0)
    if found:
        window, depth = found
        inner = TISSUE["marrow"] * (1 - disc) + TISSUE["disc"] * disc
        canvas.paint(window, depth, TISSUE["cortex"])
        canvas.paint(window, depth - 2.2, inner + 0.05 * canvas.fine[window])
    canvas.ellipse(0, 83, (12, 10), TISSUE["cortex"])
    canvas.ellipse(0, 83, (9.5, 8), TISSUE["cerebrospinal_fluid"])
    canvas.ellipse(0, 84, (4.5, 3.5), TISSUE["cord"])


def _paint_pelvis(canvas: Canvas) -> None:
    """Wings of the hip bone and the muscles on both their sides, below the gut."""
    grown = float(np.clip((canvas.plane.z_mm - 92) / 40, 0, 1))
    if grown > 0:
        for side in (-1, 1):
            canvas.ellipse(side * 88, 62, (46 * grown, 22 * grown), TISSUE["muscle"], side * -0.9)
            canvas.ellipse(side * 94, 34, (40 * grown, 7), TISSUE["cortex"], side * -0.9)
            canvas.ellipse(side * 94, 34, (37 * grown, 4.5), TISSUE["marrow"] * 1.2, side * -0.9)
            canvas.ellipse(side * 78, 24, (30 * grown, 10 * grown), TISSUE["muscle"], side * -0.9)


def _flat(
    canvas: Canvas, at: tuple[float, float], radii: tuple[float, float], turn: float
) -> tuple[Window, np.ndarray] | None:
    """Window and depth of an ellipse that is the same on every slice."""
    return Ellipsoid((*at, canvas.plane.z_mm), (*radii, 1.0), turn).depth(canvas.plane)
