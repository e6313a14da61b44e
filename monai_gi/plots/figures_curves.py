"""Charts of a training run: losses and scores by epoch, train against validation on shared axes."""

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from monai_gi.plots.figures import COLORS, INK, Chart, legend_below_title, web_color

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FEW_POINTS = 40
"""Up to so many points get a marker each; a single one is seen by nothing else."""

_LOOKS = {"train": (COLORS[0], "-", "o"), "validation": (COLORS[1], "--", "s")}


class Curve(NamedTuple):
    """One line.

    Attributes:
        side: "train" or "validation".
        values: by epoch.
    """

    side: str
    values: Mapping[int, float]


def curve_chart(
    name: str, title: str, curves: Sequence[Curve], *, is_share: bool = False, best_epoch: int | None = None
) -> Chart:
    """Lines over epochs; train solid with dots, validation dashed with squares.

    Args:
        name: of the chart.
        title: above it.
        curves: one a side at most; empty ones are left out.
        is_share: the axis goes from 0 to 1.
        best_epoch: gets an upright line; None draws none.

    Returns:
        The chart.
    """
    known = [curve for curve in curves if curve.values]
    ends = ", ".join(f"{curve.side} {last_of(curve.values):.3f}" for curve in known) or "no values"
    paint = partial(_paint_curves, curves=known, is_share=is_share, best_epoch=best_epoch)
    return Chart(name, title, f"{title} by epoch; at the end: {ends}.", paint)


def last_of(values: Mapping[int, float]) -> float:
    """Give the value at the last step of a curve that has one."""
    return values[max(values)]


def _paint_curves(axes: "Axes", curves: Sequence[Curve], *, is_share: bool, best_epoch: int | None) -> None:
    if best_epoch is not None:
        label = f"best epoch: {best_epoch}"
        axes.axvline(best_epoch, color=INK, linewidth=1, linestyle=":", label=label)
    for curve in curves:
        rgb, line, marker = _LOOKS[curve.side]
        axes.plot(
            list(curve.values),
            list(curve.values.values()),
            linestyle=line,
            marker=marker if len(curve.values) <= FEW_POINTS else "",
            markersize=4,
            color=web_color(rgb),
            label=curve.side,
        )
    axes.set_xlabel("epoch")
    axes.locator_params(axis="x", integer=True)
    axes.set_ylim(*((-0.02, 1.02) if is_share else _range(curves)))
    legend_below_title(axes)


def _range(curves: Sequence[Curve]) -> tuple[float, float]:
    """From 0 where nothing is below it; losses may be."""
    values = [value for curve in curves for value in curve.values.values() if math.isfinite(value)]
    low, high = min([0.0, *values]), max([0.0, *values])
    return low, high + 0.05 * ((high - low) or 1)
