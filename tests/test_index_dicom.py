"""Contoured DICOM becomes training data: right voxels, right organs, nobody's name, and nothing done twice."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread

from monai_gi import importing
from monai_gi.datasets.datalist import load_datalist, scan_items
from monai_gi.errors import DataError, DataErrors
from monai_gi.importing import index_dicom
from monai_gi.labels import ORGAN_NAMES
from monai_gi.rle import decode_rle
from tests.drawn_contoured_dicom import (
    SIZE,
    axial_affine,
    draw_organs,
    write_contours,
    write_images,
    write_patients,
)


def index(root, folds=2, **options):
    return index_dicom(root / "in", root / "out" / "datalist.json", folds=folds, progress=False, **options)


def scans_of(root):
    return {scan["id"]: scan for scan in scan_items(load_datalist(root / "out"))}


def image_of(scan):
    return np.stack([np.asarray(Image.open(path)) for path in scan["image"]], axis=-1)


def masks_of(scan):
    slices = [[decode_rle(label[organ], scan["size"]) for organ in ORGAN_NAMES] for label in scan["label"]]
    return np.moveaxis(np.array(slices), 0, -1)


def inodes(root):
    return {path: path.stat().st_ino for path in (root / "out" / "train").rglob("*.png")}


def test_slices_run_to_the_feet_with_the_values_and_organs_of_the_files(tmp_path):
    voxels = write_patients(tmp_path / "in")
    report = index(tmp_path)
    scans = scans_of(tmp_path)
    assert sorted(scans) == ["case301_day0", "case302_day0"]
    found = [image_of(scan) for scan in scans.values()]
    for stored in voxels:  # they ascend to the head in the files
        assert any(np.array_equal(stored[..., ::-1], image) for image in found)
    for scan in scans.values():  # one of an RTSTRUCT, one of a SEG
        assert np.array_equal(masks_of(scan), draw_organs()[..., ::-1])
        assert scan["spacing_mm"] == [1.5, 1.5, 3.0]
    assert "cases                    2" in report
    assert sorted({item["fold"] for item in load_datalist(tmp_path / "out")}) == [0, 1]


def test_scans_are_resampled_and_turned(tmp_path):
    turned = axial_affine((2.0, 1.0, 6.0)) @ np.diag([-1.0, -1, 1, 1])  # prone
    turned[:3, 3] += [40, 40, 0]
    for patient in (1, 2):
        folder = tmp_path / "in" / str(patient)
        voxels = write_images(folder, patient, affine=turned)
        write_contours(folder / "c", folder)
    index(tmp_path)
    scan = scans_of(tmp_path)["case302_day0"]
    assert scan["size"] == [26, 18]  # 19 * 2 / 1.5 + 1 = 26.3, 25 / 1.5 + 1 = 17.7
    assert len(scan["image"]) == 7
    patients = [voxels, np.random.default_rng(1).integers(0, 900, SIZE)]
    assert any(np.array_equal(image_of(scan)[0, 0, ::2], one[-1, -1, ::-1]) for one in patients)


def test_a_data_list_or_the_folder_alone_serve_training(tmp_path):
    write_patients(tmp_path / "in")
    index(tmp_path)
    listed = load_datalist(tmp_path / "out")
    (tmp_path / "out" / "datalist.json").unlink()
    plain = load_datalist(tmp_path / "out", folds=2)
    assert [{**item, "fold": 0} for item in plain] == [{**item, "fold": 0} for item in listed]


def test_nothing_that_names_a_patient_is_written(tmp_path):
    write_patients(tmp_path / "in")
    headers = [dcmread(path) for path in (tmp_path / "in").rglob("*") if path.is_file()]
    keywords = ("PatientName", "PatientID", "PatientBirthDate", "StudyDate", "SeriesInstanceUID", "StudyInstanceUID")
    words = {str(header.get(keyword) or "") for header in headers for keyword in keywords} - {""}
    words |= {str(header.SOPInstanceUID) for header in headers} | {str(tmp_path), "p1", "STOMACH"}
    report = index(tmp_path)
    for path in (tmp_path / "out").rglob("*"):
        content = path.read_bytes() if path.is_file() and path.suffix != ".png" else b""
        assert [word for word in words if word.encode() in content or word in path.name] == []
    assert [word for word in words if word in report] == []


def test_a_second_run_does_nothing_again(tmp_path, monkeypatch):
    write_patients(tmp_path / "in")
    first = index(tmp_path)
    before, text = inodes(tmp_path), (tmp_path / "out" / "datalist.json").read_text()
    monkeypatch.setattr(importing, "read_series", None)
    assert index(tmp_path) == first
    assert inodes(tmp_path) == before
    assert (tmp_path / "out" / "datalist.json").read_text() == text


def test_a_stopped_run_goes_on(tmp_path, monkeypatch):
    write_patients(tmp_path / "in")
    store = importing.store_volume

    def stop_at_the_second(folder, *arguments):
        if folder.name == "case302_day0":
            raise KeyboardInterrupt
        return store(folder, *arguments)

    monkeypatch.setattr(importing, "store_volume", stop_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        index(tmp_path)
    assert not (tmp_path / "out" / "train.csv").exists()
    before = inodes(tmp_path)
    monkeypatch.setattr(importing, "store_volume", store)
    index(tmp_path)
    assert len(before) == 4
    assert before.items() <= inodes(tmp_path).items()
    assert len(scans_of(tmp_path)) == 2


def test_changed_contours_or_names_are_imported_again_under_the_same_number(tmp_path):
    write_patients(tmp_path / "in")
    index(tmp_path)
    before = inodes(tmp_path)
    masks = draw_organs()
    masks[0] = False
    write_contours(tmp_path / "in/p1/contours.dcm", tmp_path / "in/p1/images", masks=masks)
    index(tmp_path)
    after = inodes(tmp_path)
    assert before.keys() == after.keys()
    assert sum(before[path] != after[path] for path in before) == 4
    empty = [not masks_of(scan)[0].any() for scan in scans_of(tmp_path).values()]
    assert sorted(empty) == [False, True]
    index(tmp_path, names=[("stomach", "stomach"), ("stomach", "Bowel_Large")])
    assert all(not masks_of(scan)[0].any() for scan in scans_of(tmp_path).values())


def test_new_patients_get_new_numbers_and_the_others_keep_theirs(tmp_path):
    write_patients(tmp_path / "in")
    index(tmp_path)
    before = inodes(tmp_path)
    write_patients(tmp_path / "three", 3)
    shutil.move(tmp_path / "three" / "p3", tmp_path / "in" / "a")
    index(tmp_path, folds=3)
    assert before.items() <= inodes(tmp_path).items()
    assert sorted(scans_of(tmp_path)) == ["case301_day0", "case302_day0", "case303_day0"]


def test_series_of_a_patient_are_days_of_one_case_the_older_first(tmp_path):
    write_patients(tmp_path / "in")
    later = tmp_path / "in" / "later"
    voxels = write_images(later, 1, seed=9, study_uid="1.2.3.4", frame_of_reference_uid="1.2.3.5", series_uid="1.2.3.6")
    for path in later.iterdir():
        dataset = dcmread(path)
        dataset.StudyDate = "20991231"
        dataset.PixelData = bytes(len(dataset.PixelData))
        dataset.save_as(path)
    write_contours(later / "c", later)
    index(tmp_path)
    scans = scans_of(tmp_path)
    (second,) = [scan for scan in scans.values() if scan["id"].endswith("day1")]
    assert len(scans) == 3
    assert second["group"] == second["id"].split("_")[0]
    assert not image_of(second).any()
    assert voxels.any()


def test_codes_serve_where_names_do_not(tmp_path):
    for patient in (1, 2):
        folder = tmp_path / "in" / str(patient)
        write_images(folder, patient)
        write_contours(folder / "c", folder, names=("a", "b", "c"), seg=True)
    index(tmp_path)
    assert all(np.array_equal(masks_of(scan), draw_organs()[..., ::-1]) for scan in scans_of(tmp_path).values())


def test_names_are_the_users_and_others_are_listed(tmp_path):
    for patient in (1, 2):
        folder = tmp_path / "in" / str(patient)
        write_images(folder, patient)
        write_contours(folder / "c", folder, names=("Dickdarm", "Bowel_Small", "BODY"))
    write_contours(tmp_path / "in" / "1" / "targets", tmp_path / "in" / "1", names=("PTV", "GTV", "CTV"))
    write_images(tmp_path / "in" / "bare", 3, series_uid="1.2.3")
    report = index(tmp_path, names=[("large_bowel", "DICK darm")])
    assert "no organ known here, not used: 'BODY' (2 scans)" in report
    assert "no organ known here, not used: 'CTV' (1 scans)" in report
    assert "no contours, not used: series 1.2.3" in report
    for scan in scans_of(tmp_path).values():
        masks = masks_of(scan)
        assert np.array_equal(masks[:2], draw_organs()[:2, ..., ::-1])
        assert not masks[2].any(), "an organ without a structure is absent"


def test_structures_may_be_spread_over_files_but_an_organ_is_in_one(tmp_path):
    for patient in (1, 2):
        folder = tmp_path / "in" / str(patient)
        write_images(folder / "i", patient)
        for number in range(2):
            masks = draw_organs()
            masks[[0, 1] if number else [2]] = False
            write_contours(folder / f"c{number}", folder / "i", masks=masks)
    index(tmp_path)
    assert all(np.array_equal(masks_of(scan), draw_organs()[..., ::-1]) for scan in scans_of(tmp_path).values())
    write_contours(tmp_path / "in/1/again", tmp_path / "in/1/i")
    with pytest.raises(
        DataErrors, match=r"not imported: 3 problems:(\n.*){0,3}large_bowel of the same series is in .*again too"
    ):
        index(tmp_path)


def test_every_fault_is_told_at_once_and_good_scans_are_kept(tmp_path):
    write_patients(tmp_path / "in", 3)
    sorted((tmp_path / "in/p1/images").iterdir())[1].unlink()
    shutil.rmtree(tmp_path / "in/p2/images")
    with pytest.raises(DataErrors, match="2 problems") as caught:
        index(tmp_path)
    assert "RTSTRUCT of a series that is not here" in str(caught.value)
    assert "missing" in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_contours_without_an_organ_are_refused_by_name(tmp_path):
    write_patients(tmp_path / "in", 3)
    for patient in (1, 2):
        folder = tmp_path / "in" / f"p{patient}"
        write_contours(folder / "contours.dcm", folder / "images", names=("PTV", "GTV", "Bowel"))
    one = r"\n.*contours.dcm: no structure is an organ known here; there are: 'PTV', 'GTV', 'Bowel'. Say what"
    match = rf"2 problems:({one}.*){{2}}"
    with pytest.raises(DataErrors, match=match):
        index(tmp_path)
    assert len(inodes(tmp_path)) == 4


def test_contours_that_fit_two_series_are_refused(tmp_path):
    write_patients(tmp_path / "in")
    folder = tmp_path / "in" / "p1"
    write_images(folder / "second", 1, series_uid="1.2.3.4")
    index(tmp_path)  # the series is named
    dataset = dcmread(folder / "contours.dcm")
    reference = dataset.ReferencedFrameOfReferenceSequence[0]
    del reference.RTReferencedStudySequence
    dataset.save_as(folder / "contours.dcm")
    with pytest.raises(DataErrors, match=r"RTSTRUCT fits 2 series \(.*1.2.3.4.*\); leave the one that was contoured"):
        index(tmp_path)
    shutil.rmtree(folder / "second")
    index(tmp_path)  # found by its coordinates
    assert len(scans_of(tmp_path)) == 2


def test_other_data_beside_the_list_are_left_alone(tmp_path):
    write_patients(tmp_path / "in")
    other = tmp_path / "out/train/case7/case7_day0/scans"
    other.mkdir(parents=True)
    with pytest.raises(DataErrors, match="case7_day0: is none of these series: other data, or imported from elsewhere"):
        index(tmp_path)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["train"]


def test_series_taken_away_are_not_kept_in_silence(tmp_path):
    write_patients(tmp_path / "in", 3)
    index(tmp_path)
    shutil.rmtree(tmp_path / "in" / "p2")
    with pytest.raises(DataErrors, match=r"1 problem:.*\n.*_day0: is none of these series.*or delete it"):
        index(tmp_path)


def test_two_cases_that_are_one_patient_by_now_are_refused(tmp_path):
    write_patients(tmp_path / "in")
    index(tmp_path)
    for path in (tmp_path / "in").rglob("*"):
        if path.is_file():
            dataset = dcmread(path)
            dataset.PatientID = "same"
            dataset.save_as(path)
    (tmp_path / "in" / "p3").mkdir()
    write_images(tmp_path / "in/p3/i", 3)
    write_contours(tmp_path / "in/p3/c", tmp_path / "in/p3/i")
    with pytest.raises(DataErrors, match=r"case302: and case301 are one patient by now|case301: and case302"):
        index(tmp_path)


def test_too_few_patients_and_folds_are_refused(tmp_path):
    write_patients(tmp_path / "in")
    with pytest.raises(DataError, match="5 folds asked for, 2 contoured patients found; every fold needs one"):
        index_dicom(tmp_path / "in", tmp_path / "out" / "x.json", progress=False)
    with pytest.raises(ValueError, match="folds: 1, wanted 2 or more"):
        index(tmp_path, folds=1)


def test_a_folder_without_contours_is_refused(tmp_path):
    write_images(tmp_path / "in", 1)
    with pytest.raises(
        DataError, match="no RTSTRUCT and no SEG to learn from among 1 series of images; contours are wanted"
    ):
        index(tmp_path)


def test_names_of_the_user_are_checked(tmp_path):
    with pytest.raises(
        DataError, match="--name: organ 'liver' is unknown; there are large_bowel, small_bowel, stomach"
    ):
        index(tmp_path, names=[("liver", "Liver")])
    with pytest.raises(DataError, match="'B o' stands for large_bowel and stomach; one organ a name is wanted"):
        index(tmp_path, names=[("large_bowel", "bo"), ("stomach", "B o")])


def test_the_data_list_says_what_it_is(tmp_path):
    write_patients(tmp_path / "in")
    index(tmp_path, seed=3)
    content = json.loads((tmp_path / "out" / "datalist.json").read_text())
    assert content["name"] == "Contoured DICOM series"
    assert content["modality"] == {"0": "MR"}
    assert content["numTraining"] == 8


def test_real_contours_of_both_kinds_are_imported(real_data, tmp_path):
    for name in ("dicom_rtstruct_lung_ct", "dicom_seg_ct_liver"):
        shutil.copytree(real_data / name, tmp_path / "in" / name)
    report = index(tmp_path, names=[("stomach", "GTV-1"), ("large_bowel", "Liver")])
    assert "not used: 'DARK_BLUE' (1 scans)" in report
    depths = {len(scan["image"]): scan for scan in scans_of(tmp_path).values()}
    assert sorted(depths) == [2, 41]  # 3 slices 1 mm apart reach over 2 mm: those at 0 and, repeated, at 3 mm
    assert depths[41]["size"] == [90, 92]  # 138 x 141 of 0.977 mm
    assert masks_of(depths[41]).any(axis=(1, 2, 3)).tolist() == [False, False, True]
    assert masks_of(depths[2])[0].any()
