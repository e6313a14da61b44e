"""What the test of the documents does with a printed line: types it, types it with a change, or checks it otherwise.

Every line has a rule by how it begins; a line without one fails the test, so that nobody prints what nobody tried.
"""

import configparser
import json
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from monai_gi.arguments.values import bundle_setting
from monai_gi.bundle_comparison import ComparisonRequest, parse_bundles
from monai_gi.bundle_comparison.request import check_request
from tests.docs_world import ROOT, World
from tests.served_programs import free_port, served

SETUP = configparser.ConfigParser()
SETUP.read(ROOT / "setup.cfg")
Check = Callable[[str, World], None]


class Rule(NamedTuple):
    """What is done with lines of one beginning.

    Attributes:
        start: of the line, a regular expression; the first rule that fits counts.
        reason: why it is not typed as it stands; empty where it is.
        change: gives the line that is typed instead; None where nothing is typed.
        check: of a line that is not typed.
    """

    start: str
    reason: str = ""
    change: Callable[[str], str] | None = None
    check: Check | None = None


def as_printed(line: str) -> str:
    return line


def adding(words: str) -> Callable[[str], str]:
    """The line with further options; the last of two counts."""
    return lambda line: f"{line} {words}"


def shorter(line: str) -> str:
    """One epoch of the first network without settings of the others; that those are there is checked here."""
    bundles = parse_bundles(re.findall(r"--bundles (\S+)", line)[0])
    settings = tuple(bundle_setting(text) for text in re.findall(r"--set (\S+)", line))
    check_request(ComparisonRequest(bundles, ROOT, "1epochs", ROOT, settings=settings, source_dir=ROOT / "bundles"))
    of_others = r" --set [\w-]+:(?!:)\S+"
    line = re.sub(r"--bundles \S+", f"--bundles {next(iter(bundles))}", re.sub(of_others, "", line))
    return re.sub(r"--budget \S+", "--budget 1epochs", line)


def names_a_target_of_make(line: str, world: World) -> None:
    target = line.split()[1]
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE), f"no target {target}"


def names_extras(line: str, world: World) -> None:
    extras = re.findall(r"\[(.*?)\]", line)
    assert extras
    for name in extras[0].split(","):
        assert name in SETUP["options.extras_require"]
    for path in re.findall(r"-c (\S+)", line):
        assert (ROOT / path).is_file()


def names_the_environment_of_make(line: str, world: World) -> None:
    assert "VENV ?= .venv\n" in (ROOT / "Makefile").read_text()


def names_the_contest(line: str, world: World) -> None:
    name = shlex.split(line)[-1]
    assert (world.folder / f"{name}.zip").is_file(), "the download that the next line unpacks"


def finds_events(line: str, world: World) -> None:
    folder = world.folder / shlex.split(line)[-1]
    assert any(folder.rglob("events.out.tfevents.*")), "no curves below it"


def names_config_and_ids(line: str, world: World) -> None:
    words = shlex.split(line)
    _, verb, name, *options = words[words.index("monai.bundle") :]
    values = dict(zip(options[::2], options[1::2], strict=True))
    config = json.loads((world.folder / values.pop("--config_file")).read_text())
    assert verb == "run"
    for key in (name, *values):
        place = config
        for part in key.removeprefix("--").split("#"):
            place = place[part]


def names_files(line: str, world: World) -> None:
    for word in shlex.split(line):
        assert "/" not in word or (world.folder / word).exists(), f"no file {word}"


def serves(line: str, world: World) -> None:
    """The page answers at a free port of this machine; another document may print the same line."""
    if line in SERVED:
        return
    port = free_port()
    words, environment = shlex.split(line), dict(world.environment)
    while "=" in words[0]:
        name, _, value = words.pop(0).partition("=")
        environment[name] = value
    with served([*words, "--port", str(port)], port, world.folder / "app.log", environment) as program:
        assert program.stop() in (0, 130)
    SERVED.add(line)


SERVED: set[str] = set()

RULES = (
    Rule(r"(\w+=\S+ )?monai-gi app\b", "it serves until it is stopped", check=serves),
    Rule(r"monai-gi compare-bundles\b", "one epoch of one network in place of minutes of several", change=shorter),
    Rule(
        r"monai-gi phantom uw-madison\b",
        "drawn small",
        change=adding("--cases 5 --days 1 --slices 6"),
    ),
    Rule(r"monai-gi phantom dicom\b", "drawn small", change=adding("--slices 4")),
    Rule(r"monai-gi phantom cvc-clinicdb\b", "drawn small", change=adding("--sequences 5 --frames 3")),
    Rule(r"monai-gi phantom biopsy\b", "drawn small", change=adding("--megapixels 0.3")),
    Rule(r"monai-gi\b", change=as_printed),
    Rule(r"python -m monai\.bundle run\b", change=as_printed),
    Rule(r"(openssl|unzip|cd|echo)\b", change=as_printed),
    Rule(r'eval "\$\(monai-gi ', change=as_printed),
    Rule(r"source \.venv/bin/activate$", "made by make", check=names_the_environment_of_make),
    Rule(r"make\b", "takes minutes, and calls this test", check=names_a_target_of_make),
    Rule(r"pip install\b", "fetches from the internet", check=names_extras),
    Rule(r"kaggle competitions download\b", "fetches from the internet with an account", check=names_the_contest),
    Rule(r"tensorboard --logdir\b", "serves until it is stopped", check=finds_events),
    Rule(r"torchrun\b", "wants four GPUs", check=names_config_and_ids),
    Rule(r"srun torchrun\b", "wants a cluster", check=names_config_and_ids),
    Rule(r"export MASTER_ADDR=|#!/bin/bash|#SBATCH", "a part of a job for a cluster", check=lambda line, world: None),
    Rule(r"sbatch\b", "wants a cluster", check=names_files),
    Rule(r"storescu\b", "wants a PACS", check=names_files),
)


def rule_of(line: str) -> Rule:
    """The first rule that fits.

    Args:
        line: as printed.

    Returns:
        The rule.

    Raises:
        LookupError: there is none.
    """
    for rule in RULES:
        if re.match(rule.start, line):
            return rule
    raise LookupError(f"no rule for {line!r}: add one to {Path(__file__).name}, or print something that can be tried")


def clear_outputs(line: str, folder: Path) -> None:
    """Remove what a line makes anew: whoever types it has none yet."""
    words = shlex.split(line, comments=True)
    named = [words[i + 1] for i, word in enumerate(words[:-1]) if word in ("--output", "-d")]
    if words[:2] == ["monai-gi", "phantom"]:
        named.append(words[3])
    if words[:5] == ["python", "-m", "monai.bundle", "run", "training"] and "--resume" not in words:
        bundle = Path(words[words.index("--config_file") + 1]).parent.name
        default = f"runs/{bundle}"
        named.append(words[words.index("--output_dir") + 1] if "--output_dir" in words else default)
    for name in named:
        path = folder / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        path.unlink(missing_ok=True)
