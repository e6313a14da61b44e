"""Committed bundles are what their source renders, and the source refuses what it cannot fill."""

import json
import shutil
from pathlib import Path

import pytest
from monai.bundle import ConfigParser

from monai_gi.errors import DataError
from monai_gi.render import bundle_names, render, write_bundles

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "bundles" / "source"
NAMES = bundle_names(SOURCE)


def test_the_networks_for_slices_are_there():
    assert {"basic_unet", "beit", "dpt", "segformer", "swin_unetr", "unetpp", "upernet"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_committed_bundle_is_what_its_source_renders(name):
    for file, text in render(name, SOURCE).items():
        assert (ROOT / "bundles" / name / file).read_text() == text, f"{name}/{file}: run monai-gi render-bundles"


@pytest.mark.parametrize("name", NAMES)
def test_no_bundle_holds_a_file_that_the_source_does_not_render(name):
    folder = ROOT / "bundles" / name
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert found == set(render(name, SOURCE))


@pytest.mark.parametrize("name", NAMES)
def test_the_part_of_a_bundle_stays_small(name):
    assert len((SOURCE / "bundles" / f"{name}.json").read_text().splitlines()) <= 80


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("file", ["train.json", "evaluate.json", "inference.json"])
def test_the_network_and_the_classes_stand_in_one_place(name, file):
    rendered = {other: json.loads(text) for other, text in render(name, SOURCE).items() if other.endswith(".json")}
    network, trained = (dict(rendered[other]["network_def"]) for other in (file, "train.json"))
    for extra in ("init_weights", "init_weights_required"):
        trained.pop(extra, None)
        network.pop(extra, None)
    assert network == trained


def test_a_changed_part_changes_only_its_bundle(tmp_path):
    shutil.copytree(SOURCE, tmp_path / "source")
    assert write_bundles(tmp_path / "source")
    assert write_bundles(tmp_path / "source") == []
    part = tmp_path / "source" / "bundles" / "basic_unet.json"
    part.write_text(part.read_text().replace("[32, 32,", "[16, 32,").replace("32,\n", "16,\n", 1))
    assert {path.parent.name for path in write_bundles(tmp_path / "source")} == {"basic_unet"}


def test_a_placeholder_without_a_value_is_refused(tmp_path):
    shutil.copytree(SOURCE, tmp_path / "source")
    (tmp_path / "source" / "slices" / "README.md").write_text("<no_such_value>")
    with pytest.raises(DataError, match="no value for no_such_value"):
        render("segformer", tmp_path / "source")


def test_a_list_that_is_named_in_a_list_gives_its_items(tmp_path):
    shutil.copytree(SOURCE, tmp_path / "source")
    (tmp_path / "source" / "fragments" / "several.json").write_text('[{"a": 1}, [2, 3]]')
    (tmp_path / "source" / "slices" / "train.json").write_text('{"inside": [0, "<several>", 4], "alone": "<several>"}')
    config = json.loads(render("segformer", tmp_path / "source")["train.json"])
    assert config["inside"] == [0, {"a": 1}, [2, 3], 4]
    assert config["alone"] == [{"a": 1}, [2, 3]]


def test_a_broken_part_is_named_with_its_line(tmp_path):
    shutil.copytree(SOURCE, tmp_path / "source")
    (tmp_path / "source" / "bundles" / "segformer.json").write_text('{"values": {\n]')
    with pytest.raises(DataError, match=r"segformer.json:2: not JSON"):
        render("segformer", tmp_path / "source")


def test_another_component_replaces_the_shared_one_whole():
    loss = json.loads(render("unetpp", SOURCE)["train.json"])["loss"]
    assert set(loss) == {"_target_", "loss", "weights"}


@pytest.mark.parametrize("name", NAMES)
def test_metadata_satisfies_the_schema_of_monai(name, real_data):
    import jsonschema

    schema = json.loads((real_data / "monai_metadata_schema_20240725.json").read_text())
    jsonschema.validate(ConfigParser.load_config_file(ROOT / "bundles" / name / "metadata.json"), schema)
