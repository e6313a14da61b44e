import importlib
import types
from pathlib import Path

import pytest

from monai_gi.sharing import allow_list
from monai_gi.sharing.expressions import Surroundings, expression_problems
from monai_gi.sharing.references import make_absolute, substitute

AROUND = Surroundings(
    {**allow_list.ALWAYS_BOUND, "os": "os", "glob": "glob", "Path": "pathlib.Path", "nn": "torch.nn"},
    lambdas={"step", "a::step"},
    imported={"imports::0"},
)


@pytest.mark.parametrize(
    "text",
    [
        "import torch",
        "import numpy as np",
        "from pathlib import Path",
        "len(@slice_offsets)",
        "@device if torch.cuda.is_available() else 'cpu'",
        "[{'image': i} for i in sorted(glob.glob(os.path.join(@dir, '*.nii*')))]",
        "(@net.register_forward_hook(@hook), @net)[1]",
        "lambda m, i, o: torch.nn.functional.interpolate(o.logits, size=i[0].shape[-2:], mode='bilinear')",
        "int(os.environ.get('RANK', '0'))",
        "@step(3)",
        "@#step(3)",
        "torch.load(@path, weights_only=True, map_location=@device)",
        "list(map(os.path.basename, @files))",
        "sorted(@files, key=lambda path: path.lower())",
        "monai.transforms.RemoveSmallObjects(64)(@mask)",
        "@name + f'{1}.txt'",
        "dict(a=1, **@more)",
        "[x for y in @a for x in y if x]",
        "np.float32",
        "Path(@root).parent",
        "@train::dataset.data",
    ],
)
def test_harmless_expression_is_allowed(text):
    assert expression_problems(text, "a::b", AROUND) == []


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("import subprocess", "imports subprocess"),
        ("import monai.bundle", "imports monai.bundle"),
        ("import torch.hub", "imports torch.hub"),
        ("from os import system", "imports os.system"),
        ("from . import evil", "imports None.evil"),
        ("import os; import subprocess", "more than one import"),
        ("import os, subprocess", "more than one import"),
        ("import os @x", "not Python"),
        ("__import__('os')", "calls __import__"),
        ("eval('1')", "calls eval"),
        ("exec(@code)", "calls exec"),
        ("compile('1', '', 'eval')", "calls compile"),
        ("open('/etc/passwd')", "calls open"),
        ("getattr(torch, 'hub')", "calls getattr"),
        ("setattr(@a, 'b', 1)", "calls setattr"),
        ("globals()", "calls globals"),
        ("input()", "calls input"),
        ("breakpoint()", "calls breakpoint"),
        ("os.system('id')", "calls os.system"),
        ("os.popen('id')", "calls os.popen"),
        ("ｏｓ.ｓｙｓｔｅｍ('id')", "calls os.system"),  # Python folds these letters
        ("subprocess.run('id')", "calls subprocess.run"),
        ("importlib.import_module('x')", "calls importlib"),
        ("monai.bundle.run(config_file='x.json')", "calls monai.bundle.run"),
        ("monai.utils.run_cmd(['id'])", "calls monai.utils.run_cmd"),
        ("torch.hub.load('a', 'b')", "calls torch.hub.load"),
        ("torch.save(1, 'x')", "calls torch.save"),
        ("torch.load('x')", "torch.load without weights_only=True"),
        ("torch.load('x', weights_only=False)", "torch.load without weights_only=True"),
        ("torch.load('x', weights_only=True, **@more)", "torch.load without weights_only=True"),
        ("np.load('x', allow_pickle=True)", "calls numpy.load"),
        ("nn.os.system('id')", "calls torch.nn.os.system"),
        ("os.environ", "uses os.environ"),
        ("os.environ.get('AWS_SECRET_ACCESS_KEY')", "environment variable 'AWS_SECRET_ACCESS_KEY'"),
        ("os.environ.get(@name)", "environment variable"),
        ("os", "uses os"),
        ("().__class__.__base__.__subclasses__()", "__subclasses__"),
        ("@a.run.__globals__", "uses .__globals__"),
        ("'{0.__class__}'.format(@a)", "calls .format"),
        ("(lambda f: f('id'))(os.system)", "uses os.system"),
        ("(lambda f: f)(1)", "calls lambda f"),
        ("[f('id') for f in @list]", "calls f"),
        ("@other('id')", "calls @other"),
        ("@list[0]('id')", "calls @list"),
        ("Path('x')('y')", "calls what Path(...) returns"),
        ("@imports::0", "the module that @imports::0 imports"),
        ("@imports::0.get('id')", "the module that @imports::0 imports"),
        ("@imports[0].system('id')", "calls .system"),
        ("[eval for eval in [eval]][0]", "uses eval"),
        ("[(eval, x) for x in [1] for eval in [eval]]", None),  # an unbound local name in Python, too
        ("lambda x=eval: x", "uses eval"),
        ("lambda *, x=eval: x", "uses eval"),
        ("map(@f, ['x'])", "hands @f to map"),
        ("torch.load", "hands on torch.load"),  # whoever gets it calls it without weights_only=True
        ("list(map(torch.load, ['x']))", "hands on torch.load"),
        ("list(map(os.environ.get, ['AWS_SECRET_ACCESS_KEY']))", "hands on os.environ.get"),
        ("map(map, [@f], ['x'])", "hands on map"),
        ("sorted(['x'], **@more)", "hands arguments without names to sorted"),
        ("sorted(['x'], key=@f)", "hands @f to sorted"),
        ("max(['x'], key=[len][0])", "hands [len][0] to max"),
        ("f'{eval(1)}'", "calls eval"),
        ("f'{1:{eval(2)}}'", "calls eval"),
        ("{**eval('1')}", "calls eval"),
        ("print(*eval('1'))", "calls eval"),
        ("[x for x in eval('1')]", "calls eval"),
        ("@a[eval('1')]", "calls eval"),
        ("(x := 1)", "NamedExpr"),
        ("9**9**9", "uses Pow"),
        ("1 << 10**9", "uses LShift"),
        ("'@f{os.system(1)}'", "reference inside a text"),
        ("[1 for @a.b in [1]]", "no name"),
        ("__local_refs", "uses __local_refs"),
        ("1; 2", "no single expression"),
        ("x = 1", "no single expression"),
        ("1 +", "not Python"),
        ("(" * 500, "not Python"),
        ("@####a", "not Python"),
        ("1" * 4001, "has 4001 characters"),
    ],
)
def test_anything_else_is_named(text, match):
    problems = "; ".join(expression_problems(text, "a::b", AROUND))
    assert problems == "" if match is None else match in problems


