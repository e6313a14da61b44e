"""What a structure is, whichever object it was read from."""

import re
from typing import NamedTuple

import numpy as np
from pydicom import Dataset

from monai_gi.dicom.headers import text


class Code(NamedTuple):
    """A coded concept.

    Attributes:
        value: such as "69695003".
        scheme: such as "SCT", SNOMED CT.
        meaning: such as "Stomach".
    """

    value: str
    scheme: str
    meaning: str


class Structure(NamedTuple):
    """One ROI or segment.

    Attributes:
        name: ROIName or SegmentLabel.
        rgb: display colour, 0 to 255; None where the file has none.
        code: what it is; None where the file does not say.
        mask: (H, W, D) bool on the voxels of the series; empty for an ROI without contours.
        notes: what was left out or approximated, in sentences; none where all was read as it stands.
    """

    name: str
    rgb: tuple[int, int, int] | None
    code: Code | None
    mask: np.ndarray
    notes: tuple[str, ...] = ()


def bare_name(name: str) -> str:
    """A name without case, blanks and separators.

    >>> bare_name("Bowel_Large") == bare_name("bowel large"), bare_name("Stomach~")
    (True, 'stomach~')
    """
    return re.sub(r"[\s_.,:/()-]+", "", name.casefold())


def code_of(item: Dataset, sequence: str) -> Code | None:
    """The first code of a sequence; None where it is missing. Source: DICOM PS3.3 section 8.8."""
    for code in item.get(sequence) or []:
        value = next((text(code, name) for name in ("CodeValue", "LongCodeValue", "URNCodeValue") if name in code), "")
        return Code(value, text(code, "CodingSchemeDesignator"), text(code, "CodeMeaning"))
    return None
