"""`monai-gi predict` as a whole: what is written where, skipped, refused, and that it lies on the patient rightly."""

import errno
import json
import shutil

import nibabel as nib
import numpy as np
import pytest
from pydicom import dcmread

from monai_gi import scan_contouring
from monai_gi.cli import main
from monai_gi.contouring import contour, summary
from monai_gi.datasets.phantom.dicom import write_dicom
from monai_gi.datasets.phantom.uw_madison import write_uw_madison
from monai_gi.dicom.series import find_series
from monai_gi.errors import DataError
from monai_gi.prediction_request import Request
from monai_gi.provenance import INTENDED_USE
from monai_gi.readers.sources import find_sources, read_source
from tests.brightness_bundle import write_brightness_bundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return write_brightness_bundle(tmp_path_factory.mktemp("bundle") / "brightness")


@pytest.fixture(scope="module")
def series_folder(tmp_path_factory):
    (folder,) = write_dicom(
        tmp_path_factory.mktemp("dicom") / "all", slices=5, size=(48, 60), spacing_mm=6.0, kinds=("axial",)
    )
    return folder


def ask(bundle, source, output, **options):
    return contour(Request(bundle, source, output, weights=bundle / "model.pt", device="cpu", **options))


def test_a_series_leaves_every_format_and_result_json(tmp_path, bundle, series_folder):
    (outcome,) = ask(bundle, series_folder, tmp_path)
    assert outcome.status == "contoured"
    assert outcome.folder.name == find_series(series_folder)[0].uid
    names = {path.relative_to(outcome.folder).as_posix() for path in outcome.folder.rglob("*") if path.is_file()}
    uid = outcome.folder.name
    assert {"rtstruct.dcm", "seg.dcm", "result.json", "overlay.png", f"{uid}_stomach.nii.gz"} <= names
    assert any(name.startswith("overlay/slice_") for name in names)
    assert not [name for name in names if name.endswith(".part")]
    result = json.loads((outcome.folder / "result.json").read_text())
    assert result["intended_use"] == INTENDED_USE
    assert set(result["seconds"]) >= {"read", "prepare", "forward", "restore", "rules", "confidence", "write rtstruct"}
    assert INTENDED_USE in summary([outcome])


def test_done_scans_are_skipped_and_overwrite_redoes_them(tmp_path, bundle, series_folder):
    (first,) = ask(bundle, series_folder, tmp_path, formats=("nifti",))
    before = (first.folder / "result.json").stat().st_mtime_ns
    (second,) = ask(bundle, series_folder, tmp_path, formats=("nifti",))
    assert second.status == "already done"
    assert (first.folder / "result.json").stat().st_mtime_ns == before
    (third,) = ask(bundle, series_folder, tmp_path, formats=("nifti",), overwrite=True)
    assert third.status == "contoured"
    assert (first.folder / "result.json").stat().st_mtime_ns > before


def test_a_result_of_other_settings_is_not_taken_for_done(tmp_path, bundle, series_folder):
    ask(bundle, series_folder, tmp_path, formats=("nifti",))
    with pytest.raises(DataError, match=r"made with other thresholds\. --overwrite"):
        ask(bundle, series_folder, tmp_path, formats=("nifti",), thresholds=(("stomach", 0.25),))


def test_another_file_of_the_same_name_is_not_taken_for_done(tmp_path, bundle):
    for folder, brightest in (("a", 60), ("b", 90)):
        (tmp_path / folder).mkdir()
        voxels = np.arange(60, dtype=np.uint8).reshape(3, 4, 5)
        voxels[0, 0, 0] = brightest
        image = nib.Nifti1Image(voxels, np.diag([1.5, 1.5, 3, 1]))
        nib.save(image, tmp_path / folder / "scan.nii")
    ask(bundle, tmp_path / "a" / "scan.nii", tmp_path / "out", formats=("nifti",))
    with pytest.raises(DataError, match="made with other input_sha256"):
        ask(bundle, tmp_path / "b" / "scan.nii", tmp_path / "out", formats=("nifti",))


def test_a_writer_that_fails_leaves_the_scan_undone(tmp_path, bundle, series_folder, monkeypatch):
    def fail(*words: object) -> None:
        raise OSError(errno.ENOSPC, "no space left")

    monkeypatch.setattr("monai_gi.outputs.write_scan_nifti", fail)
    with pytest.raises(OSError, match="no space left"):
        ask(bundle, series_folder, tmp_path)
    assert not list(tmp_path.rglob("result.json"))
    assert not list(tmp_path.rglob("*.part"))
    monkeypatch.undo()
    (outcome,) = ask(bundle, series_folder, tmp_path)
    assert outcome.status == "contoured"


