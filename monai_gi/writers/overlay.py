"""Pictures as PNG files: `<scan>/<slice>.png` for its slices, and `<scan>.png` for the sheet that shows them together.

Pictures come drawn, uint8 RGB (h, w, 3) as `monai_gi.plots` gives them; they are to look at, not to measure in.
"""

import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from monai_gi.atomic_file import write_whole
from monai_gi.writers.scan_names import check_name

_FAST = 3


def write_overlays(
    folder: str | Path, scan_id: str, pictures: Mapping[str, np.ndarray], sheet: np.ndarray | None = None
) -> list[Path]:
    """Write the pictures of one scan.

    Args:
        folder: made where it is missing. Pictures of this scan that an earlier run left are replaced or removed.
        scan_id: names the folder of the slices, and the sheet.
        pictures: by slice id, uint8 (h, w, 3); none writes no folder.
        sheet: all of them together; None writes none.

    Returns:
        The files, the sheet last.

    Raises:
        ValueError: an id that can not name a file, or an array that is no picture.
    """
    folder = Path(folder)
    check_name(scan_id)
    files = [write_png(folder / scan_id / f"{check_name(name)}.png", picture) for name, picture in pictures.items()]
    for old in set((folder / scan_id).glob("*.png")) - set(files):
        old.unlink()
    return files if sheet is None else [*files, write_png(folder / f"{scan_id}.png", sheet)]


def write_png(path: str | Path, picture: np.ndarray) -> Path:
    """Write one picture.

    Args:
        path: the file; missing folders are made.
        picture: uint8 (h, w, 3).

    Returns:
        The path.

    Raises:
        ValueError: the array is no such picture.
    """
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
        raise ValueError(f"picture: {picture.dtype} of shape {picture.shape}, wanted uint8 (h, w, 3)")
    content = io.BytesIO()
    Image.fromarray(picture).save(content, format="PNG", compress_level=_FAST)
    return write_whole(path, content.getvalue())
