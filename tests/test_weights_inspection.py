import ast
import io
import json
import os
import pickle
import weakref
import zipfile

import pytest
import torch

from monai_gi.sharing.allow_list import PICKLE_GLOBALS
from monai_gi.sharing.script_inspection import script_problems
from monai_gi.sharing.weights_inspection import inspect_safetensors, inspect_script, inspect_weights, pickle_problems
from tests.hostile_zips import two_directories
from tests.sharing_bundles import rewritten, save_script, small_network

pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit")


class Evil:
    """Runs a command wherever it is unpickled."""

    def __reduce__(self):
        return os.system, ("echo evil",)


def text_of(findings):
    return "\n".join(map(str, findings))


@pytest.fixture
def weights(tmp_path):
    torch.save(small_network().state_dict(), tmp_path / "model.pt")
    return tmp_path / "model.pt"


@pytest.fixture
def script(tmp_path):
    save_script(torch.jit.trace(small_network(), torch.zeros(1, 3, 8, 12)), tmp_path / "model.ts")
    return tmp_path / "model.ts"


def test_weights_of_any_type_are_in_order(tmp_path, weights):
    assert inspect_weights("model.pt", weights) == []
    kinds = (torch.float16, torch.bfloat16, torch.float64, torch.int64, torch.uint8, torch.bool)
    tensors = {str(kind): torch.zeros(2, dtype=kind) for kind in kinds}
    torch.save({"model": tensors, "epoch": 3, "part": torch.nn.Parameter(torch.ones(1))}, weights)
    assert inspect_weights("model.pt", weights) == []


def test_pickle_that_runs_a_command_is_wrong(tmp_path, weights):
    torch.save({"x": Evil()}, weights)
    assert f"model.pt#model/data.pkl: names {os.system.__module__}.system" in text_of(
        inspect_weights("model.pt", weights)
    )


def test_whole_network_as_a_pickle_is_wrong(tmp_path, weights):
    torch.save(small_network(), weights)
    assert "names torch.nn.modules.conv.Conv2d" in text_of(inspect_weights("model.pt", weights))


def test_old_pickle_is_wrong(weights):
    torch.save({"x": Evil()}, weights, _use_new_zipfile_serialization=False)
    assert "is no zip archive as PyTorch writes" in text_of(inspect_weights("model.pt", weights))


def test_hidden_and_damaged_weights_are_wrong(tmp_path, weights, script):
    path = tmp_path / "two.pt"
    assert "directory does not stand where it says" in text_of(inspect_weights("two.pt", two_directories(path)))
    assert "holds TorchScript, but is named as a file of weights" in text_of(inspect_weights("x.pt", script))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x/other", "x")
    assert "has no data.pkl" in text_of(inspect_weights("two.pt", path))
    cut = rewritten(weights, lambda name, content: content[:-1] if name.endswith("data.pkl") else content)
    assert "is no complete pickle" in text_of(inspect_weights("model.pt", cut))
    data = weights.read_bytes()
    weights.write_bytes(data.replace(b"collections", b"collectionz"))
    assert "is no complete pickle" in text_of(inspect_weights("model.pt", weights))


@pytest.mark.parametrize("protocol", range(6))
def test_every_protocol_is_read(protocol):
    assert pickle_problems(pickle.dumps(Evil(), protocol), PICKLE_GLOBALS)
    assert pickle_problems(pickle.dumps({"a": [1, 2.5, "x", None]}, protocol), PICKLE_GLOBALS) == []


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (b"(S'id'\nios\nsystem\n.", "opcode INST"),
        (b"cos\nsystem\n(S'id'\ntR.", "names os.system"),
        (b"\x80\x04\x8c\x02os\x8c\x06system\x93.", "opcode STACK_GLOBAL"),
        (b"\x82\x01.", "opcode EXT1"),
        (b"cos\nsystem\nS'id'\no.", "opcode OBJ"),
        (b"Pid\n.", "opcode PERSID"),
        (b"\xff.", "is no complete pickle"),
        (b"", "is no complete pickle"),
        (b"c__torch__\nX\n.", "names __torch__.X"),
    ],
)
def test_opcode_that_names_a_function_is_found(data, match):
    assert match in "; ".join(pickle_problems(data, PICKLE_GLOBALS))


