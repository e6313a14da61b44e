"""Which scans, frames or slides are looked at: the worst, the median and the best by Dice.

Who draws them and who writes their names later rank by these functions, or a caption would name another than is drawn.
"""

from collections.abc import Iterable, Sequence
from typing import TypeVar

import numpy as np

PLACES = ("worst", "median", "best")
_DIGITS = 6
"""Means that differ by less are equal: tables hold fewer digits than memory."""

T = TypeVar("T")


def ranked_by_dice(dice: Iterable[tuple[str, float]]) -> list[tuple[str, float]]:
    """Order scans by their mean Dice over the classes that have one.

    Args:
        dice: (id, Dice) of every scan and class; NaN is left out.

    Returns:
        (id, mean Dice), ascending, equal ones by id; those without any Dice are left out.

    >>> ranked_by_dice([("b", 0.5), ("a", 1.0), ("a", 0.0), ("c", float("nan"))])
    [('a', 0.5), ('b', 0.5)]
    """
    known: dict[str, list[float]] = {}
    for name, one in dice:
        if not np.isnan(one):
            known.setdefault(name, []).append(one)
    means = [(name, round(float(np.mean(own)), _DIGITS)) for name, own in known.items()]
    return sorted(means, key=lambda one: (one[1], one[0]))


def placed(ranked: Sequence[T]) -> dict[str, T]:
    """Take the worst, the median and the best, each once.

    Args:
        ranked: ascending.

    Returns:
        By place in the order of PLACES; of two worst and best, of one worst.

    >>> placed("abcde"), placed("ab"), placed("")
    ({'worst': 'a', 'median': 'c', 'best': 'e'}, {'worst': 'a', 'best': 'b'}, {})
    """
    positions = {"worst": 0, "median": (len(ranked) - 1) // 2, "best": len(ranked) - 1}
    places = PLACES if len(ranked) > 2 else ("worst", "best")[: len(ranked)]
    return {place: ranked[positions[place]] for place in places}
