"""Scalars from event files: what SummaryWriter wrote comes back, resumed runs replace steps, cut files end early."""

import struct

import numpy as np
import pytest
from torch.utils.tensorboard import SummaryWriter

from monai_gi.errors import DataError
from monai_gi.event_reading import read_scalars


def write(folder, steps, value, *, first=None, tag="dice/mean", picture=False):
    writer = SummaryWriter(str(folder), purge_step=first)
    for step in steps:
        if picture:
            writer.add_image("slice", np.zeros((64, 64, 3), np.uint8), step, dataformats="HWC")
        writer.add_scalar(tag, value + step, step)
    writer.close()
    return next(iter(folder.glob("events*")))


def test_scalars_come_back_by_tag_and_step(tmp_path):
    write(tmp_path, [1, 2, 5], 0.5)
    assert read_scalars(tmp_path) == {"dice/mean": {1: 1.5, 2: 2.5, 5: 5.5}}


def test_pictures_and_texts_between_are_stepped_over(tmp_path):
    write(tmp_path, [1, 2], 0.25, picture=True)
    assert read_scalars(tmp_path) == {"dice/mean": {1: 1.25, 2: 2.25}}


def test_a_folder_without_event_files_is_empty(tmp_path):
    assert read_scalars(tmp_path) == {}
    assert read_scalars(tmp_path / "absent") == {}


def rename(path, seconds):
    """As if it had been opened then: two writers of one test open in the same second."""
    return path.rename(path.with_name(f"events.out.tfevents.{seconds}.host.1.0"))


def test_steps_that_a_resumed_run_took_again_are_its_own(tmp_path):
    rename(write(tmp_path, [1, 2, 3], 10.0), 999)  # nine, as text, stands after one
    later = write(tmp_path / "later", [2], 20.0, first=2)
    later.rename(tmp_path / "events.out.tfevents.1000.host.2.0")
    assert read_scalars(tmp_path) == {"dice/mean": {1: 11.0, 2: 22.0}}


def test_a_run_from_the_start_forgets_the_one_before(tmp_path):
    rename(write(tmp_path, [1, 2, 3], 10.0, tag="old"), 1)
    write(tmp_path / "later", [1], 20.0, first=1).rename(tmp_path / "events.out.tfevents.2.host.2.0")
    assert read_scalars(tmp_path) == {"dice/mean": {1: 21.0}}


@pytest.mark.parametrize("cut", [1, 5, 20])
def test_a_record_that_a_kill_cut_short_ends_the_file(tmp_path, cut):
    path = write(tmp_path, [1, 2], 0.5)
    path.write_bytes(path.read_bytes()[:-cut])
    found = read_scalars(tmp_path)["dice/mean"]
    assert found[1] == 1.5
    assert (2 in found) == (cut < 5)  # the last four bytes are a checksum, which nobody needs


def test_a_file_of_something_else_is_named(tmp_path):
    (tmp_path / "events.out.tfevents.1.host.1.0").write_bytes(struct.pack("<QI", 8, 0) + b"\xff" * 12)
    with pytest.raises(DataError, match="is no event file of TensorBoard"):
        read_scalars(tmp_path)
