"""A run goes on as the run that it was: other folds, data or classes would be judged on what it has seen."""

import logging
import re

import pytest

from monai_gi.errors import DataError
from tests.tiny_training import BATCHES, Training, stopped


def test_settings_that_may_change_are_named_in_a_warning(tmp_path, caplog):
    items = drawn_items("/data/one")
    stopped(tmp_path, BATCHES + 1, settings={"dataset_dir": "one", "lr": 0.1, "resume": False}, data=items)
    settings = {"dataset_dir": "two", "lr": 0.2, "resume": True}
    with caplog.at_level(logging.WARNING):
        Training(tmp_path, epochs=4, resume=True, settings=settings, data=drawn_items("/data/two")).run()
    assert "this is not the run that was stopped: dataset_dir was 'one', is 'two'; lr was 0.1, is 0.2" in caplog.text
    assert "resume was" not in caplog.text


@pytest.mark.parametrize(
    "changed",
    [
        {"fold": 1},
        {"folds": 3},
        {"protocol": "random"},
        {"classes": ["polyp", "other"]},
        {"slice_offsets": [-1, 0, 1]},
        {"levels": [0]},
        {"key_metric": "iou"},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_a_run_is_not_resumed_as_another_one(tmp_path, changed):
    settings = {"fold": 0, "folds": 5, "protocol": "sequence", "classes": ["polyp"], "slice_offsets": [-2, 0, 2]}
    settings |= {"levels": [0, 2], "key_metric": "dice", "lr": 0.1}
    stopped(tmp_path, BATCHES + 1, settings=settings, data=drawn_items("/data"))
    before = (tmp_path / "resume.pt").read_bytes()
    (key, value) = next(iter(changed.items()))
    said = f"{key} was {settings[key]!r}, is {value!r}"
    with pytest.raises(
        DataError, match=f"holds another run: {re.escape(said)}. .* choose another --output_dir"
    ) as caught:
        Training(tmp_path, epochs=4, resume=True, settings={**settings, **changed, "lr": 0.2}, data={"train": []}).run()
    assert caught.value.where == str(tmp_path)
    assert "lr" not in caught.value.problem
    assert (tmp_path / "resume.pt").read_bytes() == before


@pytest.mark.parametrize("side", ["train", "validation"])
def test_a_run_is_not_resumed_on_other_data(tmp_path, side):
    stopped(tmp_path, BATCHES + 1, settings={"lr": 0.1}, data=drawn_items("/data"))
    data = drawn_items("/data")
    data[side] = [*data[side], {"id": "c1", "group": "c", "image": "/data/c1.png", "label": {}}]
    said = rf"{side} data was 1 item of 1 case \(hash \w{{8}}\), is 2 items of 2 cases \(hash \w{{8}}\)\. "
    with pytest.raises(DataError, match=f"holds another run: {said}"):
        Training(tmp_path, epochs=4, resume=True, settings={"lr": 0.1}, data=data).run()


def test_a_file_without_a_hash_of_its_data_goes_on(tmp_path):
    stopped(tmp_path, BATCHES + 1, settings={"fold": 0})
    resumed = Training(tmp_path, epochs=4, resume=True, settings={"fold": 0}, data=drawn_items("/data")).run()
    assert resumed.trainer.state.epoch == 4


def drawn_items(folder):
    """A slice to train on and one to validate on."""
    return {
        side: [
            {"id": f"{name}1", "group": name, "image": f"{folder}/{name}1.png", "label": f"{folder}/mask/{name}1.png"}
        ]
        for side, name in (("train", "a"), ("validation", "b"))
    }
