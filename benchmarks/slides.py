"""Prediction of slides of any size: peak memory and wall time against bare forward passes and against peers.

Run from the repository's root: `python -m benchmarks.slides --megapixels 60 242 1000 --network light`. Each case runs
in a process of its own. The slide repeats a drawn biopsy (`monai-gi phantom biopsy`), tiled JPEG TIFF, with a pyramid;
no window is left out as glass but by "predict". "Bare" calls the network on as many windows from memory; above
--bare-windows it takes the median of that many and multiplies. The network has random weights.

Sides: bare, ours (slide to tiled label image on disk), predict (all that `monai-gi predict` does: hash, tissue, label
image, outlines, picture, record; its ratios are to as many bare windows as it has), sliding (MONAI's
SlidingWindowInferer on the whole image), patchify (image in memory cut without overlap, stitched), zarr (MONAI's
PatchInferer with ZarrAvgMerger, no Gaussian).
A side that would need more than --most-gb of memory is left out, and the table says what it would need.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
import torch

from benchmarks import slide_sides
from benchmarks.slide_sides import FEATURES, GB, Timed, build, needed_gb, settings_of
from monai_gi.datasets.phantom.biopsy import write_biopsy
from monai_gi.datasets.phantom.tiled_tiff import TILE_PX, TiledTiff
from monai_gi.freed_memory import keep_freed_memory
from monai_gi.pyramids import level_sizes
from monai_gi.slides import open_slide
from monai_gi.writers.label_image import label_rows

SIDES = ("bare", "ours", "predict", "sliding", "patchify", "zarr")
DRAWN_MEGAPIXELS = 4.0
MPP = 0.5


def write_slide(path: Path, drawn: Path, megapixels: float) -> None:
    """A square slide of this size, in memory of one row of tiles a level."""
    side = round((megapixels * 1e6) ** 0.5)
    sizes = level_sizes((side, side))
    with open_slide(drawn) as source, path.open("w+b") as file:
        tiff = TiledTiff(file, sizes, MPP, is_lossy=True)
        for level, (height, width) in enumerate(sizes):
            pattern = source.read(level, 0, 0, *source.level_size(level))
            columns = np.arange(width) % pattern.shape[1]
            for row, top in enumerate(range(0, height, TILE_PX)):
                rows = np.arange(top, min(top + TILE_PX, height)) % pattern.shape[0]
                tiff.write_row(level, row, pattern[rows][:, columns])
        tiff.close()


def run_case(options: argparse.Namespace) -> None:
    """One side on one slide, in this process; prints a line of JSON."""
    torch.set_num_threads(options.threads)
    keep_freed_memory(options.device)  # as `monai-gi predict` does; good for every side
    network = Timed(build(options.network).to(options.device))
    settings = settings_of(options)
    process = psutil.Process()
    with open_slide(options.slide) as slide:
        idle = process.memory_info().rss
        start, cpu = time.perf_counter(), time.process_time()
        result = getattr(slide_sides, f"run_{options.case}")(slide, network, settings, options, Path(options.folder))
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
        share = found["windows"] / bare["windows"] if bare and side == "predict" else 1
        ratios = {key: f"{found[key] / bare[key] / share:.3f}" if bare else "" for key in ("seconds", "cpu_s")}
        clock = (f"{found['seconds']:.1f}", ratios["seconds"], f"{found['cpu_s']:.1f}", ratios["cpu_s"])
        memory = (f"{found['peak_gb']:.2f}", f"{found['above_idle_gb']:.2f}")
        line = (side, *clock, f"{found['network_s']:.1f}", str(found["windows"]), *memory)
        print("".join(one.rjust(11) for one in line))
    for stage, seconds in results.get("predict", {}).get("stages", {}).items():
        print(f"predict: {stage} {seconds:.1f} s")
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
                needed = needed_gb(side, megapixels * 1e6) if side in ("sliding", "patchify", "zarr") else 0
                if needed > options.most_gb:
                    results[side] = {"failed": f"left out: would need about {needed:.1f} GB"}
                else:
                    results[side] = run_side(side, slide, folder, options)
            report(megapixels, results)


if __name__ == "__main__":
    main()