def test_script_is_in_order_and_its_configs_are_handed_on(script):
    with zipfile.ZipFile(script, "a") as archive:
        archive.writestr("model/extra/inference.json", json.dumps({"a": "$eval(1)"}))
    findings, configs = inspect_script("model.ts", script)
    assert findings == []
    assert configs == {"model.ts#model/extra/inference.json": b'{"a": "$eval(1)"}'}


def test_configs_inside_a_script_are_judged(tmp_path):
    from monai_gi.sharing.inspection import inspect
    from monai_gi.sharing.manifest import write_manifest
    from tests.sharing_bundles import write_packed_bundle

    folder = write_packed_bundle(tmp_path / "small")
    with zipfile.ZipFile(folder / "models/model.ts", "a") as archive:
        archive.writestr("model/extra/inference.json", json.dumps({"a": "$eval(1)"}))
    write_manifest(folder)
    assert "models/model.ts#model/extra/inference.json#/a: calls eval" in str(inspect(folder))


class Writer(torch.nn.Module):
    """Writes a file when it is called, in plain TorchScript."""

    def forward(self, x):
        torch.save(x, "/tmp/evil")
        return x


class Reader(torch.nn.Module):
    """Hands on the bytes of any file."""

    def forward(self, x):
        return x + torch.from_file("/etc/passwd", size=3, dtype=torch.uint8)


@pytest.mark.parametrize(("network", "match"), [(Writer, "torch.save"), (Reader, "torch.from_file")])
def test_script_that_touches_files_is_wrong(tmp_path, network, match):
    save_script(torch.jit.script(network()), tmp_path / "model.ts")
    assert f"uses {match} (outside the allow-list)" in text_of(inspect_script("model.ts", tmp_path / "model.ts")[0])


def test_script_that_pytorch_lets_write_a_file_is_wrong(tmp_path, script):
    place = tmp_path / "written"
    added = f'    bias = self.bias\n    torch.save(input, "{place}")\n'.encode()

    def change(name, content):
        return content.replace(b"    bias = self.bias\n", added) if name.endswith(".py") else content

    rewritten(script, change)
    assert "uses torch.save" in text_of(inspect_script("model.ts", script)[0])
    torch.jit.load(script)(torch.zeros(1, 3, 4, 4))
    assert place.exists()


@pytest.mark.parametrize(
    ("line", "match"),
    [
        ('torch.save(x, "f")', "uses torch.save"),
        ('ops.aten.save(x, "f")', "uses ops.aten.save"),
        ('ops.image.read_file("f")', "uses the operators ops.image"),
        ('ops.prim.rpc_async("f")', "uses ops.prim.rpc_async"),
        ('torch.ops.aten.save(x, "f")', "uses torch.ops"),
        ('(x).save("f")', "uses .save"),
        ('getattr(torch, "save")(x, "f")', "calls getattr(torch, 'save')"),
        ('getattr(x, "save")', "calls getattr(x, 'save')"),
        ('getattr(x, "sa" + "ve")', "calls getattr"),
        ('getattr(ops.aten, "pin_memory")(x)', "hands on ops.aten"),
        ("f = torch", "hands on torch"),
        ("f = ops.aten", "hands on ops.aten"),
        ("f = ops", "hands on ops"),
        ("f = torch.save", "uses torch.save"),
        ("f(x)", "calls f"),
        ("(x).pin_memory()", "calls .pin_memory"),
        ("(x if x else x)(x)", "calls what an expression returns"),
        ('__torch__.torch.classes.dist_c10d.TCPStore("h")', "uses .classes"),
        ("import os", "has an import"),
        ("x +", "cannot be read"),
        (None, "cannot be read"),
    ],
)
def test_code_outside_the_list_is_named(line, match):
    source = "" if line is None else f"def forward(self, x):\n  {line}\n  return x\n"
    assert match in "; ".join(text for _, text in script_problems({"a.py": source.encode()}))


def test_own_methods_are_allowed_and_forbidden_names_stay_so():
    source = "class A(Module):\n  def encode(self, x):\n    return torch.relu(x)\n"
    call = "def forward(self, x):\n  _0 = (self.a).encode(x)\n  return torch.add(_0, getattr(self.b, '0').encode(x))\n"
    assert list(script_problems({"a.py": source.encode(), "b.py": call.encode()})) == []
    hidden = source + "  def save(self, x):\n    return x\n" + call.replace("encode", "save")
    assert "uses .save" in str(list(script_problems({"a.py": hidden.encode()})))


