"""Judging of drawn frames through MONAI's evaluator: tables, pictures, numbers of the engine."""

import csv
import json
import logging

import numpy as np
import pytest
import torch
from monai.data import DataLoader, Dataset
from monai.engines import SupervisedEvaluator

from monai_gi.handlers.judge import JudgeHandler
from monai_gi.handlers.judged_choice import choose_frames
from monai_gi.handlers.judged_slices import LONGEST_PX, judged_slices
from monai_gi.handlers.scans import Scan
from monai_gi.metrics import score_frame
from monai_gi.pictures import read_rgb
from monai_gi.plots.sheets import font
from tests.drawn_frames import SIZE, draw_frame

COUNT = 7
ITEMS = [{"id": f"cvc_{n:04d}", "group": f"sequence_{n // 4:02d}", "label": "mask.png"} for n in range(COUNT)]


def judge(folder, shifts=range(COUNT), *, items=ITEMS, change=lambda loaded: loaded, **settings):
    """Each frame's prediction is its truth moved to the right; nothing is predicted where the shift is None."""
    data = []
    for number, item in enumerate(items):
        picture, mask = draw_frame(number)
        loaded = {"image": torch.from_numpy(np.moveaxis(picture, 2, 0).copy()), "label": torch.from_numpy(mask)[None]}
        data.append(change({"id": item["id"], **loaded}))
    answers = iter(
        [np.zeros(SIZE, bool) if s is None else np.roll(draw_frame(n)[1], s, 1) for n, s in enumerate(shifts)]
    )
    handler = JudgeHandler(folder, ITEMS, **{"classes": ["polyp"], "bootstrap": 20, **settings})
    evaluator = SupervisedEvaluator(
        device="cpu",
        val_data_loader=DataLoader(Dataset(data), batch_size=1),
        network=torch.nn.Identity(),
        inferer=lambda inputs, network: torch.from_numpy(next(answers).astype(np.float32))[None, None],
        val_handlers=[handler],
    )
    evaluator.run()
    return evaluator.state.metrics


def rows_of(path):
    return list(csv.DictReader(path.read_text().splitlines()))


def test_frames_and_sequences_are_judged(tmp_path, capsys):
    metrics = judge(tmp_path)
    frames = rows_of(tmp_path / "frames.csv")
    dice = [(7 - n) / 7 for n in range(COUNT)]  # a box 7 wide moved by n
    assert [float(row["dice_empty_1"]) for row in frames] == pytest.approx(dice)
    assert {row["id"] for row in rows_of(tmp_path / "sequences.csv")} == {"sequence_00", "sequence_01"}
    assert metrics["mean_dice"] == metrics["dice_polyp"] == pytest.approx(np.mean(dice))
    assert {"mean_iou", "iou_polyp", "mean_hd95_px", "mean_surface_dice"} <= metrics.keys()
    assert not any("contest" in name for name in metrics)
    assert "2 sequences, 7 frames (7 annotated)" in capsys.readouterr().out


def test_tolerance_is_taken_in_pixels(tmp_path):
    near, far = (judge(tmp_path, tolerance_mm=tolerance)["mean_surface_dice"] for tolerance in (0.5, 6))
    assert near < far == 1
    assert json.loads((tmp_path / "summary.json").read_text())["tolerance_px"] == 6


def test_pictures_show_frames_in_colour(tmp_path):
    judge(tmp_path, slices=2)
    for place in ("worst", "median", "best"):
        pixels = read_rgb(tmp_path / "overlays" / f"{place}.png").astype(int)
        assert np.abs(pixels[..., 0] - pixels[..., 2]).max() > 60
        assert pixels.shape[1] > 2 * SIZE[1]


def test_small_frames_are_drawn_so_large_that_their_captions_fit(tmp_path):
    judge(tmp_path, slices=1)
    assert read_rgb(tmp_path / "overlays" / "worst.png").shape[1] > font().getlength("cvc_0000  Dice 0.00") + 20


def test_float_frames_are_drawn_as_bytes_are(tmp_path):
    judge(tmp_path / "bytes")
    judge(tmp_path / "floats", change=lambda loaded: {**loaded, "image": loaded["image"] / 255})
    one, two = (read_rgb(tmp_path / kind / "overlays/worst.png") for kind in ("bytes", "floats"))
    assert np.array_equal(one, two)


def test_frames_that_did_not_come_are_named(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        judge(tmp_path, items=ITEMS[:-1])
    assert "1 of 7 frames did not come: cvc_0006" in caplog.text


def test_a_frame_of_another_shape_is_refused(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match=r"cvc_0000: image of shape \(10, 26, 3\) for masks of"):
        judge(tmp_path, change=lambda loaded: {**loaded, "image": loaded["image"][:, ::2]})
    with pytest.raises(ValueError, match=r"cvc_0000: label has shape \(2, 20, 26\), wanted \(1, H, W\)"):
        judge(tmp_path, change=lambda loaded: {**loaded, "label": loaded["label"].repeat(2, 1, 1)})


def score(name, shift):
    mask = draw_frame(0)[1][None]
    return score_frame(name, "s", np.zeros_like(mask) if shift is None else np.roll(mask, shift, 2), mask)


def test_the_worst_median_and_best_frames_are_chosen_each_once():
    scores = [score(name, shift) for name, shift in zip("dbgacfe", (3, 1, 6, 0, 2, 5, 4), strict=True)]
    assert choose_frames(scores, 2) == {"worst": ["g", "f"], "best": ["b", "a"], "median": ["e", "d"]}
    assert choose_frames(scores, 9) == {"worst": ["g", "f", "e"], "best": ["c", "b", "a"], "median": ["d"]}
    assert choose_frames(scores[:2], 4) == {"worst": ["d"], "best": ["b"]}
    assert choose_frames(scores[:1], 4) == {"worst": ["d"]}
    assert choose_frames([score_frame("x", "s", *[np.zeros((1, 4, 5), bool)] * 2)], 3) == {}


def test_large_frames_are_kept_small():
    mask = np.zeros((1, 2 * LONGEST_PX, 30, 1), bool)
    mask[:, 100:400, 5:20] = True
    frame = Scan(
        "a", "s", ("a",), (1.0, 1.0, 1.0), np.eye(4), np.ones((*mask.shape[1:3], 3, 1)), mask, mask, is_frame=True
    )
    kept = judged_slices(frame, 6)
    assert kept.image.shape == (1, LONGEST_PX, 15, 3)
    assert kept.truth.shape == kept.pred.shape == (1, LONGEST_PX, 15)
    assert kept.dice == (1.0,)
