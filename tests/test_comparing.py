"""Files of every kind compared with every other; numbers from slow versions of the scores."""

import csv
import json
import math

import nibabel as nib
import numpy as np
import pytest

from monai_gi.comparing import compare_files
from monai_gi.dicom.geometry import arrange
from monai_gi.dicom.series import find_series
from monai_gi.dicom.structures import read_structures
from monai_gi.errors import DataError
from monai_gi.provenance import Provenance
from monai_gi.readers.dicom import read_series
from monai_gi.writers.dicom_seg import write_dicom_seg
from monai_gi.writers.nifti import write_nifti
from monai_gi.writers.rtstruct import write_rtstruct
from tests.drawn_structure_files import write_segmentation
from tests.drawn_structures import SPACING_MM, draw_masks, draw_scan
from tests.oracles import contours as contour_oracle
from tests.oracles import metrics as oracle

PROVENANCE = Provenance("segformer", "0.1.0", "ab" * 32, "0.2.0")
A = draw_masks()
A[1] &= ~A[0]  # a label map holds no overlaps
A[2, 12:18, 23:30, 1:3] = True
A[0, :, :, 3] &= ~A[1, :, :, 3]
A &= ~np.concatenate([np.zeros_like(A[:2]), (A[0] | A[1])[None]])
B = np.roll(A, (1, -2), axis=(1, 2))
KINDS = ("rtstruct.dcm", "seg.dcm", "scan_labels.nii.gz")


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    """A series, and the masks A and B in every format beside it."""
    folder = tmp_path_factory.mktemp("case")
    scan = draw_scan(folder / "series")
    for name, masks in (("a", A), ("b", B)):
        write_rtstruct(folder / f"{name}_rtstruct.dcm", scan, masks, PROVENANCE)
        frames_last = masks.transpose(3, 1, 2, 0).astype(np.uint8)
        write_segmentation(
            folder / f"{name}_seg.dcm", scan, frames_last, names=("Large Bowel", "SMALL-bowel", "stomach")
        )
        write_nifti(folder, f"{name}_scan", masks, scan.affine)
    return folder


def label_file(path, labels, affine):
    image = nib.Nifti1Image(labels.astype(np.uint8), affine)
    image.set_sform(affine, code=1)
    nib.save(image, path)
    return path


@pytest.mark.parametrize("kind_a", KINDS)
@pytest.mark.parametrize("kind_b", KINDS)
def test_any_kind_is_compared_with_any_other(case, kind_a, kind_b):
    comparison = compare_files(case / f"a_{kind_a}", case / f"b_{kind_b}", tolerance_mm=1.2)
    assert len(comparison.rows) == 3
    assert (comparison.only_in_a, comparison.only_in_b, comparison.notes) == ((), (), ())
    voxel_ml = math.prod(SPACING_MM) / 1000
    for row, a, b in zip(comparison.rows, A, B, strict=True):
        assert row["dice"] == pytest.approx(oracle.dice(b, a))
        assert row["surface_dice"] == pytest.approx(oracle.surface_dice(b, a, SPACING_MM, 1.2))
        assert row["hd95_mm"] == pytest.approx(oracle.hausdorff(b, a, SPACING_MM), rel=1e-5)
        pixels = contour_oracle.added_path_pixels(b, a)
        assert row["added_path_length_mm"] == pytest.approx(pixels * math.sqrt(SPACING_MM[0] * SPACING_MM[1]))
        assert row["volume_a_ml"] == pytest.approx(a.sum() * voxel_ml)
        assert row["volume_b_ml"] == pytest.approx(b.sum() * voxel_ml)


def test_a_is_the_reference(case):
    there = compare_files(case / "a_seg.dcm", case / "b_seg.dcm").rows[0]
    back = compare_files(case / "b_seg.dcm", case / "a_seg.dcm").rows[0]
    assert there["added_path_length_mm"] != back["added_path_length_mm"]
    assert (there["name"], there["volume_a_ml"]) == ("Large Bowel", back["volume_b_ml"])


