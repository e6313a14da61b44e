"""Masks as a DICOM RT Structure Set on the series they were made from: closed planar contours, LPS millimetres.

Holes: each filled part is one CLOSED_PLANAR contour, and a hole in it is joined to the outline by a path there and
back, the "keyhole" that the standard gives this type. Inner contours of their own would need CLOSEDPLANAR_XOR, which
is younger and which some readers skip; as plain CLOSED_PLANAR some readers fill them (dcmrtstruct2nii before version 3
and platipy before mid 2024 did). Keyholes come out right in readers that join contours by exclusive or (rt-utils, the
younger dcmrtstruct2nii and platipy), by union, and by overwriting alike.

An organ without voxels gets no ROI, since some systems refuse one without contours; StructureSetDescription says what
was not found. Where nothing was found all ROIs stand there without contours, because a structure set without any is
not valid.
Standard: https://dicom.nema.org/medical/dicom/current/output/chtml/part03/sect_C.8.8.6.html and section C.8.8.6.3.
"""

from datetime import datetime, tzinfo
from pathlib import Path

import numpy as np
from pydicom import Dataset, dcmread
from pydicom.dataelem import RawDataElement
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.tag import Tag
from pydicom.uid import ImplicitVRLittleEndian, RTStructureSetStorage, generate_uid

from monai_gi.atomic_file import write_atomically
from monai_gi.dicom.contours import Polygon, mask_to_polygons
from monai_gi.dicom.headers import long_string, text
from monai_gi.dicom.series import Frame, Series
from monai_gi.errors import DataError
from monai_gi.labels import ORGANS, Organ
from monai_gi.provenance import DRAFT_LABELS, INTENDED_USE, MANUFACTURER, Provenance
from monai_gi.scan import Scan

# The retired class that PS3.3 C.8.8.5 has had for referenced studies since the first structure sets; systems expect it.
_DETACHED_STUDY_MANAGEMENT = "1.2.840.10008.3.1.2.3.1"
_FROM_SERIES = (
    *("SpecificCharacterSet", "TimezoneOffsetFromUTC"),
    *("PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientSex", "PatientIdentityRemoved"),
    *("DeidentificationMethod", "DeidentificationMethodCodeSequence", "PatientAge", "PatientSize", "PatientWeight"),
    *("StudyInstanceUID", "StudyDate", "StudyTime", "StudyID", "StudyDescription", "AccessionNumber"),
    *("ReferringPhysicianName", "FrameOfReferenceUID", "PositionReferenceIndicator"),
)
# Type 2 attributes: present even where the series has none.
_NEVER_ABSENT = (
    *("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyID"),
    *("AccessionNumber", "ReferringPhysicianName", "PositionReferenceIndicator"),
)
_CONTOUR_DATA = Tag("ContourData")
_POINT = "%.4f\\%.4f\\%.4f"  # a tenth of a micrometre; at most 16 characters each, as DS demands
_LARGEST_MM = 1e9
_SERIES_NUMBER_OFFSET = 100_000


def write_rtstruct(path: str | Path, scan: Scan, masks: np.ndarray, provenance: Provenance) -> Path:
    """Write masks as the contours of a structure set; every organ with voxels is an ROI.

    Args:
        path: the file; missing folders are made, a file of that name is replaced.
        scan: read from a DICOM series, whose frames are slices in this order.
        masks: (C, H, W, D) bool, channel c is ORGANS[c]. Contours run along the voxel boundary (0.36 pixels at most
            from it, see `monai_gi.dicom.contours`), at each frame's own position.
        provenance: stands in the descriptions; the contours are marked automatic and unapproved.

    Returns:
        The path.

    Raises:
        DataError: the scan is no DICOM series, or a series without a frame of reference.
        ValueError: the masks are not bool or not of the scan's shape.

    Source: DICOM PS3.3 A.19, C.8.8.5 (structure set), C.8.8.6 (contours), C.8.8.8 (observations).
    """
    series = scan.require_series("an RTSTRUCT")
    scan.require_masks(masks)
    filled = [channel for channel in range(len(ORGANS)) if masks[channel].any()]
    present = filled or range(len(ORGANS))
    dataset = _described(series, provenance, [organ.name for c, organ in enumerate(ORGANS) if c not in filled])
    dataset.ReferencedFrameOfReferenceSequence = [_frame_of_reference(series)]
    dataset.StructureSetROISequence = [_roi(ORGANS[c], series, provenance) for c in present]
    images = _image_references(series)
    dataset.ROIContourSequence = [_contours_of(ORGANS[c], masks[c], series, images) for c in present]
    dataset.RTROIObservationsSequence = [_observation(ORGANS[c]) for c in present]
    write_atomically(path, lambda file: dataset.save_as(file, enforce_file_format=True))
    return Path(path)


