"""Building the slice store: once, shared, continued after a kill, by several processes; and what it refuses."""

import multiprocessing
import os
import shutil
import signal
import time
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
from monai.transforms import (
    Compose,
    Lambdad,
    ScaleIntensityd,
)
from PIL import Image

from monai_gi.datasets import scan_arrays, scan_cache
from monai_gi.errors import DataError
from monai_gi.labels import ORGAN_NAMES
from tests.drawn_scans import assert_equals_monai, make, monai_pipeline, read_png, slice_transform, write_scans

pytestmark = pytest.mark.filterwarnings("ignore:NvImgCodecPydicomReader")


@pytest.fixture
def items(tmp_path):
    return write_scans(tmp_path / "data")


def count_calls(monkeypatch):
    calls = []
    original = scan_cache.prepare_slice

    def counted(item, transform):
        calls.append(item["id"])
        return original(item, transform)

    monkeypatch.setattr(scan_cache, "prepare_slice", counted)
    return calls


def test_store_is_built_once_and_shared_by_folds(items, tmp_path, monkeypatch):
    make([{**item, "fold": 1} for item in items[:6]], tmp_path / "store")
    calls = count_calls(monkeypatch)
    make([{**item, "fold": 2} for item in items], tmp_path / "store", roi_size=(9, 9), offsets=(0,), lower=3)
    assert sorted(calls) == sorted(item["id"] for item in items[6:])


@pytest.mark.parametrize("change", ["pixels", "time", "label", "transform", "closure", "added"])
def test_changed_input_is_built_again(items, tmp_path, monkeypatch, change):
    def with_function(function):
        return Compose([*slice_transform().transforms, Lambdad("label", func=function)])

    def keeping(threshold):
        return lambda mask: mask > threshold

    before = {"transform": with_function(lambda mask: mask), "closure": with_function(keeping(0))}.get(change)
    make(items, tmp_path / "store", transform=before)
    calls = count_calls(monkeypatch)
    make(items, tmp_path / "store", transform=before)
    assert calls == []
    after = {"transform": with_function(lambda mask: mask == 0), "closure": with_function(keeping(0.5))}.get(change)
    if change == "pixels":
        Image.fromarray(read_png(items[0]) + np.uint16(1)).save(items[0]["image"])
        later = Path(items[0]["image"]).stat().st_mtime_ns + 10**9
        os.utime(items[0]["image"], ns=(later, later))
    if change == "time":
        os.utime(items[0]["image"], ns=(0, 10**18))
    if change == "label":
        items[0]["label"] = {**items[0]["label"], "stomach": "3 4"}
    if change == "added":
        path = str(items[0]["image"]).replace("slice_0001", "slice_0009")
        shutil.copy(items[0]["image"], path)
        items.insert(5, {**items[0], "id": "case1_day0_slice_0009", "slice": 9, "image": path})
    store = make(items, tmp_path / "store", transform=after)
    assert set(calls) == {i["id"] for i in items if i["scan"] == "case1_day0" or change in ("transform", "closure")}
    if change == "pixels":
        assert np.array_equal(store[0]["image"][1, 0:23, 0:24].numpy(), read_png(items[0])[:, 3:27])


def test_fault_in_the_middle_leaves_only_whole_scans_and_the_next_build_goes_on(items, tmp_path, monkeypatch):
    good = Path(items[7]["image"]).read_bytes()
    Path(items[7]["image"]).write_bytes(good[:40])
    with pytest.raises(DataError, match="slice_0004"):
        make(items, tmp_path / "store")
    left = list((tmp_path / "store").iterdir())
    assert not [path for path in left if path.name.endswith(".partial")]
    assert len(left) <= 2
    Path(items[7]["image"]).write_bytes(good)
    store = make(items, tmp_path / "store")
    assert np.array_equal(store[7]["image"][1, :, 3:21], read_png(items[7])[8:32])


def _build_in_a_process(items, folder, slow_s):
    def slow(mask):
        time.sleep(slow_s)
        return mask

    transform = Compose([*slice_transform().transforms, Lambdad("label", func=slow)])
    make(items, folder, transform=transform)


def test_processes_that_build_at_once_agree(items, tmp_path):
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=_build_in_a_process, args=(items, tmp_path / "store", 0.05)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    folders = sorted(path.name for path in (tmp_path / "store").iterdir())
    assert len(folders) == 3
    assert not [name for name in folders if name.endswith(".partial")]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_killed_build_goes_on(items, tmp_path, number, monkeypatch):
    context = multiprocessing.get_context("fork")
    worker = context.Process(target=_build_in_a_process, args=(items, tmp_path / "store", 0.3))
    worker.start()
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and not list((tmp_path / "store").glob("case*")):
        time.sleep(0.01)
    os.kill(worker.pid, number)
    worker.join(30)
    assert worker.exitcode not in (0, None)
    whole = [path for path in (tmp_path / "store").iterdir() if path.suffix != ".partial"]
    assert len(whole) < 3
    store = make(items, tmp_path / "store")
    assert_equals_monai(items, store, monai_pipeline((-2, 0, 2), (24, 24)))


