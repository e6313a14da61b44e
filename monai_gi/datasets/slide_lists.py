"""Slides as items with folds and their table of colours, from a datalist or indexed now; the file: `datalist_files`."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from monai_gi.datasets.biopsy import index_slides
from monai_gi.datasets.datalist_files import DATALIST_NAME, keys_missing, read_datalist, with_joined_paths
from monai_gi.datasets.splits import assign_folds
from monai_gi.errors import DataError
from monai_gi.slides import ColorTable, parse_color_table, read_color_table

logger = logging.getLogger(__name__)

COLORS_NAME = "colors.yaml"
ITEM_KEYS = ("id", "group", "image", "label", "size", "mpp", "fold")
_REPAIR = "`monai-gi index biopsy DATASET_DIR --colors colors.yaml`"


def load_slides(
    dataset_dir: str | Path,
    datalist: str | Path | None = None,
    *,
    folds: int = 5,
    seed: int = 0,
    max_pixels: int | None = None,
) -> list[dict[str, Any]]:
    """Load slides with folds: from a datalist where there is one, else by indexing the folder now.

    Args:
        dataset_dir: the data set's folder.
        datalist: a file of `monai-gi index biopsy`; without it `<dataset_dir>/datalist.json` where present.
        folds: how many to deal out when indexing now; a datalist keeps its own. Fewer groups give fewer folds (logged).
        seed: of the dealing; a datalist keeps its own.
        max_pixels: budget of a picture that has to be decoded whole, when indexing now; None for the default.

    Returns:
        Items `{"id", "group", "image", "label", "size", "mpp", "fold"}`, paths joined with `dataset_dir`.

    Raises:
        DataError: the data set is missing (the text tells how to get it) or faulty; the datalist can not be read,
            lacks keys or names files that are gone.
    """
    root = Path(dataset_dir)
    path = _datalist_path(root, datalist)
    if path is None:
        items = index_slides(root, max_pixels=max_pixels)
        logger.info("Indexed %d slides in %s", len(items), root)
        return deal_slides(items, folds, seed)
    content = read_datalist(path, f"{_REPAIR[:-1]} --output FILE` writes a good one")
    named = keys_missing(content["training"], ITEM_KEYS)
    if named:
        raise DataError(path, f"{'; '.join(named)}. Write it again with {_REPAIR}")
    return with_joined_paths(path, content["training"], root, _REPAIR)


def color_table_of(dataset_dir: str | Path, datalist: str | Path | None = None) -> ColorTable:
    """Find the table of colours of a data set.

    Args:
        dataset_dir: the data set's folder.
        datalist: as for `load_slides`.

    Returns:
        The datalist's `colors`, or without a datalist `<dataset_dir>/colors.yaml`.

    Raises:
        DataError: there is none, or it is faulty.
    """
    root = Path(dataset_dir)
    path = _datalist_path(root, datalist)
    if path is None:
        return read_color_table(root / COLORS_NAME)
    content = read_datalist(path, f"{_REPAIR[:-1]} --output FILE` writes a good one")
    if "colors" not in content:
        raise DataError(path, f"no table of colours under `colors`. Write it again with {_REPAIR}")
    return parse_color_table(content["colors"], path)


def deal_slides(items: Sequence[dict[str, Any]], folds: int, seed: int) -> list[dict[str, Any]]:
    """Give each slide a fold; where there are fewer groups than folds, as many as there are groups (logged).

    Args:
        items: with `group`.
        folds: how many.
        seed: another seed deals anew.

    Returns:
        Copies of the items with `fold`; a single group is all in fold 0.
    """
    groups = len({item["group"] for item in items})
    if groups < folds:
        logger.warning("%d folds asked for, %d groups of slides found: dealing out %d", folds, groups, groups)
    if groups < 2:
        return [{**item, "fold": 0} for item in items]
    return assign_folds(items, min(folds, groups), seed)


def _datalist_path(root: Path, datalist: str | Path | None) -> Path | None:
    """The datalist that was asked for, or that stands in the folder; None where there is none."""
    if datalist is not None:
        return Path(datalist)
    path = root / DATALIST_NAME
    return path if path.is_file() else None
