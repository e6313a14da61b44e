"""`monai-gi inspect`: what is in a shared bundle, before anything of it runs.

Convention: nothing is imported, evaluated or unpickled here. `wrong` findings stop a bundle (exit code 1 and no
`predict` without `--trust`), notes do not.
"""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from monai_gi.errors import DataError, DataErrors
from monai_gi.sharing.archive import unpack_safely
from monai_gi.sharing.bundle_facts import Claims, claims_of, fact_findings
from monai_gi.sharing.config_files import CONFIG_SUFFIXES, LARGEST_CONFIG_BYTES
from monai_gi.sharing.config_inspection import Executed, inspect_configs, inspect_logging
from monai_gi.sharing.file_kinds import hidden_archive_findings, kind_findings
from monai_gi.sharing.findings import NOTE, WRONG, Finding
from monai_gi.sharing.inspection_report import report_lines
from monai_gi.sharing.manifest import MANIFEST_NAME, bundle_files, read_manifest, verify_manifest
from monai_gi.sharing.signature import SIGNATURE_NAME, UNSIGNED, Signature, verify_signature
from monai_gi.sharing.weights_inspection import inspect_safetensors, inspect_script, inspect_weights

LOGGING_SUFFIXES = (".conf", ".cfg", ".ini")
PICKLE_SUFFIXES = (".pt", ".pth", ".ckpt", ".bin")
SCRIPT_SUFFIX = ".ts"
LARGEST_CONFIGS_BYTES = 4 << 20


@dataclass(frozen=True)
class Inspection:
    """What was found in a bundle; `str()` is the report.

    Attributes:
        path: the zip or folder.
        claims: what the bundle says about itself.
        executed: every expression and import of its configs.
        findings: everything wrong, then everything to be known.
        files: number of files.
        manifest: whether there is a manifest that was compared.
        signature: who signed it.
    """

    path: Path
    claims: Claims
    executed: tuple[Executed, ...] = ()
    findings: tuple[Finding, ...] = ()
    files: int = 0
    manifest: bool = False
    signature: Signature = UNSIGNED

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.wrong

    @property
    def wrong(self) -> tuple[Finding, ...]:
        """The findings that stop the bundle."""
        return tuple(finding for finding in self.findings if finding.severity == WRONG)

    def __str__(self) -> str:
        return self.report()

    def report(self, *, brief: bool = False) -> str:
        """What was found, in words.

        Args:
            brief: count what the configs execute inside the allow-list instead of listing it.

        Returns:
            Lines, the verdict among the first and the last.
        """
        return "\n".join(report_lines(self, brief=brief))


class Opened(NamedTuple):
    """A bundle's folder and what was found in it.

    Attributes:
        root: the folder with `configs/`, or a flat bundle's folder.
        contents: parsed configs by file name.
        inspection: the findings.
    """

    root: Path
    contents: dict[str, Any]
    inspection: Inspection


def inspect(path: str | Path, *, public_key: str | Path | None = None) -> Inspection:
    """Inspect a packed bundle or a folder; nothing of it runs.

    Args:
        path: a packed `.zip`, its unpacked folder, or a flat folder of `bundles/`.
        public_key: PEM file with the key that you trust; None tells only whether somebody signed.

    Returns:
        The findings; a hostile archive is a finding, too.

    Raises:
        DataError: there is no such file or folder, or the public key cannot be used.
    """
    path = Path(path)
    if not path.exists():
        raise DataError(path, "there is no such bundle; a packed .zip or a folder was wanted.")
    with tempfile.TemporaryDirectory(prefix="monai-gi-inspect-") as place:
        try:
            root = bundle_root(path, Path(place))
        except DataErrors as errors:
            return Inspection(path, Claims(), findings=tuple(_finding(error) for error in errors.problems))
        except DataError as error:
            return Inspection(path, Claims(), findings=(Finding(WRONG, path.name, error.problem),))
        return inspect_folder(root, path, public_key=public_key).inspection


def bundle_root(path: Path, place: Path) -> Path:
    """The folder of a bundle; an archive is unpacked.

    Args:
        path: a zip or a folder.
        place: existing folder that an archive is unpacked below.

    Returns:
        The folder itself, or the one folder at the top of the archive.

    Raises:
        DataError: the archive must not be unpacked.
    """
    if path.is_dir():
        return path
    folder = unpack_safely(path, place / "unpacked")
    entries = list(folder.iterdir())
    return entries[0] if len(entries) == 1 and entries[0].is_dir() else folder


