"""What a user asks of `monai-gi predict`, and the settings that come of it and of the bundle."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monai_gi.errors import DataError
from monai_gi.labels import ORGAN_NAMES
from monai_gi.prediction_settings import PredictionSettings
from monai_gi.sharing.opening import Bundle

# Training mirrors left and right, so the network knows such pictures; it never sees them upside down.
FLIPS_OF_TTA = ("left_right",)


@dataclass(frozen=True)
class Request:
    """What a user asked for; see `monai-gi predict --help`.

    Attributes:
        bundle: a folder of bundles/, a packed folder or a packed .zip.
        input: a file or folder of scans.
        output: folder of the results.
        formats: of `FORMATS_OF_KIND`; empty for all that suit a scan.
        weights: for a bundle that brings none.
        device: "auto", "cpu", "cuda" or "cuda:N".
        precision: "auto" for fp16 on CUDA and bf16 on CPUs that have it, or "float32". None takes float32 for packed
            bundles, so that everybody gets the masks that plain MONAI gets, and "auto" for others.
        tta: also predict the mirrored scan, and average.
        thresholds: (organ, probability), organ None for all; later ones win.
        series: UID of the one series to contour, also if it is one that would be left out.
        allow_gaps: take series with missing slices.
        overwrite: redo scans that are done.
        trust: run a bundle although the inspection warns.
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
    overwrite: bool = False
    trust: bool = False


def settings_of(bundle: Bundle, request: Request) -> PredictionSettings:
    """The bundle's settings with what the user asked for instead.

    Args:
        bundle: an opened bundle.
        request: with thresholds and test-time augmentation.

    Returns:
        Settings of the predictor.

    Raises:
        DataError: a threshold names no organ, or is no probability.
    """
    settings = PredictionSettings.from_config(bundle.config)
    precision = request.precision or ("float32" if bundle.is_packed else "auto")
    changes: dict[str, Any] = {"amp": "auto" if precision == "auto" else False}
    if request.tta:
        changes["flips"] = FLIPS_OF_TTA
    if request.thresholds:
        changes["thresholds"] = _thresholds(settings.thresholds, request.thresholds)
    return settings.replace(**changes)


def _thresholds(before: Any, asked: Sequence[tuple[str | None, float]]) -> dict[str, float]:
    """One threshold an organ: the bundle's, then those asked for one after the other."""
    values = list(before) if isinstance(before, Sequence) else [before] * len(ORGAN_NAMES)
    thresholds = dict(before) if isinstance(before, dict) else dict(zip(ORGAN_NAMES, values, strict=True))
    for organ, value in asked:
        if organ is not None and organ not in ORGAN_NAMES:
            raise DataError("--threshold", f"organ {organ!r} asked for, there are {', '.join(ORGAN_NAMES)}")
        if not 0 <= value <= 1:
            raise DataError("--threshold", f"{value} asked for, wanted a probability from 0 to 1")
        thresholds.update(dict.fromkeys(ORGAN_NAMES, value) if organ is None else {organ: value})
    return thresholds
