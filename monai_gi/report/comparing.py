"""The parts of the page about several runs: all in one table, then each against the first on the same cases."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from monai_gi.metrics.judged import MEASURES
from monai_gi.plots.figures import Chart
from monai_gi.plots.figures_scores import Estimate, estimate_chart
from monai_gi.report.facts import data_hashes, weights_of
from monai_gi.report.page import Cell, Section, bullets, charts, escape, folded, paragraph, table
from monai_gi.report.pairs import LEAST_CASES, Difference, paired_differences, shared_cases
from monai_gi.report.reading import Run
from monai_gi.report.sections import share_text

_DASH = "–"
_LOOKS = {"better": "good", "worse": "bad"}


def comparison_sections(runs: Sequence[Run]) -> list[Section]:
    """Compare runs.

    Args:
        runs: two or more, of one kind.

    Returns:
        An overview, and the paired differences where two runs have scores.
    """
    sections = [Section("overview", "All runs", _overview(runs))]
    judged = [run for run in runs if run.judged is not None]
    if len(judged) > 1:
        sections.append(Section("differences", "Differences on the same cases", _differences(judged)))
    return sections


def _overview(runs: Sequence[Run]) -> str:
    kind = next((run.judged.kind for run in runs if run.judged), None)
    if kind is None:
        return paragraph("No run has been judged yet.")
    head = ["run", "weights", f"{kind.group}s", *(measure.title for measure in MEASURES[kind])]
    has_contest = any(run.judged and "contest_score" in run.judged.summary for run in runs)
    rows = [_row(run, len(head) - 3, has_contest=has_contest) for run in runs]
    return (
        bullets(_warnings(runs), "warnings")
        + table([*head, *(["contest, mle_bench"] if has_contest else [])], rows, texts=2)
        + charts(_overview_charts(runs))
    )


def _row(run: Run, measures: int, *, has_contest: bool) -> list[str | Cell]:
    row: list[str | Cell] = [Cell(run.name, "strong"), weights_of(run)]
    if run.judged is None:
        return [*row, Cell("not judged", "bad"), *[_DASH] * (measures + has_contest)]
    judged = run.judged
    row.append(str(judged.summary[f"{judged.kind.group}s"]))
    row += [share_text(judged.number(m.name), 3 if m.is_share else 1) for m in MEASURES[judged.kind]]
    contest: Mapping = judged.summary.get("contest_score", {}).get("mle_bench", {})
    return [*row, *([share_text(contest, 3)] if has_contest else [])]


def _overview_charts(runs: Sequence[Run]) -> list[Chart]:
    kind = next(run.judged.kind for run in runs if run.judged)
    measure = MEASURES[kind][0]
    mains = {run.name: run.judged.number(measure.name) for run in runs if run.judged}
    contests = {
        run.name: run.judged.summary.get("contest_score", {}).get("mle_bench", {}) for run in runs if run.judged
    }
    made = [_overview_chart("overview", f"{measure.title}, mean of {kind.things}", mains)]
    if any(contests.values()):
        made.append(_overview_chart("overview_contest", "Contest score, mle_bench", contests))
    return made


def _overview_chart(name: str, title: str, numbers: Mapping[str, Mapping[str, Any]]) -> Chart:
    rows = [
        Estimate(run, number.get("mean", number.get("score")), number.get("interval_95"), style)
        for style, (run, number) in enumerate(numbers.items())
    ]
    return estimate_chart(name, title, rows, axis="95 % interval over cases", is_share=True)


def _warnings(runs: Sequence[Run]) -> list[str]:
    found = []
    hashes = {data_hashes(run) for run in runs} - {()}
    if len(hashes) > 1:
        found.append(
            "The runs were trained on different data (their hashes differ): differences are not the networks' alone."
        )
    tolerances = {
        value for run in runs if run.judged for key, value in run.judged.summary.items() if key.startswith("tolerance_")
    }
    if len(tolerances) > 1:
        found.append("Surface Dice was counted with different tolerances; it can not be compared.")
    missing = [run.name for run in runs if run.judged is None]
    if missing:
        found.append(f"Not judged: {', '.join(missing)}.")
    return found


def _differences(runs: Sequence[Run]) -> str:
    first, *others = runs
    parts = [
        paragraph(
            f"Each run minus {first.name}, case by case; the interval is a bootstrap over cases. An interval that holds"
            f" 0 leaves open which is better; with fewer than {LEAST_CASES} cases nothing is claimed. Many intervals"
            " are shown: one in twenty misses 0 by chance."
        )
    ]
    parts += [f"<h3>{escape(f'{other.name} minus {first.name}')}</h3>\n{_pair(first, other)}" for other in others]
    return "".join(parts)


def _pair(first: Run, other: Run) -> str:
    if first.judged is None or other.judged is None:
        return ""
    kind = first.judged.kind
    shared, only_first, only_other = shared_cases(first.judged, other.judged)
    told = f"{shared} {kind.group}s in both"
    told += (
        f"; left out: {only_first} only in {first.name}, {only_other} only in {other.name}."
        if only_first or only_other
        else "."
    )
    if not shared:
        return paragraph(f"{told} Nothing can be compared.")
    found = paired_differences(first.judged, other.judged)
    whole = [one for one in found if not one.thing or len(first.judged.things) == 1]
    head = [
        "measure",
        kind.thing,
        "in words",
        first.name,
        other.name,
        "difference [95 %]",
        f"{kind.group}s",
        "better in",
        "one only",
    ]
    rest = [one for one in found if one not in whole]
    return (
        paragraph(told)
        + charts(_pair_charts(found, first.name, other.name))
        + table(head, [_difference_row(one) for one in whole], texts=3)
        + (folded(f"By {kind.thing}", table(head, [_difference_row(one) for one in rest], texts=3)) if rest else "")
        + paragraph(
            f"HD95 is smaller where better. “One only”: {kind.group}s for which only one of the two runs has a finite"
            " number, which are left out.",
            "note",
        )
    )


def _pair_charts(found: Sequence[Difference], first: str, other: str) -> list[Chart]:
    """Scores, where right is better, and distances, where left is; each says so."""
    shares = [one for one in found if one.shown.is_share and (not one.thing or one.shown == found[0].shown)]
    distances = [one for one in found if not one.shown.is_share]
    axis = f"{other} minus {first}"
    made = [
        estimate_chart(
            "differences",
            "Difference of scores",
            _rows(shares, titled=True),
            axis=axis,
            zero=f"← {first} better   {other} better →",
        )
    ]
    if distances:
        title, rows = f"Difference of {distances[0].shown.title}", _rows(distances, titled=False)
        zero = f"← {other} better   {first} better →"
        made.append(estimate_chart("distances", title, rows, axis=axis, zero=zero))
    return made


def _rows(found: Sequence[Difference], *, titled: bool) -> list[Estimate]:
    return [
        Estimate(
            _name(one, titled=titled), None if math.isnan(one.mean) else one.mean, one.interval, 1 if one.thing else 0
        )
        for one in found
    ]


def _name(one: Difference, *, titled: bool) -> str:
    thing = one.thing.replace("_", " ")
    title = one.shown.title.split(",")[0]
    if not thing:
        return title if titled else "mean"
    return f"{title}, {thing}" if titled else thing


def _difference_row(one: Difference) -> list[str | Cell]:
    digits = 3 if one.shown.is_share else 1
    if not one.cases:
        numbers = [_DASH, _DASH, _DASH]
    else:
        interval = "" if one.interval is None else f" [{one.interval[0]:+.{digits}f}, {one.interval[1]:+.{digits}f}]"
        numbers = [f"{one.first:.{digits}f}", f"{one.second:.{digits}f}", f"{one.mean:+.{digits}f}{interval}"]
    thing = one.thing.replace("_", " ") or ("all" if one.shown.title.startswith("contest") else "mean")
    verdict = Cell(one.verdict, _LOOKS.get(one.verdict, ""))
    return [
        one.shown.title,
        thing,
        verdict,
        *numbers,
        str(one.cases),
        f"{one.better} of {one.cases}",
        str(one.left_out),
    ]
