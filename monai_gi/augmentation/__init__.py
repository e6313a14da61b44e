"""Augmentation of whole batches on their device, after loading: parameters drawn by NumPy, applied by torch."""

from monai_gi.augmentation.batch import BatchAugmentation
from monai_gi.augmentation.slide_batch import SlideAugmentation

__all__ = ["BatchAugmentation", "SlideAugmentation"]
