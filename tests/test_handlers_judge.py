"""Judging of drawn scans through MONAI's evaluator: Dice by hand, files, pictures, two processes."""

import csv
import json
import logging

import numpy as np
import pytest
import torch
from PIL import Image

from monai_gi.handlers.judge import JudgeHandler
from monai_gi.handlers.judged_choice import choose_scans
from monai_gi.handlers.judged_slices import judged_slices, sheet_of, telling_positions
from monai_gi.handlers.scans import Scan
from monai_gi.metrics import score_scan
from monai_gi.network_digest import weights_digest
from tests.drawn_evaluator import AFFINE, SPACING_MM, draw_item, draw_masks, evaluate

ITEMS = [draw_item("case1_day0"), draw_item("case2_day3"), draw_item("case3_day1")]
TRUTH = draw_masks()
PREDS = [draw_masks(shift=1), draw_masks(), draw_masks(shift=2)]  # second best: best is case2, worst case3


def judge(folder, *, items=ITEMS, preds=PREDS, truth=TRUTH, **settings):
    handler = JudgeHandler(folder, items, **{"bootstrap": 20, **settings})
    evaluate(handler, items, preds, [truth] * len(items))
    return handler


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_files_hold_every_slice_scan_and_case(tmp_path):
    judge(tmp_path)
    slices, scans, cases = (rows_of(tmp_path / f"{name}.csv") for name in ("slices", "scans", "cases"))
    assert len(slices) == 3 * 4 * 3
    assert slices[0]["id"] == "case1_day0_slice_0001"
    assert [row["id"] for row in scans if row["organ"] == "all"] == ["case1_day0", "case2_day3", "case3_day1"]
    assert {row["id"] for row in cases} == {"case1", "case2", "case3"}
    assert json.loads((tmp_path / "summary.json").read_text())["scans"] == 3


def test_dice_of_a_shifted_box_is_as_counted_by_hand(tmp_path):
    judge(tmp_path)
    rows = [row for row in rows_of(tmp_path / "slices.csv") if row["organ"] == "large_bowel"]
    shares = {row["id"]: float(row["dice_empty_1"]) for row in rows}
    assert shares["case1_day0_slice_0001"] == pytest.approx(2 * 18 / 48)  # 4 rows moved by 1: 3 of 4 shared, 6 wide
    assert shares["case2_day3_slice_0001"] == 1.0
    assert shares["case3_day1_slice_0001"] == pytest.approx(2 * 12 / 48)


def test_summary_tells_which_weights_were_judged(tmp_path):
    def judged(network):
        evaluator = evaluate(JudgeHandler(tmp_path, ITEMS, bootstrap=20), ITEMS, PREDS, [TRUTH] * 3, network=network)
        assert evaluator.network is network
        return json.loads((tmp_path / "summary.json").read_text())["state_dict_sha256"]

    network = torch.nn.Conv2d(1, 1, 1)
    before = judged(network)
    assert before == weights_digest(network.state_dict())
    torch.nn.init.constant_(network.bias, 9)
    assert judged(network) != before


def test_table_and_folder_are_printed(tmp_path, capsys):
    judge(tmp_path)
    text = capsys.readouterr().out
    assert "3 cases, 3 scans, 12 slices" in text
    assert str(tmp_path) in text


def test_tolerance_reaches_surface_dice(tmp_path):
    judge(tmp_path / "tight", tolerance_mm=0.1)
    judge(tmp_path / "wide", tolerance_mm=9.0)
    tight, wide = (
        json.loads((tmp_path / name / "summary.json").read_text())["organs"]["large_bowel"]["surface_dice"]["mean"]
        for name in ("tight", "wide")
    )
    assert tight < wide == 1.0


def test_main_numbers_stand_in_the_engine(tmp_path):
    handler = JudgeHandler(tmp_path, ITEMS, bootstrap=20, overlays=False)
    metrics = evaluate(handler, ITEMS, PREDS, [TRUTH] * 3).state.metrics
    assert metrics["dice_3d_large_bowel"] == pytest.approx((0.75 + 1 + 0.5) / 3)
    assert np.isnan(metrics["dice_stomach"])
    assert "contest_score_mle_bench" in metrics


def test_seed_and_draws_reach_the_bootstrap(tmp_path):
    judge(tmp_path, seed=7, bootstrap=31)
    assert "31 draws, seed 7" in json.loads((tmp_path / "summary.json").read_text())["interval"]


def test_worst_median_and_best_are_drawn(tmp_path):
    judge(tmp_path)
    pictures = {path.name: np.asarray(Image.open(path)) for path in (tmp_path / "overlays").iterdir()}
    assert set(pictures) == {"worst.png", "median.png", "best.png"}
    assert not np.array_equal(pictures["worst.png"], pictures["best.png"])


