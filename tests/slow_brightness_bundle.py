"""The bundle of brightness with a network that takes a while: the same masks, from kernels that are zero but inside."""

import torch

from tests.brightness_bundle import LEVELS, STEEPNESS, write_brightness_bundle

KERNEL = 41  # about 0.07 s for a slice of 120 x 160 on one core


def write_slow_brightness_bundle(folder, spacing_mm, **changes):
    """A flat bundle folder without weights, and the weights beside it; (bundle, weights)."""
    network = {
        "_target_": "torch.nn.Conv2d",
        "in_channels": 3,
        "out_channels": 3,
        "kernel_size": KERNEL,
        "padding": KERNEL // 2,
    }
    bundle = write_brightness_bundle(
        folder / "brightness", network_def=network, spacing_mm=[spacing_mm, spacing_mm], **changes
    )
    weight = torch.zeros(3, 3, KERNEL, KERNEL)
    weight[:, 1, KERNEL // 2, KERNEL // 2] = STEEPNESS
    weights = folder / "slow.pt"
    torch.save({"weight": weight, "bias": -STEEPNESS * torch.tensor(LEVELS)}, weights)
    (bundle / "model.pt").unlink()
    return bundle, weights
