"""Scoring: 95 % Hausdorff distance and surface Dice in mm, ours against MONAI's two metrics on the same drawn scans.

    python benchmarks/scoring.py --scans 50

Each scan is 144 slices of 266 x 266 with three organs (about the volumes of real ones) and a prediction whose surface
wanders off the truth by `--error-mm` (standard deviation). Both sides run in this process, one thread each, in turns;
the numbers must agree before a ratio is printed. `score_scan`, which adds every other score, is timed beside them.
"""

import argparse
import statistics
import time
import warnings
from collections.abc import Callable

import numpy as np
import torch
from monai.metrics import HausdorffDistanceMetric, SurfaceDiceMetric
from scipy import ndimage

from monai_gi.metrics import score_scan, surface_scores

SHAPE = (266, 266, 144)
SPACING_MM = (1.5, 1.5, 3.0)
ORGANS = (  # centre and half axes in voxels, how ragged: coils of bowel are, a stomach is not
    ((110, 130, 85), (70, 75, 35), 0.6),
    ((130, 150, 75), (45, 50, 25), 0.4),
    ((95, 100, 40), (35, 45, 22), 0.1),
)


def smooth_noise(random: np.random.Generator) -> np.ndarray:
    """Draw noise (H, W, D) that changes over about 12 mm, standard deviation 1."""
    coarse = random.normal(size=[size // 4 + 2 for size in SHAPE])
    fine = ndimage.zoom(ndimage.gaussian_filter(coarse, 1.5), 4, order=1)[tuple(map(slice, SHAPE))]
    return fine / fine.std()


def draw_scan(seed: int, error_mm: float) -> tuple[np.ndarray, np.ndarray]:
    """Draw prediction and truth (3, H, W, D)."""
    random = np.random.default_rng(seed)
    grid = np.ogrid[tuple(map(slice, SHAPE))]
    truth, pred = np.zeros((2, 3, *SHAPE), dtype=bool)
    for organ, (centre, half_axes, ragged) in enumerate(ORGANS):
        parts = (((axis - c) / h) ** 2 for axis, c, h in zip(grid, centre, half_axes, strict=True))
        radius = np.sqrt(sum(parts, np.zeros(SHAPE)))
        truth[organ] = (1 - radius + ragged * smooth_noise(random) > 0.7 * ragged) & (radius < 1)
        inside = ndimage.distance_transform_edt(truth[organ], sampling=SPACING_MM)
        outside = ndimage.distance_transform_edt(~truth[organ], sampling=SPACING_MM)
        pred[organ] = inside - outside + error_mm * smooth_noise(random) > 0
    return pred, truth


def ours(pred: np.ndarray, truth: np.ndarray, tolerance_mm: float) -> np.ndarray:
    """Give (2, 3): distances and surface Dice of each organ."""
    pairs = zip(pred, truth, strict=True)
    return np.array([surface_scores(p, t, SPACING_MM, tolerance_mm=tolerance_mm) for p, t in pairs]).T


def monais(pred: np.ndarray, truth: np.ndarray, tolerance_mm: float) -> np.ndarray:
    """Give the same by MONAI's metrics as they come."""
    batch = torch.from_numpy(pred)[None], torch.from_numpy(truth)[None]
    hausdorff = HausdorffDistanceMetric(include_background=True, percentile=95, reduction="none")
    dice = SurfaceDiceMetric([tolerance_mm] * len(pred), include_background=True, reduction="none")
    return np.stack([metric(*batch, spacing=SPACING_MM)[0].numpy() for metric in (hausdorff, dice)])


def everything(pred: np.ndarray, truth: np.ndarray, tolerance_mm: float) -> object:
    """Score the scan as evaluation does."""
    ids = [str(index) for index in range(SHAPE[2])]
    return score_scan("scan", "case", pred, truth, spacing_mm=SPACING_MM, slice_ids=ids, tolerance_mm=tolerance_mm)


def timed(score: Callable[..., object], *arguments: object) -> tuple[float, object]:
    """Give seconds and result."""
    start = time.perf_counter()
    result = score(*arguments)
    return time.perf_counter() - start, result


def main() -> None:
    """Time both sides on every scan and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scans", type=int, default=5)
    parser.add_argument("--error-mm", type=float, nargs="+", default=[2.0, 6.0], help="one run for each")
    parser.add_argument("--tolerance-mm", type=float, default=3.0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", message=".*always_return_as_numpy.*")
    for error_mm in options.error_mm:
        rows, largest = [], 0.0
        for seed in range(options.scans):
            scan = (*draw_scan(seed, error_mm), options.tolerance_mm)
            if seed == 0:
                monais(*scan)
            monai_seconds, theirs = timed(monais, *scan)
            our_seconds, mine = timed(ours, *scan)
            all_seconds, _ = timed(everything, *scan)
            largest = max(largest, float(np.abs(np.asarray(mine) - np.asarray(theirs)).max()))
            rows.append((monai_seconds, our_seconds, all_seconds, monai_seconds / our_seconds))
        if not largest <= 1e-6:
            raise SystemExit(f"the numbers differ by {largest:.2g}: no ratio")
        monai_s, our_s, all_s, ratio = (statistics.median(column) for column in zip(*rows, strict=True))
        slowest = min(row[3] for row in rows)
        print(f"{options.scans} scans, surface error {error_mm:g} mm, equal to {largest:.1g}; median seconds a scan:")
        print(f"  MONAI {monai_s:.3f}, monai_gi {our_s:.3f}: {ratio:.1f} times faster (least {slowest:.1f}, wanted 5)")
        print(f"  score_scan, with every other score: {all_s:.3f}")


if __name__ == "__main__":
    main()
