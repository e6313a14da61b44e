"""What a packed bundle holds, and that nothing leaves which must stay."""

import hashlib
import io
import json
import re
import zipfile
from pathlib import Path

import pytest
import safetensors.torch
import torch

from monai_gi.handlers.judge import NUMBERS, SCANS
from monai_gi.labels import ORGAN_NAMES
from monai_gi.network_digest import weights_digest
from monai_gi.sharing import torchscript
from monai_gi.sharing.inspection import inspect
from monai_gi.sharing.opening import open_bundle
from monai_gi.sharing.pack import pack
from monai_gi.sharing.run_overrides import as_trained
from tests.packable_bundle import ROI_SIZE, ROOT, change_json, eager_network, random_weights, small_bundle

FILES = {
    *(f"configs/{name}.json" for name in ("metadata", "inference", "train", "evaluate", "multi_gpu_train")),
    *("configs/logging.conf", "models/model.pt", "models/model.ts", "docs/README.md", "LICENSE", "manifest.json"),
}
HOME = "/home/mueller/scans"


@pytest.fixture
def bundle(tmp_path):
    return small_bundle(tmp_path, "basic_unet")


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shared")
    source, weights = small_bundle(folder, "basic_unet")
    write_run(weights.parent)
    return source, weights, pack(source, weights, folder / "basic_unet-0.1.0.zip")


def write_run(folder):
    """What training and evaluation leave beside model.pt, with the packer's places in it."""
    settings = {
        "dataset_dir": "mueller_clinic",
        "learning_rate": 0.003,
        "max_epochs": 7,
        "init_weights": "old/secret.pt",
    }
    report = {
        "settings": settings,
        "network": {"name": "BasicUNet", "parameters": 123, "init_weights": "secret.pt"},
        "data": {"train": {"items": 40, "slices": 40, "cases": 3, "sha256": "ab" * 32, "folder": "mueller_clinic"}},
        "versions": {"torch": "2.13.0"},
        "command": "python -m monai.bundle run --dataset_dir mueller_clinic",
    }
    (folder / "settings.json").write_text(json.dumps(report))
    score = {"mean": 0.81, "interval_95": [0.7, 0.9], "unit": "", "rule": "mean"}
    table = dict.fromkeys(NUMBERS[SCANS].values(), score)
    summary = {
        "cases": 3,
        "scans": 5,
        "organs": dict.fromkeys(ORGAN_NAMES, table),
        "mean_of_organs": table,
        "contest_score": {"plain": {"score": 0.77}},
        "worst": "case7_day0",
        "state_dict_sha256": weights_digest(torch.load(folder / "model.pt", weights_only=True)),
    }
    (folder / "evaluation").mkdir()
    (folder / "evaluation" / "summary.json").write_text(json.dumps(summary))


def read(archive, name):
    with zipfile.ZipFile(archive) as file:
        return file.read(f"basic_unet/{name}")


def read_json(archive, name):
    return json.loads(read(archive, f"configs/{name}.json"))


def test_one_folder_in_the_layout_of_the_model_zoo(shared):
    with zipfile.ZipFile(shared[2]) as archive:
        names = archive.namelist()
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    assert {name.removeprefix("basic_unet/") for name in names} == FILES
    assert not list(shared[2].parent.glob("*.part"))


def test_weights_leave_as_the_very_file_that_training_wrote(shared):
    assert read(shared[2], "models/model.pt") == shared[1].read_bytes()


def test_what_is_packed_passes_the_inspection_and_opens(shared):
    inspection = inspect(shared[2])
    assert inspection.ok, inspection
    with open_bundle(shared[2]) as opened:
        images = torch.rand(2, 3, *ROI_SIZE)
        wanted = eager_network(shared[0] / "inference.json", shared[1])(images)
        torch.testing.assert_close(opened.network.eval()(images), wanted)


def test_metadata_keeps_to_the_schema_and_names_the_label_map(shared, real_data):
    jsonschema = pytest.importorskip("jsonschema")
    metadata = read_json(shared[2], "metadata")
    schema = json.loads((real_data / "monai_metadata_schema_20240725.json").read_text())
    jsonschema.validate(metadata, schema)
    formats = metadata["network_data_format"]
    assert formats["inputs"]["image"]["spatial_shape"] == ROI_SIZE
    assert formats["outputs"]["pred"]["num_channels"] == 3
    assert formats["outputs"]["pred"]["channel_def"] == {
        "0": "background",
        "1": "large_bowel",
        "2": "small_bowel",
        "3": "stomach",
    }
    assert metadata["required_packages_version"]["monai_gi"]
    assert metadata["pytorch_version"] == torch.__version__.partition("+")[0]


def test_training_facts_and_scores_come_along_without_the_packers_places(shared):
    metadata = read_json(shared[2], "metadata")
    assert metadata["training"]["settings"] == {"learning_rate": 0.003, "max_epochs": 7}
    assert metadata["training"]["network"]["init_weights"] == "other weights of the packer"
    assert metadata["training"]["data"] == {"train": {"items": 40, "slices": 40, "cases": 3, "sha256": "ab" * 32}}
    assert metadata["eval_metrics"]["mean_dice"] == 0.81
    assert metadata["evaluation"]["cases"] == 3
    assert "5 scans of 3 cases" in read(shared[2], "docs/README.md").decode()
    everything = b"".join(zipfile.ZipFile(shared[2]).read(name) for name in zipfile.ZipFile(shared[2]).namelist())
    for secret in ("mueller", "secret", "case7", str(ROOT), str(Path(torch.__file__).parent), str(Path.home()) + "/"):
        assert secret.encode() not in everything


