"""What a bundle of slides says about prediction: the plain values at the top of its `inference.json`, checked."""

from dataclasses import dataclass

import torch

from monai_gi.bundle_settings import BundleSettings
from monai_gi.inferers.passes import checked_amp, flip_axes
from monai_gi.inferers.stacked_slices import BLEND_MODES

ON_ACCELERATORS = 4


@dataclass(frozen=True, kw_only=True)
class SlideSettings(BundleSettings):
    """What a bundle's `inference.json` says about prediction of slides; lists may be given and become tuples.

    Attributes:
        NEEDED: as for `BundleSettings`.
        roi_size: (h, w) of the window that the network sees, in pixels of each level.
        levels: of the windows, ascending; the first is the level of the output, the others show more around it.
        classes: names in the order of the network's channels, background first.
        overlap: of neighbouring windows, 0 to below 1.
        mode: "gaussian" or "constant" weights of windows where they overlap.
        sw_batch_size: windows that go through the network at once; None for what suits the device, see `batch_on`.
        glass: leave out windows without tissue; they become background.
        amp: precision, as for `monai_gi.inferers.AutocastInferer`, or "auto", see `monai_gi.devices.resolve_amp`.
        flips: mirrored passes whose probabilities are averaged, of `monai_gi.inferers.passes.FLIPS`.

    Raises:
        ValueError: a value is out of range, unknown or of another length.
    """

    NEEDED = ("roi_size", "levels", "classes")

    roi_size: tuple[int, int]
    levels: tuple[int, ...]
    classes: tuple[str, ...]
    overlap: float = 0.25
    mode: str = "gaussian"
    sw_batch_size: int | None = None
    glass: bool = True
    amp: bool | str = "auto"
    flips: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_windows(self)
        _check_names(self)

    def batch_on(self, device: torch.device) -> int:
        """Windows that go through the network at once.

        Args:
            device: of the network.

        Returns:
            `sw_batch_size`, or without one 1 on the CPU, where 4 windows of 512 px took 1.1 to 2 times the time a
            window and twice the memory, and 4 elsewhere.
        """
        if self.sw_batch_size is not None:
            return self.sw_batch_size
        return 1 if device.type == "cpu" else ON_ACCELERATORS


def _check_windows(settings: SlideSettings) -> None:
    roi_size, levels = settings.roi_size, settings.levels
    if len(roi_size) != 2 or min(roi_size) < 1:
        raise ValueError(f"roi_size: {roi_size}, wanted two lengths of 1 or more")
    if not levels or list(levels) != sorted(set(levels)) or levels[0] < 0:
        raise ValueError(f"levels: {levels}, wanted at least one, ascending from 0 or more, such as [0, 2]")
    if not 0 <= settings.overlap < 1:
        raise ValueError(f"overlap: {settings.overlap}, wanted at least 0 and below 1")
    if settings.sw_batch_size is not None and settings.sw_batch_size < 1:
        raise ValueError(f"sw_batch_size: {settings.sw_batch_size}, wanted 1 or more, or null")


def _check_names(settings: SlideSettings) -> None:
    classes = settings.classes
    if isinstance(classes, str) or not 2 <= len(classes) <= 255 or len(set(classes)) < len(classes):
        raise ValueError(f"classes: {classes}, wanted 2 to 255 different names, background first")
    if settings.mode not in BLEND_MODES:
        raise ValueError(f"mode: {settings.mode!r}, wanted {' or '.join(map(repr, BLEND_MODES))}")
    flip_axes(settings.flips)
    if settings.amp != "auto":
        checked_amp(settings.amp)
