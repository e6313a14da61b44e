"""Segments of a DICOM Segmentation (binary, fractional or label map), placed on the slices of a series by position.

Fractional values count as inside from one half of the maximum. Slices without a frame are empty: absent means empty.
Source: DICOM PS3.3 C.8.20.2 (segments), C.8.20.3 (frames), C.7.6.16.2 (functional groups).
"""

from typing import NamedTuple

import numpy as np
from pydicom import Dataset
from skimage.color import lab2rgb

from monai_gi.dicom.headers import READ_ERRORS, frame_groups, numbers, text, whole
from monai_gi.dicom.series import Frame
from monai_gi.dicom.slice_matching import SliceMatcher
from monai_gi.dicom.structure_types import Structure, code_of
from monai_gi.errors import DataError

# Cosine of the largest angle between frame and slice, 0.8 degrees.
_PARALLEL = 1 - 1e-4
# Of a pixel, over the whole image: grids that are turned by more are other grids.
_DRIFT_PX = 0.5
# Grids that agree to this coincide; beyond it the nearest pixel is an approximation, which a note tells.
_SAME_GRID_PX = 0.1


class _Plane(NamedTuple):
    """One frame of the segmentation.

    Attributes:
        pixels: (rows, columns) as stored.
        position: (3,) centre of its first pixel, LPS mm.
        axes: (2, 3) unit vectors along a column (rows ascend), then along a row.
        spacing_mm: (2,) between rows, between columns.
        segment: number of its segment; None in label maps.
    """

    pixels: np.ndarray
    position: np.ndarray
    axes: np.ndarray
    spacing_mm: np.ndarray
    segment: int | None


def read_segments(dataset: Dataset, slices: SliceMatcher, where: str) -> list[Structure]:
    """Place every segment on the series.

    Args:
        dataset: the segmentation.
        slices: of the series.
        where: the file, for errors.

    Returns:
        One structure a segment, in the order of the file, without the background of a label map. Where the pixels of
        both do not coincide, the nearest pixel is taken and a note says so.

    Raises:
        DataError: pixels can not be decoded, a frame has no position or no segment, is tilted or turned against the
            slices, or no frame lies on the series.
    """
    planes = _planes(dataset, where)
    for place, plane in enumerate(planes, start=1):
        if abs(float(np.cross(*plane.axes) @ slices.normal)) < _PARALLEL:
            raise DataError(where, f"frame {place} is tilted against the slices; choose the series it was made on")
    heights = np.array([float(plane.position @ slices.normal) for plane in planes])
    if not (slices.match(heights)[0] >= 0).any():
        raise DataError(where, f"none of its {len(planes)} frames lies on the series; choose the series it was made on")
    structures = []
    for item in dataset.get("SegmentSequence") or []:
        number = whole(item, "SegmentNumber")
        if number != 0:
            own = [plane for plane in planes if plane.segment in (None, number)]
            mask, notes = _place(own, slices, _threshold(dataset, number), where)
            code = code_of(item, "SegmentedPropertyTypeCodeSequence")
            structures.append(Structure(text(item, "SegmentLabel"), _rgb(item), code, mask, tuple(notes)))
    return structures


def _planes(dataset: Dataset, where: str) -> list[_Plane]:
    try:
        stored = dataset.pixel_array
    except READ_ERRORS as error:
        problem = f"its pixels can not be decoded ({error}); is a codec missing? pip install monai_gi[dicom]"
        raise DataError(where, problem) from error
    find, planes = frame_groups(dataset), []
    is_label_map = text(dataset, "SegmentationType") == "LABELMAP"
    for index, pixels in enumerate(stored.reshape(-1, *stored.shape[-2:])):
        position = np.array(numbers(find(index, "PlanePositionSequence"), "ImagePositionPatient", 3))
        turn = np.array(numbers(find(index, "PlaneOrientationSequence"), "ImageOrientationPatient", 6))
        spacing = np.array(numbers(find(index, "PixelMeasuresSequence"), "PixelSpacing", 2))
        if not np.isfinite([*position, *turn, *spacing]).all():
            problem = f"frame {index + 1} has no position, orientation or spacing in the patient"
            raise DataError(where, f"{problem}; export it again with its geometry, or as RTSTRUCT")
        segment = None
        if not is_label_map:
            segment = whole(find(index, "SegmentIdentificationSequence") or Dataset(), "ReferencedSegmentNumber")
            if segment is None:
                raise DataError(where, f"frame {index + 1} names no segment; write the segmentation again")
        planes.append(_Plane(pixels, position, turn.reshape(2, 3)[::-1], spacing, segment))
    return planes