def test_overlays_can_be_left_out(tmp_path):
    handler = judge(tmp_path, overlays=False)
    assert not (tmp_path / "overlays").exists()
    assert not handler.kept


def test_pictures_of_a_larger_run_do_not_stay(tmp_path):
    judge(tmp_path)
    judge(tmp_path, items=ITEMS[:1], preds=PREDS[:1])
    assert [path.name for path in (tmp_path / "overlays").iterdir()] == ["worst.png"]


def test_number_of_slices_bounds_each_picture(tmp_path):
    assert {len(one.slice_ids) for one in judge(tmp_path, slices=2).kept.values()} == {2}


def test_a_second_run_forgets_the_first(tmp_path):
    handler = judge(tmp_path)
    evaluate(handler, ITEMS[:1], PREDS[:1], [TRUTH])
    assert list(handler.scores) == ["case1_day0"]


def test_scans_that_did_not_come_are_named(tmp_path, caplog):
    handler = JudgeHandler(tmp_path, ITEMS, bootstrap=20)
    with caplog.at_level(logging.WARNING):
        evaluate(handler, ITEMS[:2], PREDS[:2], [TRUTH] * 2)
    assert "1 of 3 scans did not come: case3_day1" in caplog.text


def test_items_without_labels_are_refused(tmp_path):
    with pytest.raises(ValueError, match="case1_day0 without labels"):
        JudgeHandler(tmp_path, [draw_item(label=False)])


def test_output_without_label_is_refused(tmp_path):
    with pytest.raises(ValueError, match="case1_day0: the evaluator's output has no label"):
        evaluate(JudgeHandler(tmp_path, ITEMS), ITEMS[:1], PREDS[:1])


def score(scan, pred, truth=TRUTH):
    ids = [f"{scan}_slice_{number}" for number in range(4)]
    return score_scan(scan, scan, pred, truth, spacing_mm=SPACING_MM, slice_ids=ids)


def test_choice_names_each_scan_once():
    bad, fair, good = score("a", PREDS[2]), score("b", PREDS[0]), score("c", PREDS[1])
    assert choose_scans([good, bad, fair]) == {"worst": "a", "median": "b", "best": "c"}
    assert choose_scans([good, bad]) == {"worst": "a", "best": "c"}
    assert choose_scans([good]) == {"worst": "c"}
    assert choose_scans([]) == {}


def test_scans_without_organs_are_never_chosen():
    empty = np.zeros_like(TRUTH)
    assert choose_scans([score("a", empty, empty), score("b", PREDS[0])]) == {"worst": "b"}


def test_slices_shown_hold_the_most_disputed_one():
    pred, truth = (np.zeros((3, 5, 7, 9), dtype=bool) for _ in range(2))
    truth[0, 1:3, 2:4, 2:8] = True
    pred[:] = truth
    pred[2, 0, 0, 5] = True
    assert telling_positions(pred, truth, 1) == [5]
    assert telling_positions(pred, truth, 3) == [2, 5, 7]
    assert telling_positions(pred, truth, 20) == [2, 3, 4, 5, 6, 7]
    assert telling_positions(np.zeros_like(pred), np.zeros_like(pred), 3) == [4]


def test_kept_slices_draw_truth_and_prediction():
    ids = tuple(f"slice {number}" for number in range(4))
    image = np.zeros((12, 9, 4), dtype=np.float32)
    scan = Scan("case1_day0", "case1", ids, SPACING_MM, AFFINE, image, draw_masks(shift=1), TRUTH)
    kept = judged_slices(scan, 4)
    assert kept.truth.dtype == np.uint8
    assert kept.truth[1, 4, 3] == 0b011  # large and small bowel overlap there
    assert kept.dice[0] == pytest.approx(2 * 18 / 48)
    other = judged_slices(scan._replace(pred=TRUTH), 4)
    assert not np.array_equal(sheet_of(kept), sheet_of(other))


def _share_of_one_process(rank, folder):
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    share = [(0, 2), (1, 2)][rank]  # the third scan is given to both
    handler = JudgeHandler(f"{folder}/both", ITEMS, bootstrap=20)
    evaluate(handler, [ITEMS[i] for i in share], [PREDS[i] for i in share], [TRUTH] * 2)
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_two_processes_write_what_one_writes(tmp_path):
    torch.multiprocessing.spawn(_share_of_one_process, args=(tmp_path,), nprocs=2)
    judge(tmp_path / "alone")
    names = ("slices.csv", "scans.csv", "cases.csv", "summary.json", "overlays/worst.png", "overlays/best.png")
    for name in names:
        assert (tmp_path / "both" / name).read_bytes() == (tmp_path / "alone" / name).read_bytes()
