"""The bundle of the app, opened once: what it takes, what it finds, and who it is."""

from pathlib import Path
from typing import Any, NamedTuple, Protocol

import torch

from monai_gi.app.cases import Case
from monai_gi.app.frames import FrameEngine
from monai_gi.app.jobs import Report
from monai_gi.app.request import AppRequest
from monai_gi.app.scans import ScanEngine
from monai_gi.app.slide_engine import SlideEngine
from monai_gi.devices import resolve_device
from monai_gi.frame_predictor import FramePredictor, FrameSettings
from monai_gi.pictures import DEFAULT_MAX_PIXELS
from monai_gi.prediction_request import provenance_of
from monai_gi.prediction_settings import PredictionSettings
from monai_gi.predictor import Predictor
from monai_gi.sharing.opening import Bundle, open_bundle
from monai_gi.streaming import SlideSettings


class Engine(Protocol):
    """Contours cases of one kind.

    Attributes:
        kind: of the cases: "slices", "frames" or "slides".
        classes: names of what it finds.
    """

    kind: str
    classes: tuple[str, ...]

    def contour(self, case: Any, folder: Path, report: Report) -> Case:
        """Contour one case of this kind.

        Args:
            case: to be contoured.
            folder: for the results, empty.
            report: is told how far it is, and may end the work.

        Returns:
            The case with its results.
        """


class Opened(NamedTuple):
    """An opened bundle.

    Attributes:
        engine: that contours with it.
        title: its name and version.
        modality: of the images that it was made for; empty where it does not say.
    """

    engine: Engine
    title: str
    modality: str

    @property
    def all_classes(self) -> tuple[str, ...]:
        """What it finds; of slides with the background first."""
        return self.engine.all_classes if isinstance(self.engine, SlideEngine) else self.engine.classes


def open_engine(request: AppRequest) -> Opened | None:
    """Open the bundle that the app was asked for.

    Args:
        request: what the user asked for.

    Returns:
        The engine; None without a bundle.

    Raises:
        DataError: the bundle can not be opened or must not run, or there is no such device.
    """
    if request.bundle is None:
        return None
    device = resolve_device(request.device)
    weights, trust, key = request.weights, request.trust, request.key
    with open_bundle(request.bundle, weights=weights, trust=trust, public_key=key, device=device) as bundle:
        return Opened(_engine(bundle, request, device), f"{bundle.name} {bundle.version}".strip(), bundle.modality)


def _engine(bundle: Bundle, request: AppRequest, device: torch.device) -> Engine:
    provenance = provenance_of(bundle)
    amp: bool | str = False if bundle.is_packed else "auto"  # as `monai-gi predict` chooses it
    if bundle.input == "frames":
        settings = FrameSettings.from_config(bundle.config).replace(amp=amp)
        return FrameEngine(FramePredictor(bundle.network, settings, device), provenance)
    if bundle.input == "slides":
        of_slides = SlideSettings.from_config(bundle.config).replace(amp=amp)
        max_pixels = request.max_pixels or DEFAULT_MAX_PIXELS
        return SlideEngine(bundle.network, of_slides, provenance, device, max_pixels=max_pixels)
    of_scans = PredictionSettings.from_config(bundle.config).replace(amp=amp)
    return ScanEngine(Predictor(bundle.network, of_scans, device), provenance)
