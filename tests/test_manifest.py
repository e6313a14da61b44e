import hashlib
import json
import os
import shutil
import subprocess
import sys

import pytest

from monai_gi.errors import DataError
from monai_gi.sharing.manifest import (
    bundle_files,
    read_manifest,
    sign_manifest,
    verify_manifest,
    verify_signature,
    write_manifest,
)

pytest.importorskip("cryptography", reason="signatures need the package cryptography")

FILES = {
    "configs/metadata.json": '{"version": "0.3.0"}',
    "models/model.pt": "weights",
    "docs/README.md": "",
    "LICENSE": "x",
}


@pytest.fixture
def bundle(tmp_path):
    folder = tmp_path / "tiny"
    for name, content in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    write_manifest(folder)
    return folder


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """Private and public PEM files of two Ed25519 keys, "a" and "b"."""
    from cryptography.hazmat.primitives import serialization as forms
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    folder = tmp_path_factory.mktemp("keys")
    pem, raw = forms.Encoding.PEM, forms.PrivateFormat.PKCS8
    for name in "ab":
        key = Ed25519PrivateKey.generate()
        (folder / f"{name}.pem").write_bytes(key.private_bytes(pem, raw, forms.NoEncryption()))
        locked = key.private_bytes(pem, raw, forms.BestAvailableEncryption(b"word"))
        (folder / f"{name}.locked.pem").write_bytes(locked)
        public = key.public_key().public_bytes(pem, forms.PublicFormat.SubjectPublicKeyInfo)
        (folder / f"{name}.public.pem").write_bytes(public)
    return folder


def test_manifest_lists_every_file_with_size_and_hash(bundle):
    content = json.loads((bundle / "manifest.json").read_text())
    assert (content["bundle"], content["version"]) == ("tiny", "0.3.0")
    assert [entry["path"] for entry in content["files"]] == sorted(FILES)
    for entry in content["files"]:
        data = FILES[entry["path"]].encode()
        assert (entry["bytes"], entry["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())


def test_unchanged_bundle_has_no_problems(bundle):
    assert verify_manifest(bundle) == []
    (bundle / "manifest.sig").write_text("{}")
    assert verify_manifest(bundle) == []
    write_manifest(bundle)
    assert verify_manifest(bundle) == []


def test_every_difference_is_named_at_once(bundle):
    (bundle / "models/model.pt").write_text("WEIGHTS")
    (bundle / "LICENSE").write_text("longer")
    (bundle / "docs/README.md").unlink()
    (bundle / "configs/added.json").write_text("{}")
    problems = "\n".join(verify_manifest(bundle))
    assert "models/model.pt was changed: its SHA-256 is" in problems
    assert "LICENSE was changed: 6 bytes here, 1 in manifest.json." in problems
    assert "docs/README.md is in manifest.json, but not in the bundle." in problems
    assert "configs/added.json was added" in problems
    assert problems.count("\n") == 3


def test_manifest_can_not_point_outside(bundle, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("x")
    entry = {"path": "../secret", "bytes": 1, "sha256": hashlib.sha256(b"x").hexdigest()}
    content = read_manifest(bundle)
    content["files"] += [entry, {**entry, "path": str(secret)}]
    (bundle / "manifest.json").write_text(json.dumps(content))
    assert verify_manifest(bundle) == [
        f"{name} is in manifest.json, but not in the bundle." for name in ("../secret", str(secret))
    ]


def test_file_listed_twice_is_a_problem(bundle):
    content = read_manifest(bundle)
    content["files"].append({**content["files"][0], "sha256": "0"})
    (bundle / "manifest.json").write_text(json.dumps(content))
    assert "LICENSE is listed twice in manifest.json." in verify_manifest(bundle)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("{", "manifest.json cannot be read"),
        ("[" * 10000, "manifest.json cannot be read"),
        ("[]", 'has no list "files"'),
        ('{"files": {}}', 'has no list "files"'),
        ('{"files": ["a"]}', "lists 'a'"),
        ('{"files": [{"path": 1}]}', "lists {'path': 1}"),
        (None, "there is no manifest.json"),
        (" " * ((16 << 20) + 1), "this is no manifest"),
    ],
)
def test_unreadable_manifest_is_a_problem(bundle, text, match):
    (bundle / "manifest.json").unlink()
    if text is not None:
        (bundle / "manifest.json").write_text(text)
    (problem,) = verify_manifest(bundle)
    assert match in problem


def test_links_and_special_files_are_refused(bundle, tmp_path):
    (bundle / "docs/link.md").symlink_to(tmp_path / "secret")
    with pytest.raises(DataError, match=r"link\.md: this is a link"):
        verify_manifest(bundle)
    (bundle / "docs/link.md").unlink()
    os.mkfifo(bundle / "docs/pipe.md")
    with pytest.raises(DataError, match=r"pipe\.md: this is neither a file nor a folder"):
        write_manifest(bundle)


def test_bundle_without_a_version_is_refused(bundle, tmp_path):
    (bundle / "configs/metadata.json").write_text('{"version": 3}')
    with pytest.raises(DataError, match='"version" is 3; a text such as'):
        write_manifest(bundle)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"there is no configs/metadata\.json"):
        write_manifest(tmp_path / "empty")
    with pytest.raises(DataError, match="there is no such folder"):
        bundle_files(tmp_path / "absent")


