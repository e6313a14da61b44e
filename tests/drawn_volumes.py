"""Volumes drawn in memory for tests of prediction: any orientation and spacing, smooth, not symmetric anywhere."""

from collections.abc import Sequence

import numpy as np
import torch

from monai_gi.scan import Scan


def affine_of(axes: Sequence[int], signs: Sequence[int], spacing_mm: Sequence[float], turn: float = 0.0) -> np.ndarray:
    """Voxel axis k runs along RAS axis axes[k], forwards or backwards, turned by so many radians about two axes."""
    affine = np.eye(4)
    affine[:3, :3] = 0
    for k, (axis, sign, spacing) in enumerate(zip(axes, signs, spacing_mm, strict=True)):
        affine[axis, k] = sign * spacing
    cos, sin = np.cos(turn), np.sin(turn)
    about_z = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
    about_x = np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]])
    affine[:3, :3] = about_z @ about_x @ affine[:3, :3]
    affine[:3, 3] = (-13.3, 44.1, 7.7)
    return affine


def drawn_scan(shape: Sequence[int], affine: np.ndarray, numbers: Sequence[int] | None = None, seed: int = 0) -> Scan:
    """A scan (H, W, D) of smooth grey values 0 to 4000."""
    random = torch.Generator().manual_seed(seed)
    coarse = torch.rand((1, 1, *(max(2, length // 3) for length in shape)), generator=random)
    voxels = torch.nn.functional.interpolate(coarse, tuple(shape), mode="trilinear")[0, 0].numpy() * 4000
    slices = np.arange(shape[2]) if numbers is None else np.array(numbers)
    names = tuple(f"slice {number}" for number in slices)
    return Scan("drawn", voxels.astype(np.uint16), affine, slices.astype(np.int64), names, "nifti", ())


class ThreeOrgans(torch.nn.Module):
    """Three classes from K slices, seeing two pixels around, unlike in each direction; about half is inside."""

    def __init__(self, slices: int = 3) -> None:
        super().__init__()
        random = torch.Generator().manual_seed(5)
        self.first = torch.nn.Parameter(torch.randn((6, slices, 3, 3), generator=random) * 0.8)
        self.second = torch.nn.Parameter(torch.randn((3, 6, 3, 3), generator=random) * 0.8)

    def forward(self, stacks: torch.Tensor) -> torch.Tensor:
        hidden = torch.nn.functional.conv2d(stacks, self.first, padding=1).relu()
        return torch.nn.functional.conv2d(hidden, self.second, padding=1) - 0.5
