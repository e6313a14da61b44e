"""`monai-gi pack`: one zip in the layout of the model zoo, which leaves only when nothing in it must stay at home.

Convention: one folder, named as the bundle: `configs/ models/model.pt models/model.ts docs/README.md LICENSE
manifest.json`. Times inside are fixed; the zip is whole or absent.
"""

import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import torch
from monai.bundle import ConfigParser

from monai_gi.atomic_file import write_atomically
from monai_gi.errors import DataError, DataErrors
from monai_gi.sharing import torchscript
from monai_gi.sharing.manifest import sha256_of, sign_manifest, write_manifest
from monai_gi.sharing.packed_metadata import packed_metadata, packed_readme, score_facts, training_facts
from monai_gi.sharing.plain_monai import packed_training, plain_inference
from monai_gi.sharing.plain_weights import Weights, plain_weights_file, read_plain_weights
from monai_gi.sharing.privacy import MAX_FILE_BYTES, folder_findings, text_findings
from monai_gi.sharing.run_overrides import as_trained

CONFIGS = ("train.json", "evaluate.json", "multi_gpu_train.json")
T = TypeVar("T")


def pack(
    bundle_dir: str | Path,
    weights: str | Path,
    output: str | Path,
    *,
    sign: str | Path | None = None,
    allow: Sequence[str] = (),
    max_bytes: int = MAX_FILE_BYTES,
    version: str | None = None,
    scores: str | Path | None = None,
    overwrite: bool = False,
) -> Path:
    """Pack a bundle with its weights for others.

    Args:
        bundle_dir: a flat bundle, `bundles/<name>`; its configs are evaluated. LICENSE is taken from it, or from the
            repository's root two folders above.
        weights: the plain state dict of a run, `RUN/model.pt` or safetensors. `settings.json` beside it gives the
            training facts, and what the run's command line changed about the network.
        output: the zip to write.
        sign: private Ed25519 key, PEM.
        allow: texts that look like identifiers or paths and may leave all the same, exactly as they stand.
        max_bytes: the largest file that may leave.
        version: of the packed bundle; the bundle's own when None.
        scores: summary.json of an evaluation; `RUN/evaluation/summary.json` when None, where it is there.
        overwrite: replace an existing zip; else it is refused.

    Returns:
        The zip.

    Raises:
        DataError: the bundle is incomplete, or the zip exists.
        DataErrors: everything that must not leave, or does not work, at once.
    """
    bundle_dir, weights, output = Path(bundle_dir), Path(weights), Path(output)
    if output.suffix != ".zip":
        raise DataError(output, f"a packed bundle is a zip. Name it {output.name}.zip")
    if output.exists() and not overwrite:
        raise DataError(output, "is there already. Give the bundle another version and name, or --overwrite")
    bundle = read_bundle(bundle_dir, weights.parent / "settings.json")
    if (kind := bundle.configs["inference.json"].get("input", "slices")) != "slices":
        problem = f"takes {kind}; only bundles of slices can be packed so that plain MONAI gives the same masks"
        raise DataError(bundle_dir, f"{problem}. Pass on the folder and {weights.name}, for predict --weights")
    problems = _Problems()
    with TemporaryDirectory(prefix="monai-gi-pack-") as place:
        folder = Path(place) / bundle.name
        _fill(folder, bundle, problems, weights=weights, version=version, scores=scores)
        problems.found += text_findings("name of the bundle", bundle.name, allow)
        problems.found += folder_findings(folder, allow, max_bytes)
        if problems.found:
            raise DataErrors(bundle_dir, problems.found)
        write_manifest(folder)
        if sign is not None:
            sign_manifest(folder, sign)
        write_atomically(output, lambda file: _write_zip(folder, file))
    return output


@dataclass(frozen=True)
class FlatBundle:
    """The files of `bundles/<name>`, read.

    Attributes:
        folder: where they stand.
        name: of the bundle.
        configs: JSON by file name: inference.json, metadata.json and `CONFIGS`.
        texts: logging.conf, docs/README.md and LICENSE.
    """

    folder: Path
    name: str
    configs: dict[str, dict[str, Any]]
    texts: dict[str, str]


def read_bundle(folder: Path, settings_file: Path) -> FlatBundle:
    """Read what is to be packed.

    Args:
        folder: `bundles/<name>`.
        settings_file: of the run, see `as_trained`.

    Returns:
        All its files; configs as the run had them.

    Raises:
        DataError: there is no such folder.
        DataErrors: files are missing or no JSON.
    """
    if not folder.is_dir():
        raise DataError(folder, "no such folder. A bundle to pack is a folder of bundles/, such as bundles/segformer")
    problems = _Problems()
    configs = {
        name: problems.attempt(_read_json, folder / name) for name in ("inference.json", "metadata.json", *CONFIGS)
    }
    places = {"logging.conf": folder / "logging.conf", "docs/README.md": folder / "docs" / "README.md"}
    own = folder / "LICENSE"
    places["LICENSE"] = own if own.is_file() else folder.resolve().parent.parent / "LICENSE"
    texts = {name: problems.attempt(_read_text, path) for name, path in places.items()}
    if problems.found:
        raise DataErrors(folder, problems.found)
    return FlatBundle(
        folder,
        folder.resolve().name,
        {name: as_trained(config, settings_file) for name, config in configs.items() if config is not None},
        {name: text for name, text in texts.items() if text is not None},
    )


