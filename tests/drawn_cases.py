"""Cases of the app drawn by hand: a scan of three slices, and a desk that answers without a browser."""

from types import SimpleNamespace

import numpy as np

from monai_gi.app.desk import Desk
from monai_gi.app.engines import open_engine
from monai_gi.app.examples import Examples
from monai_gi.app.request import AppRequest
from monai_gi.app.scans import ScanCase
from monai_gi.app.sessions import Sessions
from monai_gi.app.uploads import Wanted
from monai_gi.scan import Scan
from tests.drawn_nifti_files import write_volume

SIZE = (4, 6, 3)
SPACING_MM = (2.0, 1.5, 4.0)
VOXEL_ML = 0.012


def quiet(text, share=None):
    """A report that nobody reads."""


def draw_scan(kind="nifti", slice_numbers=(0, 1, 2)):
    """Grey values 0 to 71; rows to posterior, columns to the left, slices to the feet."""
    affine = np.eye(4)
    affine[:3, :3] = [[0, -SPACING_MM[1], 0], [-SPACING_MM[0], 0, 0], [0, 0, -SPACING_MM[2]]]
    voxels = np.arange(np.prod(SIZE), dtype=np.uint16).reshape(SIZE)
    names = tuple(f"slice_{number + 1:04d}" for number in slice_numbers)
    return Scan("scan", voxels, affine, np.array(slice_numbers), names, kind, ())


def scan_file(folder, name="Doe_Jane.nii.gz"):
    """The scan in a file."""
    return write_volume(folder / name, draw_scan().voxels, draw_scan().affine)


def draw_masks():
    """(3, H, W, D): five voxels of large bowel on slice 0, two of stomach on slices 1 and 2 each, no small bowel."""
    masks = np.zeros((3, *SIZE), dtype=bool)
    masks[0, 1, :5, 0] = True
    masks[2, 2:4, 3, 1:] = True
    return masks


def draw_case(**changes):
    """A scan in which the network found `draw_masks`."""
    return ScanCase(draw_scan(), **{"found": draw_masks(), **changes})


def asker(name="page", user=None):
    """What Gradio says about who asks."""
    return SimpleNamespace(username=user, session_hash=name)


def open_desk(folder, **settings):
    """A desk as the app makes it."""
    request = AppRequest(device="cpu", **settings)
    opened = open_engine(request)
    wanted = Wanted(max_bytes=request.max_upload_bytes, max_pixels=request.max_pixels)
    if opened is not None:
        wanted = Wanted(
            opened.engine.kind, opened.all_classes, opened.modality, request.max_upload_bytes, request.max_pixels
        )
    return Desk(opened, Sessions(folder / "sessions"), Examples(folder / "examples"), wanted)


def uploaded(folder, *sources):
    """Files where Gradio puts uploads: each in a folder named after its content."""
    placed = []
    for number, source in enumerate(sources):
        place = folder / "uploads" / f"{number}{source.name}"
        place.mkdir(parents=True, exist_ok=True)
        (place / source.name).write_bytes(source.read_bytes())
        placed.append(str(place / source.name))
    return placed


def after(updates):
    """All updates of one answer, the last of each part."""
    joined = {}
    for update in updates:
        joined |= update
    return joined
