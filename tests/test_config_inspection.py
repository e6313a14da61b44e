import contextlib
import json
from pathlib import Path

import pytest

from monai_gi.sharing.config_inspection import inspect_configs, inspect_logging

REPOSITORY = Path(__file__).parents[1]


def wrong_of(**changes):
    """What is wrong with one config of these ids."""
    findings = inspect_configs({"inference.json": json.dumps(changes).encode()}).findings
    return "\n".join(str(finding) for finding in findings if finding.severity == "wrong")


def notes_of(**changes):
    findings = inspect_configs({"inference.json": json.dumps(changes).encode()}).findings
    return "\n".join(str(finding) for finding in findings if finding.severity == "note")


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"a": "$__import__('os').system('id')"}, "inference.json#/a: calls .system of what __import__"),
        ({"imports": ["$import subprocess"]}, "inference.json#/imports/0: imports subprocess"),
        ({"a": {"_desc_": "$eval('1')"}}, "/a/_desc_: calls eval"),
        ({"a": {"_target_": "Compose", "_disabled_": "$eval('1')"}}, "/a/_disabled_: calls eval"),
        ({"a": {"_target_": "Compose", "_requires_": ["$eval('1')"]}}, "/a/_requires_/0: calls eval"),
        ({"a": {"_target_": "os.system", "command": "id"}}, "/a/_target_: names the class 'os.system'"),
        ({"a": {"_target_": "eval"}}, "names the class 'eval'"),
        ({"a": {"_target_": "scripts.net.Net"}}, "names the class 'scripts.net.Net'"),
        ({"a": {"_target_": "$'os.' + 'system'"}}, "names a class by"),
        ({"t": "os.system", "a": {"_target_": "@t"}}, "names a class by '@t'"),
        ({"t": "os.system", "a": {"_target_": "%t"}}, "names a class by '%t'"),
        ({"a": {"_target_": ["os.system"]}}, "names a class by"),
        ({"a::_target_": "os.system"}, "names the class 'os.system'"),
        ({"+a#_target_": "os.system"}, "names the class 'os.system'"),
        ({"a": {"_target_": "Compose", "_mode_": "debug"}}, "_mode_ is 'debug'"),
        ({"a": {"_target_": "LoadImaged", "_mode_": "callable"}}, "_mode_ is 'callable'"),
        ({"a": {"_target_": "Compose", "_debug_": True}}, "_debug_ is True"),
        ({"a": {"_target_": "LoadImaged", "reader": "subprocess.Popen"}}, "reader is 'subprocess.Popen'"),
        (
            {"a": {"_target_": "LoadImaged", "reader": ["PILReader", "os.system"]}},
            "reader is ['PILReader', 'os.system']",
        ),
        ({"r": "os.system", "a": {"_target_": "LoadImaged", "reader": "@r"}}, "reader is '@r'"),
        ({"a": {"_target_": "LoadImaged", "reader": "NumpyReader"}}, "reader is 'NumpyReader'"),
        ({"a": {"_target_": "LoadImaged", "reader": {"x": 1}}}, "reader is {'x': 1}"),
        ({"a::transforms::0::reader": "os.system"}, "reader is 'os.system'"),
        ({"a": {"_target_": "SaveImaged", "writer": "os.system"}}, "writer is 'os.system'"),
        ({"a": {"weights_only": False}}, "weights_only is False"),
        ({"a": {"_target_": "transformers.SegformerConfig", "attn_implementation": "me/it"}}, "attn_implementation is"),
        ({"a": "%/etc/other.json#x"}, "reads another file, /etc/other.json"),
        ({"a": "%configs/net.YAML"}, "reads another file, configs/net.YAML"),
        ({"imports": ["$import os"], "a": {"x": "@imports#0"}}, "hands on the module that @imports::0 imports"),
        ({"imports": ["$import os as torch"]}, "binds the name torch to os; it is torch already"),
        ({"imports": ["$import os as x", "$import math as x"]}, "binds the name x to math; it is os already"),
        ({"imports": ["$import os as __local_refs"]}, "it is reserved already"),
        ({"f": "$lambda x: x", "+f": "$@g", "a": "$@f('id')"}, "calls @f"),
        ({"k.j": {"a": "$x[@#b]"}}, "under a key that is more than a word"),
        ({"a] or f(": "%b"}, "under a key that is more than a word"),
        ({"a": "$@####b"}, "is not Python"),
    ],
)
def test_config_outside_the_allow_list_is_wrong(changes, match):
    assert match in wrong_of(**changes)


def test_config_inside_the_allow_list_is_in_order():
    reader = {"_target_": "monai_gi.readers.SliceReader"}
    transforms = [{"_target_": "LoadImaged", "keys": "image", "reader": reader}, {"_target_": "Compose"}]
    step = {"step": "$lambda x: x + 1", "a": {"b": "$@step(2)", "c": "$@##step(2)"}, "run": "%a"}
    assert wrong_of(t=transforms, **step, x={"_target_": "LoadImaged", "reader": None, "_mode_": "default"}) == ""
    assert notes_of(t=transforms, **step) == ""


