"""`monai-gi predict` over folders with damaged files: each costs the scan that it belongs to, and nothing else."""

import json
import logging
import os
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from monai_gi.cli import main
from monai_gi.datasets.phantom.dicom import write_dicom
from monai_gi.dicom.series import find_series
from tests.brightness_bundle import write_brightness_bundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return write_brightness_bundle(tmp_path_factory.mktemp("bundle") / "brightness")


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dicom") / "all"
    return write_dicom(folder, slices=4, size=(48, 60), spacing_mm=6.0, kinds=("axial", "sagittal"))


@pytest.fixture
def exam(tmp_path, drawn):
    """Two series whose files are named after a patient, by kind: (folder, UID)."""
    uids = {}
    for source in drawn:
        folder = tmp_path / "Doe_Jane" / source.name
        folder.mkdir(parents=True)
        for number, path in enumerate(sorted(source.iterdir()), start=1):
            shutil.copy(path, folder / f"Doe_{number}.dcm")
        uids[source.name] = find_series(folder)[0].uid
    return tmp_path / "Doe_Jane", uids


def predict(bundle, source, output, *more):
    fixed = ["--output", str(output), "--weights", str(bundle / "model.pt"), "--device", "cpu", "--format", "nifti"]
    return main(["predict", str(bundle), str(source), *fixed, *more])


def results(output):
    return {path.parent.name: json.loads(path.read_text()) for path in output.rglob("result.json")}


def test_a_series_is_contoured_without_a_damaged_file_that_is_none_of_its_slices(tmp_path, bundle, exam, capsys):
    folder, uids = exam
    (folder / "axial" / "Doe_9.dcm").write_bytes(bytes(128) + b"DICM" + bytes(9))
    assert predict(bundle, folder, tmp_path / "out") == 2
    told = capsys.readouterr()
    assert "not contoured: 1 problem:\n  axial/Doe_9.dcm: DICOM without SOPClassUID" in told.err
    assert set(results(tmp_path / "out")) == set(uids.values())
    facts = {uid: result["scan"] for uid, result in results(tmp_path / "out").items()}
    assert facts[uids["axial"]]["unreadable_files_beside"] == 1
    assert "unreadable_files_beside" not in facts[uids["sagittal"]]


@pytest.mark.parametrize(("place", "code"), [("sagittal", 0), ("axial", 2)])
def test_damage_elsewhere_is_no_matter_of_a_series_that_is_named(tmp_path, bundle, exam, capsys, place, code):
    folder, uids = exam
    (folder / place / "Doe_9.dcm").touch()
    assert predict(bundle, folder, tmp_path / "out", "--series", uids["axial"]) == code
    assert ("Doe_9.dcm: is empty" in capsys.readouterr().err) is (code == 2)
    assert list(results(tmp_path / "out")) == [uids["axial"]]


@pytest.mark.parametrize("damage", ["header", "place", "pixels", "empty"])
def test_a_series_without_one_of_its_slices_is_refused_and_the_other_goes_on(tmp_path, bundle, exam, capsys, damage):
    folder, uids = exam
    path = folder / "axial" / "Doe_2.dcm"
    whole = path.read_bytes()
    at = whole.index(b"\x20\x00\x32\x00DS")  # ImagePositionPatient
    broken = {
        "header": whole[:200],
        "place": whole[: at + 8] + b"oops" + whole[at + 12 :],
        "pixels": whole[:-2000],
        "empty": b"",
    }
    path.write_bytes(broken[damage])
    assert predict(bundle, folder, tmp_path / "out") == 2
    told = capsys.readouterr()
    assert list(results(tmp_path / "out")) == [uids["sagittal"]]
    assert f"series {uids['axial']}" in told.err
    assert str(tmp_path / "Doe_Jane") not in told.err
    if damage == "place":
        assert "axial/Doe_2.dcm: its header can not be understood" in told.err


def test_a_damaged_nifti_file_costs_itself_only(tmp_path, bundle, capsys):
    source = tmp_path / "in"
    source.mkdir()
    nib.save(nib.Nifti1Image(np.arange(60, dtype=np.uint8).reshape(3, 4, 5), np.eye(4)), source / "a.nii.gz")
    (source / "b.nii.gz").write_bytes((source / "a.nii.gz").read_bytes()[:100])
    assert predict(bundle, source, tmp_path / "out") == 2
    assert "1 problem:\n  b.nii.gz: " in capsys.readouterr().err
    assert list(results(tmp_path / "out")) == ["a"]


def test_a_file_that_nobody_may_read_costs_itself_only(tmp_path, bundle, exam, capsys, monkeypatch):
    folder, uids = exam
    locked = folder / "locked.dcm"
    locked.write_bytes(b"x")
    real = type(locked).open

    def guard(self, *words, **options):
        if self == locked:
            raise PermissionError(13, "Permission denied", str(self))
        return real(self, *words, **options)

    monkeypatch.setattr(type(locked), "open", guard)
    assert predict(bundle, folder, tmp_path / "out") == 2
    assert "locked.dcm: can not be read (Permission denied)" in capsys.readouterr().err
    assert set(results(tmp_path / "out")) == set(uids.values())


def test_a_folder_that_nobody_may_list_costs_itself_only(tmp_path, bundle, exam, capsys, monkeypatch):
    folder, uids = exam
    (folder / "lost+found").mkdir()
    real = os.scandir

    def guard(path):
        if Path(path).name == "lost+found":
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    monkeypatch.setattr(os, "scandir", guard)
    assert predict(bundle, folder, tmp_path / "out") == 2
    assert "1 problem:\n  lost+found: can not be listed: Permission denied" in capsys.readouterr().err
    assert set(results(tmp_path / "out")) == set(uids.values())


def test_names_of_files_stay_on_the_terminal(tmp_path, bundle, exam, capsys, caplog):
    folder, _ = exam
    (folder / "axial" / "Doe_2.dcm").unlink()
    (folder / "axial" / "Doe_9.dcm").touch()
    with caplog.at_level(logging.DEBUG):
        assert predict(bundle, folder, tmp_path / "out", "--allow-gaps") == 2
        assert predict(bundle, folder, tmp_path / "out2") == 2
    told = capsys.readouterr()
    assert "missing slices: 1 of 4: 1 between Doe_" in told.err
    assert str(folder) not in told.err + told.out
    written = [path for path in tmp_path.glob("out*/**/*") if path.is_file()]
    assert len(results(tmp_path / "out")) == 2
    assert len(results(tmp_path / "out2")) == 1
    for text in (caplog.text.encode(), *map(bytes, written), *(path.read_bytes() for path in written)):
        assert b"Doe_" not in text.replace(str(tmp_path).encode(), b"")
