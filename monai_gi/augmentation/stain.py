"""Stains and colours of sections, changed as another laboratory would; RGB images in 0..1, changed in place.

Light through a dye falls exponentially with its amount (Beer and Lambert), so in optical density, -log(light), dyes
add up. The density is taken apart into haematoxylin, eosin and what is left, each is made stronger or weaker, and all
are put together again: for one image that is one 3 x 3 matrix and one offset.
Source: https://doi.org/10.1109/TMI.2018.2820199 (HED augmentation), with the dyes of
https://pubmed.ncbi.nlm.nih.gov/11531144/ as scikit-image gives them.
"""

from typing import NamedTuple

import numpy as np
import torch
from skimage.color import hed_from_rgb, rgb_from_hed

# Light that is taken for black, so that its logarithm exists: half a grey value.
DARKEST = 0.5 / 255
# Shares of red, green and blue in brightness (ITU-R BT.601).
LUMA = (0.299, 0.587, 0.114)


class StainDraws(NamedTuple):
    """Changes of optical density of B samples.

    Attributes:
        matrix: (B, 3, 3) float32; new density = matrix @ density + offset.
        offset: (B, 3) float32.
    """

    matrix: np.ndarray
    offset: np.ndarray


class ColorDraws(NamedTuple):
    """Changes of colour of B samples, each an array (B,).

    Attributes:
        brightness: added, in shares of the range.
        contrast: factor about mid-grey.
        saturation: factor about each pixel's own grey.
    """

    brightness: np.ndarray
    contrast: np.ndarray
    saturation: np.ndarray


def draw_stains(rng: np.random.Generator, count: int, strength: float, shift: float) -> StainDraws:
    """Draw changes of stain.

    Args:
        rng: the generator to draw from.
        count: B.
        strength: largest relative change of a dye's amount, below 1.
        shift: largest amount of a dye that is added or taken away, in units of optical density.

    Returns:
        The changes; with 0 and 0 they leave images as they are.
    """
    factors = 1 + rng.uniform(-strength, strength, (count, 3))
    offsets = rng.uniform(-shift, shift, (count, 3))
    # Rows of hed_from_rgb are channels and columns are dyes: amounts = density @ hed_from_rgb.
    matrix = np.einsum("cd,nd,de->nec", hed_from_rgb, factors, rgb_from_hed)
    return StainDraws(matrix.astype(np.float32), (offsets @ rgb_from_hed).astype(np.float32))


def change_stain(image: torch.Tensor, matrix: torch.Tensor, offset: torch.Tensor) -> None:
    """Stain one sample anew.

    Args:
        image: (3 * levels, h, w) float32 in 0..1, changed in place; all levels alike.
        matrix: (3, 3) of the density.
        offset: (3,) of the density.
    """
    density = image.clamp(min=DARKEST).log_().neg_().unflatten(0, (-1, 3))
    changed = torch.einsum("ec,lchw->lehw", matrix, density) + offset[:, None, None]
    image.copy_(changed.neg_().exp_().clamp_(0, 1).flatten(0, 1))


def draw_colors(rng: np.random.Generator, count: int, limits: tuple[float, float, float]) -> ColorDraws:
    """Draw changes of colour.

    Args:
        rng: the generator to draw from.
        count: B.
        limits: largest change of brightness, and relative ones of contrast and saturation.

    Returns:
        The changes.
    """
    drawn = rng.uniform(-1, 1, (3, count)) * np.array(limits)[:, None]
    return ColorDraws(drawn[0], 1 + drawn[1], 1 + drawn[2])


def change_colors(image: torch.Tensor, brightness: float, contrast: float, saturation: float) -> None:
    """Change saturation, contrast and brightness of one sample, then cut to 0..1.

    Args:
        image: (3 * levels, h, w) float32 in 0..1, changed in place; all levels alike.
        brightness: added.
        contrast: factor about 0.5.
        saturation: factor about the pixel's grey.
    """
    by_level = image.unflatten(0, (-1, 3))
    grey = torch.einsum("c,lchw->lhw", torch.tensor(LUMA, device=image.device), by_level)[:, None]
    by_level.mul_(saturation).add_(grey * (1 - saturation))
    image.sub_(0.5).mul_(contrast).add_(0.5 + brightness).clamp_(0, 1)
