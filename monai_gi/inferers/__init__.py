"""Inferers for MONAI's engines: whole scans by stacks of slices, frames of any size, and autocast around a network."""

from monai_gi.inferers.autocast import AutocastInferer
from monai_gi.inferers.frames import FrameInferer
from monai_gi.inferers.stacked_slices import StackedSliceInferer

__all__ = ["AutocastInferer", "FrameInferer", "StackedSliceInferer"]
