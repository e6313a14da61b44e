"""Judging: Dice, IoU, surface distances in mm, the contest score in named variants, intervals over cases.

Masks are NumPy bool arrays (C, H, W, D), channel c is ORGANS[c], or (C, H, W) of frames; nothing here imports
torch. Start at `score_scan` or `score_frame`.
"""

from monai_gi.metrics.bootstrap import CaseBootstrap, CaseRatio, Interval
from monai_gi.metrics.comparison import Comparison, compare_masks
from monai_gi.metrics.contest import VARIANT_RULES, first_place_hausdorff, unit_cube_hausdorff
from monai_gi.metrics.kinds import FRAMES, SCANS, Kind
from monai_gi.metrics.macro_f1 import MACRO_F1_RULE, confusion, macro_f1
from monai_gi.metrics.measures import contest_score
from monai_gi.metrics.overlap import EMPTY_RULES, dice, dice_from_counts, iou, iou_from_counts
from monai_gi.metrics.path_length import added_path_length
from monai_gi.metrics.report import scores_table
from monai_gi.metrics.scores import DEFAULT_TOLERANCE_MM, ScanScores, score_frame, score_scan
from monai_gi.metrics.summary import summarise
from monai_gi.metrics.surface import SurfaceScores, surface_scores
from monai_gi.metrics.tables import write_scores

__all__ = [
    "DEFAULT_TOLERANCE_MM",
    "EMPTY_RULES",
    "FRAMES",
    "MACRO_F1_RULE",
    "SCANS",
    "VARIANT_RULES",
    "CaseBootstrap",
    "CaseRatio",
    "Comparison",
    "Interval",
    "Kind",
    "ScanScores",
    "SurfaceScores",
    "added_path_length",
    "compare_masks",
    "confusion",
    "contest_score",
    "dice",
    "dice_from_counts",
    "first_place_hausdorff",
    "iou",
    "iou_from_counts",
    "macro_f1",
    "score_frame",
    "score_scan",
    "scores_table",
    "summarise",
    "surface_scores",
    "unit_cube_hausdorff",
    "write_scores",
]
