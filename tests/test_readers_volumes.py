"""NIfTI as scans and masks: values, affine, dimensions, names that lie, and each refusal."""

import gzip

import nibabel as nib
import numpy as np
import pytest

from monai_gi.errors import DataError
from monai_gi.readers.volumes import is_nifti, read_masks, read_volume, require_same_grid, volume_size
from tests.drawn_nifti_files import SIZE, SPACING_MM, draw_affine, draw_volume, write_volume


@pytest.mark.parametrize("name", ["ct.nii", "ct.nii.gz", "IM0001.dcm", "scan", "scan.png.gz"])
@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
def test_voxels_and_affine_are_as_stored_whatever_the_name(tmp_path, name, kind):
    affine = draw_affine("LPS")
    path = write_volume(tmp_path / name, draw_volume(), affine, kind=kind)
    scan = read_volume(path, "x")
    assert scan.voxels.dtype == np.uint16
    assert np.array_equal(scan.voxels, draw_volume())
    assert np.array_equal(scan.affine, affine)
    assert scan.spacing_mm == SPACING_MM
    assert (scan.name, scan.kind, scan.files, scan.series) == ("x", "nifti", (path,), None)
    assert scan.slice_numbers.tolist() == [0, 1, 2, 3]
    assert scan.slice_names == ("slice_0001", "slice_0002", "slice_0003", "slice_0004")
    assert is_nifti(path.read_bytes()[:1024])
    assert volume_size(path) == SIZE


def test_oblique_affine_is_kept(tmp_path):
    turn = np.deg2rad(20)
    affine = np.eye(4)
    affine[:3, :3] = [[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]] * np.array(
        [1, 2, 3]
    )
    path = write_volume(tmp_path / "x.nii", draw_volume().astype(np.int32), affine)
    assert np.allclose(read_volume(path, "x").affine, affine, atol=1e-6)


def test_big_endian_file_is_read(tmp_path):
    header = nib.Nifti1Header(endianness=">")
    image = nib.Nifti1Image(draw_volume(), draw_affine(), header)
    assert image.header.endianness == ">"
    nib.save(image, tmp_path / "x.nii")
    assert np.array_equal(read_volume(tmp_path / "x.nii", "x").voxels, draw_volume())


def test_qform_serves_where_there_is_no_sform(tmp_path):
    image = nib.Nifti1Image(draw_volume(), None)
    image.set_qform(draw_affine("PIR"), code=1)
    image.set_sform(None, code=0)
    nib.save(image, tmp_path / "x.nii")
    assert np.allclose(read_volume(tmp_path / "x.nii", "x").affine, draw_affine("PIR"), atol=1e-5)


@pytest.mark.parametrize(
    ("values", "slope", "dtype", "last"),
    [
        (np.array([0, 300, 65535]), None, np.uint16, 65535),
        (np.array([0, 5, 65536]), None, np.float32, 65536),
        (np.array([-1024, 0, 3071], dtype=np.int16), None, np.float32, 3071),
        (np.array([0.0, 2.0, 9.0], dtype=np.float32), None, np.uint16, 9),
        (np.array([0.0, 2.5, 9.0]), None, np.float32, 9),
        (np.array([0, 7, 20], dtype=np.int16), (2.0, 1.0), np.uint16, 41),
        (np.array([0, 7, 20], dtype=np.int16), (0.5, -1.0), np.float32, 9),
        (np.array([0, 1, 255], dtype=np.uint8), None, np.uint16, 255),
    ],
)
def test_whole_values_that_fit_stay_16_bits_and_slope_is_applied(tmp_path, values, slope, dtype, last):
    stored = values.astype(np.int32) if values.dtype == np.int64 else values
    data = bytearray(nib.Nifti1Image(stored.reshape(3, 1, 1), draw_affine()).to_bytes())
    if slope:
        data[112:120] = np.array(slope, dtype="<f4").tobytes()  # nibabel would change the stored numbers to fit
    path = tmp_path / "x.nii"
    path.write_bytes(data)
    voxels = read_volume(path, "x").voxels
    assert (voxels.dtype, voxels[-1, 0, 0]) == (dtype, last)


def test_two_dimensions_are_one_slice_and_length_one_is_no_dimension(tmp_path):
    flat = write_volume(tmp_path / "flat.nii", draw_volume()[:, :, 0])
    assert read_volume(flat, "x").voxels.shape == (7, 5, 1)
    assert volume_size(flat) == (7, 5, 1)
    four = write_volume(tmp_path / "four.nii", draw_volume()[..., None])
    assert np.array_equal(read_volume(four, "x").voxels, draw_volume())


def refused(tmp_path, values=None, *, match, **options):
    path = write_volume(tmp_path / "x.nii", draw_volume() if values is None else values, **options)
    with pytest.raises(DataError, match=match):
        read_volume(path, "x")


def test_several_volumes_are_refused(tmp_path):
    refused(tmp_path, np.zeros((3, 4, 5, 2), np.uint8), match=r"x.nii: volume of 3 x 4 x 5 x 2 voxels, wanted two or")


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_no_number_are_refused(tmp_path, bad):
    values = np.zeros((3, 4, 2), np.float32)
    values[1, 2] = bad
    refused(tmp_path, values, match="2 voxels are not a number or infinite; write them as background")


