"""Open a bundle for prediction: its settings as plain values, its network with weights, and who it is.

Convention: a packed bundle runs as `models/model.ts`; none of its expressions is evaluated, its settings are read as
literals. A flat folder of `bundles/` has no weights of its own: its `network_def` is built by MONAI from classes of
the allow-list, and the weights are read with weights_only or as safetensors. The network comes in evaluation mode.
"""

import copy
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import torch

from monai_gi.errors import DataError, DataErrors
from monai_gi.networks.init_weights import UNREADABLE, first_line
from monai_gi.sharing.findings import Finding, printable
from monai_gi.sharing.flat_network import default_weights, flat_network, load_weights, plainly_as_trained, texts
from monai_gi.sharing.inspection import Opened, bundle_root, inspect_folder
from monai_gi.sharing.manifest import MANIFEST_NAME, sha256_of
from monai_gi.sharing.signature import SIGNATURE_NAME

SETTINGS_OF_INPUT = {
    "slices": (
        *("roi_size", "slice_offsets", "spacing_mm", "slice_spacing_mm", "percentiles"),
        *("flips", "thresholds", "presence", "min_region_px", "amp"),
    ),
    "frames": ("classes", "roi_size", "flips", "thresholds", "min_region_px", "amp"),
    "slides": ("classes", "roi_size", "levels", "overlap", "mode", "sw_batch_size", "glass", "flips", "amp"),
}
"""Kinds of input, and the ids of inference.json that prediction of such input takes over."""

SCRIPT = "models/model.ts"
PROOFS = (MANIFEST_NAME, SIGNATURE_NAME)
Folder = tempfile.TemporaryDirectory[str]


