"""Views of pictures: colour frames with their masks, masks by themselves, slides in small with their label maps.

The label of a picture is the file of the same stem in the folder of masks beside its own: `Original/7.png` and
`Ground Truth/7.png`, `images/slide_1.tif` and `masks/slide_1.png`. A `colors.yaml` above both names the colours; a map
of colours without it stands beside its picture.
"""

import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from monai_gi.errors import DataError
from monai_gi.labels import POLYP_NAMES
from monai_gi.pictures import GREY_TOLERANCE, picture_header, read_mask, read_rgb
from monai_gi.showing.planes import Plane, colors_of, draw_plane
from monai_gi.showing.views import MOST, Tile, View
from monai_gi.slides import open_label, open_slide, read_color_table
from monai_gi.slides.color_table import ColorTable

IMAGE_FOLDERS = ("original", "originals", "images")
MASK_FOLDERS = ("ground truth", "ground_truth", "groundtruth", "masks")
COLORS = "colors.yaml"
SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff")
FRAME_PIXELS = 16_000_000
"""Larger pictures are read as slides, in small."""
_FEW = 32


class Pictured(NamedTuple):
    """A picture and its label.

    Attributes:
        name: for the caption.
        image: the file.
        label: a mask or label map; None for none.
        table: colours of a label map; None for a black and white mask.
    """

    name: str
    image: Path
    label: Path | None = None
    table: ColorTable | None = None


def pictures_view(title: str, pictures: Sequence[Pictured], *, word: str = "picture") -> View:
    """Pictures with what is labelled on them.

    Args:
        title: as in `View`.
        pictures: at least one; twelve of them are read.
        word: as in `View`.

    Returns:
        The view; pictures are numbered as their names end, or from 1 where the names do not tell them apart so.
    """
    classes = _classes(pictures)
    colors = colors_of(classes)
    numbers = _numbers([one.name for one in pictures])
    tiles = [
        Tile(number, _caption(number, one.name, len(pictures)), partial(_draw, one, colors))
        for number, one in zip(numbers, pictures, strict=True)
    ]
    count = f": {len(pictures)} {word}s" if 1 < len(pictures) <= MOST else ""
    return View(f"{title}{count}", tuple(tiles), classes, word)


def picture_of(path: Path) -> Pictured:
    """A picture with the label that lies where data sets keep it.

    Args:
        path: the file.

    Returns:
        Image and label; the file alone where there is none.
    """
    root = path.absolute().parent.parent
    folder = _folder(root, MASK_FOLDERS) if path.absolute().parent.name.lower() in IMAGE_FOLDERS else None
    labels = sorted(folder.glob(f"{_plain(path.stem)}.*")) if folder else []
    label = next((file for file in labels if file.suffix.lower() in SUFFIXES), None)
    table = _table(root)
    return Pictured(path.stem, path, label, table if label else None)


def paired_pictures(root: Path) -> list[Pictured]:
    """The pictures of a data set with folders of images and masks.

    Args:
        root: the folder above both, or above a folder `PNG` or `TIF` that holds both.

    Returns:
        In natural order; none where there are no such folders.
    """
    for base in (_folder(root, ("png",)), root, _folder(root, ("tif", "tiff"))):
        images, masks = (_folder(base, names) if base else None for names in (IMAGE_FOLDERS, MASK_FOLDERS))
        if images and masks:
            files = [file for file in images.iterdir() if file.is_file() and not file.name.startswith(".")]
            return [picture_of(file) for file in sorted(files, key=lambda file: (len(file.stem), file.stem))]
    return []


def is_large(path: Path) -> bool:
    """Whether a picture is to be read as a slide.

    Args:
        path: a file of any kind.

    Returns:
        True for what is larger than a frame, or no PNG, JPEG or TIFF that a frame can be read from.
    """
    try:
        height, width = picture_header(path).size
    except DataError:
        return True
    return height * width > FRAME_PIXELS


