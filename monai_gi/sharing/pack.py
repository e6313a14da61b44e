"""`monai-gi pack`: one zip in the layout of the model zoo, which leaves only when nothing in it must stay at home.

Convention: one folder, named as the bundle: `configs/ models/model.pt models/model.ts docs/README.md LICENSE
manifest.json`. Times inside are fixed; the zip is whole or absent.
"""

import hashlib
import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from monai.bundle import ConfigParser

from monai_gi.atomic_file import write_atomically
from monai_gi.errors import DataError, DataErrors
from monai_gi.inferers import FrameInferer
from monai_gi.network_digest import weights_digest
from monai_gi.sharing import torchscript
from monai_gi.sharing.archive import LIMITS
from monai_gi.sharing.findings import WRONG, Finding, printable
from monai_gi.sharing.flat_bundle import CONFIGS, FlatBundle, Problems, read_bundle
from monai_gi.sharing.inspection import inspect_folder
from monai_gi.sharing.manifest import bundle_files, sign_manifest, write_manifest
from monai_gi.sharing.packed_metadata import packed_metadata, packed_readme, score_facts, training_facts
from monai_gi.sharing.plain_monai import KINDS, input_of, packed_training, plain_inference
from monai_gi.sharing.plain_weights import Weights, plain_weights_file, read_plain_weights
from monai_gi.sharing.privacy import MAX_FILE_BYTES, folder_findings

MODEL = "models/model.pt"
NO_SCORES = "none"


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
        scores: summary.json of an evaluation of these weights; `RUN/evaluation/summary.json` when None, where it is
            there; "none" packs no scores.
        overwrite: replace an existing zip; else it is refused.

    Returns:
        The zip.

    Raises:
        DataError: the bundle is incomplete, or the zip exists.
        DataErrors: everything that must not leave, or does not work, at once.
    """
    bundle_dir, weights, output = Path(bundle_dir), Path(weights), Path(output)
    _require_new_zip(output, overwrite=overwrite)
    bundle = _packable(bundle_dir, weights)
    with TemporaryDirectory(prefix="monai-gi-pack-") as place:
        folder = Path(place) / bundle.name
        problems = _fill(folder, bundle, weights=weights, version=version, scores=scores)
        problems = (problems or _findings_of_receivers(folder)) + folder_findings(folder, allow, max_bytes)
        if problems:
            raise DataErrors(bundle_dir, problems)
        if sign is not None:
            sign_manifest(folder, sign)
        write_atomically(output, lambda file: _write_zip(folder, file))
    return output


def _require_new_zip(output: Path, *, overwrite: bool) -> None:
    if output.suffix != ".zip":
        raise DataError(output, f"a packed bundle is a zip. Name it {output.name}.zip")
    if output.exists() and not overwrite:
        raise DataError(output, "is there already. Give the bundle another version and name, or --overwrite")


def _packable(bundle_dir: Path, weights: Path) -> FlatBundle:
    """The bundle's files, where it is of a kind that plain MONAI can run."""
    bundle = read_bundle(bundle_dir, weights.parent / "settings.json")
    if (kind := input_of(bundle.configs["inference.json"])) not in KINDS:
        problem = f"takes {kind}; only bundles of {' and '.join(KINDS)} can be packed so that plain MONAI runs them"
        raise DataError(bundle_dir, f"{problem}. Pass on the folder and {weights.name}, for predict --weights")
    return bundle


def _findings_of_receivers(folder: Path) -> list[DataError]:
    """Write the manifest, and tell what `monai-gi inspect` would tell whoever gets the bundle."""
    write_manifest(folder)
    repair = "Whoever gets the bundle would be told not to run it: take it out"
    wrong = inspect_folder(folder, folder).inspection.wrong
    total = sum(path.stat().st_size for path in bundle_files(folder).values())
    if total > LIMITS.total_bytes:
        wrong += (Finding(WRONG, "all files", f"have {total} bytes; {LIMITS.total_bytes} are accepted"),)
    return [DataError(printable(one.where), f"{printable(one.text).rstrip('.')}. {repair}") for one in wrong]


