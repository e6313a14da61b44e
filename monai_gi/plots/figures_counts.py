"""Charts of counts: shares of slices as bars, and which class was taken for which."""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from monai_gi.plots.figures import FRAME_IN, INK, RGB, ROW_IN, Chart, rate_text, web_color, word

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class Share(NamedTuple):
    """How many of how many.

    Attributes:
        name: beside the bar.
        rgb: its colour.
        hits: those that are meant.
        total: all; the bar is left out for 0.
    """

    name: str
    rgb: RGB
    hits: int
    total: int


def share_chart(name: str, title: str, shares: Sequence[Share]) -> Chart:
    """Horizontal bars from 0 to 100 %, with their counts.

    Args:
        name: of the chart.
        title: above it.
        shares: at least one.

    Returns:
        The chart.
    """
    counts = ", ".join(f"{word(share.name)} {share.hits} of {share.total}" for share in shares)
    height = FRAME_IN + ROW_IN * len(shares)
    return Chart(name, title, f"{title}: {counts}.", partial(_paint_shares, shares=shares), height)


def matrix_chart(name: str, title: str, counts: Sequence[Sequence[int]], classes: Sequence[str]) -> Chart:
    """A table of confusion: of each true class the share that was called what, in percent.

    Args:
        name: of the chart.
        title: above it.
        counts: (C, C) by truth and prediction.
        classes: C names.

    Returns:
        The chart.
    """
    table = np.asarray(counts, dtype=np.float64)
    shares = np.divide(
        table, table.sum(axis=1, keepdims=True), out=np.zeros_like(table), where=table.sum(1)[:, None] > 0
    )
    right = {word(key): float(shares[i, i]) for i, key in enumerate(classes)}
    text = f"{title}; found as what it is: {rate_text(right)}."
    return Chart(name, title, text, partial(_paint_matrix, shares=shares, classes=classes), 1.7 + 0.42 * len(classes))


def _paint_shares(axes: "Axes", shares: Sequence[Share]) -> None:
    for place, share in enumerate(shares):
        part = 100 * share.hits / share.total if share.total else 0.0
        axes.barh(place, part, height=0.6, color=web_color(share.rgb))
        text = f"{share.hits} of {share.total} ({part:.0f} %)" if share.total else "there is none"
        is_long = part > 55
        axes.text(
            part + (-1.5 if is_long else 1.5),
            place,
            text,
            va="center",
            ha="right" if is_long else "left",
            fontsize=9,
            bbox={"facecolor": "white", "alpha": 0.8, "edgecolor": "none", "pad": 1.5} if is_long else None,
        )
    axes.set_yticks(range(len(shares)), [word(share.name) for share in shares])
    axes.set_ylim(len(shares) - 0.4, -0.6)
    axes.set_xlim(0, 100)
    axes.set_xlabel("%")
    axes.grid(visible=False, axis="y")


def _paint_matrix(axes: "Axes", shares: np.ndarray, classes: Sequence[str]) -> None:
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for (row, column), share in np.ndenumerate(shares):
        text = "0" if share == 0 else "<1" if share < 0.005 else f"{100 * share:.0f}"
        axes.text(column, row, text, ha="center", va="center", fontsize=9, color="white" if share > 0.55 else INK)
    names = [word(name) for name in classes]
    axes.set_xticks(range(len(names)), names, rotation=35, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel("predicted, % of the row")
    axes.set_ylabel("truth")
    axes.grid(visible=False)
