"""The parts of the page about several runs: all in one table, then each against the first on the same cases."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from monai_gi.metrics.judged import MEASURES, Judged
from monai_gi.metrics.kinds import SLIDES, Kind
from monai_gi.plots.figures import Chart
from monai_gi.plots.figures_scores import Estimate, estimate_chart
from monai_gi.report.facts import data_hashes, judged_hash, weights_of
from monai_gi.report.numbers import DASH, interval_text, measure_text, share_text
from monai_gi.report.page import Cell, Section, bullets, charts, escape, folded, paragraph, table
from monai_gi.report.pairs import LEAST_CASES, Difference, Shared, paired_differences, shared
from monai_gi.report.reading import Run

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
        return [*row, Cell("not judged", "bad"), *[DASH] * (measures + has_contest)]
    judged = run.judged
    row.append(str(judged.summary[f"{judged.kind.group}s"]))
    row += [measure_text(judged, measure) for measure in MEASURES[judged.kind]]
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
    if len({judged_hash(run) for run in runs} - {""}) > 1:
        found.append(
            "The runs were judged on different data (their hashes differ): compare no numbers of this table, but the"
            " differences on what both judged."
        )
    judged = [run.judged for run in runs if run.judged]
    if _other_truths(judged):
        found.append(
            f"The same {judged[0].kind.whole}s were judged against different truths"
            f"{' or in another size' if judged[0].kind is SLIDES else ''}: nothing here tells the networks apart."
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


def _other_truths(judged: Sequence[Judged]) -> bool:
    """Whether a slice, frame or slide has more or fewer true pixels of a class in one run than in another."""
    sizes: dict[tuple, set[float]] = {}
    for one in judged:
        for row in one.units:
            if "truth_px" in row:
                sizes.setdefault((row.get("scan"), row["id"], row[one.kind.thing]), set()).add(row["truth_px"])
    return any(len(own) > 1 for own in sizes.values())


def _differences(runs: Sequence[Run]) -> str:
    first, *others = runs
    kind = next(run.judged.kind for run in runs if run.judged)
    parts = [
        paragraph(
            f"Each run minus {first.name}, on the {kind.whole}s that both judged: means over all of them, as in the"
            f" table above. The interval is a bootstrap over {kind.group}s. One that holds 0 leaves open which is"
            f" better; with fewer than {LEAST_CASES} {kind.group}s nothing is claimed. Many intervals are shown: of"
            f" runs that are equally good about one in twenty misses 0 by chance, with less than ten {kind.group}s"
            " about one in fifteen."
        )
    ]
    parts += [f"<h3>{escape(f'{other.name} minus {first.name}')}</h3>\n{_pair(first, other)}" for other in others]
    return "".join(parts)


def _pair(first: Run, other: Run) -> str:
    if first.judged is None or other.judged is None:
        return ""
    both = shared(first.judged, other.judged)
    told = _shared_text(both, first.judged.kind, first.name, other.name)
    if not both.wholes:
        return paragraph(f"{told} Nothing can be compared.")
    found = paired_differences(first.judged, other.judged)
    whole = [one for one in found if not one.thing or len(first.judged.things) == 1]
    rest = [one for one in found if one not in whole]
    return (
        paragraph(told)
        + charts(_pair_charts(found, first.name, other.name))
        + _difference_table(whole, first, other)
        + (folded(f"By {first.judged.kind.thing}", _difference_table(rest, first, other)) if rest else "")
        + paragraph(_failed_text(first.judged.kind), "note")
    )


def _shared_text(both: Shared, kind: Kind, first: str, other: str) -> str:
    groups = f" of {both.groups} {kind.group}s" if kind.group != kind.whole else ""
    told = f"{both.wholes} {kind.whole}s{groups} in both"
    if not (both.only_first or both.only_second):
        return f"{told}."
    return f"{told}; left out: {both.only_first} only in {first}, {both.only_second} only in {other}."


def _failed_text(kind: Kind) -> str:
    distances = "" if kind is SLIDES else "HD95 is smaller where better. "
    return (
        f"{distances}“Failed alone”: pairs of {kind.whole} and {kind.thing} without two numbers to compare, since that"
        f" run alone missed or invented the {kind.thing}. They are left out of the means, and no run is called better"
        " that has some."
    )


def _difference_table(found: Sequence[Difference], first: Run, other: Run) -> str:
    kind = next(run.judged.kind for run in (first, other) if run.judged)
    words = ["measure", kind.thing, "in words"]
    numbers = [first.name, other.name, "difference [95 %]", f"{kind.group}s", "better in"]
    failed = [f"{run.name} failed alone" for run in (first, other)]
    return table([*words, *numbers, *failed], [_difference_row(one) for one in found], texts=len(words))


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
    numbers = [DASH, DASH, DASH]
    if one.cases:
        step = f"{one.mean:+.{digits}f}{interval_text(one.interval, digits, sign='+')}"
        numbers = [f"{one.first:.{digits}f}", f"{one.second:.{digits}f}", step]
    thing = one.thing.replace("_", " ") or ("all" if one.shown.title.startswith("contest") else "mean")
    counts = [str(one.cases), f"{one.better} of {one.cases}", *map(str, one.failed)]
    return [one.shown.title, thing, Cell(one.verdict, _LOOKS.get(one.verdict, "")), *numbers, *counts]
