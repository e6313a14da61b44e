"""The index of UW-Madison: what it lists, what it names as wrong, and how fast."""

import shutil
from pathlib import Path

import pytest

from monai_gi.datasets.known_bad import KNOWN_BAD_SCANS
from monai_gi.datasets.scan_folders import number_ranges
from monai_gi.datasets.uw_madison import index_scans, index_uw_madison, read_uw_madison
from monai_gi.datasets.uw_madison_report import index_report
from monai_gi.errors import DataError, DataErrors
from tests.drawn_dataset import draw_dataset, draw_image, png_header, rows_of, slice_path, write_rows

SCANS = {
    "case11_day0": {1: {"stomach": "1 3"}, 2: {"stomach": "8 2", "large_bowel": "9 1 20 2"}},
    "case2_day10": {7: {}, 8: {"small_bowel": "1 35"}},
    "case2_day9": {1: {}},
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    draw_dataset(tmp_path, SCANS)
    return tmp_path


def faults_of(root: Path) -> list[str]:
    with pytest.raises(DataErrors) as error:
        index_uw_madison(root)
    return [str(problem).replace(f"{root}/", "") for problem in error.value.problems]


def spoil_rows(root: Path, change) -> list[str]:
    write_rows(root, change(rows_of_all()))
    return faults_of(root)


def rows_of_all() -> list[tuple[str, str, str]]:
    return [row for scan, slices in SCANS.items() for number in slices for row in rows_of(scan, number, slices[number])]


# What is listed


def test_items_follow_the_contract(root: Path):
    items = index_uw_madison(root)
    assert items[3] == {
        "id": "case11_day0_slice_0001",
        "group": "case11",
        "scan": "case11_day0",
        "slice": 1,
        "image": str(slice_path(root, "case11_day0", 1)),
        "label": {"large_bowel": "", "small_bowel": "", "stomach": "1 3"},
        "size": [5, 7],
        "spacing_mm": [2.25, 1.5, 3.0],
    }


def test_items_are_sorted_by_case_day_and_slice_as_numbers(root: Path):
    ids = [item["id"] for item in index_uw_madison(root)]
    assert ids == [
        "case2_day9_slice_0001",
        "case2_day10_slice_0007",
        "case2_day10_slice_0008",
        "case11_day0_slice_0001",
        "case11_day0_slice_0002",
    ]


def test_order_of_rows_changes_nothing(root: Path):
    before = index_uw_madison(root)
    header, *rows = (root / "train.csv").read_text().splitlines()
    (root / "train.csv").write_text("\n".join([header, *reversed(rows)]))
    after = index_uw_madison(root)
    assert after == before
    assert [list(item["label"]) for item in after] == [["large_bowel", "small_bowel", "stomach"]] * 5


def test_a_spreadsheet_s_byte_order_mark_changes_nothing(root: Path):
    before = index_uw_madison(root)
    (root / "train.csv").write_bytes(b"\xef\xbb\xbf" + (root / "train.csv").read_bytes())
    assert index_uw_madison(root) == before


def test_hidden_files_are_no_data(root: Path):
    for folder in ("train", "train/case2", "train/case2/case2_day9/scans"):
        (root / folder / ".DS_Store").write_bytes(b"x")
    assert len(index_uw_madison(root)) == 5


def test_published_bad_scans_are_left_out_and_named_with_their_source(tmp_path: Path):
    draw_dataset(tmp_path, {**SCANS, "case7_day0": {1: {}, 2: {}}})
    items, left_out = read_uw_madison(tmp_path)
    assert {item["scan"] for item in items} == set(SCANS)
    assert left_out == [{"scan": "case7_day0", "slices": 2, "source": KNOWN_BAD_SCANS["case7_day0"]}]
    assert "case7_day0 (2 slices): listed as having known annotation issues" in index_report(items, left_out)


def test_published_bad_scans_stay_when_asked(tmp_path: Path):
    draw_dataset(tmp_path, {**SCANS, "case7_day0": {1: {}, 2: {}}})
    items, left_out = read_uw_madison(tmp_path, keep_known_bad=True)
    assert len(items) == 7
    assert left_out == []


def test_published_bad_scans_are_fourteen():
    assert len(KNOWN_BAD_SCANS) == 14
    assert sum("github.com/happyharrycn" in source for source in KNOWN_BAD_SCANS.values()) == 12


# What is wrong


def test_row_without_image(root: Path):
    for number in (1, 2):
        slice_path(root, "case11_day0", number).rename(slice_path(root, "case11_day0", number + 10))
    assert faults_of(root)[:2] == [
        "train.csv, case11_day0: rows for absent images: slice 1-2. Copy the images again, or take the rows out",
        "train.csv, case11_day0: images without rows: slice 11-12. Take them out, or get the whole table",
    ]


def test_doubled_row(root: Path):
    assert spoil_rows(root, lambda rows: [*rows, rows[0]]) == [
        "train.csv, row 2, 17: case11_day0_slice_0001 has 2 rows for large_bowel; keep one"
    ]


def test_unknown_class(root: Path):
    found = spoil_rows(root, lambda rows: [*rows, ("case2_day9_slice_0001", "liver", ""), (rows[0][0], "liver", "")])
    assert found == [
        "train.csv, row 17-18: class 'liver' is unknown; one of large_bowel, small_bowel, stomach is wanted"
    ]


def test_missing_class(root: Path):
    found = spoil_rows(root, lambda rows: [row for row in rows if row[0] != "case2_day9_slice_0001" or "b" in row[1]])
    assert found == [
        "train.csv, case2_day9: no row for stomach: slice 1; a row per class is wanted, empty where there is none"
    ]


def test_unreadable_id(root: Path):
    found = spoil_rows(root, lambda rows: [*rows, ("case2_slice_0001", "stomach", "")])
    assert found == ["train.csv, row 17: id 'case2_slice_0001' is unreadable; caseN_dayD_slice_NNNN is wanted"]


@pytest.mark.parametrize(
    ("runs", "problem"),
    [
        ("1 2 3", "odd in number: 3 found"),
        ("1 two", "not numeric: 'two' found"),
        ("35 2", r"run 1 (35 2) is out of the image: pixels 1 to 35 wanted"),
        ("1 4 4 2", "run 2 (4 2) overlaps the run before"),
        ("9 1 4 2", "run 2 (4 2) is not in ascending order"),
    ],
)
def test_bad_run_lengths_are_named_with_their_row(root: Path, runs: str, problem: str):
    found = spoil_rows(root, lambda rows: [*rows[:2], (rows[2][0], "stomach", runs), *rows[3:]])
    assert len(found) == 1
    assert found[0].startswith("train.csv, row 4 (case11_day0_slice_0001, stomach): ")
    assert problem in found[0]


def test_run_lengths_are_held_against_their_own_image(root: Path):
    draw_image(root, "case3_day0", 1, size=(6, 7))
    write_rows(root, [*rows_of_all(), *rows_of("case3_day0", 1, {"stomach": "42 1"})])
    assert len(index_uw_madison(root)) == 6


def test_size_that_disagrees_with_the_name(root: Path):
    draw_image(root, "case2_day9", 1, content=png_header((7, 5)))
    assert faults_of(root) == [
        "train/case2/case2_day9/scans/slice_0001_7_5_1.50_2.25.png: "
        "5x7 in the file, 7x5 (width x height) in its name. Swap width and height?"
    ]


def test_size_that_disagrees_otherwise(root: Path):
    draw_image(root, "case2_day9", 1, content=png_header((5, 8)))
    assert "8x5 in the file, 7x5 (width x height) in its name. Correct the name?" in faults_of(root)[0]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (png_header((5, 7), bits=8), "8-bit grey image, 16-bit grey wanted"),
        (png_header((5, 7), colour=2), "16-bit colour image, 16-bit grey wanted"),
        (png_header((5, 7))[:20], "is no PNG image, or is cut short"),
        (b"", "is no PNG image, or is cut short"),
        (b"\xff\xd8\xff\xe0" + bytes(40), "is no PNG image, or is cut short"),
    ],
)
def test_images_of_another_kind(root: Path, content: bytes, problem: str):
    draw_image(root, "case2_day9", 1, content=content)
    found = faults_of(root)
    assert len(found) == 1
    assert problem in found[0]


