"""The command line as a tree of parsers: each verb shows an example that parses, and Tab completes all of it."""

import argparse
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from monai_gi import arguments
from monai_gi.arguments.completion import SHELLS, Command, commands, completion_script
from monai_gi.arguments.looking import add_completion, add_doctor, add_show
from monai_gi.arguments.verbs import add_kinds, add_verb


def tree(parser: argparse.ArgumentParser, words=()):
    """Every parser with the verbs that lead to it."""
    yield words, parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, child in action.choices.items():
                yield from tree(child, (*words, name))


PARSERS = dict(tree(arguments.parser()))


@pytest.mark.parametrize("words", PARSERS, ids=" ".join)
def test_every_help_has_an_example_that_parses(words):
    epilog = PARSERS[words].epilog or ""
    example = re.search(r"^example:\n  (monai-gi .*)$", epilog, re.MULTILINE)
    assert example, f"monai-gi {' '.join(words)} --help shows no example"
    typed = shlex.split(example[1].partition(" > ")[0])
    assert tuple(typed[1 : 1 + len(words)]) == words
    arguments.parser().parse_args(typed[1:])
    assert example[1] in PARSERS[words].format_help()  # in one piece, to be copied


@pytest.mark.parametrize("words", PARSERS, ids=" ".join)
def test_every_option_has_a_line_of_help(words):
    silent = [action.dest for action in PARSERS[words]._actions if not (action.help or action.metavar == "KIND")]
    assert [name for name in silent if name != "verb"] in ([], ["==SUPPRESS=="])


def test_the_exit_codes_stand_in_the_help():
    text = arguments.parser().format_help()
    rows = dict(re.findall(r"^  (\d+)\s+(.*)$", text, re.MULTILINE))
    assert set(rows) == {"0", "1", "2", "130", "143"}
    assert rows["0"] == "done"
    assert rows["130"].startswith("stopped with Ctrl-C")


def small_parser() -> argparse.ArgumentParser:
    """A verb with files and choices, a verb with kinds, and the verbs that look."""
    top = argparse.ArgumentParser(prog="monai-gi")
    top.add_argument("--version", action="version", version="1")
    verbs = top.add_subparsers(required=True, metavar="VERB")
    predict = add_verb(verbs, "predict", "contour: it's 100%% automatic", "monai-gi predict a")
    predict.add_argument("input", type=Path)
    predict.add_argument("-f", "--format", choices=("rtstruct", "nifti"), help="what to write")
    predict.add_argument("--weights", type=Path, help="a file")
    predict.add_argument("--series", help="a UID")
    predict.add_argument("--tta", action="store_true", help="twice the time")
    kinds = add_kinds(verbs, "phantom", "draw data", "monai-gi phantom dicom")
    add_verb(kinds, "dicom", "series", "monai-gi phantom dicom").add_argument("--slices", type=int, help="how many")
    for add in (add_show, add_doctor, add_completion):
        add(verbs)
    return top


def test_the_tree_is_walked_to_its_leaves():
    found = {one.words: one for one in commands(small_parser())}
    assert list(found) == [
        (), ("predict",), ("phantom",), ("phantom", "dicom"), ("show",), ("doctor",), ("completion",),
    ]  # fmt: skip
    assert [name for name, _ in found[()].below] == ["predict", "phantom", "show", "doctor", "completion"]
    assert found[()].below[0][1] == "contour: it's 100% automatic"
    by_name = {option.names[-1]: option for option in found[("predict",)].options}
    assert by_name["--format"].choices == ("rtstruct", "nifti")
    assert by_name["--format"].names == ("-f", "--format")
    assert [by_name[name].is_path for name in ("--weights", "--series")] == [True, False]
    assert [by_name[name].takes_value for name in ("--series", "--tta", "--help")] == [True, False, False]
    assert [found[words].takes_paths for words in (("predict",), ("phantom", "dicom"))] == [True, False]
    assert found[("completion",)].choices == SHELLS


@pytest.mark.parametrize("shell", SHELLS)
def test_every_verb_and_option_is_in_the_script(shell):
    script = completion_script(arguments.parser(), shell)
    everything: list[Command] = list(commands(arguments.parser()))
    options = [name for one in everything for option in one.options for name in option.names if name.startswith("--")]
    spelt = [f"-l {name[2:]} " for name in options] if shell == "fish" else options
    assert [name for name in spelt if name not in script] == []
    assert [name for one in everything for name, _ in one.below if name not in script] == []


def test_an_unknown_shell_is_refused():
    with pytest.raises(ValueError, match="shell: 'tcsh', wanted bash, zsh, fish"):
        completion_script(small_parser(), "tcsh")


def completed(shell: str, line: str, folder: Path) -> list[str]:
    """What a real shell offers for the last word of a line, typed in a folder; file names as it finds them itself."""
    (folder / "script").write_text(completion_script(small_parser(), shell))
    if shell == "fish":
        program = f"source script; complete -C {shlex.quote(line)}"
    else:
        words = line.split(" ")
        quoted = " ".join(map(shlex.quote, words))
        program = f"source ./script; COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; _monai_gi; "
        program += r'printf "%s\n" "${COMPREPLY[@]}"'
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "TERM": "dumb", "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        [shell, "-c", program], cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stderr == ""
    return [line.partition("\t")[0] for line in done.stdout.splitlines() if line]


CASES = [
    ("monai-gi ", ["predict", "phantom", "show", "doctor", "completion"]),
    ("monai-gi ph", ["phantom"]),
    ("monai-gi phantom ", ["dicom"]),
    ("monai-gi phantom dicom --sl", ["--slices"]),
    ("monai-gi predict --format ", ["nifti", "rtstruct"]),
    ("monai-gi predict -f r", ["rtstruct"]),
    ("monai-gi predict --tta --we", ["--weights"]),
    ("monai-gi predict phantom --t", ["--tta"]),  # a file that is called as a verb
    ("monai-gi completion z", ["zsh"]),
    ("monai-gi show --im", ["--images"]),
]


@pytest.mark.parametrize("shell", ["bash", "fish"])
@pytest.mark.parametrize(("line", "wanted"), CASES)
def test_a_shell_completes(shell, line, wanted, tmp_path):
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    found = [word for word in completed(shell, line, tmp_path) if not line.endswith(" ") or not word.startswith("-")]
    assert sorted(found) == sorted(wanted)


def test_bash_leaves_files_to_itself(tmp_path):
    if shutil.which("bash") is None:
        pytest.skip("bash is not installed")
    # nothing offered: `complete -o default` then takes the names of files
    for line in ("monai-gi predict ", "monai-gi predict --weights ", "monai-gi predict --series "):
        assert completed("bash", line, tmp_path) == []


def test_fish_offers_files_where_a_file_is_wanted(tmp_path):
    if shutil.which("fish") is None:
        pytest.skip("fish is not installed")
    (tmp_path / "model.pt").touch()
    assert "model.pt" in completed("fish", "monai-gi predict --weights m", tmp_path)
    assert completed("fish", "monai-gi doctor m", tmp_path) == []


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_takes_the_script_without_a_word(shell, tmp_path):
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    script = tmp_path / "script"
    script.write_text(completion_script(arguments.parser(), shell))
    done = subprocess.run([shell, "-n", str(script)], capture_output=True, text=True, timeout=60, check=True)
    assert (done.stdout, done.stderr) == ("", "")