def test_a_nifti_with_its_axes_turned_lies_where_it_lies(case, tmp_path):
    stored = nib.load(case / "b_scan_labels.nii.gz")
    turned = stored.as_reoriented(np.array([[2, -1], [0, -1], [1, 1]]))
    path = label_file(tmp_path / "turned.nii.gz", np.asarray(turned.dataobj), turned.affine)
    (tmp_path / "turned.json").write_text((case / "b_scan_labels.json").read_text())
    for other in ("a_rtstruct.dcm", "a_scan_labels.nii.gz"):
        expected = compare_files(case / other, case / "b_rtstruct.dcm").rows
        found = compare_files(case / other, path, series=case / "series").rows
        assert [row["dice"] for row in found] == [row["dice"] for row in expected]


def test_the_series_is_found_elsewhere_when_told(case, tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.dcm").write_bytes((case / f"{name}_rtstruct.dcm").read_bytes())
    with pytest.raises(
        DataError, match=r"the series 1\.2\.\S+ that it names is not in .*give the folder of the series"
    ):
        compare_files(tmp_path / "a.dcm", tmp_path / "b.dcm")
    assert len(compare_files(tmp_path / "a.dcm", tmp_path / "b.dcm", series=case).rows) == 3


def test_missing_slices_want_permission_and_count_as_empty(tmp_path):
    scan = draw_scan(tmp_path / "series", slice_numbers=[0, 1, 4, 5, 6])
    later = np.roll(A, 1, axis=3)
    for name, masks in (("a", A), ("b", later)):
        write_rtstruct(tmp_path / f"{name}.dcm", scan, masks, PROVENANCE)
    with pytest.raises(DataError, match="missing slices"):
        compare_files(tmp_path / "a.dcm", tmp_path / "b.dcm")
    row = compare_files(tmp_path / "a.dcm", tmp_path / "b.dcm", allow_gaps=True, tolerance_mm=3.1).rows[1]
    a, b = np.zeros((2, *A.shape[1:3], 7), dtype=bool)
    a[..., scan.slice_numbers], b[..., scan.slice_numbers] = A[1], later[1]
    assert row["surface_dice"] == pytest.approx(oracle.surface_dice(b, a, SPACING_MM, 3.1))
    assert row["surface_dice"] != pytest.approx(oracle.surface_dice(later[1], A[1], SPACING_MM, 3.1))


def test_an_roi_of_one_file_only_is_told(case, tmp_path):
    fewer = A.copy()
    fewer[1] = False
    scan = draw_scan(tmp_path / "series")
    write_rtstruct(tmp_path / "fewer.dcm", scan, fewer, PROVENANCE)
    write_rtstruct(tmp_path / "all.dcm", scan, A, PROVENANCE)
    comparison = compare_files(tmp_path / "all.dcm", tmp_path / "fewer.dcm")
    assert (comparison.only_in_a, comparison.only_in_b) == (("small_bowel",), ())
    assert "Only in A: small_bowel." in comparison.table()
    assert [row["dice"] for row in comparison.rows] == [1, 1]


def test_names_that_differ_are_paired_when_told(case, tmp_path):
    labels = np.asarray(nib.load(case / "b_scan_labels.nii.gz").dataobj)
    affine = nib.load(case / "b_scan_labels.nii.gz").affine
    path = label_file(tmp_path / "masks.nii.gz", labels, affine)
    with pytest.raises(DataError, match=r"no ROI in common: a_seg\.dcm has 'Large Bowel', .* has 'label 1', 'label 2'"):
        compare_files(case / "a_seg.dcm", path)
    comparison = compare_files(case / "a_seg.dcm", path, names={"stomach": "label 3"})
    assert [(row["name"], row["name_b"]) for row in comparison.rows] == [("stomach", "label 3")]
    assert comparison.only_in_b == ("label 1", "label 2")
    for names, file in (({"liver": "label 1"}, "a_seg.dcm"), ({"stomach": "label 9"}, "masks.nii.gz")):
        with pytest.raises(DataError, match=rf"{file}: has no ROI '\w+( 9)?'; it has"):
            compare_files(case / "a_seg.dcm", path, names=names)


def test_a_mask_file_is_named_by_the_organ_in_its_name(case):
    comparison = compare_files(case / "a_scan_stomach.nii.gz", case / "b_seg.dcm")
    assert [row["name"] for row in comparison.rows] == ["stomach"]
    assert comparison.rows[0]["dice"] == pytest.approx(oracle.dice(B[2], A[2]))


def test_one_name_twice_is_refused(case, tmp_path):
    scan = draw_scan(tmp_path / "series")
    frames_last = A.transpose(3, 1, 2, 0).astype(np.uint8)
    path = write_segmentation(tmp_path / "seg.dcm", scan, frames_last, names=("stomach", "Stomach", "liver"))
    for pair in ((path, case / "a_scan_labels.nii.gz"), (case / "a_scan_labels.nii.gz", path)):
        with pytest.raises(DataError, match=r"seg\.dcm: 2 ROIs of one name \('stomach', 'Stomach'\)"):
            compare_files(*pair)


def test_the_table_shows_every_number(case):
    text = compare_files(case / "a_seg.dcm", case / "b_seg.dcm", tolerance_mm=2.5).table()
    head, first, *_ = text.splitlines()
    assert head.split() == ["ROI", "Dice", "surface", "Dice", "HD95", "mm", "added", "path", "mm", "A", "mL", "B", "mL"]
    row = compare_files(case / "a_seg.dcm", case / "b_seg.dcm", tolerance_mm=2.5).rows[0]
    assert first.split()[:4] == ["Large", "Bowel", f"{row['dice']:.3f}", f"{row['surface_dice']:.3f}"]
    assert "Surface Dice within 2.5 mm" in text


def test_scores_are_written_as_json_and_csv(case, tmp_path):
    comparison = compare_files(case / "a_seg.dcm", case / "b_rtstruct.dcm", output=tmp_path / "scores.json")
    written = json.loads((tmp_path / "scores.json").read_text())
    assert written["rows"] == [pytest.approx(row) for row in comparison.rows]
    assert "not a medical device" in written["intended_use"]
    compare_files(case / "a_seg.dcm", case / "b_rtstruct.dcm", output=tmp_path / "scores.csv")
    with (tmp_path / "scores.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == ["Large Bowel", "SMALL-bowel", "stomach"]
    assert float(rows[1]["hd95_mm"]) == pytest.approx(comparison.rows[1]["hd95_mm"])
    with pytest.raises(DataError, match=r"neither \.json nor \.csv"):
        compare_files(case / "a_seg.dcm", case / "b_seg.dcm", output=tmp_path / "scores.txt")


def test_organs_without_voxels_have_no_score_or_the_worst(case, tmp_path):
    affine = nib.load(case / "a_scan_labels.nii.gz").affine
    only_first = np.where(A[0], 1, 0)
    path = label_file(tmp_path / "one.nii.gz", only_first, affine)
    (tmp_path / "one.json").write_text(json.dumps({"labels": {"1": "large_bowel", "2": "small_bowel"}}))
    comparison = compare_files(case / "a_seg.dcm", path, output=tmp_path / "scores.json")
    large, small = comparison.rows
    assert (large["dice"], small["dice"], small["hd95_mm"]) == (1, 0, math.inf)
    both = compare_files(path, path, output=tmp_path / "both.csv")
    assert math.isnan(both.rows[1]["dice"])
    lines = [line.split() for line in both.table().splitlines()]
    assert ["small_bowel", "-", "-", "-", "0.0", "0.0", "0.0"] in lines
    assert json.loads((tmp_path / "scores.json").read_text())["rows"][1]["hd95_mm"] is None
    assert "small_bowel,small_bowel,,,,0,0,0," in (tmp_path / "both.csv").read_text()


def test_what_was_left_out_is_told(case, tmp_path):
    scan = draw_scan(tmp_path / "longer", size=(26, 33, 5))
    path = write_rtstruct(tmp_path / "a.dcm", scan, A, PROVENANCE)
    draw_scan(tmp_path / "shorter", size=(26, 33, 3), frame_of_reference_uid=scan.series.frame_of_reference_uid)
    comparison = compare_files(path, path, series=tmp_path / "shorter")
    left_out = "contours lie more than half a slice spacing from every slice and were left out."
    assert any(note.startswith("A: large_bowel: ") and note.endswith(left_out) for note in comparison.notes)
    assert left_out in comparison.table()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda labels, affine: (labels, affine @ np.diag([1.01, 1, 1, 1])), "do not coincide"),
        (lambda labels, affine: (labels[1:], affine), "covers only a part"),
        (lambda labels, affine: (labels - 0.5, affine), "not whole numbers"),
    ],
)
def test_labels_on_other_voxels_are_refused(case, tmp_path, change, message):
    stored = nib.load(case / "b_scan_labels.nii.gz")
    labels, affine = change(np.asarray(stored.dataobj, dtype=np.float32), stored.affine)
    image = nib.Nifti1Image(labels, affine)
    image.set_sform(affine, code=1)
    nib.save(image, tmp_path / "other.nii.gz")
    with pytest.raises(DataError, match=message):
        compare_files(case / "a_rtstruct.dcm", tmp_path / "other.nii.gz")


