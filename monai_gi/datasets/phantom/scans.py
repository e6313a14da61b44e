"""Which scans a drawn UW-Madison set has, and their voxels: images (N, H, W), masks (N, C, H, W), slices to the feet.

Cases and days are counted from 0 here; their numbers in names look like the real ones, but start at 201.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from monai_gi.datasets.phantom.anatomy import GUT_BOTTOM_MM, GUT_TOP_MM, draw_body
from monai_gi.datasets.phantom.canvas import start_canvas
from monai_gi.datasets.phantom.mri import Mottle, Scanner, measure, store
from monai_gi.datasets.phantom.organs import paint_gut, paint_solids
from monai_gi.datasets.phantom.torso import paint_torso
from monai_gi.labels import ORGAN_NAMES

SLICE_SPACING_MM = 3.0
# A short scan shows the gut and an eighth more on either side.
SHORT_SCAN_SHARE = 1.25
# The 16-bit maxima seen in five original files.
MAXIMA = (604, 12920, 4997, 125, 10081)
# One case in four has had an organ taken out, from the fourth on, each organ in turn.
ABSENT_EVERY = 4
# The real cases have numbers to 156: no drawn scan is to be taken for one of them.
FIRST_CASE_NUMBER, CASE_NUMBERS = 201, 156
DAYS = 36


class Format(NamedTuple):
    """A kind of scan in the real set.

    Attributes:
        width: W in pixels.
        height: H in pixels.
        spacing_mm: of a square pixel.
        slices: of a whole scan.
        middle_mm: height of its middle, 0 amid the gut: contours lie where they lie in real scans.
    """

    width: int
    height: int
    spacing_mm: float
    slices: int
    middle_mm: float


USUAL = Format(266, 266, 1.5, 144, -30.0)
WIDE = Format(360, 310, 1.5, 144, -30.0)
COARSE = Format(276, 276, 1.63, 80, 15.0)
SMALL = Format(234, 234, 1.5, 144, -30.0)


class Scan(NamedTuple):
    """One scan to draw.

    Attributes:
        folder: of its slices.
        id: as in `case201_day0`.
        case: counted from 0.
        day: counted from 0 within the case.
        seed: of the data set.
        format: size and spacing.
        z_mm: height of each slice.
    """

    folder: Path
    id: str
    case: int
    day: int
    seed: int
    format: Format
    z_mm: tuple[float, ...]


def plan_case(folder: Path, case: int, counts: tuple[int, int, int], slices: int | None) -> list[Scan]:
    """The scans of one case.

    Args:
        folder: `train/` or `test/`.
        case: counted from 0.
        counts: number of cases and of days, and the seed of the data set.
        slices: of each scan; None draws whole scans.

    Returns:
        One scan a day, by day.
    """
    cases, days, seed = counts
    numbers = FIRST_CASE_NUMBER + np.random.default_rng((seed, 0, 0, 4)).permutation(max(CASE_NUMBERS, 2 * cases))
    name = f"case{numbers[case]}"
    day_numbers = np.random.default_rng((seed, case, 0, 3)).permutation(max(DAYS, 2 * days))[:days]
    scans = []
    for day, number in enumerate(sorted(day_numbers)):
        scan_id, kind = f"{name}_day{number}", scan_format(case, day)
        z_mm = _heights(slices or kind.slices, kind if slices is None else None)
        scans.append(Scan(folder / name / scan_id / "scans", scan_id, case, day, seed, kind, z_mm))
    return scans


def scan_format(case: int, day: int) -> Format:
    """Size and spacing of one scan, both counted from 0: close to the real mix, every kind early."""
    if case % 60 == 59:
        return SMALL
    if case % 3 == 1:
        return WIDE
    # As in the real set, a case may be scanned in two ways.
    return COARSE if case % 10 == 3 and day == 0 else USUAL


def absent_organ(case: int) -> str | None:
    """Name of the organ that a case, counted from 0, lacks; None where it has all."""
    return None if (case + 1) % ABSENT_EVERY else ORGAN_NAMES[case // ABSENT_EVERY % len(ORGAN_NAMES)]


def draw_scan(scan: Scan, stopped: Callable[[], bool] = lambda: False) -> tuple[np.ndarray, np.ndarray] | None:
    """Draw one scan.

    Args:
        scan: what to draw; equal scans give equal bytes.
        stopped: asked before each slice whether to give up.

    Returns:
        Images (N, H, W) uint16 and masks (N, C, H, W) bool, channels as in labels.ORGANS; None when given up.
    """
    of_case = np.random.default_rng((scan.seed, scan.case, 0, 0))
    of_day = np.random.default_rng((scan.seed, scan.case, scan.day, 1))
    body = draw_body(of_case, of_day, absent_organ(scan.case))
    rng = np.random.default_rng((scan.seed, scan.case, scan.day, 2))
    scanner = Scanner(
        width=scan.format.width,
        height=scan.format.height,
        spacing_mm=scan.format.spacing_mm,
        maximum=MAXIMA[(scan.case + scan.day) % len(MAXIMA)],
        noise=float(rng.uniform(0.012, 0.03)),
        tilt=(float(rng.uniform(-0.12, 0.12)), float(rng.uniform(-0.12, 0.12))),
        near=float(rng.uniform(0, 0.3)),
    )
    mottles = (Mottle(rng, 0.9), Mottle(rng, 2.6))
    seen, masks = [], []
    for z_mm in scan.z_mm:
        if stopped():
            return None
        canvas = start_canvas(body, scanner, z_mm, mottles)
        paint_torso(canvas, body)
        paint_solids(canvas, body)
        masks.append(paint_gut(canvas, body))
        seen.append(measure(canvas.signal, scanner, rng))
    return store(np.stack(seen), scanner.maximum), np.stack(masks)


def short_scan_spacing_mm(slices: int) -> float:
    """Distance between the slices of a scan of so few that they are spread over the gut, mm; 3 for many."""
    return max(SLICE_SPACING_MM, SHORT_SCAN_SHARE * (GUT_BOTTOM_MM - GUT_TOP_MM) / slices)


def _heights(count: int, whole: Format | None) -> tuple[float, ...]:
    """Where the slices lie, mm: those of a whole scan, or of one that shows the gut."""
    middle = whole.middle_mm if whole else (GUT_TOP_MM + GUT_BOTTOM_MM) / 2
    step = SLICE_SPACING_MM if whole else short_scan_spacing_mm(count)
    return tuple((middle + (np.arange(count) - (count - 1) / 2) * step).tolist())
