"""PNG files of drawn pictures, and files that are whole or absent."""

import numpy as np
import pytest
from PIL import Image

from monai_gi.atomic_file import write_whole
from monai_gi.writers.overlay import write_overlays, write_png

PICTURE = np.arange(4 * 7 * 3, dtype=np.uint8).reshape(4, 7, 3)


def read(path):
    return np.asarray(Image.open(path))


def test_pictures_stand_in_a_folder_of_their_scan(tmp_path):
    files = write_overlays(tmp_path, "case1_day0", {"slice_b": PICTURE, "slice_a": PICTURE + 1}, PICTURE + 2)
    assert [str(path.relative_to(tmp_path)) for path in files] == [
        "case1_day0/slice_b.png",
        "case1_day0/slice_a.png",
        "case1_day0.png",
    ]
    assert [np.array_equal(read(path), PICTURE + plus) for plus, path in enumerate(files)] == [True] * 3


def test_scan_without_pictures_gets_its_sheet_alone(tmp_path):
    assert [path.name for path in write_overlays(tmp_path, "case1_day0", {}, PICTURE)] == ["case1_day0.png"]
    assert write_overlays(tmp_path / "none", "case1_day0", {}) == []


def test_pictures_of_an_earlier_run_do_not_stay(tmp_path):
    write_overlays(tmp_path, "case1_day0", {"old": PICTURE, "both": PICTURE})
    write_overlays(tmp_path, "case2_day0", {"other": PICTURE})
    write_overlays(tmp_path, "case1_day0", {"both": PICTURE + 1})
    assert [path.name for path in (tmp_path / "case1_day0").iterdir()] == ["both.png"]
    assert np.array_equal(read(tmp_path / "case1_day0" / "both.png"), PICTURE + 1)
    assert (tmp_path / "case2_day0" / "other.png").is_file()


def test_pictures_are_drawn_when_they_are_asked_for(tmp_path):
    class Drawn(dict):
        def __getitem__(self, name):
            return PICTURE + super().__getitem__(name)

    files = write_overlays(tmp_path, "case1_day0", Drawn({f"slice_{k}": k for k in range(9)}))
    assert [path.stem for path in files] == [f"slice_{k}" for k in range(9)]
    assert all(np.array_equal(read(path), PICTURE + k) for k, path in enumerate(files))


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (50, 3)])
def test_any_size_is_read_as_it_was(tmp_path, size):
    picture = np.random.default_rng(0).integers(0, 256, (*size, 3)).astype(np.uint8)
    assert np.array_equal(read(write_png(tmp_path / "a.png", picture[::-1])), picture[::-1])


@pytest.mark.parametrize(("scan_id", "slice_id"), [("../up", "slice"), ("case1_day0", "a/b")])
def test_id_that_leads_out_of_the_folder_is_refused(tmp_path, scan_id, slice_id):
    with pytest.raises(ValueError, match="can not name files"):
        write_overlays(tmp_path / "in", scan_id, {slice_id: PICTURE})
    assert not list(tmp_path.rglob("*.png"))


@pytest.mark.parametrize("picture", [PICTURE[..., 0], PICTURE[..., :2], PICTURE.astype(float)])
def test_what_is_no_picture_is_refused(tmp_path, picture):
    with pytest.raises(ValueError, match=r"picture: .*wanted uint8 \(h, w, 3\)"):
        write_png(tmp_path / "a.png", picture)


def test_file_is_replaced_in_one_step(tmp_path):
    path = write_whole(tmp_path / "new" / "a.txt", b"old")
    reader = path.open("rb")
    write_whole(path, b"new and longer")
    assert reader.read() == b"old"
    reader.close()
    assert path.read_bytes() == b"new and longer"
    assert list(path.parent.iterdir()) == [path]


def test_failed_writing_leaves_the_old_file_and_nothing_beside_it(tmp_path):
    path = write_whole(tmp_path / "a.txt", b"old")
    with pytest.raises(TypeError):
        write_whole(path, 3)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_disk_that_refuses_is_an_error(tmp_path):
    (tmp_path / "taken").mkdir()
    with pytest.raises(OSError, match="taken"):
        write_whole(tmp_path / "taken", b"content")
    assert not list((tmp_path / "taken").iterdir())
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]
