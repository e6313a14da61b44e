"""The grid that a network sees: rows to posterior, columns to left, planes to feet, resampled within the planes.

What MONAI's `Orientationd(axcodes="PLI")` and `Spacingd(pixdim=(row, column, -1), mode="bilinear",
padding_mode="border")` give, and what `Invertd` makes of it, without MONAI and a few times quicker. Nothing is done
across planes. The first voxel of a plane keeps its place; where the axes of an oblique scan are not at right angles to
the last digit, as in most files, the centre does instead. A truly sheared scan is taken by its own axes; `Spacingd`
would straighten it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from nibabel.orientations import axcodes2ornt, inv_ornt_aff, io_orientation, ornt_transform
from numpy.typing import DTypeLike

# Axes of the network grid, as the directions in which row, column and plane numbers ascend.
AXES = ("P", "L", "I")

# MONAI's AFFINE_TOL: spacings so near, in mm, are taken as equal, and so are grids whose ratio is so near to 1.
TOLERANCE = 1e-3


@dataclass(frozen=True)
class NetworkGrid:
    """The way of a scan's voxels to the planes of the network and back; see `network_grid`.

    Attributes:
        axes: the scan's axis (0 row, 1 column, 2 slice) that becomes row, column and plane.
        is_flipped: whether that axis runs backwards, for row, column and plane.
        scan_size: (rows, columns) of a plane on the scan's own voxels.
        size: (rows, columns) of a plane on the network's grid.
        ratios: spacing of the network's grid over that of the scan, for rows and columns; 1 where nothing is resampled.
        starts: where the network's first row and column stand, in voxels of the scan.
        planes: how many there are.
        plane_spacing_mm: distance between them.
    """

    axes: tuple[int, int, int]
    is_flipped: tuple[bool, bool, bool]
    scan_size: tuple[int, int]
    size: tuple[int, int]
    ratios: tuple[float, float]
    starts: tuple[float, float]
    planes: int
    plane_spacing_mm: float

    def planes_of(self, voxels: np.ndarray) -> np.ndarray:
        """Turn a scan, without a change of any value.

        Args:
            voxels: (H, W, D), the scan's axes.

        Returns:
            (planes, rows, columns), a copy in one block of memory; not resampled.
        """
        backwards = tuple(slice(None, None, -1 if flip else 1) for flip in self.is_flipped)
        return voxels.transpose(self.axes)[backwards].transpose(2, 0, 1).copy(order="C")

    def room(self, channels: int, dtype: DTypeLike) -> tuple[np.ndarray, np.ndarray]:
        """Make an array that is filled plane by plane and read as a scan: the way back of `planes_of`.

        Args:
            channels: C.
            dtype: of the array.

        Returns:
            Zeros as (C, H, W, D), the scan's axes, and the same memory as (planes, C, rows, columns). It is ordered by
            planes, which makes work on single planes quick.
        """
        memory = np.zeros((self.planes, channels, *self.scan_size), dtype=dtype)
        rows, columns, planes = (slice(None, None, -1 if flip else 1) for flip in self.is_flipped)
        return memory.transpose(1, 2, 3, 0).transpose(0, *(1 + np.argsort(self.axes))), memory[planes, :, rows, columns]

    def resample(self, planes: torch.Tensor) -> torch.Tensor:
        """Bring planes onto the network's grid.

        Args:
            planes: (..., rows, columns) of `scan_size`, floating point.

        Returns:
            (..., rows, columns) of `size`; the input itself where the spacings agree.
        """
        return _resample(planes, self.size, self.starts, self.ratios)

    def restore(self, planes: torch.Tensor) -> torch.Tensor:
        """Bring planes back from the network's grid onto the scan's own voxels; beyond the last voxel it repeats.

        Args:
            planes: (..., rows, columns) of `size`, floating point.

        Returns:
            (..., rows, columns) of `scan_size`; the input itself where the spacings agree.
        """
        (row, column), (first_row, first_column) = self.ratios, self.starts
        return _resample(planes, self.scan_size, (-first_row / row, -first_column / column), (1 / row, 1 / column))


def network_grid(affine: np.ndarray, shape: Sequence[int], spacing_mm: Sequence[float]) -> NetworkGrid:
    """Find how a scan's axes lie in the patient, and the network's grid in its planes.

    Args:
        affine: (4, 4), from (row, column, slice) of the scan to RAS mm.
        shape: (H, W, D) of the scan.
        spacing_mm: (row, column) wanted; an axis that has it to 0.001 mm is not resampled.

    Returns:
        The grid; of an oblique scan the nearest axes, as nibabel finds them.

    Raises:
        ValueError: a spacing is not above 0, or the affine is singular.
    """
    if min(spacing_mm) <= 0 or np.linalg.matrix_rank(affine[:3, :3]) < 3:
        raise ValueError(f"spacing {tuple(spacing_mm)} mm and affine {affine.tolist()}, wanted both above 0 in volume")
    turn = ornt_transform(io_orientation(affine), axcodes2ornt(AXES))
    axes = np.argsort(turn[:, 0])
    turned_affine = affine @ inv_ornt_aff(turn, shape)
    turned_shape = [int(shape[axis]) for axis in axes]
    size, ratios, starts = _grid_in_plane(turned_affine, turned_shape, spacing_mm)
    row, column, plane = (int(axis) for axis in axes)
    flip_row, flip_column, flip_plane = (bool(turn[axis, 1] < 0) for axis in axes)
    return NetworkGrid(
        axes=(row, column, plane),
        is_flipped=(flip_row, flip_column, flip_plane),
        scan_size=(turned_shape[0], turned_shape[1]),
        size=size,
        ratios=ratios,
        starts=starts,
        planes=turned_shape[2],
        plane_spacing_mm=float(np.linalg.norm(affine[:3, plane])),
    )


def _grid_in_plane(
    affine: np.ndarray, shape: Sequence[int], spacing_mm: Sequence[float]
) -> tuple[tuple[int, int], tuple[float, float], tuple[float, float]]:
    """Size, ratios and starts of rows and columns, in MONAI's own steps: roundings fall as they do there."""
    own = np.linalg.norm(affine[:3, :3], axis=0)
    wanted = np.array([*spacing_mm, own[2]])
    wanted = np.where(np.abs(own - wanted) <= TOLERANCE, own, wanted)
    triangle = np.linalg.cholesky(affine[:3, :3].T @ affine[:3, :3]).T
    resampled = np.eye(4)
    resampled[:3, :3] = affine[:3, :3] @ np.linalg.inv(triangle) @ np.diag(wanted)
    ends = np.array(np.meshgrid(*[(0.0, length - 1.0) for length in shape], indexing="ij")).reshape(3, -1)
    corners = (np.linalg.solve(resampled, affine) @ np.vstack([ends, np.ones_like(ends[:1])]))[:3]
    size = np.round(np.ptp(corners, axis=1) + 1)
    ratios = wanted / own
    is_first_kept = np.allclose(corners.min(axis=1) - corners[:, 0], 0)
    starts = np.zeros(3) if is_first_kept else (np.array(shape) - size * ratios) / 2
    resampled[:3, 3] = (affine @ [*starts, 1])[:3]
    if np.array_equal(size, shape) and _is_near(affine, resampled):
        ratios, starts = np.ones(3), np.zeros(3)
    (rows, columns), (row, column), (first_row, first_column) = size[:2], ratios[:2], starts[:2]
    return (int(rows), int(columns)), (float(row), float(column)), (float(first_row), float(first_column))


