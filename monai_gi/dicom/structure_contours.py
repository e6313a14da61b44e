"""ROIs of an RT Structure Set, filled on the slices of a series. Millimetres are LPS.

Contours of one ROI in one plane are joined by exclusive or, as treatment planning systems join both CLOSED_PLANAR and
CLOSEDPLANAR_XOR: an inner contour is a hole. Keyholes come out right by the same rule.
Source: DICOM PS3.3 C.8.8.5, C.8.8.6 and C.8.8.8.
"""

from collections import Counter

import numpy as np
from pydicom import Dataset
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag

from monai_gi.dicom.contours import polygons_to_mask
from monai_gi.dicom.headers import text, whole
from monai_gi.dicom.series import Frame
from monai_gi.dicom.slice_matching import SliceMatcher
from monai_gi.dicom.structure_types import Structure, code_of
from monai_gi.errors import DataError

_CLOSED = ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR")
_CONTOUR_DATA = Tag("ContourData")
# Rounded coordinates spread a flat contour a little along the normal; one of another plane spreads by much more.
_FLAT_MM = 0.5


def read_contours(dataset: Dataset, slices: SliceMatcher, where: str) -> list[Structure]:
    """Fill every ROI of a structure set.

    Args:
        dataset: the structure set.
        slices: of the series.
        where: the file, for errors.

    Returns:
        One structure an ROI, in the order of the file.

    Raises:
        DataError: contours are damaged or tilted against the slices, or none of the file lies on the series.
    """
    drawn = {whole(item, "ReferencedROINumber"): item for item in dataset.get("ROIContourSequence") or []}
    seen = {whole(item, "ReferencedROINumber"): item for item in dataset.get("RTROIObservationsSequence") or []}
    structures, count = [], 0
    for roi in dataset.get("StructureSetROISequence") or []:
        number, name = whole(roi, "ROINumber"), text(roi, "ROIName")
        item = drawn.get(number, Dataset())
        contours, left_out = _closed_contours(item, f"{where}: ROI {name!r}")
        count += len(contours)
        mask, unmatched = _fill(contours, slices, f"{where}: ROI {name!r}")
        code = code_of(seen.get(number, Dataset()), "RTROIIdentificationCodeSequence")
        structures.append(Structure(name, _rgb(item), code, mask, (*left_out, *unmatched)))
    if count and not any(structure.mask.any() for structure in structures):
        raise DataError(where, f"none of its {count} contours lies on the series; choose the series it was drawn on")
    return structures


def _closed_contours(item: Dataset, where: str) -> tuple[list[np.ndarray], list[str]]:
    """Give the closed contours of an ROI, (N, 3) LPS mm each, and notes on what is none."""
    contours, others = [], Counter[str]()
    for number, contour in enumerate(item.get("ContourSequence") or [], start=1):
        kind = text(contour, "ContourGeometricType")
        points = _points(contour, f"{where}, contour {number}")
        if kind not in _CLOSED:
            others[f"of type {kind or 'unknown'}"] += 1
        elif len(points) < 3:
            others["of fewer than 3 points"] += 1
        else:
            contours.append(points)
    notes = [f"{count} contours {what} were left out" for what, count in sorted(others.items())]
    return contours, notes if contours or others else ["it has no contours"]


def _points(contour: Dataset, where: str) -> np.ndarray:
    element = contour.get_item(_CONTOUR_DATA)
    value = element.value if element is not None else None
    try:
        if isinstance(element, RawDataElement) and value:
            # As text: hundreds of thousands of decimal strings as objects would take seconds.
            value = value.decode("ascii").rstrip("\0 ").split("\\")
        points = np.array(value or [], dtype=np.float64).reshape(-1, 3)
    except (ValueError, TypeError) as error:
        raise DataError(where, "ContourData are no triplets of numbers; export the structure set again") from error
    if not np.isfinite(points).all():
        raise DataError(where, "ContourData holds numbers that are not finite; export the structure set again")
    return points


def _fill(contours: list[np.ndarray], slices: SliceMatcher, where: str) -> tuple[np.ndarray, list[str]]:
    height, width, depth = slices.size
    mask = np.zeros((depth, height, width), dtype=bool)
    heights = np.array([_height(contour, slices, where) for contour in contours])
    matched, notes = slices.match(heights)
    for d in np.unique(matched[matched >= 0]):
        frame = slices.frames[d]
        polygons = [_pixels(contours[index], frame) for index in np.flatnonzero(matched == d)]
        mask[d] = polygons_to_mask(polygons, (height, width))
    return np.moveaxis(mask, 0, -1), [f"{note[0]} contours {note[1]}" for note in notes]


def _height(contour: np.ndarray, slices: SliceMatcher, where: str) -> float:
    heights = contour @ slices.normal
    low, high = float(heights.min()), float(heights.max())
    if high - low > min(_FLAT_MM, slices.spacing_mm / 4):
        problem = f"a contour goes from {low:.2f} to {high:.2f} mm along the slice normal: it is tilted or not flat"
        raise DataError(where, f"{problem}; export contours drawn in the plane of the slices")
    return float(heights.mean())


def _pixels(points: np.ndarray, frame: Frame) -> np.ndarray:
    """Map LPS mm to (row, column). Source: DICOM PS3.3 C.7.6.2.1.1."""
    along_row, along_column = np.reshape(frame.orientation, (2, 3))
    offsets = points - frame.position
    return np.stack([offsets @ along_column / frame.spacing_mm[0], offsets @ along_row / frame.spacing_mm[1]], axis=1)


def _rgb(item: Dataset) -> tuple[int, int, int] | None:
    colour = item.get("ROIDisplayColor")
    return tuple(map(int, colour)) if colour is not None and len(colour) == 3 else None  # type: ignore[return-value]
