"""`monai-gi predict` where it fails or is stopped: one message, no part of a file, nothing of other settings beside."""

import errno
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest
import torch
from pydicom import dcmread

from monai_gi import outcomes
from monai_gi.cli import main
from monai_gi.contouring import contour
from monai_gi.datasets.phantom.dicom import write_dicom
from monai_gi.dicom.series import find_series
from monai_gi.errors import DataError
from monai_gi.prediction_request import Request
from monai_gi.predictor import Predictor
from monai_gi.transforms.rules import apply_organ_rules
from tests.brightness_bundle import write_brightness_bundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return write_brightness_bundle(tmp_path_factory.mktemp("bundle") / "brightness")


@pytest.fixture(scope="module")
def dicom(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dicom") / "all"
    write_dicom(folder, slices=4, size=(48, 60), spacing_mm=6.0, kinds=("axial", "missing-slice", "localizer"))
    return folder


def words(bundle, source, output, *more):
    fixed = ["--output", str(output), "--weights", str(bundle / "model.pt"), "--device", "cpu"]
    return ["predict", str(bundle), str(source), *fixed, *more]


def uid_of(folder):
    return find_series(folder)[0].uid


def axial(dicom):
    return dicom / "patient_1" / "axial"


def test_what_was_contoured_is_told_before_what_was_not(tmp_path, bundle, dicom, capsys):
    assert main(words(bundle, dicom, tmp_path / "out", "--format", "nifti")) == 2
    told = capsys.readouterr()
    assert f"{uid_of(axial(dicom))}: contoured in" in told.out
    assert "left out: a localizer" in told.out
    assert "error: not contoured: 1 problem:" in told.err
    assert "missing slices" in told.err


def test_the_repair_is_told_with_each_series_left_out(tmp_path, bundle, dicom, capsys):
    localizer = dicom / "patient_1" / "localizer"
    assert main(words(bundle, localizer, tmp_path / "out")) == 2
    told = capsys.readouterr().err
    assert "1 problem:" in told
    assert f"left out: a localizer; --series {uid_of(localizer)} contours it nevertheless" in told


@pytest.mark.parametrize("below", ["", "further/down"])
def test_an_output_that_is_a_file_is_refused_before_any_work(tmp_path, bundle, dicom, capsys, below):
    (tmp_path / "file").write_text("kept")
    assert main(words(bundle, axial(dicom), tmp_path / "file" / below)) == 2
    told = capsys.readouterr().err
    assert "file is a file, wanted a folder for results. Name another --output" in told
    assert "contouring" not in told
    assert (tmp_path / "file").read_text() == "kept"


def test_an_output_without_the_right_to_write_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("os.access", lambda path, _: path != tmp_path)  # root may write everywhere
    with pytest.raises(DataError, match="nothing can be written there"):
        outcomes.check_folder(tmp_path / "out")


def test_redone_results_leave_nothing_of_other_settings_beside(tmp_path, bundle, dicom):
    folder = tmp_path / uid_of(axial(dicom))
    assert main(words(bundle, axial(dicom), tmp_path)) == 0
    for stray in ("seg.dcm.part", "overlay/slice_0009.png.part", "notes.txt"):
        (folder / stray).write_text("")
    again = words(bundle, axial(dicom), tmp_path, "--format", "nifti", "--threshold", "0.3", "--overwrite")
    assert main(again) == 0
    names = {path.name for path in folder.rglob("*") if path.is_file()}
    nifti = {name for name in names if name.startswith(f"{folder.name}_")}
    assert len(nifti) == 5
    assert names - nifti == {"result.json", "notes.txt"}


def test_a_full_disk_ends_with_one_message_and_no_part(tmp_path, bundle, dicom, capsys, monkeypatch):
    def refuse(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("os.fsync", refuse)
    assert main(words(bundle, axial(dicom), tmp_path)) == 1
    assert "error: No space left on device" in capsys.readouterr().err
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_an_error_that_nobody_foresaw_costs_one_series_by_its_uid_and_exit_code_1(
    tmp_path, bundle, capsys, monkeypatch
):
    folders = write_dicom(tmp_path / "Doe", slices=4, size=(48, 60), spacing_mm=6.0, kinds=("axial", "sagittal"))
    first, second = sorted(map(uid_of, folders))
    real = Predictor.predict

    def predict(self, scan, progress=None):
        prediction = real(self, scan, progress)
        if scan.name == first:
            prediction.probabilities[0, 0, 0, 0] = float("nan")
            apply_organ_rules(torch.from_numpy(prediction.probabilities), self.rules)
        return prediction

    monkeypatch.setattr(Predictor, "predict", predict)
    assert main(words(bundle, tmp_path / "Doe", tmp_path / "out", "--format", "nifti")) == 1
    told = capsys.readouterr()
    assert f"{second}: contoured in" in told.out
    assert f"{first}: ValueError: probabilities up to nan" in told.err
    assert "Doe" not in told.err
    assert [path.parent.name for path in (tmp_path / "out").rglob("result.json")] == [second]


def test_contours_that_were_deleted_are_made_anew(tmp_path, bundle, dicom):
    words_ = words(bundle, axial(dicom), tmp_path, "--format", "rtstruct", "--format", "overlay")
    folder = tmp_path / uid_of(axial(dicom))
    for lost in ("rtstruct.dcm", "overlay/slice_0002.png", "overlay.png"):
        assert main(words_) == 0
        (folder / lost).unlink()
        assert main(words_) == 0
        assert (folder / lost).is_file()


@pytest.mark.slow
@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_a_run_without_parts_and_the_next_run_goes_on(tmp_path, bundle, sent, code):
    write_dicom(tmp_path / "in", patients=12, slices=6, size=(160, 200), spacing_mm=2.5)
    command = [sys.executable, "-m", "monai_gi", *words(bundle, tmp_path / "in", tmp_path / "out")]
    # Background jobs of some shells ignore Ctrl-C, and children inherit that.
    start = f"import signal, os; signal.signal(2, signal.default_int_handler); os.execv({command[0]!r}, {command!r})"
    run = subprocess.Popen([sys.executable, "-c", start], stderr=subprocess.PIPE)
    until = time.monotonic() + 60
    while not list((tmp_path / "out").rglob("result.json")) and time.monotonic() < until:
        time.sleep(0.01)
    run.send_signal(sent)
    told = run.communicate(timeout=60)[1].decode()
    assert run.returncode == code, told
    assert "Traceback" not in told
    assert not list((tmp_path / "out").rglob("*.part"))
    done = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("result.json")}
    assert 0 < len(done) < 12
    assert main(words(bundle, tmp_path / "in", tmp_path / "out")) == 0
    assert all(path.stat().st_mtime_ns == time_ns for path, time_ns in done.items())
    finished = [json.loads(path.read_text()) for path in (tmp_path / "out").rglob("result.json")]
    assert len(finished) == 12


def test_files_from_a_pacs_without_preamble_give_every_format_and_their_patient(tmp_path, bundle, dicom, capsys):
    (tmp_path / "in").mkdir()
    for path in axial(dicom).iterdir():
        (tmp_path / "in" / f"{path.stem}.xyz").write_bytes(path.read_bytes()[132:])
    assert main(words(bundle, tmp_path / "in", tmp_path / "out")) == 0
    folder = tmp_path / "out" / uid_of(axial(dicom))
    for file in ("rtstruct.dcm", "seg.dcm"):
        assert dcmread(folder / file).PatientName == dcmread(next(axial(dicom).iterdir())).PatientName
    assert main(["series", str(tmp_path / "in"), "--show-patient"]) == 0
    assert "PHANTOM-1" in capsys.readouterr().out


def test_what_no_writer_could_write_is_told_before_the_work(tmp_path, bundle, dicom, monkeypatch):
    shutil.copytree(axial(dicom), tmp_path / "in")
    for path in (tmp_path / "in").iterdir():
        header = dcmread(path)
        del header.FrameOfReferenceUID
        header.save_as(path)
    monkeypatch.setattr("monai_gi.scan_contouring.read_source", lambda *_, **__: pytest.fail("was read"))
    ask = Request(bundle, tmp_path / "in", tmp_path / "out", weights=bundle / "model.pt", formats=("rtstruct",))
    with pytest.raises(DataError, match="has no FrameOfReferenceUID, which RTSTRUCT and DICOM SEG must share"):
        contour(ask)
    monkeypatch.setattr("monai_gi.scan_contouring.find_spec", lambda name: None)
    with pytest.raises(DataError, match=r"dicom-seg needs the package highdicom: pip install monai_gi\[dicom\]"):
        contour(replace(ask, input=axial(dicom), formats=("dicom-seg",)))
    assert not (tmp_path / "out").exists()


def test_the_progress_bar_has_an_end_time_and_leaves_refused_slices_out(tmp_path, bundle, dicom, capfd):
    assert main(words(bundle, dicom, tmp_path / "out", "--format", "nifti")) == 2
    bar = capfd.readouterr().err.replace("\r", "\n")
    assert re.search(r"contouring: 100%.* 4/4 \[\d\d:\d\d<00:00", bar)
