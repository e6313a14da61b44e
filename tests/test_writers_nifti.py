"""NIfTI files of drawn masks, read back with nibabel: voxels, place in the patient, header, the same bytes."""

import json

import nibabel as nib
import numpy as np
import pytest

from monai_gi.labels import ORGAN_NAMES, ORGANS
from monai_gi.provenance import INTENDED_USE, Provenance
from monai_gi.scan import Scan
from monai_gi.writers.nifti import write_nifti, write_scan_nifti

SHAPE = (5, 8, 4)
AFFINE = np.array([[0, -2.0, 0, 10], [-1.5, 0, 0, 20], [0, 0, -3.0, 30], [0, 0, 0, 1]])
LARGE, SMALL, STOMACH = (organ.index for organ in ORGANS)


def draw_masks():
    """Stomach below large bowel below small bowel in one row; each pair overlaps, and all three on slice 2."""
    masks = np.zeros((3, *SHAPE), dtype=bool)
    masks[2, 1, 0:4, 1:3] = True
    masks[0, 1, 2:6, 1:3] = True
    masks[1, 1, 3:8, 2] = True
    return masks


def load(folder, name):
    return nib.load(folder / f"case1_day0_{name}.nii.gz")


@pytest.fixture
def folder(tmp_path):
    write_nifti(tmp_path / "new", "case1_day0", draw_masks(), AFFINE)
    return tmp_path / "new"


def test_files_are_named_by_scan_and_organ(tmp_path):
    names = [path.name for path in write_nifti(tmp_path, "case1_day0", draw_masks(), AFFINE)]
    assert names == [
        "case1_day0_large_bowel.nii.gz",
        "case1_day0_small_bowel.nii.gz",
        "case1_day0_stomach.nii.gz",
        "case1_day0_labels.nii.gz",
        "case1_day0_labels.json",
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)


@pytest.mark.parametrize("organ", range(3))
def test_organs_keep_their_overlaps(folder, organ):
    voxels = np.asarray(load(folder, ORGAN_NAMES[organ]).dataobj)
    assert voxels.dtype == np.uint8
    assert np.array_equal(voxels, draw_masks()[organ])


def test_label_map_follows_the_priority(folder):
    voxels = np.asarray(load(folder, "labels").dataobj)
    assert voxels.dtype == np.uint8
    assert voxels[1, :, 1].tolist() == [STOMACH, STOMACH, LARGE, LARGE, LARGE, LARGE, 0, 0]
    assert voxels[1, :, 2].tolist() == [STOMACH, STOMACH, LARGE, SMALL, SMALL, SMALL, SMALL, SMALL]
    assert np.count_nonzero(voxels) == 6 + 8


def test_header_and_json_say_who_wins(folder):
    description = bytes(load(folder, "labels").header["descrip"]).rstrip(b"\0").decode()
    assert description == "Overlaps: small_bowel over large_bowel over stomach"
    beside = json.loads((folder / "case1_day0_labels.json").read_text())
    assert beside["labels"] == {"0": "background", "1": "large_bowel", "2": "small_bowel", "3": "stomach"}
    assert beside["where_organs_overlap"] == "the later name wins: stomach, large_bowel, small_bowel"
    assert beside["overlapping_voxels"] == 2 + 4  # columns 2 and 3 of slice 1, 2 to 5 of slice 2


def test_voxels_lie_where_the_affine_says(folder):
    for name in (*ORGAN_NAMES, "labels"):
        image = load(folder, name)
        assert np.array_equal(image.get_sform(), AFFINE)
        assert np.allclose(image.get_qform(), AFFINE, atol=1e-5)
        assert (image.header["sform_code"], image.header["qform_code"]) == (1, 1)
        assert image.header.get_xyzt_units()[0] == "mm"
        assert nib.aff2axcodes(image.affine) == ("P", "L", "I")
    assert nib.affines.apply_affine(load(folder, "labels").affine, [1, 2, 3]).tolist() == [6.0, 18.5, 21.0]


def test_affine_that_a_quaternion_can_not_hold_is_in_the_sform_alone(tmp_path):
    sheared = AFFINE.copy()
    sheared[0, 2] = 0.7
    write_nifti(tmp_path, "case1_day0", draw_masks(), sheared)
    image = load(tmp_path, "labels")
    assert np.allclose(image.affine, sheared, atol=1e-6)
    assert (image.header["sform_code"], image.header["qform_code"]) == (1, 0)


def test_empty_masks_are_written(tmp_path):
    write_nifti(tmp_path, "case1_day0", np.zeros((3, *SHAPE), dtype=bool), AFFINE)
    assert not np.asarray(load(tmp_path, "stomach").dataobj).any()
    assert load(tmp_path, "labels").shape == SHAPE


