"""MR series on disk for the writers of DICOM SEG, built element by element: single files, or one Enhanced file."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from pydicom import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    EnhancedMRImageStorage,
    ExplicitVRLittleEndian,
    JPEGLosslessSV1,
    MRImageStorage,
    generate_uid,
)

from monai_gi.dicom.series import Frame, Series
from monai_gi.scan import Scan

SIZE = (20, 30)
SPACING_MM = (1.5, 2.25)
STEP_MM = 3.0
AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
SAGITTAL = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)
OBLIQUE = (0.8, 0.6, 0.0, -0.36, 0.48, 0.8)
PATIENT = "Doe^Jane"


def draw_masks(slices, size=SIZE):
    """Large bowel and small bowel overlap; the stomach is absent; the first and the last slice are empty."""
    masks = np.zeros((3, *size, slices), dtype=bool)
    masks[0, 3:9, 5:17, 1 : slices - 1] = True
    masks[1, 6:15, 9:28, 1 : slices - 2] = True
    masks[1, 8, 12, 1] = False
    masks[0, -1, -1, 1] = True
    return masks


def write_scan(folder, numbers=(0, 1, 2, 3, 4), orientation=AXIAL, size=SIZE, *, enhanced=False, jpeg=False, **header):
    """A Scan whose files are on disk; `numbers` are its slice numbers, `header` changes elements of the first file."""
    folder.mkdir(parents=True, exist_ok=True)
    frames = _frames(folder, numbers, orientation, size)
    study, series, place = (generate_uid(prefix=None) for _ in range(3))
    voxels = np.random.default_rng(1).integers(0, 900, (*size, len(numbers))).astype(np.uint16)
    described = Series(series, study, place, "MR", "", ("ORIGINAL", "PRIMARY", "OTHER"), frames, 7)
    if enhanced:
        described = _write_enhanced(described, voxels, header)
    else:
        for d in range(len(frames)):
            _write_single(described, d, voxels[..., d], header if d == 0 else {}, jpeg=jpeg)
    affine_lps = np.eye(4)
    affine_lps[:3, 0] = np.multiply(orientation[3:], SPACING_MM[0])
    affine_lps[:3, 1] = np.multiply(orientation[:3], SPACING_MM[1])
    affine_lps[:3, 2] = _normal(orientation) * STEP_MM
    affine_lps[:3, 3] = np.subtract(frames[0].position, affine_lps[:3, 2] * numbers[0])
    return Scan(
        name="scan_a",
        voxels=voxels,
        affine=np.diag([-1.0, -1, 1, 1]) @ affine_lps,
        slice_numbers=np.array(numbers),
        slice_names=tuple(f"slice_{number:04d}" for number in numbers),
        kind="dicom",
        files=tuple(dict.fromkeys(frame.path for frame in described.frames)),
        series=described,
    )


def scan_of(headers):
    """A Scan of single files that were read whole, sorted along their normal; its voxels are left empty."""
    first = headers[0]
    frames = tuple(
        Frame(
            path=Path(ds.filename),
            index=0,
            sop_class_uid=ds.SOPClassUID,
            sop_instance_uid=ds.SOPInstanceUID,
            position=tuple(map(float, ds.ImagePositionPatient)),
            orientation=tuple(map(float, ds.ImageOrientationPatient)),
            spacing_mm=tuple(map(float, ds.PixelSpacing)),
            size=(ds.Rows, ds.Columns),
        )
        for ds in headers
    )
    uids = first.SeriesInstanceUID, first.StudyInstanceUID, first.FrameOfReferenceUID
    series = Series(*uids, first.Modality, "", tuple(first.ImageType), frames)
    step = np.subtract(frames[1].position, frames[0].position)
    affine_lps = np.eye(4)
    affine_lps[:3, 0] = np.multiply(frames[0].orientation[3:], frames[0].spacing_mm[0])
    affine_lps[:3, 1] = np.multiply(frames[0].orientation[:3], frames[0].spacing_mm[1])
    affine_lps[:3, 2], affine_lps[:3, 3] = step, frames[0].position
    names = tuple(f"slice_{d:04d}" for d in range(len(frames)))
    shape, files = (*frames[0].size, len(frames)), tuple(frame.path for frame in frames)
    affine = np.diag([-1.0, -1, 1, 1]) @ affine_lps
    return Scan("real", np.zeros(shape, np.uint16), affine, np.arange(len(frames)), names, "dicom", files, series)


def _normal(orientation):
    return np.cross(orientation[:3], orientation[3:])


def _frames(folder, numbers, orientation, size):
    origin = np.array([-100.5, -80.25, 40.0])
    return tuple(
        Frame(
            path=folder / f"{number:04d}.dcm",
            index=0,
            sop_class_uid=MRImageStorage,
            sop_instance_uid=generate_uid(prefix=None),
            position=tuple(float(x) for x in origin + _normal(orientation) * STEP_MM * number),
            orientation=orientation,
            spacing_mm=SPACING_MM,
            size=size,
            thickness_mm=2.5,
        )
        for number in numbers
    )


def _header(series):
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.ImageType = list(series.image_type)
    ds.PatientName, ds.PatientID, ds.PatientBirthDate, ds.PatientSex = PATIENT, "ID-4711", "19700102", "F"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = series.study_uid, series.uid
    ds.FrameOfReferenceUID, ds.PositionReferenceIndicator = series.frame_of_reference_uid, ""
    ds.StudyDate, ds.StudyTime, ds.StudyID, ds.AccessionNumber = "20240102", "101112", "1", ""
    ds.ReferringPhysicianName, ds.Modality, ds.Manufacturer = "", "MR", "Drawn"
    ds.SeriesNumber, ds.InstanceNumber, ds.PatientPosition = 7, 1, "HFS"
    ds.ContentDate, ds.ContentTime = "20240102", "101112"
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PixelRepresentation = 1, "MONOCHROME2", 0
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 16, 16, 15
    ds.Rows, ds.Columns = series.frames[0].size
    return ds


def _save(ds, path, header):
    for keyword, value in header.items():
        setattr(ds, keyword, value)
    ds.file_meta.MediaStorageSOPClassUID, ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPClassUID, ds.SOPInstanceUID
    ds.save_as(path, enforce_file_format=True)


def _write_single(series, d, voxels, header, *, jpeg):
    frame, ds = series.frames[d], _header(series)
    ds.SOPClassUID, ds.SOPInstanceUID, ds.InstanceNumber = frame.sop_class_uid, frame.sop_instance_uid, d + 1
    ds.ScanningSequence, ds.SequenceVariant, ds.ScanOptions, ds.MRAcquisitionType = "GR", "NONE", "", "2D"
    ds.RepetitionTime, ds.EchoTime, ds.EchoTrainLength = 5, 2, 1
    ds.SliceThickness, ds.PixelSpacing = 2.5, list(frame.spacing_mm)
    ds.ImagePositionPatient, ds.ImageOrientationPatient = list(frame.position), list(frame.orientation)
    ds.PixelData = voxels.tobytes()
    if jpeg:  # nothing that a decoder would accept: the writer must not look
        ds.file_meta.TransferSyntaxUID = JPEGLosslessSV1
        ds.PixelData = encapsulate([b"\0\0"])
        ds["PixelData"].VR = "OB"
    _save(ds, frame.path, header)


def _write_enhanced(series, voxels, header):
    """One Enhanced file whose frames lie from the last slice to the first, each with an orientation of its own."""
    count, uid, path = len(series.frames), generate_uid(prefix=None), series.frames[0].path.with_name("enhanced.dcm")
    ds = _header(series)
    ds.SOPClassUID, ds.SOPInstanceUID, ds.NumberOfFrames = EnhancedMRImageStorage, uid, count
    measures = Dataset()
    measures.PixelSpacing, measures.SliceThickness = list(SPACING_MM), 2.5
    ds.SharedFunctionalGroupsSequence = [Dataset()]
    ds.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence = [measures]
    groups = []
    for frame in reversed(series.frames):
        position, orientation, group = Dataset(), Dataset(), Dataset()
        position.ImagePositionPatient = list(frame.position)
        orientation.ImageOrientationPatient = list(frame.orientation)
        group.PlanePositionSequence, group.PlaneOrientationSequence = [position], [orientation]
        groups.append(group)
    ds.PerFrameFunctionalGroupsSequence = groups
    ds.PixelData = np.moveaxis(voxels[..., ::-1], 2, 0).tobytes()
    _save(ds, path, header)
    frames = tuple(
        frame._replace(
            path=path,
            index=count - 1 - d,
            frames_in_file=count,
            sop_class_uid=EnhancedMRImageStorage,
            sop_instance_uid=uid,
        )
        for d, frame in enumerate(series.frames)
    )
    return replace(series, frames=frames)