def test_the_readme_claims_no_missing_weights_and_names_the_packed_configs(shared):
    readme = read(shared[2], "docs/README.md").decode()
    assert "No trained weights" not in readme
    assert "bundles/" not in readme
    assert readme.startswith("# BasicUNet")


def test_packed_inference_names_neither_this_package_nor_a_macro(shared):
    text = json.dumps(read_json(shared[2], "inference"))
    assert "monai_gi" not in text
    assert not re.search('"[%]', text)
    config = read_json(shared[2], "inference")
    assert config["bundle_root"] == "."
    assert config["thresholds"] == [0.5, 0.5, 0.5]
    assert config["slice_spacing_mm"] == 3.0


def test_packed_training_writes_into_the_bundle_and_runs_afresh(shared):
    config = read_json(shared[2], "train")
    assert config["output_dir"] == "$os.path.join(@bundle_root, 'models')"
    assert config["dataset_dir"] == "data"
    assert any("checkpoint.attach" in step for step in config["training"])
    assert not any("checkpoint.attach" in step for step in config["run"])
    assert read_json(shared[2], "evaluate")["run"] == read_json(shared[2], "evaluate")["evaluating"]


def test_model_ts_holds_what_monai_deploy_reads_and_no_source_names(shared):
    script = read(shared[2], "models/model.ts")
    with zipfile.ZipFile(io.BytesIO(script)) as archive:
        assert {name.partition("/")[0] for name in archive.namelist()} == {"model"}
        assert not [name for name in archive.namelist() if "debug_pkl" in name or "traced_inputs" in name]
        assert json.loads(archive.read("model/extra/metadata.json")) == read_json(shared[2], "metadata")
        assert json.loads(archive.read("model/extra/inference.json")) == read_json(shared[2], "inference")
    images = torch.rand(2, 3, 96, 64)
    wanted = eager_network(shared[0] / "inference.json", shared[1])(images)
    torch.testing.assert_close(torchscript.load(script)(images), wanted, atol=1e-5, rtol=0)


def test_a_signature_is_written_with_a_key(bundle, tmp_path):
    ed25519 = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ed25519")
    from cryptography.hazmat.primitives import serialization

    key = ed25519.Ed25519PrivateKey.generate()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (tmp_path / "key.pem").write_bytes(pem)
    archive = pack(*bundle, tmp_path / "b.zip", sign=tmp_path / "key.pem", version="2.0.0")
    assert inspect(archive).signature.valid
    assert read_json(archive, "metadata")["version"] == "2.0.0"
    assert "2.0.0" in read_json(archive, "metadata")["changelog"]


def test_safetensors_are_packed_as_a_state_dict(bundle, tmp_path):
    state = torch.load(bundle[1], weights_only=True)
    safetensors.torch.save_file(state, tmp_path / "model.safetensors")
    archive = pack(bundle[0], tmp_path / "model.safetensors", tmp_path / "b.zip")
    packed = torch.load(io.BytesIO(read(archive, "models/model.pt")), weights_only=True)
    assert all(torch.equal(packed[key], state[key]) for key in state)
    training = read_json(archive, "metadata")["training"]
    assert training["weights_file"] == "models/model.pt"
    assert training["weights_sha256"] == hashlib.sha256(read(archive, "models/model.pt")).hexdigest()
    assert training["state_dict_sha256"] == weights_digest(state)


def test_the_network_is_packed_as_the_run_changed_it(bundle, tmp_path):
    source, weights = bundle
    before = (source / "inference.json").read_text()
    change_json(source / "inference.json", "network_def", features=[16, 8, 8, 8, 8, 8])
    torch.save(random_weights(source / "inference.json"), weights)
    (source / "inference.json").write_text(before)
    overrides = {"network_def#features": "[16, 8, 8, 8, 8, 8]", "roi_size": "[32, 64]", "dataset_dir": "mueller"}
    (weights.parent / "settings.json").write_text(json.dumps({"overrides": overrides}))
    archive = pack(source, weights, tmp_path / "b.zip")
    for name in ("inference", "train", "evaluate", "multi_gpu_train"):
        assert read_json(archive, name)["network_def"]["features"] == [16, 8, 8, 8, 8, 8]
    assert read_json(archive, "inference")["roi_size"] == [32, 64]
    assert "roi_size" not in read_json(archive, "multi_gpu_train")
    assert "mueller" not in json.dumps([read_json(archive, name) for name in ("train", "metadata")])


@pytest.mark.parametrize(
    ("overrides", "wanted"),
    [
        ({"network_def#norm": "batch"}, {"network_def": {"_target_": "A", "norm": "batch"}, "roi_size": 3}),
        ({"network_def#init_weights": "a.pt", "seed": "3"}, {"network_def": {"_target_": "A"}, "roi_size": 3}),
        ({"network_def#a#b": "3", "roi_size": 4}, {"network_def": {"_target_": "A"}, "roi_size": 4}),
        ({"slice_offsets": "[0]"}, {"network_def": {"_target_": "A"}, "roi_size": 3}),
        (None, {"network_def": {"_target_": "A"}, "roi_size": 3}),
    ],
)
def test_overrides_of_a_run_reach_what_decides_about_the_weights(tmp_path, overrides, wanted):
    config = {"network_def": {"_target_": "A"}, "roi_size": 3}
    (tmp_path / "settings.json").write_text(json.dumps({"overrides": overrides}))
    assert as_trained(config, tmp_path / "settings.json") == wanted
    assert config == {"network_def": {"_target_": "A"}, "roi_size": 3}
    assert as_trained(config, tmp_path / "absent.json") == config
