"""Look into files of weights without loading them: the pickles of PyTorch, the code of TorchScript, safetensors.

Convention: a pickle is a list of opcodes that can name any function; only the names that weights need are accepted,
as by `torch.load(weights_only=True)`. TorchScript cannot call Python, but it can read and write files: only operators
that compute are accepted. Source: pickletools; torch/_weights_only_unpickler.py; torch/csrc/jit/serialization.
"""

import json
import pickletools
import re
import zipfile
import zlib
from collections.abc import Sequence, Set
from pathlib import Path

from monai_gi.errors import DataError
from monai_gi.sharing.allow_list import PICKLE_GLOBALS, SCRIPT_PICKLE_GLOBALS
from monai_gi.sharing.archive import zip_faults
from monai_gi.sharing.findings import WRONG, Finding
from monai_gi.sharing.script_inspection import script_problems

NAMING = ("STACK_GLOBAL", "INST", "OBJ", "NEWOBJ_EX", "EXT1", "EXT2", "EXT4", "PERSID")
JUDGED_SUFFIXES = (".py", ".pkl", ".json")
LARGEST_JUDGED_BYTES = 2 << 20  # all code, pickles and configs of an archive; a network of 600 MB has 300 kB of them
LARGEST_HEADER_BYTES = 2 << 20
SCRIPT_TYPES, SCRIPT_CLASSES = "__torch__.", "__torch__.torch.classes"
OUTSIDE = "outside the allow-list"
# PyTorch looks its entries up without regard to case, and its readers know older formats, too: code and pickles count
# only under the names that torch.save and torch.jit.save write today, so that no other entry can stand in for them.
WEIGHTS_ENTRIES = re.compile(
    r"data\.pkl|data/\d+|(\.data/)?version|byteorder|\.format_version|\.storage_alignment|\.data/serialization_id"
)
SCRIPT_ENTRIES = re.compile(
    WEIGHTS_ENTRIES.pattern
    + r"|constants\.pkl|constants/\d+|code/\w+(/\w+)*\.py(\.debug_pkl)?|extra/[a-z0-9_][a-z0-9_.-]*"
    + r"|traced_inputs\.pkl|traced_inputs/\d+"
)


def inspect_weights(file: str, path: Path) -> list[Finding]:
    """Judge a PyTorch file of weights (model.pt).

    Args:
        file: its name in the bundle.
        path: the file.

    Returns:
        What is wrong: another format, or pickles that name more than tensors.
    """
    archive, findings = _open(file, path)
    if archive is None:
        return findings
    with archive:
        names = archive.namelist()
        if not any(name.rpartition("/")[2] == "data.pkl" for name in names):
            findings.append(Finding(WRONG, file, "has no data.pkl; a file written by torch.save was wanted."))
        if any("/code/" in name for name in names):
            findings.append(Finding(WRONG, file, "holds TorchScript, but is named as a file of weights."))
        findings += _entry_findings(file, names, WEIGHTS_ENTRIES, "a file of weights")
        for name in names:
            if name.endswith(".pkl"):
                findings += _pickle_findings(file, archive, name, PICKLE_GLOBALS)
    return findings


def inspect_script(file: str, path: Path) -> tuple[list[Finding], dict[str, bytes]]:
    """Judge a TorchScript archive (model.ts).

    Args:
        file: its name in the bundle.
        path: the file.

    Returns:
        What is wrong, and the configs inside (`extra/*.json`, which MONAI Deploy reads) by name.
    """
    archive, findings = _open(file, path)
    configs: dict[str, bytes] = {}
    if archive is None:
        return findings, configs
    with archive:
        names = archive.namelist()
        if not any("/code/" in name for name in names):
            findings.append(Finding(WRONG, file, "holds no TorchScript; a file written by torch.jit.save was wanted."))
        findings += _entry_findings(file, names, SCRIPT_ENTRIES, "TorchScript")
        sources = {name: _read(archive, name) for name in names if name.endswith(".py")}
        findings += [
            Finding(WRONG, f"{file}#{name}", f"{text} ({OUTSIDE}).") for name, text in script_problems(sources)
        ]
        configs = {f"{file}#{name}": _read(archive, name) for name in names if name.endswith(".json")}
        for name in names:
            if name.rpartition("/")[2] == "bytecode.pkl":
                findings.append(Finding(WRONG, file, f"holds {name}, code of the mobile format, which is not checked."))
            elif name.endswith(".pkl"):
                findings += _pickle_findings(file, archive, name, SCRIPT_PICKLE_GLOBALS)
    return findings, configs


