"""The sides of `benchmarks/slides.py`: each takes one slide through one network, this package's way or another.

`run_SIDE(slide, network, settings, options, folder)` gives what it found beside the time: the path of its labels.
"""

import argparse
import statistics
import time
from pathlib import Path

import numpy as np
import torch

from monai_gi import __version__
from monai_gi.labels import TISSUE_NAMES
from monai_gi.plots.class_colors import class_palette
from monai_gi.provenance import Provenance
from monai_gi.slide_contouring import DEFAULT_FORMATS
from monai_gi.streaming import SlideSettings, labels_of, plan_of
from monai_gi.streaming.label_files import LabelFiles, write_label_files
from monai_gi.streaming.slide_results import LABELS, SlideJob, SlideResults
from monai_gi.writers.label_image import forget

FEATURES = {
    "pixel": (),  # one convolution of 1 x 1: what everything around a network takes
    "tiny": (4, 4, 8, 16, 32, 4),
    "light": (8, 8, 16, 32, 64, 8),
    "unet": (32, 32, 64, 128, 256, 32),  # as bundles/biopsy_unet
}
GB = 1e9


def build(name: str) -> torch.nn.Module:
    """The network with random weights, always the same."""
    from monai.networks.nets import BasicUNet

    torch.manual_seed(0)
    if not FEATURES[name]:
        return torch.nn.Conv2d(3, len(TISSUE_NAMES), 1).eval()
    return BasicUNet(2, 3, len(TISSUE_NAMES), features=FEATURES[name], norm="batch").eval()


def settings_of(options: argparse.Namespace) -> SlideSettings:
    return SlideSettings(
        roi_size=(options.roi, options.roi),
        levels=(0,),
        classes=TISSUE_NAMES,
        overlap=options.overlap,
        sw_batch_size=options.batch,
        glass=False,
        amp=False,
    )


class Timed(torch.nn.Module):
    """A network that keeps the time of its calls."""

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network
        self.seconds = 0.0
        self.windows = 0

    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        start = time.perf_counter()
        logits = self.network(windows)
        if windows.is_cuda:
            torch.cuda.synchronize()
        self.seconds += time.perf_counter() - start
        self.windows += len(windows)
        return logits


