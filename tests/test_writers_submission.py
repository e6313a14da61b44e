"""Submissions of drawn masks: run lengths by hand, order of rows, samples that do not fit, parts of a stopped run."""

import csv

import numpy as np
import pytest

from monai_gi.errors import DataError, DataErrors
from monai_gi.labels import ORGAN_NAMES
from monai_gi.rle import decode_rle
from monai_gi.writers.submission import (
    SubmissionRow,
    check_against_sample,
    part_path,
    read_parts,
    read_sample,
    submission_rows,
    write_part,
    write_submission,
)

IDS = ["case1_day0_slice_0001", "case1_day0_slice_0003"]


def draw_masks():
    """(3, 3, 5, 2): large bowel on both slices, stomach on the second, overlapping; no small bowel."""
    masks = np.zeros((3, 3, 5, 2), dtype=bool)
    masks[0, 0, 1:4, 0] = True
    masks[0, 1:3, 2, 1] = True
    masks[2, 1, :, 1] = True
    return masks


def rows_for(*ids):
    return [SubmissionRow(slice_id, organ, f"{k + 1} 2") for slice_id in ids for k, organ in enumerate(ORGAN_NAMES)]


def read(path):
    with path.open(newline="") as file:
        return list(csv.reader(file))


def sample(tmp_path, *lines, header="id,class,predicted"):
    path = tmp_path / "sample_submission.csv"
    path.write_text("\n".join([header, *lines]) + "\n")
    return path


def test_rows_are_run_lengths_by_slice_and_organ():
    assert submission_rows(IDS, draw_masks()) == [
        (IDS[0], "large_bowel", "2 3"),
        (IDS[0], "small_bowel", ""),
        (IDS[0], "stomach", ""),
        (IDS[1], "large_bowel", "8 1 13 1"),
        (IDS[1], "small_bowel", ""),
        (IDS[1], "stomach", "6 5"),
    ]


def test_any_dtype_and_memory_order_encodes_the_same():
    masks = np.asfortranarray(draw_masks().astype(np.uint8) * 255)
    assert submission_rows(IDS, masks) == submission_rows(IDS, draw_masks())


@pytest.mark.parametrize("shape", [(2, 3, 5, 2), (3, 3, 5, 3), (3, 3, 5)])
def test_masks_that_do_not_fit_the_ids_are_refused(shape):
    with pytest.raises(ValueError, match=r"masks: shape .*, wanted \(3, H, W, 2\)"):
        submission_rows(IDS, np.zeros(shape, dtype=bool))


def test_without_a_sample_rows_are_sorted_with_numbers_as_numbers(tmp_path):
    rows = rows_for("case11_day0_slice_0001", "case2_day0_slice_0002", "case2_day0_slice_0001")[::-1]
    written = read(write_submission(tmp_path / "new" / "submission.csv", rows))
    assert written[0] == ["id", "class", "predicted"]
    assert [row[0] for row in written[1::3]] == [
        "case2_day0_slice_0001",
        "case2_day0_slice_0002",
        "case11_day0_slice_0001",
    ]
    assert [row[1] for row in written[1:4]] == list(ORGAN_NAMES)
    assert written[3][2] == "3 2"


def test_sample_with_rows_gives_the_order(tmp_path):
    lines = [f"{slice_id},{organ},1 1" for organ in ("stomach", "large_bowel", "small_bowel") for slice_id in IDS]
    path = write_submission(tmp_path / "submission.csv", rows_for(*IDS), sample(tmp_path, *lines))
    assert [",".join(row[:2]) for row in read(path)[1:]] == [line.rpartition(",")[0] for line in lines]
    assert read(path)[1] == [IDS[0], "stomach", "3 2"]


def test_sample_with_a_header_alone_gives_no_order(tmp_path):
    path = write_submission(tmp_path / "submission.csv", rows_for(*IDS), sample(tmp_path))
    assert len(read(path)) == 7


