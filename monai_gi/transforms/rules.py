"""Probabilities (C, H, W[, D]) to masks by rules an organ: threshold, presence on a slice, region size, persistence.

Slices are the last axis D; regions are two-dimensional and include diagonal neighbours. Organs may overlap.
"""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform
from monai.utils import TransformBackends, convert_to_dst_type, convert_to_tensor
from scipy import ndimage

from monai_gi.labels import ORGAN_NAMES

PerOrgan = float | Sequence[float] | Mapping[str, float]

# Neighbours (slice, row, column) of a pixel in its own slice, diagonals included; none in other slices.
NEIGHBOURS = np.zeros((3, 3, 3), dtype=bool)
NEIGHBOURS[1] = True

# Blending of windows may round a probability above 1; logits are far above.
ROUNDING = 1e-3


class OrganRules(NamedTuple):
    """One value an organ each, in channel order; see `ApplyOrganRulesd`."""

    thresholds: tuple[float, ...]
    min_region_px: tuple[float, ...]
    presence: tuple[float, ...]
    min_slices: tuple[float, ...]


class ApplyOrganRulesd(MapTransform):
    """Turn probabilities into masks by rules; what a rule drops on a slice, the next does not see.

    Each rule is one number for all organs, one an organ in channel order, or a dict by organ name; ValueError where it
    is out of its range or does not have one value an organ.

    Args:
        keys: entries that hold probabilities (C, H, W, D) or (C, H, W), 0 to 1.
        thresholds: a pixel is inside from this probability on.
        min_region_px: regions of fewer pixels on a slice are dropped; 0 keeps all.
        presence: an organ is dropped on a slice where its largest probability is below; 0 keeps all.
        min_slices: an organ is dropped on slices in fewer consecutive slices than this; 1 keeps all. A scan of fewer
            slices loses the organ.
        classes: names of the C channels.
        allow_missing_keys: items without a key pass unchanged.

    Attributes:
        backend: array types that are taken without a conversion, as MONAI lists them.
    """

    backend = [TransformBackends.TORCH, TransformBackends.NUMPY]  # noqa: RUF012 (as MONAI declares it)

    def __init__(
        self,
        keys: KeysCollection = "pred",
        thresholds: PerOrgan = 0.5,
        min_region_px: PerOrgan = 0,
        presence: PerOrgan = 0.0,
        min_slices: PerOrgan = 1,
        *,
        classes: Sequence[str] = ORGAN_NAMES,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.rules = OrganRules(
            _per_organ("thresholds", thresholds, classes, (0, 1)),
            _per_organ("min_region_px", min_region_px, classes, (0, np.inf)),
            _per_organ("presence", presence, classes, (0, 1)),
            _per_organ("min_slices", min_slices, classes, (1, np.inf)),
        )

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Write masks of the same shape, uint8 of 0 and 1, in the type of the input and with its metadata."""
        item = dict(data)
        for key in self.key_iterator(item):
            masks = apply_organ_rules(convert_to_tensor(item[key]), self.rules)
            item[key] = convert_to_dst_type(masks, dst=item[key], dtype=torch.uint8)[0]
        return item


def apply_organ_rules(probabilities: torch.Tensor, rules: OrganRules) -> torch.Tensor:
    """Turn probabilities into masks; see `ApplyOrganRulesd`.

    Args:
        probabilities: (C, H, W, D) or (C, H, W), floating point, 0 to 1.
        rules: one value a channel each.

    Returns:
        bool, same shape and device.

    Raises:
        ValueError: the shape is another, values are no probabilities, or persistence is wanted of a single slice.
    """
    if probabilities.ndim not in (3, 4) or len(probabilities) != len(rules.thresholds):
        wanted = f"({len(rules.thresholds)}, H, W, D) or ({len(rules.thresholds)}, H, W)"
        raise ValueError(f"probabilities of shape {tuple(probabilities.shape)}, wanted {wanted}")
    if probabilities.ndim == 3 and max(rules.min_slices) > 1:
        raise ValueError(f"min_slices {rules.min_slices} needs whole scans (C, H, W, D), got one slice (C, H, W)")
    scan = probabilities if probabilities.ndim == 4 else probabilities[..., None]
    masks = torch.zeros_like(scan, dtype=torch.bool)  # in the memory order of the input
    if masks.numel() == 0:
        return masks.reshape(probabilities.shape)
    for channel, (threshold, min_region_px, presence, min_slices) in enumerate(zip(*rules, strict=True)):
        peaks = _peaks(scan[channel])
        mask = scan[channel] >= threshold
        if presence > threshold:
            mask &= peaks >= presence
        if min_region_px > 1:
            kept = drop_small_regions(mask.cpu().numpy(), min_region_px)
            mask = torch.from_numpy(kept).to(scan.device)
        if min_slices > 1:
            there = _in_long_runs(mask.any(dim=0).any(dim=0).cpu().numpy(), min_slices)
            mask &= torch.from_numpy(there).to(scan.device)
        masks[channel] = mask
    return masks.reshape(probabilities.shape)


def drop_small_regions(mask: np.ndarray, min_region_px: float) -> np.ndarray:
    """Drop regions of one slice with fewer pixels; diagonal neighbours belong together.

    Args:
        mask: (H, W, D), bool; slices are looked at one by one.
        min_region_px: regions of at least so many pixels stay.

    Returns:
        (H, W, D), bool, a new array.
    """
    kept = np.zeros_like(mask)
    box = _bounding_box(mask)
    # Slices first: labelling goes along the last axis, where regions must have neighbours to be quick.
    slices = np.ascontiguousarray(np.moveaxis(mask[box], 2, 0))
    labels, _ = ndimage.label(slices, structure=NEIGHBOURS)
    is_large = np.bincount(labels.ravel(), minlength=1) >= min_region_px
    is_large[0] = False
    kept[box] = np.moveaxis(is_large[labels], 0, 2)
    return kept


def _bounding_box(mask: np.ndarray) -> tuple[slice, ...]:
    """The smallest box around all that is inside; empty where nothing is."""
    box = []
    for others in ((1, 2), (0, 2), (0, 1)):
        inside = np.any(mask, axis=others)
        places = np.flatnonzero(inside)
        box.append(slice(places[0], places[-1] + 1) if places.size else slice(0, 0))
    return tuple(box)


def _peaks(probabilities: torch.Tensor) -> torch.Tensor:
    """Largest probability of each slice (D,), checked: NaN and logits give no masks in silence."""
    peaks = probabilities.amax(dim=(0, 1))
    highest = float(peaks.max())
    if not highest <= 1 + ROUNDING:
        raise ValueError(f"probabilities up to {highest}, wanted 0 to 1; is the sigmoid missing, or the network NaN?")
    return peaks


def _in_long_runs(there: np.ndarray, min_slices: float) -> np.ndarray:
    """Keep the slices (D,), bool, that stand in a run of at least `min_slices` True ones."""
    edges = np.flatnonzero(np.diff(there, prepend=False, append=False))
    kept = np.zeros_like(there)
    for start, end in edges.reshape(-1, 2):
        kept[start:end] = end - start >= min_slices
    return kept


def _per_organ(name: str, value: PerOrgan, classes: Sequence[str], limits: tuple[float, float]) -> tuple[float, ...]:
    """One value a class, checked."""
    if isinstance(value, Mapping):
        if set(value) != set(classes):
            raise ValueError(f"{name}: values for {sorted(value)}, wanted one each for {sorted(classes)}")
        values = tuple(value[organ] for organ in classes)
    else:
        values = tuple(value) if isinstance(value, Sequence) else (value,) * len(classes)
    if len(values) != len(classes):
        raise ValueError(f"{name}: {len(values)} values, wanted one each for {list(classes)}")
    low, high = limits
    if not all(low <= number <= high for number in values):
        raise ValueError(f"{name}: {value}, wanted {low} to {high}")
    return values
