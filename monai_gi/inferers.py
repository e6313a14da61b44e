"""Inferers for 2.5D networks: volumes (B, 1, H, W, D) to logits (B, C, H, W, D), stack by stack along D."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import torch
from monai.data import MetaTensor
from monai.inferers import Inferer, sliding_window_inference
from monai.utils import ensure_tuple_rep
from torch.nn.functional import pad

from monai_gi.neighbours import neighbour_positions

FLIPS = {"left_right": (-1,), "up_down": (-2,), "both": (-2, -1)}
BLEND_MODES = ("gaussian", "constant")
AMP_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}
Network = Callable[..., torch.Tensor]


class AutocastInferer(Inferer):
    """Run the network on the whole batch, inside torch.autocast if asked; MONAI's trainer does so on CUDA only.

    Args:
        amp: False for full precision; "bf16"; "fp16" (CUDA only, as it needs the trainer's gradient scaler, which
            MONAI's trainer has with its own `amp=True`); True for "fp16" on CUDA and "bf16" elsewhere.

    Raises:
        ValueError: another value of `amp`, at once; "fp16" without CUDA, when called.
    """

    def __init__(self, amp: bool | str = False) -> None:
        super().__init__()
        self.amp = _checked_amp(amp)

    def __call__(self, inputs: torch.Tensor, network: Network, *args: Any, **kwargs: Any) -> Any:
        """Compute the network's output.

        Args:
            inputs: (B, K, H, W).
            network: a tensor in; a tensor, or several, out.
            *args: passed to the network.
            **kwargs: passed to the network.

        Returns:
            What the network returns; float32 under autocast.
        """
        if not self.amp:
            return network(inputs, *args, **kwargs)
        with autocast(self.amp, inputs.device):
            outputs = network(inputs, *args, **kwargs)
        return outputs.float() if isinstance(outputs, torch.Tensor) else [output.float() for output in outputs]


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
        self.flips = _flip_axes(flips)
        self.amp = _checked_amp(amp)
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
        for b, volume in enumerate(_plain(inputs)[:, 0]):
            for group, passes in self.passes(volume, network, *args, slices=slices, **kwargs):
                logits = _logits_of_mean(passes)
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
            return _one_tensor(network(stacks, *args, **kwargs))

        for first in range(0, len(planes), self.sw_batch_size):
            group = positions[first : first + self.sw_batch_size].to(planes.device)
            with torch.no_grad():
                stacks = planes[group].to(_device_of(network, volume), torch.float32)
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
            return _one_tensor(blended)


def autocast(amp: str, device: torch.device) -> AbstractContextManager:
    """Autocast for a device; nothing at all for full precision.

    Args:
        amp: "" for full precision, "bf16", "fp16", or "device" for what suits the device.
        device: where the network runs.

    Returns:
        A context to run the network in.

    Raises:
        ValueError: "fp16" on another device than CUDA.
    """
    if not amp:
        return nullcontext()
    if amp == "fp16" and device.type != "cuda":
        raise ValueError(f"amp: 'fp16' on {device.type}, wanted 'bf16' there: fp16 needs CUDA's gradient scaling")
    if amp == "device":
        amp = "fp16" if device.type == "cuda" else "bf16"
    return torch.autocast(device.type, AMP_DTYPES[amp])


def _logits_of_mean(passes: Sequence[torch.Tensor]) -> torch.Tensor:
    """Logits of the mean probability of several passes; of one pass, its own."""
    if len(passes) == 1:
        return passes[0]
    return (sum(logits.sigmoid() for logits in passes) / len(passes)).logit(eps=1e-6)  # type: ignore[union-attr]


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


def _flip_axes(flips: Sequence[str]) -> tuple[tuple[int, ...], ...]:
    if isinstance(flips, str):
        raise ValueError(f"flips: {flips!r} is a string, wanted a list such as [{flips!r}]")
    if unknown := [flip for flip in flips if flip not in FLIPS]:
        raise ValueError(f"flips: {unknown} not known, there are {list(FLIPS)}")
    return tuple(FLIPS[flip] for flip in flips)


def _checked_amp(amp: bool | str) -> str:
    if isinstance(amp, bool):
        return "device" if amp else ""
    if amp not in AMP_DTYPES:
        raise ValueError(f"amp: {amp!r}, wanted True, False, {' or '.join(map(repr, AMP_DTYPES))}")
    return amp


def _plain(tensor: torch.Tensor) -> torch.Tensor:
    """Metadata costs time in every operation of a network."""
    return tensor.as_tensor() if isinstance(tensor, MetaTensor) else tensor


def _one_tensor(outputs: object) -> torch.Tensor:
    if not isinstance(outputs, torch.Tensor):
        raise TypeError(
            f"network: returned {type(outputs).__name__}, wanted one tensor (n, C, h, w). "
            "Was it left in training mode? Call network.eval() first"
        )
    return _plain(outputs)


def _device_of(network: Network, inputs: torch.Tensor) -> torch.device:
    """The device of the network's weights; of the input where it has none."""
    weights = getattr(network, "parameters", lambda: iter(()))()
    return next((weight.device for weight in weights), inputs.device)
