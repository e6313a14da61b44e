"""Run lengths against a walk over the pixels, pycocotools, and the real rows."""

import numpy as np
import pytest
from pycocotools import mask as coco

from monai_gi.datasets.uw_madison import index_uw_madison
from monai_gi.rle import RunLengthError, decode_rle, encode_rle, find_rle_fault, find_rle_faults
from tests.oracles.rle import decode_by_pixel, encode_by_pixel


def drawn_masks() -> list[np.ndarray]:
    rng = np.random.default_rng(7)
    masks = [
        rng.random((rng.integers(1, 9), rng.integers(1, 13))) < share for share in (0.1, 0.5, 0.9) for _ in "x" * 20
    ]
    return [*masks, np.zeros((3, 5), bool), np.ones((3, 5), bool)]


@pytest.mark.parametrize("mask", drawn_masks())
def test_both_ways_agree_with_a_walk_over_the_pixels(mask: np.ndarray):
    text = encode_by_pixel(mask)
    assert encode_rle(mask) == text
    decoded = decode_rle(text, mask.shape)
    assert decoded.dtype == bool
    np.testing.assert_array_equal(decoded, mask)
    np.testing.assert_array_equal(decode_by_pixel(text, mask.shape), mask)


def test_pixels_count_from_one_along_the_rows():
    expected = [
        [False, True, True, False, False],
        [False, False, False, False, True],
        [True, False, False, False, False],
    ]
    np.testing.assert_array_equal(decode_rle("2 2 10 2", (3, 5)), expected)
    assert encode_rle(np.array(expected)) == "2 2 10 2"


def test_shape_is_height_before_width():
    np.testing.assert_array_equal(decode_rle("4 1", (2, 3)), [[0, 0, 0], [1, 0, 0]])
    np.testing.assert_array_equal(decode_rle("4 1", (3, 2)), [[0, 0], [0, 1], [0, 0]])


@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning")
def test_masks_agree_with_pycocotools_on_the_transposed_mask():
    mask = np.random.default_rng(3).random((31, 47)) < 0.4
    theirs = coco.encode(np.asfortranarray(mask.T.astype(np.uint8)))
    np.testing.assert_array_equal(coco.decode(theirs).T, decode_rle(encode_rle(mask), mask.shape))


@pytest.mark.parametrize("text", ["", "   "])
def test_empty_text_is_the_empty_mask(text: str):
    assert not decode_rle(text, (4, 7)).any()
    assert decode_rle(text, (4, 7)).shape == (4, 7)


def test_empty_mask_is_the_empty_text():
    assert encode_rle(np.zeros((4, 7), bool)) == ""
    assert encode_rle(np.zeros((0, 7), bool)) == ""


def test_whole_image_is_one_run():
    assert encode_rle(np.ones((4, 7), bool)) == "1 28"
    assert decode_rle("1 28", (4, 7)).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float32])
def test_whatever_is_not_zero_is_inside(dtype: type):
    assert encode_rle(np.array([[0, 255, 0], [3, 0, 0]], dtype=dtype)) == "2 1 4 1"


@pytest.mark.parametrize("order", ["C", "F"])
def test_memory_order_changes_nothing(order: str):
    mask = np.array([[True, False, True], [True, False, False]], order=order)
    assert encode_rle(mask) == "1 1 3 2"
    assert encode_rle(np.ascontiguousarray(mask.T).T) == "1 1 3 2"


def test_touching_runs_are_in_order():
    np.testing.assert_array_equal(decode_rle("1 2 3 1", (2, 4)), [[1, 1, 1, 0], [0, 0, 0, 0]])


FAULTS = {
    "1 2 3": r"odd in number: 3 found",
    "1 2 x3 4": r"not numeric: 'x3' found",
    "1 2.5": r"not numeric: '2.5' found",
    "5 -1": r"not numeric: '-1' found",
    "nan": r"not numeric: 'nan' found",
    "1\t2": r"not numeric: tabs or line ends found",
    "² 3": r"not numeric: '²' found",
    "0 3": r"run 1 \(0 3\) is out of the image: pixels 1 to 24",
    "3 2 20 6": r"run 2 \(20 6\) is out of the image",
    "25 1": r"out of the image",
    "99999999999999999999 1": r"out of the image",
    "1 99999999999999999999": r"out of the image",
    "3 0": r"run 1 \(3 0\) has no length",
    "5 4 7 1": r"run 2 \(7 1\) overlaps the run before, which ends at pixel 8",
    "5 4 8 1": r"run 2 \(8 1\) overlaps the run before, which ends at pixel 8",
    "5 4 3 1": r"run 2 \(3 1\) is not in ascending order: the run before starts at pixel 5",
}


@pytest.mark.parametrize(("text", "problem"), FAULTS.items())
def test_bad_run_lengths_are_named(text: str, problem: str):
    with pytest.raises(RunLengthError, match=problem) as error:
        decode_rle(text, (4, 6))
    assert find_rle_fault(text, 24) == str(error.value)


def test_last_pixel_is_inside_and_the_next_is_not():
    assert decode_rle("24 1", (4, 6))[3, 5]
    assert find_rle_fault("24 1", 24) is None
    assert "out of the image" in str(find_rle_fault("24 1", 23))


def test_faults_of_many_keep_their_position():
    found = find_rle_faults(["1 2", "", "1 2 3", "20 2"], [24, 24, 24, 20])
    assert list(found) == [2, 3]
    assert "odd" in found[2]
    assert "out of the image" in found[3]


def test_only_flat_masks_are_encoded():
    with pytest.raises(ValueError, match=r"\(H, W\) is wanted, not one of shape \(3, 2, 5\)"):
        encode_rle(np.zeros((3, 2, 5), bool))


def test_real_rows_come_back_letter_by_letter(real_data):
    items = index_uw_madison(real_data / "uw_madison")
    rows = [(rle, item["size"]) for item in items for rle in item["label"].values()]
    assert sum(bool(rle) for rle, _ in rows) == 195
    for rle, size in rows:
        assert encode_rle(decode_rle(rle, size)) == rle
