"""What the job around the network costs: a drawn DICOM series read, predicted and written in all formats.

Run from the repository's root: `python -m benchmarks.predict`. SegFormer-B0 has random weights, so its answers are
computed and put aside for the drawn organs with blurred outlines: what follows has realistic contours to work on.
Stages are those of `result.json`; "around the network" is the whole time but for the calls of the network itself.
"""

import argparse
import json
import resource
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import avg_pool2d, pad

from monai_gi.datasets.phantom.dicom import plan_dicom, write_drawn
from monai_gi.devices import resolve_amp, resolve_device
from monai_gi.freed_memory import keep_freed_memory
from monai_gi.grids import network_grid
from monai_gi.networks import HuggingFaceSegmenter
from monai_gi.outputs import FORMATS_OF_KIND, Results, write_outputs
from monai_gi.prediction_settings import PredictionSettings
from monai_gi.predictor import Predictor
from monai_gi.provenance import Provenance
from monai_gi.readers.sources import find_sources, read_source
from monai_gi.scan import Scan

ROI_SIZE = (288, 288)
STEPS_OF_LOGITS = 12  # logits stand as 8-bit numbers, 12 to a unit


class DrawnAnswers(torch.nn.Module):
    """Runs a network, keeps the time of its calls, and answers with logits that are known before."""

    def __init__(self, network: torch.nn.Module, logits: torch.Tensor) -> None:
        super().__init__()
        self.network = network
        self.logits = logits
        self.done = 0
        self.seconds = 0.0

    def forward(self, stacks: torch.Tensor) -> torch.Tensor:
        start = time.perf_counter()
        self.network(stacks)
        if stacks.is_cuda:
            torch.cuda.synchronize()
        self.seconds += time.perf_counter() - start
        answer = self.logits[self.done : self.done + len(stacks)]
        self.done = (self.done + len(stacks)) % len(self.logits)
        return answer.to(stacks.device, torch.float32) / STEPS_OF_LOGITS


def drawn_logits(scan: Scan, masks: np.ndarray) -> torch.Tensor:
    """(planes, C, h, w) int8 for organs (C, H, W, D), certain inside, doubtful at the outlines, certain outside."""
    grid = network_grid(scan.affine, scan.voxels.shape, (1.5, 1.5))
    planes = np.stack([grid.planes_of(mask) for mask in masks], axis=1)
    margins = [window - length for window, length in zip(ROI_SIZE, grid.size, strict=True)]
    top, left = (margin // 2 for margin in margins)
    around = (left, margins[1] - left, top, margins[0] - top)
    logits = torch.empty((len(planes), len(masks), *ROI_SIZE), dtype=torch.int8)
    for plane, answer in zip(planes, logits, strict=True):
        blurred = avg_pool2d(grid.resample(torch.from_numpy(plane).float()), 5, stride=1, padding=2)
        answer[:] = pad(STEPS_OF_LOGITS * (20 * blurred - 10).clamp(-10, 10), around, value=-10 * STEPS_OF_LOGITS)
    return logits


def run(folder: Path, options: argparse.Namespace) -> None:
    """Draw, warm up, time, print."""
    (drawn,) = plan_dicom(
        folder / "dicom",
        slices=options.slices,
        size=(options.size, options.size),
        spacing_mm=options.spacing_mm,
    )
    write_drawn(drawn)
    logits = drawn_logits(read_source(find_sources(folder / "dicom")[0]), drawn.masks)
    del drawn
    network = DrawnAnswers(HuggingFaceSegmenter(variant="b0"), logits)
    flips = ("left_right",) if options.tta else ()
    settings = PredictionSettings(roi_size=ROI_SIZE, slice_offsets=(-2, 0, 2), flips=flips, amp=options.amp)
    predictor = Predictor(network, settings, options.device)
    with torch.no_grad():
        network.network(torch.zeros(8, 3, *ROI_SIZE, device=predictor.device))
    for turn in range(options.turns):
        network.seconds = 0.0
        start = time.perf_counter()
        source = find_sources(folder / "dicom")[0]
        found = time.perf_counter() - start
        scan = read_source(source)
        seconds = {"find": found, "read": time.perf_counter() - start - found}
        prediction = predictor.predict(scan)
        results = Results(scan, prediction, Provenance("segformer", "0.1.0", "0" * 64, "0.1.0"), settings.as_dict())
        written = write_outputs(folder / f"turn{turn}", results, FORMATS_OF_KIND["dicom"], seconds)
        total = time.perf_counter() - start
        report(json.loads(written.read_text())["seconds"], network.seconds, total)


def report(stages: dict[str, float], network: float, total: float) -> None:
    """Print the stages of one turn and the ratio."""
    blending = stages.pop("forward") - network
    for stage, seconds in {"network": network, "stacks and blending": blending, **stages}.items():
        print(f"{stage:>22} {seconds:7.3f} s   {seconds / network:6.1%}")
    print(f"around the network {total - network:.2f} s / network {network:.2f} s = {total / network - 1:.1%}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slices", type=int, default=144)
    parser.add_argument("--size", type=int, default=266, help="rows and columns; at most 288 at 1.5 mm")
    parser.add_argument("--spacing-mm", type=float, default=1.5, help="of pixels; other than 1.5 is resampled")
    parser.add_argument("--amp", default="auto", choices=("auto", "bf16", "fp16", "off"))
    parser.add_argument("--tta", action="store_true", help="with a mirrored pass; its answers are then wrong")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--turns", type=int, default=2)
    options = parser.parse_args()
    options.amp = False if options.amp == "off" else options.amp
    warnings.simplefilter("ignore")
    torch.set_num_threads(options.threads)
    keep_freed_memory(resolve_device(options.device))
    with tempfile.TemporaryDirectory() as folder:
        run(Path(folder), options)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    precision = resolve_amp(options.amp, resolve_device(options.device)) or "float32"
    print(f"precision {'of the device' if precision is True else precision}, wanted at most 25 %; ", end="")
    print(f"peak resident memory {peak:.2f} GB, wanted under 2.5 GB")


if __name__ == "__main__":
    main()
