"""README's lines for sharing, as typed: keys by openssl, `pack --sign`, `inspect --key`, and what spoils them."""

import hashlib
import json
import shutil
import subprocess
import zipfile

import nibabel
import numpy as np
import pytest
import torch

from monai_gi.app import AppRequest
from monai_gi.app.engines import open_engine
from monai_gi.cli import main
from monai_gi.errors import DataError
from monai_gi.network_digest import weights_digest
from tests.packable_bundle import small_bundle, unpacked
from tests.sharing_bundles import zip_bundle

pytest.importorskip("cryptography", reason="signatures need the package cryptography")
pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")


def make_keys(folder, name):
    """A key pair with the commands of README."""
    private, public = folder / f"{name}.pem", folder / f"{name}_public.pem"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", private], check=True)
    subprocess.run(["openssl", "pkey", "-in", private, "-pubout", "-out", public], check=True)
    return private, public


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with keys of two people and the packed bundle of the first."""
    folder = tmp_path_factory.mktemp("sharing")
    bundle, weights = small_bundle(folder, "basic_unet")
    (key, _), _ = make_keys(folder, "mine"), make_keys(folder, "other")
    score = {"mean": 0.8125, "interval_95": [0.7, 0.9], "unit": "", "rule": "mean"}
    from monai_gi.handlers.judge import NUMBERS, SCANS
    from monai_gi.labels import ORGAN_NAMES

    table = dict.fromkeys(NUMBERS[SCANS].values(), score)
    summary = {
        "cases": 3,
        "organs": dict.fromkeys(ORGAN_NAMES, table),
        "mean_of_organs": table,
        "contest_score": {"plain": {"score": 0.77}},
        "state_dict_sha256": weights_digest(torch.load(weights, weights_only=True)),
    }
    (folder / "summary.json").write_text(json.dumps(summary))
    words = ["pack", bundle, "--weights", weights, "--output", folder / "b.zip", "--sign", key]
    assert main([*map(str, words), "--version", "3.1.4", "--scores", str(folder / "summary.json")]) == 0
    return folder


def verdict(capsys, path, *key):
    """Exit code and report of `monai-gi inspect`."""
    code = main(["inspect", str(path), "--brief", *(["--key", str(*key)] if key else [])])
    return code, capsys.readouterr().out


def spoilt(place, tmp_path, change):
    """The packed bundle again, after `change(folder)`."""
    folder = unpacked(place / "b.zip", tmp_path)
    change(folder)
    return zip_bundle(folder, tmp_path / "spoilt.zip")


def add_a_word(folder):
    with (folder / "docs" / "README.md").open("a") as file:
        file.write("word\n")


def add_a_word_and_list_it(folder):
    add_a_word(folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    content = (folder / "docs" / "README.md").read_bytes()
    for entry in manifest["files"]:
        if entry["path"] == "docs/README.md":
            entry.update(bytes=len(content), sha256=hashlib.sha256(content).hexdigest())
    (folder / "manifest.json").write_text(json.dumps(manifest))


def take_the_signature_away(folder):
    (folder / "manifest.sig").unlink()


def test_what_was_packed_is_in_order_for_who_has_the_public_key(place, capsys):
    code, report = verdict(capsys, place / "b.zip", place / "mine_public.pem")
    assert code == 0, report
    assert report.splitlines()[1] == report.splitlines()[-1] == "Nothing is wrong."
    assert "bundle: basic_unet, version 3.1.4" in report
    assert "reads: MR; segments: large_bowel, small_bowel, stomach\n" in report
    assert "signature: valid, by the key that you named" in report
    with zipfile.ZipFile(place / "b.zip") as archive:
        assert 0.8125 in json.loads(archive.read("basic_unet/configs/metadata.json"))["eval_metrics"].values()


def test_another_key_is_wrong_and_a_private_one_is_no_public_one(place, capsys):
    code, report = verdict(capsys, place / "b.zip", place / "other_public.pem")
    assert (code, "not by the key you named" in report) == (1, True)
    assert main(["inspect", str(place / "b.zip"), "--key", str(place / "mine.pem")]) == 2
    assert "an Ed25519 public key in PEM was wanted" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "match", "code_without_key"),
    [
        (add_a_word, "docs/README.md was changed", 1),
        (add_a_word_and_list_it, "is not a signature of this manifest.json", 1),
        (take_the_signature_away, "nobody signed this bundle", 0),  # unsigned is told, and wrong for who has a key
    ],
)
def test_what_was_changed_on_the_way_is_wrong(place, tmp_path, capsys, change, match, code_without_key):
    path = spoilt(place, tmp_path, change)
    code, report = verdict(capsys, path, place / "mine_public.pem")
    assert (code, match in report) == (1, True), report
    assert match in refused_by_predict(capsys, path, tmp_path, "--key", place / "mine_public.pem", "--trust")
    code, report = verdict(capsys, path)
    assert code == code_without_key
    assert code or "not signed; anybody may have packed it" in report


def predict(path, tmp_path, *options):
    """Exit code of `monai-gi predict` on a small volume."""
    voxels = np.random.default_rng(0).normal(size=(24, 20, 3)).astype(np.float32)
    nibabel.save(nibabel.Nifti1Image(voxels, np.eye(4)), tmp_path / "scan.nii.gz")
    words = ["predict", path, tmp_path / "scan.nii.gz", "--output", tmp_path / "out", "--format", "nifti", *options]
    return main([*map(str, words), "--device", "cpu"])


def refused_by_predict(capsys, path, tmp_path, *options):
    assert predict(path, tmp_path, *options) == 2
    assert not (tmp_path / "out").exists()
    return capsys.readouterr().err


def test_the_app_opens_what_the_named_key_signed_and_nothing_else(place):
    with pytest.raises(DataError, match=r"manifest.sig: the bundle was signed by key"):
        open_engine(AppRequest(bundle=place / "b.zip", key=place / "other_public.pem", trust=True))
    assert open_engine(AppRequest(bundle=place / "b.zip", key=place / "mine_public.pem")).engine.kind == "slices"


def test_predict_runs_what_the_named_key_signed_and_nothing_else(place, tmp_path, capsys):
    said = refused_by_predict(capsys, place / "b.zip", tmp_path, "--key", place / "other_public.pem")
    assert "manifest.sig: the bundle was signed by key" in said
    assert "--trust does not help. Get it again" in said
    flat, weights = place / "bundles" / "basic_unet", place / "run" / "model.pt"
    options = ("--weights", weights, "--key", place / "mine_public.pem")
    assert "there is no manifest that the key you named" in refused_by_predict(capsys, flat, tmp_path, *options)
    assert predict(place / "b.zip", tmp_path, "--key", place / "mine_public.pem") == 0
    made_by = json.loads((tmp_path / "out" / "scan" / "result.json").read_text())["made_by"]
    with zipfile.ZipFile(place / "b.zip") as archive:
        content = archive.read(f"basic_unet/{made_by['weights_file']}")
        manifest = json.loads(archive.read("basic_unet/manifest.json"))
    assert made_by["weights_sha256"] == hashlib.sha256(content).hexdigest()
    listed = {"path": "models/model.ts", "bytes": len(content), "sha256": made_by["weights_sha256"]}
    assert listed in manifest["files"]
