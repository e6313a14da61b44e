"""The scores of a scan or frame as an evaluator gave it: what JudgeHandler writes and FiguresHandler draws."""

from collections.abc import Sequence

from monai_gi.handlers.scans import Scan
from monai_gi.metrics import ScanScores, score_frame, score_scan


def scores_of(scan: Scan, tolerance: float, classes: Sequence[str]) -> ScanScores:
    """Score one scan, or frame.

    Args:
        scan: with truth.
        tolerance: of surface Dice, mm of a scan, pixels of a frame.
        classes: names of the masks' channels.

    Returns:
        Its scores.

    Raises:
        ValueError: there is no truth, or masks do not fit.
    """
    truth = scan.truth
    if truth is None:
        raise ValueError(f"{scan.id}: the evaluator's output has no label; decode it in the preprocessing")
    if scan.is_frame:
        masks = (scan.pred[..., 0], truth[..., 0])
        return score_frame(scan.id, scan.group, *masks, tolerance_px=tolerance, classes=classes)
    return score_scan(
        scan.id,
        scan.group,
        scan.pred,
        truth,
        spacing_mm=scan.spacing_mm,
        slice_ids=scan.slice_ids,
        tolerance_mm=tolerance,
        classes=classes,
    )
