"""Writes what an evaluator predicts of colour frames: `<id>/mask.png` and `<id>/overlay.png`; a stopped run goes on.

Frames come decollated: image (3, H, W) in 0..1, pred (C, H, W) masks of 0 and 1.
"""

import logging
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import ignite.distributed as idist
import numpy as np
import torch
from ignite.engine import Events
from monai.engines import Workflow

from monai_gi.atomic_file import write_whole
from monai_gi.errors import DataError
from monai_gi.handlers.parts import PARTS, require_same_settings
from monai_gi.labels import POLYP_NAMES
from monai_gi.plots.frames import clinical_frame
from monai_gi.readers.frames import find_frames, is_grey
from monai_gi.writers.frame import write_masks
from monai_gi.writers.overlay import write_png
from monai_gi.writers.submission import part_path

logger = logging.getLogger(__name__)

FORMATS = ("mask", "overlay")


def index_frames(path: str | Path) -> list[dict[str, Any]]:
    """List the colour frames of a folder as items; grey pictures, which are masks as a rule, are left out.

    Args:
        path: a picture, or a folder with pictures directly in it.

    Returns:
        `{"id", "image"}` of each, in natural order of the names.

    Raises:
        DataError: there is no such folder, or no colour picture in it.
    """
    if not Path(path).exists():
        raise DataError(path, "no such file or folder; name pictures with --input_dir FOLDER")
    frames = find_frames(path)
    items = [{"id": frame.name, "image": str(frame.path)} for frame in frames if not is_grey(frame.path)]
    if not items:
        raise DataError(path, f"all {len(frames)} pictures are grey, as masks are; colour frames are wanted")
    return items


class FrameWriter:
    """Writes each predicted frame as it comes.

    Args:
        output_dir: made where it is missing.
        formats: some of "mask", "overlay".
        classes: names of the C channels.
        settings: what changes the prediction (weights, thresholds, ...), by name. A stopped run only goes on with the
            same ones. None does not compare.

    Raises:
        ValueError: an unknown format, or none at all.
    """

    def __init__(
        self,
        output_dir: str | Path,
        formats: Sequence[str] = FORMATS,
        *,
        classes: Sequence[str] = POLYP_NAMES,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        if isinstance(formats, str) or not formats or set(formats) - set(FORMATS):
            raise ValueError(f"formats: {formats!r}, wanted a list of some of {list(FORMATS)}")
        self.output_dir = Path(output_dir)
        self.parts = self.output_dir / PARTS
        self.formats = tuple(formats)
        self.classes = tuple(classes)
        self.settings = settings

    def attach(self, engine: Workflow) -> None:
        """Listen to an evaluator.

        Args:
            engine: a MONAI evaluator that decollates and whose postprocessing gives masks.
        """
        engine.add_event_handler(Events.STARTED, self._begin)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._write)
        engine.add_event_handler(Events.COMPLETED, self._finish)

    def _begin(self, engine: Workflow) -> None:
        if engine.state.rank == 0:
            require_same_settings(self.parts, self.settings)
        idist.barrier()

    def _write(self, engine: Workflow) -> None:
        for frame, output in zip(engine.state.batch, engine.state.output, strict=True):
            self._write_frame(str(frame["id"]), _array(output["image"]), _array(output["pred"]) > 0)

    def _write_frame(self, name: str, image: np.ndarray, masks: np.ndarray) -> None:
        if "mask" in self.formats:
            write_masks(self.output_dir / name, masks, self.classes)
        if "overlay" in self.formats:
            frame = np.rint(np.moveaxis(image, 0, -1) * 255).astype(np.uint8)
            drawn = clinical_frame(frame, masks, title=name, classes=self.classes)
            write_png(self.output_dir / name / "overlay.png", drawn)
        write_whole(part_path(self.parts, name), b"")

    def _finish(self, engine: Workflow) -> None:
        idist.barrier()
        if engine.state.rank == 0:
            count = len(list(self.parts.glob("*.csv")))
            shutil.rmtree(self.parts)
            logger.info("%d frames (%s) in %s", count, ", ".join(self.formats), self.output_dir)
        idist.barrier()


def _array(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().as_subclass(torch.Tensor).cpu().numpy()
