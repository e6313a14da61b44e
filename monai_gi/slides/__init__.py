"""Slides: images of any size and their label maps, read by region; nothing here loads a whole level."""

from monai_gi.slides.color_table import ColorTable, parse_color_table, read_color_table
from monai_gi.slides.labels import LabelSlide, open_label
from monai_gi.slides.listing import files_of, slide_files
from monai_gi.slides.opening import SUFFIXES
from monai_gi.slides.slide import Slide, open_slide
from monai_gi.slides.stacking import read_stack
from monai_gi.slides.tissue import TissueMap, find_tissue

__all__ = [
    "SUFFIXES",
    "ColorTable",
    "LabelSlide",
    "Slide",
    "TissueMap",
    "files_of",
    "find_tissue",
    "open_label",
    "open_slide",
    "parse_color_table",
    "read_color_table",
    "read_stack",
    "slide_files",
]
