"""From one scan to masks on its own voxels: grey window, network grid, stacks by mm, network, and all the way back.

Probabilities, never labels, go back onto the scan's voxels; thresholds and the other rules are applied there.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from monai_gi.confidence import Confidence, disagreement_of_slices, entropy_of_slices
from monai_gi.devices import resolve_amp, resolve_device
from monai_gi.errors import DataError
from monai_gi.grids import NetworkGrid, network_grid
from monai_gi.intensity import scale_to_window, volume_window
from monai_gi.prediction_settings import PLANE, PredictionSettings
from monai_gi.scan import Scan
from monai_gi.transforms.rules import apply_organ_rules

_PLANES_AT_ONCE = 16

Progress = Callable[[int, int], object]


@dataclass(frozen=True)
class Prediction:
    """What the network says of one scan, on the scan's own voxels.

    Attributes:
        masks: (C, H, W, D) bool, channel c is ORGANS[c]; organs may overlap. Quickest to walk slice by slice, as its
            memory is ordered so.
        probabilities: (C, H, W, D) float32, in the same order, before the rules.
        confidence: of each slice.
        window: (low, high) grey values that became 0 and 1; they show the scan well, too.
        seconds: on the clock for "prepare", "forward", "restore", "rules" and "confidence".
    """

    masks: np.ndarray
    probabilities: np.ndarray
    confidence: Confidence
    window: tuple[float, float]
    seconds: dict[str, float]


class Predictor:
    """A network with the settings of its bundle, ready for one scan after the other.

    Args:
        network: stacks (n, K, h, w) in, logits (n, C, h, w) out; it is moved to the device and set to evaluation.
        settings: of the bundle.
        device: "cpu", "cuda", "cuda:N", or "auto" for CUDA where there is one.

    Raises:
        DataError: CUDA is asked for and there is none.
    """

    def __init__(
        self, network: torch.nn.Module, settings: PredictionSettings, device: str | torch.device = "cpu"
    ) -> None:
        self.device = resolve_device(device)
        self.network = network.to(self.device).eval()
        self.settings = settings
        self.rules = settings.rules()

    def predict(self, scan: Scan, progress: Progress | None = None) -> Prediction:
        """Contour one scan.

        Args:
            scan: any orientation, spacing and number of slices.
            progress: called with (slices done, D of the scan) as the network goes on; a sagittal or coronal scan,
                through which it goes another way, counts by the share that is done.

        Returns:
            Masks, probabilities and confidence on the scan's voxels.

        Raises:
            DataError: voxels are not numbers; or slices are missing where the network's planes cross them, as in
                sagittal and coronal scans: a plane with a gap in it can not be resampled.
            ValueError: the network has another number of channels than there are organs.
        """
        watch = _Stopwatch(self.device)
        grid = network_grid(scan.affine, scan.voxels.shape, self.settings.spacing_mm)
        numbers = _plane_numbers(scan, grid)
        planes, window = self._prepare(scan, grid)
        watch.lap("prepare")
        inferer = self.settings.inferer(grid.plane_spacing_mm, resolve_amp(self.settings.amp, self.device))
        gathered = _Gathered(grid, self.rules.thresholds)
        slices = scan.voxels.shape[2]
        for group, passes in inferer.passes(planes.permute(1, 2, 0), self.network, slices=numbers * PLANE):
            watch.lap("forward")
            gathered.add(group, [grid.restore(logits.sigmoid()) for logits in passes])
            watch.lap("restore")
            if progress is not None:
                progress(slices * group.stop // len(planes), slices)
        probabilities = gathered.probabilities
        masks = apply_organ_rules(torch.from_numpy(probabilities), self.rules).numpy()
        watch.lap("rules")
        pixel_mm2 = scan.spacing_mm[0] * scan.spacing_mm[1]
        entropy = entropy_of_slices(probabilities, masks, pixel_mm2)
        confidence = Confidence(entropy, gathered.disagreement(pixel_mm2) if self.settings.flips else None)
        watch.lap("confidence")
        return Prediction(masks, probabilities, confidence, window, watch.seconds)

    def _prepare(self, scan: Scan, grid: NetworkGrid) -> tuple[torch.Tensor, tuple[float, float]]:
        """Planes (planes, rows, columns) on the network's grid, 0 to 1, and the grey values that 0 and 1 were."""
        own = grid.planes_of(scan.voxels)
        window = volume_window(own, *self.settings.percentiles)
        if not np.isfinite(window).all():
            raise DataError(scan.name, "holds voxels that are not numbers (NaN). Replace them, for example by 0")
        planes = torch.empty((len(own), *grid.size))
        for first in range(0, len(own), _PLANES_AT_ONCE):
            group = slice(first, first + _PLANES_AT_ONCE)
            planes[group] = grid.resample(torch.from_numpy(scale_to_window(own[group], window)))
        return planes, window


class _Gathered:
    """Probabilities of all planes on the scan's voxels, and where mirrored passes contradict the plain one.

    Args:
        grid: of the scan.
        thresholds: one a channel, from which a voxel is inside.
    """

    def __init__(self, grid: NetworkGrid, thresholds: tuple[float, ...]) -> None:
        self.thresholds = torch.tensor(thresholds)[:, None, None]
        self.probabilities, self._probabilities = grid.room(len(thresholds), np.float32)
        self.different, self._different = grid.room(len(thresholds), np.uint8)
        self.inside, self._inside = grid.room(len(thresholds), np.uint8)
        self.mirrored = 0

    def add(self, group: slice, passes: list[torch.Tensor]) -> None:
        """Take the probabilities (n, C, rows, columns) of the plain pass, and of the mirrored ones, for n planes."""
        if passes[0].shape[1] != len(self.thresholds):
            raise ValueError(f"network: {passes[0].shape[1]} channels, wanted one an organ: {len(self.thresholds)}")
        plain, *mirrored = (probabilities.cpu() for probabilities in passes)
        self._probabilities[group] = torch.stack([plain, *mirrored]).mean(dim=0) if mirrored else plain
        self.mirrored = len(mirrored)
        for other in mirrored:
            masks = (plain >= self.thresholds).numpy(), (other >= self.thresholds).numpy()
            self._different[group] += masks[0] ^ masks[1]
            self._inside[group] += masks[0]
            self._inside[group] += masks[1]

    def disagreement(self, pixel_mm2: float) -> np.ndarray:
        """See `disagreement_of_slices`."""
        return disagreement_of_slices(self.different, self.inside, self.mirrored, pixel_mm2)


class _Stopwatch:
    """Seconds on the clock by stage; what CUDA was told to do belongs to the stage that told it.

    Args:
        device: whose work is waited for.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.seconds = dict.fromkeys(("prepare", "forward", "restore", "rules", "confidence"), 0.0)
        self.last = time.perf_counter()

    def lap(self, stage: str) -> None:
        """Give the time since the last lap to a stage."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        now = time.perf_counter()
        self.seconds[stage] += now - self.last
        self.last = now


def _plane_numbers(scan: Scan, grid: NetworkGrid) -> np.ndarray:
    """Numbers of the network's planes, ascending from 0, with the gaps of the scan."""
    if grid.axes[2] != 2:
        if np.any(np.diff(scan.slice_numbers) != 1):
            raise DataError(
                scan.name,
                "slices are missing, and the network's planes, which lie across the patient, would cross the gaps. "
                "Export the series whole",
            )
        return np.arange(scan.voxels.shape[grid.axes[2]])
    numbers = scan.slice_numbers
    return numbers[-1] - numbers[::-1] if grid.is_flipped[2] else numbers
