"""Headers of drawn DICOM series: what every file has, and what MR and CT single-frame files have besides.

Everything that could be a patient's is plainly invented: "PHANTOM^DRAWN^1". Millimetres are LPS.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, EnhancedMRImageStorage, ExplicitVRLittleEndian, MRImageStorage, generate_uid
from pydicom.valuerep import format_number_as_ds

from monai_gi import __version__
from monai_gi.provenance import INTENDED_USE

DATE, TIME = "20010101", "120000"
SOP_CLASSES = {"MR": MRImageStorage, "CT": CTImageStorage}
IMAGE_TYPES = {"MR": ("ORIGINAL", "PRIMARY", "OTHER"), "CT": ("ORIGINAL", "PRIMARY", "AXIAL")}


@dataclass(frozen=True)
class Header:
    """What the files of a series share.

    Attributes:
        modality: "MR" or "CT".
        multi_frame: all slices in one Enhanced MR file.
        patient: number of the invented patient, from 1: "PHANTOM^DRAWN^1".
        patient_position: PatientPosition, such as "HFS", head first, supine.
        study_uid: StudyInstanceUID; "" for one of each seed and patient.
        series_uid: SeriesInstanceUID; "" for one of each seed, patient, header and content.
        frame_of_reference_uid: FrameOfReferenceUID; "" for one of each seed and patient.
        series_number: SeriesNumber.
        description: SeriesDescription.
        image_type: values of ImageType; none for the usual ones of the modality.
        slope: RescaleSlope; MR files of slope 1 and intercept 0 leave both out.
        intercept: RescaleIntercept.
    """

    modality: str = "MR"
    multi_frame: bool = False
    patient: int = 1
    patient_position: str = "HFS"
    study_uid: str = ""
    series_uid: str = ""
    frame_of_reference_uid: str = ""
    series_number: int = 1
    description: str = "phantom"
    image_type: tuple[str, ...] = ()
    slope: float = 1.0
    intercept: float = 0.0

    @property
    def rescaled(self) -> bool:
        """Whether stored values are not the modality's values."""
        return (self.slope, self.intercept) != (1.0, 0.0)


def drawn_uid(*sources: object) -> str:
    """A UID that depends on the sources only, each written as text."""
    return str(generate_uid(entropy_srcs=[str(source) for source in ("monai_gi phantom", *sources)]))


def decimals(values: Sequence[float] | np.ndarray) -> list[str]:
    """Numbers as DICOM's decimal strings of at most 16 characters."""
    # + 0.0 turns -0.0 into 0.0.
    return [format_number_as_ds(float(value) + 0.0) for value in values]


def start_file(header: Header, instance: int) -> Dataset:
    """The modules that every image has: patient, study, series, frame of reference, equipment, SOP common.

    Args:
        header: of the series.
        instance: InstanceNumber; decides the SOPInstanceUID.

    Returns:
        A data set with file meta information, without pixels.
    """
    ds = Dataset()
    ds.SOPClassUID = EnhancedMRImageStorage if header.multi_frame else SOP_CLASSES[header.modality]
    ds.SOPInstanceUID = drawn_uid(header.series_uid, instance)
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.PatientName = f"PHANTOM^DRAWN^{header.patient}"
    ds.PatientID = f"PHANTOM-{header.patient}"
    ds.PatientBirthDate, ds.PatientSex = "", "O"
    ds.StudyInstanceUID, ds.StudyID = header.study_uid, str(header.patient)
    ds.StudyDate = ds.SeriesDate = ds.ContentDate = ds.AcquisitionDate = DATE
    ds.StudyTime = ds.SeriesTime = ds.ContentTime = ds.AcquisitionTime = TIME
    ds.AccessionNumber, ds.ReferringPhysicianName = "", ""
    ds.StudyDescription = "Drawn phantom, no patient"
    ds.Modality = header.modality
    ds.SeriesInstanceUID, ds.SeriesNumber = header.series_uid, header.series_number
    ds.SeriesDescription = header.description
    ds.PatientPosition = header.patient_position
    ds.BodyPartExamined = "ABDOMEN"
    ds.FrameOfReferenceUID, ds.PositionReferenceIndicator = header.frame_of_reference_uid, ""
    ds.Manufacturer, ds.ManufacturerModelName = "monai_gi", "phantom"
    ds.DeviceSerialNumber, ds.SoftwareVersions = "0", __version__
    ds.ImageType = list(header.image_type)
    ds.InstanceNumber, ds.AcquisitionNumber = instance, 1
    ds.ImageComments = f"Drawn. {INTENDED_USE}"
    return ds


def add_pixel_description(ds: Dataset, size: tuple[int, int], dtype: np.dtype) -> None:
    """Size and kind of the stored pixels.

    Args:
        ds: changed in place.
        size: (rows, columns).
        dtype: uint16 or int16.
    """
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Rows, ds.Columns = size
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 16, 16, 15
    ds.PixelRepresentation = int(dtype.kind == "i")


def add_plane(ds: Dataset, affine_lps: np.ndarray, slice_number: float) -> None:
    """Where one slice lies (Image Plane module, DICOM PS3.3 C.7.6.2).

    Args:
        ds: changed in place.
        affine_lps: (4, 4) from (row, column, slice number) to mm.
        slice_number: of this slice.
    """
    position, orientation, spacing = plane_of(affine_lps, slice_number)
    ds.ImagePositionPatient, ds.ImageOrientationPatient, ds.PixelSpacing = map(
        decimals, (position, orientation, spacing)
    )
    # Thinner than the distance between slices: who takes it for the spacing is found out.
    ds.SliceThickness = decimals([0.8 * float(np.linalg.norm(affine_lps[:3, 2]))])[0]


def plane_of(affine_lps: np.ndarray, slice_number: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Position (3,) of the first pixel, orientation (6,) and spacing (2,) as the three DICOM attributes hold them."""
    # (row, column) ascend down a column and along a row; ImageOrientationPatient names the row first.
    down, along, step, origin = affine_lps[:3].T
    spacing = np.linalg.norm([down, along], axis=1)
    return origin + slice_number * step, np.concatenate([along / spacing[1], down / spacing[0]]), spacing


def add_modality(ds: Dataset, header: Header) -> None:
    """The MR or CT image module, as an imagined scanner would fill it."""
    if header.modality == "CT":
        ds.KVP, ds.GantryDetectorTilt, ds.RescaleType = "120", "0", "HU"
    else:
        ds.ScanningSequence, ds.SequenceVariant, ds.ScanOptions, ds.MRAcquisitionType = "GR", "SS", "", "3D"
        ds.RepetitionTime, ds.EchoTime, ds.EchoTrainLength, ds.FlipAngle = "3.8", "1.9", "1", "60"
        ds.MagneticFieldStrength = "0.35"
    if header.modality == "CT" or header.rescaled:
        ds.RescaleSlope, ds.RescaleIntercept = decimals([header.slope, header.intercept])
