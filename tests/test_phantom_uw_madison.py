"""The drawn UW-Madison data set: the same bytes from the same seed, true names, honest masks."""

import csv
import hashlib
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from monai_gi.datasets.phantom import uw_madison
from monai_gi.datasets.phantom.mri import draw_slice
from monai_gi.datasets.phantom.uw_madison import SIZES, write_uw_madison
from monai_gi.datasets.uw_madison import index_scans, index_uw_madison
from monai_gi.errors import DataError
from monai_gi.labels import ORGAN_NAMES
from monai_gi.rle import decode_rle


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("phantom")
    write_uw_madison(root, slices=8, workers=1, progress=False)
    return root


def digest(root: Path) -> str:
    code = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        code.update(str(path.relative_to(root)).encode())
        code.update(path.read_bytes() if path.is_file() else b"")
    return code.hexdigest()


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def masks_of(item: dict) -> np.ndarray:
    return np.stack([decode_rle(item["label"][name], item["size"]) for name in ORGAN_NAMES])


def small_scan(number: int, *, full_size: bool = False, slices: int = 8, seed: int = 0, day: int = 0):
    return list(uw_madison._case(Path("unused"), number, day + 1, slices, full_size, seed))[day]


def volume(scan, z_mm=None) -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.stack([draw_slice(scan.anatomy, scan.scanner, z, rng)[1] for z in z_mm or scan.z_mm])


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path):
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        write_uw_madison(tmp_path / name, cases=1, days=1, slices=2, seed=seed, workers=1, progress=False)
    assert digest(tmp_path / "a") == digest(tmp_path / "b") != digest(tmp_path / "c")


@pytest.mark.slow
def test_processes_draw_the_same_bytes_as_one(tmp_path):
    for workers in (1, 2):
        write_uw_madison(tmp_path / str(workers), cases=2, days=2, slices=3, workers=workers, progress=False)
    assert digest(tmp_path / "1") == digest(tmp_path / "2")


def test_counts_say_how_many_cases_days_and_slices(tmp_path):
    write_uw_madison(tmp_path, cases=2, days=3, slices=2, workers=1, progress=False)
    items = index_uw_madison(tmp_path)
    assert len({item["group"] for item in items}) == 2
    assert len({item["scan"] for item in items}) == 6
    assert len(items) == 12


def test_the_index_takes_both_halves(drawn):
    items = index_uw_madison(drawn)
    scans = index_scans(drawn / "test")
    assert len(items) == 4 * 2 * 8
    assert [len(scan["image"]) for scan in scans] == [8]
    assert {item["group"] for item in items}.isdisjoint(scan["group"] for scan in scans)
    assert min(int(item["group"].removeprefix("case")) for item in [*items, *scans]) > 200


def test_names_agree_with_the_pixels_and_keep_16_bits(drawn):
    for path in drawn.rglob("*.png"):
        _, _, width, height, across, down = path.stem.split("_")
        with Image.open(path) as image:
            assert image.size == (int(width), int(height))
            assert image.mode in ("I;16", "I")
            assert np.asarray(image).max() <= max(uw_madison.MAXIMA)
        assert across == down


def test_sizes_and_spacings_of_the_real_set_occur_early(drawn):
    items = index_uw_madison(drawn)
    assert {tuple(item["size"]) for item in items} >= {(266, 266), (310, 360), (276, 276)}
    assert {item["spacing_mm"][0] for item in items} == {1.5, 1.63}
    assert any(height != width for width, height, *_ in SIZES[:3])


def test_every_scan_reaches_its_maximum(drawn):
    maxima = {}
    for path in drawn.rglob("*.png"):
        scan = path.parent.parent.name
        maxima[scan] = max(maxima.get(scan, 0), int(np.asarray(Image.open(path)).max()))
    assert set(maxima.values()) == {125, 604, 4997, 10081, 12920}


def test_run_lengths_lie_inside_the_image_and_organs_overlap_a_little(drawn):
    both, any_organ = 0, 0
    for item in index_uw_madison(drawn):
        masks = masks_of(item)
        both += int((masks.sum(axis=0) > 1).sum())
        any_organ += int(masks.any(axis=0).sum())
    assert 0.001 < both / any_organ < 0.1


