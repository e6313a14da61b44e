"""Dockerfiles and .dockerignore read without Docker, as far as this repository's own need it."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple


class Step(NamedTuple):
    """One instruction: its upper-case name, all that follows, and the number of its stage from 0 (-1 before FROM)."""

    name: str
    text: str
    stage: int


def read_dockerfile(text: str) -> list[Step]:
    """The steps of a Dockerfile, continued lines joined, comments left out."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    steps, stage = [], -1
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        if line.strip():
            name, _, rest = line.strip().partition(" ")
            stage += name.upper() == "FROM"
            steps.append(Step(name.upper(), " ".join(rest.split()), stage))
    return steps


def exec_form(text: str) -> list[str]:
    """The words of `["a", "b"]`, in a CMD or at the end of a HEALTHCHECK."""
    words = json.loads(text[text.index("[") :])
    if not all(isinstance(word, str) for word in words):
        raise ValueError(text)
    return words


def copies(steps: Sequence[Step], stage: int) -> list[tuple[list[str], str]]:
    """Sources in the repository and the target of each COPY of a stage; those from other stages are left out."""
    found = [step.text.split() for step in steps if step.name == "COPY" and step.stage == stage]
    return [(words[:-1], words[-1]) for words in found if not words[0].startswith("--from=")]


def substitute(text: str, values: Mapping[str, str]) -> str:
    """`${NAME}` and `${NAME:-default}` replaced, as Docker and Compose do; a name without a value is a KeyError."""

    def value(match: re.Match[str]) -> str:
        name, _, default = match[1].partition(":-")
        return values[name] if name in values or ":-" not in match[1] else default

    return re.sub(r"\$\{([^}]+)\}", value, text)


def is_ignored(path: str, patterns: Sequence[str]) -> bool:
    """Whether .dockerignore leaves a path (relative, with /) out: the last line that matches it or a folder above wins.

    Source: https://docs.docker.com/build/concepts/context/#dockerignore-files
    """
    parts = Path(path).parts
    above = ["/".join(parts[: count + 1]) for count in range(len(parts))]
    ignored = False
    for line in patterns:
        keep = line.startswith("!")
        expression = _expression(line.lstrip("!").strip("/"))
        if any(re.fullmatch(expression, one) for one in above):
            ignored = not keep
    return ignored


def read_dockerignore(text: str) -> list[str]:
    """Its patterns, without comments."""
    return [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]


def _expression(pattern: str) -> str:
    tokens = re.split(r"(\*\*/|\*\*|\*|\?)", pattern)
    meaning = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return "".join(meaning.get(token, re.escape(token)) for token in tokens)
