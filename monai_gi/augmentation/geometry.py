"""Where each pixel of an augmented image comes from; grids in the order (x, y) and the units of torch's grid_sample.

A point moves about the image's centre: enlarged, turned, then shifted. Positive angles turn +x (right) towards +y
(down), which is clockwise on the screen. align_corners=False throughout: pixel x of w sits at (2x + 1) / w - 1.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from torch.nn.functional import grid_sample


class AffineDraws(NamedTuple):
    """One affine map a sample, each an array (B,).

    Attributes:
        shift_x: to the right, in shares of the width.
        shift_y: down, in shares of the height.
        scale: factor that enlarges what is seen.
        angle: clockwise on the screen, in radians.
    """

    shift_x: np.ndarray
    shift_y: np.ndarray
    scale: np.ndarray
    angle: np.ndarray


def affine_grid(draws: AffineDraws, height: int, width: int, device: torch.device | str = "cpu") -> torch.Tensor:
    """Sampling positions of affine maps, as sums of a row and a column.

    torch's own affine_grid multiplies a matrix with every pixel's position: nine times the time for the same grid.

    Args:
        draws: the maps of B samples.
        height: of the images, in pixels.
        width: of the images, in pixels.
        device: where the grid is wanted.

    Returns:
        (B, height, width, 2) float32, for grid_sample with align_corners=False.
    """
    x, y = _centred(width), _centred(height)
    cosine, sine = np.cos(draws.angle) / draws.scale, np.sin(draws.angle) / draws.scale
    shift_x, shift_y = draws.shift_x * width, draws.shift_y * height
    # The map's inverse, each term along one axis only: x of the source, then y, from x and from y of the target.
    x_from_x = np.multiply.outer(cosine, x) - (cosine * shift_x + sine * shift_y)[:, None]
    x_from_y = np.multiply.outer(sine, y)
    y_from_x = np.multiply.outer(-sine, x) - (cosine * shift_y - sine * shift_x)[:, None]
    y_from_y = np.multiply.outer(cosine, y)
    columns = _tensor(np.stack([x_from_x * (2 / width), y_from_x * (2 / height)], axis=1), device)
    rows = _tensor(np.stack([x_from_y * (2 / width), y_from_y * (2 / height)], axis=1), device)
    # x and y in planes of their own: sums along whole rows, three times as fast as along pairs.
    return (columns[:, :, None] + rows[:, :, :, None]).permute(0, 2, 3, 1)


def elastic_grid(control_px: np.ndarray, height: int, width: int, device: torch.device | str = "cpu") -> torch.Tensor:
    """Smooth displacements between control points, to be added to a grid.

    Args:
        control_px: (B, 2, g + 3, g + 3) displacements (x, y) in pixels at the control points of cubic B-splines with
            g intervals a side; no pixel moves further than the largest of them.
        height: of the images, in pixels.
        width: of the images, in pixels.
        device: where the grid is wanted.

    Returns:
        (B, height, width, 2) float32 in units of the grid.

    Source: free-form deformation, Rueckert et al. 1999, https://doi.org/10.1109/42.796284
    """
    intervals = control_px.shape[-1] - 3
    scaled = control_px * np.array([2 / width, 2 / height])[:, None, None]
    down = _tensor(spline_weights(height, intervals), device)
    across = _tensor(spline_weights(width, intervals), device)
    return (down @ _tensor(scaled, device) @ across.T).permute(0, 2, 3, 1)


@lru_cache(maxsize=16)
def spline_weights(length: int, intervals: int) -> np.ndarray:
    """Weights of uniform cubic B-splines at the pixels of one axis.

    Args:
        length: number of pixels; the first and the last lie on the first and the last knot.
        intervals: number of intervals between them.

    Returns:
        (length, intervals + 3) float64; each row adds up to 1.
    """
    position = np.linspace(0, intervals, length)
    first = np.minimum(position.astype(int), intervals - 1)
    t = position - first
    pieces = ((1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3)
    weights = np.zeros((length, intervals + 3))
    for step, piece in enumerate(pieces):
        weights[np.arange(length), first + step] = piece / 6
    return weights


def warp(image: torch.Tensor, grid: torch.Tensor) -> torch.Tensor:
    """Sample images bilinearly; what comes from outside is 0.

    Args:
        image: (B, K, h, w) float32.
        grid: (B, h, w, 2), for grid_sample with align_corners=False.

    Returns:
        As they came, moved.
    """
    return grid_sample(image, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def warp_packed(packed: torch.Tensor, grid: torch.Tensor) -> torch.Tensor:
    """Sample packed masks at the nearest pixel: all classes in one lookup; what comes from outside is 0.

    Args:
        packed: (B, h, w) uint8.
        grid: (B, h, w, 2), for grid_sample with align_corners=False.

    Returns:
        As they came, moved.
    """
    moved = grid_sample(packed[:, None].float(), grid, mode="nearest", padding_mode="zeros", align_corners=False)
    return moved[:, 0].to(torch.uint8)


def _centred(length: int) -> np.ndarray:
    """Pixel positions of one axis with 0 at its centre."""
    return np.arange(length) - (length - 1) / 2


def _tensor(array: np.ndarray, device: torch.device | str) -> torch.Tensor:
    return torch.from_numpy(array.astype(np.float32)).to(device, non_blocking=True)
