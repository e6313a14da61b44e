"""A run goes on where it was stopped, to the last bit, and an existing one is never overwritten."""

import logging
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from ignite.engine import Events

from monai_gi.atomic_file import part_of, write_atomically
from monai_gi.errors import DataError
from monai_gi.handlers import AtomicCheckpointSaver, ResumeCheckpoint
from monai_gi.handlers.resume import read_resume_file
from tests.tiny_training import BATCHES, Stop, Training, same, stopped


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    return folder, Training(folder, epochs=4).run().state()


@pytest.mark.parametrize("iteration", [2, BATCHES + 1, 3 * BATCHES])
def test_stopped_and_resumed_run_ends_with_the_same_bits(whole, tmp_path, iteration):
    stopped(tmp_path, iteration)
    resumed = Training(tmp_path, epochs=4, resume=True).run()
    assert same(resumed.state(), whole[1])
    files = {path.name: torch.load(path, weights_only=True) for path in whole[0].glob("model*")}
    assert {path.name for path in tmp_path.glob("model*")} == set(files)
    assert len(files) == 3
    for name, weights in files.items():
        for key, value in torch.load(tmp_path / name, weights_only=True).items():
            assert torch.equal(value, weights[key])


def test_resumed_run_repeats_only_the_unfinished_epoch(tmp_path):
    stopped(tmp_path, 2 * BATCHES + 2)
    resumed = Training(tmp_path, epochs=4, resume=True)
    seen = []
    resumed.trainer.add_event_handler(Events.EPOCH_STARTED, lambda engine: seen.append(engine.state.epoch))
    resumed.run()
    assert seen == [3, 4]


def test_file_is_written_after_validation(whole):
    saved = read_resume_file(whole[0] / "resume.pt")
    assert saved["epoch"] == 4
    assert saved["iteration"] == 4 * BATCHES
    assert saved["engines"]["evaluator"]["best_metric_epoch"] > 0
    assert len(saved["objects"]["best"]["key_metric"]["_saved"]) == 2
    assert saved["objects"]["early_stop"]["best_score"] is not None
    assert set(saved["objects"]["network"]) == set(Training(whole[0]).network.state_dict())


def test_existing_run_is_never_begun_over(whole):
    before = (whole[0] / "resume.pt").read_bytes()
    with pytest.raises(DataError, match="holds a run at epoch 4 of 4; continue with --resume True or choose another"):
        Training(whole[0]).run()
    assert (whole[0] / "resume.pt").read_bytes() == before


