"""Lines of the diagnosis: a mark, what was found, and the repair where one is needed; plain text, no colours."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

OK, NOTE, ABSENT, FAULT = "ok", "note", "absent", "FAULT"
_MARK_WIDTH = 8
_GIGA = 1e9


class Line(NamedTuple):
    """One finding.

    Attributes:
        mark: `ok`, `note` (works, but could be better), `absent` (not needed by everybody) or `FAULT`.
        text: what was found, and the repair.
    """

    mark: str
    text: str


class Section(NamedTuple):
    """Findings that belong together.

    Attributes:
        title: one or two words.
        lines: at least one.
    """

    title: str
    lines: Sequence[Line]


def as_text(sections: Sequence[Section]) -> str:
    """The findings, a line each.

    >>> print(as_text([Section("Disk", [Line("ok", "70 GB free")])]))
    Disk
      ok      70 GB free

    Args:
        sections: in their order.

    Returns:
        Text without a line end after its last line.
    """
    blocks = [[one.title, *(f"  {mark:<{_MARK_WIDTH}}{text}" for mark, text in one.lines)] for one in sections]
    return "\n\n".join("\n".join(block) for block in blocks)


def gigabytes(count: float) -> str:
    """Bytes as text.

    >>> gigabytes(70_400_000_000), gigabytes(1_240_000_000)
    ('70 GB', '1.2 GB')

    Args:
        count: bytes.

    Returns:
        GB of 10**9 bytes; a decimal where there are few.
    """
    number = count / _GIGA
    return f"{number:.0f} GB" if number >= 10 else f"{number:.1f} GB"


def short(path: Path) -> str:
    """A path as it may be pasted into a report: the user's own folder becomes `~`.

    Args:
        path: any.

    Returns:
        Text.
    """
    home = Path.home()
    return f"~/{path.relative_to(home).as_posix()}" if path.is_absolute() and path.is_relative_to(home) else str(path)
