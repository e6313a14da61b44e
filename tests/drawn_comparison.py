"""Bundles to compare that nobody trains: empty configs, and a runner that writes what the programs would leave."""

import json
from pathlib import Path

from monai_gi.bundle_comparison import ComparisonRequest, parse_bundles
from monai_gi.bundle_comparison.rows import VARIANTS
from monai_gi.labels import ORGAN_NAMES

CONFIG = {
    "network_def": {"_target_": "Net", "width": 4},
    "batch_size": 2,
    "roi_size": [64, 96],
    "validate": {"inferer": {"_target_": "I"}},
}


def write_bundle(folder: Path, **changes: object) -> None:
    """train.json and evaluate.json have an id each that the other lacks; `changes` go into inference.json."""
    folder.mkdir(parents=True)
    (folder / "train.json").write_text(json.dumps({**CONFIG, "learning_rate": 0.1}))
    (folder / "evaluate.json").write_text(json.dumps({**CONFIG, "thresholds": 0.5}))
    (folder / "inference.json").write_text(json.dumps({**CONFIG, **changes}))


def request_for(tmp_path: Path, names: str, **changes: object) -> ComparisonRequest:
    """A request for bundles, `a b name=a`, that are written where they are missing."""
    (tmp_path / "data").mkdir(exist_ok=True)
    bundles = parse_bundles(",".join(names.split()))
    for folder in bundles.values():
        if not (tmp_path / "bundles" / folder).exists():
            write_bundle(tmp_path / "bundles" / folder)
    fields = {"budget": "2epochs", "output": tmp_path / "out", "source_dir": tmp_path / "bundles", **changes}
    return ComparisonRequest(bundles=bundles, dataset_dir=tmp_path / "data", **fields)


def words(step):
    """The settings on a step's command line."""
    return dict(word.removeprefix("--").split("=", 1) for word in step.command if word.startswith("--"))


def summary_of(score: float, *, interval: bool = True) -> dict:
    """As summary.json, numbers told apart: the k-th organ has Dice score + k / 100 and HD95 10 + k mm."""

    def numbers(dice: float, hd95: float | None) -> dict:
        return {"dice_organ_slices": {"mean": dice}, "hd95_mm_mean_of_finite": {"mean": hd95}}

    bounds = [score - 0.05, score + 0.05] if interval else None
    return {
        "cases": 2,
        "scans": 3,
        "organs": {
            name: {**numbers(score + k / 100, 10.0 + k), "hd95_infinite_scans": k} for k, name in enumerate(ORGAN_NAMES)
        },
        "mean_of_organs": numbers(score + 0.01, None),
        "contest_score": {
            variant: {"score": score + k / 1000, "interval_95": bounds} for k, variant in enumerate(VARIANTS)
        },
        "pooled_macro_f1": {"score": score + 0.2},
    }


class Runner:
    """Leaves the files of each step; notes the steps; fails where told."""

    def __init__(self, scores: dict[str, float], fails: dict[tuple[str, str], str] | None = None) -> None:
        self.scores, self.fails, self.ran = scores, fails or {}, []
        self.data, self.weights = "abc", "random"

    def __call__(self, step, tell):
        self.ran.append((step.bundle, step.name))
        tell("a line")
        if (step.bundle, step.name) in self.fails:
            return self.fails[step.bundle, step.name]
        folder = step.log.parent
        files = {
            "measuring": {"network_cost.json": self.network_cost(step.bundle)},
            "training": {"cost.json": self.cost(), "settings.json": self.settings()},
            "evaluating": {"evaluation/summary.json": summary_of(self.scores.get(step.bundle, 0.0))},
        }
        for name, content in files[step.name].items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(json.dumps(content))
        return None

    def network_cost(self, bundle: str) -> dict:
        return {"parameters": 2_500_000, "gflops": 3.0 + len(bundle), "s_per_slice": 0.02, "device": "cpu"}

    def cost(self) -> dict:
        seconds = {"seconds": 61.5, "seconds_of_steps": 60.0, "seconds_to_first_epoch": 7.25}
        return {
            **seconds,
            "slices": 240,
            "peak_memory_bytes": 1_500_000_000,
            "peak_gpu_bytes": 0,
            "epochs": 2,
            "steps": 9,
        }

    def settings(self) -> dict:
        return {"network": {"init_weights": self.weights}, "data": {"train": {"sha256": self.data}}}
