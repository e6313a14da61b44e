"""A case of any kind with the truth that somebody gave."""

from collections.abc import Sequence
from pathlib import Path

from monai_gi.app.cases import Case
from monai_gi.app.frames import FramesCase
from monai_gi.app.jobs import Report
from monai_gi.app.scans import ScanCase
from monai_gi.app.slides import SlideCase
from monai_gi.app.truth import read_scan_truth
from monai_gi.app.uploads import FRAMES_MAX_PIXELS, Wanted
from monai_gi.pictures import DEFAULT_MAX_PIXELS


def with_truth(case: Case, paths: Sequence[Path], wanted: Wanted, report: Report) -> Case:
    """A case with the truth that stands in files.

    Args:
        case: of any kind.
        paths: files of the truth; none takes it away.
        wanted: how large they may be.
        report: is told how far it is.

    Returns:
        A new case.

    Raises:
        DataError: the files do not suit the case.
        ValueError: a case of an unknown kind.
    """
    if isinstance(case, ScanCase):
        return case.with_truth(read_scan_truth(paths, case.scan) if paths else None, report)
    if isinstance(case, FramesCase):
        return case.with_truth(paths, wanted.max_pixels or FRAMES_MAX_PIXELS)
    if isinstance(case, SlideCase):
        return case.with_truth(paths[0] if paths else None, wanted.max_pixels or DEFAULT_MAX_PIXELS, report)
    raise ValueError(f"case: {type(case).__name__}, wanted a scan, frames or a slide")