def test_colours_and_complex_numbers_are_refused(tmp_path):
    rgb = np.zeros((3, 4, 2), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    refused(tmp_path, rgb, match="holds colours, wanted one grey value a voxel")
    refused(tmp_path, np.zeros((3, 4, 2), np.complex64), match="holds complex numbers")


@pytest.mark.parametrize(("unit", "word"), [("meter", "metres"), ("micron", "micrometres")])
def test_other_units_are_refused(tmp_path, unit, word):
    refused(tmp_path, unit=unit, match=f"lengths in {word}, wanted mm")


def test_unknown_unit_is_taken_as_mm(tmp_path):
    assert read_volume(write_volume(tmp_path / "x.nii", draw_volume(), unit="unknown"), "x").spacing_mm == SPACING_MM


def test_no_orientation_is_refused(tmp_path):
    image = nib.Nifti1Image(draw_volume(), None)
    nib.save(image, tmp_path / "x.nii")
    with pytest.raises(DataError, match=r"no orientation \(qform and sform codes are 0\), so left and right"):
        read_volume(tmp_path / "x.nii", "x")


def test_a_flat_affine_is_refused(tmp_path):
    data = bytearray(nib.Nifti1Image(draw_volume(), draw_affine()).to_bytes())
    data[312:328] = bytes(16)  # srow_z
    (tmp_path / "x.nii").write_bytes(data)
    with pytest.raises(DataError, match="maps no volume; wanted three axes with a length"):
        read_volume(tmp_path / "x.nii", "x")


def test_damage_is_one_sentence(tmp_path):
    path = write_volume(tmp_path / "x.nii.gz", np.random.default_rng(0).integers(0, 999, (20, 20, 9)).astype(np.int16))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"x.nii.gz: can not be read as NIfTI \(.*\); copy it again"):
        read_volume(path, "x")
    path.write_bytes(gzip.compress(gzip.decompress(whole)[:-7]))
    with pytest.raises(DataError, match="can not be read as NIfTI"):
        read_volume(path, "x")
    path.write_bytes(b"\x1f\x8bnot gzip at all" * 9)
    assert not is_nifti(path.read_bytes())
    with pytest.raises(DataError, match="is no NIfTI file with its voxels in it"):
        read_volume(path, "x")


def test_header_of_a_pair_is_no_volume(tmp_path):
    nib.save(nib.Nifti1Pair(draw_volume(), draw_affine()), tmp_path / "x.img")
    assert not is_nifti((tmp_path / "x.hdr").read_bytes())


def label_map():
    labels = np.zeros((6, 5, 3), dtype=np.uint8)
    labels[1:3, 2] = 1
    labels[4, :, 1:] = 3
    return labels


def test_label_map_gives_a_channel_an_organ(tmp_path):
    masks, affine = read_masks(write_volume(tmp_path / "y.nii.gz", label_map()))
    assert (masks.shape, masks.dtype) == ((3, 6, 5, 3), bool)
    assert np.array_equal(masks[0], label_map() == 1)
    assert not masks[1].any()
    assert np.array_equal(masks[2], label_map() == 3)
    assert np.array_equal(affine, draw_affine())


@pytest.mark.parametrize("middle", [(), (1,)])
def test_channels_may_overlap(tmp_path, middle):
    channels = np.zeros((6, 5, 4, 3), dtype=np.uint8)
    channels[1:4, 2:4, :, 0] = 1
    channels[2:5, 2, 1, 1] = 255
    path = write_volume(tmp_path / "y.nii", channels.reshape(6, 5, 4, *middle, 3))
    assert np.array_equal(read_masks(path)[0], np.moveaxis(channels != 0, -1, 0))


def test_files_an_organ_are_channels(tmp_path):
    parts = [np.zeros((6, 5, 2), np.uint8) for _ in range(3)]
    parts[0][2:, 1] = 1
    parts[2][0, 0, 1] = 1
    paths = [write_volume(tmp_path / f"{number}.nii", part) for number, part in enumerate(parts)]
    assert np.array_equal(read_masks(paths)[0], np.stack(parts) != 0)
    with pytest.raises(DataError, match="2 files, wanted one an organ: large_bowel, small_bowel, stomach"):
        read_masks(paths[:2])
    write_volume(paths[1], parts[1], draw_affine(origin=(-10.0, 20.2, 30.5)))
    with pytest.raises(DataError, match=r"1.nii: lies up to 0.2 mm away from 0.nii"):
        read_masks(paths)


def test_a_flat_label_map_is_one_slice(tmp_path):
    assert read_masks(write_volume(tmp_path / "y.nii", label_map()[:, :, 1]))[0].shape == (3, 6, 5, 1)


def test_strange_labels_are_refused(tmp_path):
    strange = label_map() * 7
    with pytest.raises(DataError, match=r"labels 7, 21 are unknown; wanted 0 background, 1 large_bowel, 2 small_bowel"):
        read_masks(write_volume(tmp_path / "y.nii", strange))
    with pytest.raises(DataError, match=r"6 x 5 x 3 x 2 voxels, wanted a label map of three dimensions or 3 channels"):
        read_masks(write_volume(tmp_path / "y.nii", np.zeros((6, 5, 3, 2), np.uint8)))


def test_masks_of_another_grid_are_refused(tmp_path):
    scan = read_volume(write_volume(tmp_path / "x.nii", draw_volume()), "x")
    require_same_grid(tmp_path / "y.nii", SIZE, scan.affine + 1e-4, scan)
    with pytest.raises(DataError, match=r"y.nii: 5 x 7 x 4 voxels, but 7 x 5 x 4 in x.nii; masks voxel on voxel"):
        require_same_grid(tmp_path / "y.nii", (5, 7, 4), scan.affine, scan)
    turned = draw_affine("LAS")
    with pytest.raises(DataError, match=r"lies up to 24 mm away from x.nii"):
        require_same_grid(tmp_path / "y.nii", SIZE, turned, scan)
