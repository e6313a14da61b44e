"""DICOM series as headers: found below a path, frames in acquisition order, nothing decoded."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple


class Frame(NamedTuple):
    """One slice of a series: a file, or one frame of a multi-frame file.

    Attributes:
        path: the file.
        index: frame in the file, from 0; 0 for single-frame files.
        sop_class_uid: of the file.
        sop_instance_uid: of the file.
        position: ImagePositionPatient, centre of the first voxel, LPS mm.
        orientation: ImageOrientationPatient, six cosines: along a row (columns ascend), then along a column.
        spacing_mm: PixelSpacing, (between rows, between columns).
        size: (rows, columns).
    """

    path: Path
    index: int
    sop_class_uid: str
    sop_instance_uid: str
    position: tuple[float, float, float]
    orientation: tuple[float, float, float, float, float, float]
    spacing_mm: tuple[float, float]
    size: tuple[int, int]


@dataclass(frozen=True)
class Series:
    """A series of images.

    Attributes:
        uid: SeriesInstanceUID.
        study_uid: StudyInstanceUID.
        frame_of_reference_uid: shared by what lies in the same coordinates; "" where the files have none.
        modality: "MR", "CT", ...
        description: SeriesDescription; free text that may name a patient, so it is shown with `--show-patient` only.
        image_type: values of ImageType, such as ("ORIGINAL", "PRIMARY", "M").
        frames: as found; sorted along the slice normal once `monai_gi.dicom.geometry` has checked them.
    """

    uid: str
    study_uid: str
    frame_of_reference_uid: str
    modality: str
    description: str
    image_type: tuple[str, ...]
    frames: tuple[Frame, ...]
