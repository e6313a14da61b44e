"""What was trained on what, in words, and what a reader must know before any number: warnings come first."""

from collections.abc import Mapping
from typing import Any

from monai_gi.metrics.kinds import SCANS
from monai_gi.report.pairs import LEAST_CASES
from monai_gi.report.reading import Run
from monai_gi.score_charts import best_epoch

_HASH_LETTERS = 12
_MUCH_WORSE = 0.05
_UNKNOWN = "not known"


def sentence(run: Run) -> str:
    """Say in a sentence what was trained on what, and judged on what.

    Args:
        run: what is known.

    Returns:
        Plain text.
    """
    return " ".join(part for part in (_training(run), _judging(run)) if part)


def warnings_of(run: Run) -> list[str]:
    """What takes weight from the numbers of a run.

    Args:
        run: what is known.

    Returns:
        Sentences, the gravest first; empty where nothing is known.
    """
    return [*_about_data(run), *_about_scores(run), *_about_training(run)]


def training_facts(run: Run) -> dict[str, str]:
    """Everything about the training that decides its result, by name.

    Args:
        run: what is known.

    Returns:
        Plain text; empty where the training is not known.
    """
    if not run.settings:
        return {}
    settings, network = run.settings.get("settings", {}), run.settings.get("network") or {}
    versions = ", ".join(f"{name} {number}" for name, number in run.settings.get("versions", {}).items())
    known = {
        "bundle": settings.get("bundle"),
        "network": _network(network),
        "weights began as": network.get("init_weights"),
        "data set": settings.get("dataset_dir"),
        **{f"{side} data": _data(data, run) for side, data in run.settings.get("data", {}).items()},
        "fold": _fold(settings),
        "epochs": _epochs(run),
        "batch size, learning rate": _joined(settings, "batch_size", "learning_rate"),
        "seed": settings.get("seed"),
        "device": run.settings.get("device"),
        "cost": _cost(run.cost),
        "versions": versions,
    }
    return {name: str(value) for name, value in known.items() if value not in (None, "")}


def weights_of(run: Run) -> str:
    """Whether the weights began "pretrained" or "random"; "not known" without settings."""
    began = (run.settings.get("network") or {}).get("init_weights")
    if began is None:
        return _UNKNOWN
    return "random" if str(began).startswith("random") else "pretrained"


def data_hashes(run: Run) -> tuple[str, ...]:
    """Hashes of the training and validation data; empty where they are not known."""
    return tuple(str(data.get("sha256", "")) for data in run.settings.get("data", {}).values())


def judged_hash(run: Run) -> str:
    """Hash of the data that the run was judged on; empty where it is not known."""
    return str(run.judging.get("data", {}).get("validation", {}).get("sha256", ""))


def _training(run: Run) -> str:
    settings, network = run.settings.get("settings", {}), run.settings.get("network") or {}
    if not settings:
        return "Nothing is known about the training: no settings.json beside the evaluation."
    data = _counted(run.settings.get("data", {}).get("train", {}), run)
    epochs = run.cost.get("epochs") or max((max(c) for c in run.curves.get("train", {}).values()), default=None)
    length = f" for {epochs} epoch{'s' if epochs != 1 else ''}" if epochs else ""
    return (
        f"{_network(network)} from {_began(run)}, trained{length} on {data} of {settings.get('dataset_dir')}"
        f" ({_fold(settings)})."
    )


def _began(run: Run) -> str:
    kind = weights_of(run)
    if kind == "pretrained":
        return f"pretrained weights ({run.settings['network']['init_weights']})"
    return "random weights" if kind == "random" else "weights of unknown origin"


def _judging(run: Run) -> str:
    if run.judged is None:
        return "Not judged yet: run evaluating with the bundle's evaluate.json, then report again."
    kind, summary = run.judged.kind, run.judged.summary
    names = dict.fromkeys(f"{name}s" for name in (kind.group, kind.whole, kind.unit))
    counted = ", ".join(f"{summary[name]} {name[:-1] if summary[name] == 1 else name}" for name in names)
    return f"Judged on {counted}."


