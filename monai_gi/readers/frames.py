"""Colour frames to contour: one picture, or the pictures that lie directly in a folder; their content decides."""

import hashlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from monai_gi.errors import DataError
from monai_gi.folders import natural_key
from monai_gi.pictures import picture_header
from monai_gi.readers.sources import plain_name

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff")
OTHER_PICTURES = (".bmp", ".gif", ".webp", ".jp2", ".heic")
"""Not read, so they are listed to be refused by name, not to be missed."""

GREY_MODES = ("1", "L", "LA", "I;16", "I;16B", "I")


@dataclass(frozen=True)
class Frame:
    """One picture to contour.

    Attributes:
        name: plain file name, unique in its input.
        path: of the picture.
    """

    name: str
    path: Path


def find_frames(path: str | Path) -> list[Frame]:
    """List pictures by their content, and by their names those that are broken, of another kind or lost links.

    Args:
        path: a picture, or a folder with pictures directly in it; names that begin with a dot are passed over.

    Returns:
        At least one, in natural order of the names.

    Raises:
        DataError: the folder holds no picture; the text names folders below it that do.
    """
    path = Path(path)
    if path.is_file():
        return [Frame(plain_name(path.stem), path)]
    files = sorted((file for file in path.iterdir() if _is_frame(file)), key=lambda file: natural_key(file.name))
    if not files:
        raise DataError(path, f"no picture lies directly in this folder; {_elsewhere(path)}")
    counts = Counter(plain_name(file.stem).casefold() for file in files)
    return [Frame(_name(file, alone=counts[plain_name(file.stem).casefold()] == 1), file) for file in files]


def _is_frame(file: Path) -> bool:
    is_lost = file.is_symlink() and not file.exists()
    if file.name.startswith(".") or not (file.is_file() or is_lost):
        return False
    return file.suffix.lower() in (*SUFFIXES, *OTHER_PICTURES) or _mode(file) is not None


def is_grey(file: Path) -> bool:
    """Whether a picture has no colours, as masks have none; False for what can not be read.

    Args:
        file: any.

    Returns:
        By the header alone.
    """
    return _mode(file) in GREY_MODES


def _mode(file: Path) -> str | None:
    """How a picture stores its colours; None for what is no picture that can be read."""
    try:
        return picture_header(file).mode
    except DataError:
        return None


def _elsewhere(folder: Path) -> str:
    """Where else pictures could be."""
    below = Counter(file.parent for file in sorted(folder.glob("*/**/*")) if file.suffix.lower() in SUFFIXES)
    if not below:
        return "PNG, JPEG or TIFF are wanted"
    listed = ", ".join(f"{count} in {place.relative_to(folder).as_posix()}" for place, count in below.most_common(5))
    return f"below it there are {listed}. Name one of these folders"


def _name(file: Path, *, alone: bool) -> str:
    """The stem; with a hash of the whole name where another file has the same stem."""
    name = plain_name(file.stem)
    return name if alone else f"{name}-{hashlib.sha256(file.name.encode()).hexdigest()[:8]}"
