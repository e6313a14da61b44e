"""From one colour frame to a mask of the same size, by the network and the settings of a bundle of frames."""

import time
from dataclasses import dataclass

import numpy as np
import torch

from monai_gi.bundle_settings import BundleSettings
from monai_gi.devices import resolve_amp, resolve_device
from monai_gi.inferers import FrameInferer
from monai_gi.transforms.rules import ApplyOrganRulesd, OrganRules, PerOrgan, apply_organ_rules


@dataclass(frozen=True, kw_only=True)
class FrameSettings(BundleSettings):
    """What a bundle's `inference.json` says about prediction of frames; lists may be given and become tuples.

    Attributes:
        classes: names of the network's channels; masks of different classes may overlap.
        roi_size: (h, w) that the network sees; frames are resized to it.
        flips: mirrored passes to average with, see `FrameInferer`.
        thresholds: probability from which a pixel is inside; one number, one a class, or by name.
        min_region_px: regions of fewer pixels of the frame are dropped, in the same forms.
        amp: precision, as for `FrameInferer`, or "auto", see `monai_gi.devices.resolve_amp`.

    Raises:
        ValueError: a value is out of range, unknown or of another length.
    """

    classes: tuple[str, ...]
    roi_size: tuple[int, int]
    flips: tuple[str, ...] = ()
    thresholds: PerOrgan = 0.5
    min_region_px: PerOrgan = 0
    amp: bool | str = "auto"

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.classes, str) or not self.classes or len(set(self.classes)) < len(self.classes):
            raise ValueError(f"classes: {self.classes!r}, wanted different names in a list, one a channel")
        if not isinstance(self.roi_size, tuple) or len(self.roi_size) != 2:
            raise ValueError(f"roi_size: {self.roi_size}, wanted two lengths")
        self.inferer(self.amp == "auto" or self.amp)
        self.rules()

    def inferer(self, amp: bool | str) -> FrameInferer:
        """The inferer of the bundles.

        Args:
            amp: precision, as for `FrameInferer`.

        Returns:
            An inferer for frames of any size.
        """
        return FrameInferer(self.roi_size, flips=self.flips, amp=amp)

    def rules(self) -> OrganRules:
        """The rules that turn probabilities into masks, one value a class."""
        return ApplyOrganRulesd("pred", self.thresholds, self.min_region_px, classes=self.classes).rules


@dataclass(frozen=True)
class FramePrediction:
    """What the network says of one frame, on the frame's own pixels.

    Attributes:
        masks: (C, H, W) bool.
        probabilities: (C, H, W) float32, before the rules.
        seconds: on the clock for "forward" and "rules".
    """

    masks: np.ndarray
    probabilities: np.ndarray
    seconds: dict[str, float]


class FramePredictor:
    """A network with the settings of its bundle, ready for one frame after the other.

    Args:
        network: frames (1, 3, h, w) in, logits (1, C, h, w) out; it is moved to the device and set to evaluation.
        settings: of the bundle.
        device: "cpu", "cuda", "cuda:N", or "auto" for CUDA where there is one.

    Raises:
        DataError: CUDA is asked for and there is none.
    """

    def __init__(self, network: torch.nn.Module, settings: FrameSettings, device: str | torch.device = "cpu") -> None:
        self.device = resolve_device(device)
        self.network = network.to(self.device).eval()
        self.settings = settings
        self.rules = settings.rules()
        self.inferer = settings.inferer(resolve_amp(settings.amp, self.device))

    def predict(self, frame: np.ndarray) -> FramePrediction:
        """Find the classes in one frame.

        Args:
            frame: (H, W, 3) uint8 RGB, of any size.

        Returns:
            Masks and probabilities on the frame's pixels.

        Raises:
            ValueError: the frame is of another kind, or the network has another number of channels.
        """
        if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8:
            raise ValueError(f"frame: {frame.dtype} of shape {frame.shape}, wanted uint8 (H, W, 3)")
        start = time.perf_counter()
        image = torch.tensor(frame).permute(2, 0, 1)[None].to(self.device, torch.float32) / 255
        probabilities = self.inferer(image, self.network)[0].sigmoid().cpu()
        if len(probabilities) != len(self.settings.classes):
            wanted = f"{len(self.settings.classes)} ({', '.join(self.settings.classes)})"
            raise ValueError(f"network: {len(probabilities)} channels, wanted one a class: {wanted}")
        predicted = time.perf_counter()
        masks = apply_organ_rules(probabilities, self.rules).numpy()
        seconds = {"forward": predicted - start, "rules": time.perf_counter() - predicted}
        return FramePrediction(masks, probabilities.numpy(), seconds)
