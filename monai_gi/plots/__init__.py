"""Pictures: arrays in, uint8 RGB (h, w, 3) out; writing them is for `monai_gi.writers.overlay`."""

from monai_gi.plots.class_colors import color_of
from monai_gi.plots.clinical import ClinicalSlices, clinical_sheet, clinical_slice
from monai_gi.plots.outlines import outline_overlay
from monai_gi.plots.sheets import BACKGROUND, GAP_PX, LINE_PX, contact_sheet, panel

__all__ = [
    "BACKGROUND",
    "GAP_PX",
    "LINE_PX",
    "ClinicalSlices",
    "clinical_sheet",
    "clinical_slice",
    "color_of",
    "contact_sheet",
    "outline_overlay",
    "panel",
]
