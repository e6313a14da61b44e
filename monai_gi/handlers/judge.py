"""Judging of whole scans: scores per slice, scan and case as CSV files, a summary as JSON, pictures of three scans.

Scans come decollated from an evaluator: image (1, H, W, D), label and pred (C, H, W, D) masks. Numbers are those of
`monai_gi.metrics`; the scans in the pictures are ordered by their mean 3D Dice over organs.
"""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ignite.engine import Events
from monai.engines import Workflow

from monai_gi.handlers.judged_slices import JudgedSlices, judged_slices, sheet_of
from monai_gi.handlers.scans import Scan, items_by_id, scans_of
from monai_gi.metrics import DEFAULT_TOLERANCE_MM, ScanScores, score_scan, scores_table, write_scores
from monai_gi.metrics.overlap import dice_from_counts
from monai_gi.writers.overlay import write_png

logger = logging.getLogger(__name__)

PLACES = ("worst", "median", "best")


class JudgeHandler:
    """Scores every scan as it comes; when the run ends process 0 writes and prints what all of them found.

    Into `output_dir` go slices.csv, scans.csv, cases.csv, summary.json and `overlays/{worst,median,best}.png`. A scan
    that two processes were given counts once. Scans of `items` that did not come are named in a warning.

    Args:
        output_dir: made where it is missing; files of these names are replaced.
        items: scan items with labels, those that the evaluator runs over.
        tolerance_mm: of surface Dice.
        overlays: draw slices of the worst, the median and the best scan.
        slices: slices in each of these pictures at most.
        seed: of the bootstrap over cases.
        bootstrap: number of its draws.

    Raises:
        ValueError: an item has no label or an id comes twice; while running, masks do not fit.
    """

    def __init__(
        self,
        output_dir: str | Path,
        items: Sequence[Mapping[str, Any]],
        tolerance_mm: float = DEFAULT_TOLERANCE_MM,
        *,
        overlays: bool = True,
        slices: int = 6,
        seed: int = 0,
        bootstrap: int = 2000,
    ) -> None:
        unlabelled = [str(item["id"]) for item in items if "label" not in item]
        if unlabelled:
            raise ValueError(f"items: {', '.join(unlabelled[:3])} without labels; nothing to judge a prediction by")
        self.items = items_by_id(items)
        self.folder = Path(output_dir)
        self.tolerance_mm = tolerance_mm
        self.slices = slices if overlays else 0
        self.bootstrap = {"seed": seed, "bootstrap": bootstrap}
        self.scores: dict[str, ScanScores] = {}
        self.drawn: dict[str, JudgedSlices] = {}

    def attach(self, engine: Workflow) -> None:
        """Listen to an evaluator.

        Args:
            engine: a MONAI evaluator that decollates and whose postprocessing gives masks.
        """
        engine.add_event_handler(Events.STARTED, self._begin)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._score)
        engine.add_event_handler(Events.COMPLETED, self._finish)

    def _begin(self) -> None:
        self.scores, self.drawn = {}, {}

    def _score(self, engine: Workflow) -> None:
        for scan in scans_of(engine, self.items):
            if scan.truth is None:
                raise ValueError(f"{scan.id}: the evaluator's output has no label; decode it in the preprocessing")
            self.scores[scan.id] = self._score_scan(scan, scan.truth)
            if self.slices:
                self.drawn[scan.id] = judged_slices(scan, self.slices)

    def _score_scan(self, scan: Scan, truth: np.ndarray) -> ScanScores:
        return score_scan(
            scan.id,
            scan.group,
            scan.pred,
            truth,
            spacing_mm=scan.spacing_mm,
            slice_ids=scan.slice_ids,
            tolerance_mm=self.tolerance_mm,
        )

    def _finish(self, engine: Workflow) -> None:
        scores = {scan: score for part in gather_objects(self.scores) for scan, score in part.items()}
        if self.slices:
            # Each process has pictures of its own scans only, and every process knows which ones are chosen.
            chosen = choose_scans(list(scores.values()))
            held = {scan: self.drawn[scan] for scan in chosen.values() if scan in self.drawn}
            pictures = {scan: one for part in gather_objects(held) for scan, one in part.items()}
        if engine.state.rank != 0:
            return
        summary = write_scores(list(scores.values()), self.folder, **self.bootstrap)
        if self.slices:
            self._draw(chosen, pictures)
        missing = [scan for scan in self.items if scan not in scores]
        if missing:
            logger.warning("%d of %d scans did not come: %s", len(missing), len(self.items), ", ".join(missing[:3]))
        print(f"\n{scores_table(summary)}\n\nScores and pictures: {self.folder.resolve()}", flush=True)

    def _draw(self, chosen: Mapping[str, str], pictures: Mapping[str, JudgedSlices]) -> None:
        for place in PLACES:
            path = self.folder / "overlays" / f"{place}.png"
            if place in chosen:
                write_png(path, sheet_of(pictures[chosen[place]]))
            else:
                path.unlink(missing_ok=True)  # of an earlier run over more scans


def choose_scans(scores: Sequence[ScanScores]) -> dict[str, str]:
    """Choose the scans to look at by their mean 3D Dice over the organs that truth or prediction hold.

    Args:
        scores: of all scans, in any order.

    Returns:
        Scan ids by `worst`, `median`, `best`; each scan once, so that two scans give worst and best, one gives worst.
        Scans without any organ in both masks are passed over.
    """
    ranked = sorted((mean, score.scan) for score in scores if not np.isnan(mean := _mean_dice(score)))
    ids = [scan for _, scan in ranked]
    positions = {"worst": 0, "best": len(ids) - 1, "median": (len(ids) - 1) // 2}
    chosen: dict[str, str] = {}
    for place, position in positions.items():
        if ids and ids[position] not in chosen.values():
            chosen[place] = ids[position]
    return chosen


def gather_objects(mine: Any) -> list[Any]:
    """Give every process what each of them holds; every process must call it.

    Args:
        mine: anything that pickle takes.

    Returns:
        One object a process, in their order; alone, only `mine`.
    """
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return [mine]
    every: list[Any] = [None] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(every, mine)
    return every


def _mean_dice(score: ScanScores) -> float:
    """Mean over organs of the 3D Dice; NaN where truth and prediction are empty."""
    counts = (score.overlap_px.sum(axis=1), score.pred_px.sum(axis=1), score.truth_px.sum(axis=1))
    dice = dice_from_counts(*counts, both_empty=np.nan)
    return float(np.nanmean(dice)) if np.isfinite(dice).any() else float("nan")
