"""Masks of up to 8 channels in one byte a pixel: bit c is channel c. One nearest lookup then moves all of them."""

import torch

MOST_CHANNELS = 8


def pack(masks: torch.Tensor) -> torch.Tensor:
    """Put the channels into bits.

    Args:
        masks: (B, C, h, w), over 0.5 where the class is, C up to 8.

    Returns:
        (B, h, w) uint8.

    Raises:
        ValueError: there are more than 8 channels.
    """
    if masks.shape[1] > MOST_CHANNELS:
        raise ValueError(f"label: {masks.shape[1]} channels, wanted at most {MOST_CHANNELS}: a byte holds one bit each")
    packed = masks.new_zeros((len(masks), *masks.shape[2:]), dtype=torch.uint8)
    for channel in range(masks.shape[1]):
        packed |= (masks[:, channel] > 0.5).to(torch.uint8) << channel
    return packed


def unpack(packed: torch.Tensor, channels: int) -> torch.Tensor:
    """Take the channels out of the bits.

    Args:
        packed: (B, h, w) uint8.
        channels: C.

    Returns:
        (B, C, h, w) float32 of 0 and 1.
    """
    bits = torch.tensor([1 << channel for channel in range(channels)], dtype=torch.uint8, device=packed.device)
    return (packed[:, None] & bits[:, None, None]).ne_(0).float()
