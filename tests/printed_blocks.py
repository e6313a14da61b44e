"""Reads what a document prints to be typed: fenced blocks, blocks by indentation, whole commands between backticks."""

import re
from pathlib import Path
from typing import NamedTuple

FENCE = re.compile(r"^( *)```(\w*)(?: title=\"([^\"]+)\")? *\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
# After an empty line or a heading.
INDENTED = re.compile(r"(?:\n\n|^#.*\n)((?:    .*\n|\n(?=    ))+)", re.MULTILINE)
PROGRAMS = "monai-gi|python|make|pip|torchrun|tensorboard|openssl|unzip|kaggle|source|docker|git|mkdocs"
# Between backticks a command may be named without its arguments; with one of these signs it is a line to type.
TYPED = re.compile(rf"`((?:{PROGRAMS}) [^`]*(?:[A-Z/=]|--)[^`]*|make \w+)`")
# Words that stand for any verb, not for a file that could lie there.
ANY = re.compile(r"\b(VERB|KIND)\b")


class Block(NamedTuple):
    """Something to type or to save.

    Attributes:
        document: that prints it.
        line: where, from 1.
        language: "bash", "python", "json" or what the fence says.
        title: the file that it is to be saved as; empty for commands.
        text: its lines, without indentation, continued ones joined.
    """

    document: Path
    line: int
    language: str
    title: str
    text: str

    @property
    def commands(self) -> list[str]:
        """Its lines without comments."""
        lines = re.sub(r"\s*\\\n\s*", " ", self.text).splitlines()
        return [line for line in (re.sub(r"(^|\s)#\s.*", "", line).strip() for line in lines) if line]


def blocks_of(document: Path) -> list[Block]:
    """All blocks of a document in their order; indented ones count where the document has no fences."""
    text = document.read_text()
    found = [(m.start(), m[2], m[3] or "", dedented(m[4], len(m[1]))) for m in FENCE.finditer(text)]
    rest = FENCE.sub(lambda match: re.sub(r"[^\n]", "`", match[0]), text)  # positions stay
    if not found:
        found += [(m.start(1), "bash", "", dedented(m[1], 4)) for m in INDENTED.finditer(rest)]
    found += [(m.start(), "bash", "", m[1].replace("\n", " ")) for m in TYPED.finditer(rest) if not ANY.search(m[1])]
    return [
        Block(document, text.count("\n", 0, start) + 1, language, title, block)
        for start, language, title, block in sorted(found)
    ]


def dedented(text: str, width: int) -> str:
    return "\n".join(line[width:] for line in text.splitlines())
