"""The kinds of drawn DICOM series: what sets each apart, and the faults of those that a reader must refuse."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from pydicom.uid import (
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from monai_gi.datasets.phantom.dicom_views import Drawing, Patient


class Kind(NamedTuple):
    """What sets one kind of series apart.

    Attributes:
        view: a name of `dicom_views.VIEWS`.
        transfer_syntax: UID.
        multi_frame: one Enhanced MR file.
        reversed: InstanceNumber descends along the normal.
        pixels: whether there is PixelData.
        modality: "MR" or "CT".
        image_type: values of ImageType; None for the modality's usual ones.
        patient_position: PatientPosition.
        slope: RescaleSlope.
        intercept: RescaleIntercept.
    """

    view: str = "axial"
    transfer_syntax: str = ExplicitVRLittleEndian
    multi_frame: bool = False
    reversed: bool = False
    pixels: bool = True
    modality: str = "MR"
    image_type: tuple[str, ...] | None = None
    patient_position: str = "HFS"
    slope: float = 1.0
    intercept: float = 0.0


# A reader must accept these.
READABLE = {
    "axial": Kind(),
    "axial-reversed": Kind(reversed=True),
    "prone": Kind("prone", patient_position="HFP"),
    "sagittal": Kind("sagittal"),
    "coronal": Kind("coronal"),
    "oblique": Kind("oblique"),
    "multi-frame": Kind(multi_frame=True),
    "rescaled": Kind(slope=0.25, intercept=-32.0),
    "implicit": Kind(transfer_syntax=ImplicitVRLittleEndian),
    "jpeg2000": Kind(transfer_syntax=JPEG2000Lossless),
    "jpeg-ls": Kind(transfer_syntax=JPEGLSLossless),
    "rle": Kind(transfer_syntax=RLELossless),
    "jpeg-lossless": Kind(transfer_syntax=JPEGLosslessSV1),
}
# A reader must refuse these, and say why.
REFUSED = {
    "missing-slice": Kind(),
    "doubled-slice": Kind(),
    "uneven-spacing": Kind(),
    "mixed-orientation": Kind(),
    "mixed-size": Kind(),
    "no-pixel-data": Kind(pixels=False),
}
# A reader must leave these where they are.
BYSTANDERS = {
    "localizer": Kind(image_type=("ORIGINAL", "PRIMARY", "LOCALIZER")),
    "ct": Kind(modality="CT", intercept=-1024.0),
}
KINDS = READABLE | REFUSED | BYSTANDERS


def draw_kind(patient: Patient, kind: str) -> tuple[Drawing, tuple[float, ...], tuple[Drawing, ...]]:
    """Draw a patient as a kind of series has it, faults included.

    Args:
        patient: who is drawn.
        kind: a name of KINDS.

    Returns:
        The slices, their places in steps of the affine, and single slices that do not belong to them.
    """
    drawing = patient.view(KINDS[kind].view)
    count = drawing.voxels.shape[-1]
    numbers, middle = list(map(float, range(count))), count // 2
    if kind == "missing-slice":
        numbers.pop(middle)
    elif kind == "doubled-slice":
        numbers.insert(middle, float(middle))
    chosen = _pick(drawing, [int(number) for number in numbers])
    if kind == "uneven-spacing":
        numbers[middle] += 0.2
    elif kind in ("mixed-orientation", "mixed-size"):
        numbers.pop()
        alter = _tilted if kind == "mixed-orientation" else _cropped
        chosen, other = _pick(drawing, range(count - 1)), alter(_one(drawing, count - 1))
        return chosen, tuple(numbers), (other,)
    elif kind == "localizer":
        others = tuple(_one(patient.view(view), patient.slices // 2) for view in ("sagittal", "coronal"))
        return _one(drawing, middle), (0.0,), others
    return chosen, tuple(numbers), ()


def _pick(drawing: Drawing, indices: Sequence[int]) -> Drawing:
    return drawing._replace(voxels=drawing.voxels[..., list(indices)], masks=drawing.masks[..., list(indices)])


def _one(drawing: Drawing, index: int) -> Drawing:
    """One slice, as a drawing of its own."""
    affine = drawing.affine_lps.copy()
    affine[:3, 3] += index * affine[:3, 2]
    return _pick(drawing, [index])._replace(affine_lps=affine)


def _cropped(drawing: Drawing) -> Drawing:
    return drawing._replace(voxels=drawing.voxels[:, :-4], masks=drawing.masks[:, :, :-4])


def _tilted(drawing: Drawing) -> Drawing:
    """The same place, its rows turned by 10 degrees about the columns' direction."""
    affine, angle = drawing.affine_lps.copy(), np.radians(10)
    down, step = affine[:3, 0], affine[:3, 2] / np.linalg.norm(affine[:3, 2])
    affine[:3, 0] = down * np.cos(angle) + step * np.linalg.norm(down) * np.sin(angle)
    return drawing._replace(affine_lps=affine)
