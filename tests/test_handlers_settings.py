"""settings.json: what decided the result, and nothing about who ran it."""

import json
import sys
from importlib import metadata

import pytest
import torch
from monai.engines import Workflow
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from monai_gi.handlers import SettingsHandler
from monai_gi.handlers.event_files import close_event_writers
from monai_gi.handlers.settings import describe_items, describe_network, without_paths


def items():
    return [
        {"id": "a1", "group": "a", "image": "/home/bob/a1.png", "label": {"stomach": "1 2"}},
        {"id": "a2", "group": "a", "image": "/home/bob/a2.png", "label": {"stomach": ""}},
        {"id": "b1", "group": "b", "image": "/home/bob/b1.png", "label": {"stomach": ""}},
    ]


def run(tmp_path, **arguments):
    engine = Workflow(device="cpu", max_epochs=2, data_loader=[1], iteration_update=lambda engine, batch: None)
    handler = SettingsHandler({"fold": 1, "dataset_dir": "/home/bob/gi tract"}, tmp_path / "out", **arguments)
    handler.attach(engine)
    engine.run()
    return json.loads((tmp_path / "out" / "settings.json").read_text())


def test_file_holds_settings_versions_device_and_command(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "orig_argv", ["/usr/bin/python3", "-m", "monai.bundle", "--output_dir", "/home/bob/x y"])
    report = run(tmp_path, data={"train": items()}, overrides={"network_def#variant": "b1", "cache_dir": "/home/bob/c"})
    assert report["overrides"] == {"network_def#variant": "b1", "cache_dir": "c"}
    assert report["settings"] == {"fold": 1, "dataset_dir": "gi tract"}
    assert report["command"] == "python -m monai.bundle --output_dir x y"
    assert report["versions"]["torch"] == metadata.version("torch")
    assert set(report["versions"]) >= {"python", "monai", "monai_gi", "transformers"}
    assert report["device"].startswith("cpu, ")
    assert report["data"]["train"]["slices"] == 3
    assert report["network"] is None
    assert "bob" not in json.dumps(report)
    assert not list((tmp_path / "out").glob("*.part"))


def test_text_is_in_tensorboard(tmp_path):
    run(tmp_path, tensorboard_dir=tmp_path / "board")
    close_event_writers(tmp_path)
    events = EventAccumulator(str(tmp_path / "board" / "train")).Reload()
    text = events.Tensors("settings/text_summary")[0].tensor_proto.string_val[0].decode()
    assert '"fold": 1' in text


def test_only_process_zero_writes(tmp_path):
    engine = Workflow(device="cpu", max_epochs=1, data_loader=[1], iteration_update=lambda engine, batch: None)
    engine.state.rank = 1
    SettingsHandler({}, tmp_path).attach(engine)
    engine.run()
    assert not list(tmp_path.iterdir())


def test_network_says_how_its_weights_began():
    network = torch.nn.Linear(3, 2)
    assert describe_network(network) == {"name": "Linear", "parameters": 8, "init_weights": "random"}
    network.init_weights_status = "nvidia/mit-b0"
    assert describe_network(network)["init_weights"] == "nvidia/mit-b0"


def test_data_is_counted_and_hashed_without_its_paths():
    moved = [{**item, "image": "/elsewhere/" + item["id"]} for item in items()]
    changed = items()
    changed[0]["label"]["stomach"] = "1 3"
    assert describe_items(items()) == describe_items(moved)
    assert describe_items(items())["cases"] == 2
    assert describe_items(items())["sha256"] != describe_items(changed)["sha256"]
    assert describe_items([{"id": "s", "group": "a", "image": ["1", "2"]}])["slices"] == 2
    assert describe_items([])["items"] == 0


def test_labels_that_are_files_count_by_their_names():
    here, there, other = (
        describe_items([{"id": "1", "group": "a", "label": label}]) for label in ("a/1.png", "b/c/1.png", "a/2.png")
    )
    assert here == there
    assert here["sha256"] != other["sha256"]


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("/home/bob/data", "data"),
        ("/home/bob/with space/data dir", "data dir"),
        ("/home/bob/data/", "data"),
        ("~/x/y", "y"),
        ("../../bob/x", "x"),
        (r"C:\Users\bob\d", "d"),
        (r"\\host\share\bob\x", "x"),
        ("--dataset_dir=/home/bob/data", "--dataset_dir=data"),
        ("['/a/b/c.json','/a/d.json']", "['c.json','d.json']"),
        ("file:///home/bob/x", "x"),
        ("nvidia/mit-b0", "nvidia/mit-b0"),
        ("runs/segformer", "runs/segformer"),
        ("https://hub.org/a/b", "https://hub.org/a/b"),
        ("3 / 4", "3 / 4"),
        ("", ""),
    ],
)
def test_paths_are_cut_to_their_last_name(text, kept):
    assert without_paths({"key": [text]}) == {"key": [kept]}


def test_other_values_stay_plain():
    assert without_paths({"a": None, "b": True, "c": (1, 2.5), "d": torch.device("cpu")}) == {
        "a": None,
        "b": True,
        "c": [1, 2.5],
        "d": "cpu",
    }