def test_whatever_is_not_zero_is_inside(tmp_path):
    write_nifti(tmp_path, "case1_day0", draw_masks() * 255.0, AFFINE)
    assert np.array_equal(np.asarray(load(tmp_path, "stomach").dataobj), draw_masks()[2])


def test_same_masks_give_the_same_bytes(tmp_path):
    first, second = (write_nifti(tmp_path / name, "case1_day0", draw_masks(), AFFINE) for name in "ab")
    assert all(a.read_bytes() == b.read_bytes() for a, b in zip(first, second, strict=True))
    assert first[0].read_bytes()[4:8] == b"\0\0\0\0"  # gzip's time stamp


def test_second_writing_replaces_the_first(folder):
    write_nifti(folder, "case1_day0", np.zeros((3, *SHAPE), dtype=bool), AFFINE)
    assert not np.asarray(load(folder, "large_bowel").dataobj).any()
    assert len(list(folder.iterdir())) == 5


@pytest.mark.parametrize("scan_id", ["", "../case1", "a/b", "a\\b", ".case1"])
def test_id_that_can_not_name_files_is_refused(tmp_path, scan_id):
    with pytest.raises(ValueError, match=r"scan_id: .* can not name files"):
        write_nifti(tmp_path, scan_id, draw_masks(), AFFINE)


@pytest.mark.parametrize("masks", [np.zeros((2, *SHAPE)), np.zeros(SHAPE), np.zeros((3, 5, 8))])
def test_masks_of_another_shape_are_refused(tmp_path, masks):
    with pytest.raises(ValueError, match=r"masks: shape .*, wanted \(3, H, W, D\)"):
        write_nifti(tmp_path, "case1_day0", masks, AFFINE)


@pytest.mark.parametrize("affine", [np.eye(3), np.zeros((4, 4)), np.full((4, 4), np.nan)])
def test_affine_that_leads_nowhere_is_refused(tmp_path, affine):
    with pytest.raises(ValueError, match=r"affine: .*wanted an invertible matrix"):
        write_nifti(tmp_path, "case1_day0", draw_masks(), affine)


def scan_with(numbers):
    count = len(numbers)
    names = tuple(f"slice_{number:04d}" for number in numbers)
    voxels = np.zeros((*SHAPE[:2], count), np.uint16)
    return Scan("scan_a", voxels, AFFINE, np.array(numbers), names, "dicom", ())


def test_scan_without_gaps_is_written_with_its_affine(tmp_path):
    files = write_scan_nifti(tmp_path, scan_with((0, 1, 2, 3)), draw_masks())
    assert [file.name for file in files] == [
        *(f"scan_a_{organ}.nii.gz" for organ in ORGAN_NAMES),
        "scan_a_labels.nii.gz",
        "scan_a_labels.json",
    ]
    for organ, file in enumerate(files[:3]):
        image = nib.load(file)
        assert np.array_equal(image.affine, AFFINE)
        assert np.array_equal(np.asarray(image.dataobj), draw_masks()[organ])
    assert json.loads(files[-1].read_text())["missing_slices"] == []


def test_missing_slices_are_empty_and_listed(tmp_path):
    files = write_scan_nifti(tmp_path, scan_with((0, 2, 3, 6)), draw_masks())
    for organ, file in enumerate(files[:3]):
        voxels = np.asarray(nib.load(file).dataobj)
        assert voxels.shape == (5, 8, 7)
        assert np.array_equal(voxels[..., [0, 2, 3, 6]], draw_masks()[organ])
        assert not voxels[..., [1, 4, 5]].any()
    # slice 2 of the array is number 3 of the lattice
    assert nib.affines.apply_affine(nib.load(files[0]).affine, [1, 2, 3]).tolist() == [6.0, 18.5, 21.0]
    assert json.loads(files[-1].read_text())["missing_slices"] == [1, 4, 5]


def test_scan_says_what_made_it_and_what_it_may_be_used_for(tmp_path):
    made_by = Provenance("segformer", "0.1.0", "5a" * 32, "0.9.9")
    files = write_scan_nifti(tmp_path, scan_with((0, 1, 2, 3)), draw_masks(), made_by)
    beside = json.loads(files[-1].read_text())
    assert beside["intended_use"] == INTENDED_USE
    assert beside["made_by"]["weights_sha256"] == "5a" * 32
    assert beside["overlapping_voxels"] == 2 + 4
    for file in files[:-1]:
        assert bytes(nib.load(file).header["descrip"]).rstrip(b"\0").decode().endswith("; research use only")


def test_masks_that_do_not_fit_the_scan_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"masks: bool of shape \(3, 5, 8, 4\), wanted bool \(3, 5, 8, 3\)"):
        write_scan_nifti(tmp_path, scan_with((0, 1, 2)), draw_masks())
