"""The page's switches and sliders as a `Look` at a case, and the ranges that a case gives them.

Level is the grey value in the middle of what is shown, window the width; the slider counts positions from 1.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import gradio as gr

from monai_gi.app.cases import Case, Window
from monai_gi.app.viewer import FILLS, OUTLINES, Look

_FEW_GREYS = 50
_STEPS = 200
_DEFAULT_OPACITY = 40


class Controls(NamedTuple):
    """Values of the page's controls, as they came from a browser: anything may stand there.

    Attributes:
        place: of the slider, from 1.
        style: OUTLINES or FILLS.
        opacity: percent.
        level: grey value in the middle; None takes that of the case.
        window: width in grey values; None takes that of the case.
        probability: draw probabilities.
        shown: names of the classes that are switched on.
    """

    place: Any = 1
    style: Any = OUTLINES
    opacity: Any = _DEFAULT_OPACITY
    level: Any = None
    window: Any = None
    probability: Any = False
    shown: tuple[str, ...] = ()

    @classmethod
    def of(cls, values: Sequence[Any], classes: Sequence[str]) -> "Controls":
        """Read the values in the order of the page.

        Args:
            values: place, style, opacity, level, window, probability, then a switch a class; none takes defaults.
            classes: that have switches.

        Returns:
            The controls; everything is shown by default.
        """
        if not values:
            return cls(shown=tuple(classes))
        own, switches = values[: len(cls._fields) - 1], values[len(cls._fields) - 1 :]
        shown = tuple(name for name, on in zip(classes, switches, strict=True) if on)
        return cls._make((*own, shown))


def look_of(case: Case, controls: Controls) -> Look:
    """How a case is looked at.

    Args:
        case: what is looked at.
        controls: of the page; what is no number takes its default.

    Returns:
        A look inside the ranges of the case.
    """
    last = len(case.labels)
    return Look(
        position=round(min(max(_number(controls.place, 1), 1), last)) - 1,
        shown=controls.shown,
        style=FILLS if controls.style == FILLS else OUTLINES,
        opacity=min(max(_number(controls.opacity, _DEFAULT_OPACITY), 0), 100) / 100,
        window=None if case.window is None else _window(case.window, controls),
        probability=bool(controls.probability),
    )


def controls_of(case: Case | None, place: int | None = None) -> dict[str, Any]:
    """What the controls become for a case.

    Args:
        case: what is looked at; None hides what needs a case.
        place: of the slider, from 1; None takes the middle.

    Returns:
        Updates of "slice", "level", "window", "reset" and "probability".
    """
    if case is None:
        return {name: gr.update(visible=False) for name in ("slice", "level", "window", "reset", "probability")}
    last = len(case.labels)
    updates = {
        "slice": gr.update(maximum=max(2, last), value=place or (last + 1) // 2, label=case.unit, visible=last > 1),
        "probability": gr.update(visible=case.has_probabilities),
        "reset": gr.update(visible=case.window is not None),
    }
    return {**updates, **_window_controls(case.window)}


def _window_controls(window: Window | None) -> dict[str, Any]:
    if window is None:
        return {name: gr.update(visible=False) for name in ("level", "window")}
    span = window.most - window.least
    step = 1.0 if span >= _FEW_GREYS else span / _STEPS
    level, width = (window.low + window.high) / 2, window.high - window.low
    return {
        "level": gr.update(
            minimum=window.least, maximum=window.most, step=step, value=_rounded(level, step), visible=True
        ),
        "window": gr.update(minimum=step, maximum=span, step=step, value=_rounded(width, step), visible=True),
    }


def _window(window: Window, controls: Controls) -> tuple[float, float]:
    level = _number(controls.level, (window.low + window.high) / 2)
    width = max(_number(controls.window, window.high - window.low), 1e-6)
    return level - width / 2, level + width / 2


def _rounded(value: float, step: float) -> float:
    return round(value) if step == 1 else round(value, 6)


def _number(value: Any, default: float) -> float:
    """A finite number, whatever a browser sent."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return default
    return float(value)
