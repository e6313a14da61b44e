"""Pictures of colour frames for TensorBoard: frame, truth and prediction side by side, the same at every validation.

Convention: frames come decollated as image (3, H, W) in 0..1 and label, pred (C, H, W) masks; a picture's tag is the id
of its frame. Steps are epochs.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ignite.engine import Events
from monai.engines import Workflow

from monai_gi.handlers.event_files import event_writer, flush_event_writers
from monai_gi.labels import POLYP_NAMES
from monai_gi.plots import panel


class FrameImagesHandler:
    """Writes a few panels to `<tensorboard_dir>/validation` each time the evaluator runs.

    Which frames is decided by the items alone: from as many sequences as possible, from the middle of each. Only
    process 0 writes, of the frames that it sees.

    Args:
        tensorboard_dir: as given to CurvesHandler.
        items: frame items that the evaluator runs over, with `id` and `group`.
        classes: names of the C channels.
        count: pictures in all.
        upscale: picture pixels for an image pixel.
    """

    def __init__(
        self,
        tensorboard_dir: str | Path,
        items: Sequence[Mapping[str, Any]],
        *,
        classes: Sequence[str] = POLYP_NAMES,
        count: int = 6,
        upscale: float = 1,
    ) -> None:
        self.folder = Path(tensorboard_dir) / "validation"
        self.shown = telling_frames(items, count)
        self.classes = tuple(classes)
        self.upscale = upscale

    def attach(self, engine: Workflow) -> None:
        """Listen to an evaluator.

        Args:
            engine: a MONAI evaluator that decollates and whose postprocessing gives masks.
        """
        if engine.state.rank != 0:
            return
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._draw)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._flush)

    def _draw(self, engine: Workflow) -> None:
        for frame, output in zip(engine.state.batch, engine.state.output, strict=True):
            if str(frame["id"]) in self.shown:
                picture = self._panel(str(frame["id"]), output)
                writer = event_writer(self.folder, engine.state.epoch)
                writer.add_image(str(frame["id"]), picture, engine.state.epoch, dataformats="HWC")

    def _panel(self, name: str, output: Mapping[str, Any]) -> np.ndarray:
        image = np.moveaxis(_array(output["image"]), 0, -1)
        truth = _array(output["label"]) > 0 if "label" in output else None
        pred = _array(output["pred"]) > 0
        return panel(image, truth, pred, title=name, upscale=self.upscale, classes=self.classes)

    def _flush(self) -> None:
        flush_event_writers(self.folder)


def telling_frames(items: Sequence[Mapping[str, Any]], count: int) -> list[str]:
    """Choose frames from as many groups as possible, evenly spread over the groups and within each.

    Args:
        items: with `id`, and `group` where frames belong together; in the order of the video.
        count: how many at most.

    Returns:
        Ids in the order of the items' groups.
    """
    groups: dict[str, list[str]] = {}
    for item in items:
        groups.setdefault(str(item.get("group", item["id"])), []).append(str(item["id"]))
    each = math.ceil(count / max(1, len(groups)))
    return [name for group in _spread(list(groups.values()), count) for name in _spread(group, each)][:count]


def _spread(things: list, count: int) -> list:
    """The middles of `count` equal parts; all things where there are not more."""
    count = min(count, len(things))
    return [things[(2 * part + 1) * len(things) // (2 * count)] for part in range(count)]


def _array(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().as_subclass(torch.Tensor).cpu().numpy()