def add_code(path, number, size):
    with zipfile.ZipFile(path, "a") as archive:
        for i in range(number):
            archive.writestr(f"model/code/__torch__/more_{i}.py", b"x\n" * (size // 2))


def test_more_code_than_networks_have_is_wrong_and_not_parsed(tmp_path, script, weights, monkeypatch):
    longest = []
    monkeypatch.setattr(
        "monai_gi.sharing.script_inspection.ast.parse",
        lambda text, parse=ast.parse: longest.append(len(text)) or parse(text),
    )
    add_code(script, 1, 300_000)
    assert "more_0.py: has 300000 bytes of code in one file; 262144 are judged" in text_of(
        inspect_script("model.ts", script)[0]
    )
    assert max(longest) < 10_000
    longest.clear()
    add_code(script.with_name("b.ts"), 10, 250_000)
    said = text_of(inspect_script("model.ts", script.with_name("b.ts"))[0])
    assert "holds 2500000 bytes of code, pickles and configs; 2097152 are judged at most" in said
    assert longest == []
    long = {"x": "y" * 3_000_000}
    torch.save(long, weights)
    assert "bytes of code, pickles and configs" in text_of(inspect_weights("model.pt", weights))


def test_syntax_trees_are_judged_one_by_one(monkeypatch):
    alive, most = weakref.WeakSet(), []

    def parse(text, parse=ast.parse):
        tree = parse(text)
        alive.add(tree)
        most.append(len(alive))
        return tree

    monkeypatch.setattr("monai_gi.sharing.script_inspection.ast.parse", parse)
    assert list(script_problems({f"{i}.py": b"x" for i in range(9)})) == []
    assert max(most) <= 2  # the last and the next


@pytest.mark.parametrize("line", ["a" + ".a" * 1400, f"getattr(a, a{'.a' * 1400})", "a" + "[a" * 90 + "]" * 90])
def test_code_nested_very_deep_is_judged(line):
    found = [text for _, text in script_problems({"a.py": line.encode()})]
    assert found == (["calls getattr of something nested very deep"] if "getattr" in line else [])


def test_script_of_other_formats_is_wrong(tmp_path, weights, script):
    assert "holds no TorchScript" in text_of(inspect_script("model.ts", weights)[0])
    (tmp_path / "flat.ts").write_bytes(b"\x00\x00\x00\x00PTMF")
    assert "is no zip archive" in text_of(inspect_script("flat.ts", tmp_path / "flat.ts")[0])
    with zipfile.ZipFile(script, "a") as archive:
        archive.writestr("model/bytecode.pkl", b"")
    assert "code of the mobile format" in text_of(inspect_script("model.ts", script)[0])


def test_pickle_inside_a_script_is_judged(script):
    buffer = io.BytesIO(pickle.dumps(Evil(), 2))
    rewritten(script, lambda name, content: buffer.getvalue() if name.endswith("constants.pkl") else content)
    assert "constants.pkl: names" in text_of(inspect_script("model.ts", script)[0])
    classes = b"c__torch__.torch.classes.dist_c10d\nTCPStore\n."
    rewritten(script, lambda name, content: classes if name.endswith("constants.pkl") else content)
    assert "names __torch__.torch.classes.dist_c10d.TCPStore" in text_of(inspect_script("model.ts", script)[0])


def test_header_of_safetensors_larger_than_any_is_not_read(tmp_path):
    (tmp_path / "a.safetensors").write_bytes((3_000_000).to_bytes(8, "little") + b"{" + b" " * 2_999_998 + b"}")
    assert "is no safetensors file" in text_of(inspect_safetensors("x", tmp_path / "a.safetensors"))


def test_safetensors_are_judged_by_their_header(tmp_path):
    from safetensors.torch import save_file

    path = tmp_path / "model.safetensors"
    save_file(small_network().state_dict(), path)
    assert inspect_safetensors("x", path) == []
    for content in (b"", b"\xff" * 8, (4).to_bytes(8, "little") + b"[1]x", pickle.dumps(Evil())):
        path.write_bytes(content)
        assert "is no safetensors file" in text_of(inspect_safetensors("x", path))
