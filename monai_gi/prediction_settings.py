"""What a bundle says about prediction: the plain values at the top of its `inference.json`, checked."""

from collections.abc import Sequence
from dataclasses import dataclass

from monai_gi.bundle_settings import BundleSettings
from monai_gi.inferers import StackedSliceInferer
from monai_gi.transforms.rules import ApplyOrganRulesd, OrganRules, PerOrgan

# Planes are numbered in thousands, so that an offset in mm can point between two of them.
PLANE = 1000


@dataclass(frozen=True, kw_only=True)
class PredictionSettings(BundleSettings):
    """What a bundle's `inference.json` says about prediction; lists may be given and become tuples.

    Attributes:
        roi_size: (h, w) of the window that the network sees.
        slice_offsets: K slices of a stack, in units of `slice_spacing_mm`, along the planes' direction to the feet.
        spacing_mm: (row, column) of the network's grid.
        slice_spacing_mm: distance between slices that the network was trained on.
        percentiles: of the whole scan, that become 0 and 1.
        flips: mirrored passes to average with, see `StackedSliceInferer`.
        thresholds: see `ApplyOrganRulesd`, as for the next two.
        presence: an organ is dropped on a slice where its largest probability is below.
        min_region_px: regions of fewer voxels of the scan are dropped.
        amp: precision, as for `StackedSliceInferer`, or "auto", see `monai_gi.devices.resolve_amp`.

    Raises:
        ValueError: a value is out of range, unknown or of another length.
    """

    roi_size: tuple[int, int]
    slice_offsets: tuple[int, ...]
    spacing_mm: tuple[float, float] = (1.5, 1.5)
    slice_spacing_mm: float = 3.0
    percentiles: tuple[float, float] = (0.5, 99.5)
    flips: tuple[str, ...] = ()
    thresholds: PerOrgan = 0.5
    presence: PerOrgan = 0.0
    min_region_px: PerOrgan = 0
    amp: bool | str = "auto"

    def __post_init__(self) -> None:
        super().__post_init__()
        pairs = (self.roi_size, self.spacing_mm, self.percentiles)
        if any(not isinstance(pair, Sequence) or len(pair) != 2 for pair in pairs):
            raise ValueError(f"roi_size, spacing_mm and percentiles: {pairs}, wanted two numbers each")
        if min(*self.spacing_mm, self.slice_spacing_mm) <= 0:
            raise ValueError(f"spacing: {self.spacing_mm} and {self.slice_spacing_mm} mm, wanted lengths above 0")
        if not 0 <= self.percentiles[0] < self.percentiles[1] <= 100:
            raise ValueError(f"percentiles: {self.percentiles}, wanted 0 <= lower < upper <= 100")
        self.inferer(self.slice_spacing_mm, self.amp == "auto" or self.amp)
        self.rules()

    def rules(self) -> OrganRules:
        """The rules that turn probabilities into masks, one value an organ."""
        return ApplyOrganRulesd("pred", self.thresholds, self.min_region_px, self.presence).rules

    def inferer(self, plane_spacing_mm: float, amp: bool | str) -> StackedSliceInferer:
        """The inferer of the bundles, its offsets in mm as near as a thousandth of a plane.

        Args:
            plane_spacing_mm: between the planes of a scan.
            amp: precision, as for `StackedSliceInferer`.

        Returns:
            An inferer for planes numbered 0, PLANE, 2 PLANE, ...
        """
        offsets = [int(PLANE * offset * self.slice_spacing_mm / plane_spacing_mm) for offset in self.slice_offsets]
        return StackedSliceInferer(self.roi_size, offsets, flips=self.flips, amp=amp)
