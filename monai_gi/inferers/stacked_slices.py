"""2.5D networks over scans: volumes (B, 1, H, W, D) to logits (B, C, H, W, D), stack by stack along D."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from monai.data import MetaTensor
from monai.inferers import Inferer, sliding_window_inference
from monai.utils import ensure_tuple_rep
from torch.nn.functional import pad

from monai_gi.inferers.passes import (
    Network,
    autocast,
    checked_amp,
    device_of,
    flip_axes,
    logits_of_mean,
    one_tensor,
    plain,
)
from monai_gi.neighbours import neighbour_positions

BLEND_MODES = ("gaussian", "constant")


class StackedSliceInferer(Inferer):
    """Run a network of slice stacks over whole scans with MONAI's sliding window, a few slices at a time.

    A slice that fits into one window is padded with zeros around it and goes through once, without blending. Scans in
    one batch are taken one after the other; besides the result, memory holds one group of stacks.

    Args:
        roi_size: window (h, w), or one number for both.
        offsets: K slices of a stack, relative to its own. At the ends of a scan the edge is repeated.
        sw_batch_size: windows that go through the network at once.
        overlap: of neighbouring windows, 0 to below 1.
        mode: "gaussian" or "constant" weights of windows where they overlap.
        flips: "left_right", "up_down", "both": each adds a pass over the flipped stacks. The answer is then the logit
            of the mean probability (sigmoid), so that a sigmoid after it gives the mean.
        amp: as for `AutocastInferer`.
        device: of the result; the device of the input when None. The network runs where its weights are.

    Raises:
        ValueError: an argument is unknown, empty or out of range.
    """

    def __init__(
        self,
        roi_size: int | Sequence[int],
        offsets: Sequence[int] = (-2, 0, 2),
        *,
        sw_batch_size: int = 8,
        overlap: float = 0.25,
        mode: str = "gaussian",
        flips: Sequence[str] = (),
        amp: bool | str = False,
        device: str | torch.device | None = None,
    ) -> None:
        super().__init__()
        self.roi_size = tuple(int(length) for length in ensure_tuple_rep(roi_size, 2))
        _check_settings(self.roi_size, offsets, sw_batch_size, overlap, mode)
        self.offsets = tuple(offsets)
        self.sw_batch_size = sw_batch_size
        self.overlap = overlap
        self.mode = mode
        self.flips = flip_axes(flips)
        self.amp = checked_amp(amp)
        self.device = device

    def __call__(
        self,
        inputs: torch.Tensor,
        network: Network,
        *args: Any,
        slices: Sequence[int] | np.ndarray | None = None,
        **kwargs: Any,
    ) -> torch.Tensor:
        """Compute logits of whole scans.

        Args:
            inputs: (B, 1, H, W, D), float, scaled to 0..1.
            network: stacks (n, K, h, w) in, logits (n, C, h, w) out.
            *args: passed to the network.
            slices: the D slice numbers, ascending; offsets then count in them, also over gaps. None: no gaps.
            **kwargs: passed to the network.

        Returns:
            Logits (B, C, H, W, D), float32; a MetaTensor with the input's metadata where the input is one.

        Raises:
            ValueError: the input has another shape, no slices, or not as many as `slices`.
            TypeError: the network returns several tensors.
        """
        if inputs.ndim != 5 or inputs.shape[1] != 1 or inputs.shape[-1] == 0:
            raise ValueError(f"inputs: shape {tuple(inputs.shape)}, wanted (B, 1, H, W, D) with D of 1 or more")
        output = torch.empty(0)
        for b, volume in enumerate(plain(inputs)[:, 0]):
            for group, passes in self.passes(volume, network, *args, slices=slices, **kwargs):
                logits = logits_of_mean(passes)
                if output.numel() == 0:  # the first logits tell C
                    shape = (len(inputs), logits.shape[1], *volume.shape)
                    output = torch.empty(shape, device=self.device or inputs.device)
                output[b, ..., group] = logits.permute(1, 2, 3, 0).to(output.device)
        return MetaTensor(output).copy_meta_from(inputs) if isinstance(inputs, MetaTensor) else output

    def passes(
        self,
        volume: torch.Tensor,
        network: Network,
        *args: Any,
        slices: Sequence[int] | np.ndarray | None = None,
        **kwargs: Any,
    ) -> Iterator[tuple[slice, list[torch.Tensor]]]:
        """Compute logits of one scan a few slices after the other, the flipped passes apart.

        Args:
            volume: (H, W, D), float, scaled to 0..1; nothing is copied where its memory is ordered by slices.
            network: stacks (n, K, h, w) in, logits (n, C, h, w) out.
            *args: passed to the network.
            slices: as when called.
            **kwargs: passed to the network.

        Yields:
            tuple[slice, list[torch.Tensor]]: positions in D, and the logits (n, C, H, W), float32, of these n slices on
                the network's device: those of the slices as they are, then those of each of `flips`, turned back.

        Raises:
            ValueError: there are not as many slices as `slices`.
            TypeError: the network returns several tensors.
        """
        numbers = np.arange(volume.shape[-1]) if slices is None else np.asarray(slices, dtype=np.int64)
        if len(numbers) != volume.shape[-1]:
            raise ValueError(f"slices: {len(numbers)} numbers for {volume.shape[-1]} slices")
        positions = torch.from_numpy(neighbour_positions(numbers, self.offsets))
        planes = volume.permute(2, 0, 1).contiguous()

        def predict(stacks: torch.Tensor) -> torch.Tensor:
            return one_tensor(network(stacks, *args, **kwargs))

        for first in range(0, len(planes), self.sw_batch_size):
            group = positions[first : first + self.sw_batch_size].to(planes.device)
            with torch.no_grad():
                stacks = planes[group].to(device_of(network, volume), torch.float32)
                passes = [self._windows(stacks, predict)]
                passes += [self._windows(stacks.flip(axes), predict).flip(axes) for axes in self.flips]
            yield slice(first, first + len(group)), passes

    def _windows(self, stacks: torch.Tensor, predict: Network) -> torch.Tensor:
        """Logits (n, C, H, W) of stacks (n, K, H, W)."""
        with autocast(self.amp, stacks.device):
            margins = [window - length for window, length in zip(self.roi_size, stacks.shape[-2:], strict=True)]
            if min(margins) >= 0:
                top, left = (margin // 2 for margin in margins)
                logits = predict(pad(stacks, (left, margins[1] - left, top, margins[0] - top))).float()
                return logits[..., top : top + stacks.shape[-2], left : left + stacks.shape[-1]]
            blended = sliding_window_inference(
                stacks,
                self.roi_size,
                self.sw_batch_size,
                lambda windows: predict(windows).float(),
                overlap=self.overlap,
                mode=self.mode,
            )
            return one_tensor(blended)


def _check_settings(
    roi_size: tuple[int, ...], offsets: Sequence[int], sw_batch_size: int, overlap: float, mode: str
) -> None:
    if min(roi_size) < 1:
        raise ValueError(f"roi_size: {roi_size}, wanted lengths of 1 or more")
    if not offsets:
        raise ValueError("offsets: empty, wanted at least one, such as (-2, 0, 2)")
    if sw_batch_size < 1:
        raise ValueError(f"sw_batch_size: {sw_batch_size}, wanted 1 or more")
    if not 0 <= overlap < 1:
        raise ValueError(f"overlap: {overlap}, wanted at least 0 and below 1")
    if mode not in BLEND_MODES:
        raise ValueError(f"mode: {mode!r}, wanted {' or '.join(map(repr, BLEND_MODES))}")
