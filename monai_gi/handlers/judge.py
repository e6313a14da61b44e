"""Judging of whole scans: scores per slice, scan and case as CSV files, a summary as JSON, pictures of three scans.

Scans come decollated from an evaluator: image (1, H, W, D), label and pred (C, H, W, D) masks. Numbers are those of
`monai_gi.metrics`; the scans in the pictures are ordered by their mean 3D Dice over organs. Frames are image (3, H, W)
and masks (C, H, W): scores per frame and sequence, in pixels, and pictures of the worst, median and best frames.
"""

import logging
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ignite.engine import Events
from monai.engines import SupervisedEvaluator, Workflow

from monai_gi.handlers.judged_choice import choose_frames, choose_scans
from monai_gi.handlers.judged_slices import JudgedSlices, judged_slices, sheet_of
from monai_gi.handlers.processes import bare_network, from_first, gathered
from monai_gi.handlers.scan_scores import scores_of
from monai_gi.handlers.scans import items_by_id, scans_of
from monai_gi.labels import ORGAN_NAMES
from monai_gi.metrics import (
    DEFAULT_TOLERANCE_MM,
    FRAMES,
    SCANS,
    ScanScores,
    scores_table,
    write_scores,
)
from monai_gi.metrics.ranking import PLACES
from monai_gi.network_digest import weights_digest
from monai_gi.writers.overlay import write_png

logger = logging.getLogger(__name__)

NUMBERS = {
    SCANS: {
        "dice": "dice_organ_slices",
        "dice_3d": "dice_3d_organ_scans",
        "hd95_mm": "hd95_mm_mean_of_finite",
        "surface_dice": "surface_dice",
    },
    FRAMES: {
        "dice": "dice_class_frames",
        "iou": "iou_class_frames",
        "hd95_px": "hd95_px_mean_of_finite",
        "surface_dice": "surface_dice",
    },
}


class JudgeHandler:
    """Scores every scan as it comes; when the run ends process 0 writes and prints what all of them found.

    Into `output_dir` go slices.csv, scans.csv, cases.csv (of frames: frames.csv, sequences.csv), summary.json and
    `overlays/{worst,median,best}.png`. A scan that two processes were given counts once. Scans of `items` that did not
    come are named in a warning. The summary tells by a hash which weights were judged. The main numbers stand in
    `engine.state.metrics` too, in every process.

    Args:
        output_dir: made where it is missing; files of these names are replaced.
        items: scan items with labels, those that the evaluator runs over; or frame items, without `slice_ids`.
        tolerance_mm: of surface Dice; pixels where frames are judged.
        classes: names of the masks' channels; the contest's scores are there for ORGANS only.
        overlays: draw slices of the worst, the median and the best scan, or the worst, median and best frames.
        slices: slices, or frames, in each of these pictures at most.
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
        classes: Sequence[str] = ORGAN_NAMES,
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
        self.tolerance_mm = float(tolerance_mm)
        self.classes = tuple(classes)
        self.slices = slices if overlays else 0
        self.bootstrap: dict[str, int] = {"seed": seed, "bootstrap": bootstrap}
        self.scores: dict[str, ScanScores] = {}
        self.kept: dict[str, JudgedSlices] = {}

    def attach(self, engine: Workflow) -> None:
        """Listen to an evaluator.

        Args:
            engine: a MONAI evaluator that decollates and whose postprocessing gives masks.
        """
        engine.add_event_handler(Events.STARTED, self._begin)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._score)
        engine.add_event_handler(Events.COMPLETED, self._finish)

    def _begin(self) -> None:
        self.scores, self.kept = {}, {}

    def _score(self, engine: Workflow) -> None:
        for scan in scans_of(engine, self.items, self.classes):
            self.scores[scan.id] = scores_of(scan, self.tolerance_mm, self.classes)
            if self.slices:
                self.kept[scan.id] = judged_slices(scan, self.slices)

    def _finish(self, engine: SupervisedEvaluator) -> None:
        scores = dict(gathered(list(self.scores.items())))
        # A process keeps slices of its own scans only; which scans are chosen, every process knows.
        chosen = self._choose(list(scores.values())) if self.slices else {}
        wanted = [scan for place in chosen.values() for scan in place]
        kept = dict(gathered([(scan, self.kept[scan]) for scan in wanted if scan in self.kept]))
        numbers: dict[str, float] = {}
        if engine.state.rank == 0:
            weights = weights_digest(bare_network(engine.network).state_dict())
            summary = write_scores(list(scores.values()), self.folder, **self.bootstrap, state_dict_sha256=weights)
            if self.slices:
                self._draw(chosen, kept)
            self._tell(summary, scores)
            numbers = main_numbers(summary)
        engine.state.metrics.update(from_first(numbers))

    def _choose(self, scores: Sequence[ScanScores]) -> dict[str, list[str]]:
        if scores and scores[0].is_frame:
            return choose_frames(scores, self.slices)
        return {place: [scan] for place, scan in choose_scans(scores).items()}

    def _tell(self, summary: Mapping[str, Any], scores: Mapping[str, ScanScores]) -> None:
        """Print the table: it is what the run is for, whatever the log is set to."""
        missing = [scan for scan in self.items if scan not in scores]
        if missing:
            whole = "scans" if any("slice_ids" in item for item in self.items.values()) else "frames"
            logger.warning("%d of %d %s did not come: %s", len(missing), len(self.items), whole, ", ".join(missing))
        print(f"\n{scores_table(summary)}\n\nScores and pictures: {self.folder.resolve()}", flush=True)

    def _draw(self, chosen: Mapping[str, Sequence[str]], kept: Mapping[str, JudgedSlices]) -> None:
        for place in PLACES:
            path = self.folder / "overlays" / f"{place}.png"
            if place in chosen:
                write_png(path, sheet_of(*(kept[scan] for scan in chosen[place]), classes=self.classes))
            else:
                path.unlink(missing_ok=True)  # of an earlier run over more scans


def main_numbers(summary: Mapping[str, Any]) -> dict[str, float]:
    """Pick the numbers that an engine shows from a summary.

    Args:
        summary: of `monai_gi.metrics.summarise`.

    Returns:
        `mean_<number>` and `<number>_<organ>` for NUMBERS, `contest_score_<variant>`; NaN where there is none.
    """
    kind = FRAMES if FRAMES.things in summary else SCANS
    numbers = {}
    for name, key in NUMBERS[kind].items():
        numbers[f"mean_{name}"] = summary[f"mean_of_{kind.things}"][key]["mean"]
        numbers |= {f"{name}_{thing}": scores[key]["mean"] for thing, scores in summary[kind.things].items()}
    contest = summary.get("contest_score", {})
    numbers |= {f"contest_score_{variant}": score["score"] for variant, score in contest.items()}
    return {name: math.nan if number is None else number for name, number in numbers.items()}
