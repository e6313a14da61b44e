"""What made a result and what it may be used for: the same words in RTSTRUCT, DICOM SEG, NIfTI and result.json."""

from typing import NamedTuple

INTENDED_USE = "Research use only, not a medical device. Automatic, unapproved: a clinician checks every contour."


MASK_NOTE = "research use only"
"""Ends the description in every NIfTI of contours, which holds 79 characters; tells our own masks from scans."""


MANUFACTURER = "monai_gi"
DRAFT_LABELS = {"RTSTRUCT": "AUTO UNAPPROVED", "SEG": "GI_ORGANS_AUTO"}
"""StructureSetLabel and ContentLabel: they tell own contours from others', also after another system sent them on."""


class Provenance(NamedTuple):
    """The bundle and the software behind a result.

    Attributes:
        bundle_name: short name of the bundle, such as "segformer".
        bundle_version: its version, such as "0.1.0".
        weights_sha256: SHA-256 of the weights file, 64 hexadecimal digits.
        software_version: of this package.
        weights_file: which file that is: its place in a packed bundle, such as "models/model.ts", or its name.
    """

    bundle_name: str
    bundle_version: str
    weights_sha256: str
    software_version: str
    weights_file: str = ""
