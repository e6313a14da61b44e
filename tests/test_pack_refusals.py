"""Nothing leaves that must stay: each refusal says where, what and how to repair it."""

import json
import re
import zipfile

import pytest
import torch

from monai_gi.errors import DataError, DataErrors
from monai_gi.sharing import torchscript
from monai_gi.sharing.archive import Limits
from monai_gi.sharing.pack import pack
from tests.packable_bundle import change_json, small_bundle
from tests.test_pack import write_run

HOME = "/home/mueller/scans"


@pytest.fixture
def bundle(tmp_path):
    return small_bundle(tmp_path, "basic_unet")


def problems(error):
    return [str(problem) for problem in error.value.problems]


def test_everything_that_must_not_leave_is_named_at_once(bundle, tmp_path):
    source, weights = bundle
    (source / "docs" / "README.md").write_text(f"# A\nTrained on {HOME}\nfine\nbut poor on case12_day3.\n")
    change_json(source / "metadata.json", authors="PatientName=Mueller", data_source="see C:\\data\\mri")
    change_json(source / "train.json", seed_note="Mueller^Anna 1.2.840.113619.2.55.3.604688")
    weights.write_bytes(b"no weights")
    with pytest.raises(DataErrors) as error:
        pack(source, weights, tmp_path / "b.zip", max_bytes=9000)
    said = problems(error)
    for part in (
        f": '{HOME}' is an absolute path",
        ": 'case12_day3' is a case identifier",
        "'PatientName=Mueller' is a patient's attribute",
        "data\\\\mri' is an absolute path",
        "'Mueller^Anna' is a person's name",
        "'1.2.840.113619.2.55.3.604688' is a DICOM UID",
        "configs/train.json: 0.01",
        "at most 0.009 MB a file may leave. Take it out or raise --max-megabytes",
        "does not load with weights_only=True",
    ):
        assert any(part in line for line in said), (part, said)
    assert not (tmp_path / "b.zip").exists()
    assert not list(tmp_path.glob("*.part"))


def test_what_is_allowed_by_name_leaves(bundle, tmp_path):
    source, weights = bundle
    (source / "docs" / "README.md").write_text("# A\ncase12_day3 and case99\n")
    with pytest.raises(DataErrors, match="'case99' is a case identifier"):
        pack(source, weights, tmp_path / "b.zip", allow=["case12_day3"])
    archive = pack(source, weights, tmp_path / "b.zip", allow=["case12_day3", "case99"])
    assert b"case12_day3" in zipfile.ZipFile(archive).read("basic_unet/docs/README.md")


def test_a_case_in_the_name_of_the_bundle_is_found(bundle, tmp_path):
    source = bundle[0].rename(bundle[0].with_name("case12_day3"))
    with pytest.raises(DataErrors, match="name of the bundle:1: 'case12_day3' is a case identifier"):
        pack(source, bundle[1], tmp_path / "b.zip")


def test_a_case_in_the_keys_of_weights_is_found(bundle, tmp_path):
    source, weights = bundle
    state = torch.load(weights, weights_only=True)
    state._metadata["case12_day3"] = {}
    torch.save(state, weights)
    with pytest.raises(DataErrors, match=r"models/model.pt \(archive/data.pkl\):\d+: 'case12_day3'"):
        pack(source, weights, tmp_path / "b.zip")


class Evil:
    def __reduce__(self):
        return print, ("run",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (Evil(), "does not load with weights_only=True"),
        ({"model": {"a": torch.zeros(1)}, "epoch": 3}, "holds a dict with model, epoch, wanted a plain state dict"),
        ({"other.weight": torch.zeros(1)}, "the weights do not fit its network_def"),
        (torch.zeros(3), "holds a Tensor, wanted a plain state dict"),
    ],
)
def test_weights_that_are_no_state_dict_of_the_network_stay(bundle, tmp_path, content, message, capsys):
    torch.save(content, bundle[1])
    with pytest.raises(DataErrors, match=message):
        pack(*bundle, tmp_path / "b.zip")
    assert "run" not in capsys.readouterr().out.split()


def test_missing_weights_are_named(bundle, tmp_path):
    with pytest.raises(DataErrors, match=r"no such file. Name the weights of a run"):
        pack(bundle[0], tmp_path / "absent.pt", tmp_path / "b.zip")


def test_settings_that_plain_monai_can_not_follow_are_refused(bundle, tmp_path):
    source, weights = bundle
    change_json(source / "inference.json", flips=["left_right"])
    with pytest.raises(DataErrors, match=r"flips are .'left_right'., which plain MONAI has no transform for"):
        pack(source, weights, tmp_path / "b.zip")
    change_json(source / "inference.json", flips=[], network_def={"_target_": "monai_gi.networks.Other"})
    with pytest.raises(DataErrors, match=r"network_def is a monai_gi.networks.Other, of which no plain form is known"):
        pack(source, weights, tmp_path / "b.zip")
    content = json.loads((source / "inference.json").read_text())
    del content["spacing_mm"]
    (source / "inference.json").write_text(json.dumps(content))
    with pytest.raises(DataErrors, match="has no id 'spacing_mm'"):
        pack(source, weights, tmp_path / "b.zip")


def test_a_zip_that_is_there_is_replaced_only_when_asked(bundle, tmp_path):
    (tmp_path / "b.zip").write_text("dear")
    with pytest.raises(DataError, match=r"is there already. Give the bundle another version"):
        pack(*bundle, tmp_path / "b.zip")
    assert (tmp_path / "b.zip").read_text() == "dear"
    assert zipfile.is_zipfile(pack(*bundle, tmp_path / "b.zip", overwrite=True))


def test_another_name_than_zip_is_refused(bundle, tmp_path):
    with pytest.raises(DataError, match=r"a packed bundle is a zip. Name it b.tar.zip"):
        pack(*bundle, tmp_path / "b.tar")


