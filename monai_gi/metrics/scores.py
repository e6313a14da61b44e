"""The scores of one scan or frame, small enough to send between processes: counts and distances, never volumes.

Masks are (C, H, W, D) with channel c for classes[c] (ORGANS as a rule), slices in the order of `slice_ids`; spacing is
row, column, slice. A frame is (C, H, W), has one slice, and lengths in pixels.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

from monai_gi.labels import ORGAN_NAMES, POLYP_NAMES
from monai_gi.metrics.contest import first_place_hausdorff, unit_cube_hausdorff
from monai_gi.metrics.kinds import FRAMES, SCANS, Kind
from monai_gi.metrics.macro_f1 import confusion
from monai_gi.metrics.surface import joint_box, surface_scores

DEFAULT_TOLERANCE_MM = 3.0
"""Tolerance of surface Dice: one slice of this data, and what a second reader of bowel is commonly allowed."""


@dataclass(frozen=True, eq=False)
class ScanScores:
    """What one scan or frame adds to every table; C classes, D slices.

    Attributes:
        scan: the scan's id.
        group: its case, the unit of the bootstrap.
        slice_ids: one id a slice.
        spacing_mm: millimetres between rows, columns and slices.
        tolerance_mm: tolerance of `surface_dice`.
        overlap_px: pixels in both masks, by organ and slice.
        pred_px: pixels in the prediction.
        truth_px: pixels in the truth.
        hd95_mm: 95 % Hausdorff distance in 3D, by organ; NaN with two empty masks, infinite with one.
        surface_dice: surface Dice in 3D, by organ; NaN with two empty masks, 0 with one.
        unit_cube_hausdorff: the contest's distance of the three organs joined, see `contest`.
        first_place_hausdorff: the winner's distance, by organ and slice, see `contest`.
        confusion: pixels of annotated slices by true and predicted class, see `macro_f1`.
        classes: names of the C channels.
        is_frame: lengths are in pixels then, and what belongs to the contest alone is NaN or 0.
    """

    scan: str
    group: str
    slice_ids: tuple[str, ...]
    spacing_mm: tuple[float, float, float]
    tolerance_mm: float
    overlap_px: Int64[np.ndarray, "C D"]
    pred_px: Int64[np.ndarray, "C D"]
    truth_px: Int64[np.ndarray, "C D"]
    hd95_mm: Float64[np.ndarray, " C"]
    surface_dice: Float64[np.ndarray, " C"]
    unit_cube_hausdorff: float
    first_place_hausdorff: Float64[np.ndarray, "C D"]
    confusion: Int64[np.ndarray, "K K"]
    classes: tuple[str, ...] = ORGAN_NAMES
    is_frame: bool = False

    @property
    def kind(self) -> Kind:
        """In which words its tables are written."""
        return FRAMES if self.is_frame else SCANS

    @property
    def annotated(self) -> Bool[np.ndarray, " D"]:
        """Slices on which the truth holds any organ."""
        return np.any(self.truth_px > 0, axis=0)

    @property
    def has_contest_score(self) -> bool:
        """Whether it is a scan with the organs of the contest."""
        return not self.is_frame and self.classes == ORGAN_NAMES

    @property
    def voxel_ml(self) -> float:
        """Volume of one voxel in millilitres."""
        return float(np.prod(self.spacing_mm)) / 1000.0


def score_scan(
    scan_id: str,
    group: str,
    pred: Bool[np.ndarray, "..."],
    truth: Bool[np.ndarray, "..."],
    *,
    spacing_mm: Sequence[float],
    slice_ids: Sequence[str],
    tolerance_mm: float = DEFAULT_TOLERANCE_MM,
    classes: Sequence[str] = ORGAN_NAMES,
) -> ScanScores:
    """Score a predicted scan against its truth.

    Args:
        scan_id: as `case1_day0`.
        group: the case it belongs to.
        pred: predicted masks (C, H, W, D); organs may overlap.
        truth: true masks (C, H, W, D); organs may overlap.
        spacing_mm: (row, column, slice) spacing in millimetres.
        slice_ids: one id a slice, in the order of the last axis.
        tolerance_mm: distance that surface Dice still counts as agreement.
        classes: names of the C channels; the contest's numbers mean something for ORGANS only.

    Returns:
        Counts and distances of this scan; an organ that both masks lack has NaN distances.

    Raises:
        ValueError: if shapes, channels, slices or spacing do not fit together.
    """
    fault = _fault(pred, truth, spacing_mm, slice_ids) or _class_fault(pred, classes)
    if fault:
        raise ValueError(f"{scan_id}: {fault}")
    surfaces = [surface_scores(p, t, spacing_mm, tolerance_mm=tolerance_mm) for p, t in zip(pred, truth, strict=True)]
    joined = np.any(pred, axis=0), np.any(truth, axis=0)
    box = joint_box(*joined) or (slice(0, 0),) * 3
    truth_px = _slice_counts(truth, box)
    return ScanScores(
        scan=scan_id,
        group=group,
        slice_ids=tuple(slice_ids),
        spacing_mm=(float(spacing_mm[0]), float(spacing_mm[1]), float(spacing_mm[2])),
        tolerance_mm=float(tolerance_mm),
        overlap_px=_slice_counts(pred, box, truth),
        pred_px=_slice_counts(pred, box),
        truth_px=truth_px,
        hd95_mm=np.array([scores.hd_mm for scores in surfaces]),
        surface_dice=np.array([scores.surface_dice for scores in surfaces]),
        unit_cube_hausdorff=unit_cube_hausdorff(*joined),
        first_place_hausdorff=np.stack([first_place_hausdorff(p, t) for p, t in zip(pred, truth, strict=True)]),
        confusion=_annotated_confusion(pred, truth, box, np.any(truth_px > 0, axis=0), classes),
        classes=tuple(classes),
    )


def score_frame(
    frame_id: str,
    group: str,
    pred: Bool[np.ndarray, "..."],
    truth: Bool[np.ndarray, "..."],
    *,
    tolerance_px: float = DEFAULT_TOLERANCE_MM,
    classes: Sequence[str] = POLYP_NAMES,
) -> ScanScores:
    """Score a predicted frame against its truth.

    Args:
        frame_id: as `cvc_0007`.
        group: the sequence it belongs to.
        pred: predicted masks (C, H, W); classes may overlap.
        truth: true masks (C, H, W).
        tolerance_px: distance of the outlines that surface Dice still counts as agreement.
        classes: names of the C channels.

    Returns:
        Counts, and distances of the outlines in pixels, as scores of one slice.

    Raises:
        ValueError: if shapes and channels do not fit together.
    """
    if pred.shape != truth.shape or pred.ndim != 3:
        shapes = f"prediction has shape {pred.shape} and truth {truth.shape}"
        raise ValueError(f"{frame_id}: {shapes}; masks of one shape (C, H, W) are needed")
    fault = _class_fault(pred, classes)
    if fault:
        raise ValueError(f"{frame_id}: {fault}")
    sides = [surface_scores(p, t, (1.0, 1.0), tolerance_mm=tolerance_px) for p, t in zip(pred, truth, strict=True)]
    count = len(classes)
    return ScanScores(
        scan=frame_id,
        group=group,
        slice_ids=(frame_id,),
        spacing_mm=(1.0, 1.0, 1.0),
        tolerance_mm=float(tolerance_px),
        overlap_px=_pixels(pred & truth),
        pred_px=_pixels(pred),
        truth_px=_pixels(truth),
        hd95_mm=np.array([scores.hd_mm for scores in sides]),
        surface_dice=np.array([scores.surface_dice for scores in sides]),
        unit_cube_hausdorff=float("nan"),
        first_place_hausdorff=np.full((count, 1), np.nan),
        confusion=np.zeros((count + 1, count + 1), dtype=np.int64),
        classes=tuple(classes),
        is_frame=True,
    )


def _pixels(masks: np.ndarray) -> np.ndarray:
    """(C, 1) of (C, H, W)."""
    return np.count_nonzero(masks, axis=(1, 2)).astype(np.int64)[:, None]


def _class_fault(masks: np.ndarray, classes: Sequence[str]) -> str | None:
    if len(masks) == len(classes):
        return None
    return f"{len(masks)} channels for {len(classes)} classes ({', '.join(classes)}); one each is needed"


def _slice_counts(mask: np.ndarray, box: tuple[slice, ...], other: np.ndarray | None = None) -> np.ndarray:
    """Count the voxels of a mask, or those it shares with another, by organ and slice, (C, D)."""
    counts = np.zeros((mask.shape[0], mask.shape[-1]), dtype=np.int64)
    inside = mask[(slice(None), *box)]
    if other is not None:
        inside = inside & other[(slice(None), *box)]
    counts[:, box[-1]] = np.count_nonzero(inside, axis=(1, 2))
    return counts


def _annotated_confusion(
    pred: np.ndarray, truth: np.ndarray, box: tuple[slice, ...], annotated: np.ndarray, classes: Sequence[str]
) -> np.ndarray:
    """Give the confusion matrix of annotated slices; outside the box around all organs every pixel is background."""
    inside = (slice(None), *box)
    counts = confusion(pred[inside][..., annotated[box[-1]]], truth[inside][..., annotated[box[-1]]], classes)
    counts[0, 0] += truth.shape[1] * truth.shape[2] * int(annotated.sum()) - counts.sum()
    return counts


def _fault(pred: np.ndarray, truth: np.ndarray, spacing_mm: Sequence[float], slice_ids: Sequence[str]) -> str | None:
    if pred.shape != truth.shape:
        return f"prediction has shape {pred.shape} and truth {truth.shape}; one grid is needed"
    if pred.ndim != 4:
        return f"masks have shape {pred.shape}; (C, H, W, D) is needed"
    if len(slice_ids) != pred.shape[-1]:
        return f"{len(slice_ids)} slice ids for {pred.shape[-1]} slices; one a slice is needed"
    if len(spacing_mm) != 3 or not all(0 < step < np.inf for step in spacing_mm):
        return f"spacing_mm {tuple(spacing_mm)} must hold three positive numbers: row, column, slice"
    return None
