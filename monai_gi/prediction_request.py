"""What a user asks of `monai-gi predict`, and the settings that come of it and of the bundle."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from monai_gi import __version__
from monai_gi.errors import DataError
from monai_gi.frame_predictor import FrameSettings
from monai_gi.prediction_settings import PredictionSettings
from monai_gi.provenance import Provenance
from monai_gi.sharing.opening import Bundle

# Training mirrors left and right, so the network knows such pictures; it never sees them upside down.
FLIPS_OF_TTA = ("left_right",)
S = TypeVar("S", PredictionSettings, FrameSettings)


@dataclass(frozen=True)
class Request:
    """What a user asked for; see `monai-gi predict --help`.

    Attributes:
        bundle: a folder of bundles/, a packed folder or a packed .zip.
        input: a file or folder of scans, frames or slides, as the bundle takes.
        output: folder of the results.
        formats: of `FORMATS_OF_KIND`; empty for all that suit an input, less those that are written on request only.
        weights: for a bundle that brings none.
        device: "auto", "cpu", "cuda" or "cuda:N".
        precision: "auto" for fp16 on CUDA and bf16 on CPUs that have it, or "float32". None takes float32 for packed
            bundles, so that everybody gets the masks that plain MONAI gets, and "auto" for others.
        tta: also predict the mirrored scan, and average.
        thresholds: (class, probability), class None for all; later ones win.
        series: UID of the one series to contour, also if it is one that would be left out.
        allow_gaps: take series with missing slices.
        max_pixels: largest picture that is decoded whole; None takes `monai_gi.pictures.DEFAULT_MAX_PIXELS`.
        overwrite: redo what is done.
        trust: run a bundle although the inspection warns.
        key: public key of the signer, PEM; a bundle that it did not sign is refused.
    """

    bundle: Path
    input: Path
    output: Path
    formats: tuple[str, ...] = ()
    weights: Path | None = None
    device: str = "auto"
    precision: str | None = None
    tta: bool = False
    thresholds: tuple[tuple[str | None, float], ...] = ()
    series: str | None = None
    allow_gaps: bool = False
    max_pixels: int | None = None
    overwrite: bool = False
    trust: bool = False
    key: Path | None = None


def settings_of(settings: S, classes: Sequence[str], bundle: Bundle, request: Request) -> S:
    """The bundle's settings with what the user asked for instead.

    Args:
        settings: of the bundle.
        classes: names in channel order.
        bundle: an opened bundle.
        request: with thresholds and test-time augmentation.

    Returns:
        Settings of the predictor.

    Raises:
        DataError: a threshold names no class, or is no probability.
    """
    changes: dict[str, Any] = {"amp": amp_of(bundle, request)}
    if request.tta:
        changes["flips"] = FLIPS_OF_TTA
    if request.thresholds:
        changes["thresholds"] = _asked_thresholds(settings.thresholds, request.thresholds, classes)
    return settings.replace(**changes)


def amp_of(bundle: Bundle, request: Request) -> bool | str:
    """The precision that was asked for, or that suits a bundle of this origin.

    Args:
        bundle: an opened bundle.
        request: may name a precision.

    Returns:
        "auto", see `monai_gi.devices.resolve_amp`, or False for float32.
    """
    precision = request.precision or ("float32" if bundle.is_packed else "auto")
    return "auto" if precision == "auto" else False


def provenance_of(bundle: Bundle) -> Provenance:
    """What made the results.

    Args:
        bundle: an opened bundle.

    Returns:
        Bundle, weights and software.
    """
    return Provenance(bundle.name, bundle.version, bundle.weights_sha256, __version__, bundle.weights_file)


def _asked_thresholds(
    before: Any, asked: Sequence[tuple[str | None, float]], classes: Sequence[str]
) -> dict[str, float]:
    """One threshold a class: the bundle's, then those asked for one after the other.

    Args:
        before: one number, one a class, or by name.
        asked: (class, probability), class None for all.
        classes: names in channel order.

    Returns:
        Probabilities by class.

    Raises:
        DataError: no such class, or no probability.
    """
    values = list(before) if isinstance(before, Sequence) else [before] * len(classes)
    thresholds = dict(before) if isinstance(before, dict) else dict(zip(classes, values, strict=True))
    for name, value in asked:
        if name is not None and name not in classes:
            raise DataError("--threshold", f"{name!r} asked for, there are {', '.join(classes)}")
        if not 0 <= value <= 1:
            raise DataError("--threshold", f"{value} asked for, wanted a probability from 0 to 1")
        thresholds.update(dict.fromkeys(classes, value) if name is None else {name: value})
    return thresholds
