"""From a batch of slide patches to what the network trains on; the `prepare_batch` of MONAI's engines."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from monai_gi.augmentation.stain import change_colors, change_stain, draw_colors, draw_stains


class SlideAugmentation:
    """Moves a batch of patches to the device and, in training, turns, flips, stains and colours what is drawn.

    All levels of a patch share their parameters: they have one centre, so one turn serves all. The parameters come
    from a NumPy generator: the same seed and batches give the same parameters on every device.

    Args:
        augment: False for validation: nothing but the move.
        flip_prob: probability of exchanging left and right.
        vertical_flip_prob: probability of exchanging top and bottom.
        rotate_prob: probability of a turn by 90, 180 or 270 degrees; patches that are not square turn by 180 only.
        stain_prob: probability of another stain.
        stain_strength: largest relative change of a dye's amount, below 1.
        stain_shift: largest amount of a dye added everywhere, in optical density.
        color_prob: probability of a change of colour.
        brightness: largest change, in shares of the range.
        contrast: largest relative change, below 1.
        saturation: largest relative change, below 1.
        seed: of the first stream of parameters, see `set_seed`.

    Raises:
        ValueError: a probability is not in 0..1, or a change is out of its range.
    """

    def __init__(
        self,
        *,
        augment: bool = True,
        flip_prob: float = 0.5,
        vertical_flip_prob: float = 0.5,
        rotate_prob: float = 0.75,
        stain_prob: float = 0.5,
        stain_strength: float = 0.25,
        stain_shift: float = 0.03,
        color_prob: float = 0.5,
        brightness: float = 0.08,
        contrast: float = 0.15,
        saturation: float = 0.2,
        seed: int = 0,
    ) -> None:
        self.augment = augment
        self.flip_prob, self.vertical_flip_prob, self.rotate_prob = flip_prob, vertical_flip_prob, rotate_prob
        self.stain_prob, self.stain_strength, self.stain_shift = stain_prob, stain_strength, stain_shift
        self.color_prob, self.brightness, self.contrast, self.saturation = color_prob, brightness, contrast, saturation
        for name in ("flip_prob", "vertical_flip_prob", "rotate_prob", "stain_prob", "color_prob"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name}: {getattr(self, name)}, wanted a probability from 0 to 1")
        for name in ("stain_strength", "stain_shift", "brightness", "contrast", "saturation"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(
                    f"{name}: {getattr(self, name)}, wanted 0 to below 1: it is drawn from both sides of 0"
                )
        self.set_seed(seed)

    def set_seed(self, seed: int | Sequence[int]) -> None:
        """Begin a stream of parameters; a handler calls it each epoch so that a resumed run draws the same.

        Args:
            seed: a number, or several such as (seed, epoch, rank).
        """
        self._rng = np.random.default_rng(seed)

    def __call__(
        self,
        batch: Mapping[str, Any],
        device: torch.device | str | None = None,
        non_blocking: bool = False,
        **kwargs: Any,
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Prepare one batch.

        Args:
            batch: `image` (B, 3 * levels, h, w) float in 0..1; `label` (B, h, w) or (B, 1, h, w) of classes, or absent.
            device: where the network is.
            non_blocking: copy from pinned memory without waiting.
            **kwargs: further arguments of `torch.Tensor.to` for the image, such as `memory_format`.

        Returns:
            Image (B, 3 * levels, h, w) float32 in 0..1, and label (B, 1, h, w) uint8 or None where there is none.
        """
        image = torch.as_tensor(batch["image"]).to(device=device, non_blocking=non_blocking, dtype=torch.float32)
        label = batch.get("label")
        if label is not None:
            label = torch.as_tensor(label).to(device=device, non_blocking=non_blocking, dtype=torch.uint8)
            label = label.reshape(len(label), 1, *label.shape[-2:])
        if self.augment:
            image, label = image.clone(), None if label is None else label.clone()
            self._move(image, label)
            self._recolor(image)
        return image.to(**kwargs), label

    def _drawn(self, count: int, probability: float) -> list[int]:
        """Indices of the samples that are drawn."""
        return np.flatnonzero(self._rng.random(count) < probability).tolist()

    def _move(self, image: torch.Tensor, label: torch.Tensor | None) -> None:
        """Flip and turn image and label alike, in place."""
        pixels = [image] if label is None else [image, label]
        for probability, axis in ((self.flip_prob, -1), (self.vertical_flip_prob, -2)):
            for sample in self._drawn(len(image), probability):
                for tensor in pixels:
                    tensor[sample] = tensor[sample].flip(axis)
        drawn = self._drawn(len(image), self.rotate_prob)
        quarters = self._rng.integers(1, 4, len(drawn)).tolist()
        for sample, quarter in zip(drawn, quarters, strict=True):
            for tensor in pixels:
                turns = quarter if tensor.shape[-1] == tensor.shape[-2] else 2
                tensor[sample] = tensor[sample].rot90(turns, (-2, -1))

    def _recolor(self, image: torch.Tensor) -> None:
        """Stain and colour, in place."""
        drawn = self._drawn(len(image), self.stain_prob)
        stains = draw_stains(self._rng, len(drawn), self.stain_strength, self.stain_shift)
        for sample, matrix, offset in zip(drawn, *stains, strict=True):
            change_stain(image[sample], *(torch.from_numpy(part).to(image.device) for part in (matrix, offset)))
        drawn = self._drawn(len(image), self.color_prob)
        colors = draw_colors(self._rng, len(drawn), (self.brightness, self.contrast, self.saturation))
        for sample, *change in zip(drawn, *colors, strict=True):
            change_colors(image[sample], *map(float, change))