def _described(series: Series, provenance: Provenance, absent: list[str]) -> FileDataset:
    """Everything that is not a contour: patient and study of the series, what made it, what it is for."""
    source = dcmread(series.frames[0].path, stop_before_pixels=True, specific_tags=list(_FROM_SERIES), force=True)
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = RTStructureSetStorage, generate_uid(prefix=None)
    # Explicit VR holds at most 65534 bytes of contour data.
    meta.TransferSyntaxUID = ImplicitVRLittleEndian
    dataset = FileDataset("", {}, preamble=bytes(128), file_meta=meta)
    for keyword in _NEVER_ABSENT:
        setattr(dataset, keyword, None)
    for keyword in _FROM_SERIES:
        if source.get(keyword):  # some scanners write an empty character set, which is none
            dataset[keyword] = source[keyword]
    made_by = f"{provenance.bundle_name} {provenance.bundle_version}"
    now = datetime.now(_zone(text(source, "TimezoneOffsetFromUTC")))
    date, time = now.strftime("%Y%m%d"), now.strftime("%H%M%S")
    dataset.SOPClassUID, dataset.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    dataset.Modality, dataset.SeriesInstanceUID = "RTSTRUCT", generate_uid(prefix=None)
    dataset.SeriesNumber = series.number_behind(_SERIES_NUMBER_OFFSET)
    dataset.SeriesDescription = long_string(f"Automatic, unapproved: {made_by}")
    dataset.OperatorsName = None
    dataset.Manufacturer, dataset.ManufacturerModelName = MANUFACTURER, long_string(made_by)
    dataset.SoftwareVersions = long_string(f"monai_gi {provenance.software_version}")
    dataset.InstanceCreationDate, dataset.InstanceCreationTime = date, time
    dataset.StructureSetDate, dataset.StructureSetTime = date, time
    dataset.StructureSetLabel = DRAFT_LABELS["RTSTRUCT"]
    dataset.StructureSetName = long_string(made_by)
    dataset.StructureSetDescription = _description(provenance, absent)
    dataset.ApprovalStatus = "UNAPPROVED"
    return dataset


def _zone(offset: str) -> tzinfo | None:
    """The time zone of "+0130", in which all times of the file are; None, the local one, where the series has none."""
    try:
        return datetime.strptime(offset, "%z").tzinfo
    except ValueError:
        return None


def _description(provenance: Provenance, absent: list[str]) -> str:
    """At most 1024 characters, as VR ST has them: what others wrote is cut to 64 each."""
    made_by = {name: long_string(str(value)) for name, value in provenance._asdict().items()}
    by = "Bundle {bundle_name} {bundle_version}, monai_gi {software_version}, weights SHA-256 {weights_sha256}"
    of = " of {weights_file}." if provenance.weights_file else "."
    lines = [INTENDED_USE, (by + of).format(**made_by)]
    if absent:
        lines.append(f"Nothing found of: {', '.join(absent)}.")
    return " ".join(lines)


def _frame_of_reference(series: Series) -> Dataset:
    """Refer to the study, the series and each of its files once."""
    files = {frame.sop_instance_uid: frame.sop_class_uid for frame in series.frames}
    referenced_series = Dataset()
    referenced_series.SeriesInstanceUID = series.uid
    referenced_series.ContourImageSequence = [_sop_reference(kind, uid) for uid, kind in files.items()]
    study = _sop_reference(_DETACHED_STUDY_MANAGEMENT, series.study_uid)
    study.RTReferencedSeriesSequence = [referenced_series]
    reference = Dataset()
    reference.FrameOfReferenceUID = series.frame_of_reference_uid
    reference.RTReferencedStudySequence = [study]
    return reference


