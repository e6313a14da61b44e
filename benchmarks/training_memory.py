"""Training memory: resident memory that the slice store adds while one epoch reads every slice, against a mapped store.

    python benchmarks/training_memory.py [--slices 4608 --batch-size 16 --mapped]

The store is filled with noise in the sizes of the real data (38,496 slices make 9.8 GB of files), so that neither
decoding nor drawing is waited for. `--mapped` reads the same rows through `numpy.load(mmap_mode="r")` instead: pages of
a mapped file count as the process's memory. Exit code 1 when ours adds 2 GB or more.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import psutil
import torch
from torch.utils.data import DataLoader
from tqdm import tqdm

from monai_gi.augmentation import BatchAugmentation
from monai_gi.datasets.slice_store import SliceStoreDataset, collate

SIZES = ((266, 266), (266, 266), (310, 360))
SLICES = 144
LIMIT_MB = 2000


class Noise:
    """Stands for decoding: the same noise for every slice of a size."""

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        self.images = {size: rng.integers(0, 12920, (1, *size)).astype(np.uint16) for size in SIZES}
        self.masks = {size: rng.random((3, *size)) < 0.1 for size in SIZES}

    def __call__(self, item: dict) -> dict:
        """The noise of the item's size."""
        size = tuple(item["size"])
        return {"image": self.images[size], "label": self.masks[size]}


def noise_items(count: int, file: Path) -> list[dict]:
    """Items as the index gives them, all with one file."""
    file.touch()
    return [
        {
            "id": f"scan{n // SLICES}_slice_{n % SLICES}",
            "scan": f"scan{n // SLICES}",
            "slice": n % SLICES,
            "image": str(file),
            "label": {"stomach": "1 2"},
            "size": list(SIZES[n // SLICES % len(SIZES)]),
        }
        for n in range(count)
    ]


def read_mapped(store: SliceStoreDataset) -> None:
    """From now on the store reads through mapped files."""
    for arrays in store._scans:
        for file in (arrays.images, arrays.labels):
            file._held = np.load(file.path, mmap_mode="r")


def resident_mb() -> float:
    """Memory of this process."""
    return psutil.Process().memory_info().rss / 1e6


def main() -> None:
    """Build, read one epoch, print the growth."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--slices", type=int, default=4608)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--mapped", action="store_true")
    options = parser.parse_args()
    augmentation = BatchAugmentation()
    with tempfile.TemporaryDirectory() as folder:
        transform = Noise()
        before = resident_mb()
        items = noise_items(options.slices, Path(folder) / "noise")
        store = SliceStoreDataset(items, transform, Path(folder) / "store")
        built = resident_mb()
        if options.mapped:
            read_mapped(store)
        loader = DataLoader(store, options.batch_size, shuffle=True, collate_fn=collate)
        highest = max(resident_mb() for batch in tqdm(loader, desc="epoch") if augmentation(batch))
        size = sum(file.stat().st_size for file in Path(folder).rglob("*.npy")) / 1e6
    print(f"{options.slices} slices, {size:.0f} MB of files, {torch.get_num_threads()} threads, {before:.0f} MB before")
    print(f"after building +{built - before:.0f} MB, highest in the epoch +{highest - before:.0f} MB")
    if not options.mapped and highest - before >= LIMIT_MB:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
