"""Datalists: written whole, read back the same, refused when stale; folds and scans taken out of them."""

import json
import logging
import shutil
from pathlib import Path

import pytest
from monai.data import load_decathlon_datalist

from monai_gi.datasets.datalist import (
    ITEM_KEYS,
    load_datalist,
    scan_items,
    training_items,
    validation_items,
    write_datalist,
    write_index,
)
from monai_gi.datasets.splits import assign_folds
from monai_gi.datasets.uw_madison import index_uw_madison
from monai_gi.errors import DataError
from tests.drawn_dataset import draw_dataset, slice_path

SCANS = {
    f"case{case}_day{day}": {1: {}, 2: {"stomach": "2 3"}, 3: {"large_bowel": "1 2", "stomach": "2 3"}}
    for case, days in ((1, (0, 4)), (2, (3,)), (3, (0, 11)), (10, (2,)), (11, (0,)), (12, (5,)))
    for day in days
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    draw_dataset(tmp_path / "gi", SCANS)
    return tmp_path / "gi"


def write_changed(root: Path, change) -> Path:
    path = root / "datalist.json"
    write_index(root, path, folds=3)
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    return path


# Writing


def test_written_and_read_back_the_same(root: Path, tmp_path: Path):
    items = assign_folds(index_uw_madison(root), 3)
    write_datalist(tmp_path / "new/list.json", items, root)
    assert load_datalist(root, tmp_path / "new/list.json") == items
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["list.json"]


def test_another_distance_of_the_slices_replaces_that_of_the_items(root: Path):
    items = assign_folds(index_uw_madison(root), 3)
    write_datalist(root / "datalist.json", items, root)
    read = load_datalist(root, slice_spacing_mm=9.9)
    assert {item["spacing_mm"][2] for item in read} == {9.9}
    assert [item["spacing_mm"][:2] for item in read] == [item["spacing_mm"][:2] for item in items]
    with pytest.raises(ValueError, match="slice_spacing_mm: 0, wanted a distance above 0"):
        load_datalist(root, slice_spacing_mm=0)


def test_file_holds_what_monai_s_loader_wants(root: Path):
    write_index(root, root / "datalist.json")
    content = json.loads((root / "datalist.json").read_text())
    assert content["numTraining"] == len(content["training"]) == 24
    assert content["labels"] == {"0": "background", "1": "large_bowel", "2": "small_bowel", "3": "stomach"}
    assert content["modality"] == {"0": "MRI"}
    first = content["training"][0]
    assert set(first) == set(ITEM_KEYS)
    assert first["image"] == "train/case1/case1_day0/scans/slice_0001_7_5_1.50_2.25.png"
    loaded = load_decathlon_datalist(root / "datalist.json", is_segmentation=False)
    assert loaded[0]["image"] == str(root / first["image"])


def test_index_prints_its_table_with_folds_and_what_was_left_out(tmp_path: Path):
    draw_dataset(tmp_path, {**SCANS, "case43_day18": {1: {}}})
    report = write_index(tmp_path, tmp_path / "datalist.json", folds=2)
    assert "\nfold 1 " in report
    assert "\nfold 2 " not in report
    assert "case43_day18 (1 slices): listed as having known annotation issues" in report
    left_out = json.loads((tmp_path / "datalist.json").read_text())["left_out"]
    assert [(bad["scan"], bad["slices"]) for bad in left_out] == [("case43_day18", 1)]
    report = write_index(tmp_path, tmp_path / "datalist.json", folds=2, keep_known_bad=True)
    assert "left out" not in report
    assert json.loads((tmp_path / "datalist.json").read_text())["left_out"] == []


def test_index_deals_by_seed(root: Path):
    dealt = []
    for seed in (0, 0, 1, 2):
        write_index(root, root / "datalist.json", seed=seed)
        dealt.append([item["fold"] for item in load_datalist(root)])
    assert dealt[0] == dealt[1]
    assert dealt[0] != dealt[2] or dealt[0] != dealt[3]


def test_images_elsewhere_are_not_written(root: Path, tmp_path: Path):
    items = assign_folds(index_uw_madison(root), 3)
    with pytest.raises(ValueError, match="lies outside"):
        write_datalist(tmp_path / "list.json", items, tmp_path / "other")
    assert not (tmp_path / "list.json").exists()


def test_a_write_that_fails_leaves_the_old_file(root: Path):
    write_index(root, root / "datalist.json", folds=3)
    before = load_datalist(root)
    with pytest.raises(TypeError, match="not JSON serializable"):
        write_datalist(root / "datalist.json", [{**before[0], "fold": object()}], root)
    assert load_datalist(root) == before
    assert sorted(path.name for path in root.iterdir()) == ["datalist.json", "train", "train.csv"]


# Loading


def test_without_a_datalist_the_folder_is_indexed_now(root: Path):
    assert load_datalist(root, folds=4, seed=1) == assign_folds(index_uw_madison(root), 4, 1)
    assert load_datalist(root, folds=4, seed=1) != load_datalist(root, folds=4, seed=2)


def test_the_folder_s_own_datalist_comes_before_an_index(root: Path):
    write_index(root, root / "datalist.json", folds=2, seed=5)
    (root / "train.csv").unlink()
    assert {item["fold"] for item in load_datalist(root, folds=4)} == {0, 1}


def test_a_given_datalist_comes_before_the_folder_s_own(root: Path, tmp_path: Path):
    write_index(root, root / "datalist.json", folds=2)
    write_index(root, tmp_path / "three.json", folds=3)
    assert {item["fold"] for item in load_datalist(root, tmp_path / "three.json")} == {0, 1, 2}


def test_a_moved_data_set_keeps_its_datalist(root: Path, tmp_path: Path):
    write_index(root, root / "datalist.json", folds=2)
    moved = shutil.move(root, tmp_path / "elsewhere")
    assert load_datalist(moved)[0]["image"] == str(slice_path(tmp_path / "elsewhere", "case1_day0", 1))


def test_fewer_cases_than_folds_give_as_many_folds_as_cases(root: Path, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.INFO):
        items = load_datalist(root, folds=9)
    assert {item["fold"] for item in items} == set(range(6))
    assert "9 folds asked for, 6 cases found: dealing out 6 folds" in caplog.text
    assert "Indexed 24 slices of 6 cases" in caplog.text


def test_one_case_can_be_validated_but_not_trained_on(tmp_path: Path):
    draw_dataset(tmp_path, {"case1_day0": {1: {}, 2: {}}})
    items = load_datalist(tmp_path)
    assert len(validation_items(items, 0)) == 2
    with pytest.raises(DataError, match="every item is in fold 0, none is left to train on"):
        training_items(items, 0)


def test_bad_scans_left_out_of_an_index_now_are_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    draw_dataset(tmp_path, {**SCANS, "case43_day18": {1: {}}})
    assert len(load_datalist(tmp_path)) == 24
    assert "Left out case43_day18 (1 slices): listed as having known annotation issues" in caplog.text


@pytest.mark.parametrize("datalist", [None, "given"])
def test_missing_data_set_tells_how_to_get_it(tmp_path: Path, datalist: str | None):
    given = None if datalist is None else tmp_path / "given.json"
    if given:
        given.write_text("{}")
    with pytest.raises(DataError, match="kaggle competitions download") as error:
        load_datalist(tmp_path / "none", given)
    assert error.value.where == str(tmp_path / "none")


def test_missing_datalist(root: Path):
    with pytest.raises(DataError, match=r"none.json: the datalist does not exist; `monai-gi index uw-madison"):
        load_datalist(root, root / "none.json")


@pytest.mark.parametrize("text", ["", "{", "\x00"])
def test_datalist_that_is_no_json(root: Path, text: str):
    (root / "datalist.json").write_text(text)
    with pytest.raises(DataError, match="is no JSON"):
        load_datalist(root)


@pytest.mark.parametrize("text", ["[]", "{}", '{"training": []}', '{"training": ["a.png"]}', '{"training": {}}'])
def test_datalist_without_items(root: Path, text: str):
    (root / "datalist.json").write_text(text)
    with pytest.raises(DataError, match='no list of items under "training"'):
        load_datalist(root)


@pytest.mark.parametrize("key", ITEM_KEYS)
def test_datalist_that_lacks_a_key(root: Path, key: str):
    write_changed(root, lambda content: content["training"][4].pop(key))
    with pytest.raises(DataError, match=rf"training\[4\] lacks {key}\. Write it again"):
        load_datalist(root)


def test_datalist_with_other_classes(root: Path):
    write_changed(root, lambda content: content["training"][0]["label"].update(liver=""))
    with pytest.raises(DataError, match="has labels large_bowel, small_bowel, stomach, liver"):
        load_datalist(root)


def test_datalist_whose_images_are_gone(root: Path):
    write_index(root, root / "datalist.json", folds=3)
    shutil.rmtree(root / "train/case1")
    slice_path(root, "case2_day3", 2).unlink()
    with pytest.raises(DataError, match="7 of 24 images are gone") as error:
        load_datalist(root)
    assert error.value.problem.count("slice_000") == 3
    assert ", ..." in error.value.problem


# Folds and scans


def test_a_fold_is_for_validation_and_the_others_for_training(root: Path):
    items = load_datalist(root, folds=3)
    for fold in range(3):
        train, valid = training_items(items, fold), validation_items(items, fold)
        assert {item["fold"] for item in valid} == {fold}
        assert {item["fold"] for item in train} == {0, 1, 2} - {fold}
        assert len(train) + len(valid) == 24
        assert not {item["group"] for item in train} & {item["group"] for item in valid}


@pytest.mark.parametrize("take", [training_items, validation_items])
@pytest.mark.parametrize("fold", [3, -1])
def test_folds_that_are_not_there_are_named(root: Path, take, fold: int):
    with pytest.raises(DataError, match=rf"fold: {fold} asked for; the data list has the folds 0, 1, 2"):
        take(load_datalist(root, folds=3), fold)
    with pytest.raises(DataError, match=rf"fold: {fold} asked for, of no items at all"):
        take([], fold)


def test_scans_join_their_slices(root: Path):
    items = index_uw_madison(root)
    scans = scan_items(items)
    assert [scan["id"] for scan in scans] == list(SCANS)
    assert scans[1] == {
        "id": "case1_day4",
        "group": "case1",
        "image": [str(slice_path(root, "case1_day4", number)) for number in (1, 2, 3)],
        "label": [item["label"] for item in items[3:6]],
        "slices": [1, 2, 3],
        "slice_ids": [f"case1_day4_slice_000{number}" for number in (1, 2, 3)],
        "size": [5, 7],
        "spacing_mm": [2.25, 1.5, 3.0],
    }


def test_scans_sort_slices_that_come_in_any_order(root: Path):
    items = index_uw_madison(root)
    scans = scan_items([items[5], items[0], items[3], items[2], items[4], items[1]])
    assert [(scan["id"], scan["slices"]) for scan in scans] == [("case1_day4", [1, 2, 3]), ("case1_day0", [1, 2, 3])]
    assert scans[0]["label"] == [items[position]["label"] for position in (3, 4, 5)]


def test_scans_without_truth_have_no_label(root: Path):
    bare = [{key: item[key] for key in item if key != "label"} for item in index_uw_madison(root)]
    assert all("label" not in scan for scan in scan_items(bare))
    assert scan_items([]) == []


def test_scans_of_slices_that_disagree(root: Path):
    items = index_uw_madison(root)
    bare = {key: items[0][key] for key in items[0] if key != "label"}
    with pytest.raises(DataError, match="case1_day0: 2 of 3 slices have a label"):
        scan_items([bare, *items[1:]])
    with pytest.raises(DataError, match="case1_day0: slices disagree in size"):
        scan_items([{**items[0], "size": [7, 5]}, *items[1:]])
    with pytest.raises(DataError, match="case1_day0: slices disagree in spacing_mm"):
        scan_items([{**items[0], "spacing_mm": [1.5, 1.5, 3.0]}, *items[1:]])


def test_real_slices_load(real_data: Path, tmp_path: Path):
    folder = real_data / "uw_madison"
    write_index(folder, tmp_path / "list.json")
    items = load_datalist(folder, tmp_path / "list.json")
    assert items == load_datalist(folder)
    (whole,) = [scan for scan in scan_items(items) if scan["id"] == "case102_day0"]
    assert len(whole["image"]) == len(whole["label"]) == 144
