"""What a comparison refuses before anything is trained: names, settings, folders, and runs that are not its own."""

from pathlib import Path

import pytest

from monai_gi.bundle_comparison import compare_bundles, parse_bundles
from monai_gi.errors import DataError, DataErrors
from tests.drawn_comparison import Runner, request_for, write_bundle


def refused(request):
    runner = Runner({})
    with pytest.raises((DataError, ValueError)) as caught:
        compare_bundles(request, runner)
    assert runner.ran == []
    return caught.value


def test_no_bundle_and_one_twice_are_refused(tmp_path):
    assert "bundles: none, wanted names of folders" in str(refused(request_for(tmp_path, "")))
    with pytest.raises(ValueError, match="bundles: a more than once; a name of its own, as in a-2=a, trains it again"):
        parse_bundles("a,b,a")


def test_all_faults_are_told_before_anything_is_trained(tmp_path):
    request = request_for(tmp_path, "segformer", settings=(("unet", "batch_size", "3"),))
    write_bundle(tmp_path / "bundles" / "polyps", input="frames")
    write_bundle(tmp_path / "bundles" / "broken")
    (tmp_path / "bundles" / "broken" / "evaluate.json").write_text("{")
    (tmp_path / "bundles" / "half").mkdir()
    (tmp_path / "bundles" / "half" / "train.json").write_text("{}")
    names = ("segformer", "segfromer", "qqq", "polyps", "broken", "half")
    bundles = parse_bundles(",".join(names))
    fault = refused(type(request)(**{**vars(request), "bundles": bundles, "dataset_dir": Path("absent")}))
    assert isinstance(fault, DataErrors)
    said = str(fault)
    for part in (
        "segfromer: no such bundle; did you mean segformer?",
        "qqq: no such bundle; there are broken, half, polyps, segformer.",
        "polyps: is a bundle for frames; only those for scans are compared",
        "evaluate.json: not JSON",
        "evaluate.json: no such file; a bundle is a folder with train.json and evaluate.json",
        "--set unet:batch_size: unet is not compared here; there are segformer, ",
        "absent: no such folder; give the data set's folder with --dataset_dir",
    ):
        assert part in said


def test_a_setting_that_no_config_knows_is_told_before_anything_is_trained(tmp_path):
    request = request_for(tmp_path, "a b", settings=((None, "lerning_rate", "1"), ("b", "thresholds", "0.3")))
    said = str(refused(request))
    assert said.startswith("compare-bundles: 2 problems:")
    assert "--set lerning_rate: a has no setting --lerning_rate. Did you mean --learning_rate?" in said
    assert "--set lerning_rate: b has" in said


@pytest.mark.parametrize("name", [".", "..", "a/", "../bundles/a", "/tmp"])
def test_a_path_is_no_name_of_a_bundle_as_its_run_would_lie_elsewhere(tmp_path, name):
    request = request_for(tmp_path, "a")
    for bundles in ({name: name}, {name: "a"}, {"a": name}):
        fault = refused(type(request)(**{**vars(request), "bundles": bundles}))
        assert str(fault) == f"--bundles {name}: is no name of a folder; wanted one in bundles/, such as segformer"


def test_a_folder_without_bundles_and_an_output_that_is_a_file_are_told(tmp_path):
    request = request_for(tmp_path, "a")
    elsewhere = refused(type(request)(**{**vars(request), "source_dir": tmp_path / "elsewhere"}))
    assert f"there is none in {tmp_path / 'elsewhere'}. Run this in the folder that holds them" in str(elsewhere)
    (tmp_path / "out").write_text("")
    assert "out is a file, wanted a folder for results" in str(refused(request))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"budget": "3epochs"}, r"budget was .*'epochs': 2.*is .*'epochs': 3}"),
        ({"fold": 1}, "fold was 0, is 1"),
        ({"folds": 4}, "folds was 5, is 4"),
        ({"seed": 7}, "seed was 0, is 7"),
        ({"device": "cpu"}, "device was auto, is cpu"),
        ({"settings": ((None, "batch_size", "3"),)}, "settings was {}, is {'batch_size': '3'}"),
    ],
)
def test_numbers_of_another_comparison_are_not_taken_over(tmp_path, change, said):
    compare_bundles(request_for(tmp_path, "a"), Runner({"a": 0.5}))
    with pytest.raises(DataError, match=f"holds another comparison: {said}. Ask as before, or choose another --output"):
        compare_bundles(request_for(tmp_path, "a", **change), Runner({"a": 0.5}))


def test_numbers_of_a_bundle_that_was_edited_since_are_not_taken_over(tmp_path):
    request = request_for(tmp_path, "a")
    compare_bundles(request, Runner({"a": 0.5}))
    config = tmp_path / "bundles" / "a" / "train.json"
    config.write_text(config.read_text().replace("0.1", "0.2"))
    assert "holds another comparison: configs was" in str(refused(request))


def test_a_damaged_record_is_named(tmp_path):
    (tmp_path / "out" / "a").mkdir(parents=True)
    (tmp_path / "out" / "a" / "comparison.json").write_text("{")
    with pytest.raises(DataError, match=r"comparison\.json: is damaged; take this folder away"):
        compare_bundles(request_for(tmp_path, "a"), Runner({}))


def test_runs_that_no_comparison_made_are_not_taken_over(tmp_path):
    for name in ("a", "b"):
        (tmp_path / "out" / name).mkdir(parents=True)
        (tmp_path / "out" / name / "resume.pt").write_bytes(b"")
    fault = refused(request_for(tmp_path, "a b"))
    assert isinstance(fault, DataErrors)
    for name in ("a", "b"):
        said = "holds files that no comparison wrote, such as resume.pt. Choose another --output, or remove it"
        assert f"{tmp_path / 'out' / name}: {said}" in str(fault)


def test_a_record_that_was_being_written_when_the_power_went_is_no_run(tmp_path):
    (tmp_path / "out" / "a").mkdir(parents=True)
    (tmp_path / "out" / "a" / "comparison.json.part").write_text("{")
    assert compare_bundles(request_for(tmp_path, "a"), Runner({"a": 0.5})).ok