def test_some_slices_are_empty_and_each_organ_is_in_three_of_four_cases(drawn):
    items = index_uw_madison(drawn)
    empty = [not any(item["label"].values()) for item in items]
    assert 0.1 < np.mean(empty) < 0.6
    for name in ORGAN_NAMES:
        assert len({item["group"] for item in items if item["label"][name]}) >= 3
    assert len({item["group"] for item in items if item["label"]["large_bowel"]}) == 3


def test_each_organ_is_absent_in_some_of_twelve_cases():
    present = [set(small_scan(number).anatomy.organs) for number in range(12)]
    assert [set(ORGAN_NAMES) - present[number] for number in (3, 7, 11)] == [{name} for name in ORGAN_NAMES]


def test_full_size_counts_are_the_real_ones_3_mm_apart():
    square, other, coarse = (small_scan(number, full_size=True) for number in range(3))
    assert [len(scan.z_mm) for scan in (square, other, coarse)] == [144, 144, 80]
    np.testing.assert_allclose(np.diff(coarse.z_mm), 3.0)
    assert coarse.scanner.spacing_mm == 1.63


def test_organs_continue_through_neighbouring_slices():
    scan = small_scan(0, full_size=True)
    masks = volume(scan, scan.z_mm[60:72])
    for organ in range(3):
        for above, below in zip(masks[:-1, organ], masks[1:, organ], strict=True):
            if min(above.sum(), below.sum()) > 200:
                assert 2 * (above & below).sum() / (above.sum() + below.sum()) > 0.7
    assert masks.any(axis=(0, 2, 3)).all()


def test_days_shift_the_organs_of_one_case():
    first, second = (volume(small_scan(0, day=day))[:, 0] for day in (0, 1))
    dice = 2 * (first & second).sum() / (first.sum() + second.sum())
    assert 0.3 < dice < 0.97


@pytest.mark.parametrize("seed", [0, 1])
def test_no_organ_leaves_specks(seed):
    for number in range(3):
        for masks in volume(small_scan(number, slices=14, seed=seed)):
            for mask in masks:
                parts, count = ndimage.label(mask)
                assert count == 0 or np.bincount(parts.ravel())[1:].min() >= 12


def test_organs_stay_inside_the_body():
    scan = small_scan(1)
    for z in scan.z_mm:
        image, masks = draw_slice(scan.anatomy, scan.scanner, z, np.random.default_rng(0))
        body = ndimage.binary_fill_holes(ndimage.binary_opening(image > 0.08 * scan.scanner.maximum, iterations=2))
        assert not (masks.any(axis=0) & ~body).any()


def test_the_submission_asks_for_the_test_slices(drawn):
    asked = rows(drawn / "sample_submission.csv")
    wanted = {
        (slice_id, name)
        for scan in index_scans(drawn / "test")
        for slice_id in scan["slice_ids"]
        for name in ORGAN_NAMES
    }
    assert {(row["id"], row["class"]) for row in asked} == wanted
    assert len(asked) == len(wanted)
    assert {row["predicted"] for row in asked} == {""}


def test_the_table_comes_last(tmp_path, monkeypatch):
    write, seen = uw_madison._write_csv, []
    monkeypatch.setattr(uw_madison, "_write_csv", lambda path, *rest: (seen.append(path.name), write(path, *rest)))
    write_uw_madison(tmp_path, cases=1, days=1, slices=1, workers=1, progress=False)
    assert seen[-1] == "train.csv"


def test_a_folder_that_holds_something_is_refused_and_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(DataError, match="holds something already"):
        write_uw_madison(tmp_path, progress=False)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("name", ["cases", "days", "slices", "workers"])
def test_a_count_below_one_is_refused(tmp_path, name):
    with pytest.raises(ValueError, match=f"{name}: 0, wanted 1 or more"):
        write_uw_madison(tmp_path / "new", **{name: 0}, progress=False)
    assert not (tmp_path / "new").exists()


@pytest.mark.slow
def test_an_interrupt_ends_it_soon_without_a_table(tmp_path):
    root = tmp_path / "new"
    call = f"from pathlib import Path; from {write_uw_madison.__module__} import write_uw_madison as w; "
    call += f"w(Path({str(root)!r}), cases=9, full_size=True, workers=2)"
    process = subprocess.Popen([sys.executable, "-c", call], stderr=subprocess.PIPE)
    end = time.monotonic() + 120
    while not list(root.rglob("*.png")) and time.monotonic() < end:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=20)
    assert b"KeyboardInterrupt" in told
    assert process.returncode != 0
    assert not (root / "train.csv").exists()
