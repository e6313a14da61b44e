"""Structure sets read by rt-utils, filled by hand from their numbers alone, and checked by dciodvfy."""

import shutil
import subprocess
from datetime import datetime, timedelta, timezone

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.uid import ImplicitVRLittleEndian
from scipy.ndimage import label

from monai_gi.dicom.series import Series
from monai_gi.errors import DataError
from monai_gi.labels import ORGANS
from monai_gi.metrics import dice
from monai_gi.provenance import INTENDED_USE, Provenance
from monai_gi.scan import Scan
from monai_gi.writers.rtstruct import write_rtstruct
from tests.drawn_structures import SIZE, affine_of, draw_masks, draw_scan, oblique_affine
from tests.oracles import contours as oracle

PROVENANCE = Provenance("segformer", "0.1.0", "ab" * 32, "0.2.0")
MASKS = draw_masks()
X, Y, Z = np.eye(3)


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    return draw_scan(tmp_path_factory.mktemp("series"))


@pytest.fixture(scope="module")
def written(scan, tmp_path_factory):
    return dcmread(write_rtstruct(tmp_path_factory.mktemp("rtstruct") / "rtstruct.dcm", scan, MASKS, PROVENANCE))


def filled_by_hand(dataset, scan, organ):
    """Fill (H, W, D) from contour points and image headers alone."""
    headers = [dcmread(path, stop_before_pixels=True) for path in scan.files]
    slices = {frame.sop_instance_uid: d for d, frame in enumerate(scan.series.frames)}
    numbers = {roi.ROIName: roi.ROINumber for roi in dataset.StructureSetROISequence}
    (item,) = [i for i in dataset.ROIContourSequence if i.ReferencedROINumber == numbers[organ]]
    polygons = [[] for _ in slices]
    for contour in item.ContourSequence:
        uid = contour.ContourImageSequence[0].ReferencedSOPInstanceUID
        (header,) = [header for header in headers if header.SOPInstanceUID == uid]
        points = np.array(contour.ContourData, dtype=float).reshape(-1, 3) - np.array(header.ImagePositionPatient)
        along_row, along_column = np.array(header.ImageOrientationPatient, dtype=float).reshape(2, 3)
        between_rows, between_columns = map(float, header.PixelSpacing)
        assert np.abs(points @ np.cross(along_row, along_column)).max() < 1e-3
        pixels = np.stack([points @ along_column / between_rows, points @ along_row / between_columns], axis=1)
        polygons[slices[uid]].append(pixels.tolist())
    return np.stack([oracle.fill(of_slice, scan.voxels.shape[:2]) for of_slice in polygons], axis=-1)


@pytest.mark.parametrize("channel", [0, 1])
def test_contours_filled_by_hand_give_the_mask_back(written, scan, channel):
    np.testing.assert_array_equal(filled_by_hand(written, scan, ORGANS[channel].name), MASKS[channel])


@pytest.mark.parametrize(("along_row", "along_column"), [(X, Y), (-X, Y), (Y, -Z), (-Y, -Z), (X, -Z), (X, Z)], ids=str)
def test_contours_lie_on_the_voxels_in_every_orientation(tmp_path, along_row, along_column):
    scan = draw_scan(tmp_path / "series", affine=affine_of(along_row, along_column))
    dataset = dcmread(write_rtstruct(tmp_path / "rtstruct.dcm", scan, MASKS, PROVENANCE))
    np.testing.assert_array_equal(filled_by_hand(dataset, scan, "small_bowel"), MASKS[1])


def test_every_part_is_one_contour_so_that_readers_without_holes_are_right_too(written):
    for item, mask in zip(written.ROIContourSequence, MASKS, strict=False):
        assert len(item.ContourSequence) == sum(label(mask[..., d])[1] for d in range(SIZE[2]))


