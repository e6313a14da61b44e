"""Geometry of a drawn abdomen in mm: x to the patient's left, y to the back, z to the feet, origin amid the gut.

A `Body` is one case on one day. What a person keeps (build, fat, the course of the gut) comes from the case's random
numbers, what changes from day to day (posture, filling, small shifts) from the day's. The gut lies between z = -95
and z = 95; the sizes are those of a textbook adult, not of any patient.
"""

from dataclasses import dataclass

import numpy as np

from monai_gi.datasets.phantom.shapes import Ellipsoid, Tube
from monai_gi.labels import ORGAN_NAMES

GUT_TOP_MM, GUT_BOTTOM_MM = -95.0, 95.0
# Rows (x, y, z, radius) along each organ, mm.
STOMACH = (
    (56, 24, -62, 24), (56, 12, -52, 31), (52, -14, -38, 31), (42, -40, -18, 27), (20, -54, 0, 23), (-4, -52, 10, 19),
    (-22, -40, 12, 14), (-30, -28, 13, 11),
)  # fmt: skip
LARGE_BOWEL = (
    (-84, 8, 72, 21), (-93, 3, 58, 23), (-96, -2, 40, 22), (-92, -14, 26, 21), (-80, -40, 24, 19),
    (-54, -60, 34, 18), (-18, -68, 46, 18), (18, -68, 44, 18), (54, -60, 32, 17), (84, -42, 6, 16),
    (103, -10, -28, 16), (108, 16, -26, 15), (107, 26, 0, 15), (106, 26, 30, 15), (102, 22, 56, 15), (94, 16, 78, 15),
)  # fmt: skip
DUODENUM = ((-30, -26, 14, 11), (-44, -8, 18, 12), (-44, 8, 34, 12), (-14, 12, 44, 12), (24, 6, 34, 12))
LOOP_LEVELS_MM = (30, 46, 62, 77)
SOLIDS = {
    "liver": (((-66, 0, -46), (72, 86, 76), 0.0), ((-8, -46, -58), (66, 36, 34), -0.15)),
    "spleen": (((100, 34, -48), (26, 46, 44), -0.25),),
    "gallbladder": (((-50, -40, 4), (13, 15, 22), 0.4),),
    "kidney": (((-61, 46, 22), (24, 30, 54), 0.5), ((61, 46, 8), (24, 30, 54), -0.5)),
    "sinus": (((-53, 43, 22), (11, 13, 26), 0.5), ((53, 43, 8), (11, 13, 26), -0.5)),
    "heart": (((28, -24, -166), (62, 50, 62), 0.4),),
    "bladder": (((0, -18, 168), (42, 36, 40), 0.0),),
}
PANCREAS = ((-34, 4, 22, 11), (-12, -4, 12, 9), (18, -4, 2, 9), (52, 12, -8, 9), (80, 26, -16, 8))


@dataclass(frozen=True)
class Body:
    """What there is to draw.

    Attributes:
        build: (x, y) scale of the body below the fat.
        fat_mm: thickness of the subcutaneous fat at the sides.
        belly: how much thicker it is in front, 0 to 1.
        visceral: signal of the fat inside, of that outside.
        turn: radians by which the patient lies turned.
        shift: (x, y, z) of the body from the middle of the scan, mm.
        bend: (8,) amplitudes in mm and phases of the bends of x and y, see `start_canvas`.
        outline: (6,) waves of the skin by angle: amplitudes (relative), then phases.
        arms: (x, y, radius) of each arm that lies beside the body, mm.
        organs: tubes by organ name; an organ that was taken out has none.
        solids: ellipsoids by name.
        pancreas: its tube.
        air_mm: y above which the stomach holds air.
        bright: relative brightness of what each organ holds, by name.
    """

    build: tuple[float, float]
    fat_mm: float
    belly: float
    visceral: float
    turn: float
    shift: tuple[float, float, float]
    bend: np.ndarray
    outline: np.ndarray
    arms: tuple[tuple[float, float, float], ...]
    organs: dict[str, tuple[Tube, ...]]
    solids: dict[str, tuple[Ellipsoid, ...]]
    pancreas: Tube
    air_mm: float
    bright: dict[str, float]


def draw_body(case_rng: np.random.Generator, day_rng: np.random.Generator, absent: str | None = None) -> Body:
    """Draw one case on one day.

    Args:
        case_rng: fresh from the case's seed, the same for each of its days.
        day_rng: fresh from the day's seed.
        absent: name of an organ that was taken out, or None.

    Returns:
        The body; the same person each day, shifted and filled anew.
    """
    gut = {
        "large_bowel": (_large_bowel(case_rng, day_rng),),
        "small_bowel": (_small_bowel(case_rng, day_rng),),
        "stomach": (_stomach(case_rng, day_rng),),
    }
    tall = float(case_rng.uniform(0.96, 1.06))
    return Body(
        build=(float(case_rng.uniform(0.95, 1.12)), tall),
        fat_mm=float(case_rng.uniform(9, 26)),
        belly=float(case_rng.uniform(0, 0.8)),
        visceral=float(case_rng.uniform(0.86, 0.98)),
        turn=float(case_rng.normal(0, 0.02) + day_rng.normal(0, 0.015)),
        shift=_shift(case_rng, day_rng),
        bend=np.concatenate([case_rng.uniform(1, 4, 4), case_rng.uniform(0, 2 * np.pi, 4) + day_rng.normal(0, 0.3, 4)]),
        outline=np.concatenate([case_rng.normal(0, (0.016, 0.012, 0.006)), case_rng.uniform(0, 2 * np.pi, 3)]),
        arms=_arms(case_rng, day_rng),
        organs={name: gut[name] for name in ORGAN_NAMES if name != absent},
        solids=_solids(case_rng, day_rng),
        pancreas=_tube(np.array(PANCREAS, float) + case_rng.normal(0, 1.5, (len(PANCREAS), 4)) * (1, 1, 1, 0.3)),
        air_mm=float(case_rng.uniform(-52, -38) + day_rng.normal(0, 4)),
        bright={name: float(case_rng.uniform(0.8, 1.2) * day_rng.uniform(0.92, 1.08)) for name in ORGAN_NAMES},
    )


