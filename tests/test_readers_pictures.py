"""Slices of UW-Madison and single pictures as scans: spacing, gaps, depth, and each refusal."""

import logging

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from monai_gi.errors import DataError
from monai_gi.readers import slice_affine
from monai_gi.readers.pictures import picture_size, read_picture, read_scan_slices
from tests.drawn_slices import draw_slice, write_scan, write_slice


def paths_of(folder, numbers):
    write_scan(folder, numbers)
    return sorted(folder.iterdir(), reverse=True)


def test_slices_are_sorted_and_keep_their_numbers_as_ids(tmp_path):
    paths = paths_of(tmp_path, [9, 10, 11])
    scan = read_scan_slices(paths, "case1_day0")
    assert (scan.voxels.shape, scan.voxels.dtype) == ((5, 7, 3), np.uint16)
    assert all(np.array_equal(scan.voxels[..., d], draw_slice(number)) for d, number in enumerate([9, 10, 11]))
    assert scan.slice_names == ("case1_day0_slice_0009", "case1_day0_slice_0010", "case1_day0_slice_0011")
    assert scan.slice_numbers.tolist() == [0, 1, 2]
    assert np.array_equal(scan.affine, slice_affine((1.5, 2.25, 3.0)))
    assert (scan.kind, scan.files) == ("uw-madison", tuple(sorted(paths)))


def test_missing_slices_are_refused_or_kept_as_gaps(tmp_path):
    paths = paths_of(tmp_path, [2, 3, 6, 8])
    with pytest.raises(
        DataError, match=r"case1_day0: 3 slices are missing between 2 and 8: 4 to 5, 7 to 7.*allow-gaps"
    ):
        read_scan_slices(paths, "case1_day0")
    scan = read_scan_slices(paths, "case1_day0", allow_gaps=True)
    assert scan.slice_numbers.tolist() == [0, 1, 4, 6]
    assert scan.spacing_mm == (1.5, 2.25, 3.0)
    assert scan.positions_mm.tolist() == [0, 3, 12, 18]


def test_a_single_slice_is_a_scan(tmp_path):
    assert read_scan_slices(paths_of(tmp_path, [5]), "x").voxels.shape == (5, 7, 1)


def test_doubled_slice_is_refused(tmp_path):
    paths = [*paths_of(tmp_path / "a", [1, 2]), *paths_of(tmp_path / "b", [2])]
    with pytest.raises(DataError, match="slice 2 is there twice; remove the wrong one"):
        read_scan_slices(paths, "x")


def test_spacing_of_nothing_is_refused(tmp_path):
    path = write_slice(tmp_path, 1, draw_slice(1), (0.0, 1.5))
    with pytest.raises(DataError, match="pixel spacing of 0 mm in its name"):
        read_scan_slices([path], "x")
    with pytest.raises(DataError, match="pixel spacing of 0 mm in its name"):
        read_picture(path, "x")


def test_a_png_named_like_a_slice_has_its_spacing(tmp_path, caplog):
    scan = read_picture(write_slice(tmp_path, 3, draw_slice(3)), "case1_day0_slice_0003")
    assert np.array_equal(scan.voxels[..., 0], draw_slice(3))
    assert (scan.spacing_mm, scan.kind, scan.slice_names) == ((1.5, 2.25, 3.0), "picture", ("case1_day0_slice_0003",))
    assert not caplog.records


