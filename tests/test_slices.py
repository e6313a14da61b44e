"""File names, listings and pixels of slices."""

import os
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from monai_gi import slices
from monai_gi.errors import DataError
from monai_gi.slices import list_slices, parse_slice_name, read_slice, read_slices
from tests.drawn_slices import draw_slice, write_scan, write_slice


def test_name_holds_width_before_height_and_x_before_y():
    assert parse_slice_name("slice_0012_360_310_1.50_1.63.png") == (12, (310, 360), (1.63, 1.5))


@pytest.mark.parametrize(
    "name", ["slice_0012.png", "slice_0012_360_310_1.50_1.50.jpg", "slice_0012_360_310_a_1.5.png", "scans", "x.png"]
)
def test_other_names_say_nothing(name):
    assert parse_slice_name(name) is None


def test_listing_is_sorted_by_number_and_leaves_other_files_out(tmp_path):
    paths = write_scan(tmp_path, [10, 2, 7])
    (tmp_path / "notes.txt").write_text("seen by a reader")
    scan = list_slices(tmp_path)
    assert scan.numbers.tolist() == [2, 7, 10]
    assert list(scan.paths) == [paths[1], paths[2], paths[0]]


def test_listing_is_read_once_and_again_after_a_change(tmp_path, monkeypatch):
    write_scan(tmp_path, [1, 2])
    reads = []
    monkeypatch.setattr(slices.os, "scandir", lambda folder, scan=os.scandir: reads.append(folder) or scan(folder))
    for _ in range(3):
        list_slices(tmp_path)
    assert len(reads) == 1
    write_scan(tmp_path, [3])
    assert list_slices(tmp_path).numbers.tolist() == [1, 2, 3]


def test_missing_folder_is_named(tmp_path):
    with pytest.raises(DataError, match=r"no_such: No such file or directory; wanted a folder of slices"):
        list_slices(tmp_path / "no_such")


def test_folder_without_slices_is_an_error(tmp_path):
    with pytest.raises(DataError, match="no file is named like"):
        list_slices(tmp_path)


def test_doubled_slice_number_is_an_error(tmp_path):
    write_slice(tmp_path, 4, draw_slice(4))
    write_slice(tmp_path, 4, draw_slice(4), spacing_mm=(1.0, 1.0))
    with pytest.raises(DataError, match="slice 4 is there twice"):
        list_slices(tmp_path)


def test_all_16_bits_come_back(tmp_path):
    pixels = np.array([[0, 1, 255, 256], [12920, 32768, 65534, 65535]], dtype=np.uint16)
    read = read_slice(write_slice(tmp_path, 1, pixels))
    assert read.dtype == np.uint16
    assert read.tolist() == pixels.tolist()


def test_8_bit_files_stay_8_bit(tmp_path):
    pixels = np.array([[0, 7, 255]], dtype=np.uint8)
    read = read_slice(write_slice(tmp_path, 1, pixels))
    assert read.dtype == np.uint8
    assert read.tolist() == [[0, 7, 255]]


def test_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"slice_0001_7_5_1.50_1.50.png: can not be read as a PNG .*No such file"):
        read_slice(tmp_path / "slice_0001_7_5_1.50_1.50.png")


@pytest.mark.parametrize("kept", [0, 4, 20, 60, 0.5, 0.9])
def test_file_cut_short_is_named(tmp_path, kept):
    noise = np.random.default_rng(0).integers(0, 65536, (40, 50)).astype(np.uint16)
    path = write_slice(tmp_path, 1, noise)
    whole = path.read_bytes()
    path.write_bytes(whole[: kept if isinstance(kept, int) else int(kept * len(whole))])
    with pytest.raises(DataError, match=r"slice_0001_50_40_2.25_1.50.png: can not be read as a PNG"):
        read_slice(path)


def test_file_with_broken_pixels_is_named(tmp_path):
    path = write_slice(tmp_path, 1, np.random.default_rng(0).integers(0, 65536, (40, 50)).astype(np.uint16))
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 40] = bytes(40)
    path.write_bytes(content)
    with pytest.raises(DataError, match="can not be read as a PNG"):
        read_slice(path)


def test_other_formats_under_png_names_are_refused(tmp_path):
    path = tmp_path / "slice_0001_7_5_1.50_1.50.png"
    Image.fromarray(np.zeros((5, 7), dtype=np.uint8)).save(path, format="BMP")
    with pytest.raises(DataError, match="can not be read as a PNG"):
        read_slice(path)


def test_colour_is_refused(tmp_path):
    path = tmp_path / "slice_0001_7_5_1.50_1.50.png"
    Image.fromarray(np.zeros((5, 7, 3), dtype=np.uint8)).save(path)
    with pytest.raises(DataError, match="PNG of mode RGB, wanted one grey channel"):
        read_slice(path)


def test_turned_slice_is_told_from_its_name(tmp_path):
    path = tmp_path / "slice_0001_7_5_1.50_1.50.png"
    Image.fromarray(draw_slice(1).T.copy()).save(path)
    with pytest.raises(DataError, match=r"5 x 7 \(W x H\) in the file, 7 x 5 in its name"):
        read_slice(path)


def test_slices_keep_their_order_in_threads(tmp_path):
    paths = write_scan(tmp_path, list(range(1, 41)))
    for threads in (1, 3):
        read = read_slices(paths, threads)
        assert all(np.array_equal(pixels, draw_slice(number)) for number, pixels in enumerate(read, start=1))


def test_threads_limit_what_is_read_at_once(tmp_path, monkeypatch):
    paths, seen = write_scan(tmp_path, list(range(1, 21))), set()
    pixels = draw_slice(1)
    monkeypatch.setattr(slices, "read_slice", lambda path: seen.add(threading.get_ident()) or pixels)
    read_slices(paths, threads=1)
    assert seen == {threading.get_ident()}


def test_no_slices_give_an_empty_list():
    assert read_slices([]) == []


def test_fault_in_a_thread_is_the_one_error(tmp_path):
    paths = write_scan(tmp_path, list(range(1, 21)))
    Path(paths[13]).write_bytes(b"")
    with pytest.raises(DataError, match="slice_0014"):
        read_slices(paths)


def test_sizes_of_one_scan_agree(tmp_path):
    paths = [*write_scan(tmp_path, [1, 2]), str(write_slice(tmp_path, 3, draw_slice(3, (7, 5))))]
    with pytest.raises(DataError, match=r"slice_0003.*5 x 7 \(W x H\), but 7 x 5 in .*slice_0001"):
        read_slices(paths)


def test_types_of_one_scan_agree(tmp_path):
    paths = [*write_scan(tmp_path, [1]), str(write_slice(tmp_path, 2, np.zeros((5, 7), dtype=np.uint8)))]
    with pytest.raises(DataError, match=r"slice_0002.*uint8, but uint16"):
        read_slices(paths)
