"""Texts of a MONAI config as MONAI reads them: relative ids made absolute, references put in, imports bound.

Convention: ids are written `a::b::0`; `#` is the older spelling of `::`. `@id` is a reference, `%id` a macro.
Source: monai.bundle, config_item.py, config_parser.py and reference_resolver.py of MONAI 1.6.
"""

import ast
import re

REFERENCE = re.compile(r"@(?:\w*)(?:::\w*)*")
RELATIVE = re.compile(r"(?:@|%)(?:::)+")
FILE = re.compile(r"(.*\.(?:json|yaml|yml))(?=(?:::.*)|$)", re.IGNORECASE)
HELD = "__local_refs"


def bound_by_import(text: str) -> tuple[str, str] | None:
    """The name that an import statement binds, as monai.bundle reads it: the first name of the first statement.

    Args:
        text: the config's text after `$`.

    Returns:
        (name, what it is), or None where this is no import.

    >>> bound_by_import("import numpy as np"), bound_by_import("from torch import nn"), bound_by_import("1")
    (('np', 'numpy'), ('nn', 'torch.nn'), None)
    """
    try:
        body = ast.parse(text.replace("#", "::")).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    first = body[0] if body else None
    if isinstance(first, ast.ImportFrom):
        name = first.names[0]
        return name.asname or name.name, f"{first.module}.{name.name}"
    if isinstance(first, ast.Import):
        name = first.names[0]
        return name.asname or name.name, name.name
    return None


def substitute(text: str, position: str) -> str:
    """The text that MONAI evaluates.

    Args:
        text: the config's text after `$`.
        position: id of the text.

    Returns:
        Python, with references as items of `__local_refs`.

    Raises:
        ValueError: a relative reference leads above the root.
    """
    text = make_absolute(text, position)
    for found in sorted(REFERENCE.findall(text), key=len, reverse=True):
        text = text.replace(found, f"{HELD}['{found[1:]}']")
    return text


def make_absolute(text: str, position: str) -> str:
    """Relative ids of a text (`@#a` beside it, `@##a` one level up) as absolute ones, `::` for `#`.

    Args:
        text: any string of a config.
        position: its id.

    Returns:
        The text with absolute ids.

    Raises:
        ValueError: it leads above the root.
    """
    text = text.replace("#", "::")
    levels = position.split("::")
    for prefix in sorted(set(RELATIVE.findall(text)), reverse=True):
        up = prefix.count("::")
        if up > len(levels):
            raise ValueError(f"{prefix} leads above the root")
        parents = levels[: len(levels) - up]
        text = text.replace(prefix, prefix[0] + ("::".join(parents) + "::" if parents else ""))
    return text


def file_of_macro(text: str) -> str:
    """The file that a macro reads.

    Args:
        text: the config's text, which begins with `%`.

    Returns:
        The path, or "" where the macro names an id of its own config.

    >>> file_of_macro("%configs/net.json#net"), file_of_macro("%training")
    ('configs/net.json', '')
    """
    match = FILE.match(text[1:].replace("#", "::"))
    return match[1] if match else ""
