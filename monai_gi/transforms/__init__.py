"""MONAI dictionary transforms, channel first, for anybody's config (`"_target_": "monai_gi.transforms.DecodeRLEd"`)."""

from monai_gi.transforms.colors import ColorMapToLabeld
from monai_gi.transforms.intensity import ScaleIntensityByVolumed
from monai_gi.transforms.label_map import LabelMapd
from monai_gi.transforms.rules import ApplyOrganRulesd
from monai_gi.transforms.run_lengths import DecodeRLEd, EncodeRLEd
from monai_gi.transforms.stacks import StackSlicesd

__all__ = [
    "ApplyOrganRulesd",
    "ColorMapToLabeld",
    "DecodeRLEd",
    "EncodeRLEd",
    "LabelMapd",
    "ScaleIntensityByVolumed",
    "StackSlicesd",
]
