"""DICOM found by content: series, structure sets and segmentations in a folder of all sorts."""

import math
import warnings
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, dcmwrite
from pydicom.uid import (
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    MediaStorageDirectoryStorage,
    MRImageStorage,
    RTDoseStorage,
    RTStructureSetStorage,
    SegmentationStorage,
)

from monai_gi.dicom.headers import numbers
from monai_gi.dicom.series import Frame, find_dicom, find_objects, find_series
from monai_gi.errors import DataError
from tests.drawn_dicom import (
    AXIAL,
    CORNER,
    PLACE,
    SERIES,
    STUDY,
    drawn_pixels,
    enhanced,
    header,
    item,
    positions,
    save,
    set_pixels,
    write_slices,
)


def test_mixed_nested_series_come_apart_by_their_uid_whatever_the_files_are_called(tmp_path):
    paths = write_slices(tmp_path / "a" / "b", positions(3))
    paths[0].rename(tmp_path / "no suffix")
    write_slices(tmp_path / "a", positions(2), SeriesInstanceUID="1.2.9", Modality="CT", sop_class=CTImageStorage)
    (tmp_path / "a" / "notes.dcm").write_text("DICM is only a word here")
    mr, ct = sorted(find_series(tmp_path), key=lambda series: len(series.frames), reverse=True)
    assert (mr.uid, mr.study_uid, mr.modality, mr.number) == (SERIES, STUDY, "MR", 3)
    assert (mr.image_type, mr.frame_of_reference_uid) == (("ORIGINAL", "PRIMARY", "M"), PLACE)
    assert {frame.path.name for frame in mr.frames} == {"no suffix", "im1.dcm", "im2.dcm"}
    assert (ct.uid, ct.modality, len(ct.frames)) == ("1.2.9", "CT", 2)


def test_a_frame_holds_what_its_header_says(tmp_path):
    (path,) = write_slices(tmp_path, positions(1), SpacingBetweenSlices=3.3)
    (series,) = find_series(path)
    (frame,) = series.frames
    assert frame[:6] == (path, 0, MRImageStorage, frame.sop_instance_uid, CORNER, AXIAL)
    assert frame[6:] == ((1.5, 1.25), (5, 7), PLACE, 9.0, 3.3, 1)
    assert frame.name == "im0.dcm"


def test_files_are_found_in_natural_order_of_their_names(tmp_path):
    write_slices(tmp_path, positions(12))
    assert [frame.path.name for frame in find_series(tmp_path)[0].frames] == [f"im{index}.dcm" for index in range(12)]


def test_linked_folders_hold_slices_and_hidden_copies_do_not_double_them(tmp_path):
    paths = write_slices(tmp_path / "elsewhere", positions(3))
    (tmp_path / "in" / ".snapshot").mkdir(parents=True)
    (tmp_path / "in" / ".snapshot" / "im0.dcm").write_bytes(paths[0].read_bytes())
    (tmp_path / "in" / "._im0.dcm").write_bytes(paths[0].read_bytes())
    (tmp_path / "in" / "linked").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (series,) = find_series(tmp_path / "in")
    assert [frame.name for frame in series.frames] == ["im0.dcm", "im1.dcm", "im2.dcm"]


def test_folders_are_taken_in_order(tmp_path):
    folders = [f"{letter}{number}" for letter in "dbca" for number in range(3)]
    for folder in folders:
        write_slices(tmp_path / folder, positions(1))
    assert [frame.path.parent.name for frame in find_series(tmp_path)[0].frames] == sorted(folders)


@pytest.mark.parametrize(("value", "expected"), [(2.5, 2.5), (math.inf, math.nan), (math.nan, math.nan)])
def test_numbers_are_finite_or_nan(value, expected):
    np.testing.assert_equal(numbers(item(EffectiveEchoTime=value), "EffectiveEchoTime", 1), (expected,))


def test_patient_is_known_but_not_shown_by_repr(tmp_path):
    write_slices(tmp_path, positions(1))
    (series,) = find_series(tmp_path)
    assert (series.patient_name, series.patient_id, series.description) == ("Doe^Jane", "P-17", "TRUFI")
    assert not [secret for secret in ("Doe", "P-17", "TRUFI") if secret in repr(series)]