def test_what_killed_processes_left_is_removed_after_a_day(items, tmp_path):
    for name, age_s in (("old.partial", 2 * 86400), ("new.partial", 60)):
        (tmp_path / "store" / name).mkdir(parents=True)
        then = time.time() - age_s
        os.utime(tmp_path / "store" / name, (then, then))
    make(items, tmp_path / "store")
    assert not (tmp_path / "store" / "old.partial").exists()
    assert (tmp_path / "store" / "new.partial").exists()


def test_a_partial_folder_that_goes_while_looked_at_is_no_fault(items, tmp_path):
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "gone.partial").symlink_to(tmp_path / "gone")  # listed, yet there is nothing to look at
    assert len(make(items, tmp_path / "store")) == 9


def test_progress_goes_to_stderr_only_while_building(items, tmp_path, capsys):
    make(items, tmp_path / "store", progress=True)
    assert "9/9" in capsys.readouterr().err
    make(items, tmp_path / "store", progress=True)
    assert capsys.readouterr().err == ""


# ---- refusals


def with_last(*transforms):
    return Compose([*slice_transform().transforms, *transforms])


@pytest.mark.parametrize(
    ("transform", "message"),
    [
        (with_last(ScaleIntensityd("image")), "keeps 16-bit integers"),
        (with_last(Lambdad("image", func=lambda image: image - 20000)), "keeps 16-bit integers"),
        (with_last(Lambdad("image", func=lambda image: image + 65000)), "keeps 16-bit integers"),
        (with_last(Lambdad("image", func=lambda image: image[0])), r"shape \(\d+, \d+\).*wanted \(1, H, W\)"),
        (with_last(Lambdad("label", func=lambda mask: mask * 2)), "wanted only 0 and 1"),
        (with_last(Lambdad("label", func=lambda mask: mask[0])), "with C from 1 to 8"),
        (with_last(Lambdad("label", func=lambda mask: mask[:, 1:])), "wanted one size"),
    ],
)
def test_what_the_store_can_not_keep_is_refused_by_name(items, tmp_path, transform, message):
    with pytest.raises(DataError, match=f"case.*{message}"):
        make(items, tmp_path / "store", transform=transform)


def test_slices_of_several_sizes_in_a_scan_are_refused(items, tmp_path):
    path = items[2]["image"].replace("_31_23_", "_30_20_")
    Path(items[2]["image"]).unlink()
    Image.fromarray(np.zeros((20, 30), np.uint16)).save(path)
    items[2].update(image=path, size=[20, 30], label=dict.fromkeys(ORGAN_NAMES, ""))
    with pytest.raises(DataError, match=r"image 20x30.*first slice 23x31; wanted one size"):
        make(items, tmp_path / "store")


def test_item_without_label_is_refused(items, tmp_path):
    del items[3]["label"]
    with pytest.raises(DataError, match="case1_day0_slice_0004: has no label"):
        make(items, tmp_path / "store")


def test_missing_image_is_refused(items, tmp_path):
    Path(items[8]["image"]).unlink()
    with pytest.raises(DataError, match=r"slice_0008.*can ?not be read"):
        make(items, tmp_path / "store")


def test_part_of_a_scan_is_refused(items, tmp_path):
    with pytest.raises(DataError, match=r"case1_day0: 4 slices in the list, 5 in .*Give whole scans"):
        make(items[1:], tmp_path / "store")


def test_doubled_slice_is_refused(items, tmp_path):
    with pytest.raises(DataError, match="case2_day0: slice 8 stands twice"):
        make([*items, dict(items[-1])], tmp_path / "store")


def test_small_disk_is_refused_with_the_bytes_needed(items, tmp_path, monkeypatch):
    Usage = namedtuple("Usage", "total used free")
    need = 3 * (6 * 23 * 31 + 3 * 40 * 18)
    monkeypatch.setattr(scan_cache.shutil, "disk_usage", lambda _: Usage(0, 0, need - 1))
    with pytest.raises(DataError, match=f"{need} bytes needed for the slice store, {need - 1} free"):
        make(items, tmp_path / "store")
    for item in items:
        del item["size"]
    monkeypatch.setattr(scan_cache.shutil, "disk_usage", lambda _: Usage(0, 0, 9 * 23 * 18))
    with pytest.raises(DataError, match="bytes needed"):
        make(items, tmp_path / "store")


def test_damaged_file_is_refused_with_the_repair(items, tmp_path):
    store = make(items, tmp_path / "store")
    path = store._scans[0].folder / scan_arrays.IMAGES
    _ = store._scans[0].images.shape
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(DataError, match=r"images\.npy: ends too early. Delete its folder"):
        store[4]
