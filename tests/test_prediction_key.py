"""What tells begun slides apart: precision and device as they are here, the version, every file of the slide."""

import hashlib

import pytest
import torch

from monai_gi.streaming.prediction_key import prediction_key, slide_hash

CPU = torch.device("cpu")


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_auto_stands_for_the_precision_of_this_machine(monkeypatch):
    keys = []
    for has_bf16 in (True, False):
        monkeypatch.setattr("monai_gi.devices.has_bf16", lambda has_bf16=has_bf16: has_bf16)
        keys.append(prediction_key({"amp": "auto"}, CPU))
    assert keys[0] != keys[1] == prediction_key({"amp": False}, CPU)


def test_the_kind_of_device_and_the_version_count(monkeypatch):
    here, on_gpu, on_first = (prediction_key({"amp": False}, torch.device(one)) for one in ("cpu", "cuda", "cuda:0"))
    assert here != on_gpu == on_first
    monkeypatch.setattr("monai_gi.streaming.prediction_key.__version__", "0.0.0")
    assert prediction_key({"amp": False}, CPU) != here


def test_one_file_is_hashed_as_it_is(tmp_path):
    slide = write(tmp_path / "a.svs", "pixels")
    write(tmp_path / "a" / "other.dat", "of nobody")
    assert slide_hash(slide) == hashlib.sha256(b"pixels").hexdigest()


@pytest.mark.parametrize(
    ("index", "data"), [("a.mrxs", "a/Data0001.dat"), ("a.vms", "a-1,0.jpg"), ("a.VMU", "a-1,0.jpg")]
)
def test_the_pixels_that_an_index_names_count(tmp_path, index, data):
    slide = write(tmp_path / index, "[Virtual Microscope Specimen]\nNoLayers=1\nImageFile(1,0)=a-1,0.jpg\n")
    pixels = write(tmp_path / data, "pixels")
    write(tmp_path / "b-0,0.jpg", "of another slide")
    before = slide_hash(slide)
    write(tmp_path / "b-0,0.jpg", "changed")
    assert slide_hash(slide) == before
    pixels.write_text("others")
    assert slide_hash(slide) != before


def test_an_index_without_its_files_is_hashed_too(tmp_path):
    assert slide_hash(write(tmp_path / "a.mrxs", "x")) == hashlib.sha256(b"x").hexdigest()
