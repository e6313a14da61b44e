"""A drawn data set in the Kaggle layout of UW-Madison GI Tract: names with width first, run lengths row-major, 1-based.

`train/caseN/caseN_dayD/scans/slice_NNNN_W_H_sx_sy.png` (16 bits), `train.csv` (id, class, segmentation), `test/` and
`sample_submission.csv` (id, class, predicted), as in
https://www.kaggle.com/competitions/uw-madison-gi-tract-image-segmentation/data
"""

import csv
import multiprocessing
import os
import signal
from collections.abc import Generator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import closing
from multiprocessing.synchronize import Event
from pathlib import Path

from PIL import Image
from tqdm import tqdm

from monai_gi.datasets.phantom.scans import Scan, draw_scan, plan_case
from monai_gi.datasets.phantom.unfinished import drawing_into
from monai_gi.labels import ORGAN_NAMES
from monai_gi.rle import encode_rle

# Starting a process takes as long as drawing this many slices.
SLICES_A_PROCESS = 100
PNG_COMPRESSION = 1

# One line of a table: id, class, run lengths.
Row = tuple[str, str, str]
# In a worker process: set when the parent wants no more.
_stop: Event | None = None


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
    """Write the data set; the same arguments give the same bytes, however many processes draw.

    Of the first cases the second is 360 x 310 (W x H), the fourth 276 x 276 at 1.63 mm on its first day; from the
    fourth on, one case in four lacks an organ. Maxima run from 125 to 12,920. A stopped run has no `train.csv`; the
    same call finishes it. In a script, call it below `if __name__ == "__main__":`, as processes are spawned.

    Args:
        root: a new or empty folder, or one in which the same call was stopped.
        cases: in `train/`; `test/` gets one more, without labels.
        days: scans of each case.
        slices: of each scan, numbered without gaps. Below 80 they are spread evenly over the gut and an eighth more
            on either side (24 slices lie 10 mm apart), so that a small set still shows every organ whole, though
            readers take them for 3 mm apart; from 80 on they lie 3 mm apart.
        seed: 0 or more, decides everything.
        full_size: whole scans in place of `slices`: 144, 3 mm apart (80 at 1.63 mm), most of them without organs.
        workers: processes; None takes one a core where it pays.
        progress: show a bar with an end time, on a terminal.

    Raises:
        DataError: the folder holds something else, or another phantom; nothing was changed.
        ValueError: a count is below 1, or the seed below 0.
    """
    root = Path(root)
    counts = {"cases": cases, "days": days, "slices": slices, "workers": 1 if workers is None else workers}
    for name, value in counts.items():
        if value < 1:
            raise ValueError(f"{name}: {value}, wanted 1 or more")
    if seed < 0:
        raise ValueError(f"seed: {seed}, wanted 0 or more")
    settings = {"cases": cases, "days": days, "slices": slices, "seed": seed, "full_size": full_size}
    per_scan = None if full_size else slices
    train = [scan for case in range(cases) for scan in plan_case(root / "train", case, (cases, days, seed), per_scan)]
    test = plan_case(root / "test", cases, (cases, 1, seed), per_scan)
    with drawing_into(root, settings, last="train.csv"):
        rows = _draw_all([*train, *test], workers, progress=progress)
        labelled = sum(len(scan.z_mm) for scan in train) * len(ORGAN_NAMES)
        blank = [(slice_id, organ, "") for slice_id, organ, _ in rows[labelled:]]
        _write_table(root / "sample_submission.csv", [("id", "class", "predicted"), *blank])
        _write_table(root / "train.csv", [("id", "class", "segmentation"), *rows[:labelled]])


def _draw_all(scans: Sequence[Scan], workers: int | None, *, progress: bool) -> list[Row]:
    """Draw and write every scan; the rows of the table in the scans' order, whatever process drew them."""
    total = sum(len(scan.z_mm) for scan in scans)
    workers = min(workers or min(os.cpu_count() or 1, 1 + total // SLICES_A_PROCESS), len(scans))
    drawn: dict[str, list[Row]] = {}
    with tqdm(total=total, desc="drawing", unit="slice", disable=None if progress else True) as bar:
        finished = _write_in_processes(scans, workers) if workers > 1 else ((scan, _write_scan(scan)) for scan in scans)
        # Closed by hand: the trace of a Ctrl-C would keep the processes alive.
        with closing(finished):
            for scan, rows in finished:
                drawn[scan.id] = rows
                bar.update(len(scan.z_mm))
    return [row for scan in scans for row in drawn[scan.id]]


def _write_in_processes(scans: Sequence[Scan], workers: int) -> Generator[tuple[Scan, list[Row]], None, None]:
    """Scans and their rows as they are finished; when it is left early, every process stops soon."""
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    with ProcessPoolExecutor(workers, context, _start_worker, (stop,)) as pool:
        try:
            jobs = {pool.submit(_write_scan, scan): scan for scan in scans}
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


def _stopped() -> bool:
    return _stop is not None and _stop.is_set()


def _write_scan(scan: Scan) -> list[Row]:
    """Draw and write one scan's slices; its rows (id, class, run lengths), fewer when the parent wants no more."""
    scan.folder.mkdir(parents=True, exist_ok=True)
    width, height, spacing_mm = scan.format[:3]
    rows: list[Row] = []
    for number, (image, masks) in enumerate(zip(*(draw_scan(scan, _stopped) or ([], [])), strict=True), start=1):
        if _stopped():
            break
        name = f"slice_{number:04d}_{width}_{height}_{spacing_mm:.2f}_{spacing_mm:.2f}.png"
        Image.fromarray(image).save(scan.folder / name, compress_level=PNG_COMPRESSION)
        slice_id = f"{scan.id}_slice_{number:04d}"
        rows += [(slice_id, organ, encode_rle(mask)) for organ, mask in zip(ORGAN_NAMES, masks, strict=True)]
    return rows


def _write_table(path: Path, rows: Sequence[Row]) -> None:
    part = path.with_name(f".{path.name}.part")
    with part.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)
    part.replace(path)