@pytest.mark.parametrize("suffix", ["png", "tif", "dcm"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_any_grey_picture_has_pixels_of_one_millimetre_and_says_so(tmp_path, suffix, dtype, caplog):
    pixels = np.arange(35).reshape(5, 7).astype(dtype) * (7 if dtype == np.uint8 else 1801)
    path = tmp_path / f"ANY.{suffix}"
    Image.fromarray(pixels).save(path, format="PNG" if suffix == "png" else "TIFF")
    with caplog.at_level(logging.WARNING):
        scan = read_picture(path, "any")
    assert scan.voxels.dtype == np.uint16
    assert np.array_equal(scan.voxels, pixels[..., None])
    assert (scan.spacing_mm, scan.slice_numbers.tolist()) == ((1, 1, 3), [0])
    assert picture_size(path) == (5, 7)
    assert "any: no pixel spacing in the picture, 1 mm taken" in caplog.text
    assert str(tmp_path) not in caplog.text


@pytest.mark.parametrize(
    ("unit", "x", "y", "spacing_mm"),
    [
        (3, 10, 4, (2.5, 1.0)),
        (2, 25.4, 50.8, (0.5, 1.0)),
        (1, 10, 4, (1, 1)),
        (3, 0, 0, (1, 1)),
        (None, 254, 127, (0.2, 0.1)),
    ],
)
def test_resolution_tags_are_pixels_a_unit(tmp_path, unit, x, y, spacing_mm):
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[282], tags[283] = TiffImagePlugin.IFDRational(x * 10, 10), TiffImagePlugin.IFDRational(y * 10, 10)
    if unit:
        tags[296] = unit
    Image.fromarray(draw_slice(1)).save(tmp_path / "x.tif", tiffinfo=tags)
    assert read_picture(tmp_path / "x.tif", "x").spacing_mm == pytest.approx((*spacing_mm, 3))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_tiff_whose_zero_is_white_is_turned(tmp_path, dtype):
    tifffile = pytest.importorskip("tifffile")
    tifffile.imwrite(tmp_path / "x.tif", np.array([[0, 1, 9], [2, 3, 4]], dtype), photometric="miniswhite")
    expected = np.iinfo(dtype).max - np.array([[0, 1, 9], [2, 3, 4]])
    assert np.array_equal(read_picture(tmp_path / "x.tif", "x").voxels[..., 0], expected)


@pytest.mark.parametrize("mode", ["RGB", "LA", "P", "1"])
@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_colours_are_refused(tmp_path, mode, suffix):
    Image.new(mode, (7, 5)).save(tmp_path / f"x.{suffix}")
    match = f"x.{suffix}: (PNG|TIFF) of mode {mode}, wanted one grey channel of 16 or 8 bits. Colour is no scan"
    with pytest.raises(DataError, match=match):
        read_picture(tmp_path / f"x.{suffix}", "x")


def test_other_depths_are_refused(tmp_path):
    Image.fromarray(np.ones((5, 7), np.float32)).save(tmp_path / "x.tif")
    with pytest.raises(DataError, match="TIFF of mode F, wanted one grey channel"):
        read_picture(tmp_path / "x.tif", "x")


def test_several_pages_are_refused(tmp_path):
    page = Image.fromarray(draw_slice(1))
    page.save(tmp_path / "x.tif", save_all=True, append_images=[page, page])
    with pytest.raises(DataError, match=r"TIFF of 3 pages, wanted one. Take one out"):
        read_picture(tmp_path / "x.tif", "x")


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_damage_is_one_sentence(tmp_path, suffix):
    path = tmp_path / f"x.{suffix}"
    Image.fromarray(np.random.default_rng(0).integers(0, 9999, (50, 70)).astype(np.uint16)).save(path)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(DataError, match=f"x.{suffix}: can not be read as a (PNG|TIFF)"):
        read_picture(path, "x")
    path.write_bytes(path.read_bytes()[:7])
    with pytest.raises(DataError, match="can not be read as a picture"):
        picture_size(path)


def test_a_real_scan_is_read_whole(real_data):
    paths = sorted((real_data / "uw_madison/train/case102/case102_day0/scans").glob("*.png"))
    scan = read_scan_slices(paths, "case102_day0")
    assert (scan.voxels.shape, scan.spacing_mm) == ((310, 360, 144), (1.5, 1.5, 3.0))
    assert np.array_equal(scan.voxels[..., 70], np.asarray(Image.open(paths[70])))
