"""DICOM SEG of drawn masks, read back with highdicom and pydicom and judged by dciodvfy."""

import math
import shutil
import subprocess
import sys
from dataclasses import replace

import highdicom
import numpy as np
import pytest
from pydicom import dcmread

from monai_gi.errors import DataError
from monai_gi.labels import ORGANS
from monai_gi.provenance import INTENDED_USE, Provenance
from monai_gi.writers.dicom_seg import write_dicom_seg
from tests.drawn_seg_sources import (
    AXIAL,
    OBLIQUE,
    PATIENT,
    SAGITTAL,
    SPACING_MM,
    STEP_MM,
    draw_masks,
    scan_of,
    write_scan,
)

MADE_BY = Provenance("segformer", "0.1.0", "5a" * 32, "0.9.9", "models/model.ts")
LARGE, SMALL, STOMACH = 1, 2, 3


def write(tmp_path, masks=None, made_by=MADE_BY, **drawn):
    scan = write_scan(tmp_path / "series", **drawn)
    masks = draw_masks(len(scan.slice_numbers)) if masks is None else masks
    return scan, masks, write_dicom_seg(tmp_path / "out" / "seg.dcm", scan, masks, made_by)


def read_masks(path, scan):
    """(C, H, W, D) as highdicom finds them by the source's UIDs, or by its frame numbers."""
    segmentation = highdicom.seg.segread(path)
    frames = scan.series.frames
    options = {"combine_segments": False, "assert_missing_frames_are_empty": True}
    if len(scan.files) == 1:
        numbers = [frame.index + 1 for frame in frames]
        voxels = segmentation.get_pixels_by_source_frame(frames[0].sop_instance_uid, numbers, **options)
    else:
        voxels = segmentation.get_pixels_by_source_instance([frame.sop_instance_uid for frame in frames], **options)
    return voxels.transpose(3, 1, 2, 0)


def errors_of(path):
    said = subprocess.run(["dciodvfy", path], capture_output=True, text=True).stderr
    assert "Segmentation" in said.splitlines()  # the kind that it judged
    return [line for line in said.splitlines() if line.startswith("Error")]


@pytest.mark.parametrize(
    "drawn",
    [
        {},
        {"orientation": SAGITTAL},
        {"orientation": OBLIQUE},
        {"numbers": (0, 1, 3, 4, 8)},
        {"enhanced": True},
        {"enhanced": True, "orientation": OBLIQUE},
        {"jpeg": True},
        {"size": (21, 31)},  # not a multiple of 8 pixels
    ],
    ids=["axial", "sagittal", "oblique", "gaps", "enhanced", "enhanced oblique", "compressed", "odd size"],
)
def test_masks_come_back_bit_for_bit(tmp_path, drawn):
    masks = draw_masks(len(drawn.get("numbers", range(5))), drawn.get("size", (20, 30)))
    scan, masks, path = write(tmp_path, masks, **drawn)
    assert (masks[0] & masks[1]).any()
    assert np.array_equal(read_masks(path, scan), masks)


@pytest.mark.parametrize("orientation", [AXIAL, SAGITTAL, OBLIQUE])
@pytest.mark.parametrize("enhanced", [False, True])
def test_frames_lie_where_the_source_lies(tmp_path, orientation, enhanced):
    scan, masks, path = write(tmp_path, orientation=orientation, enhanced=enhanced)
    seg = dcmread(path)
    shared = seg.SharedFunctionalGroupsSequence[0]
    assert shared.PlaneOrientationSequence[0].ImageOrientationPatient == list(orientation)
    assert shared.PixelMeasuresSequence[0].PixelSpacing == list(SPACING_MM)
    assert float(shared.PixelMeasuresSequence[0].SpacingBetweenSlices) == STEP_MM
    assert float(shared.PixelMeasuresSequence[0].SliceThickness) == 2.5
    assert seg.FrameOfReferenceUID == scan.series.frame_of_reference_uid
    for group, pixels in zip(seg.PerFrameFunctionalGroupsSequence, seg.pixel_array, strict=True):
        position = [float(x) for x in group.PlanePositionSequence[0].ImagePositionPatient]
        d = [frame.position for frame in scan.series.frames].index(tuple(position))
        number = group.SegmentIdentificationSequence[0].ReferencedSegmentNumber
        assert np.array_equal(pixels, masks[number - 1, ..., d])
        source = group.DerivationImageSequence[0].SourceImageSequence[0]
        assert source.ReferencedSOPInstanceUID == scan.series.frames[d].sop_instance_uid
        assert source.ReferencedSOPClassUID == scan.series.frames[d].sop_class_uid
        assert source.get("ReferencedFrameNumber") == (5 - d if enhanced else None)


@pytest.mark.parametrize("enhanced", [False, True])
def test_every_source_file_is_referred_to_once(tmp_path, enhanced):
    scan, _, path = write(tmp_path, enhanced=enhanced)
    seg = dcmread(path)
    uids = list(dict.fromkeys(frame.sop_instance_uid for frame in scan.series.frames))
    assert seg.ReferencedSeriesSequence[0].SeriesInstanceUID == scan.series.uid
    assert [x.ReferencedSOPInstanceUID for x in seg.ReferencedSeriesSequence[0].ReferencedInstanceSequence] == uids
    assert [x.ReferencedSOPInstanceUID for x in seg.SourceImageSequence] == uids


