"""Judge TorchScript by its code: it cannot call Python, but some of its operators read and write files.

Convention: the code in an archive has Python's syntax; an operator is `torch.NAME` or `ops.NAMESPACE.NAME`, and may be
written as a method of a value, too. Only operators that compute are accepted, the archive's own methods, and no
C++ classes (`__torch__.torch.classes`). Source: torch/csrc/jit/serialization and torch/csrc/jit/frontend of PyTorch.
"""

import ast
import re
from collections.abc import Iterator, Mapping, Set

from monai_gi.sharing.allow_list import SCRIPT_BUILTINS, SCRIPT_OPERATORS, SCRIPT_PRIMITIVES

# Never, even where the archive has a method of that name: on another value it could mean an operator of PyTorch.
FORBIDDEN = frozenset(
    {"save", "load", "from_file", "set_", "set_data", "as_strided", "as_strided_", "resize_", "classes"}
)
LARGEST_SOURCE_BYTES = 256 << 10  # its syntax tree takes a thousand times as much memory; networks have 25 kB a file
NUMBERED = re.compile(r"_\d+")
SPACES = {"torch": SCRIPT_OPERATORS, "ops.aten": SCRIPT_OPERATORS, "ops.prim": SCRIPT_PRIMITIVES}
SPACES_AND_ROOT = (*SPACES, "ops")  # to be followed by a name


def script_problems(sources: Mapping[str, bytes]) -> Iterator[tuple[str, str]]:
    """What the code of an archive does outside the allow-list.

    Args:
        sources: content of its code files by name.

    Yields:
        tuple[str, str]: (name, phrase), each once.
    """
    own = frozenset(name for data in sources.values() for name in _own_names(data))
    for name, data in sources.items():
        yield from ((name, problem) for problem in _source_problems(data, own))


def _source_problems(data: bytes, own: Set[str]) -> list[str]:
    """Phrases about one file, each once."""
    if len(data) > LARGEST_SOURCE_BYTES:
        return [f"has {len(data)} bytes of code in one file; {LARGEST_SOURCE_BYTES} are judged at most"]
    tree = _parsed(data)
    if tree is None:
        return ["cannot be read as TorchScript"]
    bases = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    return list(dict.fromkeys(problem for node in ast.walk(tree) for problem in _problems(node, own, bases)))


def _parsed(data: bytes) -> ast.Module | None:
    if len(data) > LARGEST_SOURCE_BYTES:
        return None
    try:
        tree = ast.parse(data.decode())
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return tree if tree.body else None


def _own_names(data: bytes) -> frozenset[str]:
    """Functions, methods and classes that the archive itself defines; their code is judged like any other."""
    tree = _parsed(data)
    nodes = () if tree is None else ast.walk(tree)
    return frozenset(node.name for node in nodes if isinstance(node, (ast.FunctionDef, ast.ClassDef)))


def _problems(node: ast.AST, own: Set[str], bases: Set[int]) -> Iterator[str]:
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        yield "has an import"
    elif _dotted(node) in SPACES_AND_ROOT and id(node) not in bases:
        yield f"hands on {_dotted(node)}"
    elif isinstance(node, ast.Attribute):
        yield from _attribute_problems(node)
    elif isinstance(node, ast.Call):
        yield from _call_problems(node, own)


def _attribute_problems(node: ast.Attribute) -> Iterator[str]:
    base = _dotted(node.value)
    if base in SPACES:
        if node.attr not in SPACES[base]:
            yield f"uses {base}.{node.attr}"
    elif base == "ops":
        if f"ops.{node.attr}" not in SPACES:
            yield f"uses the operators ops.{node.attr}"
    elif node.attr in FORBIDDEN:
        yield f"uses .{node.attr}"


def _call_problems(node: ast.Call, own: Set[str]) -> Iterator[str]:
    if isinstance(node.func, ast.Name):
        name = node.func.id
        if name not in SCRIPT_BUILTINS and name not in own and not NUMBERED.fullmatch(name):
            yield f"calls {name}"
        if name == "getattr":
            yield from _getattr_problems(node)
    elif not isinstance(node.func, ast.Attribute):
        yield "calls what an expression returns"
    elif _dotted(node.func.value) not in SPACES and node.func.attr not in own | SCRIPT_OPERATORS:
        yield f"calls .{node.func.attr}"


def _getattr_problems(node: ast.Call) -> Iterator[str]:
    """`getattr(self, "0")` is how submodules with numbers are named."""
    is_plain = len(node.args) == 2 and isinstance(node.args[1], ast.Constant)
    if not is_plain or node.args[1].value in FORBIDDEN:  # type: ignore[attr-defined]
        yield f"calls {_shown(node)}"


def _shown(node: ast.AST) -> str:
    try:
        return ast.unparse(node)[:60]
    except RecursionError:
        return "getattr of something nested very deep"


def _dotted(node: ast.AST) -> str:
    """`a` or `a.b`, as the spaces are written; "" for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return f"{node.value.id}.{node.attr}"
    return ""
