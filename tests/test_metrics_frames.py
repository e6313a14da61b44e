"""Scores of frames: by hand and by MONAI; tables and summary in the words of frames."""

import csv
import json
import warnings

import numpy as np
import pytest
import torch
from monai.metrics import compute_hausdorff_distance

from monai_gi.metrics import score_frame, score_scan, scores_table, summarise, write_scores
from monai_gi.metrics.macro_f1 import label_map

CLASSES = ("polyp", "tool")
SIZE = (17, 23)


def draw(*boxes):
    """(C, 17, 23) bool, one box (top, bottom, left, right) a class; None is empty."""
    masks = np.zeros((len(boxes), *SIZE), bool)
    for channel, box in enumerate(boxes):
        if box:
            masks[channel, box[0] : box[1], box[2] : box[3]] = True
    return masks


TRUTH = draw((2, 10, 3, 13), (9, 15, 12, 20))
PRED = draw((4, 10, 3, 14), None)
FRAMES = [
    score_frame("cvc_0001", "sequence_01", PRED, TRUTH, classes=CLASSES),
    score_frame("cvc_0002", "sequence_01", TRUTH, TRUTH, classes=CLASSES),
    score_frame("cvc_0030", "sequence_02", draw(None, (1, 3, 1, 3)), draw(None, None), classes=CLASSES),
]


def test_counts_of_a_frame_are_as_counted_by_hand():
    score = FRAMES[0]
    assert score.truth_px.tolist() == [[80], [48]]
    assert score.pred_px.tolist() == [[66], [0]]
    assert score.overlap_px.tolist() == [[60], [0]]
    assert score.slice_ids == ("cvc_0001",)


def test_distances_are_those_of_outlines_in_pixels_as_monai_measures_them():
    masks = (torch.from_numpy(one[:1])[None] for one in (PRED, TRUTH))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # MONAI's, about MONAI
        expected = compute_hausdorff_distance(*masks, include_background=True, percentile=95)
    assert FRAMES[0].hd95_mm[0] == pytest.approx(expected.item())
    assert np.isinf(FRAMES[0].hd95_mm[1])
    assert np.isnan(FRAMES[2].hd95_mm[0])


def test_the_inside_of_a_frame_s_mask_is_no_surface():
    """As it would be in a volume of one slice."""
    frame = score_frame("a", "b", PRED[:1], TRUTH[:1], tolerance_px=0.5)
    named = {"spacing_mm": (1.0, 1.0, 1.0), "slice_ids": ["a"], "classes": ["polyp"]}
    volume = score_scan("a", "b", PRED[:1, ..., None], TRUTH[:1, ..., None], tolerance_mm=0.5, **named)
    assert frame.surface_dice[0] == pytest.approx(2 * 16 / (30 + 32))  # 6 left, 10 below, one of them twice, 1 right
    assert volume.surface_dice[0] == pytest.approx(2 * 60 / (66 + 80))


def test_tolerance_is_in_pixels():
    one, far = (
        score_frame("a", "b", PRED[:1], TRUTH[:1], tolerance_px=tolerance).surface_dice[0] for tolerance in (0.5, 2.0)
    )
    assert 0 < one < far == 1


def test_summary_speaks_of_frames_sequences_and_classes():
    summary = summarise(FRAMES, bootstrap=50)
    assert (summary["sequences"], summary["frames"], summary["annotated_frames"]) == (2, 3, 2)
    assert summary["frames_without_truth"] == 1
    assert "bootstrap over sequences" in summary["interval"]
    polyp, tool = summary["classes"]["polyp"], summary["classes"]["tool"]
    assert polyp["dice_class_frames"]["mean"] == pytest.approx((2 * 60 / 146 + 1) / 2)
    assert polyp["iou_class_frames"]["mean"] == pytest.approx((60 / 86 + 1) / 2)
    assert polyp["dice_all_frames_empty_1"]["mean"] == pytest.approx((2 * 60 / 146 + 2) / 3)
    assert tool["dice_class_frames"]["mean"] == pytest.approx(0.5)
    assert tool["hd95_infinite_frames"] == 2
    assert polyp["both_empty_frames"] == 1
    assert summary["mean_of_classes"]["dice_class_frames"]["mean"] == pytest.approx(((2 * 60 / 146 + 1) / 2 + 0.5) / 2)
    assert not {"contest_score", "pooled_macro_f1", "organs", "cases", "scans", "tolerance_mm"} & summary.keys()
    words = json.dumps(summary)
    assert not any(word in words for word in ("organ", "slice", "scan", " mm", "case"))


