"""Unpack a zip from somebody unknown: every fault is found before a byte is written, and the folder comes whole.

Convention: a name in the archive is relative, with `/`, and means the same file on Linux, macOS and Windows. Sizes in
the headers are promises of the sender: they are checked first, and counted again while the content streams.
Source: APPNOTE.TXT 6.3.10 (PKWARE), sections 4.3 and 4.4.
"""

import os
import re
import shutil
import stat
import struct
import tempfile
import unicodedata
import zipfile
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from monai_gi.errors import DataError, DataErrors

UNSAFE_SIGNS = re.compile(r'[\x00-\x1f\x7f<>:"|?*]')
RESERVED = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|com[0-9\u00b9\u00b2\u00b3]|lpt[0-9\u00b9\u00b2\u00b3])", re.I)
END, END64, LOCATOR64 = b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"
LOCAL_HEADER_BYTES = 30
DEEPEST = 16
SMALL_BYTES = 1 << 20  # as much text as this may be as repetitive as it likes


class Limits(NamedTuple):
    """How much an archive may hold.

    Attributes:
        files: entries, folders included.
        total_bytes: of all unpacked content.
        ratio: unpacked bytes for a packed one, of an entry or of all together where they have more than 1 MiB.
    """

    files: int = 10_000
    total_bytes: int = 4 << 30
    ratio: float = 100.0


LIMITS = Limits()


def unpack_safely(zip_path: str | Path, folder: str | Path, limits: Limits = LIMITS) -> Path:
    """Unpack an archive into a new folder, or leave nothing at all.

    Args:
        zip_path: the archive.
        folder: must not exist yet; it appears in one step, when everything is unpacked.
        limits: what is accepted.

    Returns:
        The folder.

    Raises:
        DataErrors: every fault of the archive: names that leave the folder or mean another file elsewhere, links and
            special files, doubled names, encryption, more content than the limits.
        DataError: it is no zip, content does not agree with its header, or the folder is there already.
    """
    zip_path, folder = Path(zip_path), Path(folder)
    if os.path.lexists(folder):
        raise DataError(folder, "is there already; an archive is unpacked into a new folder only.")
    faults = zip_faults(zip_path, limits)
    if faults:
        raise DataErrors(zip_path, faults)
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".part", dir=folder.parent))
    try:
        with zipfile.ZipFile(zip_path) as archive:
            _write_all(zip_path, archive, part, limits)
        part.chmod(0o755)  # mkdtemp hides the folder from others
        part.rename(folder)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    return folder


def zip_faults(path: str | Path, limits: Limits = LIMITS, *, for_unpacking: bool = True) -> list[DataError]:
    """All that is wrong with an archive's directory; no content is read.

    Args:
        path: the archive.
        limits: what is accepted.
        for_unpacking: judge the names as names of files, too; no where the archive is only read (model.pt).

    Returns:
        One error an entry and fault; nothing for a plain archive.

    Raises:
        DataError: there is no such file, or it is no zip.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(path, "there is no such file; a zip archive was wanted.")
    try:
        _check_directory(path, limits)
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error) as error:
        raise DataError(path, f"is no plain zip archive ({error}). Get it again from its sender.") from error
    faults = [*_entry_faults(entries, limits, path.stat().st_size)]
    if for_unpacking:
        faults += [*_name_faults(entries), *_collisions([e for e in entries if not _name_problem(e.orig_filename)])]
    return faults


def _check_directory(path: Path, limits: Limits) -> None:
    """Require one directory at the very end, so that every reader of zips finds the same entries.

    Readers differ on archives with something before the first entry or behind the last: a file could then show one
    content to this check and another to PyTorch.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, size - 22))
        end = file.read(22)
        if len(end) < 22 or end[:4] != END or end[20:] != b"\0\0":
            raise ValueError("it does not end with a directory, or has a comment behind it")
        count, length, offset = struct.unpack("<HII", end[10:20])
        limit = size - 22
        file.seek(max(0, limit - 20))
        locator = file.read(20)
        if locator[:4] == LOCATOR64:
            limit -= 76
            file.seek(max(0, limit))
            record = file.read(56)
            wide = struct.unpack("<QQQ", record[32:56])
            narrow, unset = (count, length, offset), (0xFFFF, 2**32 - 1, 2**32 - 1)
            is_same = all(a in (b, c) for a, b, c in zip(narrow, wide, unset, strict=True))
            if record[:4] != END64 or struct.unpack("<Q", locator[8:16])[0] != limit or not is_same:
                raise ValueError("its two directories disagree")
            count, length, offset = wide
    if offset + length != limit:
        raise ValueError("its directory does not stand where it says")
    if count > limits.files or length > limits.files * 1024:
        raise ValueError(f"it lists {count} entries; {limits.files} are accepted")


def _entry_faults(entries: Sequence[zipfile.ZipInfo], limits: Limits, size: int) -> Iterator[DataError]:
    """Faults of the headers: doubled, encrypted, special, overlapping, too large."""
    for name, count in Counter(entry.filename for entry in entries).items():
        if count > 1:
            yield DataError(_shown(name), f"stands {count} times in the archive; once was wanted.")
    for entry in entries:
        yield from (DataError(_shown(entry.orig_filename), problem) for problem in _header_problems(entry, limits))
    total = sum(entry.file_size for entry in entries)
    if total > limits.total_bytes:
        yield DataError("all entries", f"unpack to {total} bytes; {limits.total_bytes} are accepted.")
    if problem := _ratio_problem(total, size, limits):
        yield DataError("all entries", f"unpack to {problem}")
    if len(entries) > limits.files:
        yield DataError("all entries", f"are {len(entries)}; {limits.files} are accepted.")
    ordered = sorted(entries, key=lambda entry: entry.header_offset)
    for entry, following in zip(ordered, [entry.header_offset for entry in ordered[1:]] + [size], strict=True):
        if entry.header_offset + LOCAL_HEADER_BYTES + entry.compress_size > following:
            yield DataError(_shown(entry.orig_filename), "overlaps the next entry, as in a zip bomb.")
    if ordered and ordered[0].header_offset != 0:
        yield DataError("the archive", "does not begin with its first entry; something was put before it.")


