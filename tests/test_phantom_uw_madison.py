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
from monai_gi.datasets.phantom.scans import MAXIMA, Scan, absent_organ, draw_scan, plan_case, scan_format
from monai_gi.datasets.phantom.unfinished import UNFINISHED
from monai_gi.datasets.phantom.uw_madison import write_uw_madison
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


def scan_of(case: int, day: int = 0, *, seed: int = 0, slices: int | None = 8) -> Scan:
    return plan_case(Path("unused"), case, (12, 2, seed), slices)[day]


def masks_at(scan: Scan, *heights_mm: float) -> np.ndarray:
    return draw_scan(scan._replace(z_mm=heights_mm or scan.z_mm))[1]


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
            assert np.asarray(image).max() <= max(MAXIMA)
        assert across == down


def test_sizes_and_spacings_of_the_real_set_occur_early(drawn):
    items = index_uw_madison(drawn)
    assert {tuple(item["size"]) for item in items} == {(266, 266), (310, 360), (276, 276)}
    assert {tuple(item["spacing_mm"]) for item in items} == {(1.5, 1.5, 3.0), (1.63, 1.63, 3.0)}
    assert any(scan_format(case, 0).width != scan_format(case, 0).height for case in range(2))


def test_sizes_are_mixed_nearly_as_in_the_real_set():
    sizes = [scan_format(case, day).width for case in range(60) for day in range(3)]
    share = {width: sizes.count(width) / len(sizes) for width in set(sizes)}
    assert share[266] == pytest.approx(180 / 274, abs=0.06)
    assert share[360] == pytest.approx(78 / 274, abs=0.06)
    assert share[276] == pytest.approx(15 / 274, abs=0.06)
    assert 0 < share[234] < 0.03


def test_every_scan_reaches_its_maximum(drawn):
    maxima = {}
    for path in drawn.rglob("*.png"):
        scan = path.parent.parent.name
        maxima[scan] = max(maxima.get(scan, 0), int(np.asarray(Image.open(path)).max()))
    assert set(maxima.values()) == {125, 604, 4997, 10081, 12920}


def test_files_and_run_lengths_hold_what_was_drawn_where_width_is_not_height(drawn):
    scan = plan_case(drawn / "train", 1, (4, 2, 0), 8)[1]
    images, masks = draw_scan(scan)
    items = [item for item in index_uw_madison(drawn) if item["scan"] == scan.id]
    assert images.shape == (8, 310, 360)
    assert len(items) == 8
    for item, image, mask in zip(items, images, masks, strict=True):
        np.testing.assert_array_equal(np.asarray(Image.open(item["image"])), image)
        np.testing.assert_array_equal(masks_of(item), mask)


def test_run_lengths_lie_inside_the_image_and_organs_overlap_a_little(drawn):
    both, any_organ = 0, 0
    for item in index_uw_madison(drawn):
        masks = masks_of(item)
        both += int((masks.sum(axis=0) > 1).sum())
        any_organ += int(masks.any(axis=0).sum())
    assert 0.001 < both / any_organ < 0.15


def test_some_slices_are_empty_and_each_organ_is_in_three_of_four_cases(drawn):
    items = index_uw_madison(drawn)
    empty = [not any(item["label"].values()) for item in items]
    assert 0.1 < np.mean(empty) < 0.6
    for name in ORGAN_NAMES:
        assert len({item["group"] for item in items if item["label"][name]}) >= 3
    assert len({item["group"] for item in items if item["label"]["large_bowel"]}) == 3


def test_each_organ_is_absent_in_some_of_twelve_cases():
    assert [absent_organ(case) for case in (3, 7, 11)] == list(ORGAN_NAMES)
    assert [absent_organ(case) for case in range(12)].count(None) == 9
    assert not masks_at(scan_of(7))[:, ORGAN_NAMES.index("small_bowel")].any()


def test_whole_scans_have_the_real_counts_3_mm_apart():
    square, wide, coarse = (scan_of(case, slices=None) for case in (0, 1, 3))
    assert [len(scan.z_mm) for scan in (square, wide, coarse)] == [144, 144, 80]
    assert coarse.format.spacing_mm == 1.63
    for scan in (square, wide, coarse):
        np.testing.assert_allclose(np.diff(scan.z_mm), 3.0)


def test_long_short_scans_are_3_mm_apart_too_and_short_ones_show_the_gut():
    np.testing.assert_allclose(np.diff(scan_of(0, slices=90).z_mm), 3.0)
    np.testing.assert_allclose(np.diff(scan_of(0, slices=24).z_mm), 9.9, atol=0.1)


def test_most_slices_of_a_whole_scan_are_empty_and_the_gut_lies_where_real_contours_lie():
    scan = scan_of(0, slices=None)
    filled = masks_at(scan, *scan.z_mm[::4]).any(axis=(1, 2, 3))
    assert 0.5 < 1 - filled.mean() < 0.62
    numbers = np.flatnonzero(filled) * 4 + 1
    assert numbers[0] > 40
    assert numbers[-1] < 125


