"""Changes of grey values and colours, anatomy stays where it is; images are float32 in 0..1 and changed in place."""

from typing import NamedTuple

import numpy as np
import torch

LUMA = (0.299, 0.587, 0.114)


class Hole(NamedTuple):
    """A rectangle of one sample, stops excluded, in pixels.

    Attributes:
        sample: index in the batch.
        top: first row.
        bottom: row after the last.
        left: first column.
        right: column after the last.
    """

    sample: int
    top: int
    bottom: int
    left: int
    right: int


def change_contrast(image: torch.Tensor, factor: float, offset: float) -> None:
    """Multiply, then add, then cut to 0..1.

    Args:
        image: one sample (K, h, w), changed in place.
        factor: of the contrast.
        offset: of the brightness, in shares of the range.
    """
    image.mul_(factor).add_(offset).clip_(0, 1)


def color_matrix(saturation: float, hue: float) -> np.ndarray:
    """The linear map of a change of colours; greys stay as they are.

    Args:
        saturation: 0 leaves only the brightness (luma), 1 the colours as they are, more makes them stronger.
        hue: turn about the grey axis in radians; a third of a circle makes red green, green blue and blue red.

    Returns:
        (3, 3) float64; it multiplies RGB columns from the left.

    Source: luma weights of ITU-R BT.601; the turn by Rodrigues' formula
    """
    blended = saturation * np.eye(3) + (1 - saturation) * np.tile(LUMA, (3, 1))
    along = np.full((3, 3), 1 / 3)
    across = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / np.sqrt(3)
    turned = np.cos(hue) * np.eye(3) + (1 - np.cos(hue)) * along + np.sin(hue) * across
    return turned @ blended


def change_colors(image: torch.Tensor, matrix: np.ndarray) -> None:
    """Map the colours, then cut to 0..1.

    Args:
        image: one sample (3, h, w) in RGB, changed in place.
        matrix: of `color_matrix`.
    """
    weights = torch.from_numpy(matrix).to(image)
    image.copy_((weights @ image.flatten(1)).view_as(image).clip_(0, 1))


def draw_holes(
    rng: np.random.Generator, samples: np.ndarray, size: tuple[int, int], count: tuple[int, int], largest_px: int
) -> list[Hole]:
    """Draw rectangles that lie inside the image.

    Args:
        rng: the generator to draw from.
        samples: indices of the samples that get holes.
        size: (h, w) of the images, in pixels.
        count: fewest and most holes of a sample.
        largest_px: longest side; sides are 1 to this long.

    Returns:
        The rectangles, which may overlap.
    """
    holes = []
    for sample in samples:
        number = int(rng.integers(count[0], count[1] + 1))
        heights = rng.integers(1, min(largest_px, size[0]) + 1, number)
        widths = rng.integers(1, min(largest_px, size[1]) + 1, number)
        tops, lefts = rng.integers(size[0] - heights + 1), rng.integers(size[1] - widths + 1)
        corners = np.stack([tops, tops + heights, lefts, lefts + widths], axis=1).tolist()
        holes += [Hole(int(sample), *corner) for corner in corners]
    return holes


def cut_holes(image: torch.Tensor, holes: list[Hole]) -> None:
    """Blacken rectangles in all channels.

    Args:
        image: (B, K, h, w), changed in place.
        holes: the rectangles.
    """
    for hole in holes:
        image[hole.sample, :, hole.top : hole.bottom, hole.left : hole.right] = 0
