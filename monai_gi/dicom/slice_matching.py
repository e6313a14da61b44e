"""Which slice of a series a contour or a frame belongs to: the nearest along the normal, within half a spacing."""

from dataclasses import dataclass

import numpy as np

from monai_gi.dicom.geometry import Arrangement
from monai_gi.dicom.series import Frame

_SAME_PLANE_MM = 0.05
# Half of the spacing, and room for the rounding of a contour drawn exactly between two slices.
_REACH = 0.5 + 1e-4


@dataclass(frozen=True)
class SliceMatcher:
    """The slices of a series along their normal.

    Attributes:
        frames: in the order of the slices.
        normal: (3,) unit vector, LPS, along which slices ascend.
        heights_mm: (D,) of the slices along the normal.
        spacing_mm: between neighbouring slices of the lattice.
    """

    frames: tuple[Frame, ...]
    normal: np.ndarray
    heights_mm: np.ndarray
    spacing_mm: float

    @classmethod
    def of(cls, arrangement: Arrangement) -> "SliceMatcher":
        """Take the slices of a series as they are arranged."""
        frames = arrangement.series.frames
        along_row, along_column = np.reshape(frames[0].orientation, (2, 3))
        normal = np.cross(along_row, along_column)
        normal = normal / np.linalg.norm(normal)
        heights = np.array([frame.position for frame in frames]) @ normal
        return cls(frames, normal, heights, float(np.linalg.norm(arrangement.affine_lps[:3, 2])))

    @property
    def size(self) -> tuple[int, int, int]:
        """(H, W, D)."""
        return (*self.frames[0].size, len(self.frames))

    def match(self, heights_mm: np.ndarray) -> tuple[np.ndarray, list[tuple[int, str]]]:
        """Give each plane its slice.

        Where planes of different heights are nearest to one slice, the nearest of them stands for it: filled together,
        they would cancel out or grow.

        Args:
            heights_mm: (N,) of the planes along the normal.

        Returns:
            (N,) slice index or -1, and notes on the planes that got none: (how many, what about them).
        """
        if not len(heights_mm):
            return np.zeros(0, dtype=np.int64), []
        distances = np.abs(heights_mm[:, None] - self.heights_mm)
        nearest = distances.argmin(axis=1)
        distance = distances[np.arange(len(nearest)), nearest]
        slices = np.where(distance <= _REACH * self.spacing_mm, nearest, -1)
        outside = int((slices < 0).sum())
        for d in np.unique(slices[slices >= 0]):
            here = np.flatnonzero(slices == d)
            chosen = heights_mm[here[distance[here].argmin()]]
            slices[here[np.abs(heights_mm[here] - chosen) > _SAME_PLANE_MM]] = -1
        between = int((slices < 0).sum()) - outside
        notes = [
            (outside, "lie more than half a slice spacing from every slice and were left out"),
            (between, "lie where another one is nearer to the slice and were left out"),
        ]
        return slices, [note for note in notes if note[0]]
