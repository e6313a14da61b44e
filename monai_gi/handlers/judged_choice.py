"""Which judged scans and frames are looked at: the worst, the median and the best by Dice."""

from collections.abc import Sequence

import numpy as np

from monai_gi.metrics import ScanScores
from monai_gi.metrics.measures import scan_overlap
from monai_gi.metrics.ranking import placed, ranked_by_dice


def choose_scans(scores: Sequence[ScanScores]) -> dict[str, str]:
    """Choose the scans to look at by their mean 3D Dice over the organs that truth or prediction hold.

    Args:
        scores: of all scans, in any order.

    Returns:
        Scan ids by `worst`, `median`, `best`; each scan once, so that two scans give worst and best, one gives worst.
        Scans without any organ in both masks are passed over.
    """
    return placed(_ranked(scores))


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
    dice = [
        (score.scan, float(one))
        for score in scores
        for one in scan_overlap(score, name="dice", both_empty=np.nan)[:, 0]
    ]
    return [scan for scan, _ in ranked_by_dice(dice)]
