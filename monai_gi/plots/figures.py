"""Charts by matplotlib, without its global state and without a display: as SVG for pages, as pixels for TensorBoard.

A chart is what paints on axes that it is given, so that it stands by itself on a page and beside others in one picture.
Colours are Okabe and Ito's; nothing is told by colour alone.
"""

import io
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

RGB = tuple[int, int, int]

WIDTH_IN, HEIGHT_IN = 4.6, 3.3
ROW_IN, FRAME_IN = 0.36, 1.15
"""Height of a chart with names at its left: so much for each, and so much around them."""

DPI = 110
INK, GRID = "#282828", "#e1e1e1"
COLORS = ((0, 114, 178), (213, 94, 0), (0, 158, 115), (204, 121, 167), (0, 0, 0), (230, 159, 0), (86, 180, 233))
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
_STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same on every machine
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "svg.fonttype": "path",
    "svg.hashsalt": "monai_gi",  # the same chart gives the same bytes
}


class Chart(NamedTuple):
    """One chart, not painted yet.

    Attributes:
        name: of letters and underscores: a tag in TensorBoard.
        title: above it.
        text: what it shows, in words and numbers, for those who do not see it.
        paint: draws on the axes that it is given.
        height_in: inches; all charts are as wide as WIDTH_IN.
    """

    name: str
    title: str
    text: str
    paint: "Callable[[Axes], None]"
    height_in: float = HEIGHT_IN


def as_svg(chart: Chart) -> str:
    """Draw one chart as a whole SVG file.

    Letters are outlines, so that it looks the same without the font. The same chart gives the same text.

    Args:
        chart: what to draw.

    Returns:
        XML of one `svg` element.
    """
    with _figure((WIDTH_IN, chart.height_in)) as figure:
        _paint(chart, figure.add_subplot())
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    text = file.getvalue()
    return text[text.index("<svg") :]  # what stands before it names a definition on the net


def as_pixels(charts: Sequence[Chart], *, columns: int = 3) -> np.ndarray:
    """Draw charts side by side.

    Args:
        charts: at least one.
        columns: in a row at most.

    Returns:
        uint8 (h, w, 3).

    Raises:
        ValueError: there is no chart, or no column.
    """
    if not charts or columns < 1:
        raise ValueError(f"{len(charts)} charts in {columns} columns; at least one of each is wanted")
    columns = min(columns, len(charts))
    rows = math.ceil(len(charts) / columns)
    height = max(chart.height_in for chart in charts)
    with _figure((columns * WIDTH_IN, rows * height)) as figure:
        for number, chart in enumerate(charts, start=1):
            _paint(chart, figure.add_subplot(rows, columns, number))
        return _pixels(figure)


def web_color(rgb: RGB) -> str:
    """Write a colour as `#rrggbb`.

    >>> web_color((213, 94, 0))
    '#d55e00'
    """
    return "#{:02x}{:02x}{:02x}".format(*rgb)


def word(name: str) -> str:
    """Write the name of an organ or class as people do.

    >>> word("large_bowel")
    'large bowel'
    """
    return name.replace("_", " ")


def rate_text(values: Mapping[str, float | None], digits: int = 2) -> str:
    """Write numbers by name in one line, those that do not exist as a dash.

    >>> rate_text({"stomach": 0.5, "small bowel": None})
    'stomach 0.50, small bowel -'
    """
    parts = (f"{name} {'-' if value is None else format(value, f'.{digits}f')}" for name, value in values.items())
    return ", ".join(parts)


def legend_below_title(axes: "Axes") -> None:
    """Name the lines and markers in a row between title and axes, where they can not lie on anything.

    Args:
        axes: with labelled lines and a title.
    """
    count = len(axes.get_legend_handles_labels()[1])
    axes.set_title(axes.get_title(loc="left"), loc="left", pad=26)
    axes.legend(
        loc="lower left", bbox_to_anchor=(-0.02, 0.98), ncols=count, columnspacing=1.2, handletextpad=0.4, borderpad=0.2
    )


@contextmanager
def _figure(size_in: tuple[float, float]) -> "Iterator[Figure]":
    """A figure of its own style; pyplot, which keeps figures and asks for a display, is never loaded."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(_STYLE):
        yield Figure(figsize=size_in, dpi=DPI, layout="constrained")


def _paint(chart: Chart, axes: "Axes") -> None:
    axes.set_title(chart.title, pad=10)
    chart.paint(axes)


def _pixels(figure: "Figure") -> np.ndarray:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.ascontiguousarray(np.asarray(canvas.buffer_rgba())[..., :3])
