"""What must not leave with a bundle: paths of a machine, and names and numbers of patients and cases.

Convention: everything found is told at once, each once a file, with its line; what the packer allows is named exactly.
"""

import pickletools
import re
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from monai_gi.errors import DataError

TEXT_SUFFIXES = (".json", ".md", ".conf", ".txt", ".py", ".csv", ".yaml", ".yml", "")
MAX_FILE_BYTES = 2_000_000_000

# Where an absolute path can begin: not inside a word, a URL or another path.
_START = r"(?<![\w.:/\\@#~-])"
_FOLDERS = "home|Users|root|mnt|media|data|tmp|var|srv|opt|work|scratch|Volumes|private|nfs|gpfs|lustre|etc|usr"


class Kind(NamedTuple):
    """One sort of thing that stays at home.

    Attributes:
        name: in messages, with its article.
        pattern: finds it in a text.
        repair: what to do about it.
    """

    name: str
    pattern: re.Pattern[str]
    repair: str


_NAME_IT = "Take it out, or let it pass by --allow"
KINDS = (
    Kind(
        "an absolute path",
        re.compile(
            rf"{_START}/(?:(?:{_FOLDERS})\b[\w.@+/-]*|[\w.@+-]+(?:/[\w.@+-]+)+)"
            r"|(?<![A-Za-z])[A-Za-z]:(?:\\+|/)[\w.@+-][\w.@+\\/-]*"
            r"|\\{2,4}[\w.-]+\\{1,2}[\w.$-]+[\w.@+\\-]*|file:/+[^\s'\"]+|(?<![\w/])~[\w.-]*/[\w.@+/-]+"
        ),
        "Write it relative to the bundle, or let it pass by --allow",
    ),
    Kind(
        "a case identifier",
        re.compile(r"(?<![A-Za-z])case[_-]?\d+(?:[_-]?day[_-]?\d+)?(?:[_-]slice[_-]?\d+)?", re.IGNORECASE),
        _NAME_IT,
    ),
    Kind(
        "a patient's attribute",
        re.compile(
            r"\b(?:Other)?Patient(?:'s|s)?[ _]?(?:Name|IDs?|Birth[ _]?(?:Date|Time|Name)|Address|Sex|Age|Comments)\b"
            r"[\"']?\s*[:=]\s*[\"']?[^\s\"',;})\]]+",
            re.IGNORECASE,
        ),
        _NAME_IT,
    ),
    Kind("a person's name as DICOM writes it", re.compile(r"(?<!\w)[^\W\d_]{2,}\^[^\W\d_]+(?:\^[^\W\d_]*)*"), _NAME_IT),
    Kind("a DICOM UID", re.compile(r"(?<![\w.])[0-2](?:\.(?:0|[1-9]\d*)){6,}(?![\w.])"), _NAME_IT),
)


def text_findings(where: str, text: str, allow: Sequence[str] = ()) -> list[DataError]:
    """Look through one text.

    Args:
        where: the file's path inside the bundle.
        text: its content.
        allow: found texts that may leave, exactly as they stand.

    Returns:
        One error for each different text, with the line where it stands first.
    """
    findings: dict[str, DataError] = {}
    for kind in KINDS:
        for match in kind.pattern.finditer(text):
            found = match.group()
            if found not in allow and found not in findings:
                line = text.count("\n", 0, match.start()) + 1
                findings[found] = DataError(f"{where}:{line}", f"'{found}' is {kind.name}. {kind.repair} '{found}'")
    return list(findings.values())


def folder_findings(folder: Path, allow: Sequence[str] = (), max_bytes: int = MAX_FILE_BYTES) -> list[DataError]:
    """Look through all that is about to leave: names of files, their sizes, and the texts in them.

    Args:
        folder: holds the packed bundle and nothing else, and has its name.
        allow: as for `text_findings`.
        max_bytes: the largest file that may leave.

    Returns:
        One error for each finding, file by file.
    """
    findings = text_findings("name of the bundle", folder.name, allow)
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        where = path.relative_to(folder).as_posix()
        findings += text_findings(f"name {where}", where, allow)
        size = path.stat().st_size
        if size > max_bytes:
            problem = f"{size / 1e6:g} MB, at most {max_bytes / 1e6:g} MB a file may leave"
            findings.append(DataError(where, f"{problem}. Take it out or raise --max-megabytes"))
        for name, text in _texts(path):
            findings += text_findings(f"{where}{name}", text, allow)
    return findings


def _texts(path: Path) -> Iterator[tuple[str, str]]:
    """The texts in a file: itself, or all members but the numbers of an archive of weights."""
    if path.suffix in TEXT_SUFFIXES:
        yield "", path.read_text(encoding="utf-8", errors="replace")
    elif zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if not _holds_numbers(name):
                    content = archive.read(name)
                    text = _strings(content) if name.endswith(".pkl") else content.decode("utf-8", "replace")
                    yield f" ({name})", text


def _holds_numbers(name: str) -> bool:
    """Whether a member of a PyTorch archive is the storage of a tensor."""
    return Path(name).parent.name in ("data", "constants") and Path(name).name.isdigit()


def _strings(pickled: bytes) -> str:
    """The texts in a pickle, one a line, without loading it."""
    return "\n".join(argument for _, argument, _ in pickletools.genops(pickled) if isinstance(argument, str))
