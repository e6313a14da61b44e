"""Geometry of a drawn abdomen in mm: x to the patient's left, y to the back, z to the feet, origin mid-body at z = 0.

One `Anatomy` is one case; `on_day` shifts and bends it as the days between scans do. Organs are tubes: points with
radii, so that they continue through the slices. Sizes after the textbook adult (ICRP 89), not after any patient.
"""

from dataclasses import dataclass, field, replace

import numpy as np

from monai_gi.labels import ORGAN_NAMES

POINT_STEP_MM = 4.0
# Where the gut lies along z, within a scan of 432 mm; the middle slices of a short scan cover it.
GUT_TOP_MM, GUT_BOTTOM_MM = 95.0, 385.0


@dataclass(frozen=True)
class Tube:
    """A union of spheres along a curve.

    Attributes:
        points: (N, 3) float64, x, y, z in mm.
        radius: (N,) float64, mm.
    """

    points: np.ndarray
    radius: np.ndarray

    def moved(self, shift: np.ndarray, scale: float) -> "Tube":
        """The tube shifted by (x, y, z) mm with its radii scaled."""
        return Tube(self.points + shift, self.radius * scale)


@dataclass(frozen=True)
class Anatomy:
    """What is drawn of one case on one day.

    Attributes:
        half_width: of the body, mm.
        half_depth: of the body, mm.
        fat: thickness of the subcutaneous fat, mm.
        arms: whether the arms lie beside the body.
        organs: tubes by organ name; an absent organ has no entry.
        solids: ellipsoids by name, rows (x, y, z, rx, ry, rz) in mm.
        air_level: height of fluid in the stomach, mm of y: air lies in front of it.
        sway: (2,) mm, how the whole trunk lies off the middle of the image.
        bends: (M, 6), waves that bend space so that nothing is a perfect ellipse: amplitude in mm along x and y,
            wave numbers along x, y and z in 1/mm, and phase.
    """

    half_width: float
    half_depth: float
    fat: float
    arms: bool
    organs: dict[str, tuple[Tube, ...]]
    solids: dict[str, np.ndarray] = field(default_factory=dict)
    air_level: float = -60.0
    sway: tuple[float, float] = (0.0, 0.0)
    bends: np.ndarray = field(default_factory=lambda: np.zeros((0, 6)))

    def on_day(self, rng: np.random.Generator) -> "Anatomy":
        """The same person on another day: organs shift by millimetres, fill and empty; bones stay."""
        organs = {
            name: tuple(tube.moved(rng.normal(0, (4, 3, 5)), rng.uniform(0.88, 1.1)) for tube in tubes)
            for name, tubes in self.organs.items()
        }
        sway = (float(rng.normal(0, 4)), float(rng.normal(0, 3)))
        return replace(self, organs=organs, air_level=self.air_level + float(rng.normal(0, 5)), sway=sway)


def draw_anatomy(rng: np.random.Generator, absent: str | None = None) -> Anatomy:
    """Draw one case.

    Args:
        rng: decides everything.
        absent: name of an organ that was taken out, or None.

    Returns:
        A case before its first day.
    """
    build = rng.uniform(0.88, 1.08)
    organs = {"large_bowel": _large_bowel(rng, build), "small_bowel": _small_bowel(rng, build)}
    organs["stomach"] = _stomach(rng, build)
    return Anatomy(
        half_width=164 * build,
        half_depth=114 * build * rng.uniform(0.95, 1.08),
        fat=rng.uniform(10, 24),
        arms=bool(rng.random() < 0.3),
        organs={name: organs[name] for name in ORGAN_NAMES if name != absent},
        solids=_solids(rng, build),
        air_level=float(rng.uniform(-72, -55)),
        bends=_bends(rng),
    )


def _bends(rng: np.random.Generator) -> np.ndarray:
    count = 7
    wave = 2 * np.pi / rng.uniform(120, 300, (count, 3)) * rng.choice([-1, 1], (count, 3))
    return np.concatenate([rng.normal(0, 1.9, (count, 2)), wave, rng.uniform(0, 2 * np.pi, (count, 1))], axis=1)