def test_one_sequence_has_no_interval_over_sequences():
    text = scores_table(summarise(FRAMES[:2], bootstrap=50))
    assert "One sequence: no interval can be given." in text
    assert "HD95 px" in text
    assert "1 sequences, 2 frames (2 annotated)" in text
    assert "within 3 px" in text
    assert "contest" not in text


def test_tables_are_of_frames_and_sequences(tmp_path):
    write_scores(FRAMES, tmp_path, bootstrap=20)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["frames.csv", "sequences.csv", "summary.json"]
    frames, sequences = (
        list(csv.DictReader((tmp_path / f"{name}.csv").read_text().splitlines())) for name in ("frames", "sequences")
    )
    assert [(row["id"], row["sequence"], row["class"]) for row in frames[:3]] == [
        ("cvc_0001", "sequence_01", "polyp"),
        ("cvc_0001", "sequence_01", "tool"),
        ("cvc_0002", "sequence_01", "polyp"),
    ]
    assert float(frames[0]["dice_empty_0"]) == pytest.approx(2 * 60 / 146)
    assert (frames[1]["hd95_px"], frames[1]["surface_dice"]) == ("inf", "0")
    assert frames[4]["dice_empty_left_out"] == ""
    assert [(row["id"], row["class"], row["frames"]) for row in sequences] == [
        ("sequence_01", "polyp", "2"),
        ("sequence_01", "tool", "2"),
        ("sequence_02", "polyp", "1"),
        ("sequence_02", "tool", "1"),
    ]
    assert float(sequences[0]["dice_class_frames"]) == pytest.approx((2 * 60 / 146 + 1) / 2)


def test_scans_of_other_classes_have_no_contest_score(tmp_path):
    masks = [np.repeat(one[..., None], 3, axis=3) for one in (PRED, TRUTH)]
    named = {"spacing_mm": (1.0, 2.0, 3.0), "slice_ids": ["a", "b", "c"], "classes": CLASSES}
    summary = write_scores([score_scan("s", "g", *masks, **named)], tmp_path, bootstrap=20)
    assert list(summary["organs"]) == list(CLASSES)
    assert "contest_score" not in summary
    rows = list(csv.DictReader((tmp_path / "scans.csv").read_text().splitlines()))
    assert [row["organ"] for row in rows] == list(CLASSES)


def test_the_last_of_overlapping_classes_wins_in_a_label_map():
    both = draw((0, 4, 0, 4), (2, 6, 2, 6))
    indices = label_map(both, CLASSES)
    assert (indices[0, 0], indices[3, 3], indices[5, 5], indices[9, 9]) == (1, 2, 2, 0)


def test_frames_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"cvc_1: prediction has shape \(2, 17, 23\) and truth \(2, 17, 22\); masks"):
        score_frame("cvc_1", "s", PRED, TRUTH[..., 1:], classes=CLASSES)
    with pytest.raises(ValueError, match=r"masks of one shape \(C, H, W\)"):
        score_frame("cvc_1", "s", PRED[0], TRUTH[0], classes=CLASSES)
    with pytest.raises(ValueError, match=r"cvc_1: 2 channels for 1 classes \(polyp\); one each"):
        score_frame("cvc_1", "s", PRED, TRUTH)
    polyps = score_frame("cvc_1", "s", PRED[:1], TRUTH[:1])
    with pytest.raises(ValueError, match="scores of different classes"):
        summarise([polyps, FRAMES[0]])
