"""Pieces of the page as HTML: the message, the table of findings, slices to check first, files to download.

Every text that comes from a file is escaped.
"""

import math
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from monai_gi.app.cases import Case, Check, Finding
from monai_gi.app.jobs import Progress
from monai_gi.app.session import ALL
from monai_gi.plots.figures import web_color

DASH = "–"
INFO, DONE, WRONG = "info", "done", "wrong"
RESULT_ROUTE = "/monai_gi/results"
_WHAT = {
    "rtstruct.dcm": "RTSTRUCT: contours on the series, for planning systems",
    "seg.dcm": "DICOM SEG: one segment an organ",
    "overlay.png": "Picture with outlines",
    "result.json": "What was found, settings, versions",
    "mask.png": "Mask, white inside",
    "labels.tif": "Label image, tiled, with the colours of the page",
    "regions.geojson": "Outlines for QuPath",
    "submission.csv": "Run lengths as the contest wants them",
    ALL: "Everything in one archive",
}
_ENDINGS = {
    "_labels.nii.gz": "NIfTI label map in the patient's coordinates",
    "_labels.json": "Names of the labels",
    ".nii.gz": "NIfTI mask in the patient's coordinates",
    ".tif": "Probabilities, 0 to 255",
    ".png": "Picture",
    ".json": "Findings and settings",
}


def message(text: str, kind: str = INFO) -> str:
    """A sentence for the user.

    Args:
        text: the sentence.
        kind: INFO, DONE or WRONG.

    Returns:
        A `div` that screen readers announce.
    """
    role = "alert" if kind == WRONG else "status"
    return f'<div class="gi-message gi-{kind}" role="{role}">{escape(text)}</div>' if text else ""


def progress(state: Progress) -> str:
    """How far the work is.

    Args:
        state: of the job.

    Returns:
        A `div` with a bar.
    """
    value = "" if state.share is None else f' value="{min(max(state.share, 0), 1):.3f}"'
    bar = f'<progress max="1"{value} aria-label="{escape(state.text)}"></progress>'
    return f'<div class="gi-message gi-busy" role="status"><span>{escape(state.text)} …</span>{bar}</div>'


def findings(case: Case | None) -> str:
    """What was found, one line a class.

    Args:
        case: what is looked at.

    Returns:
        A table; nothing where nothing was found and no truth is there.
    """
    rows = [] if case is None else case.findings()
    if case is None or not rows:
        return ""
    scored = case.has_truth and case.has_prediction
    in_mm = scored and any(row.hd95_mm is not None for row in rows)
    columns = [*case.heads, *(["Dice"] if scored else []), *(["HD95 mm"] if in_mm else [])]
    head = "".join(f'<th scope="col">{column}</th>' for column in columns)
    body = "".join(_row(case, row, scored, in_mm) for row in rows)
    notes = list(case.truth_notes)
    if scored:
        distance = " and 95 % Hausdorff distance (HD95)" if in_mm else ""
        notes = [f"Found by the network; Dice{distance} against the truth. {case.score_rule}", *notes]
    note = "".join(f"<p>{escape(text.strip())}</p>" for text in notes)
    return f'<table class="gi-table"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{note}'


def checks(case: Case | None) -> str:
    """Positions to look at first; each jumps there.

    Args:
        case: what is looked at.

    Returns:
        A list of buttons.
    """
    if case is None or not case.has_prediction or len(case.labels) == 1:
        return ""
    chosen = case.checks()
    if not chosen:
        return f"<p>Nothing stands out as doubtful. Look at every {case.unit.lower()} all the same.</p>"
    items = "".join(f"<li>{_check(case, check)}</li>" for check in chosen)
    return f'<ol class="gi-checks">{items}</ol>'


def downloads(files: Mapping[str, Path], token: str, notes: Sequence[str] = ()) -> str:
    """Files to download.

    Args:
        files: by the name that they get.
        token: of the session.
        notes: sentences below.

    Returns:
        A list of links.
    """
    if not files:
        return ""
    names = [*(name for name in files if "/" not in name), ALL]
    items = []
    for name in names:
        path = files.get(name)
        size = f" <small>{_size(path)}</small>" if path is not None else ""
        link = f'<a href="{RESULT_ROUTE}/{token}/{escape(name)}" download="{escape(name)}">{escape(name)}</a>'
        items.append(f"<li>{link}{size}<br><span>{escape(_describe(name))}</span></li>")
    below = "".join(f"<p>{escape(note)}</p>" for note in notes)
    return f'<ul class="gi-downloads">{"".join(items)}</ul>{below}'


def _row(case: Case, row: Finding, scored: bool, in_mm: bool) -> str:
    swatch = f'<span class="gi-swatch" style="background:{web_color(case.colors[row.name])}"></span>'
    cells = [f'<th scope="row">{swatch}{escape(row.name.replace("_", " "))}</th>']
    cells += [f"<td>{escape(text)}</td>" for text in (row.amount, row.place)]
    if scored:
        cells.append(f"<td>{_number(row.dice, 3)}</td>")
    if in_mm:
        cells.append(f"<td>{_number(row.hd95_mm, 1)}</td>")
    return f"<tr>{''.join(cells)}</tr>"


def _check(case: Case, check: Check) -> str:
    place = f"{case.unit} {case.labels[check.position]}"
    return (
        f'<button type="button" class="gi-check" data-position="{check.position + 1}">'
        f"<b>{escape(place)}</b> {escape(check.reason.replace('_', ' '))}</button>"
    )


def _number(value: float | None, digits: int) -> str:
    if value is None or math.isnan(value):
        return DASH
    return f"{value:.{digits}f}" if math.isfinite(value) else "∞"


def _describe(name: str) -> str:
    if name in _WHAT:
        return _WHAT[name]
    return next((text for ending, text in _ENDINGS.items() if name.endswith(ending)), "")


def _size(path: Path) -> str:
    size = path.stat().st_size
    return f"{size / 1e6:.1f} MB" if size >= 1e5 else f"{max(size / 1e3, 0.1):.1f} kB"
