"""Values on the command line that are more than a word or a number."""

import argparse
import re


def organ_number(text: str) -> tuple[str | None, float]:
    """`0.4` for all organs, or `stomach=0.4` for one.

    Args:
        text: as on the command line.

    Returns:
        The organ or None, and the number.

    Raises:
        ArgumentTypeError: there is no number.
    """
    organ, equals, number = text.rpartition("=")
    try:
        return (organ if equals else None), float(number)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}, wanted a number such as 0.4, or stomach=0.4") from None


def organ_names(text: str) -> tuple[str, str]:
    """`stomach=Magen`: one of our organs, and the name of its contours in the files.

    Args:
        text: as on the command line.

    Returns:
        The organ and the name.

    Raises:
        ArgumentTypeError: one of them is missing.
    """
    organ, _, name = text.partition("=")
    if not organ or not name:
        raise argparse.ArgumentTypeError(f"{text!r}, wanted ORGAN=NAME such as stomach=Magen")
    return organ, name


def positive(text: str) -> int:
    """A whole number of 1 or more.

    Args:
        text: as on the command line.

    Returns:
        The number.

    Raises:
        ArgumentTypeError: it is none.
    """
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}, wanted a whole number of 1 or more")
    return int(text)


def bundle_setting(text: str) -> tuple[str | None, str, str]:
    """`segformer:batch_size=8`, or `batch_size=8` for all bundles; `::` stands between the names of an id.

    Args:
        text: as on the command line.

    Returns:
        The bundle or None, the id, and the value as it was typed.

    Raises:
        ArgumentTypeError: id or value are missing.
    """
    name, equals, value = text.partition("=")
    *bundles, key = re.split("(?<!:):(?!:)", name, maxsplit=1)
    if not equals or not key:
        raise argparse.ArgumentTypeError(f"{text!r}, wanted ID=VALUE such as batch_size=8, or segformer:batch_size=8")
    return (bundles[0] or None) if bundles else None, key, value
