"""One scan in memory, whatever file it came from: voxels (H, W, D) and their place in RAS millimetres."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from monai_gi.dicom.series import Series
from monai_gi.errors import DataError
from monai_gi.labels import ORGAN_NAMES


@dataclass(frozen=True)
class Scan:
    """Voxels as stored in the source: axes (row, column, slice), nothing turned and nothing resampled.

    Attributes:
        name: plain file name for results; never a patient's name or number.
        voxels: (H, W, D), uint16 or float32, in the modality's values (rescale slope and intercept applied).
        affine: (4, 4) float64, from (row, column, slice number) to RAS mm; see `slice_numbers`.
        slice_numbers: (D,) int64, ascending from 0; consecutive unless slices are missing (`--allow-gaps`), which
            then are numbers left out: slice d stands at `affine @ [row, column, slice_numbers[d], 1]`.
        slice_names: D names for tables and pictures, unique within the scan.
        kind: "dicom", "nifti", "uw-madison" or "picture".
        files: what was read; one a slice, or one for all.
        series: the DICOM series; None for other kinds.
    """

    name: str
    voxels: np.ndarray
    affine: np.ndarray
    slice_numbers: np.ndarray
    slice_names: tuple[str, ...]
    kind: str
    files: tuple[Path, ...]
    series: Series | None = None

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Distances (row, column, slice) between the centres of neighbouring voxels, mm."""
        row, column, step = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(row), float(column), float(step)

    @property
    def positions_mm(self) -> np.ndarray:
        """(D,) float64: where each slice stands along the slice axis, mm, the first at slice number 0."""
        return self.slice_numbers * self.spacing_mm[2]

    def require_masks(self, masks: np.ndarray) -> None:
        """Refuse masks that are not of this scan.

        Args:
            masks: (C, H, W, D) bool, channel c is ORGANS[c].

        Raises:
            ValueError: they are of another type or shape.
        """
        wanted = (len(ORGAN_NAMES), *self.voxels.shape)
        if masks.shape != wanted or masks.dtype != bool:
            found = f"{masks.dtype} of shape {masks.shape}"
            raise ValueError(f"masks: {found}, wanted bool {wanted}: {', '.join(ORGAN_NAMES)} on the scan's voxels")

    def require_series(self, referring: str) -> Series:
        """The series for a DICOM object that refers to it.

        Args:
            referring: what refers to it, for the message, such as "an RTSTRUCT".

        Returns:
            The series, with a frame of reference.

        Raises:
            DataError: the scan is no DICOM series, or one without a frame of reference.
        """
        if self.series is None:
            raise DataError(self.name, f"a {self.kind} scan; {referring} wants a DICOM series. Choose --format nifti")
        if not self.series.frame_of_reference_uid:
            problem = f"no FrameOfReferenceUID in the series, which {referring} must share. Choose --format nifti"
            raise DataError(self.name, problem)
        return self.series
