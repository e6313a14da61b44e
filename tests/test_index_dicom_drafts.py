"""Contours that a network made and nobody approved are no truth, unless asked for."""

import shutil

import pytest
from pydicom import dcmread

from monai_gi.cli import main
from monai_gi.datasets.datalist import load_datalist
from monai_gi.dicom.series import find_series
from monai_gi.drawing import draw_dicom
from monai_gi.errors import DataError
from monai_gi.importing import index_dicom
from monai_gi.readers.dicom import read_series
from monai_gi.writers.dicom_seg import write_dicom_seg
from monai_gi.writers.rtstruct import write_rtstruct
from tests.drawn_contoured_dicom import MADE_BY, draw_organs, write_patients

WRITERS = {"rtstruct.dcm": write_rtstruct, "seg.dcm": write_dicom_seg}


def index(root, **options):
    return index_dicom(root / "in", root / "out" / "datalist.json", folds=2, progress=False, **options)


def predict(folder, name):
    """What `monai-gi predict` leaves of the series in a folder."""
    (series,) = find_series(folder / "images")
    return WRITERS[name](folder / "contours" / name, read_series(series), draw_organs()[:, ::-1].copy(), MADE_BY)


def organs_of(root):
    return {item["scan"]: item["label"] for item in load_datalist(root / "out")}


@pytest.mark.parametrize("name", WRITERS)
def test_own_predictions_beside_the_truth_are_passed_over_with_a_remark(tmp_path, name):
    write_patients(tmp_path / "in")
    index(tmp_path)
    truth = organs_of(tmp_path)
    shutil.rmtree(tmp_path / "out")
    predict(tmp_path / "in" / "p1", name)
    remark = "automatic and unapproved, not used: 1 file, such as p1/contours/" + name
    assert remark in index(tmp_path)
    assert organs_of(tmp_path) == truth
    with pytest.raises(DataError, match="large_bowel of the same series is in"):
        index(tmp_path, take_automatic=True)


@pytest.mark.parametrize("name", WRITERS)
def test_a_series_with_nothing_but_predictions_is_not_contoured_unless_they_are_asked_for(tmp_path, name):
    write_patients(tmp_path / "in", 3)
    (tmp_path / "in" / "p1" / "contours.dcm").unlink()
    predict(tmp_path / "in" / "p1", name)
    assert f"no contours, not used: series {find_series(tmp_path / 'in/p1')[0].uid}" in index(tmp_path)
    assert len(organs_of(tmp_path)) == 2
    words = ["index", "dicom", str(tmp_path / "in"), "--output", str(tmp_path / "all" / "datalist.json")]
    assert main([*words, "--folds", "3", "--take-automatic"]) == 0


def test_predictions_alone_are_refused_with_the_way_out(tmp_path):
    write_patients(tmp_path / "in", 1)
    (tmp_path / "in" / "p1" / "contours.dcm").unlink()
    predict(tmp_path / "in" / "p1", "rtstruct.dcm")
    with pytest.raises(DataError, match=r"1 is automatic and unapproved.*--take-automatic takes them"):
        index(tmp_path)


def test_refusals_name_files_by_their_place_below_the_folder(tmp_path, capsys):
    write_patients(tmp_path / "Doe" / "in")
    shutil.rmtree(tmp_path / "Doe" / "in" / "p1" / "images")
    (tmp_path / "Doe" / "in" / "p2" / "images" / "IM7").touch()
    folder = tmp_path / "Doe" / "in"
    assert main(["index", "dicom", str(folder), "--output", str(tmp_path / "x.json")]) == 2
    told = capsys.readouterr().err
    assert f"error: {folder}: 2 problems:\n  p2/images/IM7: is empty" in told
    assert "\n  p1/contours.dcm: RTSTRUCT of a series that is not here" in told


def edit(path, **values):
    dataset = dcmread(path)
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    dataset.save_as(path)


def test_a_prediction_that_somebody_approved_is_a_truth_and_a_rejected_one_is_none(tmp_path):
    write_patients(tmp_path / "in", 3)
    (tmp_path / "in" / "p1" / "contours.dcm").unlink()
    edit(predict(tmp_path / "in" / "p1", "rtstruct.dcm"), ApprovalStatus="APPROVED")
    edit(tmp_path / "in" / "p2" / "contours.dcm", ApprovalStatus="REJECTED")
    assert "rejected, not used: 1 file, such as p2/contours.dcm" in index(tmp_path)
    assert len({scan.split("_")[0] for scan in organs_of(tmp_path)}) == 2


def test_a_prediction_that_only_passed_through_another_system_is_still_one(tmp_path):
    write_patients(tmp_path / "in", 3)
    (tmp_path / "in" / "p1" / "contours.dcm").unlink()
    edit(predict(tmp_path / "in" / "p1", "rtstruct.dcm"), Manufacturer="Planning system")
    assert "automatic and unapproved, not used: 1 file" in index(tmp_path)


def test_contours_of_the_phantom_are_a_truth(tmp_path):
    draw_dicom(tmp_path / "in", kinds=("axial",), patients=2, slices=4, seed=0, contours=True)
    assert "automatic" not in index(tmp_path)
    assert len(organs_of(tmp_path)) == 2
