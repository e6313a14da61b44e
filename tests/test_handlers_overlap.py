"""Pooled overlap: drawn masks and sums by hand, engines as the bundles use them, two processes."""

import math

import pytest
import torch
from ignite.engine import Engine
from monai.data import MetaTensor
from monai.engines import SupervisedEvaluator

from monai_gi.handlers import OrganOverlap


def masks(*rows):
    """One slice (1, 3, 2, 5) from rows of digits: each digit's bits 1, 2, 4 are the organs."""
    grid = torch.tensor([[int(digit) for digit in row] for row in rows])
    return torch.stack([(grid >> bit) & 1 for bit in range(3)])[None].float()


TRUTH = masks("11320", "00220")  # large bowel 3 px, small bowel 4 px (one shared), no stomach
PRED = masks("01122", "00220")  # large bowel 2 px (2 hit), small bowel 4 px (3 hit)


def numbers_of(*pairs, **settings):
    metric = OrganOverlap(**settings)
    for pair in pairs:
        metric.update(pair)
    return metric.compute()


def test_overlap_is_two_intersections_over_both_areas():
    numbers = numbers_of((PRED, TRUTH))
    assert numbers["dice_large_bowel"] == pytest.approx(2 * 2 / (2 + 3))
    assert numbers["iou_large_bowel"] == pytest.approx(2 / 3)
    assert numbers["dice_small_bowel"] == pytest.approx(2 * 3 / (4 + 4))
    assert numbers["iou_small_bowel"] == pytest.approx(3 / 5)


def test_organ_absent_from_the_whole_epoch_is_nan_and_left_out_of_the_mean():
    numbers = numbers_of((PRED, TRUTH))
    assert math.isnan(numbers["dice_stomach"])
    assert math.isnan(numbers["iou_stomach"])
    assert numbers["mean_dice"] == pytest.approx((0.8 + 0.75) / 2)
    assert numbers["mean_iou"] == pytest.approx((2 / 3 + 3 / 5) / 2)


def test_epoch_without_any_organ_has_mean_zero():
    empty = torch.zeros(1, 3, 2, 5)
    assert numbers_of((empty, empty))["mean_dice"] == 0.0
    assert OrganOverlap().compute()["mean_iou"] == 0.0


def test_organ_only_predicted_scores_zero():
    numbers = numbers_of((masks("44000", "00000"), masks("00000", "00000")))
    assert numbers["dice_stomach"] == 0.0
    assert numbers["mean_dice"] == 0.0


def test_pixels_are_pooled_over_batches_and_slices():
    other = masks("00000", "77777")
    apart = numbers_of((PRED, TRUTH), (other, other))
    together = numbers_of((torch.cat([PRED, other]), torch.cat([TRUTH, other])))
    assert apart == together
    assert apart["dice_large_bowel"] == pytest.approx(2 * 7 / (7 + 8))
    assert apart["dice_stomach"] == 1.0


def test_logits_above_the_threshold_are_organ():
    logits = torch.where(PRED > 0, 0.3, -0.3)
    assert numbers_of((logits, TRUTH))["mean_dice"] == numbers_of((PRED, TRUTH))["mean_dice"]
    assert numbers_of((logits, TRUTH), threshold=0.5)["mean_dice"] == 0.0


def test_reset_forgets():
    metric = OrganOverlap()
    metric.update((PRED, TRUTH))
    metric.reset()
    metric.update((TRUTH, TRUTH))
    assert metric.compute()["mean_dice"] == 1.0


def test_last_output_of_deep_supervision_counts():
    numbers = numbers_of(([torch.zeros_like(PRED), PRED], TRUTH))
    assert numbers["dice_large_bowel"] == pytest.approx(0.8)


def test_other_organs_name_the_channels():
    numbers = numbers_of((PRED[:, :1], TRUTH[:, :1]), organs=["polyp"])
    assert set(numbers) == {"dice_polyp", "iou_polyp", "mean_dice", "mean_iou"}


@pytest.mark.parametrize("shape", [(1, 2, 2, 5), (1, 3, 5, 2)])
def test_tensors_that_do_not_fit_are_named(shape):
    with pytest.raises(ValueError, match=r"\(B, 3, ...\), one channel for each of large_bowel"):
        OrganOverlap().update((torch.zeros(shape), TRUTH))


def test_two_channels_each_are_refused_for_three_organs():
    with pytest.raises(ValueError, match="must both be"):
        OrganOverlap().update((PRED[:, :2], TRUTH[:, :2]))


def test_batch_of_a_trainer_and_scans_of_an_evaluator_give_one_result():
    def output_of(engine, batch):
        return batch

    results = []
    batch = {"pred": torch.cat([PRED, TRUTH]), "label": torch.cat([TRUTH, TRUTH])}
    scan = {key: MetaTensor(value.permute(1, 2, 3, 0)) for key, value in batch.items()}
    for outputs in ([batch], [[scan]], [[{"pred": PRED[0], "label": TRUTH[0]}, {"pred": TRUTH[0], "label": TRUTH[0]}]]):
        engine = Engine(output_of)
        OrganOverlap("val_").attach(engine, "val_mean_dice")
        results.append(engine.run(outputs).metrics)
    assert results[0]["val_dice_large_bowel"] == pytest.approx(2 * 5 / 11)
    assert [result["val_mean_dice"] for result in results] == [results[0]["val_mean_dice"]] * 3
    assert "val_iou_stomach" in results[2]


def test_key_metric_of_an_evaluator_is_a_scalar_and_becomes_the_best():
    evaluator = SupervisedEvaluator(
        device="cpu",
        val_data_loader=[{"image": PRED, "label": TRUTH}],
        network=torch.nn.Identity(),
        key_val_metric={"val_mean_dice": OrganOverlap("val_")},
    )
    evaluator.run()
    assert evaluator.state.best_metric == pytest.approx((0.8 + 0.75) / 2)
    assert evaluator.state.metrics["val_dice_small_bowel"] == pytest.approx(0.75)


def test_stale_numbers_do_not_outlive_an_epoch_without_the_organ():
    engine = Engine(lambda _, batch: batch)
    OrganOverlap().attach(engine, "mean")
    engine.run([{"pred": TRUTH, "label": TRUTH}])
    empty = torch.zeros_like(TRUTH)
    engine.run([{"pred": empty, "label": empty}])
    assert math.isnan(engine.state.metrics["dice_small_bowel"])


def test_output_transform_chooses_the_tensors():
    engine = Engine(lambda _, batch: batch)
    OrganOverlap(output_transform=lambda output: (output["mask"], output["truth"])).attach(engine, "mean")
    assert engine.run([{"mask": TRUTH, "truth": TRUTH}]).metrics["mean"] == 1.0


def _share_of_one_process(rank, folder, results):
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    metric = OrganOverlap()
    for pair in [[(PRED, TRUTH), (TRUTH, TRUTH)], [(TRUTH, PRED)]][rank]:  # uneven shares
        metric.update(pair)
    torch.save(metric.compute(), f"{results}/{rank}.pt")
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_two_processes_and_one_give_the_same_bits(tmp_path):
    torch.multiprocessing.spawn(_share_of_one_process, args=(tmp_path, tmp_path), nprocs=2)
    alone = numbers_of((PRED, TRUTH), (TRUTH, TRUTH), (TRUTH, PRED))
    for rank in range(2):
        together = torch.load(tmp_path / f"{rank}.pt")
        assert {k: v for k, v in together.items() if v == v} == {k: v for k, v in alone.items() if v == v}
        assert math.isnan(together["dice_stomach"])
