"""Which judged scans and frames are looked at: the worst, the median and the best by Dice."""

from collections.abc import Sequence

import numpy as np

from monai_gi.metrics import ScanScores
from monai_gi.metrics.overlap import dice_from_counts


def choose_scans(scores: Sequence[ScanScores]) -> dict[str, str]:
    """Choose the scans to look at by their mean 3D Dice over the organs that truth or prediction hold.

    Args:
        scores: of all scans, in any order.

    Returns:
        Scan ids by `worst`, `median`, `best`; each scan once, so that two scans give worst and best, one gives worst.
        Scans without any organ in both masks are passed over.
    """
    ids = _ranked(scores)
    positions = {"worst": 0, "best": len(ids) - 1, "median": (len(ids) - 1) // 2}
    chosen: dict[str, str] = {}
    for place, position in positions.items():
        if ids and ids[position] not in chosen.values():
            chosen[place] = ids[position]
    return chosen


def choose_frames(scores: Sequence[ScanScores], count: int) -> dict[str, list[str]]:
    """Choose the frames to look at by their mean Dice over the classes that truth or prediction hold.

    Args:
        scores: of all frames, in any order.
        count: frames in each place at most, 1 or more; fewer where there are less than three times as many.

    Returns:
        Frame ids by `worst`, `median`, `best`, ascending by Dice, each frame once; places without a frame are left
        out. Frames without any class in both masks are passed over.
    """
    ids = _ranked(scores)
    count = min(count, -(-len(ids) // 3))
    worst, rest, best = ids[:count], ids[count : len(ids) - count], ids[max(count, len(ids) - count) :]
    start = max(0, (len(rest) - count) // 2)
    chosen = {"worst": worst, "best": best, "median": rest[start : start + count]}
    return {place: frames for place, frames in chosen.items() if frames}


def _ranked(scores: Sequence[ScanScores]) -> list[str]:
    """Ids by mean Dice, ascending; those that have none left out."""
    means = [(_mean_dice(score), score.scan) for score in scores]
    return [scan for _, scan in sorted(one for one in means if not np.isnan(one[0]))]


def _mean_dice(score: ScanScores) -> float:
    """Mean over classes of the Dice of all slices together; NaN where truth and prediction are empty."""
    counts = (score.overlap_px.sum(axis=1), score.pred_px.sum(axis=1), score.truth_px.sum(axis=1))
    dice = dice_from_counts(*counts, both_empty=np.nan)
    return float(np.nanmean(dice)) if np.isfinite(dice).any() else float("nan")
