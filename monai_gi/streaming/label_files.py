"""From a slide to label image and probability images on disk, in bounded memory; a job that stopped goes on."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from monai_gi.slides import Slide, TissueMap
from monai_gi.streaming.bands import BandOfBlocks, plan_of, stream_blocks
from monai_gi.streaming.settings import SlideSettings
from monai_gi.writers.label_image import LabelImageWriter, is_whole

CERTAIN = 255  # a probability of 1 in the probability images


@dataclass(frozen=True)
class LabelFiles:
    """What to write of one slide.

    Attributes:
        labels: the label image.
        colors: (C, 3) RGB of the labels.
        key: what the result depends on; files with the same key are gone on with, or left as they are when whole.
        description: kept in the files.
        probabilities: images of 0 to 255 by channel of the network; empty for none.
    """

    labels: Path
    colors: Sequence[Sequence[int]]
    key: str
    description: str = ""
    probabilities: Mapping[int, Path] = field(default_factory=dict)


def blocks_in(slide: Slide, settings: SlideSettings) -> int:
    """How often `write_label_files` calls `progress` for a whole slide."""
    plan = plan_of(slide, settings)
    return len(plan.bands) * len(plan.columns)


def write_label_files(
    slide: Slide,
    network: torch.nn.Module,
    settings: SlideSettings,
    files: LabelFiles,
    *,
    device: str | torch.device = "cpu",
    tissue: TissueMap | None = None,
    progress: Callable[[int], object] = lambda blocks: None,
) -> None:
    """Predict a slide and write it band by band.

    Args:
        slide: an open one.
        network: on the device, in evaluation mode.
        settings: of the bundle.
        files: to write.
        device: of the network.
        tissue: of the slide; None looks everywhere.
        progress: called with the number of blocks that are done since the last call, see `blocks_in`.

    Raises:
        DataError: another file lies in the place of one of these.
        OSError: the disk refuses.
    """
    with ExitStack() as stack:
        writers = _writers(slide, settings, files, stack)
        height = min([writer.rows_done for writer in writers.values()], default=plan_of(slide, settings).size[0])
        bands = stream_blocks(slide, network, settings, device, tissue=tissue, start_row=height) if writers else ()
        blocks, done = blocks_in(slide, settings), 0
        for number, band in enumerate(bands):
            if not number:
                plan = plan_of(slide, settings)
                done = len(plan.columns) * sum(one.bottom - plan.margin[0] <= height for one in plan.bands)
                progress(done)
            done += _write_band(band, writers, plan_of(slide, settings).size[1], progress)
        progress(blocks - done)
        for channel in sorted(writers, reverse=True):  # the label image last: it marks the others as whole
            writers[channel].finish()


def _write_band(
    band: BandOfBlocks, writers: Mapping[int, LabelImageWriter], width: int, progress: Callable[[int], object]
) -> int:
    """Write one band to all files that lack it; channel -1 stands for the labels."""
    rows = {channel: np.empty((band.bottom - band.top, width), dtype=np.uint8) for channel in writers}
    asked = [channel for channel in writers if channel != LABELS]
    blocks = 0
    for block in band.blocks:
        columns = slice(block.left, block.left + block.sums.shape[2])
        if LABELS in rows:
            rows[LABELS][:, columns] = block.labels
        if asked:
            levels = (block.probabilities * CERTAIN).round().byte().cpu().numpy()
            for channel in asked:
                rows[channel][:, columns] = levels[channel]
        blocks += 1
        progress(1)
    for channel, writer in writers.items():
        writer.write(rows[channel][max(writer.rows_done - band.top, 0) :])
    return blocks


LABELS = -1


def _writers(slide: Slide, settings: SlideSettings, files: LabelFiles, stack: ExitStack) -> dict[int, LabelImageWriter]:
    """Writers of the files that are not whole, by channel."""
    scale = 2 ** settings.levels[0]
    mpp = slide.mpp and tuple(scale * one for one in slide.mpp)
    size = plan_of(slide, settings).size
    paths = {LABELS: files.labels, **files.probabilities}
    return {
        channel: stack.enter_context(
            LabelImageWriter(
                path,
                size,
                files.key,
                colors=files.colors if channel == LABELS else None,
                mpp=mpp,
                description=files.description,
            )
        )
        for channel, path in paths.items()
        if not is_whole(path, files.key)
    }
