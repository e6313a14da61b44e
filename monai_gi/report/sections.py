"""The parts of the page about one run, from what is read in seconds to what is looked up."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from monai_gi.metrics.judged import MEASURES, Judged, Shown
from monai_gi.metrics.kinds import SLIDES, Kind
from monai_gi.metrics.overlap import EMPTY_RULE_TEXTS, EMPTY_RULES
from monai_gi.report.facts import sentence, training_facts, warnings_of
from monai_gi.report.failures import LOW_DICE, Failure, count_scored, find_failures, find_weakest
from monai_gi.report.numbers import DASH, infinite_text, measure_text, number_text, share_text
from monai_gi.report.page import (
    Cell,
    Section,
    bullets,
    charts,
    escape,
    facts,
    folded,
    paragraph,
    table,
    tiles,
)
from monai_gi.report.pictures import chosen_pictures, picture_html
from monai_gi.report.reading import Run
from monai_gi.score_charts import (
    box_charts,
    confusion_charts,
    contest_charts,
    distance_charts,
    empty_charts,
    empty_counts,
    learning_charts,
)

MOST_FAILURES = 12


def sections_of(run: Run, anchor: str = "") -> list[Section]:
    """Everything about one run.

    Args:
        run: what it left.
        anchor: before every anchor, so that several runs fit one page.

    Returns:
        Parts in the order of reading; those with nothing to say are left out.
    """
    makers: list[tuple[str, str, Callable[[Run], str]]] = [
        ("brief", "In brief", _brief),
        ("failures", "Failures first", lambda run: _with_scores(_failures)(run) + _worst_picture(run)),
        ("scores", "Scores", _with_scores(_scores)),
        ("distance", "Dice against distance", _with_scores(_distances)),
        ("empty", "Empty slices", _with_scores(_empty)),
        ("confusion", "Confusion", _with_scores(_confusion)),
        ("contest", "Contest score", _with_scores(_contest)),
        ("pictures", "", _other_pictures),
        ("learning", "Learning curves", _learning),
        ("trained", "What was trained on what", _trained),
        ("rules", "What each number counts", _with_scores(_rules)),
    ]
    titles = {"empty": f"Empty {run.judged.kind.unit}s" if run.judged else "", "pictures": _pictures_title(run)}
    made = [Section(anchor + name, titles.get(name, title), make(run)) for name, title, make in makers]
    return [section for section in made if section.body]


def _with_scores(make: Callable[[Judged], str]) -> Callable[[Run], str]:
    return lambda run: "" if run.judged is None else make(run.judged)


def _brief(run: Run) -> str:
    body = paragraph(sentence(run)) + bullets(warnings_of(run), "warnings")
    return body + (tiles(_tiles(run.judged)) if run.judged else "")


def _tiles(judged: Judged) -> list[tuple[str, str, str]]:
    shown = [_tile(judged, measure) for measure in MEASURES[judged.kind][:3]]
    contest = judged.summary.get("contest_score", {}).get("mle_bench")
    if contest:
        shown.append(_tile_of("contest score", contest, 2, "mle_bench"))
    return shown


def _tile(judged: Judged, shown: Shown) -> tuple[str, str, str]:
    every = "mean without background" if judged.kind is SLIDES else f"mean of {judged.kind.things}"
    things = every if len(judged.things) > 1 else judged.things[0].replace("_", " ")
    title, number, below = _tile_of(shown.title, judged.number(shown.name), 2 if shown.is_share else 1, things)
    infinite = "" if shown.is_share else infinite_text(judged, sign="infinite")
    return title, number, f"{below}; {infinite}: missed or invented" if infinite else below


def _tile_of(title: str, number: Mapping[str, Any], digits: int, below: str) -> tuple[str, str, str]:
    text, _, interval = share_text(number, digits).partition(" [")
    return f"{title}, {below}", text, f"95 %: {interval[:-1].replace(', ', ' to ')}" if interval else "no interval"


def _failures(judged: Judged) -> str:
    kind, failures, scored = judged.kind, find_failures(judged), count_scored(judged)
    where = f"pairs of {kind.whole} and {kind.thing}" if len(judged.things) > 1 else f"{kind.whole}s"
    rule = f"missed or invented altogether, or Dice under {LOW_DICE:g}"
    if not failures:
        told = paragraph(f"None of {scored} {where} failed ({rule}). The weakest:")
        return told + _failure_table(find_weakest(judged), judged)
    told = paragraph(f"{len(failures)} failed ({rule}); {scored} {where} have a Dice.")
    rest = failures[MOST_FAILURES:]
    more = folded(f"{len(rest)} more", _failure_table(rest, judged)) if rest else ""
    return told + _failure_table(failures[:MOST_FAILURES], judged) + more


def _failure_table(failures: Sequence[Failure], judged: Judged) -> str:
    kind = judged.kind
    head = [kind.whole, kind.thing, "what", *(["look at"] if kind.has_volume else []), "Dice"]
    head += [] if kind is SLIDES else [f"HD95, {kind.length}"]
    rows: list[list[str | Cell]] = [
        [
            one.where,
            one.thing.replace("_", " "),
            Cell(one.what, "bad" if one.what.startswith(("missed", "invented", "low Dice")) else ""),
            *([one.look_at] if kind.has_volume else []),
            number_text(one.dice, 2),
            *([] if kind is SLIDES else [number_text(one.distance, 1)]),
        ]
        for one in failures
    ]
    return table(head, rows, texts=4 if kind.has_volume else 3) if rows else ""


def _worst_picture(run: Run) -> str:
    """What failed is looked at beside the table; the other pictures come later."""
    if run.judged is not None and not run.pictures:
        return paragraph("No pictures were drawn.", "note")
    return "".join(picture_html(run, shown) for shown in chosen_pictures(run) if shown.place == "worst")


def _pictures_title(run: Run) -> str:
    return " and ".join(shown.place for shown in chosen_pictures(run) if shown.place != "worst").capitalize()


def _other_pictures(run: Run) -> str:
    return "".join(picture_html(run, shown) for shown in chosen_pictures(run) if shown.place != "worst")


def _scores(judged: Judged) -> str:
    kind, shown = judged.kind, MEASURES[judged.kind]
    group = f"{kind.group}s"
    text = (
        f"Dots: {group}, each the mean of its {kind.whole}s. Box: median and quartiles, from five {group} on. Diamond:"
        f" the mean over all {_counted_ones(kind)}, each of which counts the same; bar: its interval"
        f" ({judged.summary['interval']}). It is the mean of the table and of every other number here."
    )
    head = [kind.thing, *(measure.title for measure in shown)]
    rows = [[thing.replace("_", " "), *_row(judged, thing)] for thing in judged.things]
    rows.append(["mean without background" if kind is SLIDES else f"mean of {kind.things}", *_row(judged, None)])
    return (
        charts(box_charts(judged))
        + paragraph(text, "caption")
        + table(head, rows if len(judged.things) > 1 else rows[:-1])
    )


def _counted_ones(kind: Kind) -> str:
    return f"{kind.whole}s (of slices: over all slices)" if kind.has_volume else f"{kind.whole}s"


def _row(judged: Judged, thing: str | None) -> list[str]:
    return [measure_text(judged, measure, thing) for measure in MEASURES[judged.kind]]


def _distances(judged: Judged) -> str:
    kind = judged.kind
    dot = f"{kind.whole} and {kind.thing}" if len(judged.things) > 1 else kind.whole
    text = (
        f"A dot is a {dot}. Up and to the left is good; low Dice with a small distance is a small structure, high Dice"
        " with a large distance a far-off speck. ∞: one of the two masks is empty."
    )
    return charts(distance_charts(judged), paragraph(text))


def _empty(judged: Judged) -> str:
    if judged.kind is SLIDES:
        return ""
    unit, thing = judged.kind.unit, judged.kind.thing
    head = [thing, f"Dice, {unit}s with it", *(f"all {unit}s, {rule.replace('_', ' ')}" for rule in EMPTY_RULES)]
    names = [f"dice_{thing}_{unit}s", *(f"dice_all_{unit}s_{rule}" for rule in EMPTY_RULES)]
    rows = [
        [name.replace("_", " "), *(number_text(judged.of(name)[key]["mean"], 3) for key in names)]
        for name in judged.things
    ]
    counts = [empty_counts(judged, name) for name in judged.things]
    share = sum(one["without"] for one in counts) / max(1, sum(one["with"] + one["without"] for one in counts))
    if not share:
        told = f"No true mask, one a {unit} and {thing}, is empty: what two empty masks score decides nothing here."
        return charts(empty_charts(judged)) + paragraph(told)
    told = (
        f"{100 * share:.0f} % of all true masks, one a {unit} and {thing}, are empty: what two empty masks score"
        " decides a mean over all of them. The same predictions under each rule:"
    )
    return charts(empty_charts(judged)) + paragraph(told) + table(head, rows)


def _confusion(judged: Judged) -> str:
    text = (
        "Each row is a true class: how many percent of its pixels were called what, all slides together. The diagonal"
        " is right; a row that spreads is missed, a column that spreads is invented."
    )
    return charts(confusion_charts(judged), paragraph(text))


def _contest(judged: Judged) -> str:
    scores: Mapping[str, Any] = judged.summary.get("contest_score", {})
    if not scores:
        return ""
    rows = [
        [name, share_text(score, 3), number_text(score["dice"], 3), number_text(score["hausdorff"], 3)]
        for name, score in scores.items()
    ]
    if "pooled_macro_f1" in judged.summary:
        rows.append(
            ["pooled macro F1 (counts background)", share_text(judged.summary["pooled_macro_f1"], 3), DASH, DASH]
        )
    told = "The contest's scorer was never published; its re-implementations differ, so compare like with like."
    return paragraph(told) + charts(contest_charts(judged), table(["variant", "score", "Dice", "Hausdorff"], rows))


def _learning(run: Run) -> str:
    drawn = learning_charts(run.curves)
    if not drawn:
        return (
            paragraph("No curves: the run's tensorboard folder is not beside its scores.", "note")
            if run.settings
            else ""
        )
    text = (
        "Training scores come from augmented crops in training mode, validation scores from whole images: read their"
        " course, not their difference."
    )
    return charts(drawn) + paragraph(text, "caption")


def _trained(run: Run) -> str:
    known = training_facts(run)
    if not known:
        return ""
    settings = {key: str(value) for key, value in run.settings.get("settings", {}).items()}
    more = folded("All settings", facts(settings)) if settings else ""
    command = run.settings.get("command")
    shown = folded("Command", f"<p><code>{escape(command)}</code></p>") if command else ""
    return facts(known) + more + shown


def _rules(judged: Judged) -> str:
    thing = judged.things[-1]
    rules = {measure.title: judged.number(measure.name, thing)["rule"] for measure in MEASURES[judged.kind]}
    contest: Mapping[str, Any] = judged.summary.get("contest_score", {})
    rules |= {f"contest score, {name}": score["rule"] for name, score in contest.items()}
    if judged.kind is not SLIDES:
        rules |= {rule.replace("_", " "): text for rule, text in EMPTY_RULE_TEXTS.items()}
    rules["intervals"] = judged.summary["interval"]
    return folded("The rules in words", facts(rules))