def test_segments_say_what_they_are_and_what_made_them(tmp_path):
    _, _, path = write(tmp_path)
    seg = highdicom.seg.segread(path)
    assert seg.SegmentationType == "BINARY"
    assert seg.SegmentsOverlap == "YES"
    codes = {"large_bowel": "14742008", "small_bowel": "30315005", "stomach": "69695003"}
    for number, organ in enumerate(ORGANS, start=1):
        segment = seg.get_segment_description(number)
        assert segment.segment_label == organ.name
        assert segment.segmented_property_type.value == codes[organ.name]
        assert segment.segmented_property_type.scheme_designator == "SCT"
        assert segment.segmented_property_category.meaning == "Anatomical Structure"
        assert segment.algorithm_type.value == "AUTOMATIC"
        algorithm = segment.algorithm_identification
        assert (algorithm.name, algorithm.version) == ("segformer", "0.1.0")
        assert algorithm.parameters == {"weights_sha256": "5a" * 32, "weights_file": "models/model.ts"}
        assert algorithm.source == "monai_gi 0.9.9"
        colour = highdicom.color.CIELabColor.from_dicom_value(segment.RecommendedDisplayCIELabValue)
        assert np.allclose(colour.to_rgb(), organ.rgb, atol=2)
        assert segment.SegmentDescription == INTENDED_USE


def test_object_says_that_it_is_automatic_and_unapproved(tmp_path):
    seg = dcmread(write(tmp_path)[2])
    assert seg.SeriesDescription == "Automatic, unapproved: segformer 0.1.0"
    assert seg.ContentDescription == "Automatic, unapproved. Research use only, not a medical device."
    assert seg.ContentLabel == "GI_ORGANS_AUTO"


def test_patient_and_study_are_those_of_the_series_and_the_series_is_new(tmp_path):
    scan, _, path = write(tmp_path)
    seg = dcmread(path)
    assert (seg.PatientName, seg.PatientID, seg.PatientBirthDate, seg.PatientSex) == (
        PATIENT,
        "ID-4711",
        "19700102",
        "F",
    )
    assert (seg.StudyInstanceUID, seg.StudyDate, seg.StudyTime) == (scan.series.study_uid, "20240102", "101112")
    assert seg.SeriesInstanceUID != scan.series.uid
    assert seg.SeriesNumber == 1007


def test_odd_patients_pass_without_a_word(tmp_path, caplog):
    odd = {"PatientName": "M\u00fcller", "PatientSex": "W", "StudyTime": ""}
    _, _, path = write(tmp_path, **odd)
    seg = dcmread(path)
    assert str(seg.PatientName) == "M\u00fcller"
    assert (seg.PatientSex, seg.StudyTime) == ("W", "")
    assert caplog.text == ""


@pytest.mark.parametrize("number", [None, -3, 2**31 - 1])
def test_series_number_and_thickness_that_give_nothing_are_replaced(tmp_path, number):
    scan = write_scan(tmp_path)
    frames = tuple(frame._replace(thickness_mm=math.nan) for frame in scan.series.frames)
    scan = replace(scan, series=replace(scan.series, number=number, frames=frames))
    seg = dcmread(write_dicom_seg(tmp_path / "seg.dcm", scan, draw_masks(5), MADE_BY))
    assert seg.SeriesNumber == 1000
    assert seg.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].SliceThickness == STEP_MM


def test_source_of_an_unknown_class_is_written(tmp_path):
    scan, masks, path = write(tmp_path, SOPClassUID="1.2.3.4.5")
    assert np.array_equal(read_masks(path, scan), masks)
    assert dcmread(path).PatientID == "ID-4711"


def test_lossy_compression_of_the_source_is_told(tmp_path):
    lossy = {
        "LossyImageCompression": "01",
        "LossyImageCompressionRatio": 9.5,
        "LossyImageCompressionMethod": "ISO_10918_1",
    }
    seg = dcmread(write(tmp_path / "lossy", **lossy)[2])
    assert (seg.LossyImageCompression, seg.LossyImageCompressionRatio) == ("01", 9.5)
    assert dcmread(write(tmp_path / "exact")[2]).LossyImageCompression == "00"


def test_empty_organ_is_described_and_has_no_frames(tmp_path):
    seg = dcmread(write(tmp_path)[2])
    numbers = [g.SegmentIdentificationSequence[0].ReferencedSegmentNumber for g in seg.PerFrameFunctionalGroupsSequence]
    assert [numbers.count(k) for k in (LARGE, SMALL, STOMACH)] == [3, 2, 0]
    assert [segment.SegmentLabel for segment in seg.SegmentSequence] == ["large_bowel", "small_bowel", "stomach"]