def _fill(
    folder: Path, bundle: FlatBundle, *, weights: Path, version: str | None, scores: str | Path | None
) -> list[DataError]:
    """Write all files of the packed bundle that can be made, and tell what stands in the way of others."""
    problems = Problems()
    where = bundle.folder / "inference.json"
    state = problems.attempt(read_plain_weights, weights)
    config = problems.attempt(plain_inference, bundle.configs["inference.json"], where)
    metadata = dict(bundle.configs["metadata.json"])
    if config is not None:
        metadata = packed_metadata(metadata, config, version)
    if state is not None:
        packed = plain_weights_file(state)
        _write(folder / MODEL, packed)
        metadata |= problems.attempt(_facts, weights, packed, state, scores) or {}
    texts = {
        **{f"configs/{name}": _to_json(packed_training(bundle.configs[name])) for name in CONFIGS},
        "configs/metadata.json": _to_json(metadata),
        "configs/logging.conf": bundle.texts["logging.conf"],
        "docs/README.md": packed_readme(
            bundle.texts["docs/README.md"], bundle.name, metadata, input_of(bundle.configs["inference.json"])
        ),
        "LICENSE": bundle.texts["LICENSE"],
    }
    if config is not None:
        texts["configs/inference.json"] = _to_json(config)
    for name, text in texts.items():
        _write(folder / name, text.encode())
    if state is not None and config is not None:
        script = problems.attempt(_proved_script, bundle, config, metadata, state)
        if script is not None:
            extra = {name: texts[f"configs/{name}"] for name in ("metadata.json", "inference.json")}
            _write(folder / "models" / "model.ts", torchscript.with_extra_files(script, extra))
    return problems.found


def _facts(weights: Path, packed: bytes, state: Weights, scores: str | Path | None) -> dict[str, Any]:
    """What is known about the weights that leave: how they were trained, and the scores of these very ones."""
    digest = weights_digest(state)
    if scores is None:
        beside = weights.parent / "evaluation" / "summary.json"
        scores = beside if beside.is_file() else None
    numbers, evaluation = score_facts(None if scores in (None, NO_SCORES) else Path(scores), digest)
    training = {
        "weights_file": MODEL,
        "weights_sha256": hashlib.sha256(packed).hexdigest(),
        "state_dict_sha256": digest,
        **training_facts(weights.parent / "settings.json"),
    }
    return {"eval_metrics": numbers, "training": training} | ({"evaluation": evaluation} if evaluation else {})


def _proved_script(bundle: FlatBundle, config: Mapping[str, Any], metadata: Mapping[str, Any], state: Weights) -> bytes:
    """TorchScript of the packed, package-free network, compared with the bundle's own."""
    eager = _network(bundle.configs["inference.json"], state, bundle.folder / "inference.json")
    plain = _network(config, state, "configs/inference.json")
    channels, roi_size = metadata["network_data_format"]["inputs"]["image"]["num_channels"], config["roi_size"]
    sizes = [*torchscript.claimed_sizes(metadata), *((batch, channels, *roi_size) for batch in torchscript.BATCHES)]
    example = (1, channels, *roi_size)
    wanted: Callable[[torch.Tensor], torch.Tensor] = eager
    if input_of(config) == "frames":  # of any size, as nothing around the network resizes them in plain MONAI
        plain, wanted = torchscript.resize_to(plain, roi_size), partial(FrameInferer(roi_size), network=eager)
        example = (1, channels, roi_size[0] + 7, roi_size[1] - 5)
        sizes += [example, (1, channels, 2 * roi_size[0] - 3, roi_size[1] // 2)]
    script = torchscript.trace(plain, example)
    found = torchscript.largest_differences(torchscript.load(script), wanted, list(dict.fromkeys(sizes)))
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


def _to_json(content: Any) -> str:
    return json.dumps(content, indent=4, ensure_ascii=False) + "\n"
