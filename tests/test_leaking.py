"""`monai-gi leaks`: planted near-duplicates are found in any kind of datalist, told with groups and folds, drawn."""

import csv
import json

import nibabel as nib
import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from monai_gi.cli import main
from monai_gi.errors import DataError, DataErrors
from monai_gi.leaking import LeakPair, report_leaks
from monai_gi.leaking.images import read_image, shown
from monai_gi.leaking.items import ListedImage
from monai_gi.leaking.report import spread
from monai_gi.near_duplicates import thumbnail, unit_vectors


def scene(seed, size=(90, 120)):
    """(H, W, 3) uint8: blobs on a layout with dark corners that all scenes share."""
    rows, columns = np.indices(size)
    bright = np.hypot(rows - size[0] / 2, columns - size[1] / 2) < 0.45 * size[1]
    blobs = gaussian_filter(np.random.default_rng(seed).normal(size=size), 4.0)
    grey = bright * (120 + 700 * blobs)
    return np.clip(grey[..., None] * (1.2, 0.8, 0.6), 0, 255).astype(np.uint8)


def write_list(folder, entries, **top):
    """A datalist of frames; entries are (name, picture, group, fold or None)."""
    folder.mkdir(exist_ok=True)
    items = []
    for name, picture, group, fold in entries:
        Image.fromarray(picture).save(folder / name)
        items.append({"id": name.partition(".")[0], "group": group, "image": name})
        if fold is not None:
            items[-1]["fold"] = fold
    (folder / "datalist.json").write_text(json.dumps({"training": items, **top}))
    return folder / "datalist.json"


def entries(folds=(0, 0, 1, 1, 2, 2)):
    """Three sequences of two frames; c2 is b1 seen again through JPEG, one grey level brighter."""
    again = (scene(3).astype(int) + 1).clip(0, 255).astype(np.uint8)
    frames = (("a1.png", 1), ("a2.png", 2), ("b1.png", 3), ("b2.png", 4), ("c1.png", 5))
    listed = [
        (name, scene(seed), f"sequence_{name[0]}", fold) for (name, seed), fold in zip(frames, folds, strict=False)
    ]
    return [*listed, ("c2.jpg", again, "sequence_c", folds[5])]


