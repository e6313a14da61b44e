"""Images of a datalist for comparing and for showing: grey slices, colour frames, slides, volumes by their middle."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from monai_gi.errors import DataError, DataErrors
from monai_gi.near_duplicates import SIDE, Progress, thumbnail
from monai_gi.pictures import picture_header, read_rgb
from monai_gi.readers.pictures import read_picture
from monai_gi.readers.sources import file_kind
from monai_gi.readers.volumes import read_volume
from monai_gi.slices import read_slice

LONGEST_SHOWN = 256
SLIDE_PIXELS = 50_000_000
"""Pictures of more pixels are opened as slides, which gives a thumbnail without all of them in memory."""
_DEEP_MODES = ("I", "I;16", "I;16B")
_NAMED = 20
_THREADS = 4
_BRIGHT = 99.5


def read_image(path: Path, *, is_slide: bool = False) -> np.ndarray:
    """Read one image, large ones made smaller.

    Args:
        path: PNG, JPEG or TIFF, grey of 8 or 16 bits or colour; NIfTI, of which the middle slice is taken; any slide.
        is_slide: open it as a slide whatever it is.

    Returns:
        (H, W) grey, or (H, W, 3) uint8.

    Raises:
        DataError: it can not be read.
    """
    if is_slide:
        return _slide(path)
    if file_kind(path) == "nifti":
        voxels = read_volume(path, path.name).voxels
        return voxels[..., voxels.shape[2] // 2]
    header = picture_header(path)
    if header.size[0] * header.size[1] > SLIDE_PIXELS:
        return _slide(path)
    if header.mode not in _DEEP_MODES:
        return read_rgb(path)
    return read_slice(path) if header.format == "png" else read_picture(path, path.name).voxels[..., 0]


def read_thumbnails(paths: Sequence[Path], *, is_slide: bool = False, progress: Progress | None = None) -> np.ndarray:
    """Read thumbnails of many images, several at a time.

    Args:
        paths: of the images.
        is_slide: see `read_image`.
        progress: called with (images done, images in all).

    Returns:
        (N, 64, 64) float16.

    Raises:
        DataErrors: the images that can not be read, the first twenty by name.
    """
    thumbnails = np.zeros((len(paths), SIDE, SIDE), dtype=np.float16)
    faults: list[DataError] = []

    def read(position: int) -> None:
        try:
            thumbnails[position] = thumbnail(read_image(paths[position], is_slide=is_slide))
        except DataError as fault:
            faults.extend(fault.problems)

    pool = ThreadPoolExecutor(_THREADS)
    try:
        for done, _ in enumerate(pool.map(read, range(len(paths))), 1):
            if progress is not None:
                progress(done, len(paths))
    finally:
        pool.shutdown(cancel_futures=True)
    if faults:
        more = [DataError("further", f"{len(faults) - _NAMED} images")] if len(faults) > _NAMED else []
        raise DataErrors("images that can not be compared", [*faults[:_NAMED], *more])
    return thumbnails


def shown(image: np.ndarray) -> np.ndarray:
    """An image to look at, at most 256 pixels long.

    Args:
        image: of `read_image`.

    Returns:
        (h, w, 3) uint8.
    """
    if image.ndim == 2:
        low, high = np.percentile(image, (100 - _BRIGHT, _BRIGHT))
        grey = np.clip((image - low) / max(float(high - low), 1e-6), 0, 1)
        image = np.repeat((grey * 255).astype(np.uint8)[..., None], 3, axis=2)
    picture = Image.fromarray(image)
    scale = LONGEST_SHOWN / max(picture.size)
    size = round(picture.width * scale) or 1, round(picture.height * scale) or 1
    return np.asarray(picture.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0))


def _slide(path: Path) -> np.ndarray:
    from monai_gi.slides import open_slide

    with open_slide(path) as slide:
        return slide.thumbnail(longest=1024)
