"""Runs that time ends: in mid-epoch, validated once more, resumed; and what a run says that it cost."""

import io
import json
import math

import pytest
from ignite.engine import Events
from monai.engines import IterationEvents

from monai_gi.handlers import CostHandler, ProgressHandler, RunClock, TimeBudget, clock, cost
from tests.tiny_training import BATCHES, Training


class Time:
    """A clock that moves only when a test says so."""

    def __init__(self):
        self.now = 1000.0

    def perf_counter(self):
        return self.now

    def time(self):
        return self.now


@pytest.fixture
def moment(monkeypatch):
    moment = Time()
    monkeypatch.setattr(clock, "time", moment)
    monkeypatch.setattr(cost, "time", moment)
    return moment


class Timed(Training):
    """A tiny training (3 batches of 4 slices an epoch) in which a step and a validation take given seconds."""

    def __init__(self, folder, moment, max_minutes, *, step_s=1.0, validation_s=0.0, resume=False, **kept):
        super().__init__(folder, resume=resume, **kept)
        self.moment, self.validated = moment, []
        self.clock = RunClock(max_minutes)
        self.cost = CostHandler(folder, self.clock, resume=resume)
        self.cost.attach(self.trainer)
        self.trainer.add_event_handler(IterationEvents.FORWARD_COMPLETED, self.spend, step_s)
        self.evaluator.add_event_handler(Events.COMPLETED, self.spend, validation_s)
        self.evaluator.add_event_handler(Events.COMPLETED, lambda engine: self.validated.append(engine.state.epoch))
        TimeBudget(self.clock, self.evaluator).attach(self.trainer)

    def spend(self, seconds):
        self.moment.now += seconds


def test_without_minutes_nothing_is_ever_spent(moment):
    endless = RunClock()
    endless.start()
    moment.now += 1e9
    assert endless.tick() == 1e9
    assert (endless.share(), endless.seconds_left(), endless.is_spent()) == (0.0, math.inf, False)


def test_share_and_rest_by_hand(moment):
    two_minutes = RunClock(2)
    two_minutes.start()
    moment.now += 30
    two_minutes.tick()
    assert (two_minutes.share(), two_minutes.seconds_left(), two_minutes.is_spent()) == (0.25, 90.0, False)
    moment.now += 100
    two_minutes.tick()
    assert (two_minutes.share(), two_minutes.seconds_left(), two_minutes.is_spent()) == (1.0, 0.0, True)


def test_seconds_of_earlier_sessions_count(moment):
    resumed = RunClock(1)
    resumed.start(45)
    moment.now += 5
    assert resumed.tick() == 50


def test_the_clock_stands_between_ticks_and_when_stopped(moment):
    standing = RunClock(1)
    standing.start()
    moment.now += 10
    assert standing.seconds == 0
    standing.tick()
    standing.stop()
    moment.now += 10
    assert standing.tick() == 10


@pytest.mark.parametrize("minutes", [0, -1, math.inf, math.nan])
def test_minutes_must_be_above_zero(minutes):
    with pytest.raises(ValueError, match=r"max_minutes: .*wanted more than 0, or null"):
        RunClock(minutes)


def test_a_run_ends_in_mid_epoch_at_the_first_step_after_its_minutes(tmp_path, moment):
    training = Timed(tmp_path, moment, 5 / 60, epochs=100).run()
    assert (training.trainer.state.iteration, training.trainer.state.epoch) == (5, 2)
    assert training.validated == [1, 2]
    assert (tmp_path / "model.pt").exists()


def test_a_run_without_minutes_goes_to_its_last_epoch(tmp_path, moment):
    training = Timed(tmp_path, moment, None, epochs=3).run()
    assert training.trainer.state.iteration == 3 * BATCHES
    assert training.validated == [1, 2, 3]


def test_epochs_may_end_a_run_before_its_minutes_do(tmp_path, moment):
    assert Timed(tmp_path, moment, 60, epochs=2).run().trainer.state.iteration == 2 * BATCHES