def test_an_incomplete_bundle_names_all_that_is_missing(bundle, tmp_path):
    source, weights = bundle
    (source / "LICENSE").unlink()
    (source / "train.json").unlink()
    (source / "evaluate.json").write_text("{,}")
    with pytest.raises(DataErrors) as error:
        pack(source, weights, tmp_path / "b.zip")
    said = "\n".join(problems(error))
    assert re.search(r"LICENSE: no such file", said)
    assert re.search(r"train.json: no such file. A bundle to pack is a folder of bundles/", said)
    assert re.search(r"evaluate.json:1: not JSON", said)


def test_a_folder_that_is_not_there_is_one_problem(tmp_path):
    with pytest.raises(DataError, match=r"nowhere: no such folder. A bundle to pack is a folder of bundles/"):
        pack(tmp_path / "nowhere", tmp_path / "model.pt", tmp_path / "b.zip")


def test_files_beside_the_run_that_are_damaged_are_named(bundle, tmp_path):
    (bundle[1].parent / "settings.json").write_text("[1]")
    with pytest.raises(DataError, match=r"settings.json: is no settings.json of a run"):
        pack(*bundle, tmp_path / "b.zip")
    (bundle[1].parent / "settings.json").unlink()
    (tmp_path / "scores.json").write_text("{")
    with pytest.raises(DataErrors, match=r"scores.json: can not be read as JSON"):
        pack(*bundle, tmp_path / "b.zip", scores=tmp_path / "scores.json")
    (tmp_path / "scores.json").write_text("[1]")
    with pytest.raises(DataErrors, match=r"scores.json: holds a list, wanted an object"):
        pack(*bundle, tmp_path / "b.zip", scores=tmp_path / "scores.json")
    (tmp_path / "scores.json").write_text('{"a": 1}')
    with pytest.raises(DataErrors, match=r"scores.json: holds no scores \(no 'mean_of_organs'\)"):
        pack(*bundle, tmp_path / "b.zip", scores=tmp_path / "scores.json")


def test_scores_of_other_weights_stay(bundle, tmp_path):
    source, weights = bundle
    write_run(weights.parent)
    summary = json.loads((weights.parent / "evaluation" / "summary.json").read_text())
    kept = [weights.read_bytes(), json.dumps(summary)]
    other = {key: value + 1 for key, value in torch.load(weights, weights_only=True).items()}
    torch.save(other, weights)
    with pytest.raises(DataErrors, match=r"summary.json: holds the scores of other weights \(.* Evaluate the weights"):
        pack(source, weights, tmp_path / "b.zip")
    weights.write_bytes(kept[0])
    del summary["state_dict_sha256"]
    (tmp_path / "old.json").write_text(json.dumps(summary))
    with pytest.raises(DataErrors, match=r"old.json: holds the scores of unknown weights. .* or pack --scores none"):
        pack(source, weights, tmp_path / "b.zip", scores=tmp_path / "old.json")
    archive = pack(source, weights, tmp_path / "b.zip", scores="none")
    metadata = json.loads(zipfile.ZipFile(archive).read("basic_unet/configs/metadata.json"))
    assert (metadata["eval_metrics"], "evaluation" in metadata) == ({}, False)


def test_what_receivers_would_be_warned_of_stays(bundle, tmp_path):
    source, weights = bundle
    change_json(source / "train.json", seed_note="case12_day3", own={"_target_": "mine.Loss"}, step="$mine.step()")
    with pytest.raises(DataErrors) as error:
        pack(source, weights, tmp_path / "b.zip")
    for part in (
        "configs/train.json#/own/_target_: names the class 'mine.Loss', outside the allow-list. Whoever gets the ",
        "configs/train.json#/step: calls mine.step (outside the allow-list). Whoever gets the bundle",
        "'case12_day3' is a case identifier",
    ):
        assert any(part in line for line in problems(error)), part
    assert not (tmp_path / "b.zip").exists()


def test_a_bundle_larger_than_receivers_accept_stays(bundle, tmp_path, monkeypatch):
    monkeypatch.setattr("monai_gi.sharing.pack.LIMITS", Limits(total_bytes=50_000))
    with pytest.raises(DataErrors, match=r"all files: have \d+ bytes; 50000 are accepted. Whoever gets the bundle"):
        pack(*bundle, tmp_path / "b.zip")


def test_a_script_that_is_bound_to_one_device_stays(bundle, tmp_path, monkeypatch):
    monkeypatch.setattr(torchscript, "names_a_device", lambda script: True)
    with pytest.raises(DataErrors, match=r"models/model.ts: names the device of its recording"):
        pack(*bundle, tmp_path / "b.zip")


@pytest.mark.slow
def test_torchscript_that_is_wrong_on_a_claimed_size_stays(tmp_path):
    source, weights = small_bundle(tmp_path, "swin_unetr")
    metadata = json.loads((source / "metadata.json").read_text())
    metadata["network_data_format"]["inputs"]["image"]["spatial_shape"] = ["64*n", "64*n"]
    (source / "metadata.json").write_text(json.dumps(metadata))
    with pytest.raises(DataErrors, match=r"models/model.ts: differs from the eager network by .* on input \[1, 3, 1"):
        pack(source, weights, tmp_path / "b.zip")


def test_a_bundle_of_slides_is_refused_with_what_to_do_instead(bundle, tmp_path):
    source, weights = bundle
    change_json(source / "inference.json", input="slides")
    with pytest.raises(
        DataError, match=r"takes slides; only bundles of slices and frames can be packed .* model\.pt, for predict"
    ):
        pack(source, weights, tmp_path / "b.zip")
    assert not (tmp_path / "b.zip").exists()