def _threshold(dataset: Dataset, number: int | None) -> tuple[float, float]:
    """Give the lowest and the highest stored value that is inside the segment."""
    kind = text(dataset, "SegmentationType")
    if kind == "LABELMAP":
        return float(number or 0), float(number or 0)
    return (int(dataset.MaximumFractionalValue) / 2 if kind == "FRACTIONAL" else 1), np.inf


def _place(
    planes: list[_Plane], slices: SliceMatcher, inside: tuple[float, float], where: str
) -> tuple[np.ndarray, list[str]]:
    height, width, depth = slices.size
    mask = np.zeros((depth, height, width), dtype=bool)
    matched, unmatched = slices.match(np.array([float(plane.position @ slices.normal) for plane in planes]))
    notes, exact = [f"{note[0]} frames {note[1]}" for note in unmatched], True
    for plane, d in zip(planes, matched.tolist(), strict=True):
        if d >= 0:
            within = (plane.pixels >= inside[0]) & (plane.pixels <= inside[1])
            placed, coincides = _on_slice(within, plane, slices.frames[d], where)
            mask[d] |= placed
            exact &= coincides
    if not exact:
        notes.append("its pixels do not coincide with those of the series: the nearest pixel was taken")
    return np.moveaxis(mask, 0, -1), notes


def _on_slice(within: np.ndarray, plane: _Plane, frame: Frame, where: str) -> tuple[np.ndarray, bool]:
    """Give a frame of the segmentation on a slice's pixels (H, W), and whether the pixels of both coincide."""
    axes = np.reshape(frame.orientation, (2, 3))[::-1]
    # Pixels of the frame for a step of one row or column of the slice: (row and column of the frame, of the slice).
    steps = (plane.axes @ axes.T) * np.array(frame.spacing_mm) / plane.spacing_mm[:, None]
    first = plane.axes @ (np.array(frame.position) - plane.position) / plane.spacing_mm
    turned = abs(steps[0, 1]) > abs(steps[0, 0])
    if turned:  # rows of the one are columns of the other
        within, steps, first = within.T, steps[::-1], first[::-1]
    drift = np.abs(steps * (1 - np.eye(2))) @ (np.array(frame.size) - 1)[::-1]
    if drift.max() > _DRIFT_PX:
        raise DataError(where, "its frames are turned in the plane of the slices; choose the series it was made on")
    result, exact = within, True
    for axis in range(2):
        places = first[axis] + steps[axis, axis] * np.arange(frame.size[axis])
        nearest = np.rint(places).astype(np.int64)
        exact &= bool(np.abs(places - nearest).max() <= _SAME_GRID_PX and abs(abs(steps[axis, axis]) - 1) < 0.01)
        padded = np.concatenate([result, np.zeros_like(np.take(result, [0], axis=axis))], axis=axis)
        outside = (nearest < 0) | (nearest >= result.shape[axis])
        result = np.take(padded, np.where(outside, result.shape[axis], nearest), axis=axis)
    return result, exact


def _rgb(item: Dataset) -> tuple[int, int, int] | None:
    """Source: DICOM PS3.3 C.10.7.1.1 (how a*, b* and L* fill 16 bits)."""
    stored = item.get("RecommendedDisplayCIELabValue")
    if stored is None or len(stored) != 3:
        return None
    lightness, a, b = np.array(stored, dtype=np.float64) / 65535
    rgb = lab2rgb(np.array([lightness * 100, a * 255 - 128, b * 255 - 128]))
    red, green, blue = np.rint(np.clip(rgb, 0, 1) * 255).astype(int).tolist()
    return red, green, blue
