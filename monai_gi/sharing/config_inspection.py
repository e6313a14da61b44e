"""What a bundle's configs would execute when MONAI runs them, and what of it is outside the allow-list.

Convention: all configs of a bundle are judged together, because MONAI merges them: a name or an id means what it
means in any of them.
"""

import ast
import configparser
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from monai_gi.errors import DataError
from monai_gi.sharing.allow_list import ALWAYS_BOUND, GUARDED, is_allowed_class
from monai_gi.sharing.config_files import Item, items, read_config
from monai_gi.sharing.expressions import Surroundings, expression_problems
from monai_gi.sharing.findings import NOTE, WRONG, Finding
from monai_gi.sharing.references import REFERENCE, RELATIVE, bound_by_import, file_of_macro, make_absolute

OUTSIDE = "outside the allow-list"
WORDS = re.compile(r"\+?[\w:#]*")
ELSEWHERE = re.compile(r"[/~\\]|[A-Za-z]:[/\\]|(.*[/\\])?\.\.([/\\]|$)")
LOGGING_CLASSES = frozenset({"StreamHandler", "NullHandler", "logging.StreamHandler", "logging.NullHandler"})
LOGGING_FORMATTERS = frozenset({"Formatter", "logging.Formatter"})
LOGGING_PLAIN = frozenset(
    {"keys", "level", "handlers", "qualname", "propagate", "formatter", "format", "datefmt", "style", "encoding"}
)  # no `defaults`, which Python evaluates since 3.12
STREAMS = frozenset({"sys.stdout", "sys.stderr"})
LONGEST_ARGUMENTS = 100


class Executed(NamedTuple):
    """One text that MONAI would evaluate.

    Attributes:
        where: config and JSON pointer.
        text: with the leading `$`.
        problems: what it does outside the allow-list.
    """

    where: str
    text: str
    problems: tuple[str, ...]


class ConfigReport(NamedTuple):
    """What the configs of a bundle hold.

    Attributes:
        contents: parsed configs by file name.
        executed: every expression and import, in the order of the files.
        findings: what is wrong or to be known.
    """

    contents: dict[str, Any]
    executed: tuple[Executed, ...]
    findings: tuple[Finding, ...]


def inspect_configs(files: Mapping[str, bytes]) -> ConfigReport:
    """Judge every string of every config; nothing is evaluated or imported.

    Args:
        files: content of the .json, .yaml and .yml files by name.

    Returns:
        The report.
    """
    contents: dict[str, Any] = {}
    values: list[Item] = []
    findings: list[Finding] = []
    for file, data in sorted(files.items()):
        values += _values(file, data, contents, findings)
    around, conflicts = _surroundings(values)
    executed = [
        Executed(item.where, item.value, tuple(expression_problems(item.value[1:], item.id, around)))
        for item in values
        if _is_expression(item.value)
    ]
    findings += conflicts
    findings += [
        Finding(WRONG, one.where, f"{'; '.join(one.problems)} ({OUTSIDE})") for one in executed if one.problems
    ]
    ids = {_id(item) for item in values}
    for item in values:
        findings += _item_findings(item, around, ids)
    return ConfigReport(contents, tuple(executed), tuple(findings))


def inspect_logging(file: str, data: bytes) -> list[Finding]:
    """Judge a logging.conf: `logging.config` evaluates its `class` and `args`.

    Args:
        file: its name.
        data: its content.

    Returns:
        What is wrong; only streams, no files and no network, are accepted.
    """
    parser = configparser.RawConfigParser()
    try:
        parser.read_file(io.StringIO(data.decode(), newline=None))  # lines end where they end in a file
        sections = [(section, parser.items(section)) for section in parser.sections()]
    except (configparser.Error, ValueError) as error:
        return [Finding(WRONG, file, f"cannot be read as a logging configuration: {error}")]
    return [
        Finding(WRONG, f"{file}#[{section}]", f"{key} = {value} is {OUTSIDE}: a plain stream handler was wanted.")
        for section, pairs in sections
        for key, value in pairs
        if not _is_plain_logging(section, key, value)
    ]


def _values(file: str, data: bytes, contents: dict[str, Any], findings: list[Finding]) -> list[Item]:
    """Read one config into `contents`; faults go to `findings`."""
    try:
        content, doubled = read_config(file, data)
        values = list(items(file, content))
    except DataError as error:
        findings.append(Finding(WRONG, file, error.problem))
        return []
    contents[file] = content
    findings += [Finding(WRONG, file, f"has the key {key!r} twice in one object.") for key in doubled]
    return values


