"""Training input: slices/s of the slice store with batch augmentation against MONAI's stock transforms, in one process.

    python benchmarks/training_input.py [--slices 192 --batch-size 16 --passes 5 --roi 288]

Both sides draw the same augmentations with the same probabilities and ranges; both give float images (B, 3, h, w) and
masks (B, 3, h, w) of the same 2.5D slices, with the same number of torch threads. First the deterministic part of both
is compared bit for bit. Passes of the sides take turns. Beside the time on the clock stands the processor's time, which
other programs on the machine disturb less. Exit code 1 when ours is under 10 times the plain Dataset or 3 times the
CacheDataset.
"""

import argparse
import logging
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
import torch.utils.data
from monai.data import CacheDataset, DataLoader, Dataset, set_track_meta
from monai.transforms import (
    Compose,
    EnsureChannelFirstd,
    LoadImaged,
    MapTransform,
    Rand2DElasticd,
    RandAffined,
    RandCoarseDropoutd,
    RandFlipd,
    RandScaleIntensityd,
    RandShiftIntensityd,
    ResizeWithPadOrCropd,
    ScaleIntensityRangePercentilesd,
)

from monai_gi.augmentation import BatchAugmentation
from monai_gi.datasets.phantom.uw_madison import write_uw_madison
from monai_gi.datasets.slice_store import SliceStoreDataset, collate
from monai_gi.datasets.uw_madison import index_uw_madison
from monai_gi.intensity import scale_to_window
from monai_gi.readers import SliceReader
from monai_gi.transforms import DecodeRLEd, ScaleIntensityByVolumed, StackSlicesd

OFFSETS = (-2, 0, 2)
BOTH = ("image", "label")
OURS = "slice store + BatchAugmentation"
DEGREES, SHIFT, SCALE, SHADE, HOLES, HOLE_PX, ELASTIC_PX, INTERVALS = 10, 0.12, 0.12, 0.2, (5, 8), 14, 16.0, 5


class KnownWindowd(MapTransform):
    """Scale by a window that stands in the item: the scaling of the stock side with its cost given away."""

    def __call__(self, data: dict) -> dict:
        """Scale one item."""
        return {**data, "image": scale_to_window(data["image"], data["window"])}


def stock_deterministic(scaling: MapTransform, roi: int) -> list:
    """MONAI's way to one slice with its neighbours; reading stacks and run lengths are ours, MONAI has none."""
    return [
        StackSlicesd("image", offsets=OFFSETS),
        LoadImaged("image", reader=SliceReader()),
        EnsureChannelFirstd("image", channel_dim=-1),
        DecodeRLEd("label"),
        scaling,
        ResizeWithPadOrCropd(BOTH, (roi, roi)),
    ]


def stock_random(roi: int) -> list:
    """MONAI's augmentations with the probabilities and ranges of `our_augmentation`."""
    bilinear_nearest = ("bilinear", "nearest")
    return [
        RandFlipd(BOTH, prob=0.5, spatial_axis=1),
        RandAffined(
            BOTH,
            prob=0.5,
            rotate_range=np.radians(DEGREES),
            translate_range=SHIFT * roi,
            scale_range=SCALE,
            mode=bilinear_nearest,
            padding_mode="zeros",
        ),
        Rand2DElasticd(
            BOTH,
            prob=0.2,
            spacing=(roi / INTERVALS, roi / INTERVALS),
            magnitude_range=(0, ELASTIC_PX),
            mode=bilinear_nearest,
            padding_mode="zeros",
        ),
        RandScaleIntensityd("image", prob=0.5, factors=SHADE),
        RandShiftIntensityd("image", prob=0.5, offsets=SHADE),
        RandCoarseDropoutd(
            "image", HOLES[0], spatial_size=1, fill_value=0, max_holes=HOLES[1], max_spatial_size=HOLE_PX, prob=0.5
        ),
    ]


def our_augmentation() -> BatchAugmentation:
    """The same in one call a batch."""
    return BatchAugmentation(
        flip_prob=0.5,
        affine_prob=0.5,
        rotate_degrees=DEGREES,
        shift=SHIFT,
        scale=SCALE,
        elastic_prob=0.2,
        elastic_alpha_px=ELASTIC_PX,
        elastic_grid=INTERVALS,
        contrast_prob=0.5,
        contrast=SHADE,
        brightness=SHADE,
        dropout_prob=0.5,
        dropout_holes=HOLES,
        dropout_size_px=HOLE_PX,
    )


def build_store(items: list[dict], folder: str, roi: int, *, random_crop: bool) -> SliceStoreDataset:
    """Our data set; built on the first call."""
    transform = Compose(
        [
            LoadImaged("image", reader=SliceReader()),
            EnsureChannelFirstd("image", channel_dim="no_channel"),
            DecodeRLEd("label"),
        ]
    )
    return SliceStoreDataset(items, transform, folder, offsets=OFFSETS, roi_size=(roi, roi), random_crop=random_crop)


