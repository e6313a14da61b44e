"""The report's figures of slides in TensorBoard, from the patches of each validation."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.engines import Workflow

from monai_gi.handlers.figures import DRAWS, EpochFigures
from monai_gi.labels import TISSUE_NAMES
from monai_gi.metrics.judged import Judged, judged_of_slides
from monai_gi.metrics.slide_confusion import confusion_counts
from monai_gi.metrics.slide_tables import SlideScore


class SlideFiguresHandler(EpochFigures):
    """Adds up the pixels of each slide's patches, and draws Dice by class and what was taken for what.

    A slide counts by the patches that were looked at, not by all of its pixels as in `evaluate.json`. Process 0 draws
    what the patches of all processes gave. Attach it after CurvesHandler.

    Args:
        tensorboard_dir: as given to CurvesHandler.
        items: slide items of the patches, with `id`, and `group` where slides belong together.
        classes: names of the logits' channels, the background first.
        every: epochs from one drawing to the next.

    Raises:
        ValueError: `every` is under 1; while running, a label is no class.
    """

    def __init__(
        self,
        tensorboard_dir: str | Path,
        items: Sequence[Mapping[str, Any]],
        *,
        classes: Sequence[str] = TISSUE_NAMES,
        every: int = 1,
    ) -> None:
        super().__init__(tensorboard_dir, every)
        self.groups = {str(item["id"]): str(item.get("group", "")) for item in items}
        self.classes = tuple(classes)

    def add(self, engine: Workflow) -> None:
        """Count the pixels of one batch.

        Args:
            engine: with logits (B, C, h, w) and label maps (B, 1, h, w) in its output, and `id` in its batch.
        """
        truth, logits = (engine.state.output[key].as_subclass(torch.Tensor) for key in ("label", "pred"))
        maps = torch.stack([truth[:, 0].to(torch.uint8), logits.argmax(dim=1).to(torch.uint8)]).cpu().numpy()
        for number, slide in enumerate(engine.state.batch["id"]):
            counts = confusion_counts(maps[0, number], maps[1, number], len(self.classes))
            self.scores[slide] = self.scores.get(slide, 0) + counts

    def judged(self, scores: Sequence[tuple[str, np.ndarray]]) -> Judged:
        """Lay out the scores of all processes.

        Args:
            scores: pixels (C, C) by slide; those of a slide are added up.

        Returns:
            Each slide once.
        """
        found: dict[str, SlideScore] = {}
        for slide, counts in sorted(scores, key=lambda score: score[0]):
            before = found[slide].counts if slide in found else 0
            found[slide] = SlideScore(slide, self.groups.get(slide, ""), before + counts)
        return judged_of_slides(list(found.values()), self.classes, bootstrap=DRAWS)