def test_the_last_epoch_is_validated_whatever_the_interval(tmp_path, moment):
    training = Timed(tmp_path, moment, 7 / 60, epochs=100, interval=50).run()
    assert (training.validated, training.trainer.state.iteration) == ([3], 7)


def test_validations_use_up_the_minutes_but_the_last_one_comes_on_top(tmp_path, moment):
    training = Timed(tmp_path, moment, 10 / 60, epochs=100, validation_s=4).run()
    assert training.trainer.state.iteration == 2 * BATCHES, "3 + 4 + 3 seconds"
    assert training.validated == [1, 2]
    assert training.clock.seconds == 10, "the last validation is not training"


def test_minutes_that_a_validation_ends_end_the_run(tmp_path, moment):
    training = Timed(tmp_path, moment, 6 / 60, epochs=100, validation_s=4).run()
    assert (training.trainer.state.iteration, training.validated) == (BATCHES, [1])


def test_a_spent_run_trains_no_more_and_more_minutes_go_on(tmp_path, moment):
    Timed(tmp_path, moment, 5 / 60, epochs=100).run()
    again = Timed(tmp_path, moment, 5 / 60, epochs=100, resume=True).run()
    assert (again.trainer.state.iteration, again.validated) == (5, [])
    longer = Timed(tmp_path, moment, 8 / 60, epochs=100, resume=True).run()
    assert longer.trainer.state.iteration == 8
    assert longer.clock.seconds == 8


def test_a_fresh_run_does_not_take_over_a_file_of_another(tmp_path, moment):
    (tmp_path / "cost.json").write_text('{"seconds": 100.0, "slices": 7}')
    training = Timed(tmp_path, moment, 4 / 60, epochs=100).run()
    assert training.trainer.state.iteration == 4
    assert json.loads((tmp_path / "cost.json").read_text())["slices"] == 16


def test_cost_sums_over_sessions(tmp_path, moment):
    Timed(tmp_path, moment, None, epochs=1, validation_s=10).run()
    first = json.loads((tmp_path / "cost.json").read_text())
    Timed(tmp_path, moment, None, epochs=2, validation_s=10, resume=True).run()
    both = json.loads((tmp_path / "cost.json").read_text())
    assert [first[key] for key in ("epochs", "steps", "slices", "seconds", "seconds_of_steps")] == [1, 3, 12, 13, 3]
    assert [both[key] for key in ("epochs", "steps", "slices", "seconds", "seconds_of_steps")] == [2, 6, 24, 26, 6]
    assert both["seconds_to_first_epoch"] == first["seconds_to_first_epoch"]
    assert both["peak_memory_bytes"] > 50e6
    assert both["peak_gpu_bytes"] == 0


def test_the_first_epoch_is_timed_from_the_programs_start(tmp_path, moment, monkeypatch):
    monkeypatch.setattr(cost.psutil.Process, "create_time", lambda _: moment.now - 2.5)
    Timed(tmp_path, moment, None, epochs=1).run()
    assert json.loads((tmp_path / "cost.json").read_text())["seconds_to_first_epoch"] == 2.5


def test_peak_memory_without_linux_files_is_that_of_the_process(monkeypatch):
    from_status = cost.peak_memory_bytes()
    monkeypatch.setattr(cost.Path, "is_file", lambda _: False)
    monkeypatch.setattr(cost.sys, "platform", "linux")
    assert cost.peak_memory_bytes() >= from_status * 0.9
    monkeypatch.setattr(cost.sys, "platform", "darwin")
    assert cost.peak_memory_bytes() < from_status, "macOS counts bytes already"


def test_progress_counts_the_time_where_it_ends_the_run(tmp_path, moment):
    stream = io.StringIO()
    training = Timed(tmp_path, moment, 6 / 60, epochs=100)
    ProgressHandler(interval_s=0, stream=stream, clock=training.clock).attach(training.trainer)
    training.run()
    lines = stream.getvalue().splitlines()
    assert lines[0].startswith("epoch 1  loss")
    assert [line.split("slices/s  ")[1].split(" %")[0] for line in lines][:3] == ["17", "33", "50"]
    assert lines[-1].split("(")[1] == "0 s left)"
