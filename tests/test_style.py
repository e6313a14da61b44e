"""Limits that keep the tree readable: lengths, names, no assert for users, no machine's paths."""

import ast
import re
import statistics
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = sorted((ROOT / "monai_gi").rglob("*.py"))
TEXTS = [
    *FILES,
    *(path for folder in ("bundles", "benchmarks", ".ci") for path in (ROOT / folder).rglob("*")),
    *ROOT.glob("*.*"),
]
FORBIDDEN_NAMES = {"utils", "helpers", "common", "core", "manager", "engine"}


def functions(path: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    tree = ast.parse(path.read_text())
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of code, without the signature and the docstring."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return (function.end_lineno or 0) - body[0].lineno + 1 if body else 0


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_file_is_at_most_300_lines_and_says_what_it_is(path):
    text = path.read_text()
    assert text.count("\n") <= 300
    assert ast.get_docstring(ast.parse(text))
    assert path.stem not in FORBIDDEN_NAMES
    assert path.parent.name not in FORBIDDEN_NAMES


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_functions_are_short_and_assert_nothing_of_users(path):
    assert [f.name for f in functions(path) if body_lines(f) > 50] == []
    assert [node.lineno for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Assert)] == []


def test_most_functions_are_under_ten_lines():
    lengths = [body_lines(function) for path in FILES for function in functions(path)]
    assert statistics.median(lengths) <= 10


def test_no_file_names_a_folder_of_one_machine():
    machine = re.compile(r"/(?:home|Users|root|work)/\w")
    found = [
        str(path.relative_to(ROOT))
        for path in TEXTS
        if path.is_file()
        and path.suffix in {".py", ".json", ".md", ".cfg", ".toml", ".sh", ".conf", ".txt", ""}
        and path != Path(__file__)
        and machine.search(path.read_text(errors="ignore"))
    ]
    assert found == []
