"""Names for what a network holds and computes: the hash of its weights, alone and with its structure as text.

Convention: the hash of weights is that of names, types, shapes and values of a state dict, sorted by name; a file's
format and the device do not count, so that a network in memory is recognised in a file.
"""

import hashlib
from collections.abc import Mapping

import torch


def weights_digest(weights: Mapping[str, torch.Tensor]) -> str:
    """Hash weights.

    Args:
        weights: a state dict, on any device.

    Returns:
        64 hexadecimal digits.

    >>> weights_digest({"b": torch.ones(2), "a": torch.zeros(1)})[:8]
    'b89ab3e1'
    """
    digest = hashlib.sha256()
    for name, values in sorted(weights.items()):
        digest.update(f"{name} {values.dtype} {tuple(values.shape)}".encode())
        digest.update(values.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def network_digest(network: torch.nn.Module) -> str:
    """Hash a network.

    Args:
        network: on any device.

    Returns:
        64 hexadecimal digits, the same for equal weights in equal layers.
    """
    return hashlib.sha256(f"{network}{weights_digest(network.state_dict())}".encode()).hexdigest()