def test_the_stomach_lies_above_the_bowels_and_the_large_bowel_on_both_sides():
    scan = scan_of(0)
    large, small, stomach = masks_at(scan, *np.arange(-90.0, 95.0, 15.0)).transpose(1, 0, 2, 3)
    heights = [np.average(np.arange(len(mask)), weights=mask.sum(axis=(1, 2))) for mask in (stomach, small)]
    assert heights[0] < heights[1]
    columns = np.flatnonzero(large.any(axis=(0, 1)))
    assert columns[0] < 90
    assert columns[-1] > 176
    # On the patient's left, which is the image's right.
    assert np.average(np.arange(266), weights=stomach.sum(axis=(0, 1))) > 133


def test_organs_continue_through_neighbouring_slices():
    masks = masks_at(scan_of(0), *np.arange(-60.0, 70.0, 3.0))
    for organ in range(3):
        dice = [
            2 * (above & below).sum() / (above.sum() + below.sum())
            for above, below in zip(masks[:-1, organ], masks[1:, organ], strict=True)
            if min(above.sum(), below.sum()) > 200
        ]
        assert np.mean(dice) > 0.85
        assert min(dice) > 0.6


def test_days_shift_the_organs_of_one_case_and_cases_differ_more():
    first, second, other = (masks_at(scan) for scan in (scan_of(0), scan_of(0, 1), scan_of(2)))

    def dice(a: np.ndarray, b: np.ndarray) -> float:
        return 2 * (a & b).sum() / (a.sum() + b.sum())

    assert dice(first, other) < dice(first, second) < 0.95
    assert dice(first, second) > 0.5


@pytest.mark.parametrize("seed", [0, 1])
def test_no_organ_leaves_specks(seed):
    for case in range(3):
        for masks in masks_at(scan_of(case, seed=seed)):
            for mask in masks:
                parts, count = ndimage.label(mask)
                assert count == 0 or np.bincount(parts.ravel())[1:].min() >= 36


def test_loops_of_the_small_bowel_are_ten_pixels_wide():
    for mask in masks_at(scan_of(0), 34.0, 50.0, 66.0)[:, 1]:
        assert ndimage.distance_transform_edt(mask).max() > 5


def test_organs_stay_inside_the_body():
    images, masks = draw_scan(scan_of(1))
    for image, mask in zip(images, masks, strict=True):
        body = ndimage.binary_fill_holes(ndimage.binary_opening(image > 0.1 * image.max(), iterations=2))
        assert not (mask.any(axis=0) & ~body).any()


def test_the_background_has_rician_noise():
    # Noise of deviation s in two channels has magnitudes of mean s sqrt(pi / 2) and deviation s sqrt(2 - pi / 2).
    air = draw_scan(scan_of(1, slices=1))[0][0, :20, :].astype(float)
    assert air.mean() / air.std() == pytest.approx(np.sqrt(np.pi / 2) / np.sqrt(2 - np.pi / 2), rel=0.03)


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


def test_the_tables_are_in_the_order_of_the_contest(drawn):
    with (drawn / "train.csv").open() as file:
        assert next(file) == "id,class,segmentation\n"
    with (drawn / "sample_submission.csv").open() as file:
        assert next(file) == "id,class,predicted\n"
    first = rows(drawn / "train.csv")[:6]
    assert [row["class"] for row in first] == [*ORGAN_NAMES, *ORGAN_NAMES]
    assert [row["id"][-4:] for row in first] == ["0001"] * 3 + ["0002"] * 3
    assert sorted(path.name for path in drawn.iterdir()) == ["sample_submission.csv", "test", "train", "train.csv"]


def test_the_table_comes_last_and_a_stopped_run_is_finished_by_the_same_call(tmp_path, monkeypatch):
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    words = {"cases": 1, "days": 1, "slices": 2, "workers": 1, "progress": False}
    write_uw_madison(whole, **words)
    with monkeypatch.context() as broken:
        broken.setattr(uw_madison, "_write_table", lambda path, rows: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            write_uw_madison(stopped, **words)
    assert (stopped / UNFINISHED).exists()
    assert not (stopped / "train.csv").exists()
    with pytest.raises(DataError, match="holds an unfinished phantom of"):
        write_uw_madison(stopped, **words | {"seed": 1})
    write_uw_madison(stopped, **words)
    assert digest(stopped) == digest(whole)
    with pytest.raises(DataError, match="holds something already"):
        write_uw_madison(stopped, **words)


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


def test_a_seed_below_zero_is_refused(tmp_path):
    with pytest.raises(ValueError, match="seed: -1, wanted 0 or more"):
        write_uw_madison(tmp_path / "new", seed=-1, progress=False)


@pytest.mark.parametrize("quiet", [True, False])
def test_progress_shows_a_bar(tmp_path, monkeypatch, quiet):
    shown = []
    bar = uw_madison.tqdm
    monkeypatch.setattr(uw_madison, "tqdm", lambda **words: (shown.append(words["disable"]), bar(**words))[1])
    write_uw_madison(tmp_path / "new", cases=1, days=1, slices=1, workers=1, progress=not quiet)
    assert shown == [True if quiet else None]


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
