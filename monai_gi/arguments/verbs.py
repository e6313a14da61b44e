"""How a verb and its kinds are put on the command line: one sentence, its options, an example to copy."""

import argparse
from textwrap import fill
from typing import TypeAlias

from monai_gi.arguments.values import positive

Verbs: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
_WIDTH = 78


def add_verb(verbs: Verbs, name: str, text: str, example: str) -> argparse.ArgumentParser:
    """Add a verb, or a kind below one.

    Args:
        verbs: what it is added to.
        name: as it is typed.
        text: what it does, small letters first.
        example: a line that can be copied.

    Returns:
        Its parser; `options.verb` becomes its name with underscores.
    """
    parser = verbs.add_parser(
        name,
        help=text,
        description=fill(text[0].upper() + text[1:], _WIDTH),
        epilog=f"example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,  # a wrapped example could not be copied
    )
    parser.set_defaults(verb=name.replace("-", "_"))
    return parser


def add_kinds(verbs: Verbs, name: str, text: str, example: str) -> Verbs:
    """Add a verb of several kinds.

    Args:
        verbs: what it is added to.
        name: as it is typed.
        text: what it does, small letters first.
        example: a line that can be copied, of one kind.

    Returns:
        What its kinds are added to.
    """
    parser = verbs.add_parser(
        name,
        help=text,
        description=text[0].upper() + text[1:],
        epilog=f"example:\n  {example}\n\n`monai-gi {name} KIND --help` tells a kind's options and gives an example.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    kinds: Verbs = parser.add_subparsers(required=True, metavar="KIND")
    return kinds


def add_max_pixels(verb: argparse.ArgumentParser) -> None:
    """`--max-pixels`, for verbs that decode pictures.

    Args:
        verb: gets the option.
    """
    verb.add_argument(
        "--max-pixels",
        type=positive,
        metavar="N",
        help="largest picture that is decoded whole, default 100,000,000 for frames and 1,000,000,000 for slides; "
        "tiled files are read in parts at any size",
    )