def inspect_safetensors(file: str, path: Path) -> list[Finding]:
    """Judge a safetensors file by its header; the format holds no code.

    Args:
        file: its name in the bundle.
        path: the file.

    Returns:
        What is wrong with it.
    """
    with path.open("rb") as content:
        length = int.from_bytes(content.read(8), "little")
        header = content.read(length) if length <= LARGEST_HEADER_BYTES else b""
    try:
        is_header = isinstance(json.loads(header), dict)
    except (ValueError, RecursionError):
        is_header = False
    return [] if is_header else [Finding(WRONG, file, "is no safetensors file: its header cannot be read.")]


def pickle_problems(data: bytes, allowed: Set[str]) -> list[str]:
    """What a pickle names outside a list; it is read opcode by opcode and never run.

    Args:
        data: the pickle.
        allowed: full names of functions and classes; names under `__torch__.` are TorchScript's own types and are
            allowed where `torch.jit._pickle.*` is.

    Returns:
        One phrase a name or opcode.
    """
    problems: dict[str, None] = {}
    try:
        for opcode, argument, _ in pickletools.genops(data):
            if opcode.name == "GLOBAL":
                name = str(argument).replace(" ", ".", 1)
                is_script_type = name.startswith(SCRIPT_TYPES) and not name.startswith(SCRIPT_CLASSES)
                if name not in allowed and not (is_script_type and allowed is SCRIPT_PICKLE_GLOBALS):
                    problems[f"names {name}"] = None
            elif opcode.name in NAMING:
                problems[f"uses the opcode {opcode.name}, which weights do not need"] = None
    except Exception as error:  # pickletools raises whatever broken data leads it to
        problems[f"is no complete pickle ({error})"] = None
    return list(problems)


def _open(file: str, path: Path) -> tuple[zipfile.ZipFile | None, list[Finding]]:
    """The archive, or what is wrong with it."""
    with path.open("rb") as content:
        start = content.read(4)
    if start != b"PK\x03\x04":
        problem = "is no zip archive as PyTorch writes since 1.6; an older pickle can run anything. Save it again."
        return None, [Finding(WRONG, file, problem)]
    try:
        faults = zip_faults(path, for_unpacking=False)
    except DataError as error:
        return None, [Finding(WRONG, file, error.problem)]
    if faults:
        return None, [Finding(WRONG, file, f"{fault.where} {fault.problem}") for fault in faults]
    archive = zipfile.ZipFile(path)
    judged = sum(entry.file_size for entry in archive.infolist() if entry.filename.endswith(JUDGED_SUFFIXES))
    if judged > LARGEST_JUDGED_BYTES:
        archive.close()
        problem = f"holds {judged} bytes of code, pickles and configs; {LARGEST_JUDGED_BYTES} are judged at most."
        return None, [Finding(WRONG, file, problem)]
    return archive, []


def _entry_findings(file: str, names: Sequence[str], known: re.Pattern[str], what: str) -> list[Finding]:
    """Entries that the format does not have, below one folder."""
    roots = {name.partition("/")[0] for name in names}
    findings = [Finding(WRONG, file, f"has {len(roots)} folders at its top; one was wanted.")] if len(roots) > 1 else []
    unknown = [name for name in names if not known.fullmatch(name.partition("/")[2])]
    return findings + [
        Finding(WRONG, f"{file}#{name}", f"is no part of {what} as PyTorch writes it today.") for name in unknown
    ]


def _read(archive: zipfile.ZipFile, name: str) -> bytes:
    """One entry; b"" where its content disagrees with its header, which no judge accepts."""
    try:
        return archive.read(name)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError):
        return b""


def _pickle_findings(file: str, archive: zipfile.ZipFile, name: str, allowed: Set[str]) -> list[Finding]:
    problems = pickle_problems(_read(archive, name), allowed)
    return [Finding(WRONG, f"{file}#{name}", f"{problem} ({OUTSIDE}).") for problem in problems]
