"""An inferer that calls the network once, inside torch.autocast where that is asked for."""

from typing import Any

import torch
from monai.inferers import Inferer

from monai_gi.inferers.passes import Network, autocast, checked_amp


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
        self.amp = checked_amp(amp)

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
