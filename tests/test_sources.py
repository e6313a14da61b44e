"""What an input holds is found out by content: each kind, mixed folders, names that lie, and refusals in words."""

import shutil

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from monai_gi.datasets.phantom.dicom_files import write_series
from monai_gi.errors import DataError
from monai_gi.readers.dicom import LPS_TO_RAS
from monai_gi.readers.sources import Source, file_kind, find_sources, plain_name, read_source
from monai_gi.writers.nifti import write_scan_nifti
from tests.drawn_nifti_files import draw_affine, draw_volume, write_volume
from tests.drawn_slices import draw_slice, write_scan, write_slice
from tests.drawn_structures import SIZE, oblique_affine


def voxels(seed=0, size=SIZE):
    return np.random.default_rng(seed).integers(0, 900, size).astype(np.uint16)


def facts(sources):
    return [(source.kind, source.name, source.size, source.slices, len(source.files)) for source in sources]


@pytest.fixture
def dicom(tmp_path):
    """A nested folder with two series, and what lies about in such folders."""
    root = tmp_path / "exam"
    paths = write_series(root / "deep" / "one", voxels(0), oblique_affine())
    write_series(root / "two", voxels(1, (20, 30, 3)), oblique_affine())
    (root / "readme.txt").write_text("no image")
    (root / ".hidden.nii").write_bytes(nib.Nifti1Image(draw_volume(), draw_affine()).to_bytes())
    return root, paths


def test_a_folder_of_dicom_holds_its_series(dicom):
    root, _ = dicom
    sources = find_sources(root)
    assert [source.kind for source in sources] == ["dicom", "dicom"]
    assert [source.name for source in sources] == sorted(source.series.uid for source in sources)
    assert sorted((source.size, source.slices, len(source.files)) for source in sources) == [
        ((20, 30), 3, 3),
        ((26, 33), 5, 5),
    ]


def test_a_series_is_read_under_its_uid(dicom):
    root, _ = dicom
    source = next(source for source in find_sources(root) if source.slices == 5)
    scan = read_source(source)
    assert (scan.name, scan.kind) == (source.series.uid, "dicom")
    assert np.array_equal(scan.voxels, voxels(0))
    assert np.allclose(scan.affine, LPS_TO_RAS @ oblique_affine(), atol=1e-4)


def test_one_series_is_picked_by_its_uid(dicom):
    root, _ = dicom
    uids = [source.series.uid for source in find_sources(root)]
    assert [source.series.uid for source in find_sources(root, uids[1])] == uids[1:]
    with pytest.raises(DataError, match=rf"series 1.2.3 asked for; there are .*{uids[0]} \(MR, \d\), {uids[1]} \(MR"):
        find_sources(root, "1.2.3")


def test_a_uid_without_dicom_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"series 1.2.3 asked for; no DICOM series is there"):
        find_sources(write_volume(tmp_path / "x.nii", draw_volume()), "1.2.3")


def test_one_dicom_file_of_any_name_is_a_scan_of_one_slice(dicom, tmp_path):
    path = tmp_path / "slice_0001_33_26_1.50_1.10.png"
    shutil.copy(dicom[1][2], path)
    (source,) = find_sources(path)
    assert (source.kind, source.slices, source.size) == ("dicom", 1, (26, 33))
    assert read_source(source).voxels.shape == (26, 33, 1)


def test_gaps_are_handed_on(dicom):
    root, paths = dicom
    paths[2].unlink()
    source = next(source for source in find_sources(root) if source.slices == 4)
    with pytest.raises(DataError):
        read_source(source)
    assert read_source(source, allow_gaps=True).voxels.shape == (26, 33, 4)
    scans = read_source(find_sources(write_gap(root.parent / "scans"))[0], allow_gaps=True)
    assert scans.slice_numbers.tolist() == [0, 2]


def write_gap(folder):
    write_scan(folder, [1, 3])
    return folder


def test_nifti_is_found_whatever_it_is_called(tmp_path):
    write_volume(tmp_path / "a" / "MR abdomen (2).nii.gz", draw_volume())
    write_volume(tmp_path / "b.dcm", draw_volume((4, 3, 2)))
    write_volume(tmp_path / "c.d.nii", draw_volume((4, 3)))
    sources = find_sources(tmp_path)
    assert facts(sources) == [
        ("nifti", "MR_abdomen_2_", (7, 5), 4, 1),
        ("nifti", "b", (4, 3), 2, 1),
        ("nifti", "c.d", (4, 3), 1, 1),
    ]
    assert np.array_equal(read_source(sources[0]).voxels, draw_volume())
    assert [source.name for source in find_sources(tmp_path / "b.dcm")] == ["b"]


def test_equal_names_are_told_apart_the_same_way_each_time(tmp_path):
    for folder in ("x", "y"):
        write_volume(tmp_path / folder / "ct.nii", draw_volume())
    write_volume(tmp_path / "CT.nii.gz", draw_volume())
    names = [source.name for source in find_sources(tmp_path)]
    assert len({name.casefold() for name in names}) == 3
    assert names == [source.name for source in find_sources(tmp_path)]
    write_volume(tmp_path / "a" / "other.nii", draw_volume())
    assert set(names) < {source.name for source in find_sources(tmp_path)}
    assert "a" not in "".join(names).replace("ct-", "").replace("CT-", "").strip("0123456789abcdef")


