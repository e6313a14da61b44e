import json
import sys
import zipfile
from pathlib import Path

import pytest

from monai_gi.cli import main
from monai_gi.errors import DataError
from monai_gi.sharing.inspection import inspect
from tests.hostile_zips import write_zip
from tests.packable_bundle import SLICE_BUNDLES
from tests.sharing_bundles import write_flat_bundle, write_packed_bundle, zip_bundle

REPOSITORY = Path(__file__).parents[1]


@pytest.mark.parametrize("name", SLICE_BUNDLES)
def test_bundles_of_the_repository_are_in_order(name):
    inspection = inspect(REPOSITORY / "bundles" / name)
    assert inspection.wrong == ()
    assert inspection.claims.name == name
    assert inspection.claims.channels == ("large_bowel", "small_bowel", "stomach")


def test_packed_bundle_is_in_order_as_folder_and_as_zip(tmp_path):
    folder = write_packed_bundle(tmp_path / "small")
    for path in (folder, zip_bundle(folder, tmp_path / "small-0.2.0.zip")):
        inspection = inspect(path)
        assert inspection.ok, str(inspection)
        report = str(inspection)
        assert "bundle: small, version 0.2.0" in report
        assert "reads: MR; segments: liver, spleen" in report
        assert "intended use: Tests" in report
        assert "files: 7, all as in the manifest" in report
        assert "not signed" in report
        assert "imports: os, torch\n" in report
        assert "expressions of configs/inference.json, inside the allow-list (1):\n  $len(@slice_offsets)\n" in report
        assert report.splitlines()[1] == report.splitlines()[-1] == "Nothing is wrong."


def test_what_is_outside_the_allow_list_is_listed_with_its_place_before_the_rest(tmp_path):
    folder = write_packed_bundle(tmp_path / "small", a="$eval('1')", b={"c": "$eval('1')"})
    for report in (str(inspect(folder)), inspect(folder).report(brief=True)):
        assert "would execute 5 expressions and imports, 2 of them outside the allow-list:" in report
        assert "  OUTSIDE $eval('1')  (configs/inference.json#/a)\n" in report
        assert "  OUTSIDE $eval('1')  (configs/inference.json#/b/c)\n" in report
        assert report.splitlines()[1] == report.splitlines()[-1] == "2 things are wrong: do not run this bundle."
    assert report.splitlines()[-2] == "inside the allow-list: 3 different ones; listed without --brief."
    assert "$len" not in report


