"""Slides with label maps as pairs of files: `images/NAME.*` and `masks/NAME.*`, of any format each; sizes are (H, W).

A folder below `images` stands for a slide that was cut into pieces: `images/case7/tile_3.png` belongs to group `case7`
and has its label map in `masks/case7/`. Without such a folder each image is its own group.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tqdm import tqdm

from monai_gi.errors import DataError, DataErrors
from monai_gi.folders import files_below
from monai_gi.pictures import DEFAULT_MAX_PIXELS
from monai_gi.slides import SUFFIXES, Slide, open_slide, slide_files
from monai_gi.slides.labels import open_label_store
from monai_gi.slides.opening import Handle

IMAGES, MASKS = "images", "masks"
_NAMED = 3
_HOW_TO_GET_IT = (
    "Give the folder that holds `images` and `masks`. Or draw a phantom: `monai-gi phantom biopsy DIR`,"
    " and give `--dataset_dir DIR`"
)


class Pair(NamedTuple):
    """An image and its label map.

    Attributes:
        id: the image's path below `images` without its ending, folders joined with `_`.
        group: its folder below `images`, or the id.
        image: the file.
        label: the file.
    """

    id: str
    group: str
    image: Path
    label: Path


def index_slides(root: str | Path, *, max_pixels: int | None = None, progress: bool = True) -> list[dict[str, Any]]:
    """List the slides of a data set with their label maps; names and headers are read, never pixels.

    Args:
        root: folder that holds `images` and `masks`.
        max_pixels: budget of a picture that has to be decoded whole; None for the default.
        progress: show a bar.

    Returns:
        Items `{"id", "group", "image", "label", "size": [H, W], "mpp": [row, column] or None}` with paths of image and
        label map, sorted by id.

    Raises:
        DataError: the folders are missing, or hold no images.
        DataErrors: every image without label map and label map without image, every doubled name, damaged file and
            size that disagrees.
    """
    root = Path(root)
    faults: list[DataError] = []
    pairs = _pairs(root, faults)
    budget = DEFAULT_MAX_PIXELS if max_pixels is None else max_pixels
    bar = tqdm(pairs, desc="reading headers", unit="slide", disable=None if progress else True)
    items = [_item_or_fault(pair, budget, faults) for pair in bar]
    if faults:
        raise DataErrors(root, faults)
    return [item for item in items if item]


def _pairs(root: Path, faults: list[DataError]) -> list[Pair]:
    images, masks = (_by_name(root, name, faults) for name in (IMAGES, MASKS))
    if not images and not faults:
        raise DataError(root / IMAGES, f"holds no images; wanted one of {', '.join(sorted(SUFFIXES))}")
    for one, other, files in ((images, masks, MASKS), (masks, images, IMAGES)):
        alone = sorted(one.keys() - other.keys())
        if alone:
            named = ", ".join(str(one[name]) for name in alone[:_NAMED]) + (", ..." if len(alone) > _NAMED else "")
            problem = f"{len(alone)} of {len(one)} files have no partner of the same name: {named}"
            faults.append(DataError(root / files, f"{problem}. Add it, or move them away"))
    pairs: dict[str, Pair] = {}
    for name in sorted(images.keys() & masks.keys()):
        group = name.parts[0] if len(name.parts) > 1 else name.name
        pair = Pair("_".join(name.parts), group, images[name], masks[name])
        first = pairs.setdefault(pair.id, pair)
        if first is not pair:
            problem = f"would get the id {pair.id}, as {first.image} does; wanted one each"
            faults.append(DataError(pair.image, f"{problem}. Rename one of them, and its label map"))
    return list(pairs.values())


def _by_name(root: Path, name: str, faults: list[DataError]) -> dict[Path, Path]:
    """Files by their path below the folder, without ending."""
    folder = next((path for path in _listed(root) if path.name.lower() == name and path.is_dir()), None)
    if folder is None:
        raise DataError(root, f"no folder `{name}` there. {_HOW_TO_GET_IT}")
    found: dict[Path, Path] = {}
    for path in slide_files(files_below(folder)):
        key = path.relative_to(folder).with_suffix("")
        if key in found:
            faults.append(DataError(path, f"has the name of {found[key].name}; wanted one file a name. Move one away"))
        found[key] = path
    return found


def _listed(root: Path) -> Sequence[Path]:
    try:
        return sorted(root.iterdir())
    except OSError as error:
        raise DataError(root, f"can not be opened ({error.strerror}). {_HOW_TO_GET_IT}") from error


def _item_or_fault(pair: Pair, max_pixels: int, faults: list[DataError]) -> dict[str, Any]:
    try:
        return _item(pair, max_pixels)
    except DataError as fault:
        faults += fault.problems
        return {}


def _item(pair: Pair, max_pixels: int) -> dict[str, Any]:
    with open_slide(pair.image, max_pixels=max_pixels) as slide:
        _require_one_size(pair, slide, max_pixels)
        return {
            "id": pair.id,
            "group": pair.group,
            "image": str(pair.image),
            "label": str(pair.label),
            "size": list(slide.size),
            "mpp": None if slide.mpp is None else list(slide.mpp),
        }


def _require_one_size(pair: Pair, slide: Slide, max_pixels: int) -> None:
    label = Handle(pair.label, open_label_store, max_pixels)
    size = label.store.levels[0].size
    label.close()
    if size != slide.size:
        problem = f"{size[1]} x {size[0]} (W x H), {pair.image.name} has {slide.size[1]} x {slide.size[0]}"
        repair = "Width and height are swapped" if size == slide.size[::-1] else "Export it at full resolution"
        raise DataError(pair.label, f"{problem}; wanted one size. {repair}")