def test_image_that_can_not_be_read(root: Path):
    path = draw_image(root, "case2_day9", 1)
    path.unlink()
    path.mkdir()
    assert "can not be read: Is a directory" in faults_of(root)[0]


def test_spacing_of_zero(root: Path):
    path = slice_path(root, "case2_day9", 1)
    path.rename(path.with_name("slice_0001_7_5_0.00_1.50.png"))
    assert "pixel spacing of 0 mm in its name" in faults_of(root)[0]


def test_unreadable_names(root: Path):
    scans = root / "train/case2/case2_day9/scans"
    (scans / "slice_1.png").write_bytes(png_header((5, 7)))
    (root / "train/notes.txt").write_text("x")
    (root / "train/case2/case3_day1").mkdir()
    (root / "train/case5").mkdir()
    found = "\n".join(sorted(faults_of(root)))
    assert "train/notes.txt: name is unreadable; a folder caseN is wanted here" in found
    assert "train/case2/case3_day1: name is unreadable; a folder case2_dayD is wanted here" in found
    assert "train/case5: no day in this case" in found
    assert "slice_1.png: name is unreadable; slice_NNNN_W_H_sx_sy.png is wanted" in found


def test_scan_folder_that_is_missing_or_empty(root: Path):
    shutil.rmtree(root / "train/case2/case2_day9/scans")
    (root / "train/case2/case2_day1/scans").mkdir(parents=True)
    found = faults_of(root)
    assert "train/case2/case2_day1/scans: no slices here" in found[0]
    assert "train/case2/case2_day9/scans: folder is missing; it should hold the slices of case2_day9" in found[1]


