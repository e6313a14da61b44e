"""`monai-gi index biopsy`, the datalist and its table of colours; every fault of a folder at once."""

import json
import logging
import shutil

import numpy as np
import pytest
from PIL import Image

from monai_gi.datasets.biopsy import index_slides
from monai_gi.datasets.datalist import training_items, validation_items
from monai_gi.datasets.slide_lists import color_table_of, load_slides
from monai_gi.datasets.slide_patches import SlideGrid, SlidePatches
from monai_gi.errors import DataError
from monai_gi.slide_indexing import index_biopsy
from monai_gi.slides import read_color_table
from tests.drawn_slide_files import RGB_OF_INDEX, blobs, noise, write_pairs, write_tiff


@pytest.fixture
def root(tmp_path):
    return write_pairs(tmp_path / "biopsy")


def index(root, **options):
    output = root / "datalist.json"
    return index_biopsy(root, output, colors=root / "colors.yaml", progress=False, **options)


def test_items_hold_pairs_sizes_and_pixel_sizes(root):
    items = index_slides(root, progress=False)
    assert [item["id"] for item in items] == ["s0", "s1", "s2", "s3"]
    assert items[1] == {
        "id": "s1",
        "group": "s1",
        "image": str(root / "images" / "s1.tif"),
        "label": str(root / "masks" / "s1.png"),
        "size": [96, 128],
        "mpp": [0.4, 0.5],
    }


def test_pieces_of_a_slide_stay_together(tmp_path):
    for folder in ("case7", "case9", "case12"):
        write_pairs(tmp_path, count=2, folder=folder)
    items = load_slides(tmp_path, folds=3)
    assert [item["id"] for item in items[:3]] == ["case12_s0", "case12_s1", "case7_s0"]
    assert [item["group"] for item in items[:3]] == ["case12", "case12", "case7"]
    assert all(len({item["fold"] for item in items if item["group"] == group}) == 1 for group in ("case7", "case9"))


def test_paths_that_give_one_id_are_an_error(tmp_path):
    write_pairs(tmp_path, count=1, folder="a_s")
    for kind, name in (("images", "s0.tif"), ("masks", "s0.png")):
        (tmp_path / kind / "a").mkdir()
        shutil.copy(tmp_path / kind / "a_s" / name, tmp_path / kind / "a" / f"s_{name}")
    with pytest.raises(DataError, match=r"a_s/s0.tif: would get the id a_s_s0, as .*a/s_s0.tif does; wanted one each"):
        index_slides(tmp_path, progress=False)


def test_a_datalist_is_relative_and_holds_colours_pixels_and_folds(root, tmp_path):
    report = index(root, folds=2, seed=3)
    content = json.loads((root / "datalist.json").read_text())
    assert content["labels"] == {"0": "background", "1": "vessel", "2": "tubule"}
    first = content["training"][0]
    assert (first["image"], first["label"]) == ("images/s0.tif", "masks/s0.png")
    counts = np.bincount(blobs(96, 128, seed=0).ravel(), minlength=3).tolist()
    assert first["pixels"] == dict(zip(("background", "vessel", "tubule"), counts, strict=True))
    assert color_table_of(root) == read_color_table(root / "colors.yaml")
    moved = shutil.move(root, tmp_path / "moved")
    items = load_slides(moved)
    assert items[0]["image"] == str(tmp_path / "moved" / "images" / "s0.tif")
    assert len(training_items(items, 0)) == len(validation_items(items, 1)) == 2
    share = counts_of_all()[1] / (4 * 96 * 128)
    for line in ["slides           4", "pixel sizes, um  0.5 x 0.4 (slides: 4)", f"vessel           {share:.2%}"]:
        assert line in report
    assert "0.0 million, largest s0: 128 x 96 (W x H)" in report
    assert "fold 1           slides 2: " in report


def counts_of_all():
    return np.sum([np.bincount(blobs(96, 128, seed=n).ravel(), minlength=3) for n in range(4)], axis=0)


def test_another_seed_deals_anew(root):
    dealt = set()
    for seed in range(8):
        dealt.add(tuple(item["fold"] for item in load_slides(root, folds=2, seed=seed)))
    assert len(dealt) > 1


def test_few_groups_give_few_folds(root, caplog):
    with caplog.at_level(logging.WARNING, logger="monai_gi"):
        items = load_slides(root, folds=5)
    assert {item["fold"] for item in items} == {0, 1, 2, 3}
    assert "5 folds asked for, 4 groups of slides found: dealing out 4" in caplog.text
    for name in ("s1", "s2", "s3"):
        (root / "images" / f"{name}.tif").unlink()
        (root / "masks" / f"{name}.png").unlink()
    assert [item["fold"] for item in load_slides(root)] == [0]
    with pytest.raises(ValueError, match="folds: 1, wanted at least 2"):
        index(root, folds=1)


