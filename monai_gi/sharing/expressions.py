"""Decide from its syntax tree alone whether an expression of a MONAI config stays within the allow-list.

Convention: an expression is judged as the text that MONAI hands to `eval`: `#` read as `::`, relative ids made
absolute, each `@id` replaced by `__local_refs['id']`. A reference is an unknown object: members of `MEMBERS` may be
used, but it is called only where its own text is a lambda, which is judged itself.
Source: monai.bundle, config_item.py and reference_resolver.py of MONAI 1.6.
"""

import ast
import re
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field

from monai_gi.sharing.allow_list import (
    ALWAYS_BOUND,
    BUILTINS,
    ENVIRONMENT,
    FACTORIES,
    FUNCTIONS,
    IMPORTS,
    MEMBERS,
    VALUES,
)
from monai_gi.sharing.references import HELD, substitute

LONGEST = 4000  # characters; nobody writes a longer one, and Python's parser takes its time
MAKING = (ast.ListComp, ast.SetComp, ast.GeneratorExp, ast.DictComp)
PLAIN = (
    *(ast.Expression, ast.Constant, ast.List, ast.Tuple, ast.Set, ast.Dict, ast.BoolOp, ast.BinOp, ast.UnaryOp),
    *(
        ast.Compare,
        ast.IfExp,
        ast.Starred,
        ast.keyword,
        ast.Slice,
        ast.JoinedStr,
        ast.FormattedValue,
        ast.comprehension,
    ),
    *(ast.arguments, ast.arg, ast.boolop, ast.operator, ast.unaryop, ast.cmpop, ast.expr_context, ast.Subscript),
)
COSTLY = (ast.Pow, ast.LShift, ast.MatMult)  # 9 ** 9 ** 9 stops a machine; the last is a reference gone wrong
APPLYING = ("map", "filter")
KEYED = (*APPLYING, "sorted", "min", "max")
CALLED_ONLY = (
    *APPLYING,
    "torch.load",
    "os.environ.get",
)  # their arguments are judged, so somebody else may not call them


@dataclass(frozen=True)
class Surroundings:
    """What the config around an expression binds.

    Attributes:
        names: from a name that imports of the config bind to what it is, such as "np" to "numpy".
        lambdas: ids, `a::b`, that hold a lambda wherever the bundle's configs define them.
        imported: ids that hold an import.
    """

    names: Mapping[str, str] = field(default_factory=lambda: dict(ALWAYS_BOUND))
    lambdas: Set[str] = frozenset()
    imported: Set[str] = frozenset()


def expression_problems(text: str, position: str = "", around: Surroundings | None = None) -> list[str]:
    """What an expression would do outside the allow-list.

    Args:
        text: the config's text after `$`.
        position: id of the text, `a::b::0`, for relative references.
        around: names and ids of the config; MONAI's own names when None.

    Returns:
        Phrases such as "calls os.system"; nothing where all is allowed.

    >>> expression_problems("len(@slice_offsets)")
    []
    >>> expression_problems("__import__('os').system('id')")
    ['calls .system of what __import__(...) returns', 'calls __import__']
    """
    if len(text) > LONGEST:
        return [f"has {len(text)} characters; {LONGEST} are judged at most"]
    try:
        substituted = substitute(text, position)
        module = ast.parse(substituted)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ["is not Python once its references are put in"]
    if module.body and isinstance(module.body[0], (ast.Import, ast.ImportFrom)):
        return _import_problems(module, text)
    try:
        tree = ast.parse(substituted.strip(" \t"), mode="eval")
        return list(dict.fromkeys(_problems(tree, around or Surroundings(), frozenset())))
    except SyntaxError:
        return ["is no single expression"]
    except RecursionError:
        return ["is nested too deep to be judged"]


def _import_problems(module: ast.Module, text: str) -> list[str]:
    statement = module.body[0]
    if len(module.body) > 1 or len(statement.names) > 1:  # type: ignore[attr-defined]
        return ["has more than one import, of which MONAI executes the first only"]
    if "@" in text:
        return ["has a reference in an import"]
    if isinstance(statement, ast.ImportFrom):
        whole = f"{statement.module}.{statement.names[0].name}"
        is_allowed = not statement.level and whole in IMPORTS | FUNCTIONS | VALUES
        return [] if is_allowed else [f"imports {whole}"]
    name = statement.names[0].name  # type: ignore[attr-defined]
    return [] if name in IMPORTS else [f"imports {name}"]


def _problems(node: ast.AST, around: Surroundings, local: frozenset[str]) -> Iterator[str]:
    if isinstance(node, MAKING):
        yield from _making_problems(node, around, local)
    elif isinstance(node, ast.Lambda):
        yield from _all_problems([*node.args.defaults, *filter(None, node.args.kw_defaults)], around, local)
        yield from _problems(node.body, around, local | _arguments(node))
    elif isinstance(node, ast.Call):
        yield from _call_problems(node, around, local)
    elif isinstance(node, (ast.Name, ast.Attribute)):
        yield from _name_problems(node, around, local)
    elif held := _held(node):
        if held in around.imported:
            yield f"uses the module that @{held} imports"
    elif isinstance(node, ast.Constant):
        if isinstance(node.value, (str, bytes)) and HELD in str(node.value):
            yield "has a reference inside a text, which changes what the text means"
    elif not isinstance(node, PLAIN) or isinstance(node, COSTLY):
        yield f"uses {type(node).__name__}"
    else:
        yield from _all_problems(ast.iter_child_nodes(node), around, local)