def inspect_folder(root: Path, path: Path, *, public_key: str | Path | None = None) -> Opened:
    """Inspect a bundle's folder.

    Args:
        root: the folder.
        path: what the user named, for the report.
        public_key: as for `inspect`.

    Returns:
        The findings, and the parsed configs.

    Raises:
        DataError: the public key cannot be used.
    """
    try:
        files = bundle_files(root)
    except DataError as error:
        finding = Finding(WRONG, Path(error.where).name, error.problem)
        return Opened(root, {}, Inspection(path, Claims(), findings=(finding,)))
    is_packed = (root / "configs").is_dir()
    if not {"inference.json", "configs/inference.json", "train.json", "configs/train.json"} & set(files):
        problem = "here is no bundle: a folder or zip with metadata.json and inference.json or train.json was wanted."
        return Opened(root, {}, Inspection(path, Claims(), findings=(Finding(WRONG, path.name, problem),)))
    findings: list[Finding] = []
    has_manifest = MANIFEST_NAME in files
    if is_packed or has_manifest or not path.is_dir():  # a zip of any layout was packed for others
        findings += [Finding(WRONG, MANIFEST_NAME, problem) for problem in verify_manifest(root)]
    signature = _checked_signature(root, has_manifest, public_key, findings)
    report = inspect_configs(_configs(files, findings))
    findings += report.findings
    folder = "configs/" if is_packed else ""
    metadata = report.contents.get(f"{folder}metadata.json")
    findings += fact_findings(f"{folder}metadata.json", metadata)
    if f"{folder}inference.json" not in files:
        findings.append(Finding(WRONG, f"{folder}inference.json", "is not there; a bundle for prediction has one."))
    claims = claims_of(metadata, _name(root, has_manifest))
    ordered = sorted(dict.fromkeys(findings), key=lambda finding: finding.severity != WRONG)
    inspection = Inspection(path, claims, report.executed, tuple(ordered), len(files), has_manifest, signature)
    return Opened(root, report.contents, inspection)


def _configs(files: Mapping[str, Path], findings: list[Finding]) -> dict[str, bytes]:
    """The configs of a bundle, those inside TorchScript among them; what is wrong with other files is found on the way.

    A bundle of more and larger configs than anybody writes gets none of them judged, and a finding.
    """
    configs: dict[str, bytes] = {}
    for name, file in files.items():
        findings += _file_findings(name, file, configs)
        if not name.lower().endswith((*PICKLE_SUFFIXES, SCRIPT_SUFFIX)):
            findings += hidden_archive_findings(name, file)
        if sum(map(len, configs.values())) > LARGEST_CONFIGS_BYTES:
            text = f"all configs together have more than the {LARGEST_CONFIGS_BYTES} bytes that are judged."
            findings.append(Finding(WRONG, name, text))
            return {}
    return configs


def _file_findings(name: str, path: Path, configs: dict[str, bytes]) -> list[Finding]:
    """What is wrong with one file; configs, those inside TorchScript too, go to `configs`, to be judged together."""
    suffix = Path(name).suffix.lower()
    if name in (MANIFEST_NAME, SIGNATURE_NAME):
        return []
    if suffix in CONFIG_SUFFIXES:
        configs[name] = _content(path)
        return []
    if suffix in LOGGING_SUFFIXES:
        return inspect_logging(name, _content(path))
    if suffix in PICKLE_SUFFIXES:
        return inspect_weights(name, path)
    if suffix == ".safetensors":
        return inspect_safetensors(name, path)
    if suffix == SCRIPT_SUFFIX:
        findings, inside = inspect_script(name, path)
        configs.update(inside)
        return findings
    return kind_findings(name, path)


def _content(path: Path) -> bytes:
    """A small file; of a larger one enough to be refused for its size."""
    with path.open("rb") as file:
        return file.read(LARGEST_CONFIG_BYTES + 1)


def _checked_signature(root: Path, has_manifest: bool, key: str | Path | None, findings: list[Finding]) -> Signature:
    if not has_manifest:
        if key is not None:
            findings.append(Finding(WRONG, SIGNATURE_NAME, "there is no manifest that the key you named could sign."))
        return UNSIGNED
    signature = verify_signature(root, key)
    if signature.problem:
        findings.append(Finding(WRONG if signature.checked else NOTE, SIGNATURE_NAME, signature.problem))
    return signature


def _name(root: Path, has_manifest: bool) -> str:
    """The bundle's short name: from its manifest where that is a plain name, else the folder's."""
    try:
        name = read_manifest(root).get("bundle") if has_manifest else None
    except DataError:
        name = None
    return name if isinstance(name, str) and name.replace("-", "_").isidentifier() else root.resolve().name


def _finding(error: DataError) -> Finding:
    return Finding(WRONG, error.where, error.problem)