def test_every_fault_of_a_folder_comes_at_once(root):
    (root / "masks" / "s0.png").unlink()
    (root / "images" / "s1.tif").unlink()
    Image.fromarray(RGB_OF_INDEX[blobs(128, 96)]).save(root / "masks" / "s2.png")
    write_tiff(root / "images" / "s3.tif", noise(96, 128).astype(np.uint16))
    Image.fromarray(noise(96, 128)).save(root / "images" / "s3.png")
    Image.fromarray(RGB_OF_INDEX[blobs(20, 30)]).save(root / "masks" / "s4.png")
    Image.fromarray(noise(40, 60)).save(root / "images" / "s4.jpg")
    (root / "images" / "notes.txt").write_text("passed over")
    (root / "images" / ".hidden.png").write_text("passed over")
    with pytest.raises(DataError, match="6 problems") as fault:
        index_slides(root, progress=False)
    text = str(fault.value)
    assert "images: 1 of 4 files have no partner of the same name" in text
    assert "masks: 1 of 4 files have no partner of the same name" in text
    assert "s3.tif: has the name of s3.png; wanted one file a name" in text
    assert "s3.tif: 16 bits a sample" in text
    assert "s2.png: 96 x 128 (W x H), s2.tif has 128 x 96; wanted one size. Width and height are swapped" in text
    assert "s4.png: 30 x 20 (W x H), s4.jpg has 60 x 40; wanted one size. Export it at full resolution" in text


def test_stray_colours_of_all_label_maps_come_at_once(root):
    for name in ("s0", "s2"):
        label = np.asarray(Image.open(root / "masks" / f"{name}.png")).copy()
        label[5, 7:9] = (1, 2, 3)
        Image.fromarray(label).save(root / "masks" / f"{name}.png")
    with pytest.raises(DataError, match="2 problems") as fault:
        index(root)
    assert str(fault.value).count("2 of 12288 pixels (0.02%) have unknown colours: (1, 2, 3) 2 px") == 2
    assert not (root / "datalist.json").exists()
    (root / "colors.yaml").write_text("max_unknown_share: 0.001\nunknown: 1\n" + (root / "colors.yaml").read_text())
    assert "unknown colours  4 pixels (0.01%), taken as vessel" in index(root)


def test_a_budget_reaches_pictures_that_are_decoded_whole(root):
    with pytest.raises(DataError, match=r"s0.png: 128 x 96 .* over the budget of 12,000"):
        index(root, max_pixels=12_000)
    index(root, max_pixels=12_288)


def test_missing_folders_tell_how_to_get_the_data(tmp_path):
    with pytest.raises(DataError, match=r"none: can not be opened .* `monai-gi phantom biopsy DIR`"):
        index_slides(tmp_path / "none", progress=False)
    with pytest.raises(DataError, match="no folder `images` there"):
        index_slides(tmp_path, progress=False)
    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
    with pytest.raises(DataError, match=r"images: holds no images; wanted one of .bif, "):
        index_slides(tmp_path, progress=False)


def test_faulty_datalists_are_named(root):
    path = root / "datalist.json"
    with pytest.raises(DataError, match="the datalist does not exist; `monai-gi index biopsy"):
        load_slides(root, path)
    index(root)
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "training": [{"id": "s0"}]}))
    with pytest.raises(DataError, match=r"training\[0\] lacks fold, group, image, label, mpp, size"):
        load_slides(root)
    del content["colors"]
    path.write_text(json.dumps(content))
    with pytest.raises(DataError, match="no table of colours under `colors`"):
        color_table_of(root)
    (root / "images" / "s2.tif").unlink()
    with pytest.raises(DataError, match=r"1 of 8 images are gone: .*s2.tif"):
        load_slides(root)


def test_real_glomeruli_become_patches(real_data, tmp_path):
    root = real_data / "glomeruli_biopsy"
    if not root.is_dir():
        pytest.skip("no glomeruli among the real data")
    rows = "classes:\n  - {name: background, index: 0, rgb: [0, 0, 0]}\n"
    (tmp_path / "colors.yaml").write_text(rows + "  - {name: glomerulus, index: 3, rgb: [255, 0, 0]}\n")
    report = index_biopsy(root, tmp_path / "list.json", colors=tmp_path / "colors.yaml", progress=False)
    assert "glomerulus       8.68%" in report
    items, colors = load_slides(root, tmp_path / "list.json"), color_table_of(root, tmp_path / "list.json")
    few = training_items(items, 0)[:2]
    data = SlidePatches(few, colors, [256, 192], [0, 1], samples_per_epoch=4, background_share=0.5, progress=False)
    assert sorted(bool((data[number]["label"] == 3).any()) for number in range(4)) == [False, False, True, True]
    assert SlideGrid(validation_items(items, 0)[:1], colors, 256)[0]["image"].shape == (3, 256, 256)