def test_inspecting_leaves_no_folder_behind(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    inspect(zip_bundle(write_packed_bundle(tmp_path / "small"), tmp_path / "small.zip"))
    assert list((tmp_path / "temporary").iterdir()) == []


def test_hostile_archive_is_a_finding_with_all_reasons(tmp_path):
    inspection = inspect(write_zip(tmp_path / "a.zip", [("../x", "x"), ("/y", "y")]))
    assert not inspection.ok
    assert "leads out of the folder" in str(inspection)
    assert "absolute name" in str(inspection)
    (tmp_path / "words.zip").write_text("words")
    assert "is no plain zip archive" in str(inspect(tmp_path / "words.zip"))
    with pytest.raises(DataError, match="there is no such bundle"):
        inspect(tmp_path / "absent.zip")


def test_changed_added_and_missing_files_are_wrong(tmp_path):
    folder = write_packed_bundle(tmp_path / "small")
    (folder / "docs/README.md").write_text("changed")
    (folder / "docs/more.md").write_text("more")
    (folder / "LICENSE").unlink()
    report = str(inspect(folder))
    for text in ("docs/README.md was changed", "docs/more.md was added", "LICENSE is in manifest.json, but not in"):
        assert f"manifest.json: {text}" in report
    assert "3 differences from the manifest" in report
    (folder / "manifest.json").unlink()
    assert "there is no manifest.json" in str(inspect(folder))


def test_link_in_a_folder_is_wrong(tmp_path):
    folder = write_packed_bundle(tmp_path / "small")
    (folder / "docs/link.md").symlink_to("/etc/passwd")
    assert "link.md: this is a link" in str(inspect(folder))


def test_what_is_no_bundle_is_wrong(tmp_path):
    (tmp_path / "docs").mkdir()
    inspection = inspect(tmp_path)
    assert not inspection.ok
    assert "here is no bundle: a folder or zip with metadata.json and inference.json" in str(inspection)
    (tmp_path / "inference.json").write_text("{}")
    assert "metadata.json: is not there" in str(inspect(tmp_path))


@pytest.mark.parametrize(
    ("name", "content", "match"),
    [
        ("scripts/net.py", "import os", "is code"),
        ("torch.so", "x", "is code"),
        ("models/run.sh", "x", "is code"),
        ("models/x.pkl", "x", "may hold pickles"),
        ("data.npy", "x", "may hold pickles"),
        ("docs/more.zip", "x", "is an archive"),
        ("docs/readme.md", b"PK\x03\x04zip", "is a zip archive by its content"),
        ("docs/a.png", b"\x7fELFprogram", "is a program by its content"),
        ("docs/a.txt", "#!/bin/sh", "is a script by its content"),
        ("docs/data", b"\x80\x04pickle", "is a pickle by its content"),
        ("configs/logging.conf", "[handler_a]\nclass=eval", "class = eval"),
        ("configs/train.json", '{"a": "$eval(1)"}', "configs/train.json#/a: calls eval"),
        ("docs/hidden.yaml", "a: $eval(1)", "docs/hidden.yaml#/a: calls eval"),
    ],
)
def test_unexpected_file_is_wrong(tmp_path, name, content, match):
    inspection = inspect(write_packed_bundle(tmp_path / "small", {name: content}))
    assert match in "\n".join(map(str, inspection.wrong))


def test_more_configs_than_anybody_writes_are_wrong(tmp_path):
    files = {f"docs/{number}.json": json.dumps(["x" * 900_000]) for number in range(5)}
    inspection = inspect(write_packed_bundle(tmp_path / "small", files))
    assert "all configs together have more than the 4194304 bytes that are judged" in str(inspection)
    assert "configs/inference.json" not in str(inspection.wrong)
    inspection = inspect(write_packed_bundle(tmp_path / "one", {"docs/a.json": json.dumps(["x" * 1_100_000])}))
    assert "a config has 1048576 at most" in str(inspection)


def test_unknown_file_is_a_note(tmp_path):
    inspection = inspect(write_packed_bundle(tmp_path / "small", {"docs/.hidden": "x", "docs/a.png": b"\x89PNG"}))
    assert inspection.ok
    assert [finding.where for finding in inspection.findings if "not checked" in finding.text] == ["docs/.hidden"]


@pytest.mark.parametrize(
    ("metadata", "severity", "match"),
    [
        ({"monai_version": "2.0.0"}, "wrong", "needs monai 2.0.0; installed is"),
        ({"monai_version": "1.0.0"}, "note", "was made with monai 1.0.0"),
        ({"monai_version": "1.99"}, "note", "was made with monai 1.99"),
        ({"monai_version": None}, "note", "does not say which version of monai"),
        ({"required_packages_version": {"torch": "99.1"}}, "wrong", "needs torch 99.1"),
        ({"required_packages_version": {"no-such-package": "1"}}, "note", "needs no-such-package 1, which is not inst"),
        ({"intended_use": ""}, "note", "does not say its intended use"),
        ({"network_data_format": {}}, "note", "does not say what it segments"),
        ({"network_data_format": []}, "note", "does not say the modality"),
    ],
)
def test_versions_and_claims_are_compared(tmp_path, metadata, severity, match):
    findings = inspect(write_packed_bundle(tmp_path / "small", metadata=metadata)).findings
    assert [finding.severity for finding in findings if match in finding.text] == [severity]


def test_signature_is_reported(tmp_path):
    pytest.importorskip("cryptography", reason="signatures need the package cryptography")
    from cryptography.hazmat.primitives import serialization as forms
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from monai_gi.sharing.manifest import sign_manifest, write_manifest

    folder = write_packed_bundle(tmp_path / "small")
    pem = forms.Encoding.PEM
    for name in "ab":
        key = Ed25519PrivateKey.generate()
        private = key.private_bytes(pem, forms.PrivateFormat.PKCS8, forms.NoEncryption())
        (tmp_path / f"{name}.pem").write_bytes(private)
        public = key.public_key().public_bytes(pem, forms.PublicFormat.SubjectPublicKeyInfo)
        (tmp_path / f"{name}.public.pem").write_bytes(public)
    named = {"public_key": tmp_path / "a.public.pem"}
    assert "nobody signed" in str(inspect(folder, **named))
    sign_manifest(folder, tmp_path / "a.pem")
    assert "which you have not said you trust (--key public.pem)" in str(inspect(folder))
    assert inspect(folder).ok
    assert "by the key that you named" in str(inspect(folder, **named))
    assert "not by the key you named" in str(inspect(folder, public_key=tmp_path / "b.public.pem"))
    (folder / "LICENSE").write_text("other")
    write_manifest(folder)
    report = str(inspect(folder, **named))
    assert "is not a signature of this manifest.json" in report
    assert "signature: NOT VALID" in report
    flat = write_flat_bundle(tmp_path / "flat")
    assert "there is no manifest that the key you named could sign" in str(inspect(flat, **named))


def test_signature_that_nothing_here_can_check_is_neither_true_nor_absent(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "cryptography", None)
    folder = write_packed_bundle(tmp_path / "small")
    (folder / "manifest.sig").write_text("forged")
    inspection = inspect(folder)
    report = str(inspection)
    assert inspection.signature.signed
    assert "signature: there is one, which was not checked and may be false" in report
    assert "manifest.sig: was not checked, it may be false: signatures need the package cryptography" in report
    assert "not signed; anybody" not in report
    assert report.splitlines()[1] == report.splitlines()[-1] == "Nothing is wrong but for what was not checked."
    (tmp_path / "public.pem").write_text("key")
    assert main(["inspect", str(folder), "--key", str(tmp_path / "public.pem")]) == 2
    assert "pip install 'monai_gi[sharing]'" in capsys.readouterr().err


def test_hostile_text_does_not_reach_the_terminal(tmp_path):
    evil = "\x1b]0;evil\x07\nNothing is wrong."
    folder = write_packed_bundle(tmp_path / "small", metadata={"name": evil, "task": evil}, a=f"${evil}")
    report = str(inspect(folder))
    assert "\x1b" not in report
    assert report.count("\nNothing is wrong.") == 0


def test_bundle_of_another_tool_gets_an_honest_list(tmp_path):
    config = {
        "imports": ["$import glob", "$import os", "$import scripts"],
        "network_def": {"_target_": "scripts.net.Net"},
        "checkpoint": "$torch.load(@bundle_root + '/models/model.pt')",
        "evaluator": {"_target_": "SupervisedEvaluator", "prepare_batch": "$scripts.prepare"},
    }
    files = {"configs/train.json": json.dumps(config), "scripts/__init__.py": "", "scripts/net.py": "x"}
    report = str(inspect(write_packed_bundle(tmp_path / "small", files)))
    for text in ("imports scripts", "'scripts.net.Net'", "torch.load without weights_only", "uses scripts.prepare"):
        assert text in report
    assert "scripts/net.py: is code" in report
    assert "6 things are wrong: do not run this bundle." in report


def test_zip_without_a_folder_at_its_top_is_read_too(tmp_path):
    folder = write_packed_bundle(tmp_path / "small")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for file in folder.rglob("*"):
            archive.write(file, file.relative_to(folder).as_posix())
    assert inspect(tmp_path / "a.zip").ok