@dataclass(frozen=True)
class Bundle:
    """An opened bundle; as a context manager it removes what was unpacked.

    Attributes:
        name: short name, such as "segformer".
        version: from its metadata.
        weights_path: what the network was loaded from; inside the unpacked folder for a zip, which is gone at the end.
        weights_sha256: of that file.
        config: the ids of `SETTINGS_OF_INPUT` that inference.json has, as plain values.
        network: on its device, in evaluation mode; (B, K, H, W) in, logits (B, C, H, W) out.
        modality: of the images, such as "MR"; empty where it is not said.
        metadata: metadata.json.
        is_packed: it was packed for others; else it is a folder of `bundles/`.
        input: what it takes, a key of `SETTINGS_OF_INPUT`.
    """

    name: str
    version: str
    weights_path: Path
    weights_sha256: str
    config: dict[str, Any]
    network: torch.nn.Module
    modality: str
    metadata: dict[str, Any]
    is_packed: bool
    input: str = "slices"
    _unpacked: Folder | None = None

    @property
    def weights_file(self) -> str:
        """What `weights_sha256` is of: the place in a packed bundle, or a file's name; no folder of this machine."""
        is_own = self.is_packed and self.weights_path.parts[-2:] == Path(SCRIPT).parts
        return SCRIPT if is_own else self.weights_path.name

    def __enter__(self) -> "Bundle":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Remove what was unpacked; the network stays usable."""
        if self._unpacked is not None:
            self._unpacked.cleanup()


def open_bundle(
    path: str | Path,
    *,
    weights: str | Path | None = None,
    trust: bool = False,
    device: str | torch.device = "cpu",
    public_key: str | Path | None = None,
) -> Bundle:
    """Open a bundle, once its inspection found nothing wrong.

    Args:
        path: a flat folder of `bundles/`, a packed folder, or a packed `.zip`.
        weights: a state dict to use instead of the bundle's own (`.pt`, `.pth` or `.safetensors`); a flat folder
            needs one unless its `weights` names a file that exists.
        trust: open it whatever its inspection found; an archive that must not be unpacked stays refused.
        device: of the network.
        public_key: PEM file of the signer; a bundle that is not as this key signed it is refused, trusted or not.

    Returns:
        The bundle; a `with` statement removes what was unpacked.

    Raises:
        DataErrors: everything that is wrong with it, or with its archive.
        DataError: no such bundle, no weights, or weights that do not fit.
    """
    path = Path(path)
    if not path.exists():
        raise DataError(path, "there is no such bundle; a folder of bundles/, a packed folder or its .zip was wanted.")
    place = None if path.is_dir() else tempfile.TemporaryDirectory(prefix="monai-gi-bundle-")
    try:
        root = bundle_root(path, Path(place.name) if place else path)
        opened = inspect_folder(root, path, public_key=public_key)
        wrong = [one for one in opened.inspection.wrong if not trust or (public_key and one.where in PROOFS)]
        if wrong:
            raise _refusal(path, wrong, public_key)
        return _opened(opened, path, None if weights is None else Path(weights), torch.device(device), place)
    except BaseException:
        if place is not None:
            place.cleanup()
        raise


def _opened(opened: Opened, path: Path, weights: Path | None, device: torch.device, place: Folder | None) -> Bundle:
    is_packed = (opened.root / "configs").is_dir()
    folder = "configs/" if is_packed else ""
    config, metadata = (opened.contents.get(f"{folder}{name}.json") for name in ("inference", "metadata"))
    if not isinstance(config, dict) or not isinstance(metadata, dict):
        raise DataError(path, f"{folder}inference.json and {folder}metadata.json are to be objects that can be read.")
    kind = _kind(path, config)
    if is_packed:
        network, used = _packed_network(opened.root, weights, device)
    else:
        used = weights if weights is not None else default_weights(opened.root, config)
        config = plainly_as_trained(config, used)
        network = flat_network(opened.root, config, used)
    settings = _settings(path, config, SETTINGS_OF_INPUT[kind])
    claims = opened.inspection.claims
    return Bundle(
        name=claims.name,
        version=claims.version,
        weights_path=used,
        weights_sha256=sha256_of(used),
        config=settings,
        network=network.to(device).eval(),
        modality=claims.modality,
        metadata=metadata,
        is_packed=is_packed,
        input=kind,
        _unpacked=place,
    )


def _refusal(path: Path, wrong: Sequence[Finding], public_key: str | Path | None) -> DataErrors:
    repair = "look at it with `monai-gi inspect`; --trust opens it all the same, if you know who made it."
    if public_key is not None and any(one.where in PROOFS for one in wrong):
        repair = "it is not as the key you named signed it, and --trust does not help. Get it again from its maker."
    problems = [DataError(printable(one.where), printable(one.text)) for one in wrong]
    return DataErrors(path, [*problems, DataError("this bundle was not opened", repair)])


def _kind(path: Path, config: Mapping[str, Any]) -> str:
    kind = config.get("input", "slices")
    if not isinstance(kind, str) or kind not in SETTINGS_OF_INPUT:
        raise DataError(path, f"its inference.json takes the input {kind!r}; known are {', '.join(SETTINGS_OF_INPUT)}.")
    return kind


def _settings(path: Path, config: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """The plain values of the ids that prediction uses."""
    settings = {name: config[name] for name in names if name in config}
    wrong = [
        DataError(f"inference.json#/{name}", f"is {value!r}; a plain value was wanted, which needs nothing evaluated.")
        for name, value in settings.items()
        if any(text[:1] in ("$", "@", "%") for text in texts(value))
    ]
    if wrong:
        raise DataErrors(path, wrong)
    return copy.deepcopy(settings)


def _packed_network(root: Path, weights: Path | None, device: torch.device) -> tuple[torch.nn.Module, Path]:
    """models/model.ts, with other weights where they are named."""
    script = root / SCRIPT
    if not script.is_file():
        raise DataError(script.name, f"there is no {SCRIPT} in the bundle, which is what runs. Pack the bundle again.")
    try:
        network = torch.jit.load(script, map_location=device)
    except UNREADABLE as error:
        raise DataError(SCRIPT, f"cannot be loaded ({first_line(error)}). Get the bundle again.") from error
    if weights is None:
        return network, script
    load_weights(network, weights)
    return network, weights
