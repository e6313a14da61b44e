"""The report's figures in TensorBoard at the end of each validation: learning curves, scores by organ, empty slices.

Convention: pictures go to `<tensorboard_dir>/validation`, tags begin with `figures/`, steps are epochs.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ignite.engine import Events
from monai.engines import Workflow

from monai_gi.event_reading import read_scalars
from monai_gi.handlers.event_files import event_writer, flush_event_writers
from monai_gi.handlers.processes import gathered
from monai_gi.handlers.scan_scores import scores_of
from monai_gi.handlers.scans import items_by_id, scans_of
from monai_gi.labels import ORGAN_NAMES
from monai_gi.metrics import DEFAULT_TOLERANCE_MM, ScanScores
from monai_gi.metrics.judged import Judged, judged_of
from monai_gi.plots.figures import Chart, as_pixels
from monai_gi.score_charts import (
    SIDES,
    box_charts,
    confusion_charts,
    contest_charts,
    distance_charts,
    empty_charts,
    learning_charts,
)

DRAWS = 200  # of the bootstrap: the picture is as fine as that, and the report draws ten times as many


class EpochFigures:
    """Keeps scores of what an evaluator runs over, and draws them at the end; a kind of image says how it is scored.

    Args:
        tensorboard_dir: as given to CurvesHandler.
        every: epochs from one drawing to the next.

    Raises:
        ValueError: `every` is under 1.
    """

    def __init__(self, tensorboard_dir: str | Path, every: int) -> None:
        if every < 1:
            raise ValueError(f"every: {every}, wanted 1 or more epochs")
        self.folder = Path(tensorboard_dir)
        self.every = every
        self.scores: dict[str, Any] = {}

    def attach(self, engine: Workflow) -> None:
        """Listen to an evaluator.

        Args:
            engine: a MONAI evaluator; it decollates, and its postprocessing gives masks, where masks are scored.
        """
        engine.add_event_handler(Events.EPOCH_STARTED, self._begin)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._score)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._draw)

    def add(self, engine: Workflow) -> None:
        """Score one batch into `scores`.

        Args:
            engine: with its state.
        """
        raise NotImplementedError

    def judged(self, scores: Sequence[tuple[str, Any]]) -> Judged:
        """Lay out the scores of all processes.

        Args:
            scores: by id; an id may come from several processes.

        Returns:
            What is drawn.
        """
        raise NotImplementedError

    def _begin(self) -> None:
        self.scores = {}

    def _is_due(self, engine: Workflow) -> bool:
        return engine.state.epoch % self.every == 0

    def _score(self, engine: Workflow) -> None:
        if self._is_due(engine):
            self.add(engine)

    def _draw(self, engine: Workflow) -> None:
        if not self._is_due(engine):
            return
        scores = gathered(list(self.scores.items()))
        if engine.state.rank != 0 or not scores:
            return
        flush_event_writers(self.folder)
        curves = {side: read_scalars(self.folder / side) for side in SIDES}
        figures = score_figures(self.judged(scores))
        writer = event_writer(self.folder / "validation", engine.state.epoch)
        for name, charts in {"learning_curves": learning_charts(curves), **figures}.items():
            if charts:
                picture = as_pixels(charts, columns=2)
                writer.add_image(f"figures/{name}", picture, engine.state.epoch, dataformats="HWC")
        flush_event_writers(self.folder)


class FiguresHandler(EpochFigures):
    """Scores the scans or frames of a validation as the report does, and draws them; attach it after CurvesHandler.

    Process 0 draws what the scans of all processes gave.

    Args:
        tensorboard_dir: as given to CurvesHandler.
        items: scan or frame items that the evaluator runs over, see JudgeHandler.
        tolerance_mm: of surface Dice; pixels of frames.
        classes: names of the masks' channels.
        every: epochs from one drawing to the next.

    Raises:
        ValueError: an id comes twice, or `every` is under 1; while running, masks do not fit.
    """

    def __init__(
        self,
        tensorboard_dir: str | Path,
        items: Sequence[Mapping[str, Any]],
        *,
        tolerance_mm: float = DEFAULT_TOLERANCE_MM,
        classes: Sequence[str] = ORGAN_NAMES,
        every: int = 1,
    ) -> None:
        super().__init__(tensorboard_dir, every)
        self.items = items_by_id(items)
        self.tolerance_mm = float(tolerance_mm)
        self.classes = tuple(classes)

    def add(self, engine: Workflow) -> None:
        """Score the scans of one batch.

        Args:
            engine: with its state.
        """
        for scan in scans_of(engine, self.items, self.classes):
            self.scores[scan.id] = scores_of(scan, self.tolerance_mm, self.classes)

    def judged(self, scores: Sequence[tuple[str, ScanScores]]) -> Judged:
        """Lay out the scores of all processes.

        Args:
            scores: by id.

        Returns:
            Each scan once.
        """
        return judged_of(list(dict(scores).values()), bootstrap=DRAWS)


def score_figures(judged: Judged) -> dict[str, list[Chart]]:
    """The charts of scores that stand together in one picture.

    Args:
        judged: scores.

    Returns:
        Charts by name of the picture; empty ones have nothing to show.
    """
    return {
        "scores": box_charts(judged),
        "dice_against_distance": distance_charts(judged),
        "empty": empty_charts(judged),
        "contest_score": contest_charts(judged),
        "confusion": confusion_charts(judged),
    }
