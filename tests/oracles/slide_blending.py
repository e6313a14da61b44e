"""A whole slide through a network, slow and obvious: float64 sums over the whole image, window by window."""

import numpy as np
import torch
from monai.data.utils import compute_importance_map, dense_patch_slices


def blended_probabilities(slide, network, settings, is_glass=lambda top, left: False):
    """(C, H, W); `is_glass` is asked about (top, left) in the image's own pixels, which may be negative."""
    level, (height, width) = settings.levels[0], settings.roi_size
    size = [-(-length // 2**level) for length in slide.size]
    padded = [max(length, window) for length, window in zip(size, settings.roi_size, strict=True)]
    margin = [(large - small) // 2 for large, small in zip(padded, size, strict=True)]
    steps = [
        window if window == length else max(int(window * (1 - settings.overlap)), 1)
        for window, length in zip(settings.roi_size, padded, strict=True)
    ]
    weights = compute_importance_map(settings.roi_size, mode=settings.mode).numpy().astype(np.float64)
    sums, total = np.zeros((len(settings.classes), *padded)), np.zeros(padded)
    for rows, columns in dense_patch_slices(padded, settings.roi_size, steps):
        top, left = int(rows.start) - margin[0], int(columns.start) - margin[1]
        if is_glass(top, left):
            continue
        planes = []
        for other in settings.levels:
            factor = 2 ** (other - level)
            start = [
                int(np.floor((one + length / 2) / factor)) - length // 2 if factor > 1 else one
                for one, length in ((top, height), (left, width))
            ]
            planes.append(slide.read(other, *start, height, width).transpose(2, 0, 1))
        window = torch.from_numpy(np.concatenate(planes)[None]).float() / 255
        with torch.no_grad():
            logits = network(window)[0].double().numpy()
        sums[:, rows, columns] += logits * weights
        total[rows, columns] += weights
    seen = total > 0
    logits = sums / np.where(seen, total, 1)
    exponents = np.exp(logits - logits.max(axis=0))
    background = np.eye(len(settings.classes))[0][:, None, None]
    probabilities = np.where(seen, exponents / exponents.sum(axis=0), background)
    return probabilities[:, margin[0] : margin[0] + size[0], margin[1] : margin[1] + size[1]]