def test_one_slice_in_two_files(root: Path):
    path = slice_path(root, "case2_day9", 1)
    shutil.copy(path, path.with_name("slice_0001_7_5_1.50_1.50.png"))
    found = faults_of(root)
    assert "train/case2/case2_day9/scans: slice 1 has more than one file; keep one of each" in found
    assert any("disagree in their spacings (row, column) in mm: (1.5, 1.5), (2.25, 1.5)" in fault for fault in found)


def test_sizes_mixed_in_one_scan(root: Path):
    slice_path(root, "case2_day10", 8).unlink()
    draw_image(root, "case2_day10", 8, size=(6, 7))
    assert any("disagree in their sizes (H, W): (5, 7), (6, 7)" in fault for fault in faults_of(root))


def test_every_problem_is_told_at_once(root: Path):
    draw_image(root, "case2_day9", 1, content=png_header((7, 5)))
    draw_image(root, "case4_day0", 3)
    found = spoil_rows(root, lambda rows: [*rows[:2], (rows[2][0], "stomach", "1 2 3"), *rows[3:], rows[-1]])
    assert len(found) == 4
    with pytest.raises(DataErrors, match="4 problems:"):
        index_uw_madison(root)


def test_faults_of_a_bad_scan_are_told_too(tmp_path: Path):
    draw_dataset(tmp_path, {**SCANS, "case7_day0": {1: {"stomach": "1 2 3"}}})
    assert "odd in number" in faults_of(tmp_path)[0]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "can not be read"),
        ("id,segmentation\na,1 2\n", "columns are id, segmentation; a comma-separated table"),
        ("id,class,segmentation\na,b,c\na,b,c,d\n", "can not be read"),
        ("id,class,segmentation\na,b,c,d\n", "can not be read"),
    ],
)
def test_tables_of_another_kind(root: Path, text: str, problem: str):
    (root / "train.csv").write_text(text)
    with pytest.raises(DataError, match=problem):
        index_uw_madison(root)


# Where there is no data set


@pytest.mark.parametrize("there", ["nothing", "folder", "train.csv", "train"])
def test_missing_data_set_tells_folder_kaggle_and_phantom(tmp_path: Path, there: str):
    root = tmp_path / "gi"
    if there != "nothing":
        root.mkdir()
    if there == "train.csv":
        (root / "train.csv").touch()
    if there == "train":
        (root / "train").mkdir()
    with pytest.raises(DataError) as error:
        index_uw_madison(root)
    text = str(error.value)
    assert text.startswith(f"{root}: no UW-Madison data set")
    assert "kaggle competitions download -c uw-madison-gi-tract-image-segmentation" in text
    assert "monai-gi phantom uw-madison DIR" in text
    assert "--dataset_dir DIR" in text
    missing = {"folder": "train.csv and train not", "train.csv": ": train not", "train": ": train.csv not"}
    assert missing.get(there, "does not exist") in text


def test_data_set_one_folder_deeper_is_found_and_named(tmp_path: Path):
    draw_dataset(tmp_path / "uw-madison", SCANS)
    with pytest.raises(DataError, match=rf"train.csv lies in {tmp_path}/uw-madison: give `--dataset_dir"):
        index_uw_madison(tmp_path)


def test_nothing_left_to_index(tmp_path: Path):
    draw_dataset(tmp_path / "bad", {"case7_day0": {1: {}}})
    with pytest.raises(DataError, match="all 1 scans are published as bad"):
        index_uw_madison(tmp_path / "bad")
    (tmp_path / "empty/train").mkdir(parents=True)
    write_rows(tmp_path / "empty", [])
    with pytest.raises(DataError, match="train/ holds no scans"):
        index_uw_madison(tmp_path / "empty")


# The report


