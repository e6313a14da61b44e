"""Blending of overlapping windows within bounded memory: sums of one window's width, and what reaches the next band.

A band is walked from left to right. Columns that no further window touches are final: the answer of its upper rows is
given out, its lower rows, which the next band's windows reach too, are kept. Memory is (classes + 1) x overlap rows x
width of the slide, in float32; whole planes of logits never exist.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch

from monai_gi.streaming.threads import single_thread
from monai_gi.streaming.windows import Band, WindowPlan


class Block(NamedTuple):
    """A final part of the answer.

    Attributes:
        top: its first row in the image.
        left: its first column in the image.
        sums: (C + 1, rows, columns), float32, on the network's device: weighted logits of the classes, and the weights;
            0 where no window was looked at.
    """

    top: int
    left: int
    sums: torch.Tensor

    @property
    def probabilities(self) -> torch.Tensor:
        """(C, rows, columns), computed each time; where no window was looked at, background."""
        with single_thread(self.sums.device):
            return _probabilities(self.sums)

    @property
    def labels(self) -> np.ndarray:
        """(rows, columns), uint8, the likeliest class, computed each time; weighted logits rank classes as well."""
        return labels_of(self.sums[:-1])


class Blender:
    """Weighted means of logits, band by band.

    Args:
        plan: of the windows.
        weights: (h, w), float32, above 0, on the device of the logits.
        classes: number of classes C.
    """

    def __init__(self, plan: WindowPlan, weights: torch.Tensor, classes: int) -> None:
        self.plan = plan
        self.weights = weights
        self.classes = classes
        self.kept = weights.new_zeros((classes + 1, 0, plan.padded[1]))

    def blend(self, band: Band, logits: Iterator[torch.Tensor | None]) -> Iterator[Block]:
        """Take the windows of one band and give its answer; bands come from the top, none left out.

        Args:
            band: of the plan.
            logits: (C, h, w) of each window, float32, in the order of `places_of`; None for windows of glass.

        Yields:
            Block: from left to right, without gaps, within the image; nothing where they lie in the padding.

        Raises:
            ValueError: the network has another number of channels than there are classes.
        """
        height, width = self.plan.roi_size
        final, reach = band.bottom - band.top, band.rows[-1] + height - band.top
        sums = self.weights.new_zeros((self.classes + 1, reach, width))
        if self.kept.shape[1] == 0:
            self.kept = self.weights.new_zeros((self.classes + 1, reach - final, self.plan.padded[1]))
        ends = [*self.plan.columns[1:], self.plan.padded[1]]
        for left, end in zip(self.plan.columns, ends, strict=True):
            windows = [next(logits) for _ in band.rows]
            with single_thread(self.weights.device):
                for top, window in zip(band.rows, windows, strict=True):
                    self._add(sums[:, top - band.top : top - band.top + height], window)
                ready = sums[..., : end - left]
                ready[:, : self.kept.shape[1]] += self.kept[..., left:end]
                if reach > final:  # these columns of the band above are used up
                    self.kept[..., left:end] = ready[:, final:]
                block = self._block(band.top, left, ready[:, :final])
                sums = _moved(sums, end - left)
            if block is not None:
                yield block

    def _add(self, sums: torch.Tensor, logits: torch.Tensor | None) -> None:
        if logits is None:
            return
        if logits.shape != (self.classes, *self.plan.roi_size):
            wanted = (self.classes, *self.plan.roi_size)
            raise ValueError(f"network: a window gave {tuple(logits.shape)}, wanted (classes, h, w) = {wanted}")
        sums[:-1].addcmul_(logits, self.weights)
        sums[-1] += self.weights

    def _block(self, top: int, left: int, sums: torch.Tensor) -> Block | None:
        """The block at (top, left) of the padded image, cut to the image; None where it lies in the padding."""
        margin, size = self.plan.margin, self.plan.size
        rows, columns = (
            slice(max(margin[axis] - start, 0), max(min(margin[axis] + size[axis] - start, sums.shape[axis + 1]), 0))
            for axis, start in enumerate((top, left))
        )
        inside = sums[:, rows, columns]
        if not inside.numel():
            return None
        corner = top + rows.start - margin[0], left + columns.start - margin[1]
        return Block(*corner, inside)


def labels_of(scores: torch.Tensor) -> np.ndarray:
    """The likeliest class of every pixel; of equal ones the first.

    Args:
        scores: (C, h, w), probabilities or what grows with them.

    Returns:
        (h, w), uint8.
    """
    with single_thread(scores.device):
        best = scores[0].clone()
        labels = torch.zeros(best.shape, dtype=torch.uint8, device=best.device)
        for label in range(1, len(scores)):  # five times as fast as argmax over the first axis
            labels = torch.where(scores[label] > best, label, labels)
            torch.maximum(best, scores[label], out=best)
        return labels.cpu().numpy()


def _probabilities(sums: torch.Tensor) -> torch.Tensor:
    """Sums (C + 1, rows, columns) of weighted logits and of weights to probabilities (C, rows, columns)."""
    logits, weights = sums[:-1], sums[-1:]
    is_seen = weights > 0
    if not is_seen.any():
        probabilities = torch.zeros_like(logits)
        probabilities[0] = 1
        return probabilities
    probabilities = (logits / weights.clamp_min(torch.finfo(weights.dtype).tiny)).softmax(dim=0)
    if not is_seen.all():
        background = torch.zeros_like(probabilities[:, :1, :1])
        background[0] = 1
        probabilities = torch.where(is_seen, probabilities, background)
    return probabilities


def _moved(sums: torch.Tensor, step: int) -> torch.Tensor:
    """The same sums seen from `step` columns farther right."""
    moved = torch.zeros_like(sums)
    moved[..., : sums.shape[-1] - step] = sums[..., step:]
    return moved
