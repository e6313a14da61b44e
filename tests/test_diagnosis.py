"""`monai-gi doctor`: finds what is there, names the repair of what is not, and survives whatever is broken."""

import configparser
import json
import re
import sys
import types
from pathlib import Path

import numpy as np
import pytest
from packaging.requirements import Requirement
from PIL import Image

from monai_gi.browser import BROWSERS
from monai_gi.diagnosis import doctor
from monai_gi.diagnosis.data import data_lines, weight_lines
from monai_gi.diagnosis.lines import ABSENT, FAULT, NOTE, OK, gigabytes, short
from monai_gi.diagnosis.machine import device_lines, disk_lines, memory_lines, variable_lines
from monai_gi.diagnosis.packages import EXTRAS, extra_lines, required, required_lines
from tests.test_showing import write_frames, write_slices

ROOT = Path(__file__).parent.parent
ESCAPE = "\x1b"


def test_the_doctor_says_all_and_that_all_is_well(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    diagnosis = doctor()
    for title in ("Packages", "Extras", "Devices", "Memory and disk", "Data", "Weights"):
        assert f"\n{title}\n" in diagnosis.text
    assert re.search(r"torch 2\.\d+.*monai 1\.\d+", diagnosis.text)
    assert diagnosis.ok == (FAULT not in diagnosis.text)
    assert ESCAPE not in diagnosis.text


def test_a_fault_is_counted_and_said_in_the_last_line(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    diagnosis = doctor(tmp_path / "absent")
    assert not diagnosis.ok
    assert diagnosis.text.splitlines()[-1].endswith("to mend: the lines marked FAULT say how.")
    assert "absent: no such folder; `monai-gi phantom uw-madison data/phantom` draws one" in diagnosis.text


def test_the_extras_are_those_of_setup_cfg():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    stated = {
        extra: tuple(Requirement(line).name for line in text.split())
        for extra, text in setup["options.extras_require"].items()
        if extra not in ("dev", "all")
    }
    assert {extra: names for extra, (_, names) in EXTRAS.items()} == stated


def test_packages_missing_or_of_another_version_are_faults_with_their_repair():
    wanted = [Requirement("torch>=2.6"), Requirement("monai[fire]>=1.6.1,<1.7"), Requirement("scipy")]
    lines = required_lines(wanted, {"torch": "2.7.0+cpu", "monai": "1.7.0"}.get)
    assert [line.mark for line in lines] == [OK, FAULT, FAULT]
    assert lines[0].text == "torch 2.7.0+cpu, monai 1.7.0"
    assert lines[1].text == "monai 1.7.0 is there, <1.7,>=1.6.1 wanted: pip install 'monai<1.7,>=1.6.1'"
    assert lines[2].text == "scipy is missing: pip install 'scipy'"


def test_requirements_of_extras_are_not_asked_of_everybody():
    names = {one.name for one in required()}
    assert "torch" in names
    assert not names & {"gradio", "ruff", "highdicom"}


def test_without_being_installed_the_wishes_are_unknown():
    (line,) = required_lines([])
    assert (line.mark, "pip install -c constraints.txt -e ." in line.text) == (NOTE, True)


def test_an_extra_names_what_is_missing_and_how_to_get_it():
    versions = {"gradio": "6.0", "highdicom": "0.28", "pylibjpeg": "2.1"}
    lines = {line.text.partition(" ")[0]: line for line in extra_lines(versions.get)}
    assert lines["app"] == (OK, "app (the app in the browser): gradio 6.0")
    assert lines["dicom"].mark == ABSENT
    assert lines["dicom"].text.endswith("pyjpegls is missing: pip install 'monai_gi[dicom]'")
    assert "openslide-python, openslide-bin, tifffile, zarr are missing" in lines["wsi"].text


def test_no_browser_is_no_fault(monkeypatch):
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert (extra_lines()[-1].mark, "apt install chromium" in extra_lines()[-1].text) == (ABSENT, True)


@pytest.mark.parametrize("name", BROWSERS)
def test_every_browser_that_prints_reports_is_found(name, monkeypatch):
    monkeypatch.setattr("shutil.which", lambda asked: f"/opt/bin/{asked}" if asked == name else None)
    assert extra_lines()[-1] == (OK, f"{name} (reports as PDF)")


class FakeCuda:
    """GPUs of which the second does not compute."""

    def is_available(self):
        return True

    def device_count(self):
        return 2

    def get_device_name(self, index):
        return ("Good GPU", "Old GPU")[index]

    def get_device_capability(self, index):
        return (9, 0)

    def mem_get_info(self, index):
        return 60_000_000_000, 80_000_000_000


def fake_torch(cuda, version=None, ones=None):
    return types.SimpleNamespace(
        cuda=cuda,
        version=types.SimpleNamespace(cuda=version),
        get_num_threads=lambda: 3,
        ones=ones,
        __version__="2.7.0",
    )


def test_every_gpu_is_named_and_one_that_does_not_compute_is_a_fault(monkeypatch):
    def ones(*size, device):
        if device == "cuda:1":
            raise RuntimeError("CUDA error: no kernel image is available\nmore")
        return np.ones(size)

    monkeypatch.setitem(sys.modules, "torch", fake_torch(FakeCuda(), "12.6", ones))
    cpu, good, old = device_lines()
    assert "PyTorch uses 3 threads" in cpu.text
    assert good == (OK, "cuda:0: Good GPU, 60 GB of 80 GB free, capability 9.0, CUDA 12.6")
    assert old.mark == FAULT
    assert old.text.startswith("cuda:1: Old GPU does not compute (CUDA error: no kernel image is available): choose")


def test_a_gpu_that_computes_wrongly_is_a_fault(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", fake_torch(FakeCuda(), "12.6", lambda *size, device: np.zeros(size)))
    assert [line.mark for line in device_lines()] == [OK, FAULT, FAULT]


@pytest.mark.parametrize(
    ("driver", "version", "mark", "said"),
    [
        (True, None, NOTE, "PyTorch 2.7.0 is built without CUDA: choose a build at https://pytorch.org"),
        (True, "12.6", NOTE, "PyTorch (CUDA 12.6) sees no GPU: is CUDA_VISIBLE_DEVICES empty"),
        (False, None, OK, "no NVIDIA GPU; training runs on the processor"),
    ],
)
def test_a_driver_without_a_gpu_for_pytorch_is_explained(driver, version, mark, said, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "torch", fake_torch(types.SimpleNamespace(is_available=lambda: False), version))
    monkeypatch.setattr("shutil.which", lambda name: None)
    monkeypatch.setattr("monai_gi.diagnosis.machine.DRIVER", tmp_path if driver else tmp_path / "absent")
    line = device_lines()[-1]
    assert line.mark == mark
    assert said in line.text


def test_a_pytorch_that_does_not_load_is_a_finding_and_no_crash(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    (line,) = device_lines()
    assert line.mark == FAULT
    assert line.text.startswith("PyTorch can not be loaded (import of torch halted")


@pytest.mark.parametrize(("limit", "mark"), [("3000000000", NOTE), ("max", OK)])
def test_a_containers_limit_counts(limit, mark, tmp_path):
    (tmp_path / "memory.max").write_text(f"{limit}\n")
    memory, *_ = memory_lines([tmp_path / "memory.max", tmp_path / "absent"], shared=tmp_path / "absent")
    if limit == "max":
        assert "limit of the container" not in memory.text
    else:
        assert memory.mark == mark
        assert "3.0 GB of 3.0 GB free (limit of the container); training may want more" in memory.text


@pytest.mark.parametrize(("size", "mark"), [(64_000_000, NOTE), (8_000_000_000, OK)])
def test_little_shared_memory_names_dockers_option(size, mark, monkeypatch, tmp_path):
    monkeypatch.setattr("shutil.disk_usage", lambda path: types.SimpleNamespace(total=size, free=size))
    line = memory_lines([], shared=tmp_path)[-1]
    assert line.mark == mark
    assert ("--shm-size" in line.text) == (mark == NOTE)


@pytest.mark.parametrize(
    ("free", "mark", "said"), [(5e8, FAULT, "make room"), (5e9, NOTE, "may want more"), (5e11, OK, "500 GB free")]
)
def test_a_full_disk_is_a_fault(free, mark, said, monkeypatch, tmp_path):
    monkeypatch.setattr("shutil.disk_usage", lambda path: types.SimpleNamespace(total=free, free=free))
    (line,) = {line.mark: line for line in disk_lines(tmp_path)}.values()
    assert line.mark == mark
    assert said in line.text


def test_a_folder_that_takes_nothing_is_noted(monkeypatch, tmp_path):
    monkeypatch.setattr("os.access", lambda path, mode: False)
    assert "nothing can be written in this folder" in disk_lines(tmp_path)[-1].text


def test_variables_that_change_what_happens_are_listed(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    monkeypatch.setenv("HF_HOME", str(Path.home() / "cache"))
    (line,) = variable_lines()
    assert "CUDA_VISIBLE_DEVICES=1" in line.text
    assert "HF_HOME=~/cache" in line.text  # the user's name stays at home
    for name in ("CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "HF_HUB_OFFLINE", "HF_HOME", "MONAI_DATA_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)
    assert variable_lines() == []


def write_slides(root: Path) -> Path:
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True)
        Image.new("RGB", (20, 10)).save(root / folder / "s.png")
    (root / "colors.yaml").write_text("classes: []")
    return root


def test_data_sets_are_known_by_their_layout_and_told_the_next_step(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_slices(Path("data/a_scans"))
    write_frames(Path("data/b_frames"))
    write_slides(Path("data/c_slides"))
    Path("data/d_other").mkdir()
    scans, frames, slides = data_lines()
    assert (scans.mark, frames.mark, slides.mark) == (NOTE, NOTE, NOTE)
    assert "1 case, 1 scan of" in scans.text
    assert scans.text.endswith("monai-gi index uw-madison data/a_scans --output data/a_scans/datalist.json")
    assert "3 frames with masks" in frames.text
    assert "1 slide with colour masks" in slides.text
    assert "index biopsy data/c_slides --colors data/c_slides/colors.yaml" in slides.text


def test_an_indexed_data_set_is_in_order(tmp_path):
    write_slices(tmp_path)
    (tmp_path / "datalist.json").write_text(json.dumps({"training": [{"fold": 0}, {"fold": 1}, {"fold": 1}]}))
    (line,) = data_lines(tmp_path)
    assert line.mark == OK
    assert line.text.endswith("3 items in 2 folds in datalist.json")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda root: (root / "datalist.json").write_text("{"), "is no JSON"),
        (lambda root: (root / "train" / "notes").mkdir(), "a folder caseN is wanted here"),
    ],
)
def test_a_faulty_data_set_is_a_fault(spoil, said, tmp_path):
    write_slices(tmp_path)
    spoil(tmp_path)
    (line,) = data_lines(tmp_path)
    assert line.mark == FAULT
    assert said in line.text


def test_a_folder_of_something_else_says_what_is_wanted(tmp_path):
    (line,) = data_lines(tmp_path)
    assert line.mark == FAULT
    assert "train.csv and train/" in line.text
    assert "monai-gi index dicom" in line.text


def test_no_data_and_no_weights_are_no_faults(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    (data,) = data_lines(data=tmp_path / "data")
    assert (data.mark, "monai-gi phantom uw-madison data/phantom" in data.text) == (ABSENT, True)
    trained, pretrained = weight_lines(tmp_path / "runs", tmp_path / "bundles")
    assert (trained.mark, "make demo" in trained.text) == (ABSENT, True)
    assert pretrained.mark in (ABSENT, OK)
    assert pretrained.text.startswith("nvidia/mit-b0")


def test_trained_networks_are_listed_and_bundles_name_the_pretrained(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda name, file: "x" if "kept" in name else None)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    (tmp_path / "runs" / "segformer").mkdir(parents=True)
    (tmp_path / "runs" / "segformer" / "model.pt").write_bytes(b"0" * 2_400_000)
    for name, weights in (("a", "org/kept"), ("b", "org/far"), ("c", None)):
        (tmp_path / "bundles" / name).mkdir(parents=True)
        (tmp_path / "bundles" / name / "train.json").write_text(json.dumps({"init_weights": weights}))
    trained, far, kept = weight_lines(tmp_path / "runs", tmp_path / "bundles")
    assert re.search(r"runs/segformer/model\.pt, 2 MB, of \d{4}-\d\d-\d\d$", trained.text)
    assert (far.mark, "training fetches it once" in far.text) == (ABSENT, True)
    assert kept == (OK, "org/kept (pretrained) is kept here")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert "HF_HUB_OFFLINE forbids to fetch it" in weight_lines(tmp_path / "runs", tmp_path / "bundles")[1].text


def test_sizes_and_paths_are_short():
    assert gigabytes(999_000_000) == "1.0 GB"
    assert short(Path.home() / "a" / "b") == "~/a/b"
    assert short(Path("/opt/x")) == "/opt/x"
    assert short(Path("data")) == "data"
