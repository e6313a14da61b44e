"""The Enhanced MR image of a drawn series: all slices in one file, their places in functional groups (LPS mm).

Its ImageType is DERIVED, as no scanner measured it; the groups that only an original needs are left out.
Source: DICOM PS3.3 A.36 (Enhanced MR) and C.7.6.16 (multi-frame functional groups).
"""

from collections.abc import Sequence

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items
from pydicom.sr.codedict import codes

from monai_gi.datasets.phantom.dicom_headers import DATE, TIME, Header, decimals, drawn_uid, plane_of

IMAGE_TYPE = ("DERIVED", "PRIMARY", "OTHER", "NONE")


def add_multi_frame(ds: Dataset, header: Header, affine_lps: np.ndarray, slice_numbers: Sequence[float]) -> None:
    """Make an Enhanced MR image of a started file.

    Args:
        ds: changed in place.
        header: of the series.
        affine_lps: (4, 4) from (row, column, slice number) to mm.
        slice_numbers: of each frame, in the order of the file.
    """
    ds.NumberOfFrames = len(slice_numbers)
    _describe(ds)
    ds.AcquisitionContextSequence = Items()
    organization = drawn_uid(header.series_uid, "dimensions")
    ds.DimensionOrganizationSequence = Items([_item(DimensionOrganizationUID=organization)])
    ds.DimensionIndexSequence = Items(
        _item(DimensionOrganizationUID=organization, DimensionIndexPointer=tag, FunctionalGroupPointer=0x00209111)
        for tag in (0x00209056, 0x00209057)
    )
    ds.SharedFunctionalGroupsSequence = Items([_shared(header, affine_lps)])
    places = np.argsort(np.argsort(slice_numbers, kind="stable"), kind="stable") + 1
    ds.PerFrameFunctionalGroupsSequence = Items(
        _frame(affine_lps, number, int(place)) for number, place in zip(slice_numbers, places, strict=True)
    )


def _describe(ds: Dataset) -> None:
    """The Enhanced MR Image module's own attributes."""
    ds.PixelPresentation, ds.VolumetricProperties, ds.VolumeBasedCalculationTechnique = "MONOCHROME", "VOLUME", "NONE"
    ds.ComplexImageComponent, ds.AcquisitionContrast = "MAGNITUDE", "UNKNOWN"
    ds.ContentQualification, ds.BurnedInAnnotation, ds.LossyImageCompression = "RESEARCH", "NO", "00"
    ds.PresentationLUTShape = "IDENTITY"
    # dciodvfy wants it though the standard asks it of originals only.
    ds.ApplicableSafetyStandardAgency = "NONE"
    ds.AcquisitionDateTime = DATE + TIME
    del ds.AcquisitionDate, ds.AcquisitionTime


def _shared(header: Header, affine_lps: np.ndarray) -> Dataset:
    """What is the same for every frame."""
    _, orientation, spacing = plane_of(affine_lps, 0)
    step = float(np.linalg.norm(affine_lps[:3, 2]))
    group = Dataset()
    thickness = decimals([0.8 * step])[0]
    group.PixelMeasuresSequence = _items(PixelSpacing=decimals(spacing), SliceThickness=thickness)
    group.PlaneOrientationSequence = _items(ImageOrientationPatient=decimals(orientation))
    region = codes.SCT.Abdomen
    code = _items(CodeValue=region.value, CodingSchemeDesignator="SCT", CodeMeaning=region.meaning)
    group.FrameAnatomySequence = _items(FrameLaterality="U", AnatomicRegionSequence=code)
    slope, intercept = decimals([header.slope, header.intercept])
    group.PixelValueTransformationSequence = _items(RescaleIntercept=intercept, RescaleSlope=slope, RescaleType="US")
    group.MRImageFrameTypeSequence = _items(
        FrameType=list(header.image_type),
        PixelPresentation="MONOCHROME",
        VolumetricProperties="VOLUME",
        VolumeBasedCalculationTechnique="NONE",
        ComplexImageComponent="MAGNITUDE",
        AcquisitionContrast="UNKNOWN",
    )
    return group


def _frame(affine_lps: np.ndarray, slice_number: float, place: int) -> Dataset:
    """What is one frame's own: its place in the stack and in the patient."""
    group = Dataset()
    group.FrameContentSequence = _items(StackID="1", InStackPositionNumber=place, DimensionIndexValues=[1, place])
    group.PlanePositionSequence = _items(ImagePositionPatient=decimals(plane_of(affine_lps, slice_number)[0]))
    return group


def _item(**attributes: object) -> Dataset:
    ds = Dataset()
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return ds


def _items(**attributes: object) -> Items:
    """A sequence of one item."""
    return Items([_item(**attributes)])
