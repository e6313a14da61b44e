"""What a packed bundle consists of: `manifest.json` lists every file with its size and SHA-256.

Convention: paths are relative to the bundle's folder, with `/`, sorted; `manifest.json` and its signature
`manifest.sig` do not list themselves. The signature itself is in `signature.py`.
"""

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from monai_gi.atomic_file import write_whole
from monai_gi.errors import DataError
from monai_gi.sharing.signature import SIGNATURE_NAME, sign_manifest, verify_signature

__all__ = [
    "MANIFEST_NAME",
    "bundle_files",
    "read_manifest",
    "sha256_of",
    "sign_manifest",
    "verify_manifest",
    "verify_signature",
    "write_manifest",
]

MANIFEST_NAME = "manifest.json"
LARGEST_MANIFEST_BYTES = 4 << 20  # as many files as an archive may have, with long names


def write_manifest(folder: str | Path) -> Path:
    """Write `manifest.json` for a packed bundle; an old one is replaced, an old signature is left and no longer holds.

    Args:
        folder: the packed bundle; its name is the bundle's name, the version comes from configs/metadata.json
            (metadata.json in a flat folder).

    Returns:
        The manifest.

    Raises:
        DataError: the folder holds a link or a special file, or has no version.
    """
    folder = Path(folder)
    files = [
        {"path": name, "bytes": path.stat().st_size, "sha256": sha256_of(path)}
        for name, path in sorted(bundle_files(folder).items())
        if name not in (MANIFEST_NAME, SIGNATURE_NAME)
    ]
    content = {"bundle": folder.resolve().name, "version": _version(folder), "files": files}
    return write_whole(folder / MANIFEST_NAME, json.dumps(content, indent=4) + "\n")


def verify_manifest(folder: str | Path) -> list[str]:
    """Compare a packed bundle with its manifest; only files that are really in the folder are opened.

    Args:
        folder: the packed bundle.

    Returns:
        One sentence for each file that was changed, is missing, came in addition or is listed twice, and for a
        manifest that is absent or cannot be read; nothing where all is as packed.

    Raises:
        DataError: the folder holds a link or a special file.
    """
    folder = Path(folder)
    present = bundle_files(folder)
    try:
        listed = _listed(read_manifest(folder))
    except DataError as error:
        return [error.problem]
    present = {name: path for name, path in present.items() if name not in (MANIFEST_NAME, SIGNATURE_NAME)}
    problems = [f"{name} is listed twice in {MANIFEST_NAME}." for name in _doubled([name for name, *_ in listed])]
    expected = {name: (size, digest) for name, size, digest in listed}
    problems += [f"{name} is in {MANIFEST_NAME}, but not in the bundle." for name in sorted(expected.keys() - present)]
    problems += [
        f"{name} was added: it is not in {MANIFEST_NAME}." for name in sorted(present.keys() - expected.keys())
    ]
    for name in sorted(expected.keys() & present.keys()):
        problems += _changes(name, present[name], *expected[name])
    return problems


def read_manifest(folder: str | Path) -> dict[str, Any]:
    """Read `manifest.json` as it stands, without a comparison.

    Args:
        folder: the packed bundle.

    Returns:
        The object with "bundle", "version" and "files".

    Raises:
        DataError: there is none, or it is no manifest.
    """
    path = Path(folder) / MANIFEST_NAME
    if not path.is_file():
        raise DataError(path, f"there is no {MANIFEST_NAME}, so nothing tells whether the bundle is unchanged.")
    if path.stat().st_size > LARGEST_MANIFEST_BYTES:
        raise DataError(path, f"{MANIFEST_NAME} has {path.stat().st_size} bytes; this is no manifest of a bundle.")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise DataError(path, f"{MANIFEST_NAME} cannot be read: {error}.") from error
    if not isinstance(content, dict) or not isinstance(content.get("files"), list):
        raise DataError(path, f'{MANIFEST_NAME} has no list "files" of {{path, bytes, sha256}}.')
    return content


def bundle_files(folder: str | Path) -> dict[str, Path]:
    """Every file below a folder; links are neither followed nor accepted.

    Args:
        folder: a folder.

    Returns:
        From the path inside the folder, with `/`, to the file.

    Raises:
        DataError: there is no such folder, or a link or a special file (pipe, device, socket) in it.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise DataError(folder, "there is no such folder; a bundle was wanted.")
    return {path.relative_to(folder).as_posix(): path for path in _walk(folder)}


def sha256_of(path: str | Path) -> str:
    """SHA-256 of a file's content.

    Args:
        path: the file.

    Returns:
        64 hexadecimal digits in lower case.

    Raises:
        OSError: the file cannot be read.
    """
    digest = hashlib.sha256()
    with Path(path).open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _walk(folder: Path) -> Iterator[Path]:
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if entry.is_symlink():
                raise DataError(
                    entry.path, "this is a link; a bundle holds plain files only. Put the file itself there."
                )
            if entry.is_dir():
                yield from _walk(Path(entry.path))
            elif entry.is_file():
                yield Path(entry.path)
            else:
                raise DataError(entry.path, "this is neither a file nor a folder; remove it from the bundle.")


def _version(folder: Path) -> str:
    for path in (folder / "configs" / "metadata.json", folder / "metadata.json"):
        if path.is_file():
            version = json.loads(path.read_text(encoding="utf-8")).get("version")
            if isinstance(version, str):
                return version
            raise DataError(path, f'"version" is {version!r}; a text such as "0.1.0" was wanted.')
    raise DataError(folder, "there is no configs/metadata.json, which holds the bundle's version.")


def _listed(manifest: dict[str, Any]) -> list[tuple[str, int, str]]:
    rows = []
    for entry in manifest["files"]:
        if not isinstance(entry, dict) or not isinstance(entry.get("path"), str):
            raise DataError(MANIFEST_NAME, f"{MANIFEST_NAME} lists {entry!r}; {{path, bytes, sha256}} was wanted.")
        rows.append((entry["path"], entry.get("bytes", -1), entry.get("sha256", "")))
    return rows


def _doubled(names: list[str]) -> list[str]:
    return sorted(name for name, count in Counter(names).items() if count > 1)


def _changes(name: str, path: Path, size: int, digest: str) -> list[str]:
    found = path.stat().st_size
    if found != size:
        return [f"{name} was changed: {found} bytes here, {size} in {MANIFEST_NAME}."]
    actual = sha256_of(path)
    if actual != digest:
        return [f"{name} was changed: its SHA-256 is {actual[:12]}..., in {MANIFEST_NAME} {str(digest)[:12]}..."]
    return []
