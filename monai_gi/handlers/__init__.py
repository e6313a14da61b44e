"""Handlers for MONAI's engines, each attached with `attach(engine)` as the bundles' configs name them."""

from monai_gi.handlers.checkpoints import AtomicCheckpointSaver
from monai_gi.handlers.class_overlap import ClassOverlap
from monai_gi.handlers.clock import RunClock, TimeBudget
from monai_gi.handlers.cost import CostHandler
from monai_gi.handlers.curves import CurvesHandler
from monai_gi.handlers.figures import FiguresHandler
from monai_gi.handlers.frame_images import FrameImagesHandler
from monai_gi.handlers.frame_writer import FrameWriter, index_frames
from monai_gi.handlers.images import ImagesHandler
from monai_gi.handlers.judge import JudgeHandler
from monai_gi.handlers.overlap import OrganOverlap, key_overlap
from monai_gi.handlers.parts import unfinished
from monai_gi.handlers.patch_images import PatchImagesHandler
from monai_gi.handlers.progress import ProgressHandler
from monai_gi.handlers.resume import ResumeCheckpoint
from monai_gi.handlers.scan_writer import ScanWriter
from monai_gi.handlers.seeding import EpochSeed
from monai_gi.handlers.settings import SettingsHandler
from monai_gi.handlers.slice_loss import SliceLoss
from monai_gi.handlers.slide_figures import SlideFiguresHandler

__all__ = [
    "AtomicCheckpointSaver",
    "ClassOverlap",
    "CostHandler",
    "CurvesHandler",
    "EpochSeed",
    "FiguresHandler",
    "FrameImagesHandler",
    "FrameWriter",
    "ImagesHandler",
    "JudgeHandler",
    "OrganOverlap",
    "PatchImagesHandler",
    "ProgressHandler",
    "ResumeCheckpoint",
    "RunClock",
    "ScanWriter",
    "SettingsHandler",
    "SliceLoss",
    "SlideFiguresHandler",
    "TimeBudget",
    "index_frames",
    "key_overlap",
    "unfinished",
]