def test_a_near_duplicate_in_another_fold_is_found_and_told(tmp_path):
    datalist = write_list(tmp_path / "data", entries())
    report = report_leaks(datalist, output=tmp_path / "out")
    (pair,) = report.pairs
    assert (pair.a.name, pair.a.group, pair.a.part) == ("b1", "sequence_b", "fold 1")
    assert (pair.b.name, pair.b.group, pair.b.part) == ("c2", "sequence_c", "fold 2")
    assert pair.correlation > 0.99
    assert pair.detail > 0.99
    assert (report.images, report.leaking, report.split_groups) == (6, 2, ())
    assert f"{datalist}: 6 images in 3 folds" in report.text
    assert "near-duplicate in another fold: 2 images (33%), 1 pair\n" in report.text
    assert "fold 0: 0 of 2 images\n  fold 1: 1 of 2 images\n  fold 2: 1 of 2 images" in report.text
    assert "b1 (sequence_b, fold 1) - c2 (sequence_c, fold 2)" in report.text
    assert "1 of the pairs are of different groups" in report.text
    with (tmp_path / "out" / "leaks.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert (row["id_a"], row["part_a"], row["image_a"]) == ("b1", "fold 1", "b1.png")
    assert (row["id_b"], row["group_b"], row["image_b"]) == ("c2", "sequence_c", "c2.jpg")
    assert float(row["detail"]) == pytest.approx(pair.detail, abs=1e-3)
    with Image.open(tmp_path / "out" / "leaks.png") as picture:
        assert picture.width > 500
    assert str(tmp_path / "out") in report.text


def test_duplicates_within_a_fold_are_no_leak_but_groups_in_several_folds_are_told(tmp_path):
    report = report_leaks(write_list(tmp_path, entries(folds=(0, 1, 2, 0, 1, 2))))
    assert report.pairs == ()
    assert report.leaking == 0
    assert report.split_groups == ("sequence_a", "sequence_b", "sequence_c")
    assert "3 of 3 groups stand in several folds: sequence_a, sequence_b, sequence_c. Deal whole" in report.text
    assert not (tmp_path / "leaks.csv").exists()


def test_without_folds_groups_are_compared(tmp_path):
    report = report_leaks(write_list(tmp_path, entries(folds=(None,) * 6)))
    assert [(pair.a.name, pair.b.name) for pair in report.pairs] == [("b1", "c2")]
    assert "6 images in 3 groups" in report.text
    assert "near-duplicate in another group: 2 images" in report.text


def test_images_that_no_fold_holds_are_compared_too(tmp_path):
    listed = entries(folds=(0, 0, 0, 0, 0, 0))
    datalist = write_list(tmp_path, listed)
    content = json.loads(datalist.read_text())
    content["test"] = [content["training"].pop()]
    datalist.write_text(json.dumps(content))
    (pair,) = report_leaks(datalist).pairs
    assert {pair.a.part, pair.b.part} == {"fold 0", "test"}


def test_what_is_alike_at_a_glance_only_is_counted_but_is_no_near_duplicate(tmp_path):
    datalist = write_list(tmp_path / "data", entries())
    report = report_leaks(datalist, threshold=0.5, output=tmp_path / "out")
    assert report.alike > 3
    assert len(report.pairs) == 1
    assert f"alike at a glance: {report.alike} of 12 pairs across folds (thumbnails from 0.5 on)" in report.text
    assert len(report_leaks(datalist, threshold=0.5, detail=0).pairs) > 3
    assert report_leaks(datalist, threshold=0.5, detail=1).pairs == ()


def test_a_moved_copy_is_found_among_many_that_are_more_alike_at_a_glance(tmp_path):
    first, moved = scene(1), np.roll(scene(1), (7, -5), axis=(0, 1))
    crowd = [
        (f"{name}{seed}.png", (0.4 * one + 0.6 * scene(seed)).astype(np.uint8), f"{name}{seed}", fold)
        for name, one, fold, seeds in (("b", first, 1, range(20, 26)), ("d", moved, 0, range(30, 36)))
        for seed in seeds
    ]
    datalist = write_list(tmp_path, [("a.png", first, "a", 0), ("c.png", moved, "c", 1), *crowd])
    (pair,) = report_leaks(datalist, threshold=0.45).pairs
    assert (pair.a.name, pair.b.name) == ("a", "c")
    vectors = unit_vectors(np.stack([thumbnail(one) for one in (first, moved, *(row[1] for row in crowd))]))
    assert (vectors[2:8] @ vectors[0] > pair.correlation).all()
    assert (vectors[8:] @ vectors[1] > pair.correlation).all()


def test_an_image_with_many_copies_keeps_the_four_that_are_most_alike(tmp_path):
    noise = np.random.default_rng(0).normal(size=(90, 120, 1))
    copies = [np.clip(scene(1) + 4 * number * noise, 0, 255).astype(np.uint8) for number in range(1, 7)]
    entries = [(f"b{number}.png", picture, f"b{number}", 1) for number, picture in enumerate(copies)]
    report = report_leaks(write_list(tmp_path, [("a.png", scene(1), "a", 0), *entries]), detail=0.0)
    assert [pair.b.name for pair in report.pairs[:4]] == ["b0", "b1", "b2", "b3"]
    assert len(report.pairs) == report.alike == 6  # each of the last two has no other partner


def test_another_folder_of_images_and_the_exit_code_of_the_command(tmp_path, capsys):
    write_list(tmp_path / "data", entries())
    datalist = (tmp_path / "data" / "datalist.json").rename(tmp_path / "moved.json")
    with pytest.raises(DataError, match=r"6 of 6 images are gone: .*a1\.png.* Is the data set's folder right\?"):
        report_leaks(datalist)
    assert main(["leaks", str(datalist), "--dataset_dir", str(tmp_path / "data")]) == 1
    assert "b1 (sequence_b, fold 1)" in capsys.readouterr().out
    clean = write_list(tmp_path / "clean", entries()[:5])
    assert main(["leaks", str(clean)]) == 0


def test_slices_of_16_bits_and_volumes_are_compared_by_what_they_show(tmp_path):
    items = []
    for number, seed in enumerate((1, 2, 3, 1)):
        grey = scene(seed)[..., 0].astype(np.uint16) * (11 if number == 3 else 50)
        Image.fromarray(grey).save(tmp_path / f"{number}.png")
        items.append({"id": f"case{number}", "group": f"case{number}", "image": f"{number}.png", "fold": number % 2})
    for number in (4, 5):
        volume = np.stack([scene(7)[..., 0], scene(8)[..., 0], scene(9)[..., 0]], axis=2).astype(np.float32)
        volume[..., 0] = number
        nib.save(nib.Nifti1Image(volume, np.diag([1.5, 1.5, 3, 1])), tmp_path / f"{number}.nii.gz")
        items.append({"id": f"scan{number}", "image": ["0.png", f"{number}.nii.gz", "1.png"], "fold": number % 2})
    (tmp_path / "list.json").write_text(json.dumps({"training": items}))
    pairs = report_leaks(tmp_path / "list.json").pairs
    assert {(pair.a.name, pair.b.name) for pair in pairs} == {("case0", "case3"), ("scan4", "scan5")}
    assert all(pair.detail > 0.99 for pair in pairs)


def test_lists_with_a_colour_table_are_opened_as_slides(tmp_path, monkeypatch):
    opened = []

    def open_as_slide(path):
        opened.append(path.name)
        return np.asarray(Image.open(path))

    monkeypatch.setattr("monai_gi.leaking.images._slide", open_as_slide)
    datalist = write_list(tmp_path, entries()[2:], colors=[])
    assert len(report_leaks(datalist).pairs) == 1
    assert sorted(opened) == ["b1.png", "b2.png", "c1.png", "c2.jpg"]


def test_large_pictures_are_read_as_slides_too(tmp_path, monkeypatch):
    Image.fromarray(scene(1)).save(tmp_path / "large.png")
    monkeypatch.setattr("monai_gi.leaking.images.SLIDE_PIXELS", 1000)
    image = read_image(tmp_path / "large.png")
    np.testing.assert_allclose(image.astype(float), scene(1), atol=1)


def test_faults_are_told_at_once(tmp_path):
    datalist = write_list(tmp_path, entries())
    (tmp_path / "a1.png").write_bytes(b"")
    (tmp_path / "b2.png").write_bytes(b"no picture")
    with pytest.raises(DataErrors, match=r"can not be compared: 2 problems:[\s\S]*a1\.png[\s\S]*b2\.png"):
        report_leaks(datalist)


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ("{", "is no JSON"),
        ('{"training": []}', 'no list of items under "training"'),
        ('{"training": [{"label": "a"}]}', r"training\[0\] names no image"),
        ('{"training": [{"image": "a.png"}], "test": 5}', 'no list of items under "test"'),
        ('{"training": [{"image": "a.png"}], "validation": {"a": 1}}', 'no list of items under "validation"'),
        ('{"training": [{"image": "a.png"}, {"image": "b.png"}]}', "neither several folds nor several groups"),
        ('{"training": [{"image": "a.png", "fold": 0}]}', "neither several folds nor several groups"),
    ],
)
def test_a_list_that_can_not_be_compared_is_refused(tmp_path, content, match):
    for name in ("a.png", "b.png"):
        Image.fromarray(scene(1)).save(tmp_path / name)
    (tmp_path / "list.json").write_text(content)
    with pytest.raises(DataError, match=match):
        report_leaks(tmp_path / "list.json")