def test_one_faulty_series_does_not_keep_the_others_from_being_contoured(tmp_path, bundle):
    kinds = ("axial", "missing-slice", "doubled-slice", "localizer", "ct")
    folders = write_dicom(tmp_path / "in", slices=5, size=(48, 60), spacing_mm=6.0, kinds=kinds)
    uids = {kind: find_series(folder)[0].uid for kind, folder in zip(kinds, folders, strict=True)}
    with pytest.raises(DataError, match="missing slices") as caught:
        ask(bundle, tmp_path / "in", tmp_path / "out", formats=("nifti",))
    assert "twice" in str(caught.value) or "doubled" in str(caught.value)
    assert {path.parent.name for path in (tmp_path / "out").rglob("result.json")} == {uids["axial"]}
    shutil.rmtree(folders[2])
    again = ask(bundle, tmp_path / "in", tmp_path / "out", formats=("nifti",), allow_gaps=True, overwrite=True)
    outcomes = {one.name: one for one in again}
    assert outcomes[uids["missing-slice"]].status == "contoured"
    assert outcomes[uids["localizer"]].status == "left out: a localizer"
    assert outcomes[uids["ct"]].status == "left out: CT, but the bundle was made for MR"
    (chosen,) = ask(bundle, tmp_path / "in", tmp_path / "out", formats=("nifti",), series=uids["ct"])
    assert chosen.status == "contoured"


