"""Pictures for TensorBoard: slice, truth and prediction with outlines, the same slices at every validation.

Convention: scans come decollated as image (1, H, W, D) in 0..1 and label, pred (C, H, W, D) masks; a picture's tag is
the id of its slice. Steps are epochs.
"""

from pathlib import Path

import numpy as np
from ignite.engine import Events
from monai.engines import Workflow

from monai_gi.handlers.event_files import event_writer, flush_event_writers
from monai_gi.handlers.scans import Scan, scans_of
from monai_gi.plots import panel


class ImagesHandler:
    """Writes a few panels to `<tensorboard_dir>/validation` each time the evaluator runs.

    Which slices is decided by the truth alone (most organs, then most pixels, apart from each other), so the same
    ones return in every epoch and after a resume. Scans come in the loader's order until the count is reached. Only
    process 0 writes, from the scans that it sees.

    Args:
        tensorboard_dir: as given to CurvesHandler.
        count: pictures in all.
        per_scan: pictures of one scan at most.
        upscale: picture pixels for an image pixel.
    """

    def __init__(self, tensorboard_dir: str | Path, count: int = 6, per_scan: int = 2, upscale: float = 1.5) -> None:
        self.folder = Path(tensorboard_dir) / "validation"
        self.count = count
        self.per_scan = per_scan
        self.upscale = upscale
        self.drawn = 0

    def attach(self, engine: Workflow) -> None:
        """Listen to an evaluator.

        Args:
            engine: a MONAI evaluator that decollates.
        """
        if engine.state.rank != 0:
            return
        engine.add_event_handler(Events.EPOCH_STARTED, self._begin)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._draw)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._flush)

    def _begin(self) -> None:
        self.drawn = 0

    def _draw(self, engine: Workflow) -> None:
        if self.drawn < self.count:
            for scan in scans_of(engine, {}):
                self._draw_scan(scan, engine.state.epoch)

    def _draw_scan(self, scan: Scan, epoch: int) -> None:
        positions = telling_slices(scan.pred.shape[-1] if scan.truth is None else scan.truth, self.per_scan)
        for position in positions[: self.count - self.drawn]:
            picture = panel(
                scan.image[..., position],
                None if scan.truth is None else scan.truth[..., position],
                scan.pred[..., position],
                title=scan.slice_ids[position],
                upscale=self.upscale,
                spacing_mm=scan.spacing_mm,
            )
            writer = event_writer(self.folder, epoch)
            writer.add_image(scan.slice_ids[position], picture, epoch, dataformats="HWC")
            self.drawn += 1

    def _flush(self) -> None:
        flush_event_writers(self.folder)


def telling_slices(truth: np.ndarray | int, count: int) -> list[int]:
    """The slices worth looking at: those with most organs, then most organ pixels, spread over the scan.

    Args:
        truth: masks (C, H, W, D); or just D where there is no truth.
        count: how many at most.

    Returns:
        Positions along D, ascending; evenly spread ones where no slice has an organ.
    """
    if isinstance(truth, int) or not (truth > 0).any():
        depth = truth if isinstance(truth, int) else truth.shape[-1]
        return sorted({(2 * i + 1) * depth // (2 * count) for i in range(count)})
    pixels = (truth > 0).sum(axis=(1, 2))
    score = (pixels > 0).sum(axis=0) * (truth.size + 1.0) + pixels.sum(axis=0)
    return sorted(_apart(score, count))


def _apart(score: np.ndarray, count: int) -> list[int]:
    """Best first, each at least an eighth of the scan away from those before; slices without organs never."""
    gap = max(1, len(score) // 8)
    chosen: list[int] = []
    for position in np.argsort(-score, kind="stable").tolist():
        if len(chosen) < count and score[position] > 0 and all(abs(position - other) >= gap for other in chosen):
            chosen.append(position)
    return chosen
