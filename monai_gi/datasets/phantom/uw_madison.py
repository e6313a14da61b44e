"""A drawn data set in the Kaggle layout of UW-Madison GI Tract: names with width first, run lengths row-major.

`train/caseN/caseN_dayD/scans/slice_NNNN_W_H_sx_sy.png` (16 bits), `train.csv` (id, class, segmentation), `test/` and
`sample_submission.csv` (id, class, predicted), as in
https://www.kaggle.com/competitions/uw-madison-gi-tract-image-segmentation/data
"""

import csv
import multiprocessing
import os
import signal
from collections.abc import Generator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import closing
from dataclasses import dataclass
from multiprocessing.synchronize import Event
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from monai_gi.datasets.phantom.anatomy import GUT_BOTTOM_MM, GUT_TOP_MM, Anatomy, draw_anatomy
from monai_gi.datasets.phantom.mri import Scanner, draw_slice
from monai_gi.errors import DataError
from monai_gi.labels import ORGAN_NAMES
from monai_gi.rle import encode_rle

SLICE_SPACING_MM = 3.0
# (width, height, spacing in mm, slices of a full scan) of the real sizes, in turn by case: the rare 234 comes late.
SIZES = ((266, 266, 1.5, 144), (360, 310, 1.5, 144), (276, 276, 1.63, 80), (266, 266, 1.5, 144), (266, 266, 1.5, 144))
RARE_SIZE, RARE_EVERY = (234, 234, 1.5, 144), 12
# The 16-bit maxima seen in five original files.
MAXIMA = (604, 12920, 4997, 125, 10081)
# One case in four has had an organ taken out, from the fourth case on, each organ in turn.
ABSENT_EVERY = 4

# One line of a table: id, class, run lengths.
Row = tuple[str, str, str]
# In a worker process: set when the parent wants no more.
_stop: Event | None = None


@dataclass(frozen=True)
class Scan:
    """One scan to draw.

    Attributes:
        folder: of its slices.
        id: as in `case1_day0`.
        anatomy: the case on that day.
        scanner: how it is taken.
        z_mm: position of each slice.
        seed: of its noise, a sequence of numbers.
    """

    folder: Path
    id: str
    anatomy: Anatomy
    scanner: Scanner
    z_mm: tuple[float, ...]
    seed: tuple[int, ...]


def write_uw_madison(
    root: Path,
    *,
    cases: int = 4,
    days: int = 2,
    slices: int = 24,
    seed: int = 0,
    full_size: bool = False,
    workers: int | None = None,
    progress: bool = True,
) -> None:
    """Write the data set; the same seed gives the same bytes.

    Args:
        root: a new or empty folder; `test/` gets one further case.
        cases: in `train/`.
        days: scans of each case.
        slices: of each scan, spread over the gut (17 mm apart for 24) though read as 3 mm apart, so that a small set
            still shows every organ; the real ones are 3 mm apart.
        seed: decides everything.
        full_size: 144 slices a scan, 3 mm apart (80 of the 1.63 mm scans), in place of `slices`.
        workers: processes; None takes one a core.
        progress: show a bar with an end time, on a terminal.

    Raises:
        DataError: the folder holds something already.
        ValueError: a count is below 1.
    """
    root = Path(root)
    for name, value in (("cases", cases), ("days", days), ("slices", slices), ("workers", workers)):
        if value is not None and value < 1:
            raise ValueError(f"{name}: {value}, wanted 1 or more")
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise DataError(root, "holds something already; nothing was changed. Name a new or empty folder")
    train = [scan for number in range(cases) for scan in _case(root / "train", number, days, slices, full_size, seed)]
    test = list(_case(root / "test", cases, 1, slices, full_size, seed))
    rows = _draw_all([*train, *test], workers, progress)
    count = sum(len(scan.z_mm) for scan in train) * len(ORGAN_NAMES)
    blank = [(id_, name, "") for id_, name, _ in rows[count:]]
    _write_csv(root / "sample_submission.csv", ("id", "class", "predicted"), blank)
    # Last of all: a stopped run has no table and is never taken for a whole data set.
    _write_csv(root / "train.csv", ("id", "class", "segmentation"), rows[:count])


