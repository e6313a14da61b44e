"""From raw slices or frames to what the network trains on; the `prepare_batch` of MONAI's trainers and evaluators."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from monai_gi.augmentation.appearance import change_colors, change_contrast, color_matrix, cut_holes, draw_holes
from monai_gi.augmentation.geometry import AffineDraws, affine_grid, elastic_grid, warp, warp_packed
from monai_gi.augmentation.packed_masks import pack, unpack
from monai_gi.intensity import scale_to_window


class BatchAugmentation:
    """Moves a batch to the device, scales it to 0..1, unpacks its masks and, in training, augments what is drawn.

    In this order: flips, affine map and elastic deformation (in one resampling: bilinear for images, nearest for
    masks, 0 from outside), contrast and brightness, colours, coarse dropout (images only). Channels of a 2.5D stack,
    and those of a colour frame, share all parameters. The parameters come from a NumPy generator: the same seed and
    batches give the same bits on the CPU, and the same parameters on every device.

    Args:
        augment: False for validation: only scaling and unpacking.
        flip_prob: probability of exchanging left and right.
        vertical_flip_prob: probability of exchanging top and bottom.
        affine_prob: probability of an affine map.
        shift: largest shift along each axis, in shares of the size.
        scale: largest relative change of size, below 1.
        rotate_degrees: largest turn either way.
        elastic_prob: probability of an elastic deformation.
        elastic_alpha_px: largest displacement, in pixels.
        elastic_grid: intervals a side between the control points of the deformation.
        contrast_prob: probability of a change of contrast and brightness.
        contrast: largest relative change of contrast.
        brightness: largest change of brightness, in shares of the range.
        color_prob: probability of a change of colours, for RGB frames only.
        saturation: largest relative change of saturation.
        hue_degrees: largest turn of the colours about grey, either way.
        dropout_prob: probability of holes.
        dropout_holes: fewest and most holes.
        dropout_size_px: longest side of a hole, in pixels.
        label_channels: C, the number of classes in packed masks.
        seed: of the first stream of parameters, see `set_seed`.

    Raises:
        ValueError: a probability is not in 0..1 or a range is not one.
    """

    def __init__(
        self,
        *,
        augment: bool = True,
        flip_prob: float = 0.5,
        vertical_flip_prob: float = 0.0,
        affine_prob: float = 0.5,
        shift: float = 0.12,
        scale: float = 0.12,
        rotate_degrees: float = 10.0,
        elastic_prob: float = 0.2,
        elastic_alpha_px: float = 16.0,
        elastic_grid: int = 5,
        contrast_prob: float = 0.5,
        contrast: float = 0.2,
        brightness: float = 0.2,
        color_prob: float = 0.0,
        saturation: float = 0.2,
        hue_degrees: float = 5.0,
        dropout_prob: float = 0.5,
        dropout_holes: Sequence[int] = (5, 8),
        dropout_size_px: int = 14,
        label_channels: int = 3,
        seed: int = 0,
    ) -> None:
        self.augment = augment
        self.flip_prob, self.vertical_flip_prob = flip_prob, vertical_flip_prob
        self.affine_prob, self.shift, self.scale, self.rotate_degrees = affine_prob, shift, scale, rotate_degrees
        self.elastic_prob, self.elastic_alpha_px, self.elastic_grid = elastic_prob, elastic_alpha_px, elastic_grid
        self.contrast_prob, self.contrast, self.brightness = contrast_prob, contrast, brightness
        self.color_prob, self.saturation, self.hue_degrees = color_prob, saturation, hue_degrees
        self.dropout_prob, self.dropout_size_px = dropout_prob, dropout_size_px
        self.dropout_holes = (int(dropout_holes[0]), int(dropout_holes[-1]))
        self.label_channels = label_channels
        self._check()
        self.set_seed(seed)

    def _check(self) -> None:
        for name in ("flip", "vertical_flip", "affine", "elastic", "contrast", "color", "dropout"):
            if not 0 <= getattr(self, f"{name}_prob") <= 1:
                raise ValueError(f"{name}_prob: {getattr(self, f'{name}_prob')}, wanted a probability from 0 to 1")
        either_way = (
            "shift",
            "rotate_degrees",
            "elastic_alpha_px",
            "contrast",
            "brightness",
            "saturation",
            "hue_degrees",
        )
        for name in either_way:
            if getattr(self, name) < 0:
                raise ValueError(f"{name}: {getattr(self, name)}, wanted 0 or more: it is drawn from both sides of 0")
        if not 0 <= self.scale < 1:
            raise ValueError(
                f"scale: {self.scale}, wanted 0 to below 1: the factor is drawn from 1 - scale to 1 + scale"
            )
        if not 0 <= self.dropout_holes[0] <= self.dropout_holes[1]:
            raise ValueError(f"dropout_holes: {self.dropout_holes}, wanted the fewest, then the most")
        if self.elastic_grid < 1 or self.dropout_size_px < 1:
            raise ValueError("elastic_grid and dropout_size_px: wanted 1 or more")

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
            batch: `image` (B, K, h, w), with `window` (B, 2) when it is still in the scan's grey values, or uint8 when
                it is in 256 steps; `label` packed (B, h, w) uint8, or already (B, C, h, w), or absent.
            device: where the network is.
            non_blocking: copy from pinned memory without waiting.
            **kwargs: further arguments of `torch.Tensor.to` for the image, such as `memory_format`.

        Returns:
            Image (B, K, h, w) float32 in 0..1 and label (B, C, h, w) float32 of 0 and 1, or None where there is none.

        Raises:
            ValueError: colours are to be changed of images that have not three channels.
        """
        move = {"device": device, "non_blocking": non_blocking}
        image, label = batch["image"].to(**move), batch.get("label")
        if "window" in batch:
            image = scale_to_window(image, batch["window"].to(**move))
        elif image.dtype == torch.uint8:
            image = _plain(image) / 255
        elif self.augment:
            image = _plain(image).float().clone()
        label = None if label is None else label.to(**move)
        if self.augment:
            image, label = self._augment(image, label)
        if label is not None:
            label = unpack(label, self.label_channels) if label.ndim == 3 else label.float()
        return image.to(dtype=torch.float32, **kwargs), label

    def _augment(self, image: torch.Tensor, label: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Augment the image in place and a copy of the label, which comes back as it came, packed or not."""
        image, channels = _plain(image), None
        packed = None if label is None else _plain(label).clone()
        if packed is not None and packed.ndim == 4:
            channels = packed.shape[1]
            packed = pack(packed)
        self._flip(image, packed)
        self._deform(image, packed)
        self._change_grey_values(image)
        return image, unpack(packed, channels) if packed is not None and channels else packed

    def _drawn(self, count: int, probability: float) -> np.ndarray:
        """Indices of the samples that are drawn."""
        return np.flatnonzero(self._rng.random(count) < probability)

    def _either_way(self, largest: float, count: int) -> np.ndarray:
        return self._rng.uniform(-largest, largest, count)

    def _flip(self, image: torch.Tensor, packed: torch.Tensor | None) -> None:
        # One sample after the other: a gathered copy and its way back cost five times the flip.
        for probability, axis in ((self.flip_prob, -1), (self.vertical_flip_prob, -2)):
            for sample in self._drawn(len(image), probability).tolist():
                image[sample] = image[sample].flip(axis)
                if packed is not None:
                    packed[sample] = packed[sample].flip(axis)

    def _deform(self, image: torch.Tensor, packed: torch.Tensor | None) -> None:
        """Affine and elastic in one resampling, of the drawn samples only."""
        count, (height, width) = len(image), image.shape[-2:]
        turned, bent = self._drawn(count, self.affine_prob), self._drawn(count, self.elastic_prob)
        moved = np.union1d(turned, bent)
        if len(moved) == 0:
            return
        grid = affine_grid(self._draw_affine(np.isin(moved, turned)), height, width, image.device)
        if len(bent):
            control_px = self._rng.uniform(-1, 1, (len(bent), 2, self.elastic_grid + 3, self.elastic_grid + 3))
            bend = elastic_grid(self.elastic_alpha_px * control_px, height, width, image.device)
            grid.index_add_(0, _indices(np.searchsorted(moved, bent), image), bend)
        samples = _indices(moved, image)
        image.index_copy_(0, samples, warp(image.index_select(0, samples), grid))
        if packed is not None:
            packed.index_copy_(0, samples, warp_packed(packed.index_select(0, samples), grid))

    def _draw_affine(self, is_turned: np.ndarray) -> AffineDraws:
        """Maps of the samples; those that are not turned stay where they are."""
        count = len(is_turned)
        shift_x, shift_y = (is_turned * self._either_way(self.shift, count) for _ in range(2))
        scale = 1 + is_turned * self._either_way(self.scale, count)
        return AffineDraws(
            shift_x, shift_y, scale, is_turned * np.radians(self._either_way(self.rotate_degrees, count))
        )

    def _change_grey_values(self, image: torch.Tensor) -> None:
        drawn = self._drawn(len(image), self.contrast_prob)
        factors, offsets = (
            1 + self._either_way(self.contrast, len(drawn)),
            self._either_way(self.brightness, len(drawn)),
        )
        for sample, factor, offset in zip(drawn.tolist(), factors.tolist(), offsets.tolist(), strict=True):
            change_contrast(image[sample], factor, offset)
        self._change_colors(image)
        size, count = (image.shape[-2], image.shape[-1]), self.dropout_holes
        drawn = self._drawn(len(image), self.dropout_prob)
        cut_holes(image, draw_holes(self._rng, drawn, size, count, self.dropout_size_px))

    def _change_colors(self, image: torch.Tensor) -> None:
        if self.color_prob == 0:  # grey slices: nothing is drawn, so that the other parameters stay what they were
            return
        if image.shape[1] != 3:
            raise ValueError(f"color_prob: {self.color_prob} for {image.shape[1]} channels, wanted 3: red, green, blue")
        drawn = self._drawn(len(image), self.color_prob)
        factors = 1 + self._either_way(self.saturation, len(drawn))
        turns = np.radians(self._either_way(self.hue_degrees, len(drawn)))
        for sample, factor, turn in zip(drawn.tolist(), factors.tolist(), turns.tolist(), strict=True):
            change_colors(image[sample], color_matrix(factor, turn))


def _indices(samples: np.ndarray, image: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(samples).to(image.device, non_blocking=True)


def _plain(tensor: torch.Tensor) -> torch.Tensor:
    """Without MONAI's metadata, which an augmented image would no longer match."""
    return tensor.as_tensor() if hasattr(tensor, "as_tensor") else tensor