def _curve(knots: list[tuple[float, float, float]], rng: np.random.Generator, jitter_mm: float) -> np.ndarray:
    """Points every POINT_STEP_MM along a smooth curve through jittered knots: (N, 3)."""
    knots_mm = np.asarray(knots, dtype=float) + rng.normal(0, jitter_mm, (len(knots), 3))
    at = np.arange(len(knots), dtype=float)
    dense = np.linspace(0, len(knots) - 1, 40 * len(knots))
    smooth = np.stack([_hermite(at, knots_mm[:, axis], dense) for axis in range(3)], axis=1)
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(smooth, axis=0), axis=1))])
    even = np.arange(0, length[-1], POINT_STEP_MM)
    return np.stack([np.interp(even, length, smooth[:, axis]) for axis in range(3)], axis=1)


def _hermite(at: np.ndarray, value: np.ndarray, dense: np.ndarray) -> np.ndarray:
    """Cubic through the knots with central slopes (Catmull and Rom)."""
    slope = np.gradient(value, at)
    left = np.clip(dense.astype(int), 0, len(at) - 2)
    t = dense - left
    return (
        (1 + 2 * t) * (1 - t) ** 2 * value[left]
        + t * (1 - t) ** 2 * slope[left]
        + t**2 * (3 - 2 * t) * value[left + 1]
        + t**2 * (t - 1) * slope[left + 1]
    )


def _stomach(rng: np.random.Generator, build: float) -> tuple[Tube, ...]:
    knots = [(62, 5, 110), (68, -12, 150), (62, -32, 190), (38, -52, 218), (4, -58, 228), (-24, -46, 226)]
    points = _curve([(x * build, y * build, z) for x, y, z in knots], rng, 4)
    along = np.linspace(0, 1, len(points))
    radius = np.interp(along, [0, 0.1, 0.45, 0.75, 1], [14, 27, 30, 22, 13]) * rng.uniform(0.9, 1.15)
    return (Tube(points, radius),)


def _large_bowel(rng: np.random.Generator, build: float) -> tuple[Tube, ...]:
    """Ascending on the right, transverse in front, descending on the left, with haustra."""
    right = [(-104, 8, 385), (-112, 2, 340), (-112, 0, 290), (-106, -12, 245)]
    front = [(-88, -48, 238), (-45, -72, 262), (0, -76, 270), (48, -72, 252), (92, -44, 208)]
    left = [(112, 2, 182), (114, 14, 235), (113, 14, 290), (108, 14, 340), (98, 10, 385)]
    points = _curve([(x * build, y * build, z) for x, y, z in right + front + left], rng, 5)
    along = np.arange(len(points)) * POINT_STEP_MM
    haustra = 1 + 0.16 * np.abs(np.sin(np.pi * along / rng.uniform(26, 34)))
    caliber = np.interp(np.linspace(0, 1, len(points)), [0, 0.4, 0.7, 1], [21, 18, 16, 14])
    return (Tube(points, caliber * haustra * rng.uniform(0.9, 1.1)),)


def _small_bowel(rng: np.random.Generator, build: float) -> tuple[Tube, ...]:
    """Loops that wander through the middle, level by level."""
    knots = []
    for level, z in enumerate(np.arange(262, 372, 17)):
        side = 1 if level % 2 else -1
        for turn in np.linspace(-1, 1, 4):
            deep = rng.uniform(-44, 18)
            knots.append((side * turn * rng.uniform(52, 72) * build, deep * build, z + 8 * turn))
    duodenum = [(-30, -36, 232), (-44, -4, 246), (-30, 14, 262)]
    points = _curve(duodenum + knots, rng, 4)
    return (Tube(points, rng.uniform(11.5, 14.0) * (1 + 0.1 * np.sin(np.arange(len(points)) * POINT_STEP_MM / 15))),)


def _solids(rng: np.random.Generator, build: float) -> dict[str, np.ndarray]:
    rows = {
        "liver": [(-62, -8, 150, 78, 76, 92), (-6, -38, 130, 62, 40, 50)],
        "spleen": [(98, 34, 142, 27, 40, 50)],
        "kidney": [(-62, 48, 246, 26, 30, 56), (62, 46, 232, 26, 30, 56)],
        "sinus": [(-56, 44, 246, 9, 12, 26), (56, 42, 232, 9, 12, 26)],
    }
    jitter = {name: rng.normal(0, 4, (len(list_), 6)) for name, list_ in rows.items()}
    return {
        name: np.asarray(list_, dtype=float) * [build, build, 1, build, build, 1] + jitter[name]
        for name, list_ in rows.items()
    }
