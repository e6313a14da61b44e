"""Pages that are written while the site is built: the command line from its own help, bundles from their READMEs.

MkDocs calls `on_files` (a hook of mkdocs.yml); nothing heavy is imported.
"""

import argparse
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parent.parent
Parser = argparse.ArgumentParser


def on_files(files: Files, config: Any) -> Files:
    """Add the written pages to those of docs/.

    Args:
        files: what MkDocs found.
        config: of mkdocs.yml.

    Returns:
        `files`.
    """
    for path, text in {"reference/command-line.md": command_line(), "reference/bundles.md": bundles()}.items():
        files.append(File.generated(config, path, content=text))
    for source in sorted(ROOT.glob("bundles/*/docs/README.md")):
        path = f"reference/bundle-{source.parent.parent.name}.md"
        files.append(File.generated(config, path, content=bundle_page(source)))
    return files


def command_line() -> str:
    """Every verb with its options and its example, as one page."""
    from monai_gi.arguments import parser

    top = parser()
    lines = [
        "# Command line",
        "",
        f"{top.description} `monai-gi VERB --help` prints the same in the terminal.",
        "",
        *verb_table(top),
    ]
    for words, verb in verbs(top):
        lines += ["", f"## {words}", "", sentence(verb), "", *example(verb), "", *option_table(verb)]
    return "\n".join(lines) + "\n"


def sentence(parser: Parser) -> str:
    """Its description, unwrapped, with a full stop."""
    return " ".join((parser.description or "").split()).rstrip(".") + "."


def verb_table(top: Parser) -> list[str]:
    """A row a verb."""
    rows = []
    for words, verb in verbs(top):
        anchor = words.replace(" ", "-")
        rows.append(f"| [`{words}`](#{anchor}) | {cell(sentence(verb).rstrip('.'))} |")
    return ["| verb | what it does |", "|---|---|", *rows]


def example(parser: Parser) -> list[str]:
    """What stands behind "example:" in its help, as a block to copy; a kind of many lines as it is."""
    _, _, text = (parser.epilog or "").partition("example")
    lines = [line.strip() for line in text.partition("\n")[2].splitlines()]
    return ["```bash", *[line for line in lines if line], "```"] if any(lines) else []


def option_table(parser: Parser) -> list[str]:
    """A row an option, those without `--` first, as argparse would show them."""
    formatter = parser.formatter_class(prog=parser.prog)
    rows = []
    for action in parser._actions:
        if not isinstance(action, argparse._HelpAction):
            names = formatter._format_action_invocation(action).split(", ")[-1]
            needed = " **required**" if action.option_strings and action.required else ""
            rows.append(f"| `{cell(names)}`{needed} | {cell(formatter._expand_help(action))} |")
    return ["| option | what it is |", "|---|---|", *rows]


def cell(text: str) -> str:
    """Text that does not end its cell, or turn signs into marks."""
    return re.sub(r"(?<!`)<", "&lt;", " ".join(text.split()).replace("|", "\\|"))


def verbs(parser: Parser, before: str = "") -> Iterator[tuple[str, Parser]]:
    """Every verb that does something, with its words after `monai-gi`."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, below in action.choices.items():
                kinds = list(verbs(below, f"{before}{name} "))
                yield from kinds or [(f"{before}{name}", below)]


def bundles() -> str:
    """A table of all bundles with a link to each one's page."""
    lines = ["# Settings of the bundles", "", "| bundle | what it is |", "|---|---|"]
    for source in sorted(ROOT.glob("bundles/*/docs/README.md")):
        name = source.parent.parent.name
        title = source.read_text().splitlines()[0].removeprefix("# ")
        lines.append(f"| [`{name}`](bundle-{name}.md) | {title} |")
    return "\n".join(lines) + "\n"


def bundle_page(source: Path) -> str:
    """A bundle's README, whose links to the repository would lead nowhere from here."""
    return re.sub(r"\[([^]]+)\]\((?!https:)[^)]*\)", r"\1", source.read_text())
