"""Label images: what other readers make of them, and going on after a stop."""

import json

import numpy as np
import pytest
import tifffile
from openslide import OpenSlide
from PIL import Image

from monai_gi.errors import DataError
from monai_gi.labels import TISSUES
from monai_gi.slides import open_slide
from monai_gi.writers.label_image import LabelImageWriter, forget, is_whole, label_rows

SIZE = (1301, 813)
COLORS = [tissue.rgb for tissue in TISSUES]


def drawn_labels():
    rows, columns = np.indices(SIZE)
    return ((rows // 50 + columns // 70) % 5).astype(np.uint8)  # class 5 is absent


def writer(path, key="k", **options):
    return LabelImageWriter(path, SIZE, key, **{"colors": COLORS, "mpp": (0.5, 0.25), **options})


def written(path, labels, **options):
    with writer(path, **options) as image:
        image.write(labels)
        return image.finish()


def test_other_readers_see_the_labels_their_colours_levels_and_size(tmp_path):
    labels = drawn_labels()
    path = written(tmp_path / "labels.tif", labels, description="About it.")
    with tifffile.TiffFile(path) as image:
        levels = [page.asarray() for page in image.pages]
        assert [page.subfiletype for page in image.pages] == [0, 1, 1]
        tags = image.pages[0].tags
        assert tags["XResolution"].value[0] / tags["XResolution"].value[1] == 40_000  # pixels a centimetre
        assert tags["YResolution"].value[0] / tags["YResolution"].value[1] == 20_000
        assert image.pages[0].description.startswith("About it.")
        assert image.pages[0].compression == tifffile.COMPRESSION.ADOBE_DEFLATE
    assert np.array_equal(levels[0], labels)
    assert np.array_equal(levels[1], labels[::2, ::2])
    assert np.array_equal(levels[2], labels[::4, ::4])
    with Image.open(path) as picture:
        assert picture.mode == "P"
        assert np.array_equal(np.asarray(picture), labels)
    with OpenSlide(path) as slide:
        assert slide.level_dimensions == ((813, 1301), (407, 651), (204, 326))
        assert float(slide.properties["openslide.mpp-x"]) == pytest.approx(0.25)
        region = np.asarray(slide.read_region((100, 900), 0, (300, 200)))[..., :3]
    assert np.array_equal(region, np.array(COLORS, dtype=np.uint8)[labels[900:1100, 100:400]])
    with open_slide(path) as slide:
        assert slide.mpp == pytest.approx((0.5, 0.25))
    assert np.array_equal(np.concatenate(list(label_rows(path))), labels)
    assert [file.name for file in tmp_path.iterdir()] == ["labels.tif"]


def test_grey_values_have_an_averaged_pyramid_and_no_resolution_where_none_is_known(tmp_path):
    values = (drawn_labels() * 50).astype(np.uint8)
    path = written(tmp_path / "probability.tif", values, colors=None, mpp=None)
    with tifffile.TiffFile(path) as image:
        assert image.pages[0].photometric == tifffile.PHOTOMETRIC.MINISBLACK
        assert image.pages[0].tags["ResolutionUnit"].value == 1
        half = image.pages[1].asarray()
    blocks = np.pad(values, ((0, 1), (0, 1)), mode="edge").reshape(651, 2, 407, 2).astype(int)
    assert np.array_equal(half, (blocks.sum(axis=(1, 3)) + 2) // 4)


@pytest.mark.parametrize("stop", [0, 200, 256, 700, 1301])
def test_a_stopped_image_goes_on_at_its_last_row_of_tiles(tmp_path, stop):
    labels = drawn_labels()
    path = tmp_path / "labels.tif"
    with writer(path) as image:
        for top in range(0, stop, 100):
            image.write(labels[top : min(top + 100, stop)])
        image._wait(0)
    assert not path.exists()
    with (path.with_name("labels.tif.part")).open("ab") as file:
        file.write(b"half a tile")
    with writer(path) as image:
        assert image.rows_done == (stop // 256 * 256 if stop < 1301 else 1301)
        image.write(labels[image.rows_done :])
        image.finish()
    assert path.read_bytes() == written(tmp_path / "in_one_go.tif", labels).read_bytes()


def test_a_journal_that_was_cut_off_counts_up_to_its_last_whole_line(tmp_path):
    labels = drawn_labels()
    path = tmp_path / "labels.tif"
    with writer(path) as image:
        image.write(labels[:800])
        image._wait(0)
    journal = path.with_name("labels.tif.journal")
    journal.write_bytes(journal.read_bytes()[:-9])
    with writer(path) as image:
        assert image.rows_done == 512


def test_rows_that_the_journal_has_and_the_file_lacks_are_wanted_again(tmp_path):
    labels = drawn_labels()
    path = tmp_path / "labels.tif"
    with writer(path) as image:
        image.write(labels[:800])
        image._wait(0)
    part = path.with_name("labels.tif.part")
    part.write_bytes(part.read_bytes()[:-5])  # a crash of the machine, not of the job
    with writer(path) as image:
        assert image.rows_done == 512
        image.write(labels[512:])
        image.finish()
    assert np.array_equal(tifffile.imread(path), labels)


def test_another_key_or_size_begins_anew(tmp_path):
    path = tmp_path / "labels.tif"
    with writer(path) as image:
        image.write(drawn_labels()[:800])
        image._wait(0)
    with writer(path, key="other") as image:
        assert image.rows_done == 0
    with LabelImageWriter(path, (900, 813), "other") as image:
        assert image.rows_done == 0


def test_a_whole_image_is_known_by_its_key(tmp_path):
    path = tmp_path / "labels.tif"
    assert not is_whole(path, "k")
    written(path, drawn_labels())
    assert is_whole(path, "k")
    assert not is_whole(path, "other")
    path.write_bytes(b"II*\0 something else")
    with pytest.raises(DataError, match=r"labels\.tif: is no label image of this package. --overwrite"):
        is_whole(path, "k")


def test_what_does_not_fit_is_refused(tmp_path):
    with writer(tmp_path / "labels.tif") as image:
        with pytest.raises(ValueError, match=r"rows: int64 of shape \(2, 813\), wanted uint8 \(at most 1301, 813\)"):
            image.write(np.zeros((2, 813), dtype=np.int64))
        with pytest.raises(ValueError, match=r"shape \(2, 812\)"):
            image.write(np.zeros((2, 812), dtype=np.uint8))
        with pytest.raises(ValueError, match="at most 1301"):
            image.write(np.zeros((1302, 813), dtype=np.uint8))
        with pytest.raises(ValueError, match="finish: 0 rows came, wanted 1301"):
            image.finish()


def test_a_journal_of_nonsense_is_named(tmp_path):
    (tmp_path / "labels.tif.journal").write_text("{}\nnonsense\n")
    (tmp_path / "labels.tif.part").write_bytes(b"")
    with pytest.raises(DataError, match=r"labels\.tif\.journal: can not be read .* Remove it"):
        writer(tmp_path / "labels.tif")


def test_a_full_disk_is_told_and_leaves_what_was_written(tmp_path, monkeypatch):
    path, labels = tmp_path / "labels.tif", drawn_labels()
    with writer(path) as image:
        image.write(labels[:256])
        image._wait(0)

        def refuse(rows):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(image, "_append", refuse)
        image.write(labels[256:512])
        with pytest.raises(OSError, match="No space left"):
            image.write(labels[512:])
    lines = path.with_name("labels.tif.journal").read_text().splitlines()
    assert len(lines) == 2
    assert json.loads(lines[0])["size"] == [1301, 813]
    with writer(path) as image:
        assert image.rows_done == 256


def test_forgetting_removes_all_of_it(tmp_path):
    path = written(tmp_path / "labels.tif", drawn_labels())
    with writer(path):
        pass
    forget(path)
    forget(path)
    assert list(tmp_path.iterdir()) == []
