"""Series drawn as files, and masks with everything that contours get wrong: holes, islands, corners, borders."""

from pathlib import Path

import numpy as np
from pydicom import dcmread

from monai_gi.datasets.phantom.dicom_files import write_series
from monai_gi.dicom.series import Frame, Series
from monai_gi.scan import Scan

# Rows, columns, slices: not square, and uneven in mm. Rows and columns are tilted out of the patient's planes.
SIZE = (26, 33, 5)
SPACING_MM = (1.5, 1.1, 3.0)


def oblique_affine(spacing_mm=SPACING_MM, origin=(-31.25, 40.5, -112.75)):
    """From (row, column, slice number) to LPS mm; slices ascend along row cosines x column cosines."""
    turn, tilt = np.deg2rad(20), np.deg2rad(12)
    along_row = np.array([np.cos(turn), np.sin(turn), 0])
    along_column = np.array([-np.sin(turn) * np.cos(tilt), np.cos(turn) * np.cos(tilt), np.sin(tilt)])
    return affine_of(along_row, along_column, spacing_mm, origin)


def affine_of(along_row, along_column, spacing_mm=SPACING_MM, origin=(-31.25, 40.5, -112.75)):
    """From (row, column, slice number) to LPS mm."""
    affine = np.eye(4)
    directions = along_column, along_row, np.cross(along_row, along_column)
    affine[:3, :3] = np.stack(directions, axis=1) * spacing_mm
    affine[:3, 3] = origin
    return affine


def draw_scan(folder: Path, *, affine=None, size=SIZE, slice_numbers=None, **options) -> Scan:
    """Write a series and give it as a scan, its frames in the order of the slices."""
    affine = oblique_affine() if affine is None else affine
    numbers = np.arange(size[2]) if slice_numbers is None else np.asarray(slice_numbers)
    voxels = np.random.default_rng(0).integers(0, 900, size).astype(np.uint16)
    paths = write_series(folder, voxels, affine, slice_numbers=numbers, **options)
    return scan_of(paths, voxels, affine, numbers)


def scan_of(paths, voxels, affine_lps, numbers) -> Scan:
    """Read headers one by one, with pydicom alone."""
    frames = [frame for path in paths for frame in _frames(path)]
    normal = np.asarray(affine_lps)[:3, 2]
    frames.sort(key=lambda frame: float(normal @ np.array(frame.position)))
    header = dcmread(paths[0], stop_before_pixels=True)
    series = Series(
        uid=header.SeriesInstanceUID,
        study_uid=header.StudyInstanceUID,
        frame_of_reference_uid=header.get("FrameOfReferenceUID", ""),
        modality=header.Modality,
        description="",
        image_type=tuple(header.ImageType),
        frames=tuple(frames),
    )
    ras = np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine_lps
    names = tuple(f"slice_{number:04d}" for number in numbers)
    return Scan("drawn", voxels, ras, np.asarray(numbers), names, "dicom", tuple(paths), series)


def _frames(path):
    header = dcmread(path, stop_before_pixels=True)
    groups = header.get("PerFrameFunctionalGroupsSequence")
    if groups is None:
        yield _frame(path, 0, header, header, header, header)
        return
    shared = header.SharedFunctionalGroupsSequence[0]
    for index, group in enumerate(groups):
        planes = [
            (group if keyword in group else shared)[keyword].value[0]
            for keyword in ("PlanePositionSequence", "PlaneOrientationSequence", "PixelMeasuresSequence")
        ]
        yield _frame(path, index, header, *planes)


def _frame(path, index, header, position, orientation, measures):
    return Frame(
        path=Path(path),
        index=index,
        sop_class_uid=header.SOPClassUID,
        sop_instance_uid=header.SOPInstanceUID,
        position=tuple(map(float, position.ImagePositionPatient)),
        orientation=tuple(map(float, orientation.ImageOrientationPatient)),
        spacing_mm=tuple(map(float, measures.PixelSpacing)),
        size=(header.Rows, header.Columns),
        frames_in_file=int(header.get("NumberOfFrames", 1)),
    )


def draw_masks(size=SIZE):
    """(3, H, W, D) bool: channel 0 has holes and islands, channel 1 two parts, channel 2 nothing; 0 and 1 overlap."""
    masks = np.zeros((3, *size), dtype=bool)
    masks[0, 2:17, 3:20, 0] = True
    masks[0, 5:14, 6:15, 0] = False  # hole
    masks[0, 8:11, 9:12, 0] = True  # island in the hole
    masks[0, 15, 17, 0] = masks[0, 3, 4, 0] = False  # holes of one pixel
    masks[0, 4, 5, 0] = False  # touches the last one at a corner
    masks[0, 0:9, 0:7, 1] = True  # at the image's corner
    masks[0, -4:, -3:, 1] = True  # at the opposite one
    masks[0, 20, 10, 2] = True  # one pixel
    masks[0, 5:9, 5:9, 2] = masks[0, 9:12, 9:15, 2] = True  # touching at a corner
    masks[0, :, :, 3] = True
    masks[0, 12, 1:-1, 3] = False  # long slit, a row of one pixel
    masks[1, 4:12, 10:18, 1:4] = True
    masks[1, 14:22, 2:8, 1:4] = True
    return masks
