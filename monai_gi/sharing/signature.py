"""Who packed a bundle: `manifest.sig` beside `manifest.json`, an Ed25519 signature of the manifest's bytes.

Convention: `manifest.sig` is JSON with the signature and the public key, both base64. The key in the file proves
only that the bundle was signed as a whole; trust comes from a key that the reader names. A key's fingerprint is the
SHA-256 of its 32 raw bytes. Source: RFC 8032 (Ed25519).
"""

import base64
import binascii
import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from monai_gi.atomic_file import write_whole
from monai_gi.errors import DataError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

SIGNATURE_NAME = "manifest.sig"
ALGORITHM = "Ed25519"
LARGEST_BYTES = 4096  # key and signature have 96


class Signature(NamedTuple):
    """What a bundle's signature says.

    Attributes:
        signed: whether there is a `manifest.sig`.
        valid: whether it is a signature of this very manifest by `fingerprint`'s key, and by the key that the reader
            named where one was named.
        trusted: whether the reader named the key.
        fingerprint: SHA-256 of the public key in the file, 64 hexadecimal digits; empty where there is none.
        problem: why it is not valid, in a sentence; empty where it is valid, or where nothing is signed and no key
            was named.
        checked: no where there is a signature and nothing to check it with, so that it may be true or false.
    """

    signed: bool
    valid: bool
    trusted: bool
    fingerprint: str
    problem: str
    checked: bool = True


UNSIGNED = Signature(False, False, False, "", "")


def sign_manifest(folder: str | Path, key_pem: str | Path) -> Path:
    """Sign a bundle's `manifest.json`, which must be complete.

    Args:
        folder: the packed bundle, with its manifest.
        key_pem: file with the private key, PKCS#8 PEM without a password
            (`openssl genpkey -algorithm ed25519 -out key.pem`).

    Returns:
        `manifest.sig`.

    Raises:
        DataError: the manifest or the key is missing or unusable, or the package `cryptography` is not installed.
    """
    folder = Path(folder)
    key = _private_key(Path(key_pem))
    manifest = _manifest_bytes(folder)
    content = {
        "algorithm": ALGORITHM,
        "public_key": base64.b64encode(key.public_key().public_bytes_raw()).decode(),
        "signature": base64.b64encode(key.sign(manifest)).decode(),
    }
    return write_whole(folder / SIGNATURE_NAME, json.dumps(content, indent=4) + "\n")


def verify_signature(folder: str | Path, public_key: str | Path | None = None) -> Signature:
    """Check a bundle's signature against its manifest, and against the key that the reader trusts.

    Args:
        folder: the packed bundle.
        public_key: file with the packer's public key, PEM; None checks with the key inside the bundle, which shows
            only that the manifest was not changed since somebody signed it.

    Returns:
        What was found; a forged, damaged or missing signature is an answer, not an error, and so is one that cannot be
        checked, where no key was named.

    Raises:
        DataError: the public key is missing or unusable, or the package `cryptography` is not installed to check it.
    """
    folder = Path(folder)
    trusted = None if public_key is None else _public_key(Path(public_key)).public_bytes_raw()
    path = folder / SIGNATURE_NAME
    if not path.is_file():
        problem = "" if trusted is None else f"there is no {SIGNATURE_NAME}: nobody signed this bundle."
        return UNSIGNED._replace(problem=problem)
    try:
        _require_cryptography()
    except DataError as error:
        return Signature(True, False, False, "", f"was not checked, it may be false: {error.problem}", checked=False)
    try:
        key, signature = _parts(path)
    except (ValueError, KeyError, TypeError, RecursionError, binascii.Error):
        return Signature(True, False, False, "", f"{SIGNATURE_NAME} cannot be read as a signature.")
    fingerprint = hashlib.sha256(key).hexdigest()
    if not _holds(key, signature, _manifest_bytes(folder)):
        return Signature(True, False, False, fingerprint, f"{SIGNATURE_NAME} is not a signature of this manifest.json.")
    if trusted is not None and trusted != key:
        named = hashlib.sha256(trusted).hexdigest()
        problem = f"the bundle was signed by key {fingerprint[:16]}..., not by the key you named, {named[:16]}..."
        return Signature(True, False, False, fingerprint, problem)
    return Signature(True, True, trusted is not None, fingerprint, "")


def _manifest_bytes(folder: Path) -> bytes:
    path = folder / "manifest.json"
    if not path.is_file():
        raise DataError(path, "there is no manifest.json to sign or to check; pack the bundle first.")
    return path.read_bytes()


def _parts(path: Path) -> tuple[bytes, bytes]:
    """The raw public key (32 bytes) and the signature (64 bytes) of a signature file."""
    if path.stat().st_size > LARGEST_BYTES:
        raise ValueError("size")
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if content["algorithm"] != ALGORITHM:
        raise ValueError(content["algorithm"])
    key = base64.b64decode(content["public_key"], validate=True)
    signature = base64.b64decode(content["signature"], validate=True)
    if (len(key), len(signature)) != (32, 64):
        raise ValueError("lengths")
    return key, signature


def _holds(key: bytes, signature: bytes, message: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def _private_key(path: Path) -> "Ed25519PrivateKey":
    _require_cryptography()
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    wanted = "an Ed25519 private key in PEM without a password was wanted (openssl genpkey -algorithm ed25519)."
    try:
        key = load_pem_private_key(_key_bytes(path), password=None)
    except (ValueError, TypeError) as error:  # TypeError: it has a password
        raise DataError(path, f"this key cannot be read; {wanted}") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise DataError(path, f"this is a key of another kind; {wanted}")
    return key


def _public_key(path: Path) -> "Ed25519PublicKey":
    _require_cryptography()
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    wanted = "an Ed25519 public key in PEM was wanted (openssl pkey -in key.pem -pubout)."
    try:
        key = load_pem_public_key(_key_bytes(path))
    except ValueError as error:
        raise DataError(path, f"this key cannot be read; {wanted}") from error
    if not isinstance(key, Ed25519PublicKey):
        raise DataError(path, f"this is a key of another kind; {wanted}")
    return key


def _key_bytes(path: Path) -> bytes:
    if not path.is_file():
        raise DataError(path, "there is no such key file. Name the .pem file of the key.")
    return path.read_bytes()


def _require_cryptography() -> None:
    try:
        import cryptography  # noqa: F401
    except ImportError as error:
        problem = "signatures need the package cryptography: pip install 'monai_gi[sharing]'."
        raise DataError("cryptography", problem) from error
