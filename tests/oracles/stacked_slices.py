"""Slow, obvious 2.5D inference: one slice at a time, its stack picked by number, MONAI's own inferer on each stack."""

import torch
from monai.inferers import SlidingWindowInferer


def infer_slice_by_slice(volume, network, numbers, offsets, inferer: SlidingWindowInferer) -> torch.Tensor:
    """Logits (C, H, W, D) of a volume (H, W, D)."""
    logits = []
    for number in numbers:
        picked = []
        for offset in offsets:
            wanted = number + offset
            nearest = min(numbers, key=lambda other: (abs(other - wanted), abs(other - number)))
            picked.append(volume[..., numbers.index(nearest)])
        with torch.no_grad():
            logits.append(inferer(torch.stack(picked)[None], network)[0])
    return torch.stack(logits, dim=-1)
