"""What an inspection found: `wrong` stops a bundle, `note` is for the reader to know."""

from typing import NamedTuple

WRONG, NOTE = "wrong", "note"


class Finding(NamedTuple):
    """One thing about a bundle.

    Attributes:
        severity: `WRONG` or `NOTE`.
        where: file inside the bundle, with a JSON pointer or a line where there is one.
        text: what was found, what was wanted.
    """

    severity: str
    where: str
    text: str

    def __str__(self) -> str:
        return printable(f"{self.where}: {self.text}")


def printable(text: str, longest: int = 400) -> str:
    """A text from an unknown bundle, safe for a terminal: control characters escaped, cut to a length.

    Args:
        text: any text.
        longest: characters.

    Returns:
        One line.

    >>> printable("a\\x1b[31mb")
    'a\\\\x1b[31mb'
    """
    shown = "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)
    return shown if len(shown) <= longest else shown[: longest - 3] + "..."