@dataclass
class _Problems:
    """Faults, gathered."""

    found: list[DataError] = field(default_factory=list)

    def attempt(self, step: Callable[..., T], *args: Any) -> T | None:
        """What the step returns, or None where it found faults."""
        try:
            return step(*args)
        except DataError as error:
            self.found += error.problems
        return None


def _fill(
    folder: Path,
    bundle: FlatBundle,
    problems: _Problems,
    *,
    weights: Path,
    version: str | None,
    scores: str | Path | None,
) -> None:
    """Write all files of the packed bundle that can be made; what stands in the way goes to `problems`."""
    where = bundle.folder / "inference.json"
    state = problems.attempt(read_plain_weights, weights)
    config = problems.attempt(plain_inference, bundle.configs["inference.json"], where)
    metadata = dict(bundle.configs["metadata.json"])
    if config is not None:
        metadata = packed_metadata(metadata, config, version)
    metadata |= problems.attempt(_facts, weights, scores) or {}
    texts = {
        **{f"configs/{name}": _to_json(packed_training(bundle.configs[name])) for name in CONFIGS},
        "configs/metadata.json": _to_json(metadata),
        "configs/logging.conf": bundle.texts["logging.conf"],
        "docs/README.md": packed_readme(bundle.texts["docs/README.md"], bundle.name, metadata),
        "LICENSE": bundle.texts["LICENSE"],
    }
    if config is not None:
        texts["configs/inference.json"] = _to_json(config)
    for name, text in texts.items():
        _write(folder / name, text.encode())
    if state is not None:
        _write(folder / "models" / "model.pt", plain_weights_file(state))
    if state is not None and config is not None:
        script = problems.attempt(_proved_script, bundle, config, metadata, state)
        if script is not None:
            extra = {name: texts[f"configs/{name}"] for name in ("metadata.json", "inference.json")}
            _write(folder / "models" / "model.ts", torchscript.with_extra_files(script, extra))


def _facts(weights: Path, scores: str | Path | None) -> dict[str, Any]:
    if scores is None:
        beside = weights.parent / "evaluation" / "summary.json"
        scores = beside if beside.is_file() else None
    numbers, evaluation = score_facts(None if scores is None else Path(scores))
    digest = sha256_of(weights) if weights.is_file() else ""
    facts = {"eval_metrics": numbers, "training": training_facts(weights.parent / "settings.json", digest)}
    return facts | ({"evaluation": evaluation} if evaluation else {})


def _proved_script(bundle: FlatBundle, config: Mapping[str, Any], metadata: Mapping[str, Any], state: Weights) -> bytes:
    """TorchScript of the packed, package-free network, compared with the bundle's own."""
    eager = _network(bundle.configs["inference.json"], state, bundle.folder / "inference.json")
    plain = _network(config, state, "configs/inference.json")
    channels, roi_size = len(config["slice_offsets"]), config["roi_size"]
    script = torchscript.trace(plain, (1, channels, *roi_size))
    sizes = [*torchscript.claimed_sizes(metadata), *((batch, channels, *roi_size) for batch in torchscript.BATCHES)]
    found = torchscript.largest_differences(torchscript.load(script), eager, list(dict.fromkeys(sizes)))
    problems = [
        DataError(
            "models/model.ts",
            f"differs from the eager network by {difference:.2g} on input {list(size)}, {torchscript.TOLERANCE:g} may "
            "be. Claim only sizes in metadata.json on which TorchScript is right, such as roi_size",
        )
        for size, difference in found.items()
        if difference > torchscript.TOLERANCE
    ]
    if torchscript.names_a_device(script):
        problems.append(DataError("models/model.ts", "names the device of its recording, so that no other can run it"))
    if problems:
        raise DataErrors("models/model.ts", problems)
    return script


def _network(config: Mapping[str, Any], state: Weights, where: str | Path) -> torch.nn.Module:
    network = ConfigParser(dict(config)).get_parsed_content("network_def").eval()
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        lines = " ".join(str(error).split())[:300]
        raise DataError(
            where, f"the weights do not fit its network_def: {lines}. Give the settings of the run"
        ) from error
    return network


def _write_zip(folder: Path, file: Any) -> None:
    with zipfile.ZipFile(file, "w") as archive:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(path.relative_to(folder.parent).as_posix(), torchscript.EPOCH)
            entry.external_attr = 0o100644 << 16
            is_archive = path.suffix in (".pt", ".ts")
            entry.compress_type = zipfile.ZIP_STORED if is_archive else zipfile.ZIP_DEFLATED
            archive.writestr(entry, path.read_bytes())


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        return json.loads(_read_text(path))
    except json.JSONDecodeError as error:
        raise DataError(f"{path}:{error.lineno}", f"not JSON: {error.msg}") from error


def _read_text(path: Path) -> str:
    if not path.is_file():
        raise DataError(path, "no such file. A bundle to pack is a folder of bundles/, as `monai-gi` renders it")
    return path.read_text(encoding="utf-8")


def _to_json(content: Any) -> str:
    return json.dumps(content, indent=4, ensure_ascii=False) + "\n"
