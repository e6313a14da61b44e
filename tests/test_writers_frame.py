"""Masks of frames as files, and what was found in them, by hand."""

import numpy as np
import pytest
from PIL import Image

from monai_gi.plots.frames import clinical_frame
from monai_gi.writers.frame import findings, mask_names, write_masks

CLASSES = ("polyp", "tool")


def masks_and_probabilities():
    """(2, 5, 8): an L of four pixels and one alone; the second class is empty."""
    masks = np.zeros((2, 5, 8), dtype=bool)
    masks[0, 1:4, 2], masks[0, 3, 3], masks[0, 0, 7] = True, True, True
    probabilities = np.full((2, 5, 8), 0.1, dtype=np.float32)
    probabilities[0][masks[0]] = (0.9, 0.6, 0.6, 0.6, 0.8)
    return masks, probabilities


def test_classes_have_files_of_their_own_because_masks_may_overlap(tmp_path):
    masks, _ = masks_and_probabilities()
    masks[1, 1] = True
    paths = write_masks(tmp_path / "new", masks, CLASSES)
    assert [path.name for path in paths] == ["mask_polyp.png", "mask_tool.png"]
    for path, mask in zip(paths, masks, strict=True):
        with Image.open(path) as image:
            assert np.array_equal(np.asarray(image), mask * 255)
    assert [path.name for path in write_masks(tmp_path, masks[:1], CLASSES[:1])] == ["mask.png"]


def test_a_class_that_can_not_name_a_file_is_refused():
    with pytest.raises(ValueError, match="can not name files"):
        mask_names(["polyp", "../tool"])


def test_regions_are_counted_by_size_with_their_boxes_and_probabilities():
    found = findings(*masks_and_probabilities(), CLASSES)
    assert found["tool"] == {"pixels": 0, "share": 0, "largest_probability": 0.1, "region_count": 0, "regions": []}
    polyp = found["polyp"]
    assert (polyp["pixels"], polyp["share"], polyp["largest_probability"]) == (5, 0.125, 0.9)
    large = {"top": 1, "left": 2, "height": 3, "width": 2, "pixels": 4, "mean_probability": 0.65}
    small = {"top": 0, "left": 7, "height": 1, "width": 1, "pixels": 1, "mean_probability": 0.9}
    assert (polyp["region_count"], polyp["regions"]) == (2, [large, small])


def test_of_many_regions_the_largest_twenty_are_told():
    mask = np.zeros((1, 9, 200), dtype=bool)
    for number in range(30):
        mask[0, 1 : 2 + number % 7, 6 * number] = True
    found = findings(mask, mask.astype(np.float32), CLASSES[:1])["polyp"]
    assert found["region_count"] == 30
    assert [region["pixels"] for region in found["regions"]] == [7] * 4 + [6] * 4 + [5] * 4 + [4] * 4 + [3] * 4
    assert [region["left"] for region in found["regions"][:4]] == [36, 78, 120, 162]


def test_small_frames_are_drawn_larger_and_large_ones_smaller():
    for size, drawn in (((40, 60), (80, 120)), ((700, 300), (700, 300)), ((300, 3300), (100, 1100))):
        frame = np.full((*size, 3), 90, dtype=np.uint8)
        mask = np.zeros((1, *size), dtype=bool)
        mask[0, : size[0] // 2, : size[1] // 2] = True
        picture = clinical_frame(frame, mask, title="a", classes=["polyp"])
        # around the frame: a gap at each side, a line above, one of colours and one of the intended use below
        assert picture.shape[1] == max(drawn[1], 450) + 8
        assert picture.shape[0] == drawn[0] + 8 + 3 * 26
        assert (picture == 90).all(axis=2).sum() == pytest.approx(drawn[0] * drawn[1], rel=0.1)
        assert ((picture.astype(int) - (86, 180, 233)) ** 2).sum(axis=2).min() < 100


def test_masks_of_another_size_than_the_frame_are_refused():
    with pytest.raises(ValueError, match=r"masks: shape \(1, 4, 6\), wanted \(1, 6, 4\) as frame and classes"):
        clinical_frame(np.zeros((6, 4, 3), np.uint8), np.zeros((1, 4, 6), bool), title="a", classes=["polyp"])