def run_bare(slide, network, settings, options, folder):
    """Seconds of as many windows as the slide has."""
    plan = plan_of(slide, settings)
    windows = len(plan.rows) * len(plan.columns)
    batch = torch.rand(settings.sw_batch_size, 3, *settings.roi_size, device=options.device)
    batch = batch.contiguous(memory_format=torch.channels_last)  # the quicker layout, as streaming has it
    turns = []
    with torch.inference_mode():
        for _ in range(max(1, min(windows, options.bare_windows) // len(batch))):
            start = time.perf_counter()
            network(batch)
            if batch.is_cuda:
                torch.cuda.synchronize()
            turns.append(time.perf_counter() - start)
    seconds = sum(turns) if windows <= options.bare_windows else statistics.median(turns) * windows / len(batch)
    share = sum(turns) / seconds
    return {"seconds": seconds, "cpu_share": share, "windows": windows}


def run_ours(slide, network, settings, options, folder):
    """Slide to label image."""
    files = LabelFiles(folder / "ours.tif", class_palette(TISSUE_NAMES), "benchmark")
    forget(files.labels)  # of the size before
    write_label_files(slide, network, settings, files, device=options.device)
    return {"labels": str(files.labels)}


def run_predict(slide, network, settings, options, folder):
    """All that `monai-gi predict` does for a slide: hash, tissue, label image, outlines, picture, record."""
    provenance = Provenance("benchmark", __version__, "0" * 64, __version__)
    job = SlideJob(
        network=network,
        settings=settings.replace(glass=True),
        output=folder / "predict",
        provenance=provenance,
        formats=DEFAULT_FORMATS,
        device=torch.device(options.device),
        overwrite=True,
    )
    results = SlideResults("slide", Path(options.slide), job)
    results.write(lambda blocks: None)
    return {"labels": str(results.folder / LABELS), "stages": results.seconds}


def run_sliding(slide, network, settings, options, folder):
    """MONAI on the whole image: image, logits and weights in memory."""
    from monai.inferers import SlidingWindowInferer

    image = torch.from_numpy(slide.read(0, 0, 0, *slide.size).transpose(2, 0, 1)[None]).float().div_(255)
    inferer = SlidingWindowInferer(
        settings.roi_size, settings.sw_batch_size, settings.overlap, settings.mode, cval=1.0, sw_device=options.device
    )
    with torch.inference_mode():
        logits = inferer(image, network)[0]
    return save_labels(folder / "sliding.npy", logits)


def run_patchify(slide, network, settings, options, folder):
    """Patches of the whole image without overlap, classified one by one, stitched."""
    height, width = settings.roi_size
    image = slide.read(0, 0, 0, *slide.size)
    rows, columns = (-(-length // window) for length, window in zip(slide.size, settings.roi_size, strict=True))
    missing = (rows * height - slide.size[0], columns * width - slide.size[1])
    image = np.pad(image, ((0, missing[0]), (0, missing[1]), (0, 0)), constant_values=255)
    patches = image.reshape(rows, height, columns, width, 3).swapaxes(1, 2).reshape(-1, height, width, 3)
    labels = np.empty(patches.shape[:3], dtype=np.uint8)
    with torch.inference_mode():
        for first in range(0, len(patches), settings.sw_batch_size):
            batch = torch.from_numpy(patches[first : first + settings.sw_batch_size]).permute(0, 3, 1, 2)
            logits = network(batch.to(options.device).float().div_(255))
            labels[first : first + len(batch)] = logits.argmax(dim=1).byte().cpu().numpy()
    stitched = labels.reshape(rows, columns, height, width).swapaxes(1, 2).reshape(rows * height, columns * width)
    np.save(folder / "patchify.npy", stitched[: slide.size[0], : slide.size[1]])
    return {"labels": str(folder / "patchify.npy")}


def run_zarr(slide, network, settings, options, folder):
    """MONAI's patches from memory, plain means gathered in zarr on disk."""
    from monai.inferers import PatchInferer, SlidingWindowSplitter, ZarrAvgMerger

    size, roi = slide.size, settings.roi_size
    image = torch.from_numpy(slide.read(0, 0, 0, *size).transpose(2, 0, 1)[None]).float().div_(255)
    step = [int(window * (1 - settings.overlap)) for window in roi]
    padded = [
        window + -(-max(length - window, 0) // stride) * stride
        for length, window, stride in zip(size, roi, step, strict=True)
    ]
    channels = len(TISSUE_NAMES)
    inferer = PatchInferer(
        SlidingWindowSplitter(patch_size=roi, overlap=settings.overlap, pad_mode="constant"),
        ZarrAvgMerger,
        batch_size=settings.sw_batch_size,
        merged_shape=(1, channels, *padded),
        cropped_shape=(1, channels, *size),
        store=str(folder / "merged.zarr"),
        value_store=str(folder / "values.zarr"),
        count_store=str(folder / "counts.zarr"),
        chunks=(1, channels, *roi),
    )
    with torch.inference_mode():
        merged = inferer(image.to(options.device), network)
    labels = np.empty(size, dtype=np.uint8)
    for top in range(0, size[0], roi[0]):
        labels[top : top + roi[0]] = np.asarray(merged[0, :, top : top + roi[0]]).argmax(axis=0)
    np.save(folder / "zarr.npy", labels)
    return {"labels": str(folder / "zarr.npy")}


def save_labels(path: Path, logits: torch.Tensor) -> dict[str, str]:
    np.save(path, labels_of(logits))
    return {"labels": str(path)}


def needed_gb(side: str, pixels: float) -> float:
    """Memory that a side takes for the image and the answers, in GB, without the network."""
    image, planes = 3, 4 * len(TISSUE_NAMES)
    return (
        pixels
        / GB
        * {"sliding": 4 * image + image + planes + 8, "patchify": 3 * image + 3, "zarr": 5 * image + 2}[side]
    )