def _about_data(run: Run) -> list[str]:
    kept = run.settings.get("data", {}).get("validation", {}).get("sha256")
    if kept is None or judged_hash(run) in ("", kept):
        return []
    return [
        "Judged on other data than the training kept aside (their hashes differ). If cases of the training are among"
        " them, every score here flatters."
    ]


def _about_scores(run: Run) -> list[str]:
    if run.judged is None:
        return ["There are no scores yet."]
    judged, kind = run.judged, run.judged.kind
    groups = int(judged.summary[f"{kind.group}s"])
    found = []
    if groups < LEAST_CASES:
        found.append(
            f"Only {groups} {kind.group}{'s' if groups > 1 else ''}: intervals over so few are too narrow or missing."
        )
    without = judged.summary.get(f"{kind.whole}s_without_truth", 0) if kind is SCANS else 0
    if without:
        found.append(f"{without} of {judged.summary['scans']} scans hold no organ in the truth at all.")
    return found


def _about_training(run: Run) -> list[str]:
    train, validation = (run.curves.get(side, {}).get("dice/mean", {}) for side in ("train", "validation"))
    found = []
    best = best_epoch(run.curves)
    if validation and len(validation) > 1 and best == max(validation):
        found.append("The best epoch is the last one: a longer training may do better.")
    return [*found, *_by_heart(train, validation, best)]


def _by_heart(train: Mapping[int, float], validation: Mapping[int, float], best: int | None) -> list[str]:
    """From the course of each curve since the best epoch: their difference tells nothing, as crops are another task."""
    if best is None or best not in train or best not in validation:
        return []
    (rose, gained), (fell, lost) = ((curve[best], curve[max(curve)]) for curve in (train, validation))
    if gained <= rose or fell - lost <= _MUCH_WORSE:
        return []
    return [
        f"Since the best epoch ({best}) the mean Dice fell from {fell:.2f} to {lost:.2f} in validation and rose from"
        f" {rose:.2f} to {gained:.2f} in training: the network learns its cases by heart. The best epoch's weights are"
        " kept."
    ]


def _network(network: Mapping[str, Any]) -> str:
    parameters = network.get("parameters")
    size = f" ({parameters / 1e6:.2g} M parameters)" if parameters else ""
    return f"{network.get('name', 'A network')}{size}"


def _data(data: Mapping[str, Any], run: Run) -> str:
    return f"{_counted(data, run)}, hash {str(data.get('sha256'))[:_HASH_LETTERS]}"


def _counted(data: Mapping[str, Any], run: Run) -> str:
    """How much data, in the words of what was judged."""
    group, unit = (run.judged.kind.group, run.judged.kind.unit) if run.judged else ("case", "image")
    counts = ((data.get("cases", "?"), group), (data.get("slices", "?"), unit))
    groups, units = (f"{count} {noun}{'' if count == 1 else 's'}" for count, noun in counts)
    return f"{groups} ({units})"


def _fold(settings: Mapping[str, Any]) -> str:
    return f"fold {settings.get('fold', '?')} of {settings.get('folds', '?')} kept aside"


def _epochs(run: Run) -> str:
    done, wanted = run.cost.get("epochs"), run.settings.get("settings", {}).get("max_epochs")
    best = best_epoch(run.curves)
    parts = [f"{done} of {wanted}" if done else f"at most {wanted}", f"best {best}" if best else ""]
    return ", ".join(part for part in parts if part)


def _joined(settings: Mapping[str, Any], *names: str) -> str:
    return ", ".join(str(settings[name]) for name in names if name in settings)


def _cost(cost: Mapping[str, Any]) -> str:
    if not cost.get("seconds"):
        return ""
    memory = cost.get("peak_gpu_bytes") or cost.get("peak_memory_bytes")
    return f"{duration(cost['seconds'])}" + (f", {memory / 1e9:.1f} GB at the peak" if memory else "")


def duration(seconds: float) -> str:
    """Write a time as people say it.

    >>> duration(754), duration(8000), duration(42)
    ('13 min', '2 h 13 min', '42 s')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