# rt-utils takes one pixel spacing for both axes and swaps height and width: a square image of square pixels suits it.
@pytest.mark.parametrize(
    "affine", [oblique_affine((1.5, 1.5, 3.0)), affine_of(X, -Z, (0.9, 0.9, 2.5))], ids=["oblique", "coronal"]
)
def test_rt_utils_reads_the_masks_holes_and_parts_included(tmp_path, affine):
    rt_utils = pytest.importorskip("rt_utils", reason="rt-utils (and opencv-python-headless) is not installed")
    size = (33, 33, 5)
    masks = np.zeros((3, *size), dtype=bool)
    masks[:, : SIZE[0]] = MASKS
    scan = draw_scan(tmp_path / "series", affine=affine, size=size)
    path = write_rtstruct(tmp_path / "rtstruct.dcm", scan, masks, PROVENANCE)
    read = rt_utils.RTStructBuilder.create_from(dicom_series_path=str(tmp_path / "series"), rt_struct_path=str(path))
    assert read.get_roi_names() == ["large_bowel", "small_bowel"]
    for name, mask in zip(read.get_roi_names(), masks, strict=False):
        assert dice(read.get_roi_mask_by_name(name), mask) == 1


@pytest.mark.parametrize("multi_frame", [False, True])
@pytest.mark.parametrize("filled", [False, True])
def test_dciodvfy_finds_no_error(tmp_path, multi_frame, filled):
    if not shutil.which("dciodvfy"):
        pytest.skip("dciodvfy (Debian's dicom3tools) is not installed")
    scan = draw_scan(tmp_path / "series", multi_frame=multi_frame)
    path = write_rtstruct(tmp_path / "rtstruct.dcm", scan, MASKS & filled, PROVENANCE)
    checked = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, check=False)
    assert "Error" not in checked.stderr, checked.stderr
    assert "RTStructureSet" in checked.stderr
    assert checked.returncode == 0


def test_it_lies_in_the_study_and_the_frame_of_reference_of_the_series(written, scan):
    source = dcmread(scan.files[0], stop_before_pixels=True)
    for keyword in ("PatientName", "PatientID", "PatientSex", "StudyInstanceUID", "StudyDate", "FrameOfReferenceUID"):
        assert written[keyword].value == source[keyword].value
    (reference,) = written.ReferencedFrameOfReferenceSequence
    assert reference.FrameOfReferenceUID == source.FrameOfReferenceUID
    (study,) = reference.RTReferencedStudySequence
    assert study.ReferencedSOPInstanceUID == source.StudyInstanceUID
    (series,) = study.RTReferencedSeriesSequence
    assert series.SeriesInstanceUID == source.SeriesInstanceUID
    named = {(item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID) for item in series.ContourImageSequence}
    assert named == {(source.SOPClassUID, dcmread(path).SOPInstanceUID) for path in scan.files}


@pytest.mark.parametrize(
    ("characters", "name"), [("ISO_IR 100", "Müller^Jörg"), ("ISO_IR 192", "山田^太郎"), ("", "A^B")]
)
def test_names_keep_their_characters(tmp_path, characters, name):
    scan = draw_scan(tmp_path / "series")
    for path in scan.files:
        header = dcmread(path)
        header.SpecificCharacterSet, header.PatientName = characters, name
        header.save_as(path)
    dataset = dcmread(write_rtstruct(tmp_path / "rtstruct.dcm", scan, MASKS, PROVENANCE))
    assert (str(dataset.PatientName), dataset.get("SpecificCharacterSet")) == (name, characters or None)


def test_it_is_a_series_of_its_own_with_new_uids_each_time(written, scan, tmp_path):
    again = dcmread(write_rtstruct(tmp_path / "again.dcm", scan, MASKS, PROVENANCE))
    uids = {d[key].value for d in (written, again) for key in ("SOPInstanceUID", "SeriesInstanceUID")}
    assert len(uids | {scan.series.uid}) == 5