def _case(train: Path, number: int, days: int, slices: int, full_size: bool, seed: int) -> Generator[Scan, None, None]:
    """The scans of one case: one anatomy and one kind of scanner, another day each."""
    rng = np.random.default_rng((seed, number))
    absent = (
        ORGAN_NAMES[number // ABSENT_EVERY % len(ORGAN_NAMES)] if number % ABSENT_EVERY == ABSENT_EVERY - 1 else None
    )
    anatomy = draw_anatomy(rng, absent)
    width, height, spacing_mm, full_count = (
        RARE_SIZE if number % RARE_EVERY == RARE_EVERY - 1 else SIZES[number % len(SIZES)]
    )
    # Above every number of the real cases, so that no drawn scan is taken for one of them.
    case = 201 + number + 7 * (number // 3)
    for day in range(days):
        scan_id = f"case{case}_day{(0, 14, 16, 20, 22, 26)[day % 6] + 30 * (day // 6)}"
        scanner = Scanner(
            height=height,
            width=width,
            spacing_mm=spacing_mm,
            maximum=MAXIMA[(number + day) % len(MAXIMA)],
            noise=float(rng.uniform(0.012, 0.03)),
            coil=(float(rng.uniform(-0.25, 0.25)), float(rng.uniform(-0.35, 0.1))),
        )
        z_mm = _positions(full_count if full_size else slices, full_size)
        folder = train / f"case{case}" / scan_id / "scans"
        yield Scan(folder, scan_id, anatomy.on_day(rng), scanner, z_mm, (seed, number, day, 1))


def _positions(count: int, full_size: bool) -> tuple[float, ...]:
    """Where the slices lie, mm: in true steps, or spread evenly over the gut with a margin at both ends."""
    margin = (GUT_BOTTOM_MM - GUT_TOP_MM) / 5
    step = SLICE_SPACING_MM if full_size else (GUT_BOTTOM_MM - GUT_TOP_MM + 2 * margin) / count
    middle = (GUT_TOP_MM + GUT_BOTTOM_MM) / 2
    return tuple(middle + (np.arange(count) - (count - 1) / 2) * step)


def _draw_all(scans: list[Scan], workers: int | None, progress: bool) -> list[Row]:
    """Draw every scan; the rows of the table in the scans' order, whatever process drew them."""
    workers = min(workers or os.cpu_count() or 1, len(scans))
    total = sum(len(scan.z_mm) for scan in scans)
    drawn: dict[str, list[Row]] = {}
    with tqdm(total=total, desc="drawing", unit="slice", disable=None if progress else True) as bar:
        finished = _draw_in_processes(scans, workers) if workers > 1 else ((scan, _draw_scan(scan)) for scan in scans)
        # Closed by hand: the trace of a Ctrl-C would keep the processes alive.
        with closing(finished):
            for scan, rows in finished:
                drawn[scan.id] = rows
                bar.update(len(scan.z_mm))
    return [row for scan in scans for row in drawn[scan.id]]


def _draw_in_processes(scans: list[Scan], workers: int) -> Generator[tuple[Scan, list[Row]], None, None]:
    """Scans and their rows as they are finished; when it is left early, every process stops after its slice."""
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    with ProcessPoolExecutor(workers, context, _start_worker, (stop,)) as pool:
        try:
            jobs = {pool.submit(_draw_scan, scan): scan for scan in scans}
            for job in as_completed(jobs):
                yield jobs[job], job.result()
        finally:
            stop.set()
            pool.shutdown(cancel_futures=True)


def _start_worker(stop: Event) -> None:
    """Leave Ctrl-C to the parent, which then sets `stop`."""
    global _stop
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _stop = stop


def _draw_scan(scan: Scan) -> list[Row]:
    """Draw and write one scan's slices; returns its rows (id, class, run lengths)."""
    scan.folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(scan.seed)
    size = f"{scan.scanner.width}_{scan.scanner.height}_{scan.scanner.spacing_mm:.2f}_{scan.scanner.spacing_mm:.2f}"
    rows = []
    for number, z_mm in enumerate(scan.z_mm, start=1):
        if _stop is not None and _stop.is_set():
            break
        image, masks = draw_slice(scan.anatomy, scan.scanner, z_mm, rng)
        Image.fromarray(image).save(scan.folder / f"slice_{number:04d}_{size}.png", compress_level=1)
        slice_id = f"{scan.id}_slice_{number:04d}"
        rows += [(slice_id, name, encode_rle(mask)) for name, mask in zip(ORGAN_NAMES, masks, strict=True)]
    return rows


def _write_csv(path: Path, header: tuple[str, ...], rows: list[Row]) -> None:
    part = path.with_name(f".{path.name}.part")
    with part.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    part.replace(path)