def test_flat_folder_has_its_version_at_the_top(tmp_path):
    (tmp_path / "metadata.json").write_text('{"version": "7"}')
    write_manifest(tmp_path)
    assert read_manifest(tmp_path)["version"] == "7"


def test_signature_holds_and_trust_needs_a_named_key(bundle, keys):
    sign_manifest(bundle, keys / "a.pem")
    alone = verify_signature(bundle)
    assert (alone.signed, alone.valid, alone.trusted, alone.problem) == (True, True, False, "")
    assert len(alone.fingerprint) == 64
    named = verify_signature(bundle, keys / "a.public.pem")
    assert (named.valid, named.trusted, named.fingerprint) == (True, True, alone.fingerprint)


def test_openssl_agrees_with_the_signature(bundle, keys, tmp_path):
    import base64

    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    signature = json.loads(sign_manifest(bundle, keys / "a.pem").read_text())["signature"]
    (tmp_path / "raw").write_bytes(base64.b64decode(signature))
    line = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", keys / "a.public.pem", "-rawin"]
    done = subprocess.run(
        [*line, "-in", bundle / "manifest.json", "-sigfile", tmp_path / "raw"], capture_output=True, check=False
    )
    assert b"Verified Successfully" in done.stdout


def test_signature_of_another_manifest_does_not_hold(bundle, keys):
    sign_manifest(bundle, keys / "a.pem")
    path = bundle / "manifest.json"
    path.write_text(path.read_text() + " ")
    signature = verify_signature(bundle, keys / "a.public.pem")
    assert not signature.valid
    assert "is not a signature of this manifest.json" in signature.problem


def test_signature_by_another_key_than_the_named_one_does_not_hold(bundle, keys):
    sign_manifest(bundle, keys / "b.pem")
    signature = verify_signature(bundle, keys / "a.public.pem")
    assert (signature.valid, signature.trusted) == (False, False)
    assert "not by the key you named" in signature.problem
    assert verify_signature(bundle).valid


def test_unsigned_bundle_is_a_problem_only_for_who_names_a_key(bundle, keys):
    assert verify_signature(bundle) == (False, False, False, "", "", True)
    assert "nobody signed this bundle" in verify_signature(bundle, keys / "a.public.pem").problem


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        '{"algorithm": "RSA"}',
        '{"algorithm": "Ed25519", "public_key": "?", "signature": "AA=="}',
        '{"algorithm": "Ed25519", "public_key": "AA==", "signature": "AA=="}',
    ],
)
def test_damaged_signature_does_not_hold(bundle, text):
    (bundle / "manifest.sig").write_text(text)
    signature = verify_signature(bundle)
    assert (signature.signed, signature.valid) == (True, False)
    assert "cannot be read as a signature" in signature.problem


def test_unusable_keys_are_refused(bundle, keys, tmp_path):
    from cryptography.hazmat.primitives import serialization as forms
    from cryptography.hazmat.primitives.asymmetric import ec

    other = ec.generate_private_key(ec.SECP256R1())
    pem, raw, open_ = forms.Encoding.PEM, forms.PrivateFormat.PKCS8, forms.NoEncryption()
    (tmp_path / "ec.pem").write_bytes(other.private_bytes(pem, raw, open_))
    public = other.public_key().public_bytes(pem, forms.PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "ec.public.pem").write_bytes(public)
    (tmp_path / "words.pem").write_text("words")
    for key, match in {
        tmp_path / "absent.pem": "there is no such key file",
        tmp_path / "words.pem": "this key cannot be read",
        keys / "a.locked.pem": "this key cannot be read; .* without a password",
        keys / "a.public.pem": "this key cannot be read",
        tmp_path / "ec.pem": "this is a key of another kind",
    }.items():
        with pytest.raises(DataError, match=match):
            sign_manifest(bundle, key)
    for key, match in {
        tmp_path / "absent.pem": "there is no such key file",
        keys / "a.pem": "this key cannot be read; an Ed25519 public key",
        tmp_path / "ec.public.pem": "this is a key of another kind",
    }.items():
        with pytest.raises(DataError, match=match):
            verify_signature(bundle, key)


def test_nothing_to_sign_is_refused(bundle, keys):
    (bundle / "manifest.json").unlink()
    with pytest.raises(DataError, match=r"there is no manifest\.json to sign"):
        sign_manifest(bundle, keys / "a.pem")


def test_missing_package_names_the_extra(bundle, keys, monkeypatch):
    monkeypatch.setitem(sys.modules, "cryptography", None)
    needed = r"pip install 'monai_gi\[sharing\]'"
    with pytest.raises(DataError, match=needed):
        sign_manifest(bundle, keys / "a.pem")
    with pytest.raises(DataError, match=needed):
        verify_signature(bundle, keys / "a.public.pem")
    assert verify_signature(bundle).problem == ""
