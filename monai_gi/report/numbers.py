"""Numbers as the page writes them: means with their intervals, and what a mean of distances leaves out."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from monai_gi.metrics.judged import Judged, Shown

DASH = "–"
INFINITE = "∞"


def number_text(value: float | None, digits: int) -> str:
    """Write a number; a dash where there is none.

    >>> number_text(2.345, 1), number_text(float("inf"), 1), number_text(None, 1)
    ('2.3', '∞', '–')
    """
    if value is None or math.isnan(value):
        return DASH
    return INFINITE if math.isinf(value) else f"{value:.{digits}f}"


def share_text(number: Mapping[str, Any], digits: int = 2) -> str:
    """Write a mean with its interval.

    Args:
        number: with `mean` or `score`, and `interval_95`.
        digits: after the point.

    Returns:
        As `0.88 [0.85, 0.90]`; a dash where there is none.
    """
    value = number.get("mean", number.get("score"))
    return DASH if value is None else f"{value:.{digits}f}{interval_text(number.get('interval_95'), digits)}"


def interval_text(interval: Sequence[float] | None, digits: int, *, sign: str = "") -> str:
    """Write an interval, with a blank before it; nothing for None.

    >>> interval_text((0.5, 0.75), 2), interval_text((-1, 2), 1, sign="+")
    (' [0.50, 0.75]', ' [-1.0, +2.0]')
    """
    return "" if interval is None else f" [{interval[0]:{sign}.{digits}f}, {interval[1]:{sign}.{digits}f}]"


def measure_text(judged: Judged, shown: Shown, thing: str | None = None) -> str:
    """Write a measure for a table: of distances also how many are infinite, which no mean holds.

    Args:
        judged: scores.
        shown: the measure.
        thing: organ or class; None for the mean of all.

    Returns:
        As `2.3 [1.9, 2.8]`, and `, 1 of 8 ∞` after it where there are infinite ones.
    """
    text = share_text(judged.number(shown.name, thing), 3 if shown.is_share else 1)
    infinite = "" if shown.is_share else infinite_text(judged, thing)
    return f"{text}, {infinite}" if infinite else text


def infinite_text(judged: Judged, thing: str | None = None, *, sign: str = INFINITE) -> str:
    """Say how many distances are infinite, as one of the two masks is empty.

    Args:
        judged: scores.
        thing: organ or class; None for all of them.
        sign: of infinity, or the word.

    Returns:
        As `1 of 8 ∞`; nothing where there is none.
    """
    infinite, known = judged.distances(thing)
    return f"{infinite} of {known} {sign}" if infinite else ""
