"""Sessions keep to themselves and leave nothing; uploads are told apart by content."""

import zipfile

import numpy as np
import pytest
from PIL import Image

from monai_gi.app.cases import Results
from monai_gi.app.examples import EXAMPLES, Examples
from monai_gi.app.sessions import ALL, Sessions
from monai_gi.app.uploads import Upload, Wanted, is_zip, kind_of, plain_files, read_upload, sentence, unpack
from monai_gi.errors import DataError, DataErrors
from tests.drawn_cases import draw_case, draw_scan, quiet, uploaded
from tests.drawn_nifti_files import write_volume


def scan_file(folder, name="Doe_Jane.nii.gz"):
    return write_volume(folder / name, draw_scan().voxels, draw_scan().affine)


def test_two_pages_get_two_folders_and_tokens(tmp_path):
    sessions = Sessions(tmp_path / "sessions")
    one, other = sessions.get("one"), sessions.get("other")
    assert sessions.get("one") is one
    assert one.folder != other.folder
    assert sessions.by_token(one.token) is one
    assert sessions.by_token("") is None
    assert one.folder.stat().st_mode & 0o077 == 0


def test_a_closed_page_leaves_nothing(tmp_path):
    sessions = Sessions(tmp_path / "sessions")
    session = sessions.get("one")
    (upload,) = map(type(tmp_path), uploaded(tmp_path, scan_file(tmp_path)))
    (own,) = sessions.take(session, [upload], "input", 10**6)
    assert own.read_bytes() == upload.read_bytes()
    token = session.token
    sessions.close("one")
    assert not upload.parent.exists()
    assert list((tmp_path / "sessions").iterdir()) == []
    assert sessions.by_token(token) is None
    sessions.close("one")


def test_an_upload_of_two_pages_stays_until_both_are_closed(tmp_path):
    sessions = Sessions(tmp_path / "sessions")
    (upload,) = map(type(tmp_path), uploaded(tmp_path, scan_file(tmp_path)))
    for key in ("one", "other"):
        sessions.take(sessions.get(key), [upload, upload], "input", 10**6)
    sessions.close("one")
    assert upload.exists()
    sessions.close_all()
    assert not upload.exists()


def test_what_is_lent_stays(tmp_path):
    sessions, file = Sessions(tmp_path / "sessions"), scan_file(tmp_path)
    sessions.lend(sessions.get("one"), [file], "input")
    sessions.close_all()
    assert file.exists()


def test_a_page_left_alone_is_closed(tmp_path):
    sessions = Sessions(tmp_path / "sessions", idle_s=-1)
    old = sessions.get("one")
    assert sessions.get("other") is not old
    assert not old.folder.exists()


def test_too_many_bytes_and_lost_files_are_refused(tmp_path):
    sessions, file = Sessions(tmp_path / "sessions"), scan_file(tmp_path)
    with pytest.raises(DataError, match="upload: 0 MB, at most 0 MB are taken"):
        sessions.take(sessions.get("one"), [file], "input", 10)
    with pytest.raises(DataError, match=r"did not arrive whole\. Upload them again"):
        sessions.take(sessions.get("one"), [tmp_path / "gone"], "input", 10)


def test_files_of_one_name_are_kept_apart(tmp_path):
    sessions = Sessions(tmp_path / "sessions")
    files = [scan_file(tmp_path / name, "IM1") for name in ("a", "b", "c")]
    own = sessions.take(sessions.get("one"), files, "input", 10**6)
    assert len({file.resolve() for file in own}) == 3


def test_results_are_given_by_name_alone(tmp_path):
    session = Sessions(tmp_path / "sessions").get("one")
    assert session.result(ALL) is None
    place = session.place("results")
    (place / "overlay").mkdir()
    (place / "seg.dcm").write_text("seg")
    (place / "overlay" / "slice.png").write_text("png")
    session.upload = Upload(draw_case(results=Results({"seg.dcm": place / "seg.dcm"})))
    assert session.result("seg.dcm") == place / "seg.dcm"
    assert session.result("../results/seg.dcm") is None
    assert session.result("overlay/slice.png") is None
    assert zipfile.ZipFile(session.result(ALL)).namelist() == ["overlay/slice.png", "seg.dcm"]


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


def test_an_archive_of_more_than_eight_times_the_limit_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w") as archive:
        archive.writestr("zeros", bytes(900))
    with pytest.raises(DataErrors, match="unpack to 900 bytes; 800 are accepted"):
        unpack([tmp_path / "bomb.zip"], tmp_path, 100)


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


def test_a_fault_is_one_sentence_without_paths(tmp_path):
    one = DataError(tmp_path / "input" / "a.dcm", "is  broken.\n Copy it again")
    assert sentence(one, tmp_path) == "a.dcm: is broken. Copy it again"
    several = DataErrors(tmp_path / "input", [one, one, one])
    assert sentence(several, tmp_path) == "a.dcm: is broken. Copy it again (2 more like this.)"
    assert sentence(DataError(tmp_path / "input", "is empty"), tmp_path) == "upload: is empty"


@pytest.mark.slow
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_examples_are_drawn_once_and_can_be_read_with_their_truth(tmp_path, example):
    from monai_gi.app.desk import with_truth

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