def test_reference_is_called_only_where_it_is_a_lambda():
    assert expression_problems("@step(1)") == ["calls @step"]
    assert expression_problems("@step(1)", around=AROUND) == []


def test_import_that_renames_can_not_hide_a_function():
    around = Surroundings({**allow_list.ALWAYS_BOUND, "len": "os.system", "math": "os"})
    assert expression_problems("len('id')", around=around) == ["calls os.system"]
    assert expression_problems("math.remove('x')", around=around) == ["calls os.remove"]


@pytest.mark.parametrize(
    "text",
    [
        "@a",
        "@a::b + @a",
        "@#x",
        "@##y::z",
        "f(@a#b, '@a')",
        "'@f{1}'",
        "@",
        "a @ b",
        "@a.b @ab",
        "%#x",
        "@###top",
        "@#a + @##b",
    ],
)
@pytest.mark.parametrize("position", ["k", "k::0::or", "a b::c.d::e"])
def test_texts_are_read_as_monai_reads_them(text, position):
    from monai.bundle import ConfigParser
    from monai.bundle.reference_resolver import ReferenceResolver

    try:
        theirs = ConfigParser.resolve_relative_ids(position, f"${text}")
    except ValueError:
        with pytest.raises(ValueError, match="leads above the root"):
            make_absolute(text, position)
        return
    assert make_absolute(text, position) == theirs[1:]
    refs = dict.fromkeys(ReferenceResolver.match_refs_pattern(theirs), 1)
    assert substitute(text, position) == ReferenceResolver.update_refs_pattern(theirs, refs)[1:]


def looked_up(name):
    """The object behind a full name, as Python finds it."""
    parts = name.split(".")
    for count in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:count]))
        except ImportError:
            continue
        for part in parts[count:]:
            found = getattr(found, part)
        return found
    raise ImportError(name)


