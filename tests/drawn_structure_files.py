"""Structure sets written by hand, with every field a choice, and segmentations written by highdicom."""

import highdicom
import numpy as np
from highdicom.seg import SegmentationTypeValues
from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.sr.codedict import codes
from pydicom.uid import ImplicitVRLittleEndian, RTStructureSetStorage, generate_uid

RGB = ((213, 94, 0), (0, 158, 115), (86, 180, 233))


def write_structure_set(path, rois, *, kind="CLOSED_PLANAR", frame_of_reference="", series_uid=""):
    """Write {name: [points (N, 3), ...]} without any reference to an image; no sequence a reader could do without."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = RTStructureSetStorage
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = generate_uid()
    dataset.Modality, dataset.SeriesInstanceUID, dataset.StudyInstanceUID = "RTSTRUCT", generate_uid(), generate_uid()
    dataset.StructureSetROISequence = [_roi(number, name) for number, name in enumerate(rois, start=1)]
    dataset.ROIContourSequence = [
        _contours(number, contours, kind) for number, contours in enumerate(rois.values(), start=1)
    ]
    if frame_of_reference or series_uid:
        dataset.ReferencedFrameOfReferenceSequence = [_reference(frame_of_reference, series_uid)]
    dataset.save_as(path, enforce_file_format=True)
    return path


def _roi(number, name):
    roi = Dataset()
    roi.ROINumber, roi.ROIName = number, name
    return roi


def _contours(number, contours, kind):
    item = Dataset()
    item.ReferencedROINumber = number
    item.ContourSequence = []
    for points in contours:
        contour = Dataset()
        contour.ContourGeometricType = kind
        contour.NumberOfContourPoints = len(points)
        contour.ContourData = [f"{value:.6f}" for value in np.ravel(points)]
        item.ContourSequence.append(contour)
    return item


def _reference(frame_of_reference, series_uid):
    series, study, reference = Dataset(), Dataset(), Dataset()
    series.SeriesInstanceUID = series_uid
    study.RTReferencedSeriesSequence = [series]
    reference.FrameOfReferenceUID = frame_of_reference
    reference.RTReferencedStudySequence = [study]
    return reference


def write_segmentation(path, scan, values, kind="BINARY", names=("first", "second", "third"), **options):
    """Write values (D, H, W) of labels, or (D, H, W, segments), as highdicom does; frames without a voxel left out."""
    sources = [dcmread(frame.path) for frame in scan.series.frames]
    count = values.shape[3] if values.ndim == 4 else int(values.max())
    segmentation = highdicom.seg.Segmentation(
        source_images=sources,
        pixel_array=values,
        segmentation_type=SegmentationTypeValues[kind],
        segment_descriptions=[_segment(n, names[n - 1]) for n in range(1, count + 1)],
        series_instance_uid=generate_uid(),
        series_number=2,
        sop_instance_uid=generate_uid(),
        instance_number=1,
        manufacturer="drawn",
        manufacturer_model_name="drawn",
        software_versions="1",
        device_serial_number="1",
        **options,
    )
    segmentation.save_as(path)
    return path


def _segment(number, label):
    return highdicom.seg.SegmentDescription(
        segment_number=number,
        segment_label=label,
        segmented_property_category=codes.SCT.Organ,
        segmented_property_type=codes.SCT.Stomach,
        algorithm_type="MANUAL",
        display_color=highdicom.color.CIELabColor.from_rgb(*RGB[number - 1]),
    )
