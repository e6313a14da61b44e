"""Prediction of slides of any size: peak memory and wall time against bare forward passes and against peers.

Run from the repository's root: `python -m benchmarks.slides --megapixels 60 242 1000 --network light`. Each case runs
in a process of its own. The slide repeats a drawn biopsy (`monai-gi phantom biopsy`), tiled JPEG TIFF, with a pyramid;
no window is left out as glass, so every side sees the same windows. "Bare" calls the network on as many windows from
memory; above --bare-windows it takes the median of that many and multiplies. The network has random weights.

Sides: ours (slide to tiled label image on disk), bare, sliding (MONAI's SlidingWindowInferer on the whole image),
patchify (image in memory cut without overlap, stitched), zarr (MONAI's PatchInferer with ZarrAvgMerger, no Gaussian).
A side that would need more than --most-gb of memory is left out, and the table says what it would need.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
import torch

from monai_gi.datasets.phantom.biopsy import write_biopsy
from monai_gi.datasets.phantom.tiled_tiff import TILE_PX, TiledTiff
from monai_gi.labels import TISSUE_NAMES
from monai_gi.plots.class_colors import class_palette
from monai_gi.slides import open_slide
from monai_gi.streaming import SlideSettings, labels_of, plan_of
from monai_gi.streaming.label_files import LabelFiles, write_label_files
from monai_gi.writers.label_image import forget

FEATURES = {
    "pixel": (),  # one convolution of 1 x 1: what everything around a network takes
    "tiny": (4, 4, 8, 16, 32, 4),
    "light": (8, 8, 16, 32, 64, 8),
    "unet": (32, 32, 64, 128, 256, 32),  # as bundles/biopsy_unet
}
SIDES = ("bare", "ours", "sliding", "patchify", "zarr")
DRAWN_MEGAPIXELS = 4.0
MPP = 0.5
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


def write_slide(path: Path, drawn: Path, megapixels: float) -> None:
    """A square slide of this size, in memory of one row of tiles a level."""
    side = round((megapixels * 1e6) ** 0.5)
    sizes = [(side, side)]
    while max(sizes[-1]) > 1024:
        sizes.append((-(-sizes[-1][0] // 2), -(-sizes[-1][1] // 2)))
    with open_slide(drawn) as source, path.open("w+b") as file:
        tiff = TiledTiff(file, sizes, MPP, is_lossy=True)
        for level, (height, width) in enumerate(sizes):
            pattern = source.read(level, 0, 0, *source.level_size(level))
            columns = np.arange(width) % pattern.shape[1]
            for row, top in enumerate(range(0, height, TILE_PX)):
                rows = np.arange(top, min(top + TILE_PX, height)) % pattern.shape[0]
                tiff.write_row(level, row, pattern[rows][:, columns])
        tiff.close()


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


def run_case(options: argparse.Namespace) -> None:
    """One side on one slide, in this process; prints a line of JSON."""
    torch.set_num_threads(options.threads)
    network = Timed(build(options.network).to(options.device))
    settings = settings_of(options)
    process = psutil.Process()
    with open_slide(options.slide) as slide:
        idle = process.memory_info().rss
        start, cpu = time.perf_counter(), time.process_time()
        result = globals()[f"run_{options.case}"](slide, network, settings, options, Path(options.folder))
        seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    about = {"seconds": seconds, "cpu_s": cpu, "network_s": network.seconds, "windows": network.windows}
    about["cpu_s"] /= result.pop("cpu_share", 1)
    print(json.dumps({**about, "peak_gb": peak / GB, "above_idle_gb": (peak - idle) / GB, **result}))


def run_side(side: str, slide: Path, folder: Path, options: argparse.Namespace) -> dict:
    """One side in a process of its own."""
    passed = ("network", "roi", "overlap", "batch", "threads", "device", "bare_windows")
    arguments = [f"--{name.replace('_', '-')}={getattr(options, name)}" for name in passed]
    command = [sys.executable, "-m", "benchmarks.slides", f"--case={side}", f"--slide={slide}", f"--folder={folder}"]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        return {"failed": done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"code {done.returncode}"}
    return json.loads(done.stdout.splitlines()[-1])


def agreement(one: str, other: str) -> float:
    """Share of pixels with the same label."""
    first, second = (
        np.load(path, mmap_mode="r") if path.endswith(".npy") else read_labels(path) for path in (one, other)
    )
    return float((np.asarray(first) == np.asarray(second)).mean())


def read_labels(path: str) -> np.ndarray:
    from monai_gi.writers.label_image import label_rows

    return np.concatenate(list(label_rows(path)))


def report(megapixels: float, results: dict[str, dict]) -> None:
    """Print one size as a table."""
    bare = results.get("bare", {})
    print(f"\n{megapixels:g} megapixels; CPU seconds of all threads, steadier than the clock on a busy machine")
    heads = ("side", "seconds", "/ bare", "CPU s", "/ bare", "network s", "windows", "peak GB", "above idle")
    print("".join(head.rjust(11) for head in heads))
    for side, found in results.items():
        if "seconds" not in found:
            print(f"{side:>11} {found['failed']}")
            continue
        ratios = {key: f"{found[key] / bare[key]:.3f}" if bare.get(key) else "" for key in ("seconds", "cpu_s")}
        clock = (f"{found['seconds']:.1f}", ratios["seconds"], f"{found['cpu_s']:.1f}", ratios["cpu_s"])
        memory = (f"{found['peak_gb']:.2f}", f"{found['above_idle_gb']:.2f}")
        line = (side, *clock, f"{found['network_s']:.1f}", str(found["windows"]), *memory)
        print("".join(one.rjust(11) for one in line))
    if "labels" in results.get("ours", {}) and "labels" in results.get("sliding", {}):
        same = agreement(results["ours"]["labels"], results["sliding"]["labels"])
        print(f"labels equal to SlidingWindowInferer's: {same:.6%}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megapixels", type=float, nargs="+", default=[60.0])
    parser.add_argument("--sides", nargs="+", default=list(SIDES), choices=SIDES)
    parser.add_argument("--network", default="light", choices=FEATURES)
    parser.add_argument("--roi", type=int, default=512)
    parser.add_argument("--overlap", type=float, default=0.25)
    parser.add_argument("--batch", type=int, default=1, help="windows at once; on a CPU 1 takes the least memory")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--bare-windows", type=int, default=10**9, help="at most so many; more are extrapolated")
    parser.add_argument("--most-gb", type=float, default=6.0)
    for name in ("case", "slide", "folder"):
        parser.add_argument(f"--{name}", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case:
        run_case(options)
        return
    print(f"network {options.network} {FEATURES[options.network]}, {options.roi} px, overlap {options.overlap}")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write_biopsy(folder / "drawn", slides=1, megapixels=DRAWN_MEGAPIXELS, progress=False)
        (drawn,) = (folder / "drawn" / "images").iterdir()
        for megapixels in options.megapixels:
            slide = folder / "slide.tif"
            write_slide(slide, drawn, megapixels)
            results = {}
            for side in options.sides:
                needed = needed_gb(side, megapixels * 1e6) if side not in ("bare", "ours") else 0
                if needed > options.most_gb:
                    results[side] = {"failed": f"left out: would need about {needed:.1f} GB"}
                else:
                    results[side] = run_side(side, slide, folder, options)
            report(megapixels, results)


if __name__ == "__main__":
    main()
