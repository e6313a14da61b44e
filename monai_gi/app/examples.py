"""Drawn examples, one click away: phantoms with their truth, no patients; drawn when they are first asked for."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from monai_gi import __version__
from monai_gi.datasets.phantom.biopsy import write_biopsy
from monai_gi.datasets.phantom.cvc_clinicdb import write_cvc_clinicdb
from monai_gi.datasets.phantom.dicom import plan_dicom, write_drawn
from monai_gi.dicom.series import find_series
from monai_gi.provenance import Provenance
from monai_gi.readers.dicom import read_series
from monai_gi.writers.rtstruct import write_rtstruct

DRAWN = Provenance("drawn phantom", __version__, "0" * 64, __version__)
_SLICES = 24
_FRAMES = 4


class Drawn(NamedTuple):
    """Files of an example.

    Attributes:
        files: as if they were uploaded.
        truth: as if it were given.
        kind: "slices", "frames" or "slides".
    """

    files: tuple[Path, ...]
    truth: tuple[Path, ...]
    kind: str


class Example(NamedTuple):
    """One example.

    Attributes:
        name: of its button.
        title: on its button.
        kind: "slices", "frames" or "slides".
        draw: writes it into an empty folder.
    """

    name: str
    title: str
    kind: str
    draw: Callable[[Path], Drawn]


class Examples:
    """Examples in a folder of their own, shared by all sessions.

    Args:
        folder: empty or missing.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._drawn: dict[str, Drawn] = {}
        self._lock = threading.Lock()

    def get(self, name: str) -> Drawn:
        """The files of an example.

        Args:
            name: of one of EXAMPLES.

        Returns:
            Files that nobody may change.
        """
        with self._lock:
            if name not in self._drawn:
                example = next(one for one in EXAMPLES if one.name == name)
                self._drawn[name] = example.draw(self.folder / name)
            return self._drawn[name]


def _series(kind: str) -> Callable[[Path], Drawn]:
    def draw(folder: Path) -> Drawn:
        (drawn,) = plan_dicom(folder / "series", kinds=(kind,), patients=1, slices=_SLICES, seed=11)
        files = write_drawn(drawn)
        (series,) = find_series(drawn.folder)
        write_rtstruct(folder / "contours.dcm", read_series(series), drawn.masks, DRAWN)
        return Drawn(tuple(files), (folder / "contours.dcm",), "slices")

    return draw


def _frames(folder: Path) -> Drawn:
    write_cvc_clinicdb(folder, sequences=2, frames=_FRAMES // 2, seed=3, progress=False)
    images, masks = (folder / "PNG" / name for name in ("Original", "Ground Truth"))
    names = [f"{number}.png" for number in range(1, _FRAMES + 1)]
    return Drawn(tuple(images / name for name in names), tuple(masks / name for name in names), "frames")


def _slide(folder: Path) -> Drawn:
    write_biopsy(folder, slides=1, megapixels=1.5, seed=2, mpp=1.0, progress=False)
    return Drawn((folder / "images" / "slide_1.tif",), (folder / "masks" / "slide_1.png",), "slides")


EXAMPLES = (
    Example("axial", "Axial MR series", "slices", _series("axial")),
    Example("sagittal", "Sagittal MR series", "slices", _series("sagittal")),
    Example("frames", "Colonoscopy frames", "frames", _frames),
    Example("slide", "Kidney biopsy slide", "slides", _slide),
)