def _numbers(names: Sequence[str]) -> list[int]:
    digits = [re.search(r"[0-9]*$", name) for name in names]
    found = [int(match[0]) for match in digits if match and match[0]]
    return found if len(set(found)) == len(names) else list(range(1, len(names) + 1))


def _caption(number: int, name: str, count: int) -> str:
    """The name, and the number where it does not say it."""
    return name if count == 1 or re.search(rf"(^|[^0-9])0*{number}$", name) else f"{number}: {name}"


def _classes(pictures: Sequence[Pictured]) -> tuple[str, ...]:
    tables = [one.table for one in pictures if one.table is not None]
    if tables:
        return tuple(tables[0].class_names[1:])
    labels = [one.label for one in pictures if one.label is not None]
    return () if not labels or _is_colored(labels[0]) else (_mask_name(labels[0]),)


def _draw(one: Pictured, colors: dict[str, tuple[int, int, int]], longest: int) -> np.ndarray:
    if one.table is not None and one.label is not None:
        return draw_plane(_slide_plane(one, one.label, one.table, longest), colors, longest)
    if is_large(one.image):
        with open_slide(one.image) as slide:
            return draw_plane(Plane(slide.thumbnail(longest)), colors, longest)
    if one.label is not None and _is_colored(one.label):
        both = np.concatenate([_pixels(one.image), _pixels(one.label)], axis=1)
        return draw_plane(Plane(both), colors, longest)
    masks = {} if one.label is None else {_mask_name(one.label): read_mask(one.label)}
    return draw_plane(Plane(_pixels(one.image), masks), colors, longest)


def _is_colored(label: Path) -> bool:
    """Whether a label is a map of colours that nobody has named, to be shown as it is."""
    pixels = read_rgb(label)
    return bool((pixels.max(axis=2) - pixels.min(axis=2) > GREY_TOLERANCE).any())


def _mask_name(label: Path) -> str:
    """CVC-ClinicDB and its kin call the folder of their polyps ground truth."""
    return POLYP_NAMES[0] if "truth" in label.parent.name.lower() else "mask"


def _slide_plane(one: Pictured, label: Path, table: ColorTable, longest: int) -> Plane:
    """A slide in small with its label map: one tint a class."""
    with open_slide(one.image) as slide:
        small = slide.thumbnail(longest)
    labels = open_label(label, table)
    level = max(0, (max(labels.size) // max(small.shape[:2])).bit_length() - 1)
    height, width = labels.level_size(level)
    values = Image.fromarray(labels.read(level, 0, 0, height, width))
    labels.close()
    fitted = np.asarray(values.resize((small.shape[1], small.shape[0]), Image.Resampling.NEAREST))
    masks = {name: fitted == index for index, name in enumerate(table.class_names) if index}
    return Plane(small, masks, fill=True)


def _pixels(path: Path) -> np.ndarray:
    """uint8 RGB; an image of a few small whole numbers is a label map, and gets their colours."""
    pixels = read_rgb(path)
    highest = int(pixels.max())
    if not 0 < highest < _FEW or not (pixels[..., :1] == pixels).all():
        return pixels
    colors = np.array([(0, 0, 0), *colors_of([f"class {value}" for value in range(1, highest + 1)]).values()], np.uint8)
    return colors[pixels[..., 0]]


def _folder(root: Path, names: Sequence[str]) -> Path | None:
    found = {path.name.lower(): path for path in sorted(root.iterdir()) if path.is_dir()} if root.is_dir() else {}
    return next((found[name] for name in names if name in found), None)


def _table(root: Path) -> ColorTable | None:
    path = root / COLORS
    return read_color_table(path) if path.is_file() else None


def _plain(stem: str) -> str:
    """A stem that a glob takes as it stands."""
    return "".join(f"[{sign}]" if sign in "*?[" else sign for sign in stem)