def _is_near(affine: np.ndarray, resampled: np.ndarray) -> bool:
    """Whether two grids of one size are taken as one."""
    is_near_in_mm = np.allclose(affine, resampled, atol=TOLERANCE)
    return is_near_in_mm or np.allclose(np.linalg.solve(affine, resampled), np.eye(4), atol=TOLERANCE)


def _resample(
    planes: torch.Tensor, size: tuple[int, int], starts: tuple[float, float], steps: tuple[float, float]
) -> torch.Tensor:
    """Sample (..., H, W) linearly at rows start, start + step, ... and so the columns; the border repeats."""
    if steps == (1, 1):
        return planes
    low, high, weight = _places(planes.shape[-1], size[1], starts[1], steps[1], planes.device)
    # Columns by a product: picking single elements of rows takes twice as long.
    matrix = torch.zeros((size[1], planes.shape[-1]), dtype=torch.float64, device=planes.device)
    samples = torch.arange(size[1], device=planes.device)
    matrix[samples, low] = 1 - weight
    matrix[samples, high] += weight
    planes = planes @ matrix.T.to(planes.dtype)
    low, high, weight = _places(planes.shape[-2], size[0], starts[0], steps[0], planes.device)
    weight = weight[:, None].to(planes.dtype)
    return torch.lerp(planes.index_select(-2, low), planes.index_select(-2, high), weight)


def _places(
    length: int, count: int, start: float, step: float, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """For each of `count` samples the voxel below, the voxel above and the weight of the latter."""
    samples = torch.arange(count, dtype=torch.float64, device=device)
    places = (start + samples * step).clamp_(0, length - 1)
    low = places.floor().long()
    return low, (low + 1).clamp_(max=length - 1), places - low
