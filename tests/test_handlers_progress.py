"""Lines and bars: where the run is, and an end time that counts epochs and validations still to come."""

import datetime
import io
import math
import re

import pytest
import torch
from monai.engines import SupervisedEvaluator

from monai_gi.handlers import ProgressHandler, progress
from monai_gi.handlers.progress import Pace, end_in_words
from tests.tiny_training import BATCHES, Training

NOON = datetime.datetime(2026, 3, 1, 12, 0)


class Clock:
    def __init__(self, monkeypatch):
        self.now = 100.0
        monkeypatch.setattr(progress.time, "perf_counter", lambda: self.now)


@pytest.fixture
def clock(monkeypatch):
    return Clock(monkeypatch)


class Terminal(io.StringIO):
    def isatty(self):
        return True


def lines_of(tmp_path, stream=None, interval_s=0.0, **settings):
    stream = stream or io.StringIO()
    training = Training(tmp_path, epochs=2, **settings)
    ProgressHandler(interval_s, stream=stream).attach(training.trainer)
    training.run()
    return stream.getvalue().replace("\r", "\n").splitlines()


def test_each_line_names_epoch_loss_speed_share_and_end(tmp_path):
    lines = lines_of(tmp_path)
    pattern = r"epoch \d/2  loss \d\.\d{3}  \d+ slices/s  \d+ %  done (at|on [-\d]+) \d\d:\d\d \(\d+ s left\)"
    assert all(re.fullmatch(pattern, line) for line in lines)
    assert [line.split("slices/s  ")[1].split(" %")[0] for line in lines if "epoch 1" in line][:3] == ["17", "33", "50"]
    assert " 100 % " in lines[-1]


def test_lines_keep_their_distance_but_each_epoch_ends_with_one(tmp_path):
    lines = lines_of(tmp_path, interval_s=1000)
    assert [line[:9] for line in lines] == ["epoch 1/2", "epoch 1/2", "epoch 2/2"]


def test_terminal_gets_one_bar_over_all_epochs(tmp_path):
    text = "\n".join(lines_of(tmp_path, Terminal()))
    assert "epoch 2/2 100%|" in text
    assert "loss 0." in text
    assert "slices/s" in text


def test_resumed_bar_begins_where_the_run_does(tmp_path):
    Training(tmp_path, epochs=1).run()
    stream = Terminal()
    training = Training(tmp_path, epochs=2, resume=True)
    handler = ProgressHandler(stream=stream)
    handler.attach(training.trainer)
    began = []
    training.trainer.add_event_handler(progress.Events.ITERATION_STARTED, lambda: began.append(handler.bar.n))
    training.run()
    assert began[0] == BATCHES


def test_evaluator_counts_scans(tmp_path, clock):
    stream = io.StringIO()
    scan = {"image": torch.zeros(1, 1, 4, 6, 5), "label": torch.zeros(1, 1, 4, 6, 5)}

    class Slow(torch.nn.Identity):
        def forward(self, image):
            clock.now += 4
            return image

    evaluator = SupervisedEvaluator(device="cpu", val_data_loader=[scan] * 6, network=Slow())
    ProgressHandler(name="judging", stream=stream).attach(evaluator)
    evaluator.run(3)
    lines = stream.getvalue().splitlines()
    assert [line.split("  ")[0] for line in lines] == ["judging scan 3/6", "judging scan 6/6"]
    assert "  1 slices/s  50 %  done" in lines[0]
    assert "(12 s left)" in lines[0]


def test_only_process_zero_speaks():
    evaluator = SupervisedEvaluator(device="cpu", val_data_loader=[{}], network=torch.nn.Identity())
    evaluator.state.rank = 1
    ProgressHandler().attach(evaluator)
    assert not any(evaluator._event_handlers[progress.Events.COMPLETED])


def test_pace_counts_steps_and_gaps_apart(clock):
    pace = Pace()
    assert math.isnan(pace.seconds_left(5, 1))
    for _ in range(2):
        pace.begin_epoch()
        for _ in range(3):
            clock.now += 2
            pace.step()
        clock.now += 30  # validation
    pace.begin_epoch()
    assert pace.seconds_left(steps=10, gaps=4) == pytest.approx(10 * 2 + 4 * 30)


def test_first_step_counts_only_while_it_is_alone(clock):
    pace = Pace()
    pace.begin_epoch()
    clock.now += 60  # warming up
    pace.step()
    assert pace.seconds_left(2, 0) == pytest.approx(120)
    clock.now += 1
    pace.step()
    assert pace.seconds_left(2, 0) == pytest.approx(2)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (40, "done at 12:00 (40 s left)"),
        (240, "done at 12:04 (4 min left)"),
        (7200, "done at 14:00 (2 h left)"),
        (30 * 3600, "done on 2026-03-02 18:00 (30 h left)"),
        (math.nan, ""),
    ],
)
def test_end_in_words(seconds, words):
    assert end_in_words(seconds, NOON) == words