def test_organs_carry_name_number_colour_code_and_type(written):
    expected = [(organ.index, organ.name) for organ in ORGANS[:2]]
    assert [(roi.ROINumber, roi.ROIName) for roi in written.StructureSetROISequence] == expected
    for organ, item, seen in zip(ORGANS, written.ROIContourSequence, written.RTROIObservationsSequence, strict=False):
        assert tuple(item.ROIDisplayColor) == organ.rgb
        assert seen.ReferencedROINumber == item.ReferencedROINumber == organ.index
        (code,) = seen.RTROIIdentificationCodeSequence
        assert (code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning) == (
            *(organ.snomed_code, "SCT", organ.snomed_meaning),
        )
        assert seen.RTROIInterpretedType == "ORGAN"


def test_it_says_that_it_is_automatic_unapproved_and_by_which_weights(written):
    assert written.ApprovalStatus == "UNAPPROVED"
    assert INTENDED_USE in written.StructureSetDescription
    for part in ("segformer 0.1.0", "monai_gi 0.2.0", "ab" * 32, "Nothing found of: stomach."):
        assert part in written.StructureSetDescription
    assert len(written.StructureSetLabel) <= 16
    for roi in written.StructureSetROISequence:
        assert roi.ROIGenerationAlgorithm == "AUTOMATIC"
        assert "segformer 0.1.0" in roi.ROIGenerationDescription
    for observation in written.RTROIObservationsSequence:
        assert observation.ROIObservationDescription == "Automatic, unapproved"


def test_long_names_of_bundles_are_cut_to_what_a_line_holds(scan, tmp_path):
    long = PROVENANCE._replace(bundle_name="a\\very-long-name-" * 9)
    dataset = dcmread(write_rtstruct(tmp_path / "rtstruct.dcm", scan, MASKS, long))
    assert len(dataset.SeriesDescription) == len(dataset.StructureSetName) == 64
    assert "\\" not in dataset.StructureSetName


def test_numbers_fit_decimal_strings_and_lengths_fit_the_transfer_syntax(written):
    assert written.file_meta.TransferSyntaxUID == ImplicitVRLittleEndian
    for item in written.ROIContourSequence:
        for contour in item.ContourSequence:
            text = [number.original_string for number in contour.ContourData]
            assert max(map(len, text)) <= 16
            assert len(text) == 3 * contour.NumberOfContourPoints
            assert contour.ContourGeometricType == "CLOSED_PLANAR"


def test_frames_of_a_multi_frame_file_are_named_by_their_number(tmp_path):
    scan = draw_scan(tmp_path / "series", multi_frame=True)
    dataset = dcmread(write_rtstruct(tmp_path / "rtstruct.dcm", scan, MASKS, PROVENANCE))
    references = [c.ContourImageSequence[0] for c in dataset.ROIContourSequence[1].ContourSequence]
    numbers = [scan.series.frames[d].index + 1 for d in (1, 1, 2, 2, 3, 3)]
    assert [reference.ReferencedFrameNumber for reference in references] == numbers
    study = dataset.ReferencedFrameOfReferenceSequence[0].RTReferencedStudySequence[0]
    assert len(study.RTReferencedSeriesSequence[0].ContourImageSequence) == 1


def test_contours_skip_missing_slices(tmp_path):
    scan = draw_scan(tmp_path / "series", slice_numbers=[0, 1, 4, 5, 9])
    dataset = dcmread(write_rtstruct(tmp_path / "rtstruct.dcm", scan, MASKS, PROVENANCE))
    np.testing.assert_array_equal(filled_by_hand(dataset, scan, "large_bowel"), MASKS[0])


def test_without_any_organ_every_roi_stands_there_without_contours(scan, tmp_path):
    dataset = dcmread(write_rtstruct(tmp_path / "rtstruct.dcm", scan, np.zeros_like(MASKS), PROVENANCE))
    assert [roi.ROIName for roi in dataset.StructureSetROISequence] == [organ.name for organ in ORGANS]
    assert not any("ContourSequence" in item for item in dataset.ROIContourSequence)
    assert "Nothing found of: large_bowel, small_bowel, stomach." in dataset.StructureSetDescription


