"""The comparison itself: bundle after bundle, step after step; what is finished is not done again.

A bundle's folder holds `comparison.json`: what was asked, and its row once all its steps are done.
"""

import datetime
import json
import math
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tqdm import tqdm

from monai_gi.atomic_file import part_of, write_whole
from monai_gi.bundle_comparison.request import ComparisonRequest, check_request, parse_budget, raise_all
from monai_gi.bundle_comparison.rows import DONE, Row, ranked, read_row
from monai_gi.bundle_comparison.steps import Runner, run_step, steps_of
from monai_gi.bundle_comparison.tables import COST_PNG, TABLE_CSV, write_tables
from monai_gi.errors import DataError
from monai_gi.report import REPORT_HTML, write_report

RECORD = "comparison.json"


class Comparison(NamedTuple):
    """What a comparison came to.

    Attributes:
        text: table.md, where the files are, and which bundles failed.
        failed: names of the rows without scores.
        ok: whether any has some.
    """

    text: str
    failed: tuple[str, ...]
    ok: bool


def compare_bundles(request: ComparisonRequest, run: Runner = run_step) -> Comparison:
    """Train and judge each bundle for the same budget, folds and seed, and write one table.

    Each step is a process of its own; one that fails makes a row with its reason, and the next bundle's turn comes.
    The tables are written anew after each bundle. Run again, finished bundles are taken over, a half-trained one goes
    on at its last epoch, and failed ones are tried again.

    Args:
        request: what to compare.
        run: how a step is run.

    Returns:
        What to print, and which bundles failed.

    Raises:
        DataError: a bundle, setting or folder that can not be used, or an output folder of another comparison or of
            runs that no comparison made.
        ValueError: no bundle, or a budget that is none.
    """
    check_request(request)
    records = _read_records(request)
    rows: list[Row] = []
    text = ""
    with _Progress(request, sum("row" not in record for record in records.values())) as progress:
        for name in request.bundles:
            done = records[name].get("row")
            rows.append(_filled(done, request.output / name) if done else _compare_one(request, name, run, progress))
            text = write_tables(rows, request)
    no_report = _write_report(request, rows)
    names = [TABLE_CSV, *(name for name in (COST_PNG, REPORT_HTML) if (request.output / name).is_file())]
    text += f"\n{request.output}: {', '.join(names)} and a folder a bundle with its logs{no_report}"
    failed = tuple(row["bundle"] for row in rows if row["status"] != DONE)
    text += f"\n{len(failed)} of {len(rows)} failed: {', '.join(failed)}" if failed else ""
    return Comparison(text, failed, ok=len(failed) < len(rows))


def _write_report(request: ComparisonRequest, rows: Sequence[Row]) -> str:
    """One page about all bundles that were judged, the best first; says why where there is none."""
    (request.output / REPORT_HTML).unlink(missing_ok=True)  # of an earlier run over other bundles
    done = [request.output / row["bundle"] for row in ranked(rows) if row["status"] == DONE]
    try:
        if done:
            write_report(done, request.output / REPORT_HTML)
    except DataError as error:  # the table stands without it
        return f"\nNo {REPORT_HTML}: {error}"
    return ""


def _compare_one(request: ComparisonRequest, name: str, run: Runner, progress: "_Progress") -> Row:
    folder = request.output / name
    _write_record(folder, {"asked": request.asked(name)})
    progress.begin()
    status = DONE
    for step in steps_of(request, name):
        reason = run(step, lambda line, step=step: progress.tell(f"{name}, {step.name}", line))  # type: ignore[misc]
        if reason is not None:
            status = f"failed {step.name}: {reason}"
            break
    row = read_row(name, folder, status)
    if status == DONE:
        _write_record(folder, {"asked": request.asked(name), "row": row})
    progress.end(name, status)
    return row


def _filled(row: Row, folder: Path) -> Row:
    """A row that may have been written before there were all of today's columns."""
    return {**read_row(row["bundle"], folder, DONE), **row}