def test_nothing_to_contour_is_said_with_the_reasons(tmp_path, bundle):
    write_dicom(tmp_path / "in", slices=4, size=(48, 60), spacing_mm=6.0, kinds=("localizer", "ct"))
    with pytest.raises(DataError, match=r"a localizer[\s\S]*CT, but the bundle was made for MR|CT[\s\S]*a localizer"):
        ask(bundle, tmp_path / "in", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_no_asked_format_suits_is_left_out_with_the_reason_where_others_remain(tmp_path, bundle, series_folder):
    shutil.copytree(series_folder, tmp_path / "in" / "series")
    volume = nib.Nifti1Image(np.arange(60, dtype=np.uint8).reshape(3, 4, 5), np.eye(4))
    nib.save(volume, tmp_path / "in" / "stray.nii")
    outcomes = {one.name: one for one in ask(bundle, tmp_path / "in", tmp_path / "out", formats=("rtstruct",))}
    status = outcomes.pop("stray").status
    assert status == "left out: rtstruct does not suit nifti input, which takes nifti, overlay"
    assert [(one.status, (one.folder / "rtstruct.dcm").is_file()) for one in outcomes.values()] == [("contoured", True)]


def test_a_series_that_no_writer_can_write_does_not_keep_the_others(tmp_path, bundle, series_folder):
    (lacking,) = write_dicom(tmp_path / "in", slices=4, size=(48, 60), spacing_mm=6.0, seed=3)
    for path in lacking.iterdir():
        header = dcmread(path)
        del header.FrameOfReferenceUID
        header.save_as(path)
    uid = find_series(lacking)[0].uid
    shutil.copytree(series_folder, tmp_path / "in" / "series")
    with pytest.raises(DataError, match=f"not contoured: 1 problem:\n  {uid}: has no FrameOfReferenceUID"):
        ask(bundle, tmp_path / "in", tmp_path / "out", formats=("rtstruct",))
    assert {path.parent.name for path in (tmp_path / "out").rglob("result.json")} == {find_series(series_folder)[0].uid}


def test_a_format_that_does_not_suit_is_refused_before_any_work(tmp_path, bundle):
    nib.save(nib.Nifti1Image(np.arange(60, dtype=np.uint8).reshape(3, 4, 5), np.eye(4)), tmp_path / "a.nii")
    with pytest.raises(DataError, match="rtstruct does not suit nifti input, which takes nifti, overlay"):
        ask(bundle, tmp_path / "a.nii", tmp_path / "out", formats=("rtstruct",))
    assert not (tmp_path / "out").exists()


def test_thresholds_for_all_and_for_one_organ(tmp_path, bundle, series_folder):
    (outcome,) = ask(bundle, series_folder, tmp_path, formats=("nifti",), thresholds=((None, 0.4), ("stomach", 0.9)))
    settings = json.loads((outcome.folder / "result.json").read_text())["settings"]
    assert settings["thresholds"] == {"large_bowel": 0.4, "small_bowel": 0.4, "stomach": 0.9}
    with pytest.raises(DataError, match="'liver' asked for, there are large_bowel"):
        ask(bundle, series_folder, tmp_path / "b", thresholds=(("liver", 0.4),))
    with pytest.raises(DataError, match="wanted a probability"):
        ask(bundle, series_folder, tmp_path / "b", thresholds=((None, 4.0),))


@pytest.mark.parametrize(("asked", "amp"), [(None, "auto"), ("auto", "auto"), ("float32", False)])
def test_own_bundles_run_in_the_device_s_precision_unless_told_otherwise(tmp_path, bundle, series_folder, asked, amp):
    (outcome,) = ask(bundle, series_folder, tmp_path, formats=("nifti",), precision=asked)
    assert json.loads((outcome.folder / "result.json").read_text())["settings"]["amp"] == amp


def test_test_time_augmentation_mirrors_and_tells_where_the_passes_disagree(tmp_path, bundle, series_folder):
    (outcome,) = ask(bundle, series_folder, tmp_path, formats=("nifti",), tta=True)
    result = json.loads((outcome.folder / "result.json").read_text())
    assert result["settings"]["flips"] == ["left_right"]
    assert all(check["disagreement"] is not None for check in result["check_first"])


def test_the_contest_s_folders_give_one_submission(tmp_path, bundle):
    write_uw_madison(tmp_path / "in", cases=2, days=1, slices=3)
    sources = find_sources(tmp_path / "in" / "train")
    ask(bundle, tmp_path / "in" / "train", tmp_path / "out", formats=("submission",))
    lines = (tmp_path / "out" / "submission.csv").read_text().splitlines()
    assert lines[0] == "id,class,predicted"
    assert len(lines) == 1 + 3 * sum(source.slices for source in sources)
    assert lines[1].startswith(read_source(sources[0]).slice_names[0])


def test_no_patient_reaches_a_shared_file_or_the_terminal(tmp_path, bundle, capfd):
    (folder,) = write_dicom(tmp_path / "Doe_Jane", slices=4, size=(48, 60), spacing_mm=6.0)
    for path in folder.iterdir():
        header = dcmread(path)
        header.PatientName, header.PatientID, header.PatientBirthDate = "Doe^Jane", "MRN-4711", "19610203"
        header.SeriesDescription = "Abdomen Doe Jane"
        header.save_as(path)
    words = ["predict", str(bundle), str(folder.parent), "--weights", str(bundle / "model.pt")]
    assert main([*words, "--output", str(tmp_path / "out"), "--device", "cpu"]) == 0
    captured = capfd.readouterr()
    texts = [captured.out.encode(), captured.err.encode()]
    texts += [path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.suffix in (".json", ".png", ".csv")]
    texts += [str(path.relative_to(tmp_path / "out")).encode() for path in (tmp_path / "out").rglob("*")]
    texts += [nib.load(path).to_bytes() for path in (tmp_path / "out").rglob("*.nii.gz")]
    for secret in (b"Doe", b"Jane", b"4711", b"19610203", str(folder).encode()):
        assert not any(secret in text for text in texts), secret


def test_a_stopped_run_goes_on_with_the_scans_that_are_left(tmp_path, bundle, monkeypatch):
    write_dicom(tmp_path / "in", slices=4, size=(48, 60), spacing_mm=6.0, kinds=("axial", "sagittal"))
    real, calls = scan_contouring.write_outputs, []

    def stop_at_the_second(*words, **options):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(*words, **options)

    monkeypatch.setattr(scan_contouring, "write_outputs", stop_at_the_second)
    words = ["predict", str(bundle), str(tmp_path / "in"), "--weights", str(bundle / "model.pt"), "--device", "cpu"]
    assert main([*words, "--output", str(tmp_path / "out")]) == 130
    assert len(list((tmp_path / "out").rglob("result.json"))) == 1
    monkeypatch.undo()
    statuses = sorted(one.status for one in ask(bundle, tmp_path / "in", tmp_path / "out"))
    assert statuses == ["already done", "contoured"]