def test_missing_and_extra_rows_are_named_together(tmp_path):
    lines = [f"{IDS[0]},{organ}," for organ in ORGAN_NAMES] + ["case9_day9_slice_0009,stomach,"]
    with pytest.raises(DataErrors) as caught:
        write_submission(tmp_path / "submission.csv", rows_for(*IDS), sample(tmp_path, *lines))
    missing, extra = caught.value.problems
    assert str(missing).startswith("missing: 1 of 4 rows asked for are not predicted: case9_day9_slice_0009 stomach.")
    assert str(extra).startswith(f"extra: 3 rows are predicted but not asked for: {IDS[1]} large_bowel, ")
    assert "sample_submission.csv" in caught.value.where
    assert not (tmp_path / "submission.csv").exists()


def test_long_lists_of_rows_are_cut():
    keys = [(f"slice_{number}", "stomach") for number in range(9)]
    with pytest.raises(DataErrors, match=r"slice_0 stomach, slice_1 stomach, slice_2 stomach, \.\.\.\."):
        check_against_sample("sample.csv", keys, [])


def test_row_given_twice_is_refused(tmp_path):
    with pytest.raises(DataError, match=f"1 rows come twice: {IDS[0]} stomach;"):
        write_submission(tmp_path / "submission.csv", [*rows_for(*IDS), SubmissionRow(IDS[0], "stomach", "")])


def test_sample_is_read_with_or_without_its_predictions(tmp_path):
    assert read_sample(sample(tmp_path, "a,stomach", "a,large_bowel", header="\ufeffid,class")) == [
        ("a", "stomach"),
        ("a", "large_bowel"),
    ]


@pytest.mark.parametrize(
    ("lines", "header", "message"),
    [
        (["a,stomach,"], "slice,class,predicted", "columns slice, class, predicted found, id and class wanted"),
        (["a,liver,"], "id,class,predicted", r"row 2: class 'liver' found, one of large_bowel, small_bowel, stomach"),
        (["a"], "id,class,predicted", "row 2: class None found"),
        (["a,stomach,", "a,stomach,1 1"], "id,class,predicted", "1 rows come twice: a stomach"),
    ],
)
def test_faulty_sample_is_refused(tmp_path, lines, header, message):
    with pytest.raises(DataError, match=message):
        read_sample(sample(tmp_path, *lines, header=header))


def test_missing_or_binary_sample_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"none\.csv: can not be read as a sample submission"):
        read_sample(tmp_path / "none.csv")
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00id")
    with pytest.raises(DataError, match="can not be read as a sample submission"):
        read_sample(tmp_path / "binary.csv")


def test_empty_sample_lacks_its_columns(tmp_path):
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(DataError, match=r"columns \(none\) found"):
        read_sample(tmp_path / "empty.csv")


def test_parts_come_back_as_they_were_written(tmp_path):
    rows = submission_rows(IDS, draw_masks())
    write_part(tmp_path / "parts", "case2_day0", rows_for("x"))
    assert write_part(tmp_path / "parts", "case1_day0", rows) == part_path(tmp_path / "parts", "case1_day0")
    assert read_parts(tmp_path / "parts", ["case1_day0", "case2_day0"]) == [*rows, *rows_for("x")]
    assert read_parts(tmp_path / "parts", ["case2_day0"]) == rows_for("x")


def test_every_missing_part_is_named(tmp_path):
    write_part(tmp_path, "case1_day0", [])
    with pytest.raises(
        DataErrors, match=r"(?s)2 problems:.*case2_day0 was not predicted.*case3_day0 was not predicted"
    ):
        read_parts(tmp_path, ["case1_day0", "case2_day0", "case3_day0"])


def test_part_never_leaves_its_folder(tmp_path):
    with pytest.raises(ValueError, match="can not name files"):
        part_path(tmp_path, "../case1_day0")


def test_real_masks_come_back_from_the_submission(tmp_path, real_data):
    with (real_data / "uw_madison" / "train.csv").open(newline="") as file:
        truth = [row for row in csv.DictReader(file) if row["id"].startswith("case102_day0_")]
    ids = sorted({row["id"] for row in truth})
    size = (310, 360)
    masks = np.zeros((3, *size, len(ids)), dtype=bool)
    for row in truth:
        masks[ORGAN_NAMES.index(row["class"]), ..., ids.index(row["id"])] = decode_rle(row["segmentation"], size)
    path = write_submission(tmp_path / "submission.csv", submission_rows(ids, masks))
    written = {(slice_id, organ): rle for slice_id, organ, rle in read(path)[1:]}
    assert written == {(row["id"], row["class"]): row["segmentation"] for row in truth}
