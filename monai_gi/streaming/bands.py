"""A slide of any size through a network: windows read ahead, answers blended and given out in bands of rows.

The answer equals a softmax over MONAI's `SlidingWindowInferer(..., cval=1)` of the whole image, but for the order of
float32 additions; the whole image is never in memory.
"""

from collections.abc import Generator, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from monai.data.utils import compute_importance_map

from monai_gi.devices import resolve_amp
from monai_gi.inferers.passes import autocast, checked_amp, flip_axes, one_tensor
from monai_gi.slides import TissueMap
from monai_gi.slides.regions import halved
from monai_gi.slides.stacking import Image
from monai_gi.streaming.blending import Blender, Block
from monai_gi.streaming.prefetching import prefetch
from monai_gi.streaming.reading import batches_of, places_of, windows_of_glass
from monai_gi.streaming.settings import SlideSettings
from monai_gi.streaming.windows import Band, WindowPlan, plan_windows

Network = torch.nn.Module
_LEAST_PROBABILITY = 1e-12


@dataclass(frozen=True)
class BandOfBlocks:
    """A band whose blocks are computed as they are iterated over; all of them, before the next band is asked for.

    Attributes:
        top: first row in the image.
        bottom: behind the last row.
        blocks: from left to right, each over all rows of the band.
    """

    top: int
    bottom: int
    blocks: Iterator[Block]


def plan_of(slide: Image, settings: SlideSettings) -> WindowPlan:
    """The windows of a slide.

    Args:
        slide: whose size counts.
        settings: of the bundle.

    Returns:
        Windows at the first of the levels.
    """
    return plan_windows(halved(slide.size, settings.levels[0]), settings.roi_size, settings.overlap)


def stream_blocks(
    slide: Image,
    network: Network,
    settings: SlideSettings,
    device: str | torch.device = "cpu",
    *,
    tissue: TissueMap | None = None,
    start_row: int = 0,
) -> Iterator[BandOfBlocks]:
    """Compute the probabilities of a slide, block by block, in memory that grows with its width only.

    Args:
        slide: any size; read from one thread at a time, another one than the caller's.
        network: windows (n, 3 * levels, h, w), 0 to 1, in, logits (n, C, h, w) out; on its device, in evaluation mode.
        settings: of the bundle.
        device: of the network.
        tissue: windows that it says to be glass are left out and become background, where the settings want that.
            None: no glass.
        start_row: bands that end at or above this row of the output are left out, for jobs that go on.

    Yields:
        BandOfBlocks: from the top.

    Raises:
        ValueError: the network's answer has another shape than the classes and the window.
    """
    plan = plan_of(slide, settings)
    weights = compute_importance_map(plan.roi_size, mode=settings.mode, device=torch.device(device))
    blender = Blender(plan, weights, len(settings.classes))
    glass = windows_of_glass(plan, settings.levels[0], tissue if settings.glass else None)
    skipped, bands = _bands_from(plan, start_row)
    work = _Windows(slide, network, settings, torch.device(device))
    logits = work.logits([*skipped, *bands], plan, glass)
    try:
        for band in skipped:
            for _ in blender.blend(band, logits):
                pass
        for band in bands:
            top, bottom = (min(max(row - plan.margin[0], 0), plan.size[0]) for row in (band.top, band.bottom))
            yield BandOfBlocks(top, bottom, blender.blend(band, logits))
    finally:
        logits.close()


def stream_bands(
    slide: Image,
    network: Network,
    settings: SlideSettings,
    device: str | torch.device = "cpu",
    *,
    tissue: TissueMap | None = None,
    start_row: int = 0,
) -> Iterator[tuple[int, torch.Tensor]]:
    """Compute the probabilities of a slide in bands over its whole width; for wide slides prefer `stream_blocks`.

    Args:
        slide: as for `stream_blocks`, as all others.
        network: windows in, logits out.
        settings: of the bundle.
        device: of the network.
        tissue: map of the whole slide.
        start_row: of jobs that go on.

    Yields:
        tuple[int, torch.Tensor]: first row of the band in the output, and probabilities (C, rows, W), float32, on the
            CPU.
    """
    width = plan_of(slide, settings).size[1]
    for band in stream_blocks(slide, network, settings, device, tissue=tissue, start_row=start_row):
        rows = torch.empty((len(settings.classes), band.bottom - band.top, width))
        for block in band.blocks:
            rows[..., block.left : block.left + block.sums.shape[2]] = block.probabilities.cpu()
        yield band.top, rows


def _bands_from(plan: WindowPlan, start_row: int) -> tuple[list[Band], list[Band]]:
    """Bands that are only needed for what they add to later ones, and the bands whose answer is wanted."""
    wanted = [band for band in plan.bands if band.bottom - plan.margin[0] > start_row]
    if not wanted:
        return [], []
    before = [
        band for band in plan.bands if band.top < wanted[0].top and band.rows[-1] + plan.roi_size[0] > wanted[0].top
    ]
    return before, wanted


class _Windows:
    """Answers of the network, window after window.

    Args:
        slide: to read from.
        network: on the device.
        settings: of the bundle.
        device: of the network.
    """

    def __init__(self, slide: Image, network: Network, settings: SlideSettings, device: torch.device) -> None:
        self.slide = slide
        self.network = network
        self.settings = settings
        self.device = device
        self.amp = checked_amp(resolve_amp(settings.amp, device))
        self.flips = flip_axes(settings.flips)

    def logits(
        self, bands: list[Band], plan: WindowPlan, glass: frozenset[tuple[int, int]]
    ) -> Generator[torch.Tensor | None, None, None]:
        """Logits (C, h, w), float32, in the order of `places_of`; None for glass.

        A batch never holds windows of two bands: a job that goes on then computes the very same batches again.
        """

        batch_size = self.settings.batch_on(self.device)

        def read() -> Iterator[np.ndarray]:
            for band in bands:
                places = (place for place in places_of(band, plan) if place not in glass)
                yield from batches_of(self.slide, self.settings.levels, plan, places, batch_size)

        batches = prefetch(read())
        try:
            ready: Iterator[torch.Tensor] = iter(())
            for place in (place for band in bands for place in places_of(band, plan)):
                if place in glass:
                    yield None
                    continue
                window = next(ready, None)
                if window is None:
                    ready = iter(self._predict(next(batches)))
                    window = next(ready)
                yield window
        finally:
            batches.close()

    def _predict(self, windows: np.ndarray) -> torch.Tensor:
        """Logits (n, C, h, w) of windows (n, 3 * levels, h, w), uint8."""
        with torch.inference_mode(), autocast(self.amp, self.device):
            inputs = torch.from_numpy(windows).to(self.device).float().div_(255)
            # Convolutions of a UNet take two thirds of the time so, on CPUs as on GPUs.
            inputs = inputs.contiguous(memory_format=torch.channels_last)
            passes = [one_tensor(self.network(inputs)).float()]
            passes += [one_tensor(self.network(inputs.flip(axes))).float().flip(axes) for axes in self.flips]
            if len(passes) == 1:
                return passes[0]
            # Logarithms of mean probabilities are logits of the same probabilities.
            mean = torch.stack([one.softmax(dim=1) for one in passes]).mean(dim=0)
            return mean.clamp_min(_LEAST_PROBABILITY).log()
