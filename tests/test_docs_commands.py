"""README and docs/ tell the truth: what they print to be typed is typed, as printed, in a folder of drawn data.

A document's blocks share one folder, one after another; so a single one may want those before it. What a bundle's page
prints is run by `test_bundles.py`, the containers by `test_docker.py`, the Space by `test_spaces.py`.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.command_rules import RULES, clear_outputs, rule_of
from tests.docs_world import ROOT, World
from tests.printed_blocks import Block, blocks_of
from tests.warm_python import WarmPython

DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCKS = [block for document in DOCUMENTS for block in blocks_of(document) if block.language != "text"]
LINES = [line for block in BLOCKS if block.language == "bash" for line in block.commands]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with WarmPython(tmp_path_factory.mktemp("docs") / "bin") as warm:
        world = World(tmp_path_factory.mktemp("world"), warm)
        world.prepare()
        yield world
    shutil.rmtree(world.folder)


@pytest.fixture(scope="module")
def pages(prepared: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator["Pages"]:
    place = tmp_path_factory.mktemp("pages")
    yield Pages(prepared, place)
    shutil.rmtree(place)


class Pages:
    """The folder of the document whose blocks come now; that of the one before is thrown away.

    Args:
        prepared: what each starts with.
        place: folder for them.
    """

    def __init__(self, prepared: World, place: Path) -> None:
        self.prepared = prepared
        self.place = place
        self.document: Path | None = None

    def world(self, document: Path) -> World:
        """The folder of a document."""
        folder = self.place / "now"
        if document != self.document:
            shutil.rmtree(folder, ignore_errors=True)
            self.now = self.prepared.copy(folder)
            self.document = document
        return self.now


def name(block: Block) -> str:
    return f"{block.document.relative_to(ROOT).as_posix()}:{block.line}"


@pytest.mark.slow
@pytest.mark.parametrize("block", [pytest.param(block, id=name(block)) for block in BLOCKS])
def test_what_is_printed_works(pages: Pages, block: Block) -> None:
    {"bash": run_commands, "python": run_python, "json": save_json}[block.language](pages.world(block.document), block)


def run_commands(world: World, block: Block) -> None:
    """Type the lines that can be typed in one shell, and check the others."""
    if block.title:
        path = world.folder / block.title
        path.write_text(block.text + "\n")
        subprocess.run(["bash", "-n", str(path)], check=True)
    typed = []
    for line in block.commands:
        rule = rule_of(line)
        if rule.check:
            rule.check(line, world)
        if rule.change:
            clear_outputs(line.partition(" && ")[0], world.folder)
            typed.append(rule.change(line))
    if typed:
        done = world.type("\n".join(typed))
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
        assert "Traceback" not in done.stderr
    world.name_series()


def run_python(world: World, block: Block) -> None:
    if block.title:
        (world.folder / block.title).write_text(block.text + "\n")
    words = [sys.executable, "-W", "error", "-c", block.text]
    done = subprocess.run(words, cwd=world.folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def save_json(world: World, block: Block) -> None:
    assert json.loads(block.text)
    if block.title:
        (world.folder / block.title).write_text(block.text)


@pytest.mark.parametrize("line", LINES)
def test_every_line_has_a_rule(line: str) -> None:
    rule = rule_of(line)
    assert bool(rule.change) != bool(rule.check)
    assert rule.reason or rule.change, "what is not typed as it stands says why"


def test_a_line_that_nobody_tried_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "Text `monai-gi series DIR` and `monai-gi series`.\n\n```bash\nls -l  # all\nmake \\\n  demo\n```\n"
    )
    inline, block = blocks_of(page)
    assert (inline.commands, inline.line) == (["monai-gi series DIR"], 1)
    assert (block.commands, block.line) == (["ls -l", "make demo"], 3)
    with pytest.raises(LookupError, match="no rule for 'ls -l'"):
        rule_of(block.commands[0])


def test_blocks_by_indentation_are_read_where_there_are_no_fences(tmp_path: Path) -> None:
    page = tmp_path / "README.md"
    page.write_text("Text:\n\n    monai-gi series DIR   # lists\n    make test\n\n## More\n    cd x\n")
    assert [block.commands for block in blocks_of(page)] == [["monai-gi series DIR", "make test"], ["cd x"]]
    assert [block.line for block in blocks_of(page)] == [3, 7]


def test_no_indented_line_of_the_readme_is_overlooked() -> None:
    read = {line for block in BLOCKS if block.document.name == "README.md" for line in block.text.splitlines()}
    lines = [line[4:] for line in (ROOT / "README.md").read_text().splitlines() if line.startswith("    ")]
    assert lines
    assert [line for line in lines if line not in read] == []


def test_the_documents_print_commands_of_every_kind() -> None:
    assert len(LINES) > 60
    used = {rule_of(line).start for line in LINES}
    assert used == {rule.start for rule in RULES}, "a rule that nothing needs is a rule that nobody checks"
