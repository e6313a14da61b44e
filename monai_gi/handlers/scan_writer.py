"""Writes what an evaluator predicts: submission.csv, NIfTI and PNG overlays, scan by scan; a stopped run goes on.

In `output_dir`: `submission.csv`, `nifti/<scan>_*.nii.gz`, `overlays/<scan>.png` and `overlays/<scan>/<slice>.png`.
A scan is finished when `parts/<scan>.csv` is there, which is written last; `parts/` goes when all scans are merged.
"""

import logging
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import ignite.distributed as idist
from ignite.engine import Events
from monai.engines import Workflow

from monai_gi.handlers.parts import PARTS, require_same_settings
from monai_gi.handlers.scan_pictures import scan_overlays
from monai_gi.handlers.scans import Scan, items_by_id, scans_of
from monai_gi.labels import ORGAN_NAMES
from monai_gi.writers.nifti import write_nifti
from monai_gi.writers.overlay import write_overlays
from monai_gi.writers.submission import (
    check_against_sample,
    part_path,
    read_parts,
    read_sample,
    submission_rows,
    write_part,
    write_submission,
)

logger = logging.getLogger(__name__)

FORMATS = ("submission", "nifti", "overlay")


class ScanWriter:
    """Writes each predicted scan as it comes, and submission.csv at the end.

    Args:
        output_dir: made where it is missing.
        formats: some of "submission", "nifti", "overlay".
        items: all scan items, those of an earlier, stopped run too; only they are merged. None merges every part found
            and describes scans by what the loader collated.
        sample_submission: its rows give the order; they are compared with `items` before the first scan is predicted.
            A file that does not exist, or "", is no sample.
        settings: what changes the prediction (weights, thresholds, ...), by name. A stopped run only goes on with the
            same ones; a value that names a file stands for its size and time too. None does not compare.
        overlays_per_scan: slices shown of one scan at most.

    Raises:
        ValueError: an unknown format, none at all, or `overlays_per_scan` under 1.
    """

    def __init__(
        self,
        output_dir: str | Path,
        formats: Sequence[str] = FORMATS,
        items: Sequence[Mapping[str, Any]] | None = None,
        sample_submission: str | Path | None = None,
        *,
        settings: Mapping[str, Any] | None = None,
        overlays_per_scan: int = 12,
    ) -> None:
        if isinstance(formats, str) or not formats or set(formats) - set(FORMATS):
            raise ValueError(f"formats: {formats!r}, wanted a list of some of {list(FORMATS)}")
        if overlays_per_scan < 1:
            raise ValueError(f"overlays_per_scan: {overlays_per_scan}, wanted 1 or more")
        self.output_dir = Path(output_dir)
        self.formats = tuple(formats)
        self.items = items_by_id(items)
        self.sample = Path(sample_submission) if sample_submission and Path(sample_submission).is_file() else None
        self.settings = settings
        self.overlays_per_scan = overlays_per_scan

    @property
    def parts(self) -> Path:
        """The folder of finished scans."""
        return self.output_dir / PARTS

    def attach(self, engine: Workflow) -> None:
        """Listen to an evaluator.

        Args:
            engine: a MONAI evaluator that decollates.
        """
        engine.add_event_handler(Events.STARTED, self._begin)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._write)
        engine.add_event_handler(Events.COMPLETED, self._finish)

    def _begin(self, engine: Workflow) -> None:
        if engine.state.rank == 0:
            self._check_sample()
            require_same_settings(self.parts, self.settings)
        idist.barrier()

    def _check_sample(self) -> None:
        """Find out now, not after hours, that the scans are not those that the sample asks for."""
        if self.sample is None or "submission" not in self.formats or not self.items:
            return
        order = read_sample(self.sample)
        if order:
            ids = [slice_id for item in self.items.values() for slice_id in item["slice_ids"]]
            check_against_sample(self.sample, order, [(slice_id, organ) for slice_id in ids for organ in ORGAN_NAMES])

    def _write(self, engine: Workflow) -> None:
        for scan in scans_of(engine, self.items):
            self._write_scan(scan)

    def _write_scan(self, scan: Scan) -> None:
        if "nifti" in self.formats:
            write_nifti(self.output_dir / "nifti", scan.id, scan.pred, scan.affine)
        if "overlay" in self.formats:
            write_overlays(self.output_dir / "overlays", scan.id, *scan_overlays(scan, self.overlays_per_scan))
        write_part(self.parts, scan.id, submission_rows(scan.slice_ids, scan.pred))

    def _finish(self, engine: Workflow) -> None:
        idist.barrier()
        if engine.state.rank == 0:
            scan_ids = list(self.items) or sorted(path.stem for path in self.parts.glob("*.csv"))
            rows = read_parts(self.parts, scan_ids)
            if "submission" in self.formats:
                write_submission(self.output_dir / "submission.csv", rows, self.sample)
            for scan_id in scan_ids:
                part_path(self.parts, scan_id).unlink()
            if not any(self.parts.glob("*.csv")):
                shutil.rmtree(self.parts)
            logger.info("%d scans (%s) in %s", len(scan_ids), ", ".join(self.formats), self.output_dir)
        idist.barrier()
