"""Slow and obvious scores, voxel by voxel, for `monai_gi.metrics`, and drawn organs to try them on; (C, H, W, D)."""

import itertools

import numpy as np
from scipy.spatial.distance import cdist, directed_hausdorff


def drawn_organs(seed=0, shape=(38, 51, 14), shift=2):
    """Draw truth and prediction (3, H, W, D): two organs that overlap and touch borders, one missed."""
    random = np.random.default_rng(seed)
    rows, columns, slices = np.ogrid[tuple(slice(0, size) for size in shape)]
    truth, pred = np.zeros((3, *shape), dtype=bool), np.zeros((3, *shape), dtype=bool)
    truth[0] = ((rows - 14) / 11) ** 2 + ((columns - 20) / 19) ** 2 + ((slices - 5) / 5) ** 2 < 1
    truth[1] = ((rows - 24) / 12) ** 2 + ((columns - 40) / 14) ** 2 + ((slices - 7) / 4) ** 2 < 1
    truth[2, 3:9, 30:37, 2:4] = True
    pred[0] = np.roll(truth[0], (shift, -1), axis=(0, 1))
    pred[1] = truth[1] & (random.random(shape) < 0.97)
    return pred, truth


def points(mask):
    return {tuple(int(i) for i in point) for point in np.argwhere(mask)}


def dice(pred, truth):
    a, b = points(pred), points(truth)
    return 2 * len(a & b) / (len(a) + len(b))


def iou(pred, truth):
    a, b = points(pred), points(truth)
    return len(a & b) / len(a | b)


def surface_points(mask):
    """Points with a face neighbour outside the mask, looked up one by one."""
    inside = points(mask)
    steps = [tuple(sign * (axis == k) for k in range(mask.ndim)) for axis in range(mask.ndim) for sign in (-1, 1)]
    return sorted(
        point
        for point in inside
        if any(tuple(p + s for p, s in zip(point, step, strict=True)) not in inside for step in steps)
    )


def surface_distances(pred, truth, spacing):
    """Every distance from surface to surface, in both directions."""
    a, b = (np.array(surface_points(mask)) * np.array(spacing) for mask in (pred, truth))
    between = cdist(a, b)
    return between.min(axis=1), between.min(axis=0)


def hausdorff(pred, truth, spacing, percentile=95):
    return max(np.percentile(distances, percentile) for distances in surface_distances(pred, truth, spacing))


def surface_dice(pred, truth, spacing, tolerance):
    # The tolerance has room for rounding: distances here are sums of squares of multiples of the spacing.
    within = [distances <= tolerance * (1 + 1e-9) for distances in surface_distances(pred, truth, spacing)]
    return np.concatenate(within).mean()


def unit_cube_hausdorff(pred, truth):
    """Full sets of voxels, no surfaces, no boxes."""
    a, b = (np.argwhere(mask) / np.array(mask.shape) for mask in (pred, truth))
    return max(directed_hausdorff(a, b)[0], directed_hausdorff(b, a)[0]) / 3**0.5


def first_place_hausdorff(pred, truth):
    """Slice by slice, every border pixel of the prediction against every border pixel of the truth."""
    scores = []
    for d in range(pred.shape[2]):
        p, t = pred[:, :, d], truth[:, :, d]
        if (p == t).all():
            scores.append(0.0)
        elif not p.any() or not t.any():
            scores.append(1.0)
        else:
            scores.append(surface_distances(p, t, (1, 1))[0].max() / (p.shape[0] ** 2 + p.shape[1] ** 2) ** 0.5)
    return np.array(scores)


def label_map(mask):
    """Small bowel over large bowel over stomach, pixel by pixel; 1 large bowel, 2 small bowel, 3 stomach."""
    indices = np.zeros(mask.shape[1:], dtype=int)
    for point in itertools.product(*map(range, indices.shape)):
        large, small, stomach = mask[(slice(None), *point)]
        indices[point] = 2 if small else 1 if large else 3 if stomach else 0
    return indices


def bootstrap_means(values_by_case, draws):
    """Mean over units for each draw; a draw says how often each case is taken."""
    return [np.concatenate([np.tile(v, n) for v, n in zip(values_by_case, draw, strict=True)]).mean() for draw in draws]