def test_series_are_sorted_by_their_number_not_their_uid(tmp_path):
    for uid, number in (("1.2.1", 12), ("1.2.2", 7)):
        write_slices(tmp_path / uid, positions(1), SeriesInstanceUID=uid, SeriesNumber=number)
    assert [series.number for series in find_series(tmp_path)] == [7, 12]


@pytest.mark.parametrize("implicit", [True, False])
def test_files_without_preamble_are_found_too(tmp_path, implicit):
    dataset = header()
    set_pixels(dataset, drawn_pixels(1)[0])
    dcmwrite(tmp_path / "bare", dataset, implicit_vr=implicit, little_endian=True, enforce_file_format=False)
    assert (tmp_path / "bare").read_bytes()[128:132] != b"DICM"
    (series,) = find_series(tmp_path)
    assert series.frames[0].size == (5, 7)


@pytest.mark.parametrize(
    "content",
    [
        b"\x08\x00\x05\x00CS\x02\x00 ",  # a character set and nothing else
        b"\x08\x00\x05\x00\x04\x00\x00\x00abcd",
        b"\x02\x00\x00\x00UL\x04\x00",
        b"\x08\x00\x05\x00\xff\xff\xff\xff" + bytes(200),
        bytes(200),
        b"\x02\x00",
    ],
)
def test_what_only_starts_like_dicom_is_skipped(tmp_path, content):
    (tmp_path / "odd").write_bytes(content)
    assert find_dicom(tmp_path) == ([], [], [])


def test_deflated_files_are_read(tmp_path):
    dataset = header(ImagePositionPatient=list(CORNER))
    set_pixels(dataset, drawn_pixels(1)[0])
    save(dataset, tmp_path / "deflated", DeflatedExplicitVRLittleEndian)
    assert find_series(tmp_path)[0].frames[0].size == (5, 7)


def test_enhanced_frames_take_their_place_from_functional_groups(tmp_path):
    path = save(enhanced(positions(4), drawn_pixels(4)), tmp_path / "multi.dcm")
    (series,) = find_series(path)
    assert [frame.index for frame in series.frames] == [0, 1, 2, 3]
    assert [frame.position for frame in series.frames] == positions(4)
    assert {frame.orientation for frame in series.frames} == {AXIAL}
    assert {frame.spacing_mm for frame in series.frames} == {(1.5, 1.25)}
    assert series.frames[2].name == "multi.dcm frame 3"


def test_what_stands_for_a_frame_goes_before_what_is_shared(tmp_path):
    dataset = enhanced(positions(2), drawn_pixels(2))
    dataset.PerFrameFunctionalGroupsSequence[1].PlaneOrientationSequence = [
        item(ImageOrientationPatient=[0, 1, 0, 0, 0, -1])
    ]
    (series,) = find_series(save(dataset, tmp_path / "multi.dcm"))
    assert [frame.orientation for frame in series.frames] == [AXIAL, (0, 1, 0, 0, 0, -1)]


def test_missing_values_are_nan_and_a_file_without_pixels_has_no_size(tmp_path):
    save(header(Rows=5, Columns=7, PixelSpacing=[1, 1, 1]), tmp_path / "poor.dcm")
    (frame,) = find_series(tmp_path)[0].frames
    assert all(map(math.isnan, (*frame.position, *frame.orientation, *frame.spacing_mm, frame.thickness_mm)))
    assert frame.size == (0, 0)


def test_old_multi_frame_images_have_frames_but_no_places(tmp_path):
    dataset = header(ImagePositionPatient=list(CORNER), ImageOrientationPatient=list(AXIAL))
    set_pixels(dataset, drawn_pixels(3))
    save(dataset, tmp_path / "old.dcm")
    (series,) = find_series(tmp_path)
    assert len(series.frames) == 3
    assert all(math.isnan(frame.position[0]) for frame in series.frames)


