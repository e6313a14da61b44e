"""Slices of DICOM images as their headers place them: one a file, or one a frame of a multi-frame file."""

import math
from pathlib import Path
from typing import NamedTuple, cast

from monai_gi.dicom.headers import Header, frame_groups, numbers, text, whole

Position = tuple[float, float, float]
Orientation = tuple[float, float, float, float, float, float]


class Frame(NamedTuple):
    """One slice of a series: a file, or one frame of a multi-frame file.

    Attributes:
        path: the file.
        index: frame in the file, from 0; 0 for single-frame files.
        sop_class_uid: of the file.
        sop_instance_uid: of the file.
        position: ImagePositionPatient, centre of the first voxel, LPS mm; NaN where the file has none.
        orientation: ImageOrientationPatient, six cosines: along a row (columns ascend), then along a column; NaN where
            the file has none.
        spacing_mm: PixelSpacing, (between rows, between columns); NaN where the file has none.
        size: (rows, columns); (0, 0) where the file has no pixel data.
        frame_of_reference_uid: "" where the file has none.
        thickness_mm: SliceThickness, which is not the spacing; NaN where the file has none.
        step_mm: SpacingBetweenSlices as the file claims it; NaN where it does not.
        frames_in_file: 1 for single-frame files.
    """

    path: Path
    index: int  # type: ignore[assignment]  # tuples have a method of that name
    sop_class_uid: str
    sop_instance_uid: str
    position: Position
    orientation: Orientation
    spacing_mm: tuple[float, float]
    size: tuple[int, int]
    frame_of_reference_uid: str = ""
    thickness_mm: float = math.nan
    step_mm: float = math.nan
    frames_in_file: int = 1

    @property
    def name(self) -> str:
        """File name for messages, with the number of the frame (from 1) in multi-frame files."""
        return f"{self.path.name} frame {self.index + 1}" if self.frames_in_file > 1 else self.path.name


def frames_of(path: Path, header: Header) -> tuple[Frame, ...]:
    """Take the frames from the header of one image file.

    Args:
        path: the file.
        header: its header, with functional groups where it has them.

    Returns:
        One for single-frame files.

    Source: PS3.3 sections C.7.6.2 (single frames) and C.7.6.16.2 (functional groups).
    """
    dataset, count = header.dataset, whole(header.dataset, "NumberOfFrames") or 1
    enhanced = "SharedFunctionalGroupsSequence" in dataset or "PerFrameFunctionalGroupsSequence" in dataset
    find = frame_groups(dataset)
    # of frames without functional groups only the first could stand at the file's position, which is too few to use
    plain = dataset if count == 1 else None
    size = (whole(dataset, "Rows") or 0, whole(dataset, "Columns") or 0) if header.has_pixels else (0, 0)
    frames = []
    for index in range(count):
        place = find(index, "PlanePositionSequence") if enhanced else plain
        turn = find(index, "PlaneOrientationSequence") if enhanced else plain
        measures = find(index, "PixelMeasuresSequence") if enhanced else plain
        frame = Frame(
            path=path,
            index=index,
            sop_class_uid=text(dataset, "SOPClassUID"),
            sop_instance_uid=text(dataset, "SOPInstanceUID"),
            position=cast(Position, numbers(place, "ImagePositionPatient", 3)),
            orientation=cast(Orientation, numbers(turn, "ImageOrientationPatient", 6)),
            spacing_mm=cast(tuple[float, float], numbers(measures, "PixelSpacing", 2)),
            size=size,
            frame_of_reference_uid=text(dataset, "FrameOfReferenceUID"),
            thickness_mm=numbers(measures, "SliceThickness", 1)[0],
            step_mm=numbers(measures, "SpacingBetweenSlices", 1)[0],
            frames_in_file=count,
        )
        frames.append(frame)
    return tuple(frames)