def _surroundings(values: Iterable[Item]) -> tuple[Surroundings, list[Finding]]:
    """What names and ids mean in all configs together."""
    names = dict(ALWAYS_BOUND)
    imported: set[str] = set()
    texts: dict[str, set[bool]] = {}
    findings = []
    for item in values:
        is_lambda = _is_expression(item.value) and item.value[1:].lstrip().startswith("lambda")
        texts.setdefault(_id(item), set()).add(is_lambda)
        bound = bound_by_import(item.value[1:]) if _is_expression(item.value) else None
        if bound is None:
            continue
        name, meaning = bound
        imported.add(_id(item))
        if names.get(name, meaning) != meaning or name.startswith("_"):
            text = f"binds the name {name} to {meaning}; it is {names.get(name, 'reserved')} already."
            findings.append(Finding(WRONG, item.where, text))
        names.setdefault(name, meaning)
    lambdas = {name for name, kinds in texts.items() if kinds == {True}}
    return Surroundings(names, lambdas, imported), findings


def _item_findings(item: Item, around: Surroundings, ids: set[str]) -> Iterator[Finding]:
    """What one value means beyond being an expression."""
    if item.name == "_target_":
        yield from _target_findings(item)
    elif item.name in GUARDED and not _is_guarded_well(item.name, item.value):
        accepted = ", ".join(sorted(map(str, GUARDED[item.name]))) or "nothing"
        text = f"{item.name} is {item.value!r}, {OUTSIDE}: MONAI looks it up as code. Accepted: {accepted}."
        yield Finding(WRONG, item.where, text)
    if not isinstance(item.value, str):
        return
    if item.value.startswith("%"):
        if file := file_of_macro(item.value):
            yield Finding(WRONG, item.where, f"reads another file, {file}, which no one checked.")
    elif not _is_expression(item.value) and ELSEWHERE.match(item.value):
        yield Finding(NOTE, item.where, f"names a place outside the bundle, {item.value!r}.")
    yield from _reference_findings(item, around, ids)


def _target_findings(item: Item) -> Iterator[Finding]:
    if not isinstance(item.value, str) or item.value[:1] in "$@%":
        yield Finding(WRONG, item.where, f"names a class by {item.value!r}; a plain name was wanted ({OUTSIDE}).")
    elif not is_allowed_class(item.value):
        yield Finding(WRONG, item.where, f"names the class {item.value!r}, {OUTSIDE}.")


def _reference_findings(item: Item, around: Surroundings, ids: set[str]) -> Iterator[Finding]:
    text: str = item.value
    is_relative = RELATIVE.search(text.replace("#", "::")) is not None
    if (is_relative or text.startswith("%")) and not all(map(WORDS.fullmatch, item.keys)):
        # MONAI writes these keys into the text that it evaluates
        yield Finding(WRONG, item.where, "has a relative id under a key that is more than a word.")
        return
    try:
        absolute = make_absolute(text, item.id)
    except ValueError as error:
        yield Finding(WRONG, item.where, f"has a relative id that does not exist: {error}.")
        return
    found = REFERENCE.findall(absolute) if _is_expression(text) else [absolute] * bool(REFERENCE.fullmatch(absolute))
    for reference in found:
        if reference[1:] in around.imported and not _is_expression(text):
            yield Finding(WRONG, item.where, f"hands on the module that {reference} imports.")
        elif reference[1:] not in ids:
            yield Finding(NOTE, item.where, f"refers to {reference}, which no config of the bundle defines.")


def _is_guarded_well(name: str, value: Any) -> bool:
    if isinstance(value, list):
        return all(_is_guarded_well(name, one) for one in value)
    if isinstance(value, dict):
        return not value or "_target_" in value  # the class is judged where it stands
    return value is None or value in GUARDED[name]


def _is_expression(value: Any) -> bool:
    return isinstance(value, str) and value.startswith("$")


def _id(item: Item) -> str:
    is_metadata = item.file.rpartition("/")[2] == "metadata.json"
    return f"_meta_::{item.id}" if is_metadata else item.id


def _is_plain_logging(section: str, key: str, value: str) -> bool:
    if key == "class":
        return value in (LOGGING_FORMATTERS if section.startswith("formatter_") else LOGGING_CLASSES)
    if key not in ("args", "kwargs"):
        return key in LOGGING_PLAIN
    if len(value) > LONGEST_ARGUMENTS:
        return False
    try:
        tree = ast.parse(value.strip() or "()", mode="eval").body
    except (SyntaxError, ValueError, RecursionError):
        return False
    parts = tree.elts if isinstance(tree, ast.Tuple) else [tree]
    return all(ast.unparse(part) in STREAMS or ast.unparse(part) == "{}" for part in parts)
