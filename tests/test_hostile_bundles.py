"""Bundles made to run something: each works where it is believed, `inspect` names it, `predict` stops before it."""

import json
import os
import zipfile

import nibabel
import numpy as np
import pytest
import torch

from monai_gi.cli import main
from monai_gi.sharing.config_inspection import inspect_configs, inspect_logging
from monai_gi.sharing.inspection import inspect
from monai_gi.sharing.opening import open_bundle
from monai_gi.sharing.weights_inspection import inspect_script, inspect_weights
from tests.sharing_bundles import CONFIG, METADATA, save_script, small_network, write_packed_bundle, zip_bundle

pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit", "ignore:.*is deprecated")


class Writing(torch.nn.Module):
    """A network that writes its input into a file of the reader."""

    def __init__(self, place):
        super().__init__()
        self.place = place

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        torch.save(x, self.place)
        return x[:, :2]


@pytest.fixture
def written(tmp_path):
    return tmp_path / "written"


@pytest.fixture
def writing(tmp_path, written):
    """TorchScript that writes `written`."""
    save_script(torch.jit.script(Writing(str(written))), tmp_path / "writing.ts")
    return tmp_path / "writing.ts"


def renamed(path, change):
    """A zip with every entry under another name."""
    with zipfile.ZipFile(path) as archive:
        contents = {change(name): archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return path


def loaded(path, written):
    """Whether PyTorch runs it and it writes."""
    with torch.no_grad():
        torch.jit.load(str(path))(torch.zeros(1, 3, 4, 4))
    found = written.exists()
    written.unlink(missing_ok=True)
    return found


def refused_by_predict(bundle, tmp_path, capsys):
    """The message with which `monai-gi predict` refuses."""
    nibabel.save(nibabel.Nifti1Image(np.zeros((24, 20, 3), np.float32), np.eye(4)), tmp_path / "scan.nii.gz")
    line = ["predict", str(bundle), str(tmp_path / "scan.nii.gz"), "--output", str(tmp_path / "out")]
    assert main([*line, "--format", "nifti", "--device", "cpu"]) == 2
    assert not (tmp_path / "out").exists()
    return capsys.readouterr().err


# PyTorch looks entries up without regard to case, so CODE.PY is code for it.
@pytest.mark.parametrize(
    "change",
    [
        lambda name: name.replace(".py", ".PY"),
        lambda name: name.replace("/code/", "/CODE/"),
        lambda name: name.replace("/code/__torch__", "/Code/__TORCH__"),
    ],
)
def test_code_of_a_script_can_not_hide_behind_its_spelling(tmp_path, writing, written, change, capsys):
    renamed(writing, change)
    assert loaded(writing, written)
    wrong = "\n".join(map(str, inspect_script("model.ts", writing)[0]))
    assert "is no part of TorchScript" in wrong
    assert "is no part of a file of weights" in "\n".join(map(str, inspect_weights("model.pt", writing)))
    bundle = write_packed_bundle(tmp_path / "small", {"models/model.ts": writing.read_bytes()})
    assert main(["inspect", str(bundle)]) == 1
    capsys.readouterr()
    assert "is no part of TorchScript" in refused_by_predict(bundle, tmp_path, capsys)
    assert not written.exists()


def test_a_second_root_in_an_archive_of_weights_is_wrong(tmp_path):
    save_script(torch.jit.script(small_network()), tmp_path / "model.ts")
    with zipfile.ZipFile(tmp_path / "model.ts", "a") as archive:
        archive.writestr("other/version", "3")
    assert "has 2 folders at its top" in str(inspect_script("model.ts", tmp_path / "model.ts")[0])


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("docs/a.png", b"\x89PNG\r\n\x1a\n"),
        ("docs/a.md", b"# Words\n"),
        ("models/a.safetensors", b"\x02" + b"\0" * 7 + b"{}"),
    ],
)
def test_an_archive_behind_a_picture_or_words_is_wrong(tmp_path, writing, written, name, start):
    path = tmp_path / "picture"
    path.write_bytes(start)
    with zipfile.ZipFile(writing) as archive, zipfile.ZipFile(path, "a") as behind:
        for entry in archive.namelist():
            behind.writestr(entry, archive.read(entry))
    assert loaded(path, written)
    inspection = inspect(write_packed_bundle(tmp_path / "small", {name: path.read_bytes()}))
    assert f"{name}: holds a zip archive behind its beginning" in str(inspection)
    assert not inspection.ok


# Python 3.12 evaluates `defaults`; 3.11 and older end a line at a lone carriage return, too.
@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("[formatter_a]\nformat=x\ndefaults=__import__('os').system('true')\n", "defaults = __import__"),
        ("[handler_a]\nlevel=INFO\rclass=FileHandler\rargs=('x', 'w')\n", "class = FileHandler"),
        ("[logger_a]\nsomething_new=1\n", "something_new = 1"),
    ],
)
def test_logging_is_read_as_python_reads_it(text, match):
    assert match in "\n".join(map(str, inspect_logging("logging.conf", text.encode())))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("compile", True),
        ("compile_kwargs", {"options": {"cpp.cxx": ["./docs/program"]}}),  # torch.compile starts this compiler
        ("backbone_kwargs", {"checkpoint_path": "docs/a.txt"}),  # timm unpickles this file
        ("use_timm_backbone", True),
        ("backbone", "hf-hub:somebody/something"),
    ],
)
def test_arguments_that_lead_to_code_are_wrong(name, value):
    def findings(**arguments):
        config = {"a": {"_target_": "SupervisedEvaluator", **arguments}}
        return inspect_configs({"a.json": json.dumps(config).encode()}).findings

    assert [f"{name} is " in one.text for one in findings(**{name: value}) if one.severity == "wrong"] == [True]
    assert findings(compile=False, compile_kwargs=None, backbone_kwargs={}) == ()