def _header_problems(entry: zipfile.ZipInfo, limits: Limits) -> Iterator[str]:
    kind = stat.S_IFMT(entry.external_attr >> 16)
    is_folder = entry.filename.endswith("/")
    if stat.S_ISLNK(kind):
        yield "is a link; only plain files are accepted."
    elif kind not in (0, stat.S_IFREG, stat.S_IFDIR) or (kind == stat.S_IFDIR) > is_folder:
        yield "is a special file; only plain files are accepted."
    if is_folder and entry.file_size:
        yield "is a folder with content."
    if entry.flag_bits & 0x41:
        yield "is encrypted; an archive without a password was wanted."
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        yield f"is compressed with method {entry.compress_type}; stored or deflated was wanted."
    if problem := _ratio_problem(entry.file_size, entry.compress_size, limits):
        yield f"unpacks to {problem}"


def _ratio_problem(unpacked: int, packed: int, limits: Limits) -> str:
    """How much larger content becomes than a sender of plain files can make it; "" where it does not."""
    ratio = unpacked / max(1, packed)
    if unpacked <= SMALL_BYTES or ratio <= limits.ratio:
        return ""
    return f"{ratio:.0f} times the packed size; {limits.ratio:.0f} times are accepted."


def _name_faults(entries: Sequence[zipfile.ZipInfo]) -> Iterator[DataError]:
    for entry in entries:
        problem = _name_problem(entry.orig_filename)
        if problem:
            yield DataError(_shown(entry.orig_filename), problem)


def _name_problem(name: str) -> str:
    """The first reason why a name may not be unpacked; "" where it may."""
    if name.startswith("/"):
        return "is an absolute name; a name inside the bundle was wanted."
    if re.match(r"[A-Za-z]:", name):
        return "begins with a drive letter; a name inside the bundle was wanted."
    if "\\" in name:
        return "has a backslash; folders are separated by / in a zip."
    if UNSAFE_SIGNS.search(name):
        return "has a control character or a sign that Windows does not allow in names."
    if len(name) > 400:
        return f"has {len(name)} characters; that is too long for a file."
    if name.count("/") > DEEPEST:
        return f"lies below {name.count('/')} folders; {DEEPEST} are accepted."
    return next(filter(None, map(_part_problem, name.removesuffix("/").split("/"))), "")


def _part_problem(part: str) -> str:
    if part == "..":
        return "leads out of the folder with ..; a name inside the bundle was wanted."
    if part in ("", "."):
        return "has an empty part or a part '.'; a plain name was wanted."
    if len(part.encode()) > 200:
        return f"has a part of {len(part)} characters; that is too long for a file."
    if part[-1] in ". ":
        return f"has the part {part!r}, of which Windows drops the last sign."
    if RESERVED.fullmatch(part.split(".")[0].strip()):
        return f"has the part {part!r}, which is a device on Windows."
    return ""


def _collisions(entries: Sequence[zipfile.ZipInfo]) -> Iterator[DataError]:
    """Names that are one file where case or Unicode's forms do not count, and files that are folders as well."""
    spellings: dict[str, set[str]] = defaultdict(set)
    folders: set[str] = set()
    for entry in entries:
        path = PurePosixPath(entry.filename)
        for part in (path, *path.parents):
            spellings[unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", str(part)).casefold())].add(str(part))
        folders.update(map(str, path.parents))
    for names in spellings.values():
        if len(names) > 1:
            shown = " and ".join(_shown(name) for name in sorted(names))
            yield DataError(shown, "are one name where upper and lower case, or forms of Unicode, are the same.")
    for entry in entries:
        if entry.filename in folders:
            yield DataError(_shown(entry.filename), "is a file and a folder at once.")


def _write_all(zip_path: Path, archive: zipfile.ZipFile, folder: Path, limits: Limits) -> None:
    left = limits.total_bytes
    for entry in archive.infolist():
        path = folder.joinpath(*PurePosixPath(entry.filename).parts)
        if entry.is_dir():
            path.mkdir(parents=True, exist_ok=True)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            left -= _write_one(archive, entry, path, left)
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
            where = f"{zip_path}: {_shown(entry.filename)}"
            raise DataError(where, f"cannot be unpacked as its header says ({error}). Get the file again.") from error


def _write_one(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path, left: int) -> int:
    """Stream one entry into a file that must be new; the bytes are counted, whatever the header promised."""
    count = 0
    with archive.open(entry) as source, path.open("xb") as target:
        while block := source.read(1 << 20):
            count += len(block)
            if count > min(left, entry.file_size):
                raise zipfile.BadZipFile("more content than promised")
            target.write(block)
    if count != entry.file_size:
        raise zipfile.BadZipFile(f"{count} bytes instead of {entry.file_size}")
    return count


def _shown(name: str) -> str:
    """A hostile name for a message: no control characters, not longer than a line."""
    shown = ascii(name)
    return shown if len(shown) <= 100 else shown[:97] + "..."