def _shift(case_rng: np.random.Generator, day_rng: np.random.Generator) -> tuple[float, float, float]:
    x, y, z = case_rng.normal(0, (7, 6, 4)) + day_rng.normal(0, (4, 3, 3))
    return float(x), float(y), float(z)


def _arms(case_rng: np.random.Generator, day_rng: np.random.Generator) -> tuple[tuple[float, float, float], ...]:
    """Half of the patients hold them beside the body."""
    down, gap = case_rng.random() < 0.5, case_rng.uniform(6, 20, 2)
    lower, radius = case_rng.uniform(20, 60, 2) + day_rng.normal(0, 5, 2), float(case_rng.uniform(28, 37))
    sides = zip((-1, 1), gap, lower, strict=True)
    return tuple((side * (radius + float(away)), float(y), radius) for side, away, y in sides) if down else ()


def _wander(knots: np.ndarray, case_rng: np.random.Generator, day_rng: np.random.Generator) -> np.ndarray:
    """Shift whole rows (x, y, z, radius), then each knot a little: as the case has it, then as the day has it."""
    for rng, whole, single in ((case_rng, (3.5, 3, 4), 2.5), (day_rng, (2.5, 2, 3), 1.5)):
        knots = knots + np.append(rng.normal(0, whole), 0.0)
        knots[:, :3] += rng.normal(0, single, (len(knots), 3))
    return knots


def _stomach(case_rng: np.random.Generator, day_rng: np.random.Generator) -> Tube:
    knots = _wander(np.array(STOMACH, float), case_rng, day_rng)
    knots[:, 3] *= case_rng.uniform(0.85, 1.08) * day_rng.uniform(0.92, 1.06)
    return _tube(knots)


def _large_bowel(case_rng: np.random.Generator, day_rng: np.random.Generator) -> Tube:
    knots = np.array(LARGE_BOWEL, float)
    sag = case_rng.uniform(-8, 8) + day_rng.normal(0, 3)
    knots[5:9, 2] += sag
    knots = _wander(knots, case_rng, day_rng)
    knots[:, 3] *= case_rng.uniform(0.85, 1.12) * day_rng.uniform(0.94, 1.08)
    return _tube(knots, float(case_rng.uniform(0.22, 0.34)), float(case_rng.uniform(24, 30)))


def _small_bowel(case_rng: np.random.Generator, day_rng: np.random.Generator) -> Tube:
    """The duodenum, then loops that sweep from side to side, level by level."""
    rows: list[tuple[float, float, float, float]] = [*DUODENUM]
    wide, phase = case_rng.uniform(48, 58), case_rng.uniform(0, 2 * np.pi)
    radius = case_rng.uniform(10.5, 12.5)
    for level, z in enumerate(LOOP_LEVELS_MM):
        side = 1 if level % 2 == 0 else -1
        for turn in np.linspace(1, -1, 7):
            deep = -14 + 19 * np.sin(phase + 2.4 * level + 4.2 * turn) - 6 * turn**2
            rows.append((side * turn * wide + 4, float(deep), z + 4 * np.sin(3 * turn + level), float(radius)))
    knots = _wander(np.array(rows, float), case_rng, day_rng)
    knots[len(DUODENUM) :, :3] += day_rng.normal(0, 2.5, (len(rows) - len(DUODENUM), 3))
    return _tube(knots, 0.08, 17.0)


def _solids(case_rng: np.random.Generator, day_rng: np.random.Generator) -> dict[str, tuple[Ellipsoid, ...]]:
    """The solid organs; a kidney keeps its sinus within it."""
    shifts = {name: case_rng.normal(0, 2.5, 3) + day_rng.normal(0, 1.5, 3) for name in SOLIDS}
    shifts["sinus"] = shifts["kidney"]
    swell = {name: case_rng.normal(1, 0.04, 3) for name in SOLIDS}
    return {
        name: tuple(
            Ellipsoid(tuple(np.array(centre) + shifts[name]), tuple(np.array(radii) * swell[name]), turn)
            for centre, radii, turn in rows
        )
        for name, rows in SOLIDS.items()
    }


def _tube(knots: np.ndarray, fold_depth: float = 0.0, fold_mm: float = 30.0) -> Tube:
    """A smooth tube through rows (x, y, z, radius), in steps of some 8 mm."""
    at = np.arange(len(knots), dtype=float)
    gap = np.linalg.norm(np.diff(knots[:, :3], axis=0), axis=1)
    dense = np.concatenate([np.linspace(i, i + 1, int(np.ceil(mm / 8)), endpoint=False) for i, mm in enumerate(gap)])
    dense = np.append(dense, at[-1])
    left = np.clip(dense.astype(int), 0, len(knots) - 2)
    t = (dense - left)[:, None]
    slope = np.gradient(knots, axis=0)
    smooth = (
        (1 + 2 * t) * (1 - t) ** 2 * knots[left]
        + t * (1 - t) ** 2 * slope[left]
        + t**2 * (3 - 2 * t) * knots[left + 1]
        + t**2 * (t - 1) * slope[left + 1]
    )
    return Tube(smooth[:, :3], np.maximum(smooth[:, 3], 4.0), fold_depth, fold_mm)