@pytest.mark.parametrize("name", sorted(allow_list.FUNCTIONS | allow_list.VALUES | allow_list._FULL_NAMES))
def test_every_listed_name_exists(name):
    looked_up(name)


def reachable(module, seen):
    """What a config gets from a module by members alone, through modules inside it, too."""
    for member in sorted(allow_list.MEMBERS & set(dir(module))):
        found = getattr(module, member)
        if not isinstance(found, types.ModuleType):
            yield f"{module.__name__}.{member}", found
        elif found.__name__ not in seen:
            seen.add(found.__name__)
            yield from reachable(found, seen)


def test_members_name_nothing_dangerous_in_any_module_that_a_config_can_hold():
    found = {}
    for name in allow_list.IMPORTS:
        found |= dict(reachable(importlib.import_module(name), set()))
    functions = {name for name, one in found.items() if callable(one)}
    computing = {name for name in functions if name.startswith(("numpy.", "torch.", "posixpath.", "ntpath."))}
    assert {"numpy.max", "torch.sigmoid"} <= computing
    assert not computing & {"numpy.load", "torch.load", "torch.save", "torch.compile"}
    assert functions - computing == {"ignite.distributed.device"}


def test_short_names_are_monais_own():
    import monai.bundle

    for module in ("handlers", "networks", "transforms"):  # the locator looks into everything that was imported
        importlib.import_module(f"monai_gi.{module}")
    locator = monai.bundle.ComponentLocator()
    for name, package in allow_list.SHORT_NAMES.items():
        found = locator.get_component_module_name(name)
        if found is not None:  # aliases have no module of their own
            first = found if isinstance(found, str) else found[0]
            assert first.startswith((f"monai.{package}.", "monai.networks.")), (name, found)
        looked_up(f"monai.{package}{'.nets' * (package == 'networks')}.{name}")


@pytest.mark.parametrize(
    ("target", "allowed"),
    [
        ("Compose", True),
        ("monai.transforms.Compose", True),
        ("monai.transforms.compose.Compose", True),
        ("monai.data.Compose", False),
        ("monai.transforms.os.system", False),
        ("monai.transforms.compose.Compose.log_transform_info", False),
        ("monai.bundle.run", False),
        ("monai.apps.download_url", False),
        ("torch.hub.load", False),
        ("os.system", False),
        ("eval", False),
        ("builtins.exec", False),
        ("pdb.set_trace", False),
        ("NumpyReader", False),
        ("PersistentDataset", False),
        ("scripts.net.Net", False),
        ("transformers.AutoModel.from_pretrained", False),
        (" Compose", False),
        ("", False),
    ],
)
def test_classes_are_allowed_by_name(target, allowed):
    assert allow_list.is_allowed_class(target) is allowed


def test_script_operators_exist_and_take_no_files():
    import torch

    schemas = [one for one in torch._C._jit_get_all_schemas() if one.name.startswith("aten::")]
    listed = [one for one in schemas if one.name[6:] in allow_list.SCRIPT_OPERATORS]
    assert not [one.name for one in listed if any(argument.name == "filename" for argument in one.arguments)]
    assert {"save", "from_file"} <= {one.name[6:] for one in schemas} - allow_list.SCRIPT_OPERATORS


def test_pickle_names_are_those_of_torch():
    from torch._weights_only_unpickler import _get_allowed_globals

    known = set(_get_allowed_globals()) | {"torch.jit._pickle"}
    assert {name for name in allow_list.PICKLE_GLOBALS if name not in known} <= {"torch.strided"}


def test_expressions_of_the_repository_are_allowed():
    from monai_gi.sharing.config_inspection import inspect_configs

    root = Path(__file__).parents[1] / "bundles"
    for bundle in ("basic_unet", "segformer", "swin_unetr", "unetpp"):
        report = inspect_configs({path.name: path.read_bytes() for path in (root / bundle).glob("*.json")})
        assert len(report.executed) > 50
        assert not report.findings


@pytest.mark.parametrize("text", ["a" + "()" * 1900, "1+" * 1900 + "1", "a" + "[0]" * 1200, "not " * 900 + "1"])
def test_expression_nested_very_deep_is_refused(text):
    (problem,) = expression_problems(text)
    assert problem in ("is nested too deep to be judged", "is not Python once its references are put in")
