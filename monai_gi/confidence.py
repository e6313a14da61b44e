"""How sure a network is of each slice of a scan: entropy of its probabilities, and whether mirrored passes agree.

Both are 0 (sure) to 1, and comparable between slices, small organs and large ones.
"""

from typing import NamedTuple

import numpy as np
import torch

# Probabilities between are undecided; they count wherever they are, sure ones only inside the masks.
UNDECIDED = (0.05, 0.95)

# What is smaller is weighed as if it were so large: a few pixels do not make a slice the one to look at first.
SMALLEST_MM2 = 100.0


class Confidence(NamedTuple):
    """Doubt about each slice.

    Attributes:
        entropy: (D,) float32, mean binary entropy, bits, see `entropy_of_slices`.
        disagreement: (D,) float32, 1 - Dice of mirrored passes, see `disagreement_of_slices`; None where nothing was
            mirrored.
    """

    entropy: np.ndarray
    disagreement: np.ndarray | None


def entropy_of_slices(probabilities: np.ndarray, masks: np.ndarray, pixel_mm2: float) -> np.ndarray:
    """Mean binary entropy of the voxels that are undecided or inside a mask, slice by slice.

    Voxels of all organs count together. Where they cover less than 1 cm2, the sum is divided by 1 cm2.

    Args:
        probabilities: (C, H, W, D) float32, 0 to 1.
        masks: (C, H, W, D) bool.
        pixel_mm2: area of a voxel in its slice.

    Returns:
        (D,) float32, bits, 0 to 1; 0 where nothing is undecided and nothing inside.
    """
    low, high = UNDECIDED
    entropy = np.zeros(probabilities.shape[3], dtype=np.float32)
    for d in range(len(entropy)):
        here = torch.from_numpy(probabilities[..., d])
        chosen = here[(here > low) & (here < high) | torch.from_numpy(masks[..., d])].clamp_(0, 1)
        bits = torch.special.entr(chosen).sum() + torch.special.entr(1 - chosen).sum()
        entropy[d] = bits / np.log(2) / max(len(chosen), SMALLEST_MM2 / pixel_mm2)
    return entropy


def disagreement_of_slices(different: np.ndarray, inside: np.ndarray, mirrored: int, pixel_mm2: float) -> np.ndarray:
    """1 - Dice of the plain pass' masks with those of the mirrored passes, slice by slice.

    Voxels of all organs and passes count together. Where masks cover less than 1 cm2, they are taken as 1 cm2.

    Args:
        different: (C, H, W, D) integers, how many mirrored passes contradict the plain one at a voxel.
        inside: (C, H, W, D) integers, how many masks hold the voxel, where the plain one is counted once for each
            mirrored pass.
        mirrored: number of mirrored passes.
        pixel_mm2: area of a voxel in its slice.

    Returns:
        (D,) float32, 0 to 1; 0 where all masks are empty.
    """
    smallest = 2 * mirrored * SMALLEST_MM2 / pixel_mm2
    contradictions, voxels = (counts.sum(axis=(0, 1, 2), dtype=np.int64) for counts in (different, inside))
    return (contradictions / np.maximum(voxels, smallest)).astype(np.float32)
