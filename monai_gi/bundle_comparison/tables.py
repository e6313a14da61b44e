"""The rows as `table.csv` (every number), `table.md` (what is read) and `cost.png` (score against cost)."""

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from monai_gi.atomic_file import write_whole
from monai_gi.bundle_comparison.request import ComparisonRequest
from monai_gi.bundle_comparison.rows import DONE, MAIN_VARIANT, VARIANTS, Row, data_differs, ranked
from monai_gi.labels import ORGAN_NAMES
from monai_gi.metrics.contest import VARIANT_RULES
from monai_gi.plots.scatter import Panel, Point, scatter
from monai_gi.writers.overlay import write_png

TABLE_CSV, TABLE_MD, COST_PNG = "table.csv", "table.md", "cost.png"
_UNKNOWN = "-"


class Column(NamedTuple):
    """A column of the Markdown table.

    Attributes:
        title: in its head.
        text: of a row's cell; may meet None, which is shown as unknown.
    """

    title: str
    text: Callable[[Row], str]


def write_tables(rows: Sequence[Row], request: ComparisonRequest) -> str:
    """Write the three files into the output folder.

    Args:
        rows: of all bundles so far.
        request: the comparison.

    Returns:
        The text of table.md.
    """
    rows = ranked(rows)
    text = as_markdown(rows, request)
    write_whole(request.output / TABLE_CSV, as_csv(rows))
    write_whole(request.output / TABLE_MD, text)
    write_cost_plot(request.output / COST_PNG, rows, request)
    return text