def test_values_that_break_the_standard_do_not_warn(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = header(SeriesDescription="long " * 20, SeriesInstanceUID="1.2.a")
        dataset.ImagePositionPatient = [1, 2, 3]
        set_pixels(dataset, drawn_pixels(1)[0])
        save(dataset, tmp_path / "odd.dcm", ImplicitVRLittleEndian)
    (series,) = find_series(tmp_path)
    assert series.uid == "1.2.a"


def write_structure_set(path: Path, **elements: object) -> Path:
    # named twice, and once without a UID, as some writers do
    named = [item(SeriesInstanceUID=uid) for uid in (SERIES, "", SERIES)]
    frame = item(FrameOfReferenceUID=PLACE, RTReferencedStudySequence=item(RTReferencedSeriesSequence=named))
    dataset = header(RTStructureSetStorage, Modality="RTSTRUCT", SeriesInstanceUID="1.2.5", **elements)
    dataset.ReferencedFrameOfReferenceSequence = [frame]
    dataset.ROIContourSequence = [item(ReferencedROINumber=1)]
    del dataset.FrameOfReferenceUID
    return save(dataset, path)


def test_structure_sets_and_segmentations_name_their_series_and_are_no_series(tmp_path):
    structures = write_structure_set(tmp_path / "rs")
    dataset = header(SegmentationStorage, Modality="SEG", SeriesInstanceUID="1.2.6")
    dataset.ReferencedSeriesSequence = [item(SeriesInstanceUID=SERIES)]
    dataset.SharedFunctionalGroupsSequence = [Dataset()]
    set_pixels(dataset, drawn_pixels(2))
    segmentation = save(dataset, tmp_path / "seg")
    save(header(RTDoseStorage, Modality="RTDOSE", Rows=2, Columns=2), tmp_path / "dose")
    assert find_objects(tmp_path) == [
        (structures, "RTSTRUCT", RTStructureSetStorage, "1.2.5", (SERIES,), PLACE),
        (segmentation, "SEG", SegmentationStorage, "1.2.6", (SERIES,), PLACE),
    ]
    assert find_series(tmp_path) == []


def test_a_structure_set_may_name_its_frame_of_reference_with_its_regions_only(tmp_path):
    dataset = header(RTStructureSetStorage, Modality="RTSTRUCT", SeriesInstanceUID="1.2.5", FrameOfReferenceUID="")
    dataset.StructureSetROISequence = [item(ROINumber=1, ReferencedFrameOfReferenceUID=PLACE)]
    (found,) = find_objects(save(dataset, tmp_path / "rs"))
    assert (found.referenced_series_uids, found.frame_of_reference_uid) == ((), PLACE)


def test_a_private_class_of_images_is_a_series_and_of_other_things_is_not(tmp_path):
    dataset = header("1.3.12.2.1107.5.9.1")
    save(dataset, tmp_path / "other.dcm")
    assert find_series(tmp_path) == []
    set_pixels(dataset, drawn_pixels(1)[0])
    save(dataset, tmp_path / "image.dcm")
    assert [frame.path.name for series in find_series(tmp_path) for frame in series.frames] == ["image.dcm"]


def test_a_directory_file_is_no_fault(tmp_path):
    dataset = save_directory(tmp_path / "DICOMDIR")
    assert find_dicom(dataset) == ([], [], [])


def save_directory(path: Path) -> Path:
    dataset = header(MediaStorageDirectoryStorage)
    save(dataset, path)
    del dataset.SOPClassUID
    del dataset.SeriesInstanceUID
    dataset.preamble = bytes(128)
    dataset.file_meta.MediaStorageSOPClassUID = MediaStorageDirectoryStorage
    dcmwrite(path, dataset, enforce_file_format=False)
    assert path.read_bytes()[128:132] == b"DICM"
    return path


def test_progress_counts_all_files(tmp_path):
    write_slices(tmp_path, positions(3))
    (tmp_path / "note.txt").write_text("x")
    seen = []
    find_series(tmp_path, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_a_missing_path_is_refused(tmp_path):
    with pytest.raises(DataError, match="nowhere: no such file or folder"):
        find_series(tmp_path / "nowhere")


def test_real_series_and_objects_are_found(real_data):
    found = find_dicom(real_data / "dicom_seg_ct_liver")
    assert [(series.modality, len(series.frames)) for series in found.series] == [("CT", 3)]
    assert {(one.modality, one.referenced_series_uids) for one in found.objects} == {("SEG", (found.series[0].uid,))}
    found = find_dicom(real_data / "dicom_rtstruct_lung_ct")
    (series,), (structures,) = found.series, found.objects
    assert isinstance(series.frames[0], Frame)
    assert structures.referenced_series_uids == (series.uid,)
    assert structures.frame_of_reference_uid == series.frame_of_reference_uid
