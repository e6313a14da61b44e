"""Masks as a DICOM Segmentation (SEG): binary, one segment an organ, overlaps kept, on the frames of the series itself.

Segment c + 1 is ORGANS[c]. Frames without an organ are left out, as the standard allows: absent means empty. Without
any organ all frames are written, empty, because a Segmentation without frames is not valid.
Standard: https://dicom.nema.org/medical/dicom/current/output/chtml/part03/sect_A.51.html
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pydicom import Dataset, dcmread
from pydicom.uid import MRImageStorage, generate_uid

from monai_gi.atomic_file import write_atomically
from monai_gi.dicom.headers import long_string
from monai_gi.dicom.series import Frame, Series
from monai_gi.errors import DataError
from monai_gi.labels import ORGANS, Organ
from monai_gi.provenance import DRAFT_LABELS, INTENDED_USE, MANUFACTURER, Provenance
from monai_gi.scan import Scan

if TYPE_CHECKING:  # highdicom belongs to the extra `dicom`
    import highdicom

CONTENT_DESCRIPTION = "Automatic, unapproved. Research use only, not a medical device."
SERIES_NUMBER_OFFSET = 1000  # behind the scanner's own series in a viewer's list
_STANDIN_UID = "2.25."
_BLANK = (
    "PatientID",
    "PatientName",
    "PatientBirthDate",
    "PatientSex",
    "AccessionNumber",
    "StudyID",
    "StudyDate",
    "StudyTime",
)
_KEPT = (
    "PositionReferenceIndicator",
    "LossyImageCompression",
    "LossyImageCompressionRatio",
    "LossyImageCompressionMethod",
)


def write_dicom_seg(path: str | Path, scan: Scan, masks: np.ndarray, provenance: Provenance) -> Path:
    """Write one Segmentation that refers to every frame of the scan's series.

    Patient and study are copied from the series, also what is odd in them; the series is a new one in that study.
    Source pixels are not read, so their compression does not matter.

    Args:
        path: the file; missing folders are made.
        scan: read from DICOM: `series.frames[d]` is slice d. Missing slices stay missing.
        masks: (C, H, W, D) bool, channel c is ORGANS[c]. An empty organ is described and has no frames.
        provenance: stands in the algorithm identification of each segment.

    Returns:
        The path.

    Raises:
        DataError: the scan is no DICOM series, has no frame of reference, or highdicom is not installed.
        ValueError: masks of another shape than the scan.

    Source: DICOM PS3.3 A.51, C.8.20.2 (segments), C.7.6.16.2.6 (derivation images); PS3.16 CID 7150, 7151, 7162.
    """
    series = scan.require_series("a DICOM SEG")
    scan.require_masks(masks)
    header = dcmread(series.frames[0].path, stop_before_pixels=True, force=True)
    segmentation = _segmentation(scan, series, masks, provenance, header)
    _refer_to_frames(segmentation, series.frames)
    # As they stand, and only now: highdicom refuses odd values, and warns with the patient's name in the text.
    header.SOPClassUID = MRImageStorage  # any image has these modules, of a class that highdicom knows or not
    segmentation.copy_patient_and_study_information(header)
    if header.get("SpecificCharacterSet"):
        segmentation["SpecificCharacterSet"] = header["SpecificCharacterSet"]
    write_atomically(path, lambda file: segmentation.save_as(file, enforce_file_format=True))
    return Path(path)


def _segmentation(
    scan: Scan, series: Series, masks: np.ndarray, provenance: Provenance, header: Dataset
) -> "highdicom.seg.Segmentation":
    try:
        import highdicom
    except ImportError as error:
        raise DataError("--format dicom-seg", "highdicom is not installed: pip install monai_gi[dicom]") from error
    made_by = f"{provenance.bundle_name} {provenance.bundle_version}"
    return highdicom.seg.Segmentation(
        source_images=_standins(series, header, scan.spacing_mm[2]),
        # A view: each organ's slices lie together in memory, as highdicom takes them out again.
        pixel_array=np.ascontiguousarray(masks.transpose(0, 3, 1, 2)).transpose(1, 2, 3, 0),
        segmentation_type=highdicom.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=[_describe(number, organ, provenance) for number, organ in enumerate(ORGANS, start=1)],
        series_instance_uid=generate_uid(prefix=None),
        series_number=series.number_behind(SERIES_NUMBER_OFFSET),
        sop_instance_uid=generate_uid(prefix=None),
        instance_number=1,
        manufacturer=MANUFACTURER,
        manufacturer_model_name=long_string(made_by),
        software_versions=long_string(f"monai_gi {provenance.software_version}"),
        device_serial_number=long_string(provenance.weights_sha256),  # which network of this make it was
        omit_empty_frames=bool(masks.any()),
        content_label=DRAFT_LABELS["SEG"],
        content_description=CONTENT_DESCRIPTION,
        series_description=long_string(f"Automatic, unapproved: {made_by}"),
    )


def _standins(series: Series, header: Dataset, slice_mm: float) -> list[Dataset]:
    """One single-frame MR image a slice with what highdicom reads of it, so that one file is opened and not all.

    Slice d has the UID 2.25.d until `_refer_to_frames` puts the frame's own in its place: multi-frame sources, whose
    orientation may stand in each frame and whose frames may lie in any order, then take the same way as others.
    """
    first = series.frames[0]
    shared = Dataset()
    for keyword in _BLANK:
        setattr(shared, keyword, "")
    shared.SOPClassUID = MRImageStorage
    shared.StudyInstanceUID, shared.SeriesInstanceUID = series.study_uid, series.uid
    shared.FrameOfReferenceUID = series.frame_of_reference_uid
    shared.Modality = series.modality
    shared.Rows, shared.Columns = first.size
    shared.PixelSpacing = list(first.spacing_mm)
    shared.SliceThickness = first.thickness_mm if first.thickness_mm > 0 else slice_mm  # NaN where there is none
    shared.SpacingBetweenSlices = slice_mm
    shared.ImageOrientationPatient = list(
        first.orientation
    )  # one for all, though the files may differ in the last digit
    for keyword in _KEPT:
        if keyword in header:
            shared[keyword] = header[keyword]
    standins = []
    for d, frame in enumerate(series.frames):
        standin = Dataset(dict(shared.items()))
        standin.SOPInstanceUID = f"{_STANDIN_UID}{d}"
        standin.ImagePositionPatient = list(frame.position)
        standins.append(standin)
    return standins


def _describe(number: int, organ: Organ, provenance: Provenance) -> "highdicom.seg.SegmentDescription":
    import highdicom
    from pydicom.sr.coding import Code

    description = highdicom.seg.SegmentDescription(
        segment_number=number,
        segment_label=organ.name,
        segmented_property_category=Code("91723000", "SCT", "Anatomical Structure"),
        segmented_property_type=Code(organ.snomed_code, "SCT", organ.snomed_meaning),
        algorithm_type=highdicom.seg.SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=highdicom.AlgorithmIdentificationSequence(
            name=long_string(provenance.bundle_name),
            version=long_string(provenance.bundle_version),
            family=Code("123110", "DCM", "Artificial Intelligence"),
            source=long_string(f"monai_gi {provenance.software_version}"),
            parameters={
                "weights_sha256": provenance.weights_sha256,
                "weights_file": long_string(provenance.weights_file or "not known"),
            },
        ),
        display_color=highdicom.color.CIELabColor.from_rgb(*organ.rgb),
    )
    description.SegmentDescription = INTENDED_USE
    return description


def _refer_to_frames(segmentation: Dataset, frames: Sequence[Frame]) -> None:
    """Put the UIDs, classes and frame numbers of the series' own frames in the place of the stand-ins'."""
    instances: dict[str, Dataset] = {}
    for frame in frames:
        reference = Dataset()
        reference.ReferencedSOPClassUID = frame.sop_class_uid
        reference.ReferencedSOPInstanceUID = frame.sop_instance_uid
        instances.setdefault(frame.sop_instance_uid, reference)
    segmentation.SourceImageSequence = list(instances.values())
    segmentation.ReferencedSeriesSequence[0].ReferencedInstanceSequence = list(instances.values())
    by_standin = {f"{_STANDIN_UID}{d}": frame for d, frame in enumerate(frames)}
    for group in segmentation.PerFrameFunctionalGroupsSequence:
        source = group.DerivationImageSequence[0].SourceImageSequence[0]
        standin = source.ReferencedSOPInstanceUID
        if standin not in by_standin:
            continue  # done: highdicom gives one item to all segments of a slice
        frame = by_standin[standin]
        source.ReferencedSOPClassUID = frame.sop_class_uid
        source.ReferencedSOPInstanceUID = frame.sop_instance_uid
        if frame.frames_in_file > 1:
            source.ReferencedFrameNumber = frame.index + 1