def flattened(tmp_path):
    """A zip in the layout of bundles/: what is left when somebody takes configs/ and the manifest away."""
    folder = write_packed_bundle(tmp_path / "small")
    for path in (folder / "configs").iterdir():
        path.rename(folder / path.name)
    (folder / "configs").rmdir()
    (folder / "manifest.json").unlink()
    change = {**CONFIG, "weights": "models/model.pt"}
    (folder / "inference.json").write_text(json.dumps(change))
    return zip_bundle(folder, tmp_path / "small.zip")


def test_a_zip_without_a_manifest_is_wrong_in_any_layout(tmp_path, capsys):
    path = flattened(tmp_path)
    assert "manifest.json: there is no manifest.json" in str(inspect(path))
    assert "there is no manifest.json" in refused_by_predict(path, tmp_path, capsys)


def test_settings_beside_weights_can_not_name_code(tmp_path, capsys):
    folder = tmp_path / "small"
    folder.mkdir()
    network = {"_target_": "monai_gi.networks.HuggingFaceSegmenter", "architecture": "segformer", "config": {}}
    (folder / "inference.json").write_text(json.dumps({**CONFIG, "network_def": network}))
    (folder / "metadata.json").write_text(json.dumps(METADATA))
    torch.save({}, folder / "model.pt")
    settings = {"overrides": {"network_def#config": "{'attn_implementation': 'somebody/kernel'}"}}
    (folder / "settings.json").write_text(json.dumps(settings))
    with pytest.raises(Exception, match="attn_implementation is 'somebody/kernel'"):
        open_bundle(folder, weights=folder / "model.pt")


def test_a_refusal_sends_no_control_characters(tmp_path, capsys):
    config = {"\x1b]0;evil\x07": "$eval('1')", "b": "$eval('\u202e')"}
    bundle = write_packed_bundle(tmp_path / "small", {"configs/train.json": json.dumps(config)})
    message = refused_by_predict(bundle, tmp_path, capsys)
    assert "calls eval" in message
    assert not {"\x1b", "\x07", "\u202e"} & set(message)


def test_a_long_manifest_of_doubled_names_is_judged_in_time(tmp_path):
    folder = write_packed_bundle(tmp_path / "small")
    entries = [{"path": f"x{number % 5_000}", "bytes": 1, "sha256": ""} for number in range(10_000)]
    (folder / "manifest.json").write_text(json.dumps({"bundle": "small", "files": entries}))
    assert "x7 is listed twice" in str(inspect(folder))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("configs/inference.json", json.dumps({**CONFIG, "a": "$torch.hub.load('somebody/code', 'net')"})),
        ("configs/inference.json", json.dumps({**CONFIG, "a": {"_target_": "torch.hub.load", "repo_or_dir": "x"}})),
        ("configs/inference.json", json.dumps({**CONFIG, "a": {"_target_": "monai.bundle.run", "config_file": "x"}})),
        ("configs/inference.json", json.dumps({**CONFIG, "a": {"_target_": "pandas.read_pickle", "filepath": "x"}})),
        ("configs/inference.json", json.dumps({**CONFIG, "a": {"_target_": "numpy.load", "allow_pickle": True}})),
        ("configs/inference.json", json.dumps({**CONFIG, "a": {"_target_": "builtins.eval", "source": "1"}})),
        (
            "configs/inference.json",
            json.dumps({**CONFIG, "a": {"_target_": "Compose", "_requires_": "$os.system('x')"}}),
        ),
        ("configs/inference.json", json.dumps({**CONFIG, "a": {"_target_": "Compose", "_mode_": "debug"}})),
        ("configs/inference.json", json.dumps({**CONFIG, "a": "%docs/more.json#a"})),
        ("configs/extra.yml", "a: $os.popen('x')\n"),
        ("docs/extra.json", '{"a": "$import subprocess"}'),
        ("scripts/__init__.py", ""),
        ("models/model.pt", b"\x80\x02cposix\nsystem\nX\x04\x00\x00\x00true\x85R."),
        ("models/model.npz", b"PK\x03\x04"),
        ("docs/a.txt", b"\x93NUMPY"),
    ],
)
def test_predict_refuses_what_inspect_names(tmp_path, capsys, monkeypatch, name, content):
    bundle = write_packed_bundle(tmp_path / "small", {name: content})
    monkeypatch.setattr(os, "system", lambda command: pytest.fail(command))
    assert main(["inspect", str(bundle)]) == 1
    report = capsys.readouterr().out
    assert f"\n  {name}" in report
    assert "do not run this bundle." in report.splitlines()[1]
    assert name in refused_by_predict(bundle, tmp_path, capsys)
