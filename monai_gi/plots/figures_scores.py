"""Charts of scores: boxes over cases, Dice against distance, means with intervals."""

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from monai_gi.plots.figures import (
    COLORS,
    FRAME_IN,
    INK,
    MARKERS,
    RGB,
    ROW_IN,
    Chart,
    legend_below_title,
    rate_text,
    web_color,
    word,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LEAST_FOR_BOX = 5
"""A box of fewer values would show quartiles of nothing; their dots stand alone."""

_GOLDEN = 0.618
_INFINITE = "∞"
_EDGE: dict[str, Any] = {"markeredgecolor": INK, "markeredgewidth": 0.5, "alpha": 0.8}  # yellow is seen on white


class Group(NamedTuple):
    """Values in one box.

    Attributes:
        name: below it.
        rgb: its colour.
        values: one a case; what is not finite is left out.
        mean: drawn as a diamond; None draws none.
        interval: of the mean, drawn as a bar; None draws none.
        infinite: (how many, of how many) distances are infinite, which the values leave out; written below the name
            where there are any.
    """

    name: str
    rgb: RGB
    values: Sequence[float]
    mean: float | None = None
    interval: Sequence[float] | None = None
    infinite: tuple[int, int] = (0, 0)


class Estimate(NamedTuple):
    """A number with its interval.

    Attributes:
        name: beside it.
        value: None leaves the row empty.
        interval: None draws none.
        style: the same number, the same colour and marker.
    """

    name: str
    value: float | None
    interval: Sequence[float] | None
    style: int = 0


def box_chart(name: str, title: str, groups: Sequence[Group], *, is_share: bool, over: str = "cases") -> Chart:
    """Boxes (median, quartiles) with every value as a dot, and the mean with its interval beside.

    Args:
        name: of the chart.
        title: above it.
        groups: at least one.
        is_share: the axis goes from 0 to 1; otherwise from 0 up.
        over: what a dot is, plural.

    Returns:
        The chart.
    """
    infinite = [f"{word(g.name)} {g.infinite[0]} of {g.infinite[1]}" for g in groups if g.infinite[0]]
    told = f"; infinite: {', '.join(infinite)}" if infinite else ""
    text = f"{title} over {over}, mean: {rate_text({word(group.name): group.mean for group in groups})}{told}."
    return Chart(name, title, text, partial(_paint_boxes, groups=groups, is_share=is_share))


def distance_chart(
    name: str, title: str, points: Mapping[str, Sequence[tuple[float, float]]], colors: Mapping[str, RGB], unit: str
) -> Chart:
    """Dice against a distance, a dot a scan; infinite distances stand in a strip of their own at the right.

    Args:
        name: of the chart.
        title: above it.
        points: (Dice, distance) by class; those without Dice are left out.
        colors: by class.
        unit: of the distance.

    Returns:
        The chart.
    """
    infinite = {word(key): sum(np.isinf(distance) for _, distance in own) for key, own in points.items()}
    counted = ", ".join(f"{key} {count}" for key, count in infinite.items() if count) or "none"
    text = f"{title}, one dot each; infinite distance (one mask empty): {counted}."
    return Chart(name, title, text, partial(_paint_distances, points=points, colors=colors, unit=unit))


def estimate_chart(
    name: str, title: str, estimates: Sequence[Estimate], *, axis: str, zero: str = "", is_share: bool = False
) -> Chart:
    """Numbers with their intervals, one a row, the first on top.

    Args:
        name: of the chart.
        title: above it.
        estimates: at least one.
        axis: below it.
        zero: what a number left and right of 0 means, which then gets a line; empty for none.
        is_share: the axis goes from 0 to 1.

    Returns:
        The chart.
    """
    text = f"{title}: {rate_text({estimate.name: estimate.value for estimate in estimates}, 3)}."
    paint = partial(_paint_estimates, estimates=estimates, axis=axis, zero=zero, is_share=is_share)
    return Chart(name, title, text, paint, FRAME_IN + ROW_IN * len(estimates) + (0.25 if zero else 0))


def _paint_boxes(axes: "Axes", groups: Sequence[Group], *, is_share: bool) -> None:
    labels = []
    for place, group in enumerate(groups):
        values = np.array([value for value in group.values if np.isfinite(value)])
        color = web_color(group.rgb)
        infinite, known = group.infinite
        labels.append(_label(group.name) + (f"\n{infinite} of {known} {_INFINITE}" if infinite else ""))
        if values.size >= LEAST_FOR_BOX:
            _paint_box(axes, values, place, color)
        spread = (np.arange(values.size) * _GOLDEN % 1 - 0.5) * 0.3
        axes.plot(place + spread, values, "o", color=color, markersize=5, **_EDGE)
        if group.mean is not None:
            if group.interval is not None:
                axes.plot([place + 0.36] * 2, list(group.interval), color=INK, linewidth=2)
            axes.plot(place + 0.36, group.mean, "D", color=INK, markersize=5)
    axes.set_xticks(range(len(groups)), labels, rotation=35 if len(groups) > 4 else 0)
    axes.set_xlim(-0.6, len(groups) - 0.3)
    axes.grid(visible=False, axis="x")
    axes.set_ylim(*((-0.03, 1.03) if is_share else (0, 1.08 * _highest(groups))))


def _highest(groups: Sequence[Group]) -> float:
    """Of all that is drawn; 1 where that is nothing or 0."""
    values = [value for group in groups for value in (*group.values, *(group.interval or ()))]
    return max((value for value in values if math.isfinite(value)), default=1.0) or 1.0


def _paint_box(axes: "Axes", values: np.ndarray, place: int, color: str) -> None:
    line = {"color": color, "linewidth": 1.4}
    axes.boxplot(
        values,
        positions=[place],
        widths=0.46,
        showfliers=False,
        manage_ticks=False,
        boxprops=line,
        whiskerprops=line,
        capprops=line,
        medianprops={"color": INK, "linewidth": 2},
    )


def _paint_distances(
    axes: "Axes", points: Mapping[str, Sequence[tuple[float, float]]], colors: Mapping[str, RGB], unit: str
) -> None:
    finite = [distance for own in points.values() for _, distance in own if np.isfinite(distance)]
    right = max([*finite, 10.0]) * 1.3
    strip, has_infinite = right * 1.6, False
    for number, (name, own) in enumerate(points.items()):
        known = [(dice, distance) for dice, distance in own if not np.isnan(dice)]
        has_infinite = has_infinite or any(np.isinf(distance) for _, distance in known)
        x = [min(distance, strip) for _, distance in known]
        y, marker = [dice for dice, _ in known], MARKERS[number % len(MARKERS)]
        axes.plot(x, y, marker, color=web_color(colors[name]), markersize=7, label=word(name), clip_on=False, **_EDGE)
    axes.set_xscale("symlog", linthresh=1, linscale=0.4)
    _distance_ticks(axes, right, strip if has_infinite else None)
    axes.set_ylim(-0.03, 1.03)
    axes.set_xlabel(f"HD95, {unit} (smaller is better)")
    axes.set_ylabel("Dice")
    if len(points) > 1:
        legend_below_title(axes)


def _distance_ticks(axes: "Axes", right: float, strip: float | None) -> None:
    """Round numbers that people read, and the strip of infinite distances."""
    ticks: list[float] = [tick for tick in (0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000) if tick <= right]
    ticks = ticks if right < 60 else [tick for tick in ticks if str(tick)[0] in "015"]
    labels = [f"{tick:g}" for tick in ticks]
    if strip is not None:
        axes.axvspan(right, strip * 1.25, color="#f0f0f0", linewidth=0)
        ticks, labels = [*ticks, strip], [*labels, _INFINITE]
    axes.set_xticks(ticks, labels)
    axes.minorticks_off()
    axes.set_xlim(-0.15, right if strip is None else strip * 1.25)


def _paint_estimates(axes: "Axes", estimates: Sequence[Estimate], *, axis: str, zero: str, is_share: bool) -> None:
    for place, (_, value, interval, style) in enumerate(estimates):
        color = web_color(COLORS[style % len(COLORS)])
        if value is None:
            where = axes.get_yaxis_transform()  # across from 0 to 1
            axes.text(0.02, place, "no number", transform=where, va="center", fontsize=9)
            continue
        if interval is not None:
            axes.plot(list(interval), [place, place], color=color, linewidth=2)
        axes.plot(value, place, MARKERS[style % len(MARKERS)], color=color, markersize=7)
    if zero:
        axes.axvline(0, color=INK, linewidth=1)
        low, high = axes.get_xlim()
        reach = 1.06 * max(abs(low), abs(high), 1e-3)
        axes.set_xlim(-reach, reach)
        axes.locator_params(axis="x", nbins=5)
    axes.set_yticks(range(len(estimates)), [estimate.name for estimate in estimates])
    axes.set_ylim(len(estimates) - 0.4, -0.6)
    axes.set_xlabel(f"{axis}\n{zero}" if zero else axis)
    axes.grid(visible=False, axis="y")
    if is_share:
        axes.set_xlim(-0.02, 1.02)


def _label(name: str) -> str:
    """The name in two lines where it has two words."""
    return name.replace("_", "\n")
