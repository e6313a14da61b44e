"""Pictures of slide patches for TensorBoard: patch, truth and prediction side by side, the same at every validation.

Convention: batches come as image (B, 3 * levels, h, w) in 0..1, label (B, 1, h, w) of classes and logits (B, C, h, w);
the first level is shown. A picture's tag is the patch's place in the loader's order. Steps are epochs.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from ignite.engine import Events
from monai.engines import IterationEvents, Workflow

from monai_gi.handlers.event_files import event_writer, flush_event_writers
from monai_gi.labels import TISSUE_NAMES
from monai_gi.plots import panel

# A patch is worth a look when it shows this many classes, or all where there are fewer.
TELLING_CLASSES = 3


class PatchImagesHandler:
    """Writes a few panels to `<tensorboard_dir>/validation` each time the evaluator runs.

    Which patches is decided by the truth and the loader's order alone: of each batch the one with most classes, until
    there are enough. Only process 0 writes, of the patches that it sees.

    Args:
        tensorboard_dir: as given to CurvesHandler.
        classes: names of the C channels, the background first, which is not outlined.
        count: pictures in all.
        upscale: picture pixels for a patch pixel.
    """

    def __init__(
        self, tensorboard_dir: str | Path, *, classes: Sequence[str] = TISSUE_NAMES, count: int = 6, upscale: float = 1
    ) -> None:
        self.folder = Path(tensorboard_dir) / "validation"
        self.classes = tuple(classes)
        self.count = count
        self.upscale = upscale
        self._drawn, self._seen = 0, 0

    def attach(self, engine: Workflow) -> None:
        """Listen to an evaluator.

        Args:
            engine: a MONAI evaluator of patches.
        """
        if engine.state.rank != 0:
            return
        engine.add_event_handler(Events.EPOCH_STARTED, self._begin)
        engine.add_event_handler(IterationEvents.FORWARD_COMPLETED, self._draw)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._flush)

    def _begin(self) -> None:
        self._drawn, self._seen = 0, 0

    def _draw(self, engine: Workflow) -> None:
        if self._drawn == self.count:
            return
        image, label, logits = (_plain(engine.state.output[key]) for key in ("image", "label", "pred"))
        variety = [len(torch.unique(patch)) for patch in label]
        best = int(np.argmax(variety))
        if variety[best] >= min(TELLING_CLASSES, len(self.classes)):
            picture = self._panel(image[best, :3], label[best, 0], logits[best].argmax(dim=0), self._seen + best)
            writer = event_writer(self.folder, engine.state.epoch)
            writer.add_image(f"patch_{self._seen + best:05d}", picture, engine.state.epoch, dataformats="HWC")
            self._drawn += 1
        self._seen += len(label)

    def _panel(self, image: torch.Tensor, label: torch.Tensor, pred: torch.Tensor, place: int) -> np.ndarray:
        numbers = torch.arange(1, len(self.classes))[:, None, None]
        truth, predicted = ((numbers == part.cpu()).numpy() for part in (label, pred))
        rgb = image.permute(1, 2, 0).cpu().numpy()
        return panel(rgb, truth, predicted, title=f"patch {place}", upscale=self.upscale, classes=self.classes[1:])

    def _flush(self) -> None:
        flush_event_writers(self.folder)


def _plain(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.detach().as_subclass(torch.Tensor)