def as_csv(rows: Sequence[Row]) -> str:
    """All numbers, a line a bundle; an unknown one is empty.

    Args:
        rows: at least one.

    Returns:
        Text with a head.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: _plain(value) for key, value in row.items()} for row in rows)
    return text.getvalue()


def as_markdown(rows: Sequence[Row], request: ComparisonRequest) -> str:
    """The table that is read: scores and costs, the contest score in all variants, and what each number counts.

    Args:
        rows: in their order.
        request: the comparison.

    Returns:
        Markdown.
    """
    variants = [_number(f"contest_{variant}", variant, ".3f") for variant in VARIANTS]
    scored = [row for row in rows if row["score"] is not None]
    parts = [
        _heading(rows, request),
        _table(rows, _COLUMNS),
        "Contest score by variant:" if scored else "",
        _table(scored, [_COLUMNS[0], *variants]),
        "\n".join(f"- {note}" for note in _notes(rows, request)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def write_cost_plot(path: Path, rows: Sequence[Row], request: ComparisonRequest) -> None:
    """Draw the contest score against FLOPs and against seconds a slice; no picture where nothing has a score.

    Args:
        path: the PNG; an earlier one is replaced, or removed where nothing can be drawn.
        rows: of all bundles.
        request: the comparison.
    """
    drawn = [row for row in rows if row["score"] is not None and row["gflops"] and row["s_per_slice"]]
    if not drawn:
        path.unlink(missing_ok=True)
        return
    titles = {"gflops": "GFLOPs a slice", "s_per_slice": f"seconds a slice ({drawn[0]['device']})"}
    panels = [Panel(title, [_point(row, key) for row in drawn]) for key, title in titles.items()]
    missing = [row["bundle"] for row in rows if row not in drawn]
    notes = ["filled: pretrained weights, hollow: random weights; bars: 95 % interval over cases"]
    notes += [f"without a score: {', '.join(missing)}"] if missing else []
    title = f"After {_budget_in_words(request.budget)} of training each"
    write_png(path, scatter(panels, title=title, y_title=f"contest score ({MAIN_VARIANT})", notes=notes))


def _point(row: Row, key: str) -> Point:
    interval = (row["score_low"], row["score_high"]) if row["score_low"] is not None else None
    return Point(row["bundle"], row[key], row["score"], interval, is_filled=row["weights"] == "pretrained")


def _plain(value: Any) -> Any:
    return "" if value is None else format(value, ".6g") if isinstance(value, float) else value


def _number(key: str, title: str, form: str, divisor: float = 1) -> Column:
    def text(row: Row) -> str:
        return _UNKNOWN if row[key] is None else format(row[key] / divisor, form)

    return Column(title, text)


def _score(row: Row) -> str:
    if row["score"] is None:
        return _UNKNOWN
    interval = "" if row["score_low"] is None else f" [{row['score_low']:.3f}, {row['score_high']:.3f}]"
    return f"{row['score']:.3f}{interval}"


def _memory(row: Row) -> str:
    """Of the graphics card where there is one, else of the program."""
    megabytes = row["peak_gpu_mb"] or row["peak_memory_mb"]
    return _UNKNOWN if megabytes is None else f"{megabytes / 1000:.2f}"


_COLUMNS = [
    Column("bundle", lambda row: row["bundle"]),
    Column("score [95 %]", _score),
    *(_number(f"dice_{organ}", f"Dice {organ.replace('_', ' ')}", ".3f") for organ in ORGAN_NAMES),
    *(_number(f"hd95_mm_{organ}", f"HD95 {organ.replace('_', ' ')}, mm", ".1f") for organ in ORGAN_NAMES),
    _number("macro_f1", "pooled macro F1", ".3f"),
    _number("parameters", "parameters, M", ".2f", 1e6),
    _number("gflops", "GFLOPs", ".3g"),
    _number("s_per_slice", "s/slice", ".3g"),
    Column("peak memory, GB", _memory),
    _number("ms_to_first_epoch", "ms to first epoch", ".0f"),
    _number("epochs", "epochs", ".0f"),
    Column("weights", lambda row: row["weights"] or _UNKNOWN),
    Column("status", lambda row: row["status"]),
]


def _table(rows: Sequence[Row], columns: Sequence[Column]) -> str:
    if not rows:
        return ""
    lines = [_line(column.title for column in columns), _line("---" for _ in columns)]
    return "\n".join([*lines, *(_line(column.text(row) for column in columns) for row in rows)])


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |"


def _heading(rows: Sequence[Row], request: ComparisonRequest) -> str:
    counts = next((f" ({row['cases']} case(s), {row['scans']} scan(s))" for row in rows if row["cases"]), "")
    device = next((row["device"] for row in rows if row["device"]), request.device)
    return (
        f"# {len(rows)} bundle{'' if len(rows) == 1 else 's'}, {_budget_in_words(request.budget)} of training each\n\n"
        f"Judged on fold {request.fold} of {request.dataset_dir.resolve().name}{counts}; "
        f"{request.folds} folds where the data have none yet, seed {request.seed}, device {device}."
    )


def _budget_in_words(budget: str) -> str:
    number = budget.strip().rstrip("abcdefghijklmnopqrstuvwxyz ")
    unit = {"s": "s", "m": "min", "min": "min", "h": "h"}.get(budget.strip()[len(number) :].strip(), "epochs")
    return f"{number} {unit.removesuffix('s') if unit == 'epochs' and number == '1' else unit}"


def _notes(rows: Sequence[Row], request: ComparisonRequest) -> list[str]:
    infinite = [f"{row['bundle']} {row['hd95_infinite']}" for row in rows if row["hd95_infinite"]]
    names = [f"{row['bundle']}: {row['init_weights']}" for row in rows if row["init_weights"] not in (None, "random")]
    notes = [
        f"score: contest variant {MAIN_VARIANT}, in brackets its 95 % interval over cases. "
        f"{VARIANT_RULES[MAIN_VARIANT]}",
        "Dice: mean over slices whose truth holds the organ, an empty prediction counts 0. "
        "HD95: 3D, mean over scans where it is finite.",
        "pooled macro F1: over the pixels of annotated slices, the background a class of its own; to compare with "
        "others who report it, not the headline.",
        "The weights at the end of the budget are judged; nothing was chosen on this fold.",
        "GFLOPs: one slice; a multiply-add counts twice. s/slice: the network alone, in batches of 8.",
        "peak memory: of training, on the graphics card where one was used. "
        "ms to first epoch: from the program's start; imports, index and weights are in it.",
    ]
    notes += (
        [f"HD95 infinite (one mask of a scan empty), so not in its mean: {', '.join(infinite)}"] if infinite else []
    )
    notes += _settings_notes(rows, request)
    if names:
        notes.append(f"weights began as: {'; '.join(names)}")
    if data_differs(rows):
        notes.insert(0, "NOT COMPARABLE: the bundles trained on different slices; see settings.json of each.")
    if any(row["status"] != DONE for row in rows):
        notes.append("The same command tries again what failed; its log is in the bundle's folder.")
    return notes


def _settings_notes(rows: Sequence[Row], request: ComparisonRequest) -> list[str]:
    """What was changed about a bundle, for rows that are more than their bundle as it stands."""
    notes = []
    for name in (row["bundle"] for row in rows):
        folder = request.bundles[name]
        said = [f"bundle {folder}"] if folder != name else []
        said += [f"{key}={value}" for key, value in request.settings_of(name).items()]
        notes += [f"{name}: {', '.join(said)}"] if said else []
    return notes
