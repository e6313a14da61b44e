"""The only table of classes: organs with their channel order, indices, colours and DICOM codes; polyps; tissues.

Channel c of every mask (C, H, W) is ORGANS[c]; label maps hold `Organ.index`, 0 is background.
Colours are Okabe and Ito's, told apart by colour-blind readers (https://jfly.uni-koeln.de/color/).
Codes are SNOMED CT as listed in DICOM PS3.16 CID 7151 (segmentation property types).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Organ(NamedTuple):
    """One class of the UW-Madison GI Tract data.

    Attributes:
        name: as in the class column of train.csv.
        index: value in a label map.
        rgb: colour of outlines and segments, 0 to 255.
        snomed_code: SNOMED CT concept of the anatomic structure.
        snomed_meaning: its meaning, as DICOM writes it.
    """

    name: str
    index: int  # type: ignore[assignment]  # hides tuple.index, which nobody needs here
    rgb: tuple[int, int, int]
    snomed_code: str
    snomed_meaning: str


ORGANS = (
    Organ("large_bowel", 1, (213, 94, 0), "14742008", "Large intestine"),
    Organ("small_bowel", 2, (0, 158, 115), "30315005", "Small intestine"),
    Organ("stomach", 3, (86, 180, 233), "69695003", "Stomach"),
)
ORGAN_NAMES = tuple(organ.name for organ in ORGANS)

# Frames of colonoscopy: one mask, drawn in a colour that mucosa never has.
POLYP_NAMES = ("polyp",)
POLYP_RGB = (86, 180, 233)


class Tissue(NamedTuple):
    """One class of a biopsy; classes exclude each other.

    Attributes:
        name: as in colour tables.
        index: value in a label map, 0 for glass.
        rgb: colour in colour maps and overlays, 0 to 255.
    """

    name: str
    index: int  # type: ignore[assignment]  # hides tuple.index, which nobody needs here
    rgb: tuple[int, int, int]


TISSUES = (
    Tissue("background", 0, (0, 0, 0)),
    Tissue("interstitium", 1, (240, 228, 66)),
    Tissue("tubule", 2, (0, 158, 115)),
    Tissue("glomerulus", 3, (213, 94, 0)),
    Tissue("vessel", 4, (86, 180, 233)),
    Tissue("infiltrate", 5, (204, 121, 167)),
)
TISSUE_NAMES = tuple(tissue.name for tissue in TISSUES)

# A label map holds one organ a voxel. Where masks overlap the later name of this list wins:
# the thinner, harder organ is kept visible. The rule is written beside every label map.
LABEL_MAP_PRIORITY = ("stomach", "large_bowel", "small_bowel")


def to_label_map(masks: np.ndarray, priority: Sequence[str] = LABEL_MAP_PRIORITY) -> np.ndarray:
    """Join masks into a label map.

    Args:
        masks: (3, ...) in the order of ORGANS; what is not zero is inside.
        priority: organ names; where masks overlap the later name wins.

    Returns:
        (1, ...), uint8 of `Organ.index`, 0 outside all organs.

    Raises:
        ValueError: there is not one channel an organ.
    """
    if len(masks) != len(ORGANS):
        raise ValueError(f"masks of shape {masks.shape}, wanted ({len(ORGANS)}, ...) as {ORGAN_NAMES}")
    label_map = np.zeros((1, *masks.shape[1:]), dtype=np.uint8)
    for name in priority:
        channel = ORGAN_NAMES.index(name)
        label_map[0][masks[channel] != 0] = ORGANS[channel].index
    return label_map