def _all_problems(
    nodes: Iterator[ast.AST] | list[ast.AST], around: Surroundings, local: frozenset[str]
) -> Iterator[str]:
    for node in nodes:
        yield from _problems(node, around, local)


def _making_problems(node: ast.AST, around: Surroundings, local: frozenset[str]) -> Iterator[str]:
    """A comprehension: its targets are names of its own."""
    generators: list[ast.comprehension] = node.generators  # type: ignore[attr-defined]
    targets = [name for generator in generators for name in ast.walk(generator.target)]
    if not all(isinstance(name, (ast.Name, ast.Tuple, ast.List, ast.Starred, ast.expr_context)) for name in targets):
        yield "assigns to something that is no name"
    bound = local | {name.id for name in targets if isinstance(name, ast.Name)}
    yield from _problems(generators[0].iter, around, local)  # Python evaluates the first one outside
    later = [generator.iter for generator in generators[1:]]
    yield from _all_problems([*later, *(test for generator in generators for test in generator.ifs)], around, bound)
    elements = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]  # type: ignore[attr-defined]
    yield from _all_problems(elements, around, bound)


def _name_problems(node: ast.Name | ast.Attribute, around: Surroundings, local: frozenset[str]) -> Iterator[str]:
    full = _full_name(node, around, local)
    if full is not None:
        if not _is_known(full):
            yield f"uses {full}"
        if full in CALLED_ONLY:
            yield f"hands on {full}"
    elif isinstance(node, ast.Attribute):
        if node.attr not in MEMBERS:
            yield f"uses .{node.attr} of {_shown(node.value)}"
        yield from _problems(node.value, around, local)


def _call_problems(node: ast.Call, around: Surroundings, local: frozenset[str]) -> Iterator[str]:
    full = _full_name(node.func, around, local)
    if full is not None:
        if not _is_known(full):
            yield f"calls {full}"
        yield from _argument_problems(full, node, around, local)
    elif isinstance(node.func, ast.Attribute):
        if node.func.attr not in MEMBERS:
            yield f"calls .{node.func.attr} of {_shown(node.func.value)}"
        yield from _problems(node.func.value, around, local)
    elif not _may_be_called(node.func, around, local):
        yield f"calls {_shown(node.func)}"
        yield from _problems(node.func, around, local)
    yield from _all_problems([*node.args, *node.keywords], around, local)


def _argument_problems(full: str, node: ast.Call, around: Surroundings, local: frozenset[str]) -> Iterator[str]:
    """Functions that are harmless with some arguments only."""
    named = {keyword.arg: keyword.value for keyword in node.keywords}
    first = node.args[0] if node.args else None
    if full == "os.environ.get" and not (isinstance(first, ast.Constant) and first.value in ENVIRONMENT):
        yield "reads the environment variable " + ("" if first is None else ast.unparse(first))
    if full == "torch.load":
        safely = named.get("weights_only")
        if not (isinstance(safely, ast.Constant) and safely.value is True) or None in named:
            yield "calls torch.load without weights_only=True"
    applied = first if full in APPLYING else named.get("key")
    if full in KEYED and None in named:
        yield f"hands arguments without names to {full}"
    if applied is not None and full in KEYED:
        is_judged = isinstance(applied, ast.Lambda) or _full_name(applied, around, local) is not None
        if not is_judged:
            yield f"hands {_shown(applied)} to {full}"


def _may_be_called(node: ast.AST, around: Surroundings, local: frozenset[str]) -> bool:
    """A reference to a lambda, or what a harmless factory made."""
    if isinstance(node, ast.Call):
        full = _full_name(node.func, around, local)
        return full in FACTORIES and not list(_problems(node, around, local))
    return _held(node) in around.lambdas


def _full_name(node: ast.AST, around: Surroundings, local: frozenset[str]) -> str | None:
    """`a.b.c` with `a` as the imports bind it; None where it starts with anything but a global name."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name) or node.id in local:
        return None
    return ".".join([around.names.get(node.id, node.id), *reversed(parts)])


def _is_known(full: str) -> bool:
    """Whether it is on the list, or a harmless member of something on the list that is no module."""
    if full in FUNCTIONS or full in VALUES or full in BUILTINS:
        return True
    base, _, member = full.rpartition(".")
    return member in MEMBERS and base in VALUES


def _held(node: ast.AST) -> str:
    """The id in `__local_refs['id']`, with a mark so that the empty id is one too; "" for anything else."""
    if not (isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id == HELD):
        return ""
    is_text = isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str)
    return (node.slice.value or "@") if is_text else ""  # type: ignore[attr-defined]


def _arguments(node: ast.Lambda) -> frozenset[str]:
    given = node.args
    all_of_them = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
    return frozenset(argument.arg for argument in all_of_them if argument is not None)


def _shown(node: ast.AST) -> str:
    """The node in a message: short, and with references as the config writes them."""
    if isinstance(node, ast.Call):
        return f"what {_shown(node.func)}(...) returns"
    text = re.sub(rf"{HELD}\['([\w:]*)'\]", r"@\1", ast.unparse(node))
    return text if len(text) <= 60 else text[:57] + "..."
