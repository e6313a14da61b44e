"""Handlers for MONAI's engines, each attached with `attach(engine)` as the bundles' configs name them."""

from monai_gi.handlers.checkpoints import AtomicCheckpointSaver
from monai_gi.handlers.curves import CurvesHandler
from monai_gi.handlers.images import ImagesHandler
from monai_gi.handlers.judge import JudgeHandler
from monai_gi.handlers.overlap import OrganOverlap
from monai_gi.handlers.progress import ProgressHandler
from monai_gi.handlers.resume import ResumeCheckpoint
from monai_gi.handlers.scan_writer import ScanWriter, unfinished
from monai_gi.handlers.seeding import EpochSeed
from monai_gi.handlers.settings import SettingsHandler
from monai_gi.handlers.slice_loss import SliceLoss

__all__ = [
    "AtomicCheckpointSaver",
    "CurvesHandler",
    "EpochSeed",
    "ImagesHandler",
    "JudgeHandler",
    "OrganOverlap",
    "ProgressHandler",
    "ResumeCheckpoint",
    "ScanWriter",
    "SettingsHandler",
    "SliceLoss",
    "unfinished",
]