def check_equal(items: list[dict], store: SliceStoreDataset, roi: int) -> None:
    """Stop unless every slice is the same on both sides, bit for bit."""
    stock = Compose(stock_deterministic(ScaleIntensityByVolumed("image"), roi))
    prepare = BatchAugmentation(augment=False)
    for index, item in enumerate(items):
        image, label = prepare(store.__getitems__([index]))
        expected = stock(dict(item))
        if not torch.equal(image[0], expected["image"].as_tensor()):
            raise SystemExit(f"{item['id']}: images differ")
        if not torch.equal(label[0], torch.as_tensor(np.asarray(expected["label"]), dtype=torch.float32)):
            raise SystemExit(f"{item['id']}: masks differ")
    print(f"deterministic part: {len(items)} slices equal to the last bit")


def stock_batches(dataset: Dataset, batch_size: int, *, meta: bool = True) -> Callable[[], Iterator]:
    """A pass over a stock data set, with MONAI's metadata tracked or not."""
    loader = DataLoader(dataset, batch_size=batch_size, shuffle=True, num_workers=0)

    def one_pass() -> Iterator:
        set_track_meta(meta)
        yield from ((batch["image"], batch["label"].float()) for batch in loader)
        set_track_meta(True)

    return one_pass


def our_batches(store: SliceStoreDataset, batch_size: int) -> Callable[[], Iterator]:
    """A pass over ours."""
    loader = torch.utils.data.DataLoader(store, batch_size, shuffle=True, num_workers=0, collate_fn=collate)
    prepare = our_augmentation()
    return lambda: (prepare(batch) for batch in loader)


def slices_per_second(batches: Iterator) -> tuple[float, float]:
    """The speed of one pass by the clock and by the processor's time."""
    count, start, start_cpu = 0, time.perf_counter(), time.process_time()
    for image, label in batches:
        count += len(image)
        if image.dtype != torch.float32 or label.shape[1] != 3:
            raise SystemExit(f"{image.dtype} {tuple(label.shape)}: not a training batch")
    return count / (time.perf_counter() - start), count / (time.process_time() - start_cpu)


def main() -> None:
    """Run both sides and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, value in (("slices", 192), ("batch-size", 16), ("passes", 5), ("roi", 288)):
        parser.add_argument(f"--{name}", type=int, default=value)
    options = parser.parse_args()
    warnings.filterwarnings("ignore", message="NvImgCodecPydicomReader")
    logging.getLogger("monai.data.nvimgcodec_pydicom_plugin").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "uw_madison"
        write_uw_madison(data, cases=4, days=2, slices=-(-options.slices // 8), seed=0)
        report(compare(index_uw_madison(data), folder, options))


def compare(items: list[dict], folder: str, options: argparse.Namespace) -> dict[str, tuple[float, float]]:
    """Median speeds of all sides on the same items, by the clock and by the processor's time."""
    roi, size = options.roi, options.batch_size
    start = time.perf_counter()
    store = build_store(items, f"{folder}/store", roi, random_crop=True)
    print(f"store of {len(items)} slices built in {time.perf_counter() - start:.1f} s, once")
    check_equal(items, build_store(items, f"{folder}/store", roi, random_crop=False), roi)
    windows = {item["id"]: store[index]["window"].tolist() for index, item in enumerate(items)}
    known = [{**item, "window": windows[item["id"]]} for item in items]
    percentiles = ScaleIntensityRangePercentilesd("image", 0.5, 99.5, 0, 1, clip=True)
    stock = Compose([*stock_deterministic(percentiles, roi), *stock_random(roi)])
    given = Compose([*stock_deterministic(KnownWindowd("image"), roi), *stock_random(roi)])
    cached = CacheDataset(known, given, progress=False)
    set_track_meta(False)
    cached_plain = CacheDataset(known, given, progress=False)
    set_track_meta(True)
    sides = {
        "stock Dataset": stock_batches(Dataset(items, stock), size),
        "stock Dataset, windows given": stock_batches(Dataset(known, given), size),
        "stock CacheDataset": stock_batches(cached, size),
        "stock CacheDataset, no metadata": stock_batches(cached_plain, size, meta=False),
        OURS: our_batches(store, size),
    }
    speeds = {name: [] for name in sides}
    for number in range(options.passes):
        for name, batches in sides.items():
            speeds[name].append(slices_per_second(batches()))
        print(f"pass {number + 1} of {options.passes} done", file=sys.stderr)
    print(f"{torch.get_num_threads()} torch threads, batches of {size}, {roi} x {roi} px, median of {options.passes}")
    return {name: tuple(map(statistics.median, zip(*seen, strict=True))) for name, seen in speeds.items()}


def report(speeds: dict[str, tuple[float, float]]) -> None:
    """Print the table and stop with 1 when a promise is not kept."""
    clock, processor = speeds[OURS]
    print(f"{'slices/s by':34}{'clock':>8}{'ratio':>8}{'processor':>12}{'ratio':>8}")
    for name, (by_clock, by_cpu) in speeds.items():
        print(f"{name:34}{by_clock:8.1f}{clock / by_clock:7.1f}x{by_cpu:12.1f}{processor / by_cpu:7.1f}x")
    if clock < 10 * speeds["stock Dataset"][0] or clock < 3 * speeds["stock CacheDataset"][0]:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
