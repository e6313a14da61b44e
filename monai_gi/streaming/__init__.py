"""Prediction of slides of any size in bounded memory: windows, Gaussian blending in bands of rows, settings."""

from monai_gi.streaming.bands import BandOfBlocks, plan_of, stream_bands, stream_blocks
from monai_gi.streaming.blending import Block, labels_of
from monai_gi.streaming.settings import SlideSettings

__all__ = [
    "BandOfBlocks",
    "Block",
    "SlideSettings",
    "labels_of",
    "plan_of",
    "stream_bands",
    "stream_blocks",
]
