"""Grey PNG and TIFF as scans: the slices of a Kaggle `scans` folder, or one picture; arrays (row, column, slice).

No picture says how the patient lies: all are taken as UW-Madison stores its slices, rows to posterior, columns to the
patient's left, slices to the feet. TIFF tags: https://www.loc.gov/preservation/digital/formats/content/tiff_tags.shtml
"""

import logging
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from PIL import Image

from monai_gi.errors import DataError
from monai_gi.scan import Scan
from monai_gi.slices import GREY_MODES, parse_slice_name, pixel_spacing_mm, read_slice, read_slices, slice_affine

logger = logging.getLogger(__name__)

SLICE_SPACING_MM = 3.0
"""Distance of two slices of UW-Madison, which the names do not carry (Lee et al., Data in Brief 57, 111159, 2024)."""

PNG_START = b"\x89PNG\r\n\x1a\n"
TIFF_STARTS = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")
_PHOTOMETRIC, _X_RESOLUTION, _Y_RESOLUTION, _UNIT = 262, 282, 283, 296
_WHITE_IS_ZERO = 0
_UNIT_MM = {2: 25.4, 3: 10.0}
_INCH = 2
_UNKNOWN_MM = (1.0, 1.0)


def read_scan_slices(files: Sequence[Path], name: str, *, allow_gaps: bool = False) -> Scan:
    """Read slices that are named like those of UW-Madison.

    Args:
        files: the slices of one scan, at least one, in any order.
        name: of the scan, such as `case1_day0`.
        allow_gaps: slices may be missing.

    Returns:
        The scan, 3 mm between neighbouring slice numbers, origin at the first slice; slices are named as the ids of
        train.csv, `case1_day0_slice_0001`.

    Raises:
        DataError: a file is faulty, sizes or spacings differ, a slice is there twice, or missing without `allow_gaps`.
    """
    named = [(parse_slice_name(path.name), path) for path in files]
    numbered = sorted((parsed.number, path) for parsed, path in named if parsed)
    numbers, paths = np.array([number for number, _ in numbered]), tuple(path for _, path in numbered)
    _check_numbers(name, numbers, allow_gaps)
    spacing_mm = _checked_mm(paths[0], pixel_spacing_mm(paths))
    voxels = np.stack(read_slices(paths), axis=-1)
    return Scan(
        name,
        voxels.astype(np.uint16, copy=False),
        slice_affine((*spacing_mm, SLICE_SPACING_MM)),
        numbers - numbers[0],
        tuple(f"{name}_slice_{number:04d}" for number in numbers.tolist()),
        "uw-madison",
        paths,
    )


def read_picture(path: Path, name: str) -> Scan:
    """Read one grey picture as a scan of one slice.

    Args:
        path: PNG or TIFF of 8 or 16 bits, one page.
        name: of the scan and of its slice.

    Returns:
        The scan; its spacing is that of the file name where it is one of UW-Madison, or of the TIFF's resolution
        tags; 1 mm where neither is there (logged).

    Raises:
        DataError: the file is damaged, has colours, an alpha channel, another depth, or several pages.
    """
    with path.open("rb") as file:
        is_png = file.read(len(PNG_START)) == PNG_START
    pixels, spacing_mm = (_read_png(path), _checked_mm(path, pixel_spacing_mm([path]))) if is_png else _read_tiff(path)
    if spacing_mm == _UNKNOWN_MM and parse_slice_name(path.name) is None:
        logger.warning("%s: no pixel spacing in the picture, 1 mm taken; lengths and volumes hang on it", name)
    affine = slice_affine((*spacing_mm, SLICE_SPACING_MM))
    return Scan(name, pixels.astype(np.uint16)[..., None], affine, np.arange(1), (name,), "picture", (path,))


def picture_size(path: Path) -> tuple[int, int]:
    """(H, W) by the header alone.

    Args:
        path: PNG or TIFF.

    Returns:
        Pixels.

    Raises:
        DataError: the header can not be read.
    """
    try:
        with Image.open(path, formats=("PNG", "TIFF")) as image:
            return image.height, image.width
    except (OSError, SyntaxError, ValueError) as error:
        raise DataError(path, f"can not be read as a picture ({error}); copy it again from its source") from error


def _check_numbers(name: str, numbers: np.ndarray, allow_gaps: bool) -> None:
    for number, following in pairwise(numbers.tolist()):
        if number == following:
            raise DataError(name, f"slice {number} is there twice; remove the wrong one")
    missing = int(numbers[-1] - numbers[0] + 1 - len(numbers))
    if missing and not allow_gaps:
        gaps = [f"{low + 1} to {high - 1}" for low, high in pairwise(numbers.tolist()) if high - low > 1]
        named = ", ".join(gaps[:5]) + (", ..." if len(gaps) > 5 else "")
        problem = f"{missing} slices are missing between {numbers[0]} and {numbers[-1]}: {named}"
        raise DataError(name, f"{problem}. Copy them again, or take the scan as it is with --allow-gaps")


def _checked_mm(path: Path, spacing_mm: tuple[float, float]) -> tuple[float, float]:
    if min(spacing_mm) <= 0:
        raise DataError(path, "pixel spacing of 0 mm in its name; millimetres are wanted")
    return spacing_mm


def _read_png(path: Path) -> np.ndarray:
    try:
        return read_slice(path)
    except DataError as fault:
        if fault.problem.startswith("PNG of mode"):
            raise DataError(path, f"{fault.problem}. Colour is no scan: export the scan itself in grey") from fault
        raise


def _read_tiff(path: Path) -> tuple[np.ndarray, tuple[float, float]]:
    """Pixels (H, W), larger is brighter, and spacing (row, column)."""
    try:
        with Image.open(path, formats=("TIFF",)) as image:
            pages, tags = getattr(image, "n_frames", 1), dict(image.tag_v2)  # type: ignore[attr-defined]
            if pages != 1:
                raise DataError(path, f"TIFF of {pages} pages, wanted one. Take one out, or give the scan as NIfTI")
            if image.mode not in GREY_MODES:
                problem = f"TIFF of mode {image.mode}, wanted one grey channel of 16 or 8 bits"
                raise DataError(path, f"{problem}. Colour is no scan: export the scan itself in grey")
            pixels = np.asarray(image).astype(GREY_MODES[image.mode], copy=False)
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise DataError(path, f"can not be read as a TIFF ({error}); copy it again from its source") from error
    if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO and pixels.dtype == np.uint16:
        pixels = ~pixels  # Pillow turns 8 bits by itself, but not 16
    return pixels, _tagged_spacing_mm(tags)


def _tagged_spacing_mm(tags: dict) -> tuple[float, float]:
    """(row, column) of the resolution tags, pixels per inch or centimetre; 1 mm where they say nothing."""
    unit_mm = _UNIT_MM.get(tags.get(_UNIT, _INCH))
    per_unit = [float(tags.get(tag) or 0) for tag in (_Y_RESOLUTION, _X_RESOLUTION)]
    if unit_mm is None or not all(np.isfinite(per_unit)) or min(per_unit) <= 0:
        return _UNKNOWN_MM
    return unit_mm / per_unit[0], unit_mm / per_unit[1]
