"""A name for what a network computes: the hash of its weights and of its structure as text."""

import hashlib

import torch


def network_digest(network: torch.nn.Module) -> str:
    """Hash a network.

    Args:
        network: on any device.

    Returns:
        64 hexadecimal digits, the same for equal weights in equal layers.
    """
    digest = hashlib.sha256(str(network).encode())
    for name, values in sorted(network.state_dict().items()):
        digest.update(f"{name} {values.dtype} {tuple(values.shape)}".encode())
        digest.update(values.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