def test_report_counts(root: Path):
    lines = [" ".join(line.split()) for line in index_report(index_uw_madison(root)).splitlines()]
    assert lines == [
        "cases 2",
        "days (scans) 3",
        "slices 5",
        "sizes, width x height 7 x 5 (5 slices)",
        "spacings, mm 1.5 x 2.25 x 3 (5 slices)",
        "slices with large_bowel 1 (20.0%)",
        "slices with small_bowel 1 (20.0%)",
        "slices with stomach 2 (40.0%)",
        "slices without organs 2 (40.0%)",
    ]


def test_gaps_are_told_and_stop_nothing(tmp_path: Path):
    draw_dataset(tmp_path, {"case2_day9": {3: {}, 4: {}, 6: {}, 9: {}}, "case3_day0": {1: {}, 2: {}}})
    report = index_report(index_uw_madison(tmp_path)).splitlines()
    assert report[-2:] == [
        "gaps in the slice numbers (scans: 1; a missing neighbour is the nearest slice present):",
        "  case2_day9: slice 5, 7-8",
    ]


# Scans without labels


def test_scans_are_found_at_and_above_their_folder(root: Path):
    (root / "test").mkdir()
    shutil.move(root / "train/case2", root / "test/case2")
    everywhere = index_scans(root / "test")
    assert [scan["id"] for scan in everywhere] == ["case2_day9", "case2_day10"]
    for folder in ("case2/case2_day10", "case2/case2_day10/scans"):
        assert index_scans(root / "test" / folder) == everywhere[1:]


def test_scans_behind_links_are_found(root: Path):
    (root / "links").mkdir()
    (root / "links/today").symlink_to(root / "train/case11")
    assert [scan["id"] for scan in index_scans(root / "links")] == ["case11_day0"]


def test_scan_items_follow_the_contract(root: Path):
    folder = root / "train/case11/case11_day0/scans"
    assert index_scans(folder) == [
        {
            "id": "case11_day0",
            "group": "case11",
            "image": [str(folder / f"slice_000{number}_7_5_1.50_2.25.png") for number in (1, 2)],
            "slices": [1, 2],
            "slice_ids": ["case11_day0_slice_0001", "case11_day0_slice_0002"],
            "size": [5, 7],
            "spacing_mm": [2.25, 1.5, 3.0],
        }
    ]


def test_a_folder_of_another_name_is_its_own_group(root: Path):
    shutil.move(root / "train/case11/case11_day0/scans", root / "volunteer")
    (scan,) = index_scans(root / "volunteer")
    assert (scan["id"], scan["group"], scan["slice_ids"][1]) == ("volunteer", "volunteer", "volunteer_slice_0002")


def test_current_folder_has_a_name(root: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(root / "train/case11/case11_day0/scans")
    assert index_scans(".")[0]["id"] == "case11_day0"


def test_scans_with_faults(root: Path):
    draw_image(root, "case2_day9", 1, content=png_header((7, 5)))
    slice_path(root, "case2_day10", 8).unlink()
    draw_image(root, "case2_day10", 8, size=(6, 7))
    with pytest.raises(DataErrors, match="2 problems") as error:
        index_scans(root)
    assert "5x7 in the file" in str(error.value)
    assert "disagree in their sizes" in str(error.value)


def test_two_scans_of_one_name(root: Path):
    shutil.copytree(root / "train/case11", root / "test/case11")
    with pytest.raises(DataErrors, match="2 folders are called case11_day0"):
        index_scans(root)


def test_folders_without_scans(tmp_path: Path):
    with pytest.raises(DataError, match="no scans here; caseN/caseN_dayD/scans"):
        index_scans(tmp_path)
    with pytest.raises(DataError, match=r"folder is missing; a test/ folder"):
        index_scans(tmp_path / "test")
    (tmp_path / "case1_day0/scans").mkdir(parents=True)
    with pytest.raises(DataErrors, match="no slices here"):
        index_scans(tmp_path)


# Small parts


def test_number_ranges_of_nothing():
    assert number_ranges([]) == ""


# Real data and speed


def test_real_slices_are_indexed(real_data: Path):
    items, left_out = read_uw_madison(real_data / "uw_madison")
    assert len(items) == 180
    assert left_out == []
    assert len({item["group"] for item in items}) == 13
    whole = [item for item in items if item["scan"] == "case102_day0"]
    assert [item["slice"] for item in whole] == list(range(1, 145))
    assert whole[0]["size"] == [310, 360]
    stomach = [item["slice"] for item in whole if item["label"]["stomach"]]
    assert (stomach[0], stomach[-1]) == (66, 116)
    assert "276 x 276 (4 slices)" in index_report(items)
    assert "1.63 x 1.63 x 3 (4 slices)" in index_report(items)
