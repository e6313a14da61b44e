"""The images of any datalist with what they belong to: a fold, or the part that no fold holds, and a group."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from monai_gi.datasets.datalist_files import read_datalist, require_files
from monai_gi.errors import DataError

PARTS = ("training", "validation", "test")
_WANTED, _REPAIR = "a MONAI datalist is wanted", "`monai-gi index`"


class ListedImage(NamedTuple):
    """One image of a datalist.

    Attributes:
        name: its id, or its file.
        group: the case, sequence or slide; empty where the list has none.
        part: "fold 0", or "validation" or "test" for images that no fold holds; empty where nothing is dealt out.
        path: of the image; the middle one of a stack.
    """

    name: str
    group: str
    part: str
    path: Path


class Listed(NamedTuple):
    """A datalist.

    Attributes:
        images: all of them, as they stand.
        are_slides: the list has a colour table, as lists of slides have.
        parts_are: "folds", or "groups" where the list has no folds yet.
    """

    images: tuple[ListedImage, ...]
    are_slides: bool
    parts_are: str

    def part_numbers(self) -> np.ndarray:
        """What must not share a near-duplicate, as a number an image (N,)."""
        key = "part" if self.parts_are == "folds" else "group"
        return np.unique([getattr(image, key) for image in self.images], return_inverse=True)[1]

    def split_groups(self) -> list[str]:
        """Groups that stand in several folds, in order of their names."""
        parts: dict[str, set[str]] = {}
        for image in self.images:
            parts.setdefault(image.group, set()).add(image.part)
        return sorted(group for group, found in parts.items() if group and len(found) > 1)


def list_images(datalist: Path, dataset_dir: Path) -> Listed:
    """Read a datalist.

    Args:
        datalist: MONAI datalist JSON.
        dataset_dir: that its images are relative to.

    Returns:
        Its images.

    Raises:
        DataError: it can not be read, an item names no image, images are gone, or there is nothing to keep apart.
    """
    content = read_datalist(datalist, f"{_WANTED}, as {_REPAIR} writes it")
    images = []
    for key in PARTS:
        items = content.get(key) or []
        if not isinstance(items, list):
            raise DataError(datalist, f'no list of items under "{key}"; {_WANTED}, as {_REPAIR} writes it')
        images += [_image(datalist, dataset_dir, key, position, item) for position, item in enumerate(items)]
    require_files(datalist, [image.path for image in images], _REPAIR)
    if len({image.part for image in images}) > 1:
        return Listed(tuple(images), "colors" in content, "folds")
    if len({image.group for image in images}) > 1:
        return Listed(tuple(images), "colors" in content, "groups")
    problem = "has neither several folds nor several groups, so that nothing can leak from one to another"
    raise DataError(datalist, f"{problem}. Deal its items into folds first, with {_REPAIR}")


def _image(datalist: Path, root: Path, key: str, position: int, item: Any) -> ListedImage:
    image = item.get("image") if isinstance(item, Mapping) else item
    if isinstance(image, list) and image:
        image = image[len(image) // 2]
    if not isinstance(image, str):
        raise DataError(datalist, f"{key}[{position}] names no image; a path under `image` is wanted")
    facts: Mapping[str, Any] = item if isinstance(item, Mapping) else {}
    part = f"fold {facts['fold']}" if "fold" in facts and key == "training" else "" if key == "training" else key
    return ListedImage(str(facts.get("id", image)), str(facts.get("group", "")), part, root / image)
