"""The slice store against MONAI's pipeline to the last bit, its crops, its batches and its refusals of arguments."""

import multiprocessing

import numpy as np
import pytest
import torch
from monai.transforms import (
    EnsureChannelFirstd,
    LoadImaged,
    RandFlipd,
)
from PIL import Image
from torch.utils.data import DataLoader

from monai_gi.datasets.slice_store import collate
from monai_gi.datasets.uw_madison import index_uw_madison
from monai_gi.intensity import volume_window
from monai_gi.readers import SliceReader
from tests.drawn_scans import assert_equals_monai, make, monai_pipeline, read_png, slice_transform, write_scans

pytestmark = pytest.mark.filterwarnings("ignore:NvImgCodecPydicomReader")


@pytest.fixture
def items(tmp_path):
    return write_scans(tmp_path / "data")


@pytest.mark.parametrize("roi_size", [(24, 24), (17, 40), (50, 33), (23, 18)])
@pytest.mark.parametrize("offsets", [(-2, 0, 2), (0,), (1, -3)])
def test_deterministic_part_equals_monai_to_the_last_bit(items, tmp_path, roi_size, offsets):
    store = make(items, tmp_path / "store", roi_size=roi_size, offsets=offsets, lower=2, upper=95)
    assert_equals_monai(items, store, monai_pipeline(offsets, roi_size, 2, 95))


@pytest.mark.slow
def test_real_slices_equal_monai_to_the_last_bit(real_data, tmp_path):
    items = index_uw_madison(real_data / "uw_madison")
    store = make(items, tmp_path, roi_size=(288, 288))
    assert_equals_monai(items, store, monai_pipeline((-2, 0, 2), (288, 288)))


def test_batch_has_the_promised_types_and_item_is_a_row_of_it(items, tmp_path):
    store = make(items, tmp_path / "store")
    batch = store.__getitems__([4, 0, -1])
    assert {key: (values.dtype, tuple(values.shape)) for key, values in batch.items()} == {
        "image": (torch.uint16, (3, 3, 24, 24)),
        "label": (torch.uint8, (3, 24, 24)),
        "window": (torch.float32, (3, 2)),
    }
    last = store[len(items) - 1]
    assert all(torch.equal(last[key], batch[key][2]) for key in batch)
    with pytest.raises(IndexError):
        store[len(items)]


def test_window_is_that_of_the_whole_scan(items, tmp_path):
    store = make(items, tmp_path / "store", lower=10, upper=60)
    volume = np.stack([read_png(item) for item in items if item["scan"] == "case1_day0"])
    assert store[2]["window"].tolist() == pytest.approx(volume_window(volume, 10, 60))


def test_order_of_the_list_does_not_matter_to_neighbours(items, tmp_path):
    order = np.random.default_rng(3).permutation(len(items))
    shuffled = make([items[n] for n in order], tmp_path / "store")
    straight = make(items, tmp_path / "store")
    for place, n in enumerate(order):
        assert torch.equal(shuffled[place]["image"], straight[n]["image"])


def test_crops_are_inside_move_with_epoch_and_seed_and_keep_image_and_mask_together(items, tmp_path):
    store = make(items, tmp_path / "store", roi_size=(10, 12), random_crop=True, offsets=(0,))
    image, mask = read_png(items[1]), slice_transform()(dict(items[1]))["label"][0]
    seen = set()
    for epoch in range(150):
        store.set_epoch(epoch)
        cropped = store[1]
        top, left = next(
            (y, x)
            for y in range(14)
            for x in range(20)
            if np.array_equal(image[y : y + 10, x : x + 12], cropped["image"][0].numpy())
        )
        assert np.array_equal(cropped["label"].numpy() & 1, np.asarray(mask)[top : top + 10, left : left + 12])
        seen.add((top, left))
    assert {top for top, _ in seen} == set(range(14))
    assert {left for _, left in seen} == set(range(20))
    store.set_epoch(0)
    again = make(items, tmp_path / "store", roi_size=(10, 12), random_crop=True, offsets=(0,))
    other = make(items, tmp_path / "store", roi_size=(10, 12), random_crop=True, offsets=(0,), seed=1)
    assert all(torch.equal(store[n]["image"], again[n]["image"]) for n in range(5))
    assert not all(torch.equal(store[n]["image"], other[n]["image"]) for n in range(5))


def test_a_crop_does_not_depend_on_the_batch_it_is_in(items, tmp_path):
    store = make(items, tmp_path / "store", roi_size=(10, 12), random_crop=True)
    assert torch.equal(store.__getitems__([3, 5, 1])["image"][2], store[1]["image"])


@pytest.mark.parametrize("workers", [0, 2])
def test_data_loader_gives_whole_batches(items, tmp_path, workers):
    store = make(items, tmp_path / "store")
    context = multiprocessing.get_context("fork") if workers else None
    loader = DataLoader(store, batch_size=4, num_workers=workers, collate_fn=collate, multiprocessing_context=context)
    images = torch.cat([batch["image"].int() for batch in loader])
    assert torch.equal(images, store.__getitems__(range(len(items)))["image"].int())


def test_collate_stacks_single_items(items, tmp_path):
    store = make(items, tmp_path / "store")
    assert torch.equal(collate([store[0], store[3]])["label"], store.__getitems__([0, 3])["label"])


def test_cached_share_reads_the_same(items, tmp_path):
    plain = make(items, tmp_path / "store")
    held = make(items, tmp_path / "store", cache_rate=0.5)
    in_memory = [arrays.images._held is not None for arrays in held._scans]
    assert in_memory == [True, False, False]
    assert all(torch.equal(held[n][key], plain[n][key]) for n in range(len(items)) for key in ("image", "label"))
    assert all(make(items, tmp_path / "store", cache_rate=1.0)._scans[n].labels._held is not None for n in range(3))


def test_generic_items_are_scans_of_one_slice(tmp_path):
    rng = np.random.default_rng(0)
    items = []
    for n, size in enumerate([(20, 30), (33, 21)]):
        Image.fromarray(rng.integers(0, 256, size).astype(np.uint8)).save(tmp_path / f"{n}.png")
        Image.fromarray((rng.random(size) < 0.5).astype(np.uint8)).save(tmp_path / f"mask{n}.png")
        items.append({"image": str(tmp_path / f"{n}.png"), "label": str(tmp_path / f"mask{n}.png")})
    both = ["image", "label"]
    transform = [LoadImaged(both, reader=SliceReader()), EnsureChannelFirstd(both, channel_dim="no_channel")]
    store = make(items, tmp_path / "store", transform=transform, roi_size=(33, 30))
    image = store[1]["image"].numpy()
    assert np.array_equal(image[:, :, 4:25], np.stack([read_png(items[1])] * 3))
    assert image[:, :, :4].max() == image[:, :, 25:].max() == 0
    mask = np.asarray(Image.open(items[0]["label"]))
    assert np.array_equal(store[0]["label"].numpy()[6:26], mask)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"cache_rate": 1.5}, "cache_rate: 1.5"),
        ({"roi_size": (24,)}, r"roi_size: \(24,\), wanted \(height, width\)"),
        ({"roi_size": (24, 0)}, "roi_size"),
        ({"transform": [RandFlipd("image")]}, "RandFlipd is random"),
        ({"offsets": ()}, "offsets: empty"),
    ],
)
def test_faulty_arguments_are_refused(items, tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        make(items, tmp_path / "store", **arguments)