@pytest.mark.parametrize(
    "given", ["", "train", "train/case2", "train/case2/case2_day1", "train/case2/case2_day1/scans"]
)
def test_slices_are_found_from_any_folder_above(tmp_path, given):
    write_scan(tmp_path / "train/case2/case2_day1/scans", [3, 1, 2])
    if given in ("", "train"):
        write_scan(tmp_path / "train/case10/case10_day0/scans", [4])
    (tmp_path / "train.csv").write_text("id,class,segmentation\n")
    sources = find_sources(tmp_path / given)
    assert facts(sources)[0] == ("uw-madison", "case2_day1", (5, 7), 3, 3)
    assert [source.name for source in sources[1:]] == (["case10_day0"] if given in ("", "train") else [])
    assert read_source(sources[0]).slice_names[0] == "case2_day1_slice_0001"


def test_a_relative_scans_folder_knows_its_scan(tmp_path, monkeypatch):
    write_scan(tmp_path / "case2_day1/scans", [1])
    monkeypatch.chdir(tmp_path / "case2_day1/scans")
    assert [source.name for source in find_sources(".")] == ["case2_day1"]


def test_one_picture_is_a_scan_by_its_stem_or_by_its_id(tmp_path):
    Image.fromarray(draw_slice(1)).save(tmp_path / "Bild 1.png")
    Image.fromarray(draw_slice(1)).save(tmp_path / "x.jpg", format="TIFF")
    assert facts(find_sources(tmp_path / "Bild 1.png")) == [("picture", "Bild_1", (5, 7), 1, 1)]
    assert facts(find_sources(tmp_path / "x.jpg")) == [("picture", "x", (5, 7), 1, 1)]
    path = write_slice(tmp_path / "case2_day1/scans", 12, draw_slice(1))
    (source,) = find_sources(path)
    assert source.name == "case2_day1_slice_0012"
    assert read_source(source).spacing_mm == (1.5, 2.25, 3.0)


def test_kinds_may_be_mixed_and_pictures_of_results_are_no_scans(dicom):
    root, _ = dicom
    write_volume(root / "two" / "v.nii", draw_volume())
    write_scan(root / "case1_day0" / "scans", [1])
    Image.fromarray(draw_slice(1)).save(root / "overlay.png")
    assert [source.kind for source in find_sources(root)] == ["dicom", "dicom", "nifti", "uw-madison"]


def test_contours_that_we_wrote_are_no_scans(tmp_path):
    write_volume(tmp_path / "scan.nii", draw_volume())
    scan = read_source(find_sources(tmp_path)[0])
    masks = np.zeros((3, *scan.voxels.shape), dtype=bool)
    write_scan_nifti(tmp_path / "out" / "scan", scan, masks)
    assert [source.name for source in find_sources(tmp_path)] == ["scan"]
    with pytest.raises(DataError, match="no scan found, but 4 NIfTI of contours that monai-gi wrote, 1 text"):
        find_sources(tmp_path / "out")


def test_nothing_to_read_says_what_was_found(tmp_path):
    (tmp_path / "a.txt").write_text("words")
    (tmp_path / "b.bin").write_bytes(bytes(2000))
    Image.fromarray(draw_slice(1)).save(tmp_path / "c.png")
    match = (
        r"no scan found, but 1 PNG not named like slices, 1 text, 1 of an unknown kind. Give one picture.*can be read"
    )
    with pytest.raises(DataError, match=match):
        find_sources(tmp_path)
    with pytest.raises(DataError, match="no scan found, but 1 text; a folder of DICOM"):
        find_sources(tmp_path / "a.txt")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no scan found, but no file;"):
        find_sources(tmp_path / "empty")
    with pytest.raises(DataError, match="absent: no such file or folder; a folder of DICOM series"):
        find_sources(tmp_path / "absent")


def test_a_file_that_can_not_be_opened_is_named(tmp_path):
    with pytest.raises(DataError, match="can not be read: Is a directory"):
        file_kind(tmp_path)


def test_folders_that_link_to_each_other_end(tmp_path):
    write_volume(tmp_path / "a" / "x.nii", draw_volume())
    (tmp_path / "a" / "back").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "z").symlink_to(tmp_path / "a", target_is_directory=True)
    assert len(find_sources(tmp_path)) == 1


@pytest.mark.parametrize("text", ["../../etc", ".hidden", "a/b\\c", "\0", "", "Ä", "x" * 300])
def test_names_stay_in_their_folder(text):
    name = plain_name(text)
    assert name
    assert not name.startswith(".")
    assert not set(name) & set("/\\\0 ")
    assert len(name) <= 64


def test_an_unknown_kind_is_an_error():
    with pytest.raises(ValueError, match=r"source.kind: 'video', wanted nifti"):
        read_source(Source("video", "x", (), (1, 1), 1))


def test_real_folders_are_recognised(real_data):
    assert len(find_sources(real_data / "uw_madison")) == 23
    (liver,) = find_sources(real_data / "dicom_seg_ct_liver")
    assert (liver.kind, liver.size, liver.slices) == ("dicom", (512, 512), 3)
    with pytest.raises(DataError, match="1 DICOM without images"):
        find_sources(real_data / "dicom_seg_ct_liver" / "liver.dcm")
