"""Dice and IoU per organ, pooled over all pixels of an epoch or as the mean over its images; channel c is organs[c].

Rule for empties: an organ absent from truth and prediction of the whole epoch (of an image, where images count each by
itself) has nothing to judge, its numbers are NaN and the means leave it out; where no organ at all is left the means
are 0, so that NaN never becomes a best metric.
These are the numbers of a training curve, over the crops or scans that the engine saw; monai_gi.metrics judges.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import ignite.distributed as idist
import numpy as np
import torch
from ignite.engine import Engine
from ignite.metrics import Metric
from monai.handlers import from_engine

from monai_gi.labels import ORGAN_NAMES
from monai_gi.metrics.overlap import dice_from_counts, iou_from_counts

MEASURES = ("dice", "iou")


class OrganOverlap(Metric):
    """Counts intersection, predicted and true pixels per organ; sums are integers, so processes change nothing.

    As the key metric of a trainer or evaluator it puts the mean Dice under its own name (a scalar, as MONAI wants; the
    number itself where the name is one of those that follow), and `<prefix>dice_<organ>`, `<prefix>iou_<organ>`,
    `<prefix>mean_dice`, `<prefix>mean_iou` beside it:
    `"key_train_metric": {"train_mean_dice": {"_target_": "monai_gi.handlers.OrganOverlap", "prefix": "train_"}}`.

    Args:
        prefix: set before every name in `engine.state.metrics`.
        threshold: predictions above it are organ; 0 serves logits and masks, 0.5 probabilities.
        organs: names of the channels.
        output_transform: from the engine's output to (prediction, truth): tensors (B, C, H, W[, D]), or lists of
            (C, H, W[, D]) when decollated. A list of predictions beside one truth is deep supervision: the last counts.
        per_image: take the mean over images of each image's Dice and IoU, as polyps are reported, not the Dice of all
            pixels together, in which large polyps outweigh small ones.

    Raises:
        ValueError: on update, when a tensor's channels are not `organs`, or the two shapes differ.
    """

    def __init__(
        self,
        prefix: str = "",
        threshold: float = 0.0,
        organs: Sequence[str] = ORGAN_NAMES,
        output_transform: Callable | None = None,
        *,
        per_image: bool = False,
    ) -> None:
        self.prefix = prefix
        self.per_image = per_image
        self.threshold = threshold
        self.organs = tuple(organs)
        super().__init__(output_transform or from_engine(["pred", "label"]))

    def reset(self) -> None:
        """Forget every pixel; called as an epoch starts."""
        # Pixels in both, predicted, true: (3, C) of the epoch, and (3, B, C) of each batch where images count singly.
        self._sums = torch.zeros((3, len(self.organs)), dtype=torch.int64)
        self._images: list[torch.Tensor] = []

    def update(self, output: Sequence) -> None:
        """Count one batch.

        Args:
            output: prediction and truth, each (B, C, H, W[, D]).

        Raises:
            ValueError: channels or shapes do not fit.
        """
        predicted, truth = output
        if isinstance(predicted, (list, tuple)):
            predicted = predicted[-1]
        if predicted.shape != truth.shape or predicted.shape[1] != len(self.organs):
            raise ValueError(
                f"prediction {tuple(predicted.shape)} and truth {tuple(truth.shape)} must both be "
                f"(B, {len(self.organs)}, ...), one channel for each of {', '.join(self.organs)}"
            )
        counts = _pixel_counts(_plain(predicted) > self.threshold, _plain(truth) > 0)
        if self.per_image:
            self._images.append(counts)
        else:
            self._add(counts.sum(dim=1))

    def _add(self, counts: torch.Tensor) -> None:
        """Pool (3, C) pixels on their device: a number that is asked for makes a graphics card wait."""
        self._sums = self._sums.to(counts.device) + counts

    def compute(self) -> dict[str, float]:
        """The numbers of the epoch over all processes.

        Returns:
            `dice_<organ>`, `iou_<organ>`, `mean_dice`, `mean_iou`, in 0..1; empties as the module says.
        """
        scores = self._means_of_images() if self.per_image else _dice_and_iou(sum_over_processes(self._sums))
        dice, iou = scores.tolist()
        numbers = {f"dice_{organ}": value for organ, value in zip(self.organs, dice, strict=True)}
        numbers |= {f"iou_{organ}": value for organ, value in zip(self.organs, iou, strict=True)}
        return numbers | {"mean_dice": _mean_of_present(dice), "mean_iou": _mean_of_present(iou)}

    def _means_of_images(self) -> torch.Tensor:
        """(2, C), over the images of all processes that have anything to judge."""
        images = [counts.cpu() for counts in self._images]
        scores = _dice_and_iou(torch.cat([torch.zeros((3, 0, len(self.organs)), dtype=torch.int64), *images], dim=1))
        judged = ~scores[:1].isnan()
        sums = sum_over_processes(torch.cat([scores.nan_to_num(0), judged.double()]).sum(dim=1)).cpu()
        return sums[:2] / sums[2]

    def completed(self, engine: Engine, name: str) -> None:
        """Put every number under its prefixed name, and the mean Dice under `name` where that is none of them.

        Args:
            engine: the engine whose epoch ended.
            name: the key that the config gave this metric.
        """
        numbers = self.compute()
        named = {f"{self.prefix}{key}": value for key, value in numbers.items()}
        engine.state.metrics.update({name: numbers["mean_dice"]} | named)


def key_overlap(measure: str = "dice", prefix: str = "", **settings: Any) -> dict[str, OrganOverlap]:
    """The key metric of a trainer or evaluator, by the name of what decides which epoch is the best.

    Args:
        measure: "dice" or "iou".
        prefix: as for `OrganOverlap`.
        **settings: the other arguments of `OrganOverlap`.

    Returns:
        One metric under the name `<prefix>mean_<measure>`, as MONAI's engines want it.

    Raises:
        ValueError: another measure.
    """
    if measure not in MEASURES:
        raise ValueError(f"key_metric: {measure!r}, wanted {' or '.join(map(repr, MEASURES))}")
    return {f"{prefix}mean_{measure}": OrganOverlap(prefix, **settings)}


def sum_over_processes(numbers: torch.Tensor) -> torch.Tensor:
    """The sum over all processes, on each of them; every process must call it.

    Args:
        numbers: of this process; left as they are.

    Returns:
        The same shape and dtype, on the device that the processes talk through; alone, `numbers`.
    """
    if idist.get_world_size() == 1:
        return numbers
    return torch.as_tensor(idist.all_reduce(numbers.clone()))


def _plain(tensor: torch.Tensor) -> torch.Tensor:
    """Without MONAI's metadata, whose bookkeeping costs more than the counting."""
    return tensor.as_subclass(torch.Tensor).detach()


def _pixel_counts(predicted: torch.Tensor, true: torch.Tensor) -> torch.Tensor:
    """Pixels in both, predicted, true: (3, B, C) int64, on the tensors' device."""
    return torch.stack([_count(mask) for mask in (predicted & true, predicted, true)])


def _count(mask: torch.Tensor) -> torch.Tensor:
    """True pixels of each channel of (B, C, ...)."""
    # Bytes summed to 32 bits take a third of the time of booleans summed to 64; a channel has fewer pixels than 2**31.
    return mask.view(torch.uint8).flatten(2).sum(dim=2, dtype=torch.int32).to(torch.int64)


def _dice_and_iou(counts: torch.Tensor) -> torch.Tensor:
    """(2, ...) of pixels in both, predicted, true (3, ...); NaN where nothing is predicted or true."""
    pixels = counts.cpu().numpy()
    return torch.from_numpy(np.stack([dice_from_counts(*pixels), iou_from_counts(*pixels)]))


def _mean_of_present(values: Sequence[float]) -> float:
    present = [value for value in values if not math.isnan(value)]
    return sum(present) / len(present) if present else 0.0
