"""Uploads are told apart by content, unpacked within limits, and bring their own contours along; examples are too."""

import zipfile

import numpy as np
import pytest
from PIL import Image

from monai_gi.app.examples import EXAMPLES, Examples
from monai_gi.app.given_truth import with_truth
from monai_gi.app.uploads import Wanted, is_zip, kind_of, plain_files, read_upload, sentence, unpack
from monai_gi.errors import DataError, DataErrors
from tests.drawn_cases import draw_scan, quiet, scan_file
from tests.drawn_dicom import PLACE, SERIES, positions, write_slices
from tests.drawn_structure_files import write_structure_set


def test_frames_come_in_the_order_of_their_numbers(tmp_path):
    for number in (1, 2, 10, 11):
        Image.fromarray(np.full((4, 5, 3), (number, 0, 0), dtype=np.uint8)).save(tmp_path / f"{number}.png")
    case = read_upload(tmp_path, Wanted("frames"), quiet).case
    assert [int(frame[0, 0, 0]) for frame in case.frames] == [1, 2, 10, 11]


def write_series(folder):
    """A series; and a square on its first slice as points in mm."""
    write_slices(folder, positions(3))
    corner = np.array(positions(1)[0])
    return corner + np.array([[0, 0, 0], [4, 0, 0], [4, 4, 0], [0, 4, 0]])


def test_contours_that_came_with_a_scan_are_shown(tmp_path):
    square = write_series(tmp_path / "dicom")
    rois = {"stomach": [square], "heart": [square]}
    write_structure_set(tmp_path / "rt.dcm", rois, frame_of_reference=PLACE, series_uid=SERIES)
    upload = read_upload(tmp_path, Wanted(), quiet)
    assert upload.case.truth(0)["stomach"].any()
    assert upload.case.truth_notes == ("In the truth, but not compared: heart.",)
    assert upload.notes == ()


def test_contours_that_can_not_be_taken_are_told(tmp_path):
    square = write_series(tmp_path / "dicom")
    write_structure_set(tmp_path / "a.dcm", {"heart": [square]}, frame_of_reference=PLACE, series_uid=SERIES)
    upload = read_upload(tmp_path, Wanted(), quiet)
    assert not upload.case.has_truth
    (note,) = upload.notes
    assert note.startswith("The contours that came with it were not taken: holds 'heart'; contours of large bowel")
    write_structure_set(tmp_path / "b.dcm", {"stomach": [square]}, frame_of_reference=PLACE, series_uid=SERIES)
    (note,) = read_upload(tmp_path, Wanted(), quiet).notes
    assert note.startswith("2 structure sets or segmentations came with it and none was taken")


def test_a_zip_is_told_by_its_content_and_unpacked(tmp_path):
    scan = scan_file(tmp_path)
    folder = tmp_path / "input"
    folder.mkdir()
    with zipfile.ZipFile(folder / "scan", "w") as archive:
        archive.write(scan, "deep/Doe_Jane.nii.gz")
        archive.writestr("__MACOSX/._Doe_Jane.nii.gz", "junk")
    assert is_zip(folder / "scan")
    unpack([folder / "scan"], folder, 10**6)
    assert [path.relative_to(folder).as_posix() for path in plain_files(folder)] == ["archive_0/deep/Doe_Jane.nii.gz"]
    case = read_upload(folder, Wanted(), quiet).case
    assert np.array_equal(case.scan.voxels, draw_scan().voxels)
    assert (case.scan.name, case.kind) == ("scan", "slices")


def test_archives_that_unpack_to_too_much_together_are_refused(tmp_path):
    for name in ("one.zip", "other.zip"):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.writestr("zeros", bytes(900))
    with pytest.raises(DataErrors, match=r"other.zip: [^:]*:\s+all entries: unpack to 900 bytes; 100 are accepted"):
        unpack([tmp_path / "one.zip", tmp_path / "other.zip"], tmp_path, 1000)


def test_several_scans_are_offered_and_chosen(tmp_path):
    for name in ("a.nii.gz", "b.nii.gz"):
        scan_file(tmp_path, name)
    upload = read_upload(tmp_path, Wanted(), quiet)
    assert upload.choices == ("1: nifti, 3 slices of 4 × 6", "2: nifti, 3 slices of 4 × 6")
    assert upload.chosen == 0
    assert read_upload(tmp_path, Wanted(), quiet, 1).case.scan.files[0].name == "b.nii.gz"


def test_a_scan_of_too_many_voxels_is_refused_by_its_header(tmp_path):
    scan_file(tmp_path)
    with pytest.raises(DataError, match="4 × 6 × 3 are 72 voxels, at most 71 are read here"):
        read_upload(tmp_path, Wanted(max_pixels=71), quiet)


def test_grey_pictures_are_no_frames(tmp_path):
    for name in ("a.png", "b.png"):
        Image.fromarray(np.zeros((4, 5), dtype=np.uint8)).save(tmp_path / name)
    with pytest.raises(DataError, match="holds grey pictures only"):
        read_upload(tmp_path, Wanted("frames"), quiet)


def test_no_file_is_no_slide(tmp_path):
    with pytest.raises(DataError, match="holds no file; a slide is wanted"):
        read_upload(tmp_path, Wanted("slides"), quiet)


def test_without_a_bundle_the_content_tells_the_kind(tmp_path):
    for name, size in (("frame.png", (30, 40)), ("slide.png", (2001, 2000))):
        Image.fromarray(np.zeros((*size, 3), dtype=np.uint8)).save(tmp_path / name)
    Image.fromarray(np.zeros((30, 40), dtype=np.uint8)).save(tmp_path / "slice.png")
    kinds = [kind_of([tmp_path / name]) for name in ("frame.png", "slide.png", "slice.png", "scan.svs")]
    assert kinds == ["frames", "slides", "slices", "slides"]


@pytest.mark.parametrize(
    ("place", "shown"),
    [
        ("input_0123abcd/a.dcm", "a.dcm"),
        ("input_0123abcd/archive_12/deep/a.dcm", "deep/a.dcm"),
        ("truth_0123abcd", "upload"),
        ("results_0123abcd/archive_0", "upload"),
        ("", "upload"),
    ],
)
def test_a_fault_is_one_sentence_without_paths(tmp_path, place, shown):
    one = DataError(tmp_path / place, f"is  broken.\n Copy {tmp_path / place} again")
    assert sentence(one, tmp_path) == f"{shown}: is broken. Copy {shown} again."
    several = DataErrors(tmp_path, [one, one, one])
    assert sentence(several, tmp_path) == f"{shown}: is broken. Copy {shown} again. (2 more like this.)"


def test_truth_of_an_unknown_kind_of_case_is_refused():
    with pytest.raises(ValueError, match="case: NoneType, wanted a scan, frames or a slide"):
        with_truth(None, (), Wanted(), quiet)


@pytest.mark.slow
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_examples_are_drawn_once_and_can_be_read_with_their_truth(tmp_path, example):
    examples, wanted = Examples(tmp_path), Wanted(example.kind)
    drawn = examples.get(example.name)
    assert examples.get(example.name) is drawn
    folder = tmp_path / "input"
    folder.mkdir()
    for file in drawn.files:
        (folder / file.name).write_bytes(file.read_bytes())
    case = with_truth(read_upload(folder, wanted, quiet).case, drawn.truth, wanted, quiet)
    assert case.kind == example.kind
    assert any(mask.any() for position in range(len(case.labels)) for mask in case.truth(position).values())
