"""One drawn patient seen in several planes: voxels and masks with affines from (row, column, slice) to LPS mm.

Axial slices are drawn as they are; the other planes are cut out of a finely drawn volume, so all show the same body.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np
from scipy import ndimage

from monai_gi.datasets.phantom.scans import SHORT_SCAN_SHARE, SLICE_SPACING_MM, Format, Scan, draw_scan

# The body's middle in the patient's frame of reference: seldom is it the origin.
MIDDLE_LPS_MM = np.array((7.5, -31.25, 410.0))
# The volume that planes are cut from reaches this far to head and feet, in voxels not finer than this.
VOLUME_MM, VOXEL_MM = 280.0, 2.0
LEFT, BACK, HEAD = np.eye(3)


class Plane(NamedTuple):
    """How a plane lies in the patient.

    Attributes:
        down: unit vector in which rows ascend, LPS.
        along: unit vector in which columns ascend.
        middle_mm: of the stack, from the body's middle.
        extent_mm: across the slices, so that they show the gut.
        stretch: distance between rows, of that between columns.
    """

    down: np.ndarray
    along: np.ndarray
    middle_mm: np.ndarray
    extent_mm: float
    stretch: float = 1.0


class Drawing(NamedTuple):
    """Drawn slices, in ascending order along the normal (row direction x column direction).

    Attributes:
        voxels: (H, W, D) uint16.
        affine_lps: (4, 4) float64 from (row, column, slice) to mm.
        masks: (C, H, W, D) bool, channels as in labels.ORGANS.
    """

    voxels: np.ndarray
    affine_lps: np.ndarray
    masks: np.ndarray


def _turned(about: np.ndarray, degrees: float, vector: np.ndarray) -> np.ndarray:
    """A vector turned about a unit vector (Rodrigues)."""
    angle = np.radians(degrees)
    straight = about * (about @ vector) * (1 - np.cos(angle))
    return vector * np.cos(angle) + np.cross(about, vector) * np.sin(angle) + straight


PLANES = {
    "sagittal": Plane(-HEAD, BACK, np.zeros(3), 230.0),
    "coronal": Plane(-HEAD, LEFT, -18 * BACK, 130.0),
    # Tilted about two axes, and with rows further apart than columns.
    "oblique": Plane(
        _turned(BACK, 8, _turned(LEFT, 17, BACK)), _turned(BACK, 8, _turned(LEFT, 17, LEFT)), np.zeros(3), 240.0, 1.2
    ),
}
VIEWS = ("axial", "prone", *PLANES)


@dataclass(frozen=True)
class Patient:
    """A drawn patient; what is asked for twice is drawn once.

    Attributes:
        number: from 1; every fourth lacks an organ.
        seed: of the data set.
        slices: of each view.
        size: (H, W) of an axial slice, pixels.
        spacing_mm: of its square pixels.
    """

    number: int
    seed: int
    slices: int
    size: tuple[int, int]
    spacing_mm: float

    @cached_property
    def axial(self) -> Drawing:
        """Rows to the back, columns to the left, slices to the head: 3 mm apart or more, so that they show the gut."""
        return self._draw(self.size, self.spacing_mm, self.slices, _step_mm(190 * SHORT_SCAN_SHARE, self.slices))

    @cached_property
    def _volume(self) -> Drawing:
        voxel_mm = max(VOXEL_MM, self.spacing_mm)
        height, width = (round(side * self.spacing_mm / voxel_mm) for side in self.size)
        return self._draw((height, width), voxel_mm, round(VOLUME_MM / voxel_mm), voxel_mm)

    def view(self, name: str) -> Drawing:
        """Draw one view.

        Args:
            name: one of VIEWS. "prone" has rows to the front and columns to the right; "sagittal" and "coronal" have
                rows to the feet.

        Returns:
            The drawing; sizes of cut planes follow from the axial field of view.
        """
        if name == "axial":
            return self.axial
        if name == "prone":
            return _upside_down(self.axial)
        plane = PLANES[name]
        height, width = self.size
        sides = {"sagittal": (_rows(self.spacing_mm), height), "coronal": (_rows(self.spacing_mm), width)}
        return self._cut(plane, (*sides.get(name, self.size), self.slices))

    def _draw(self, size: tuple[int, int], spacing_mm: float, slices: int, step_mm: float) -> Drawing:
        height_mm = (np.arange(slices) - (slices - 1) / 2) * step_mm
        form = Format(size[1], size[0], spacing_mm, slices, 0.0)
        # The drawn z runs to the feet.
        scan = Scan(Path(), "", self.number - 1, 0, self.seed, form, tuple((-height_mm).tolist()))
        # It returns nothing only when it is stopped.
        images, masks = cast("tuple[np.ndarray, np.ndarray]", draw_scan(scan))
        affine = _centred(BACK * spacing_mm, LEFT * spacing_mm, HEAD * step_mm, (*size, slices), np.zeros(3))
        return Drawing(np.moveaxis(images, 0, -1), affine, np.moveaxis(masks, 0, -1))

    def _cut(self, plane: Plane, shape: tuple[int, int, int]) -> Drawing:
        step = np.cross(plane.along, plane.down) * _step_mm(plane.extent_mm, shape[2])
        down, along = plane.down * self.spacing_mm * plane.stretch, plane.along * self.spacing_mm
        affine = _centred(down, along, step, shape, plane.middle_mm)
        to_volume = np.linalg.inv(self._volume.affine_lps) @ affine

        def cut(volume: np.ndarray) -> np.ndarray:
            volume = volume.astype(np.float32)
            return ndimage.affine_transform(volume, to_volume[:3, :3], to_volume[:3, 3], shape, order=1)

        voxels = np.rint(cut(self._volume.voxels)).astype(np.uint16)
        return Drawing(voxels, affine, np.stack([cut(mask) >= 0.5 for mask in self._volume.masks]))


def _step_mm(extent_mm: float, slices: int) -> float:
    """Distance between slices, as in the drawn UW-Madison scans: a few slices are spread over the gut."""
    return max(SLICE_SPACING_MM, round(extent_mm / slices, 2))


def _rows(spacing_mm: float) -> int:
    return round(VOLUME_MM / spacing_mm)


def _centred(
    down: np.ndarray, along: np.ndarray, step: np.ndarray, shape: tuple[int, int, int], middle_mm: np.ndarray
) -> np.ndarray:
    """The affine (4, 4) of a grid whose middle stands at `middle_mm` from the body's middle."""
    affine = np.eye(4)
    affine[:3, :3] = np.stack([down, along, step], axis=1)
    affine[:3, 3] = MIDDLE_LPS_MM + middle_mm - affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return affine


def _upside_down(drawing: Drawing) -> Drawing:
    """The same slices turned by half a circle."""
    height, width, _ = drawing.voxels.shape
    affine = drawing.affine_lps.copy()
    affine[:3, 3] += affine[:3, 0] * (height - 1) + affine[:3, 1] * (width - 1)
    affine[:3, :2] *= -1
    return Drawing(drawing.voxels[::-1, ::-1], affine, drawing.masks[:, ::-1, ::-1])
