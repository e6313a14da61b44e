"""Rules from probabilities to masks, pixel by pixel in plain Python; axes (C, H, W, D) as nested NumPy indices."""

import numpy as np


def flood(mask: np.ndarray, start: tuple[int, int]) -> set[tuple[int, int]]:
    """The pixels connected to `start`, over edges and corners."""
    region, open_pixels = {start}, [start]
    while open_pixels:
        row, column = open_pixels.pop()
        for near in [(row + i, column + j) for i in (-1, 0, 1) for j in (-1, 0, 1)]:
            inside = 0 <= near[0] < mask.shape[0] and 0 <= near[1] < mask.shape[1]
            if inside and mask[near] and near not in region:
                region.add(near)
                open_pixels.append(near)
    return region


def judge_slice(probabilities: np.ndarray, threshold: float, min_region_px: float, presence: float) -> np.ndarray:
    """Threshold, presence and region size on one slice (H, W)."""
    mask = np.zeros(probabilities.shape, dtype=bool)
    if probabilities.max() < presence:
        return mask
    for pixel in np.ndindex(*mask.shape):
        mask[pixel] = probabilities[pixel] >= threshold
    for pixel in np.ndindex(*mask.shape):
        if mask[pixel]:
            region = flood(mask, pixel)
            if len(region) < min_region_px:
                for small in region:
                    mask[small] = False
    return mask


def apply_rules(
    probabilities: np.ndarray, thresholds: tuple, min_region_px: tuple, presence: tuple, min_slices: tuple
) -> np.ndarray:
    """Masks (C, H, W, D), bool."""
    masks = np.zeros(probabilities.shape, dtype=bool)
    organs, _, _, depth = masks.shape
    for c in range(organs):
        for d in range(depth):
            masks[c, :, :, d] = judge_slice(probabilities[c, :, :, d], thresholds[c], min_region_px[c], presence[c])
        there = [bool(masks[c, :, :, d].any()) for d in range(depth)]
        for d in range(depth):
            first = last = d
            while there[d] and first > 0 and there[first - 1]:
                first -= 1
            while there[d] and last < depth - 1 and there[last + 1]:
                last += 1
            if there[d] and last - first + 1 < min_slices[c]:
                masks[c, :, :, d] = False
    return masks