@pytest.mark.parametrize("words", [{"detail": 1.1}, {"detail": -0.1}, {"worst": 0}, {"threshold": 2}])
def test_numbers_out_of_range_are_refused(tmp_path, words):
    with pytest.raises(ValueError, match="wanted"):
        report_leaks(write_list(tmp_path, entries()), **words)


def test_what_can_not_end_well_is_refused_before_images_are_read(tmp_path, monkeypatch):
    datalist = write_list(tmp_path, entries())
    monkeypatch.setattr("monai_gi.leaking.report.read_thumbnails", lambda *_, **__: pytest.fail("images were read"))
    with pytest.raises(ValueError, match="threshold: 2, wanted a correlation above 0"):
        report_leaks(datalist, threshold=2)
    with pytest.raises(DataError, match=r"a1\.png is a file, wanted a folder for results"):
        report_leaks(datalist, output=tmp_path / "a1.png")


def test_one_file_in_two_folds_is_an_image_of_each(tmp_path):
    datalist = write_list(tmp_path, [("a1.png", scene(1), "a", 0), ("a1.png", scene(1), "a", 1)])
    report = report_leaks(datalist, output=tmp_path / "out")
    assert report.leaking == 2
    assert "2 images (100%), 1 pair\n" in report.text
    assert "fold 0: 1 of 1 images\n  fold 1: 1 of 1 images" in report.text


def test_a_picture_of_an_earlier_list_does_not_stay(tmp_path):
    report_leaks(write_list(tmp_path / "leaking", entries()), output=tmp_path / "out")
    report = report_leaks(write_list(tmp_path / "clean", entries()[:3]), threshold=0.999, output=tmp_path / "out")
    assert "leaks.png" not in report.text
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["leaks.csv"]


def test_the_worst_pairs_show_each_image_once_and_new_groups_first(tmp_path):
    def image(name):
        return ListedImage(name, name[0], "fold 0", tmp_path / name)

    names = [("a1", "b1"), ("a1", "b2"), ("a2", "b2"), ("c1", "d1"), ("a3", "c2")]
    pairs = [LeakPair(image(a), image(b), 1.0, 1.0 - 0.01 * rank) for rank, (a, b) in enumerate(names)]
    assert [pairs.index(pair) for pair in spread(pairs, 3)] == [0, 3, 4]
    assert [pairs.index(pair) for pair in spread(pairs, 9)] == [0, 2, 3, 4]
    assert spread([], 3) == []


def test_pictures_keep_their_proportions():
    assert shown(scene(1)).shape == (192, 256, 3)
    grey = shown(np.arange(60, dtype=np.uint16).reshape(10, 6) * 400)
    assert grey.shape == (256, 154, 3)
    assert grey.min() < 10
    assert grey.max() > 245
