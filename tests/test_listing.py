"""`monai-gi series`: what a mixed folder holds, which scans can be read and why others can not, and whose they are."""

import shutil

import nibabel as nib
import numpy as np
import pytest
from pydicom import dcmread

from monai_gi.cli import main
from monai_gi.datasets.phantom.dicom import write_dicom
from monai_gi.dicom.series import find_series
from tests.drawn_slices import write_scan

KINDS = ("axial", "localizer", "ct", "missing-slice", "doubled-slice", "no-pixel-data")


@pytest.fixture(scope="module")
def exam(tmp_path_factory):
    """Series of every kind, a NIfTI file, slices of UW-Madison and a text; and the UIDs by kind."""
    root = tmp_path_factory.mktemp("exam") / "Doe_Jane"
    folders = write_dicom(root / "dicom", slices=4, size=(32, 40), spacing_mm=9.0, kinds=KINDS)
    for path in folders[0].iterdir():
        header = dcmread(path)
        header.PatientName, header.PatientID, header.SeriesDescription = "Doe^Jane", "MRN-4711", "abdomen of Jane"
        header.save_as(path)
    nib.save(nib.Nifti1Image(np.arange(60, dtype=np.uint8).reshape(3, 4, 5), np.eye(4)), root / "volume.nii")
    write_scan(root / "case2_day1" / "scans", [1, 2])
    (root / "readme.txt").write_text("no image")
    return root, {kind: find_series(folder)[0].uid for kind, folder in zip(KINDS, folders, strict=True)}


def listed(capsys, *words):
    """Columns by the name of the scan; columns stand two blanks apart or more."""
    assert main(["series", *map(str, words)]) == 0
    lines = capsys.readouterr().out.splitlines()
    return {line.split()[0]: [cell.strip() for cell in line.split("  ") if cell.strip()] for line in lines}


def test_all_kinds_are_listed_with_their_slices_and_sizes(exam, capsys):
    root, uids = exam
    table = listed(capsys, root)
    assert table.pop("scan") == ["scan", "kind", "slices", "size", "can be read"]
    assert table["volume"] == ["volume", "nifti", "5", "3x4", "yes"]
    assert table["case2_day1"] == ["case2_day1", "uw-madison", "2", "5x7", "yes"]
    assert table[uids["axial"]] == [uids["axial"], "dicom MR", "4", "32x40", "yes"]
    assert table[uids["ct"]][1] == "dicom CT"
    assert set(table) == {"volume", "case2_day1", *uids.values()}


@pytest.mark.parametrize(
    ("kind", "verdict"),
    [
        ("localizer", "no: a localizer"),
        ("missing-slice", "no: missing slices: 1 of 4: 1 between "),
        ("doubled-slice", "no: doubled slices: "),
        ("no-pixel-data", "no: no pixel data: in 4 of 4 frames: "),
    ],
)
def test_the_verdict_is_the_reason_of_the_refusal(exam, capsys, kind, verdict):
    root, uids = exam
    assert listed(capsys, root)[uids[kind]][-1].startswith(verdict)


def test_the_patient_is_hidden_unless_asked_for(exam, capsys):
    root, uids = exam
    hidden = listed(capsys, root)
    assert not [secret for secret in ("Doe", "Jane", "4711") if secret in str(hidden)]
    shown = listed(capsys, root, "--show-patient")
    assert shown["scan"][4:] == ["patient", "description", "can be read"]
    assert shown[uids["axial"]][4:] == ["Doe^Jane MRN-4711", "abdomen of Jane", "yes"]
    assert shown["volume"] == hidden["volume"]


def test_files_that_can_not_be_read_are_listed_below_without_their_path(exam, tmp_path, capsys):
    root, uids = exam
    shutil.copytree(root / "dicom" / "patient_1" / "axial", tmp_path / "in" / "a")
    (tmp_path / "in" / "a" / "IM7.dcm").write_bytes(bytes(128) + b"DICM")
    assert main(["series", str(tmp_path / "in")]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[1].startswith(uids["axial"])
    assert told[2].startswith("left out: a/IM7.dcm: DICOM without SOPClassUID")
    assert len(told) == 3


def test_a_folder_without_a_scan_is_refused(tmp_path, capsys):
    (tmp_path / "a.txt").write_text("words")
    assert main(["series", str(tmp_path)]) == 2
    assert "no scan found, but 1 text" in capsys.readouterr().err
