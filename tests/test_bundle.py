"""Overrides, exit codes and process groups of monai_gi.bundle."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from monai_gi.bundle import check_overrides, enough_for_processes, overrides, require_file
from monai_gi.errors import DataError

PROGRAM = str(Path("site-packages") / "monai" / "bundle" / "__main__.py")


@pytest.fixture
def config_file(tmp_path: Path) -> Path:
    path = tmp_path / "train.json"
    path.write_text(
        json.dumps({"learning_rate": 1e-3, "train": {"trainer": {"_target_": "X", "max_epochs": 3}, "handlers": [{}]}})
    )
    return path


def command(config_file: Path, *words: str) -> list[str]:
    return [PROGRAM, "run", "training", "--config_file", str(config_file), *words]


def test_a_misspelt_setting_is_refused_with_the_nearest_one(config_file):
    with pytest.raises(DataError, match=r"no setting --lerning_rate. Did you mean --learning_rate\?"):
        check_overrides(command(config_file, "--lerning_rate", "0.1"))


def test_every_unknown_setting_is_named_at_once(config_file):
    with pytest.raises(DataError, match=r"--lerning_rate.*--zzz"):
        check_overrides(command(config_file, "--lerning_rate=0.1", "--zzz", "1"))


@pytest.mark.parametrize(
    "override",
    [
        "--learning_rate",
        "--learning-rate",
        "--train#trainer#max_epochs",
        "--train::trainer::max_epochs",
        "--train#trainer#new_argument",
        "--train#handlers#0",
        "--+train#handlers",
        "--logging_file",
        "--run_id",
    ],
)
def test_known_ids_in_every_spelling_pass(config_file, override):
    check_overrides(command(config_file, override, "1"))


def test_overrides_are_what_was_typed_without_the_options_of_monai_itself(config_file):
    words = ["--train::trainer::max_epochs", "5", "--learning_rate=0.1"]
    assert overrides(command(config_file, *words)) == {"train#trainer#max_epochs": "5", "learning_rate": "0.1"}
    assert overrides(["pytest", "--learning_rate", "1"]) == {}


@pytest.mark.parametrize("override", ["--train#trainr#max_epochs", "--train#handlers#7", "--train#new_section"])
def test_an_unknown_nested_id_is_refused(config_file, override):
    with pytest.raises(DataError, match="no setting"):
        check_overrides(command(config_file, override, "1"))


def test_a_negative_value_is_not_taken_for_a_setting(config_file):
    check_overrides(command(config_file, "--learning_rate", "-1"))


def test_keys_of_an_args_file_are_checked_too(config_file, tmp_path):
    arguments = tmp_path / "args.json"
    arguments.write_text(json.dumps({"config_file": str(config_file), "lerning_rate": 1}))
    with pytest.raises(DataError, match="lerning_rate"):
        check_overrides([PROGRAM, "run", "--args_file", str(arguments)])


def test_a_list_of_config_files_is_merged_before_the_check(config_file, tmp_path):
    second = tmp_path / "more.json"
    second.write_text(json.dumps({"more": 1}))
    check_overrides([PROGRAM, "run", "--config_file", f"['{config_file}','{second}']", "--more", "2"])


def test_another_program_is_left_alone():
    check_overrides(["pytest", "--lerning_rate", "1"])


def test_a_missing_file_names_the_repair(tmp_path):
    with pytest.raises(DataError, match=r"no such file\. Train first"):
        require_file(tmp_path / "model.pt", "Train first.")


def test_fewer_scans_than_processes_are_refused(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "3")
    with pytest.raises(DataError, match="3 processes, but only 2 scans"):
        enough_for_processes([{}, {}])
    assert enough_for_processes([{}, {}, {}]) == [{}, {}, {}]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("raised", "code", "printed"),
    [
        ("DataError('train.csv', 'row 7 has no image')", 2, "error: train.csv: row 7 has no image"),
        ("KeyboardInterrupt()", 130, "--resume True"),
        ("RuntimeError('a fault of ours')", 1, "Traceback"),
    ],
)
def test_exit_codes_and_plain_words(raised, code, printed):
    program = (
        "from monai_gi.bundle import exit_plainly; from monai_gi.errors import DataError; exit_plainly()\n"
        f"try:\n    raise {raised}\nexcept Exception as error:\n    raise RuntimeError('wrapped') from error"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert printed in done.stderr
    assert ("Traceback" in done.stderr) == (code == 1)