def _read_records(request: ComparisonRequest) -> dict[str, Mapping[str, Any]]:
    """What an earlier run of this comparison left about each bundle; all faults at once."""
    faults: list[DataError] = []
    records = {name: _read_record(request, name, faults) for name in request.bundles}
    raise_all(faults)
    return records


def _read_record(request: ComparisonRequest, name: str, faults: list[DataError]) -> Mapping[str, Any]:
    """One of them; empty, and a fault more, where something is wrong."""
    path = request.output / name / RECORD
    if not path.is_file():
        faults += _other_files(path)
        return {}
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        there, asked = record["asked"], request.asked(name)
    except (ValueError, KeyError, TypeError):
        faults.append(DataError(path, "is damaged; take this folder away, or choose another --output"))
        return {}
    changed = [f"{key} was {there.get(key)}, is {asked[key]}" for key in asked if there.get(key) != asked[key]]
    if changed:
        repair = "Ask as before, or choose another --output"
        faults.append(DataError(path.parent, f"holds another comparison: {'; '.join(changed)}. {repair}"))
    return record


def _other_files(record: Path) -> list[DataError]:
    """Training would go on with what lies there, whatever its folds, and its scores would stand in the table."""
    there = sorted(path.name for path in record.parent.glob("*") if path != part_of(record))
    if not there:
        return []
    repair = "Choose another --output, or remove it"
    return [DataError(record.parent, f"holds files that no comparison wrote, such as {there[0]}. {repair}")]


def _write_record(folder: Path, record: Mapping[str, Any]) -> None:
    write_whole(folder / RECORD, json.dumps(record, indent=2) + "\n")


class _Progress:
    """A bar over the bundles that are left, with what the running one says and when all are done."""

    def __init__(self, request: ComparisonRequest, bundles: int) -> None:
        self.left = bundles
        self.planned_s = 60 * (parse_budget(request.budget).minutes or math.nan)
        self.took_s: list[float] = []
        self.began = time.monotonic()
        quiet = {} if sys.stderr.isatty() else {"mininterval": 30.0}
        self.bar = tqdm(total=bundles, unit="bundle", disable=not bundles, file=sys.stderr, **quiet)

    def __enter__(self) -> "_Progress":
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.close()

    def begin(self) -> None:
        """A bundle begins."""
        self.began = time.monotonic()

    def tell(self, step: str, line: str) -> None:
        """The running step's last line."""
        self.bar.set_description_str(f"{step}, {end_of_all(self.seconds_left())}", refresh=False)
        self.bar.set_postfix_str(line[:60], refresh=False)
        self.bar.update(0)

    def end(self, bundle: str, status: str) -> None:
        """A bundle is done, or failed; only those that are done tell how long one takes."""
        self.left -= 1
        if status == DONE:
            self.took_s.append(time.monotonic() - self.began)
        self.bar.update(1)
        self.bar.write(f"{bundle}: {status}", file=sys.stderr)

    def seconds_left(self) -> float:
        """As if each took as long as those before; the first take their budget at least; NaN for epochs."""
        each = sum(self.took_s) / len(self.took_s) if self.took_s else self.planned_s
        spent = min(time.monotonic() - self.began, each)
        return each * self.left - spent


def end_of_all(seconds_left: float, now: datetime.datetime | None = None) -> str:
    """Say when everything is done.

    Args:
        seconds_left: until then; NaN where that is not known yet.
        now: the clock, for tests.

    Returns:
        `all done at about 14:32`, with the day where it is another one.
    """
    if math.isnan(seconds_left):
        return "the end is known after the first"
    now = now or datetime.datetime.now()
    end = now + datetime.timedelta(seconds=seconds_left)
    return f"all done at about {end:%H:%M}" if end.date() == now.date() else f"all done about {end:%Y-%m-%d %H:%M}"
