"""Near-duplicates among many images: all pairs by thumbnails of 32 px, then the nearest ones by their detail at 64 px.

Two images count as near-duplicates when both numbers are high. The first is the normalised correlation of thumbnails,
quick enough for all pairs; it is high as well for images that only share a layout, such as the dark corners of an
endoscope or a body in the middle of the picture. The second is the correlation of what is left when coarse brightness
is taken away, at the best shift of up to 8 of 64 px, because a camera moves between two frames.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from PIL import Image
from scipy import fft
from scipy.ndimage import gaussian_filter

SIDE = 64
SMALL = 32
BLOCK = 2048
COARSE_PX = 6.0
SHIFT_PX = 8
_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # ITU-R BT.601
_PAIRS_AT_ONCE = 256
_TINY = 1e-6
_NONE = -1

Progress = Callable[[int, int], object]


class Nearest(NamedTuple):
    """The images of other parts that are most alike.

    Attributes:
        partners: (N, K) positions, most alike first; -1 where fewer than K reach the threshold.
        correlations: (N, K) float32 of thumbnails; -1 where there is no partner.
        alike: pairs of different parts that reach the threshold, each counted once.
        pairs: pairs of different parts.
    """

    partners: np.ndarray
    correlations: np.ndarray
    alike: int
    pairs: int


def thumbnail(image: np.ndarray) -> Float[np.ndarray, "64 64"]:
    """Shrink an image to 64 x 64 grey pixels, each the mean of its area; proportions are not kept.

    Args:
        image: (H, W), or (H, W, 3) RGB, of any number type; larger is brighter.

    Returns:
        float32, divided by its largest absolute value, so that 16 bits hold it well.

    Raises:
        ValueError: another shape, or no pixel.
    """
    if image.ndim not in (2, 3) or image.shape[2:] not in ((), (3,)) or 0 in image.shape:
        raise ValueError(f"image: shape {image.shape}, wanted (H, W) or (H, W, 3)")
    grey = np.asarray(image, dtype=np.float32)
    grey = grey @ _LUMA if grey.ndim == 3 else grey
    small = np.asarray(Image.fromarray(np.nan_to_num(grey)).resize((SIDE, SIDE), Image.Resampling.BOX))
    return small / max(float(np.abs(small).max()), _TINY)


def unit_vectors(thumbnails: Float[np.ndarray, "N 64 64"]) -> Float[np.ndarray, "N 1024"]:
    """Vectors whose products are the correlations of thumbnails, at half their size.

    Args:
        thumbnails: of `thumbnail`.

    Returns:
        float32, of length 1; zeros for an image without contrast, which is like no other.
    """
    vectors = np.empty((len(thumbnails), SMALL * SMALL), dtype=np.float32)
    for first in range(0, len(thumbnails), BLOCK):
        some = thumbnails[first : first + BLOCK].astype(np.float32)
        small = some.reshape(len(some), SMALL, 2, SMALL, 2).mean(axis=(2, 4)).reshape(len(some), -1)
        vectors[first : first + BLOCK] = _unit(small - small.mean(axis=1, keepdims=True))
    return vectors


def require_threshold(threshold: float) -> None:
    """Refuse a threshold that `nearest_across` can not take, before any image is read.

    Args:
        threshold: as for `nearest_across`.

    Raises:
        ValueError: it is no correlation above 0.
    """
    if not 0 < threshold <= 1:
        raise ValueError(f"threshold: {threshold}, wanted a correlation above 0, at most 1")


def nearest_across(
    vectors: Float[np.ndarray, "N D"],
    parts: Int[np.ndarray, "N"],
    threshold: float,
    *,
    most: int = 4,
    block: int = BLOCK,
    progress: Progress | None = None,
) -> Nearest:
    """Compare all pairs of images of different parts, block by block; memory holds one block of products.

    Args:
        vectors: of `unit_vectors`.
        parts: what each image belongs to, a fold or a group.
        threshold: correlation from which two images are alike.
        most: K, partners that are kept for each image.
        block: images a side of a block.
        progress: called with (blocks done, blocks in all).

    Returns:
        What was found.

    Raises:
        ValueError: the threshold is no correlation above 0, or `most` or `block` is under 1.
    """
    require_threshold(threshold)
    if min(most, block) < 1:
        raise ValueError(f"most {most}, block {block}: wanted 1 or more")
    count = len(vectors)
    best = np.full((count, most), -1, dtype=np.float32), np.full((count, most), _NONE, dtype=np.int64)
    starts = range(0, count, block)
    alike = done = 0
    for rows in starts:
        for columns in range(rows, count, block):
            here, there = slice(rows, rows + block), slice(columns, columns + block)
            products = vectors[here] @ vectors[there].T
            products[parts[here, None] == parts[None, there]] = -1
            reached = products >= threshold
            if reached.any():
                alike += int(np.count_nonzero(reached)) // (2 if rows == columns else 1)
                _keep(best, here, columns, products, reached)
                if rows != columns:
                    _keep(best, there, rows, products.T, reached.T)
            done += 1
            if progress is not None:
                progress(done, len(starts) * (len(starts) + 1) // 2)
    partners = np.where(best[0] >= threshold, best[1], _NONE)
    sizes = np.unique(parts, return_counts=True)[1].astype(np.int64)
    return Nearest(
        partners,
        np.where(partners == _NONE, np.float32(-1), best[0]),
        alike,
        int(count * count - (sizes * sizes).sum()) // 2,
    )


def detail_correlations(
    thumbnails: Float[np.ndarray, "N 64 64"], pairs: Int[np.ndarray, "P 2"], progress: Progress | None = None
) -> Float[np.ndarray, "P"]:
    """Correlate the detail of pairs of images, at the best shift of up to 8 px each way.

    Args:
        thumbnails: of `thumbnail`.
        pairs: positions.
        progress: called with (pairs done, pairs in all).

    Returns:
        float32, -1 to 1; 0 where an image has no detail.
    """
    found = np.zeros(len(pairs), dtype=np.float32)
    named, places = np.unique(pairs, return_inverse=True)
    details = _details(thumbnails, named)
    places = places.reshape(-1, 2)
    for first in range(0, len(pairs), _PAIRS_AT_ONCE):
        some = places[first : first + _PAIRS_AT_ONCE]
        one, other = (fft.rfft2(details[some[:, side]].astype(np.float32)) for side in (0, 1))
        products = fft.irfft2(one.conj() * other, s=(SIDE, SIDE))
        near = np.roll(products, (SHIFT_PX, SHIFT_PX), axis=(1, 2))[:, : 2 * SHIFT_PX + 1, : 2 * SHIFT_PX + 1]
        found[first : first + len(some)] = near.max(axis=(1, 2))
        if progress is not None:
            progress(first + len(some), len(pairs))
    return found


def _keep(
    best: tuple[np.ndarray, np.ndarray], rows: slice, first_column: int, products: np.ndarray, reached: np.ndarray
) -> None:
    """Merge one block into the K best of its rows; rows that reach nothing cost nothing."""
    correlations, partners = best
    chosen = np.flatnonzero(reached.any(axis=1))
    places = chosen + rows.start
    some = products[chosen]
    most = min(correlations.shape[1], some.shape[1])
    columns = np.argpartition(-some, most - 1, axis=1)[:, :most]
    candidates = np.concatenate([correlations[places], np.take_along_axis(some, columns, axis=1)], axis=1)
    names = np.concatenate([partners[places], columns + first_column], axis=1)
    order = np.argsort(-candidates, axis=1, kind="stable")[:, : correlations.shape[1]]
    correlations[places] = np.take_along_axis(candidates, order, axis=1)
    partners[places] = np.take_along_axis(names, order, axis=1)


def _details(thumbnails: np.ndarray, named: np.ndarray) -> np.ndarray:
    """The detail (M, 64, 64) float16 of some thumbnails, each once however many pairs it is in."""
    details = np.empty((len(named), SIDE, SIDE), dtype=np.float16)
    for first in range(0, len(named), _PAIRS_AT_ONCE):
        details[first : first + _PAIRS_AT_ONCE] = _detail(thumbnails[named[first : first + _PAIRS_AT_ONCE]])
    return details


def _detail(thumbnails: np.ndarray) -> np.ndarray:
    """Thumbnails (P, 64, 64) without coarse brightness, faded to 0 at the borders, of length 1."""
    images = thumbnails.astype(np.float32)
    fine = images - gaussian_filter(images, (0, COARSE_PX, COARSE_PX))
    fade = np.hanning(SIDE + 2)[1:-1].astype(np.float32)
    return _unit((fine * fade[:, None] * fade).reshape(len(images), -1)).reshape(images.shape)


def _unit(vectors: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.where(lengths > _TINY * vectors.shape[1] ** 0.5, vectors / np.maximum(lengths, _TINY), 0)
