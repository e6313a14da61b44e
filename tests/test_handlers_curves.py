"""What TensorBoard reads back: shared tags, one axis a folder, no doubled points after a resume."""

import math

import pytest
import torch
from ignite.engine import Events
from monai.engines import SupervisedEvaluator
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from monai_gi.handlers import CurvesHandler
from monai_gi.handlers.curves import curve_tag, plain_scalars, slices_of
from monai_gi.handlers.event_files import close_event_writers, event_writer
from tests.tiny_training import BATCHES, Training


def curves_of(folder, run):
    """{tag: [(step, value), ...]} of one run folder."""
    events = EventAccumulator(str(folder / "tensorboard" / run), size_guidance={"scalars": 0}).Reload()
    return {tag: [(e.step, e.value) for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


@pytest.fixture(scope="module")
def board(tmp_path_factory):
    folder = tmp_path_factory.mktemp("board")
    training = Training(folder, epochs=3, curves=True)
    losses, rates, dice = [], [], []
    trainer, evaluator = training.trainer, training.evaluator
    trainer.add_event_handler(Events.ITERATION_STARTED, lambda: rates.append(training.optimizer.param_groups[0]["lr"]))
    trainer.add_event_handler(Events.ITERATION_COMPLETED, lambda e: losses.append(e.state.output["loss"].item()))
    evaluator.add_event_handler(Events.EPOCH_COMPLETED, lambda e: dice.append(e.state.metrics["val_dice_stomach"]))
    training.run()
    return folder, losses, rates, dice, evaluator


def test_iterations_hold_every_loss_and_the_rate_of_its_step(board):
    folder, losses, rates, _, _ = board
    curves = curves_of(folder, "iterations")
    steps = list(range(1, 3 * BATCHES + 1))
    assert curves["loss"] == [(step, pytest.approx(loss)) for step, loss in zip(steps, losses, strict=True)]
    assert curves["learning_rate"] == [(step, pytest.approx(rate)) for step, rate in zip(steps, rates, strict=True)]


def test_train_and_validation_share_tags_and_epochs(board):
    folder, losses, _, dice, evaluator = board
    train, validation = curves_of(folder, "train"), curves_of(folder, "validation")
    organs = {f"{measure}/{organ}" for measure in ("dice", "iou") for organ in ("large_bowel", "stomach", "mean")}
    assert set(train) & set(validation) >= organs | {"slices_per_second"}
    assert [step for step, _ in train["dice/mean"]] == [1, 2, 3] == [step for step, _ in validation["dice/mean"]]
    assert validation["dice/stomach"] == [(i + 1, pytest.approx(value)) for i, value in enumerate(dice)]
    means = [sum(losses[i : i + BATCHES]) / BATCHES for i in range(0, len(losses), BATCHES)]
    assert [value for _, value in train["loss"]] == pytest.approx(means)
    assert validation["best/metric"][-1] == (3, pytest.approx(evaluator.state.best_metric))
    assert validation["best/epoch"][-1] == (3, evaluator.state.best_metric_epoch)
    assert "best/metric" not in train
    assert all(value > 0 for _, value in train["slices_per_second"])


def test_resumed_run_leaves_no_doubled_points(board, tmp_path):
    class Stop(Exception):
        pass

    def stop(engine):
        if engine.state.iteration == 2 * BATCHES + 3:
            raise Stop

    killed = Training(tmp_path, epochs=3, curves=True)
    killed.trainer.add_event_handler(Events.ITERATION_COMPLETED, stop)
    with pytest.raises(Stop):
        killed.run()
    # A kill after validation and before the checkpoint leaves the whole lost epoch in the event files.
    event_writer(tmp_path / "tensorboard" / "train", 0).add_scalar("dice/mean", 9.0, 3)
    event_writer(tmp_path / "tensorboard" / "validation", 0).add_scalar("dice/mean", 9.0, 3)
    close_event_writers(tmp_path)
    Training(tmp_path, epochs=3, curves=True, resume=True).run()
    for run in ("train", "validation", "iterations"):
        resumed, whole = curves_of(tmp_path, run), curves_of(board[0], run)
        for tag in set(whole) - {"slices_per_second"}:
            assert resumed[tag] == whole[tag], (run, tag)


def test_nothing_to_judge_is_left_out(tmp_path):
    evaluator = SupervisedEvaluator(device="cpu", val_data_loader=[{}], network=torch.nn.Identity())
    handler = CurvesHandler(tmp_path / "tensorboard", "val_")
    evaluator.state.metrics = {"val_dice_stomach": math.nan, "val_dice_large_bowel": 0.5, "val_table": {"a": 1}}
    evaluator.state.epoch = 4
    handler._write_epoch(evaluator)
    close_event_writers(tmp_path)
    assert curves_of(tmp_path, "validation") == {"dice/large_bowel": [(4, 0.5)]}


def test_only_process_zero_writes(tmp_path):
    evaluator = SupervisedEvaluator(device="cpu", val_data_loader=[{}], network=torch.nn.Identity())
    evaluator.state.rank = 1
    CurvesHandler(tmp_path, "val_").attach(evaluator)
    assert not any(evaluator._event_handlers[Events.EPOCH_COMPLETED])


def test_losses_are_fetched_every_few_iterations(tmp_path):
    training = Training(tmp_path, epochs=1)
    handler = CurvesHandler(tmp_path / "tensorboard", "train_", every=BATCHES + 1)
    handler.attach(training.trainer)
    held = []
    training.trainer.add_event_handler(Events.ITERATION_COMPLETED, lambda: held.append(len(handler.losses)))
    training.run()
    assert held == [1, 2, 3]
    assert len(curves_of(tmp_path, "iterations")["loss"]) == BATCHES


def test_writers_are_shared_and_closed_by_folder(tmp_path):
    first = event_writer(tmp_path / "a", 1)
    assert event_writer(tmp_path / "a", 5) is first
    close_event_writers(tmp_path / "b")
    assert event_writer(tmp_path / "a", 1) is first
    close_event_writers(tmp_path)
    assert event_writer(tmp_path / "a", 1) is not first
    close_event_writers(tmp_path)


@pytest.mark.parametrize(
    ("name", "tag"),
    [
        ("val_dice_large_bowel", "dice/large_bowel"),
        ("val_mean_dice", "dice/mean"),
        ("val_iou_stomach", "iou/stomach"),
        ("val_loss", "loss"),
        ("other", "other"),
        ("train_mean_dice", "train_mean_dice"),
    ],
)
def test_tags_lose_the_prefix_and_are_grouped(name, tag):
    assert curve_tag(name, "val_") == tag


def test_slices_of_stacks_and_scans():
    assert slices_of(torch.zeros(4, 3, 6, 8)) == 4
    assert slices_of(torch.zeros(2, 1, 6, 8, 5)) == 10


def test_scalars_are_numbers_and_tensors_without_axes():
    metrics = {"a": 1, "b": torch.tensor(0.5), "c": torch.zeros(3), "d": {"a": 1}, "e": "text"}
    assert plain_scalars(metrics) == {"a": 1.0, "b": 0.5}
