"""A DICOM series as a scan: checked, sorted and decoded; this is where LPS turns to RAS."""

import logging

import numpy as np

from monai_gi.dicom.geometry import arrange, has_main_plane
from monai_gi.dicom.pixels import read_voxels
from monai_gi.dicom.series import Series
from monai_gi.scan import Scan

logger = logging.getLogger(__name__)

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def read_series(series: Series, *, allow_gaps: bool = False, name: str | None = None) -> Scan:
    """Read a series of DICOM images.

    Args:
        series: as found, frames in any order.
        allow_gaps: missing slices become gaps in the slice numbers.
        name: file name for results; the series UID where none is given, as a description may name a patient.

    Returns:
        The scan; slices ascend along row cosines x column cosines, and `scan.series.frames` stand in that order. A
        slice is named after its number from 1: "slice_0001".

    Raises:
        DataErrors: all reasons why the frames are no volume (see `arrange`), or all files that can not be decoded.
    """
    arrangement = arrange(series, allow_gaps=allow_gaps)
    if arrangement.step_from == "assumed":
        logger.warning("series %s: one slice without a thickness, 1 mm taken; volumes hang on it", series.uid)
    return Scan(
        name=name or series.uid,
        voxels=read_voxels(arrangement.series),
        affine=LPS_TO_RAS @ arrangement.affine_lps,
        slice_numbers=arrangement.slice_numbers,
        slice_names=tuple(f"slice_{number + 1:04d}" for number in arrangement.slice_numbers),
        kind="dicom",
        files=tuple(dict.fromkeys(frame.path for frame in arrangement.series.frames)),
        series=arrangement.series,
    )


def is_localizer(series: Series) -> bool:
    """Whether a series shows where to scan rather than a scan: ImageType says so, or its planes cross each other.

    Where most slices lie in one plane, others are strays that make it a series of mixed orientation.

    Source: PS3.3 sections C.7.6.1.1.2 and C.8.3.1.1.1 (value 3 LOCALIZER).
    """
    return "LOCALIZER" in series.image_type or not has_main_plane(series.frames)
