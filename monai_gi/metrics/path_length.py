"""Added path length: how much contour a reader would have to draw anew, in millimetres, slice by slice.

Source: Vaassen et al., Evaluation of measures for assessing time-saving of automatic organ-at-risk segmentation in
radiotherapy, Physics and Imaging in Radiation Oncology 13 (2020) 1-6, https://doi.org/10.1016/j.phro.2019.12.001
"""

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool

from monai_gi.metrics.surface import joint_box, nearest_distances, surface_voxels


def added_path_length(
    pred: Bool[np.ndarray, "..."],
    truth: Bool[np.ndarray, "..."],
    spacing_mm: Sequence[float],
    *,
    tolerance_mm: float = 0.0,
) -> float:
    """Give the length of the true contour that the prediction's contour does not run along.

    The contour of a slice is its mask's pixels with a face neighbour outside the mask in that slice (beyond the image
    is outside), around holes too. Pixels of the true contour that are not in the predicted one are counted, and each
    counts one pixel spacing; where rows and columns are spaced unevenly, the root of their product. What the
    prediction has too much costs nothing by itself: it is deleted, not drawn.

    Args:
        pred: (H, W) or (H, W, D) predicted mask.
        truth: true mask of the same shape.
        spacing_mm: millimetres between voxels along each axis of the masks.
        tolerance_mm: a predicted contour this near in the same slice serves as well; 0 wants the same pixel.

    Returns:
        Millimetres; 0 for an empty truth, the whole contour for an empty prediction.

    Raises:
        ValueError: shapes differ or have not two or three axes, spacing does not fit, or the tolerance is negative.

    >>> truth = np.zeros((8, 8), dtype=bool)
    >>> truth[2:6, 2:6] = True
    >>> added_path_length(np.roll(truth, 1, axis=0), truth, (1.5, 1.5))
    9.0
    """
    if pred.shape != truth.shape or pred.ndim not in (2, 3):
        raise ValueError(f"prediction has shape {pred.shape}, truth {truth.shape}; wanted two of (H, W) or (H, W, D)")
    if len(spacing_mm) != pred.ndim or not all(0 < step < np.inf for step in spacing_mm):
        raise ValueError(f"spacing_mm {tuple(spacing_mm)} must hold {pred.ndim} positive numbers, one an axis")
    if not tolerance_mm >= 0:
        raise ValueError(f"tolerance_mm {tolerance_mm} must be 0 or more")
    box = joint_box(pred, truth)
    if box is None:
        return 0.0
    slices = (np.moveaxis(np.atleast_3d(mask[box]), -1, 0) for mask in (pred, truth))
    in_plane = tuple(map(float, spacing_mm[:2]))
    pixels = sum(_added_pixels(p, t, in_plane, tolerance_mm) for p, t in zip(*slices, strict=True))
    return pixels * math.sqrt(in_plane[0] * in_plane[1])


def _added_pixels(pred: np.ndarray, truth: np.ndarray, spacing_mm: Sequence[float], tolerance_mm: float) -> int:
    if not truth.any():
        return 0
    drawn, wanted = surface_voxels(pred), surface_voxels(truth)
    added = wanted & ~drawn
    if tolerance_mm == 0 or not drawn.any():
        return int(added.sum())
    # In float32, so that a distance of exactly the tolerance is within it, as in `surface_scores`.
    distances = nearest_distances(added, drawn, spacing_mm).astype(np.float32)
    return int((distances > np.float32(tolerance_mm)).sum())
