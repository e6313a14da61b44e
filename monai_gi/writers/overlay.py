"""Pictures as PNG files: `<scan>/<slice>.png` for its slices, and `<scan>.png` for the sheet that shows them together.

Pictures come drawn, uint8 RGB (h, w, 3) as `monai_gi.plots` gives them; they are to look at, not to measure in.
"""

import struct
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from isal import isal_zlib

from monai_gi.atomic_file import write_whole
from monai_gi.writers.scan_names import check_name

_THREADS = 2
_FAST = 1
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_HEADER = struct.Struct(">IIBBBBB")
_RGB_8 = (8, 2, 0, 0, 0)  # bits, colour type, and the only methods of compression, filtering and interlacing
_UP = 2


def write_overlays(
    folder: str | Path, scan_id: str, pictures: Mapping[str, np.ndarray], sheet: np.ndarray | None = None
) -> list[Path]:
    """Write the pictures of one scan.

    Args:
        folder: made where it is missing. Pictures of this scan that an earlier run left are replaced or removed.
        scan_id: names the folder of the slices, and the sheet.
        pictures: by slice id, uint8 (h, w, 3); none writes no folder. They are asked for one by one and from several
            threads, so a mapping that draws them then draws side by side and never holds them all.
        sheet: all of them together; None writes none.

    Returns:
        The files, the sheet last.

    Raises:
        ValueError: an id that can not name a file, or an array that is no picture.
    """
    folder = Path(folder)
    check_name(scan_id)
    paths = {name: folder / scan_id / f"{check_name(name)}.png" for name in pictures}
    with ThreadPoolExecutor(_THREADS) as pool:
        files = list(pool.map(lambda name: write_png(paths[name], pictures[name]), pictures))
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
    return write_whole(path, _encode(picture))


def _encode(picture: np.ndarray) -> bytes:
    """The picture as PNG, many times as fast as Pillow at its fastest filter choice, and threads do not wait for it.

    Each row is stored as its difference to the row above, which suits enlarged slices. ISA-L deflates as small as zlib
    at this level in a quarter of the time.
    Source: https://www.w3.org/TR/png-3/
    """
    height, width = picture.shape[:2]
    rows = np.empty((height, 1 + 3 * width), dtype=np.uint8)
    flat = picture.reshape(height, 3 * width)
    rows[:, 0] = _UP
    rows[:1, 1:] = flat[:1]
    np.subtract(flat[1:], flat[:-1], out=rows[1:, 1:])
    header = _HEADER.pack(width, height, *_RGB_8)
    chunks = ((b"IHDR", header), (b"IDAT", isal_zlib.compress(rows.data, _FAST)), (b"IEND", b""))
    return _SIGNATURE + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", isal_zlib.crc32(kind + data))
        for kind, data in chunks
    )
