"""What single frames of a series lack, and what is not the same in all of them; places are `geometry`'s."""

import math
from collections.abc import Callable, Sequence

import numpy as np

from monai_gi.dicom.series import Frame
from monai_gi.errors import DataError

COSINE_TOLERANCE = 1e-3
SPACING_TOLERANCE_MM = 1e-4
LISTED = 4
SPLIT = "one volume has one kind; take out the others"


def mixture_problems(frames: Sequence[Frame]) -> list[DataError]:
    """All reasons why frames can not be one volume, before their places are looked at; empty where there are none."""
    if not frames:
        return [DataError("no pixel data", "the series has no frames")]
    found = [
        _lacking(frames, "no pixel data", has_pixels, "copy them again from their source"),
        _lacking(frames, "no position", has_position, "slices can not be placed without ImagePositionPatient"),
        _lacking(frames, "no orientation", has_turn, "ImageOrientationPatient must be two unit vectors, perpendicular"),
        _lacking(frames, "no pixel spacing", has_spacing, "PixelSpacing must be two lengths above 0"),
        _mixed("mixed size", _groups(frames, has_pixels, _size, 0), _size),
        _mixed("mixed pixel spacing", _groups(frames, has_spacing, _spacing, SPACING_TOLERANCE_MM), _spacing),
        _mixed("mixed orientation", _by_turn(frames), _turn),
        _mixed_coordinates(frames),
        _not_unique(frames),
    ]
    return [problem for problem in found if problem is not None]


def most_alike(frames: Sequence[Frame]) -> list[Frame]:
    """The frames that have a place, of the commonest orientation; their places can be judged whatever else is wrong."""
    placed = [frame for frame in frames if has_position(frame) and has_spacing(frame)]
    return max(_by_turn(placed), key=len, default=[])


def has_pixels(frame: Frame) -> bool:
    """Whether pixel data follows the header."""
    return min(frame.size) > 0


def has_position(frame: Frame) -> bool:
    """Whether ImagePositionPatient is there."""
    return all(map(math.isfinite, frame.position))


def has_spacing(frame: Frame) -> bool:
    """Whether PixelSpacing is there and can be used."""
    return all(length > 0 for length in frame.spacing_mm)


def has_turn(frame: Frame) -> bool:
    """Whether ImageOrientationPatient is there: two unit vectors, perpendicular, but for rounding."""
    along, down = np.reshape(frame.orientation, (2, 3))
    off = (along @ along - 1, down @ down - 1, along @ down)
    return bool((np.abs(off) <= 2 * COSINE_TOLERANCE).all())


def cosines(frame: Frame) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors (3,) LPS: along a row, where columns ascend, and along a column, where rows ascend."""
    along, down = np.reshape(frame.orientation, (2, 3))
    return along / np.linalg.norm(along), down / np.linalg.norm(down)


def some_of(texts: Sequence[str], mark: str = ", ") -> str:
    """The first few, and how many more there are.

    >>> some_of(["a", "b", "c", "d", "e", "f"])
    'a, b, c, d, and 2 more'
    """
    more = [f"and {len(texts) - LISTED} more"] if len(texts) > LISTED else []
    return mark.join([*texts[:LISTED], *more])


def _lacking(frames: Sequence[Frame], name: str, has: Callable[[Frame], bool], repair: str) -> DataError | None:
    lacking = [frame.name for frame in frames if not has(frame)]
    if not lacking:
        return None
    return DataError(name, f"in {len(lacking)} of {len(frames)} frames: {some_of(lacking)}; {repair}")


def _size(frame: Frame) -> Sequence[float]:
    return frame.size


def _spacing(frame: Frame) -> Sequence[float]:
    return frame.spacing_mm


def _turn(frame: Frame) -> Sequence[float]:
    return frame.orientation


def _by_turn(frames: Sequence[Frame]) -> list[list[Frame]]:
    return _groups(frames, has_turn, _turn, COSINE_TOLERANCE)


def _groups(
    frames: Sequence[Frame],
    has: Callable[[Frame], bool],
    value: Callable[[Frame], Sequence[float]],
    tolerance: float,
) -> list[list[Frame]]:
    """Frames of equal values together; with a tolerance, as some writers round each file by itself."""
    groups: list[list[Frame]] = []
    for frame in filter(has, frames):
        near = (g for g in groups if np.abs(np.subtract(value(frame), value(g[0]))).max() <= tolerance)
        group = next(near, None)
        if group is None:
            groups.append([frame])
        else:
            group.append(frame)
    return groups


def _mixed(name: str, groups: list[list[Frame]], value: Callable[[Frame], Sequence[float]]) -> DataError | None:
    return _told(name, groups, ["(" + ", ".join(f"{number:g}" for number in value(group[0])) + ")" for group in groups])


def _mixed_coordinates(frames: Sequence[Frame]) -> DataError | None:
    groups: dict[str, list[Frame]] = {}
    for frame in frames:
        groups.setdefault(frame.frame_of_reference_uid, []).append(frame)
    return _told("mixed frame of reference", list(groups.values()), [uid or "none" for uid in groups])


def _told(name: str, groups: list[list[Frame]], values: list[str]) -> DataError | None:
    if len(groups) < 2:
        return None
    told = [f"{len(group)} of {value}, as {group[0].name}" for group, value in zip(groups, values, strict=True)]
    return DataError(name, f"{some_of(told, '; ')}; {SPLIT}")


def _not_unique(frames: Sequence[Frame]) -> DataError | None:
    """Contours name their slice by its instance, so no two slices may share one; copies of a file are `geometry`'s."""
    places: dict[tuple[str, int], set[tuple[float, ...]]] = {}
    for frame in frames:
        places.setdefault((frame.sop_instance_uid, frame.index), set()).add(frame.position)
    shared = [uid for (uid, _), found in places.items() if len(found) > 1]
    if not shared:
        return None
    problem = f"{len(shared)} stand for several slices each, {shared[0]} for one; export the series again"
    return DataError("SOPInstanceUID", problem)
