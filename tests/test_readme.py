"""What the documents print can be typed: commands parse, and the files, configs and ids that they name are there."""

import json
import re
import shlex
from pathlib import Path

import pytest

from monai_gi.arguments import FORMATS, KINDS, parser
from monai_gi.datasets.phantom.dicom_kinds import KINDS as DRAWN_KINDS
from monai_gi.outputs import FORMATS_OF_KIND

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted(ROOT.glob("*.md")) + sorted(ROOT.glob("*/README.md")) + sorted(ROOT.glob("bundles/*/docs/README.md"))
PACKED = {"configs/inference.json": ROOT / "monai_gi/sharing/packed_inference.json"}
# Between backticks a command may be named without its arguments; with one of these signs it is a line to type.
ARGUMENTS = re.compile(r"[A-Z/=]|--")


def lines_of(document: Path) -> list[str]:
    """Code lines without comments, continued ones joined, and whole commands between backticks."""
    text = document.read_text()
    code = "\n".join(re.sub(r"\s# .*", "", line) for line in text.splitlines() if line.startswith("    "))
    inline = [command for command in re.findall(r"`([^`]+)`", text) if ARGUMENTS.search(command)]
    return [*re.sub(r"\\\n\s*", "", code).splitlines(), *inline]


def commands(start: str) -> list:
    """Words after `start` on each line that holds it, by document."""
    return [
        pytest.param(shlex.split(line.partition(start)[2].partition(" && ")[0]), id=f"{document.parent.name}: {line}")
        for document in DOCUMENTS
        for line in lines_of(document)
        if re.search(rf"(^|\s){re.escape(start)}", line)
    ]


@pytest.mark.parametrize("words", commands("monai-gi "))
def test_every_line_of_monai_gi_parses(words):
    assert parser().parse_args(words), "argparse leaves with what is wrong"


@pytest.mark.parametrize("words", commands("python -m monai.bundle "))
def test_every_line_of_monai_bundle_names_a_config_and_ids_of_it(words):
    verb, *run = words[: words.index("--config_file")]
    options = dict(zip(words[1 + len(run) :: 2], words[2 + len(run) :: 2], strict=True))
    path = options.pop("--config_file").replace("<name>", "segformer")
    config = json.loads(PACKED.get(path, ROOT / path).read_text())
    assert verb == "run"
    for name in run or ["run"]:
        assert name in config
    for option in options:
        place = config
        for name in option.removeprefix("--").split("#"):
            if option != "--bundle_root":
                place = place[name]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(document):
    for target in re.findall(r"\]\(([^)\s]+)\)", document.read_text()):
        path, _, anchor = target.partition("#")
        if not target.startswith("https://"):
            linked = document.parent / path if path else document
            assert linked.exists(), target
            headings = re.findall(r"^#+ (.*)", linked.read_text(), re.MULTILINE) if anchor else []
            assert not anchor or anchor in [re.sub(r"[^\w -]", "", h).lower().replace(" ", "-") for h in headings]


def test_every_script_of_the_benchmarks_is_there():
    scripts = re.findall(
        r"^    python (?:-m )?(benchmarks\S+)", (ROOT / "benchmarks/README.md").read_text(), re.MULTILINE
    )
    assert scripts
    for script in scripts:
        assert (ROOT / f"{script.removesuffix('.py').replace('.', '/')}.py").is_file()


def test_the_documents_hold_such_lines():
    assert len(commands("monai-gi ")) > 10
    assert len(commands("python -m monai.bundle ")) > 10


def test_the_choices_of_the_command_line_are_those_of_the_jobs():
    assert set(FORMATS) == {name for formats in FORMATS_OF_KIND.values() for name in formats}
    assert set(KINDS) == set(DRAWN_KINDS)