def test_a_scan_from_elsewhere_is_refused(scan, tmp_path):
    other = Scan("case1_day0", scan.voxels, scan.affine, scan.slice_numbers, scan.slice_names, "nifti", scan.files)
    with pytest.raises(DataError, match="case1_day0: a nifti scan; an RTSTRUCT wants a DICOM series"):
        write_rtstruct(tmp_path / "rtstruct.dcm", other, MASKS, PROVENANCE)


def test_a_description_of_any_bundle_fits_and_keeps_what_matters(scan, tmp_path):
    odd = Provenance("net" * 100, "1\n\\" + "0" * 5000, "ab" * 32, "0.1.0", "models/model.ts")
    dataset = dcmread(write_rtstruct(tmp_path / "rtstruct.dcm", scan, np.zeros_like(MASKS), odd))
    text = dataset.StructureSetDescription
    assert len(text) <= 1024
    weights = f"{'ab' * 32} of models/model.ts."
    assert all(part in text for part in (INTENDED_USE, weights, "Nothing found of: large_bowel"))
    assert "\n" not in text


@pytest.mark.parametrize(("offset", "hours"), [("+1400", 14), ("-1200", -12), ("+0545", 5.75)])
def test_times_are_in_the_zone_that_the_series_names(scan, tmp_path, offset, hours):
    first, *others = scan.series.frames
    header = dcmread(first.path)
    header.TimezoneOffsetFromUTC = offset
    header.save_as(tmp_path / "first.dcm")
    moved = with_series(scan, frames=(first._replace(path=tmp_path / "first.dcm"), *others))
    dataset = dcmread(write_rtstruct(tmp_path / "rtstruct.dcm", moved, MASKS, PROVENANCE))
    assert dataset.TimezoneOffsetFromUTC == offset
    for kind in ("StructureSet", "InstanceCreation"):
        stamp = dataset[f"{kind}Date"].value + dataset[f"{kind}Time"].value
        written = datetime.strptime(stamp, "%Y%m%d%H%M%S").replace(tzinfo=timezone(timedelta(hours=hours)))
        assert abs(datetime.now(timezone.utc) - written) < timedelta(minutes=10)


def with_series(scan, **changes):
    fields = {name: getattr(scan.series, name) for name in Series.__dataclass_fields__}
    others = {name: getattr(scan, name) for name in Scan.__dataclass_fields__}
    return Scan(**{**others, "series": Series(**{**fields, **changes})})


def test_a_series_without_frame_of_reference_is_refused(scan, tmp_path):
    with pytest.raises(DataError, match="no FrameOfReferenceUID in the series"):
        write_rtstruct(tmp_path / "rtstruct.dcm", with_series(scan, frame_of_reference_uid=""), MASKS, PROVENANCE)
    assert not (tmp_path / "rtstruct.dcm").exists()


def test_positions_out_of_this_world_are_refused(scan, tmp_path):
    frames = tuple(frame._replace(position=(1e10, 0.0, 0.0)) for frame in scan.series.frames)
    with pytest.raises(DataError, match=r"no scanner is that large"):
        write_rtstruct(tmp_path / "rtstruct.dcm", with_series(scan, frames=frames), MASKS, PROVENANCE)


@pytest.mark.parametrize("masks", [MASKS[:2], MASKS[..., 1:], MASKS.astype(np.uint8)])
def test_masks_of_another_shape_or_type_are_refused(scan, tmp_path, masks):
    with pytest.raises(ValueError, match="wanted bool"):
        write_rtstruct(tmp_path / "rtstruct.dcm", scan, masks, PROVENANCE)


@pytest.mark.parametrize(("number", "expected"), [(7, 100_007), (None, 100_000), (2**31 - 1, 100_000), (-4, 100_000)])
def test_the_series_number_stands_behind_those_of_the_scanner(scan, tmp_path, number, expected):
    path = write_rtstruct(tmp_path / "rtstruct.dcm", with_series(scan, number=number), MASKS, PROVENANCE)
    assert dcmread(path).SeriesNumber == expected
