"""Three drawn scans on disk, and the pipelines that the slice store is compared with."""

import numpy as np
import torch
from monai.transforms import Compose, EnsureChannelFirstd, LoadImaged, ResizeWithPadOrCropd
from PIL import Image

from monai_gi.augmentation import BatchAugmentation
from monai_gi.datasets.slice_store import SliceStoreDataset
from monai_gi.labels import ORGAN_NAMES
from monai_gi.readers import SliceReader
from monai_gi.rle import encode_rle
from monai_gi.transforms import DecodeRLEd, ScaleIntensityByVolumed, StackSlicesd

SIZES = {"case1_day0": (23, 31), "case1_day4": (23, 31), "case2_day0": (40, 18)}
NUMBERS = {"case1_day0": [1, 2, 3, 4, 5], "case1_day4": [7], "case2_day0": [3, 4, 8]}


def write_scans(root, seed=0):
    """Three scans, not square, one of a single slice, one with a gap; organs overlap, the stomach is never there."""
    rng = np.random.default_rng(seed)
    items = []
    for scan, (height, width) in SIZES.items():
        folder = root / scan
        folder.mkdir(parents=True)
        largest = int(rng.integers(125, 12920))
        for number in NUMBERS[scan]:
            path = folder / f"slice_{number:04d}_{width}_{height}_1.50_1.63.png"
            Image.fromarray(rng.integers(0, largest, (height, width)).astype(np.uint16)).save(path)
            masks = [rng.random((height, width)) < share for share in (0.3, 0.4, 0.0)]
            label = {name: encode_rle(mask) for name, mask in zip(ORGAN_NAMES, masks, strict=True)}
            items.append(
                {
                    "id": f"{scan}_slice_{number:04d}",
                    "group": scan.split("_")[0],
                    "scan": scan,
                    "slice": number,
                    "image": str(path),
                    "label": label,
                    "size": [height, width],
                    "spacing_mm": [1.63, 1.5, 3.0],
                }
            )
    return items


def slice_transform():
    return Compose(
        [
            LoadImaged("image", reader=SliceReader()),
            EnsureChannelFirstd("image", channel_dim="no_channel"),
            DecodeRLEd("label"),
        ]
    )


def make(items, folder, **arguments):
    settings = {"roi_size": (24, 24), "random_crop": False, "progress": False, **arguments}
    transform = settings.pop("transform", None) or slice_transform()
    return SliceStoreDataset(items, transform, folder, **settings)


def read_png(item):
    return np.asarray(Image.open(item["image"]))


def monai_pipeline(offsets, roi_size, lower=0.5, upper=99.5):
    return Compose(
        [
            StackSlicesd("image", offsets=offsets),
            LoadImaged("image", reader=SliceReader(always_stack=True)),
            EnsureChannelFirstd("image", channel_dim=-1),
            DecodeRLEd("label"),
            ScaleIntensityByVolumed("image", lower, upper),
            ResizeWithPadOrCropd(["image", "label"], roi_size),
        ]
    )


def assert_equals_monai(items, store, pipeline):
    image, label = BatchAugmentation(augment=False)(store.__getitems__(range(len(items))))
    for index, item in enumerate(items):
        expected = pipeline(dict(item))
        assert torch.equal(image[index], expected["image"].as_tensor())
        assert np.array_equal(label[index].numpy(), np.asarray(expected["label"], dtype=np.float32))
