"""The lattice that the slices of a series stand on, checked before anything is computed on it. Millimetres are LPS.

Slices are sorted along n = row cosines x column cosines (the first three and the last three of
ImageOrientationPatient), so slice numbers ascend along n. Nothing is turned or resampled.
Source: PS3.3 sections C.7.6.2.1.1 (position and orientation) and 10.7.1.3 (PixelSpacing).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from monai_gi.dicom.mixture import cosines, has_turn, mixture_problems, most_alike, some_of
from monai_gi.dicom.repeats import differing_values
from monai_gi.dicom.series import Frame, Series
from monai_gi.errors import DataError, DataErrors

EVEN = 0.01
SAME_PLACE_MM = 0.01
LONGEST_USUAL_GAP = 5
SIDEWAYS_MM = 0.1
SIDEWAYS_PER_MM = 1e-3


@dataclass(frozen=True)
class Arrangement:
    """A series whose slices stand on an even lattice.

    Attributes:
        series: frames sorted along the slice normal.
        affine_lps: (4, 4) float64, from (row, column, slice number) to LPS mm.
        slice_numbers: (D,) int64, ascending from 0; consecutive unless slices are missing and gaps are allowed.
        step_from: what the slice spacing was taken from: "ImagePositionPatient", and for a single slice, which has no
            spacing, "SpacingBetweenSlices", "SliceThickness" or "assumed" (1 mm).
    """

    series: Series
    affine_lps: np.ndarray
    slice_numbers: np.ndarray
    step_from: str = "ImagePositionPatient"


def arrange(series: Series, *, allow_gaps: bool = False) -> Arrangement:
    """Sort the frames along the slice normal and find the lattice they stand on.

    Args:
        series: frames in any order.
        allow_gaps: missing slices become numbers left out of `slice_numbers`.

    Returns:
        The sorted series; each slice stands within 1 % of the spacing of the place that the affine gives it.

    Raises:
        DataErrors: all reasons at once: faults of the series' files, frames without pixel data or position, mixed size,
            pixel spacing, orientation or frame of reference, doubled slices, missing slices, uneven spacing, a sheared
            stack.
    """
    problems = [*series.faults, *mixture_problems(series.frames)]
    frames = most_alike(series.frames)
    stack = _Stack(frames) if frames else None
    if stack is not None:
        problems += stack.problems(allow_gaps=allow_gaps)
    if problems or stack is None:
        raise DataErrors(f"series {series.uid}", problems)
    step, step_from = stack.step()
    affine = np.eye(4)
    affine[:3, 0] = stack.down * frames[0].spacing_mm[0]
    affine[:3, 1] = stack.along * frames[0].spacing_mm[1]
    affine[:3, 2] = step
    affine[:3, 3] = stack.positions[0]
    return Arrangement(replace(series, frames=tuple(stack.frames)), affine, stack.numbers, step_from)


def has_main_plane(frames: Sequence[Frame]) -> bool:
    """Whether most frames stand at less than 45 degrees to one of them, as in all but localizers of three planes.

    Frames without an orientation do not count; without any that has one there is nothing that crosses.
    """
    normals = [np.cross(*cosines(frame)) for frame in frames if has_turn(frame)]
    if not normals:
        return True
    different, counts = np.unique(np.round(normals, 3), axis=0, return_counts=True)
    alike = np.abs(different @ different.T) >= math.sqrt(0.5)
    return bool((alike @ counts).max() * 2 > len(normals))


class _Stack:
    """Frames of one orientation, sorted by `heights` (mm) along their normal.

    `groups` are indices of the frames at one place, one each unless slices are doubled; `places` are heights of the
    groups, and `numbers` their numbers on the lattice, from 0. `along` and `down` are unit vectors in which columns
    and rows ascend.
    """

    def __init__(self, frames: Sequence[Frame]) -> None:
        self.along, self.down = cosines(frames[0])
        self.normal = np.cross(self.along, self.down)
        heights = np.array([frame.position for frame in frames]) @ self.normal
        order = np.argsort(heights, kind="stable")
        self.frames = [frames[index] for index in order]
        self.positions = np.array([frame.position for frame in self.frames], dtype=np.float64)
        self.heights = heights[order]
        breaks = np.flatnonzero(np.diff(self.heights) > SAME_PLACE_MM) + 1
        self.groups = np.split(np.arange(len(frames)), breaks)
        self.places = self.heights[[group[0] for group in self.groups]]
        self.numbers = _lattice_numbers(np.diff(self.places))

    def step(self) -> tuple[np.ndarray, str]:
        """The vector from one slice to the next, and where it comes from."""
        if len(self.frames) > 1:
            # not along the normal exactly: rounded cosines must not move the last slice off its place
            return (self.positions[-1] - self.positions[0]) / self.numbers[-1], "ImagePositionPatient"
        frame = self.frames[0]
        claims = {"SpacingBetweenSlices": frame.step_mm, "SliceThickness": frame.thickness_mm, "assumed": 1.0}
        source, length = next((name, value) for name, value in claims.items() if value > 0)
        return self.normal * length, source

    def problems(self, *, allow_gaps: bool) -> list[DataError]:
        found = [self._doubled(), None if allow_gaps else self._missing(), self._uneven(), self._sheared()]
        return [problem for problem in found if problem is not None]

    def _between(self, place: int) -> str:
        """Words for the gap after a place."""
        first, second = (self.frames[self.groups[index][-1]].name for index in (place, place + 1))
        return f"between {first} ({self.places[place]:.2f} mm) and {second} ({self.places[place + 1]:.2f} mm)"

    def _doubled(self) -> DataError | None:
        doubled = [group for group in self.groups if len(group) > 1]
        if not doubled:
            return None
        counts = {len(group) for group in self.groups}
        names = [" and ".join(self.frames[i].name for i in group[:3]) for group in doubled]
        places = [f"{name} at {self.heights[group[0]]:.2f} mm" for name, group in zip(names, doubled, strict=True)]
        if len(counts) == 1 and len(self.groups) > 1:
            text = f"each of {len(self.groups)} places holds {counts.pop()} slices, so the series holds several volumes"
        else:
            text = f"{len(doubled)} of {len(self.groups)} places hold more than one slice"
        differing = differing_values([self.frames[index] for index in doubled[0]])
        why = f"they differ in {differing}" if differing else "their headers say the same, as copies do"
        return DataError("doubled slices", f"{text}: {some_of(places)}; {why}; keep one slice a place")

    def _missing(self) -> DataError | None:
        steps = np.diff(self.numbers)
        lost = int((steps - 1).sum()) if len(steps) else 0
        if not lost:
            return None
        gaps = [f"{steps[place] - 1} {self._between(place)}" for place in np.flatnonzero(steps > 1).tolist()]
        repair = "copy them from their source, or allow gaps (--allow-gaps)"
        return DataError("missing slices", f"{lost} of {self.numbers[-1] + 1}: {some_of(gaps)}; {repair}")

    def _uneven(self) -> DataError | None:
        if len(self.places) < 3:
            return None
        steps = np.diff(self.places) / np.diff(self.numbers)
        usual = float(np.median(steps))
        mean = (self.places[-1] - self.places[0]) / self.numbers[-1]
        off = np.abs(self.places - self.places[0] - self.numbers * mean).max() / mean
        if off <= EVEN:
            return None
        odd = [int(place) for place in np.argsort(-np.abs(steps - usual)) if abs(steps[place] - usual) > EVEN * usual]
        where = [f"{steps[place]:.3f} mm {self._between(place)}" for place in odd]
        listed = f"; {usual:.3f} mm is usual, but {some_of(where)}" if where else ""
        problem = (
            f"slices stand up to {off:.1%} of the spacing off an even lattice, at most {EVEN:.0%} is allowed{listed}"
        )
        return DataError("uneven spacing", f"{problem}; resample it to even slices first")

    def _sheared(self) -> DataError | None:
        shifts = self.positions - self.positions[0]
        heights = shifts @ self.normal
        sideways = np.linalg.norm(shifts - np.outer(heights, self.normal), axis=1)
        if (sideways <= SIDEWAYS_MM + SIDEWAYS_PER_MM * heights).all():
            return None
        worst = int(sideways.argmax())
        place = f"{self.frames[worst].name} stands {sideways[worst]:.2f} mm beside the normal through"
        problem = f"{place} {self.frames[0].name}, {heights[worst]:.2f} mm away (a tilted gantry, or several stacks?)"
        return DataError("sheared stack", f"{problem}; resample it to an upright stack first")


def _lattice_numbers(steps: np.ndarray) -> np.ndarray:
    """Numbers from 0 for places that are `steps` apart; more than 1 apart where slices are missing.

    The usual step is the median, unless all steps are multiples of a shorter one: then most slices are missing.
    """
    if not len(steps):
        return np.zeros(1, dtype=np.int64)
    median, shortest = float(np.median(steps)), float(steps.min())
    multiples = steps / shortest
    even = (np.abs(multiples - multiples.round()) <= EVEN).all() and shortest * LONGEST_USUAL_GAP > median
    counts = (steps / (shortest if even else median)).round()
    return np.concatenate([[0], np.maximum(counts, 1).cumsum()]).astype(np.int64)