def test_scan_without_any_organ_gets_empty_frames(tmp_path, caplog):
    scan, masks, path = write(tmp_path, np.zeros((3, 20, 30, 5), dtype=bool))
    assert dcmread(path).NumberOfFrames == 15
    assert np.array_equal(read_masks(path, scan), masks)
    assert caplog.text == ""


def test_names_longer_than_dicom_allows_are_cut(tmp_path):
    seg = dcmread(write(tmp_path, made_by=MADE_BY._replace(bundle_name="n\\" + "a" * 80))[2])
    assert seg.SegmentSequence[0].SegmentAlgorithmName == "n_" + "a" * 62
    assert len(seg.SeriesDescription) == 64


@pytest.mark.skipif(not shutil.which("dciodvfy"), reason="dciodvfy is absent: Debian's package dicom3tools has it")
@pytest.mark.parametrize(
    "drawn",
    [{}, {"enhanced": True}, {"numbers": (0, 1, 3, 4)}, {"orientation": OBLIQUE}, {"numbers": (0,), "masks": "none"}],
    ids=["single", "enhanced", "gaps", "oblique", "one empty slice"],
)
def test_dciodvfy_finds_no_error(tmp_path, drawn):
    masks = np.zeros((3, 20, 30, 1), dtype=bool) if drawn.pop("masks", None) else None
    path = write(tmp_path, masks, **drawn)[2]
    assert errors_of(path) == []


def test_numbers_longer_than_dicom_allows_are_rounded(tmp_path):
    scan = write_scan(tmp_path)
    frames = tuple(
        f._replace(position=(1 / 3 - 100, 2 / 3 * 1e-7, 3.1 / 3 * d)) for d, f in enumerate(scan.series.frames)
    )
    affine = scan.affine.copy()
    affine[:3, 2] = 0, 0, 3.1 / 3
    scan = replace(scan, affine=affine, series=replace(scan.series, frames=frames))
    seg = dcmread(write_dicom_seg(tmp_path / "seg.dcm", scan, draw_masks(5), MADE_BY))
    found = [g.PlanePositionSequence[0].ImagePositionPatient for g in seg.PerFrameFunctionalGroupsSequence]
    assert np.abs(np.subtract(found[0], [frame.position for frame in frames])).max(axis=1).min() < 1e-9
    spacing = seg.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].SpacingBetweenSlices
    assert abs(spacing - 3.1 / 3) < 1e-9


def test_only_the_first_source_is_opened(tmp_path):
    scan = write_scan(tmp_path / "series")
    for file in scan.files[1:]:
        file.unlink()
    assert write_dicom_seg(tmp_path / "seg.dcm", scan, draw_masks(5), MADE_BY).is_file()


def test_scan_that_is_not_dicom_is_refused(tmp_path):
    scan = write_scan(tmp_path)
    other = replace(scan, series=None, kind="nifti")
    with pytest.raises(DataError, match="a nifti scan; a DICOM SEG wants a DICOM series"):
        write_dicom_seg(tmp_path / "seg.dcm", other, draw_masks(5), MADE_BY)


def test_series_without_frame_of_reference_is_refused(tmp_path):
    scan = write_scan(tmp_path)
    series = replace(scan.series, frame_of_reference_uid="")
    with pytest.raises(DataError, match="no FrameOfReferenceUID in the series, which a DICOM SEG must share"):
        write_dicom_seg(tmp_path / "seg.dcm", replace(scan, series=series), draw_masks(5), MADE_BY)


@pytest.mark.parametrize("masks", [draw_masks(4), draw_masks(5).astype(np.uint8), draw_masks(5)[:2]])
def test_masks_that_do_not_fit_are_refused(tmp_path, masks):
    with pytest.raises(ValueError, match=r"masks: .* of shape .*, wanted bool \(3, 20, 30, 5\)"):
        write_dicom_seg(tmp_path / "seg.dcm", write_scan(tmp_path), masks, MADE_BY)
    assert not (tmp_path / "seg.dcm").exists()


def test_missing_highdicom_names_the_extra(tmp_path, monkeypatch):
    scan = write_scan(tmp_path)
    monkeypatch.setitem(sys.modules, "highdicom", None)
    with pytest.raises(DataError, match=r"highdicom is not installed: pip install monai_gi\[dicom\]"):
        write_dicom_seg(tmp_path / "seg.dcm", scan, draw_masks(5), MADE_BY)


def test_real_series_gets_its_segmentation(real_data, tmp_path):
    files = sorted((real_data / "dicom_seg_ct_liver" / "ct-3slice").glob("*.dcm"))
    headers = sorted((dcmread(file) for file in files), key=lambda ds: ds.ImagePositionPatient[2])
    scan = scan_of(headers)
    masks = np.random.default_rng(0).random((3, *scan.voxels.shape)) < 0.3
    write_dicom_seg(tmp_path / "seg.dcm", scan, masks, MADE_BY)
    assert np.array_equal(read_masks(tmp_path / "seg.dcm", scan), masks)
    assert dcmread(tmp_path / "seg.dcm").PatientID == headers[0].PatientID
    if shutil.which("dciodvfy"):
        assert errors_of(tmp_path / "seg.dcm") == []