def test_a_description_that_is_none_is_refused(case, tmp_path):
    path = tmp_path / "x.nii.gz"
    path.write_bytes((case / "a_scan_labels.nii.gz").read_bytes())
    (tmp_path / "x.json").write_text('["stomach"]')
    with pytest.raises(DataError, match=r"x\.json: is no description of labels"):
        compare_files(path, path)


def test_other_files_are_refused(case, tmp_path):
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(DataError, match="neither an RTSTRUCT nor a SEG nor a label NIfTI"):
        compare_files(case / "a_seg.dcm", tmp_path / "notes.txt")
    with pytest.raises(DataError, match="no such file"):
        compare_files(tmp_path / "none", case / "a_seg.dcm")
    with pytest.raises(ValueError, match="tolerance_mm -1"):
        compare_files(case / "a_seg.dcm", case / "b_seg.dcm", tolerance_mm=-1.0)


def test_real_segmentations_are_compared(real_data):
    folder = real_data / "dicom_seg_ct_liver"
    comparison = compare_files(folder / "liver.dcm", folder / "liver.dcm")
    assert comparison.rows[0]["dice"] == 1
    with pytest.raises(DataError, match="no ROI in common"):
        compare_files(folder / "liver.dcm", folder / "partial_overlaps.dcm")
    paired = compare_files(folder / "liver.dcm", folder / "partial_overlaps.dcm", names={"Liver": "GREEN"})
    assert paired.rows[0]["volume_b_ml"] == pytest.approx(9602 * 0.810547**2 / 1000, rel=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("folder", "file", "name"),
    [("dicom_seg_ct_liver", "liver.dcm", "Liver"), ("dicom_rtstruct_lung_ct/pat_2", "DCM_RS_00041.dcm", "GTV-1")],
)
def test_real_structures_survive_both_formats(real_data, tmp_path, folder, file, name):
    series = find_series(real_data / folder)[0]
    structure = next(one for one in read_structures(real_data / folder / file, arrange(series)) if one.name == name)
    masks = np.stack([structure.mask, ~structure.mask, np.zeros_like(structure.mask)])
    scan = read_series(series)
    for write in (write_rtstruct, write_dicom_seg):
        path = write(tmp_path / "ours.dcm", scan, masks, PROVENANCE)
        found = {one.name: one.mask for one in read_structures(path, arrange(series))}
        np.testing.assert_array_equal(found["large_bowel"], masks[0])
        np.testing.assert_array_equal(found["small_bowel"], masks[1])
        comparison = compare_files(real_data / folder / file, path, names={name: "large_bowel"})
        assert comparison.rows[0]["dice"] == 1
