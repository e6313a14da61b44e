"""What `monai-gi leaks` costs for as many slices as UW-Madison has: all pairs of thumbnails, then the detail.

Run from the repository's root: `python -m benchmarks.leaks`. Thumbnails are drawn, neighbours in a scan alike; the
first are compared with np.corrcoef over all pairs before a clock runs. Reading is timed on drawn 16-bit PNG slices.
"""

import argparse
import resource
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

from monai_gi.leaking.images import read_thumbnails
from monai_gi.near_duplicates import SIDE, detail_correlations, nearest_across, unit_vectors

SLICES_OF_A_SCAN = 144
CHECKED = 500
THRESHOLD = 0.9


def drawn(count: int) -> np.ndarray:
    """(count, 64, 64) float16: scans of slices that change slowly, all with a body in the middle."""
    rng = np.random.default_rng(0)
    rows, columns = np.indices((SIDE, SIDE))
    body = np.hypot(rows - SIDE / 2, 0.7 * (columns - SIDE / 2)) < 0.4 * SIDE
    thumbnails = np.empty((count, SIDE, SIDE), dtype=np.float16)
    for first in range(0, count, SLICES_OF_A_SCAN):
        slices = min(SLICES_OF_A_SCAN, count - first)
        noise = gaussian_filter(rng.normal(size=(slices, SIDE, SIDE)).astype(np.float32), (4, 3, 3))
        thumbnails[first : first + slices] = body * (1 + 12 * noise)
    return thumbnails


def check(thumbnails: np.ndarray, parts: np.ndarray) -> None:
    """Refuse to time what is wrong."""
    small = thumbnails.astype(np.float64).reshape(-1, 32, 2, 32, 2).mean(axis=(2, 4)).reshape(len(thumbnails), -1)
    wanted = np.corrcoef(small)
    reached = np.triu((wanted >= THRESHOLD) & (parts[:, None] != parts), 1)
    found = nearest_across(unit_vectors(thumbnails), parts, THRESHOLD, block=128)
    nearest = np.where(reached | reached.T, wanted, -1).max(axis=1)
    if found.alike != reached.sum() or not np.allclose(found.correlations[:, 0], nearest, atol=1e-4):
        raise SystemExit(f"{found.alike} pairs found, np.corrcoef finds {reached.sum()}")


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Print how long a stage took, and the peak memory after it."""
    start = time.perf_counter()
    yield
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"{what:>34} {seconds:7.1f} s   peak {peak:.2f} GB", flush=True)


def time_reading(files: int, total: int) -> None:
    """Read drawn slices of 266 x 266, and say what all of them would take."""
    with tempfile.TemporaryDirectory() as folder:
        rng = np.random.default_rng(1)
        smooth = gaussian_filter(rng.normal(size=(266, 266)), 5) * 20000 + 2000
        for number in range(files):
            pixels = (smooth + rng.normal(scale=30, size=smooth.shape)).clip(0, 65535).astype(np.uint16)
            Image.fromarray(pixels).save(Path(folder) / f"{number}.png")
        start = time.perf_counter()
        read_thumbnails(sorted(Path(folder).iterdir()))
        each = (time.perf_counter() - start) / files
    print(f"{'reading, from ' + str(files) + ' files':>34} {each * total:7.1f} s   {each * 1e3:.2f} ms an image")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=38496)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--files", type=int, default=400, help="to time reading with")
    options = parser.parse_args()
    scans = np.arange(options.images) // SLICES_OF_A_SCAN
    for name, parts in (
        ("scans dealt into folds", scans % options.folds),
        ("slices dealt at random", np.random.default_rng(2).integers(0, options.folds, options.images)),
    ):
        print(f"{options.images:,} images, {name}")
        thumbnails = drawn(options.images)
        check(thumbnails[:CHECKED], parts[:CHECKED])
        with timed("vectors"):
            vectors = unit_vectors(thumbnails)
        with timed("all pairs across folds"):
            nearest = nearest_across(vectors, parts, THRESHOLD)
        rows, ranks = np.nonzero(nearest.partners >= 0)
        pairs = np.unique(np.sort(np.stack([rows, nearest.partners[rows, ranks]], axis=1), axis=1), axis=0)
        with timed(f"detail of {len(pairs):,} pairs"):
            detail_correlations(thumbnails, pairs)
        print(f"{'':>34} {nearest.alike:,} of {nearest.pairs:,} pairs alike")
    time_reading(options.files, options.images)


if __name__ == "__main__":
    main()