def test_places_and_unknown_ids_are_notes():
    notes = notes_of(
        a="/home/somebody/data", b="../x", c="C:\\data", d="~/x", e="data/x", f="$@nowhere", g="@a", h="e@x"
    )
    for text in ("/home/somebody", "../x", "C:", "~/x", "refers to @nowhere"):
        assert text in notes
    assert len(notes.splitlines()) == 5


def test_config_that_readers_read_differently_is_wrong():
    def wrong(name, data):
        return " ".join(finding.text for finding in inspect_configs({name: data}).findings)

    assert "has the key 'a' twice" in wrong("x.json", b'{"a": 1, "a": "$eval(1)"}')
    assert "cannot be read as JSON" in wrong("x.json", b"{")
    assert "cannot be read as JSON" in wrong("x.json", b"\xff\xfe{}")
    assert "cannot be read as JSON" in wrong("x.json", b"[" * 100_000)
    assert "deeper than 60 levels" in wrong("x.json", b"[" * 70 + b"]" * 70)
    assert "a config has 1048576 at most" in wrong("x.json", b" " * 1_100_000)
    assert "calls eval" in wrong("x.yaml", b"a: $eval('1')")
    assert "cannot be read as YAML" in wrong("x.yml", b"a: !!python/object/apply:os.system ['id']")
    bomb = "a0: &a0 [x]\n" + "".join(f"a{n + 1}: &a{n + 1} [{', '.join([f'*a{n}'] * 9)}]\n" for n in range(9))
    assert "more than 200000 values" in wrong("x.yaml", bomb.encode())
    assert "deeper than 60 levels" in wrong("x.yaml", b"a: &a [*a]")


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("[handler_a]\nclass=os.system\n", "class = os.system"),
        (f"[handler_a]\nclass=StreamHandler\nargs=({' ' * 200}sys.stdout,)\n", "args = ("),
        ("[handler_a]\nclass=FileHandler\nargs=('/etc/x', 'w')\n", "class = FileHandler"),
        ("[handler_a]\nclass=StreamHandler\nargs=(__import__('os').system('id'),)\n", "args = (__import__"),
        ("[handler_a]\nclass=StreamHandler\nkwargs={'stream': eval('1')}\n", "kwargs ="),
        ("[formatter_a]\nclass=StreamHandler\n", "class = StreamHandler"),
        ("[DEFAULT]\nclass=eval\n[handler_a]\n", "class = eval"),
        ("no section", "cannot be read"),
        ("[handler_a]\nclass=%(x)s\nx=eval\n", "class = %(x)s"),
    ],
)
def test_logging_that_executes_is_wrong(text, match):
    assert match in "\n".join(map(str, inspect_logging("logging.conf", text.encode())))


def test_logging_of_the_repository_is_in_order():
    assert inspect_logging("l", (REPOSITORY / "bundles/source/logging.conf").read_bytes()) == []


TRICKS = [
    ({"a": "$open('PLACE', 'w')"}, "a"),
    ({"f": 1, "a": '$\'@f{open("PLACE", "w")}\''}, "a"),  # the reference ends the text and begins an f-string
    ({"k.real": {"a": "$[0][@#open('PLACE', 'w')]"}, "k": 1}, "k.real::a"),  # the key becomes part of the expression
    ({"imports": ["$import pathlib as glob"], "a": "$glob.Path('PLACE').touch()"}, "a"),
    ({"t": "builtins.open", "a": {"_target_": "%t", "file": "PLACE", "mode": "w"}}, "a"),
    ({"t": "builtins.open", "a": {"_target_": "@t", "file": "PLACE", "mode": "w"}}, "a"),
    ({"a": {"_target_": "open", "file": "PLACE", "mode": "w"}}, "a"),
    ({"a": {"_target_": "LoadImage", "reader": "builtins.open", "file": "PLACE", "mode": "w"}}, "a"),
    ({"f": "$[open for open in [open]][0]", "a": {"_target_": "Lambda", "func": "@f"}}, "a"),
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("config", "key"), TRICKS)
def test_each_trick_works_in_monai_and_is_found_here(tmp_path, config, key):
    from monai.bundle import ConfigParser

    place = tmp_path / "written"
    config = json.loads(json.dumps(config).replace("PLACE", str(place)))
    assert wrong_of(**config)
    assert not place.exists()
    made = None
    with contextlib.suppress(RuntimeError, AttributeError):
        made = ConfigParser(config).get_parsed_content(key)
    if getattr(made, "func", None) is open:
        made.func(place, "w").close()
    assert place.exists()
