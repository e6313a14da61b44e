"""The page: HTML that asks for nothing from anywhere, not even scripts; every text is escaped where it enters.

Pictures are data URIs. A content security policy makes browsers refuse whatever would leave the file.
"""

import base64
import html
import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from monai_gi.errors import DataError
from monai_gi.plots.figures import Chart, as_svg
from monai_gi.provenance import INTENDED_USE
from monai_gi.report.style import STYLE

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
LONGEST_PX = 1500
PHONE_PX = 640
"""Wider pictures scroll on a phone: shrunk to its width nobody would see an outline."""

JPEG_QUALITY = 82


class Section(NamedTuple):
    """A part of the page with its heading.

    Attributes:
        anchor: of links to it.
        title: plain text.
        body: HTML.
        look: class of its style, "run" for all about one of several runs.
    """

    anchor: str
    title: str
    body: str
    look: str = ""


class Cell(NamedTuple):
    """A cell of a table that is more than text.

    Attributes:
        text: plain text.
        look: class of its style: "good", "bad" or "strong".
    """

    text: str
    look: str = ""


def page(title: str, subtitle: str, sections: Sequence[Section], links: Sequence[Section]) -> str:
    """Set the parts together.

    Args:
        title: of the page, plain text.
        subtitle: a line below it, plain text.
        sections: in order.
        links: what the line at the top leads to.

    Returns:
        The whole file.
    """
    where = "".join(f'<a href="#{link.anchor}">{escape(link.title)}</a>' for link in links)
    body = "\n".join(
        f'<section id="{part.anchor}"{_class(part.look)}><h2>{escape(part.title)}</h2>\n{part.body}</section>'
        for part in sections
    )
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>{STYLE}</style>
</head>
<body>
<p class="use">{escape(INTENDED_USE)}</p>
<header>
<h1>{escape(title)}</h1>
<p class="subtitle">{escape(subtitle)}</p>
<nav aria-label="Parts">{where}</nav>
</header>
<main>
{body}
</main>
<footer>{escape(INTENDED_USE)}</footer>
</body>
</html>
"""


def escape(text: object) -> str:
    """Plain text as HTML."""
    return html.escape(str(text))


def paragraph(text: str, look: str = "") -> str:
    """Plain text as a paragraph.

    Args:
        text: plain.
        look: class of its style, such as "note".

    Returns:
        HTML.
    """
    return f"<p{_class(look)}>{escape(text)}</p>\n"


def bullets(lines: Sequence[str], look: str = "") -> str:
    """Plain lines as a list; nothing for none.

    Args:
        lines: plain.
        look: class of its style.

    Returns:
        HTML.
    """
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f"<ul{_class(look)}>{items}</ul>\n" if lines else ""


def table(head: Sequence[str], rows: Sequence[Sequence[str | Cell]], *, caption: str = "", texts: int = 1) -> str:
    """A table that scrolls by itself where the screen is narrow.

    Args:
        head: titles of the columns.
        rows: plain text or cells, as many as titles.
        caption: above it, plain text.
        texts: so many columns from the left hold words; the others hold numbers and stand at the right.

    Returns:
        HTML.
    """
    marks = ["" if number < texts else "number" for number in range(len(head))]
    titles = "".join(f'<th scope="col"{_class(m)}>{escape(title)}</th>' for title, m in zip(head, marks, strict=True))
    body = "\n".join(f"<tr>{_cells(row, marks)}</tr>" for row in rows)
    told = f"<caption>{escape(caption)}</caption>" if caption else ""
    name = escape(caption or ", ".join(head[:3]))
    inside = f"<table>{told}<thead><tr>{titles}</tr></thead><tbody>\n{body}\n</tbody></table>"
    # Who has no mouse scrolls what has the focus.
    return f'<div class="scroll" role="region" aria-label="{name}" tabindex="0">{inside}</div>\n'


def facts(pairs: Mapping[str, str]) -> str:
    """Names and what they are, in two columns.

    Args:
        pairs: plain text by name.

    Returns:
        HTML.
    """
    rows = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in pairs.items())
    return f'<dl class="facts">{rows}</dl>\n'


def tiles(pairs: Sequence[tuple[str, str, str]]) -> str:
    """The few numbers that count, large.

    Args:
        pairs: (name, number, line below it), plain text.

    Returns:
        HTML.
    """
    inside = "".join(
        f'<div class="tile"><span>{escape(name)}</span><strong>{escape(number)}</strong><em>{escape(below)}</em></div>'
        for name, number, below in pairs
    )
    return f'<div class="tiles">{inside}</div>\n'


def folded(summary: str, inside: str) -> str:
    """What only some want to see: closed on a screen.

    Args:
        summary: plain text.
        inside: HTML.

    Returns:
        HTML.
    """
    return f"<details><summary>{escape(summary)}</summary>\n{inside}</details>\n"


def charts(drawn: Sequence[Chart], beside: str = "") -> str:
    """Charts side by side, as SVG.

    Args:
        drawn: nothing comes of none.
        beside: HTML at the right of the last chart, where there is room; below it otherwise.

    Returns:
        HTML.
    """
    if not drawn:
        return ""
    figures = "".join(f"<figure>{_image('image/svg+xml', as_svg(c).encode(), c.text)}</figure>\n" for c in drawn)
    return f'<div class="charts">{figures}{f"<div>{beside}</div>" if beside else ""}</div>\n'


def picture(path: Path, caption: str, text: str) -> str:
    """A picture from a file.

    Args:
        path: PNG.
        caption: above it, plain text.
        text: what it shows, for those who do not see it.

    Returns:
        HTML; at most LONGEST_PX wide.

    Raises:
        DataError: the file is damaged.
    """
    try:
        with Image.open(path) as opened:
            shown = opened.convert("RGB")
    except OSError as error:
        raise DataError(path, "is no picture; take it away, or judge again") from error
    shown.thumbnail((LONGEST_PX, 4 * LONGEST_PX))
    file = io.BytesIO()
    # Coloured outlines are one or two pixels wide: their colour is not subsampled.
    shown.save(file, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    image = _image("image/jpeg", file.getvalue(), text)
    look = "sheet wide" if shown.width > PHONE_PX else "sheet"
    scroll = f'<div class="{look}" role="region" aria-label="{escape(caption)}" tabindex="0">{image}</div>'
    return f'<figure class="picture"><figcaption>{escape(caption)}</figcaption>{scroll}</figure>\n'


def _image(kind: str, data: bytes, text: str) -> str:
    return f'<img alt="{escape(text)}" src="data:{kind};base64,{base64.b64encode(data).decode()}">'


def _cells(row: Sequence[str | Cell], marks: Sequence[str]) -> str:
    cells = [cell if isinstance(cell, Cell) else Cell(cell) for cell in row]
    looks = [" ".join(filter(None, (mark, cell.look))) for cell, mark in zip(cells, marks, strict=True)]
    texts = [_kept_together(cell.text) if mark else cell.text for cell, mark in zip(cells, marks, strict=True)]
    return "".join(f"<td{_class(look)}>{escape(text)}</td>" for text, look in zip(texts, looks, strict=True))


def _kept_together(text: str) -> str:
    """Let lines break before and after an interval only.

    >>> _kept_together("4.9 [4.8, 5.0], 7 of 39").split(" ")
    ['4.9', '[4.8,\\xa05.0],', '7\\xa0of\\xa039']
    """
    return re.sub(r"(?<!\]) (?!\[)", "\N{NO-BREAK SPACE}", text).replace("],\N{NO-BREAK SPACE}", "], ")


def _class(name: str) -> str:
    return f' class="{name}"' if name else ""