def _image_references(series: Series) -> list[Dataset]:
    """One item a slice; a frame of a file of several carries its number, from 1."""
    references = []
    for frame in series.frames:
        reference = _sop_reference(frame.sop_class_uid, frame.sop_instance_uid)
        if frame.frames_in_file > 1:
            reference.ReferencedFrameNumber = frame.index + 1
        references.append(reference)
    return references


def _sop_reference(class_uid: str, instance_uid: str) -> Dataset:
    reference = Dataset()
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = class_uid, instance_uid
    return reference


def _roi(organ: Organ, series: Series, provenance: Provenance) -> Dataset:
    roi = Dataset()
    roi.ROINumber = organ.index
    roi.ReferencedFrameOfReferenceUID = series.frame_of_reference_uid
    roi.ROIName = organ.name
    roi.ROIGenerationAlgorithm = "AUTOMATIC"
    made_by = f"monai_gi {provenance.bundle_name} {provenance.bundle_version}"
    roi.ROIGenerationDescription = long_string(f"{made_by} {provenance.weights_sha256[:12]}")
    return roi


def _observation(organ: Organ) -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = organ.snomed_code, "SCT", organ.snomed_meaning
    observation = Dataset()
    observation.ObservationNumber = observation.ReferencedROINumber = organ.index
    observation.ROIObservationLabel = organ.name
    observation.ROIObservationDescription = "Automatic, unapproved"
    observation.RTROIIdentificationCodeSequence = [code]
    observation.RTROIInterpretedType = "ORGAN"
    observation.ROIInterpreter = None
    return observation


def _contours_of(organ: Organ, mask: np.ndarray, series: Series, images: list[Dataset]) -> Dataset:
    """Trace the mask (H, W, D) slice by slice."""
    slices = np.ascontiguousarray(np.moveaxis(mask, -1, 0))
    contours = [
        _contour(polygon, series.frames[d], images[d])
        for d in np.flatnonzero(slices.any(axis=(1, 2)))
        for polygon in mask_to_polygons(slices[d], bridge_holes=True)
    ]
    item = Dataset()
    item.ROIDisplayColor = list(organ.rgb)
    if contours:
        item.ContourSequence = contours
    item.ReferencedROINumber = organ.index
    return item


def _contour(polygon: Polygon, frame: Frame, image: Dataset) -> Dataset:
    contour = Dataset()
    contour.ContourImageSequence = [image]
    contour.ContourGeometricType = "CLOSED_PLANAR"
    contour.NumberOfContourPoints = len(polygon)
    text = (_POINT + f"\\{_POINT}" * (len(polygon) - 1)) % tuple(_points_lps(polygon, frame).ravel().tolist())
    data = (text + " " * (len(text) % 2)).encode()
    # As bytes, which pydicom passes on where a dataset says that it was in the file's encoding before: hundreds of
    # thousands of decimal strings as objects would take seconds.
    contour.set_original_encoding(is_implicit_vr=True, is_little_endian=True, character_encoding="iso8859")
    contour[_CONTOUR_DATA] = RawDataElement(_CONTOUR_DATA, "DS", len(data), data, 0, True, True)
    return contour


def _points_lps(polygon: Polygon, frame: Frame) -> np.ndarray:
    """Map (row, column) to LPS mm (N, 3). Source: DICOM PS3.3 C.7.6.2.1.1."""
    along_row, along_column = np.reshape(frame.orientation, (2, 3))
    steps = np.stack([along_column * frame.spacing_mm[0], along_row * frame.spacing_mm[1]])
    points = frame.position + polygon @ steps
    if not np.abs(points).max() < _LARGEST_MM:
        raise DataError(frame.path, f"lies at {frame.position} mm; no scanner is that large. Is the position damaged?")
    return points