def test_nothing_to_resume_starts_afresh(whole, tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        training = Training(tmp_path, epochs=4, resume=True).run()
    assert "starting afresh" in caplog.text
    assert same(training.state(), whole[1])


def test_finished_run_is_not_trained_again(whole, caplog):
    with caplog.at_level(logging.INFO):
        again = Training(whole[0], epochs=4, resume=True).run()
    assert "nothing left to train: the run reached max_epochs 4 at epoch 4" in caplog.text
    assert same(again.state(), whole[1])


def test_finished_run_goes_on_when_given_more_epochs(tmp_path):
    expected = Training(tmp_path / "long", epochs=4).run().state()
    Training(tmp_path / "short", epochs=2).run()
    assert same(Training(tmp_path / "short", epochs=4, resume=True).run().state(), expected)


def test_fewer_epochs_than_are_finished_trains_nothing(tmp_path):
    ended = Training(tmp_path, epochs=2).run().state()
    shortened = Training(tmp_path, epochs=1, resume=True).run()
    assert shortened.trainer.state.epoch == 2
    assert all(torch.equal(a, b) for a, b in zip(shortened.state()["weights"], ended["weights"], strict=True))


def test_run_stopped_early_stays_stopped(tmp_path, caplog):
    def build(**settings):
        training = Training(tmp_path, epochs=6, patience=1, **settings)
        training.early_stop._handler.score_function = lambda engine: 1.0 if engine.state.epoch == 1 else 0.0
        return training

    assert build().run().trainer.state.epoch == 2
    with caplog.at_level(logging.INFO):
        assert build(resume=True).run().trainer.state.epoch == 2
    assert "the run reached early stop at epoch 2" in caplog.text


def test_early_stop_counter_survives(tmp_path):
    stopped(tmp_path, 3 * BATCHES + 1)
    resumed = Training(tmp_path, epochs=4, resume=True)
    saved = read_resume_file(tmp_path / "resume.pt")["objects"]["early_stop"]
    resumed.checkpoint.attach(resumed.trainer, resumed.evaluator)
    assert resumed.early_stop._handler.state_dict() == saved


@pytest.mark.parametrize("keep", [0, 1000, -1])
def test_damaged_file_is_named(whole, tmp_path, keep):
    content = (whole[0] / "resume.pt").read_bytes()
    (tmp_path / "resume.pt").write_bytes(content[:keep])
    with pytest.raises(DataError, match=r"resume\.pt: is damaged and can not be read"):
        Training(tmp_path, resume=True).run()


def test_file_of_another_kind_is_refused(tmp_path):
    torch.save({"weights": torch.zeros(2)}, tmp_path / "resume.pt")
    with pytest.raises(DataError, match="no resume file of format 1"):
        Training(tmp_path, resume=True).run()


def test_code_in_the_file_is_not_run(tmp_path):
    torch.save({"format": 1, "bad": Odd}, tmp_path / "resume.pt")
    with pytest.raises(DataError, match="damaged"):
        read_resume_file(tmp_path / "resume.pt")


def test_left_over_part_is_removed(tmp_path):
    tmp_path.joinpath("resume.pt.part").write_bytes(b"half")
    training = Training(tmp_path)
    training.checkpoint.attach(training.trainer, training.evaluator)
    assert not list(tmp_path.iterdir())


def test_other_batches_an_epoch_are_refused(tmp_path):
    stopped(tmp_path, BATCHES + 1)
    with pytest.raises(DataError, match=r"its epochs have 3 batches, this run's 2\. Give the same data, batch_size"):
        Training(tmp_path, resume=True, batch_size=6).run()


def test_other_parts_are_refused(whole):
    training = Training(whole[0], resume=True)
    del training.checkpoint.objects["ema"]
    with pytest.raises(
        DataError, match=r"holds best, best_model, .*ema.*; this run has .*Give the settings of the run"
    ):
        training.run()


def test_another_network_is_refused(whole):
    training = Training(whole[0], resume=True)
    training.checkpoint.objects["network"] = torch.nn.Linear(2, 2)
    with pytest.raises(DataError, match="its network does not fit this run's"):
        training.run()


def test_object_without_state_is_named(tmp_path):
    training = Training(tmp_path)
    training.checkpoint.objects["loss"] = torch.relu
    with pytest.raises(TypeError, match="builtin_function_or_method has no state_dict and load_state_dict"):
        training.run()


def test_early_stop_without_trainer_is_named(tmp_path):
    training = Training(tmp_path)
    training.early_stop._handler = None
    with pytest.raises(ValueError, match="EarlyStopHandler has no trainer yet"):
        training.run()


class Odd:
    def __init__(self, state):
        self.state = state

    def state_dict(self):
        return self.state

    def load_state_dict(self, state_dict):
        self.state = state_dict


def test_state_that_can_not_be_loaded_is_found_at_the_first_save(tmp_path):
    training = Training(tmp_path)
    training.checkpoint.objects["odd"] = Odd({"key": Odd})
    with pytest.raises(TypeError, match="the state of odd holds more than tensors and plain values"):
        training.run()


def test_numpy_scalars_are_kept_as_numbers(tmp_path):
    for resume in (False, True):
        training = Training(tmp_path, epochs=2, resume=resume)
        odd = training.checkpoint.objects["odd"] = Odd({"best": [np.float64(0.25), (np.int64(3), "a")]})
        training.run()
    assert odd.state == {"best": [0.25, (3, "a")]}


def test_scaler_is_restored_inside_the_run(tmp_path):
    class Scaler(Odd):
        pass

    training = stopped(tmp_path, BATCHES + 1)
    training.trainer.scaler = Scaler({"scale": 64.0})
    content = training.checkpoint._content(training.trainer)
    write_atomically(tmp_path / "resume.pt", lambda file: torch.save(content, file))
    resumed = Training(tmp_path, epochs=4, resume=True)
    resumed.checkpoint.attach(resumed.trainer, resumed.evaluator)
    resumed.trainer.scaler = Scaler({"scale": 65536.0})  # as MONAI's run makes a new one
    resumed.checkpoint._start(resumed.trainer)
    assert resumed.trainer.scaler.state == {"scale": 64.0}


def test_wrapped_network_is_saved_without_its_wrapper(tmp_path):
    training = Training(tmp_path / "run")
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/meet", rank=0, world_size=1)
    try:
        network = torch.nn.Linear(2, 2)
        wrapped = torch.nn.parallel.DistributedDataParallel(network)
        checkpoint = ResumeCheckpoint(tmp_path / "run" / "resume.pt", {"network": wrapped})
        checkpoint.attach(training.trainer)
        assert checkpoint.objects["network"] is network
    finally:
        torch.distributed.destroy_process_group()


def test_failed_write_leaves_the_former_file(tmp_path):
    path = tmp_path / "sub" / "file"
    write_atomically(path, lambda file: file.write(b"old"))
    with pytest.raises(Stop):
        write_atomically(path, lambda file: (file.write(b"new"), (_ for _ in ()).throw(Stop)))
    assert path.read_bytes() == b"old"
    assert not part_of(path).exists()


def test_best_checkpoint_is_written_before_the_old_one_goes(tmp_path, monkeypatch):
    saver = AtomicCheckpointSaver(
        str(tmp_path), {"model": torch.nn.Linear(1, 1)}, save_key_metric=True, key_metric_filename="model.pt"
    )
    files = saver._key_metric_checkpoint.save_handler
    files({"weight": torch.zeros(1)}, "ignored.pt")
    files.remove("ignored.pt")
    assert (tmp_path / "model.pt").exists()
    monkeypatch.setattr(torch, "save", lambda *_: (_ for _ in ()).throw(Stop))
    with pytest.raises(Stop):
        files({"weight": torch.ones(1)}, "ignored.pt")
    assert torch.load(tmp_path / "model.pt") == {"weight": torch.zeros(1)}


def test_old_best_checkpoint_that_is_gone_already_is_no_fault(tmp_path):
    files = AtomicCheckpointSaver(
        str(tmp_path), {"model": torch.nn.Linear(1, 1)}, save_key_metric=True
    )._key_metric_checkpoint.save_handler
    files.remove("gone.pt")
    files({}, "new.pt")
    assert (tmp_path / "new.pt").exists()


def start(folder, *options):
    command = [sys.executable, "-m", "tests.tiny_training", str(folder), "--epochs", "100000", *options]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_stop_signal_ends_with_one_line_that_says_how_to_go_on(tmp_path, number, code):
    process = start(tmp_path)
    while not (tmp_path / "resume.pt").exists():
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(number)
    errors = process.communicate(timeout=60)[1]
    assert process.returncode == code
    assert "Traceback" not in errors
    assert errors.strip().splitlines()[-1].endswith("kept. Continue with the same command and --resume True")
    assert "terminating due to exception" not in errors


@pytest.mark.slow
def test_killed_at_any_write_or_moment_the_resumed_run_ends_with_the_same_bits(tmp_path):
    ran = subprocess.run(
        [sys.executable, "-m", "tests.kill_trials", str(tmp_path)],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    writes = int(ran.stdout.split()[0])
    assert writes > 30
