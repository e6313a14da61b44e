"""Slices as items with folds, from a datalist or indexed now; folds of any items; slices joined to scans.

Each training item has `fold`; the file itself: `datalist_files`.
"""

import logging
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from monai_gi.datasets.datalist_files import (
    DATALIST_NAME,
    NAMED,
    keys_missing,
    read_datalist,
    with_joined_paths,
    write_datalist,
)
from monai_gi.datasets.splits import assign_folds
from monai_gi.datasets.uw_madison import read_uw_madison, require_uw_madison
from monai_gi.datasets.uw_madison_report import index_report
from monai_gi.errors import DataError
from monai_gi.labels import ORGAN_NAMES

logger = logging.getLogger(__name__)

ITEM_KEYS = ("id", "group", "scan", "slice", "image", "label", "size", "spacing_mm", "fold")
_REPAIR = "`monai-gi index uw-madison DATASET_DIR`"


def write_index(
    root: str | Path, output: str | Path, *, folds: int = 5, seed: int = 0, keep_known_bad: bool = False
) -> str:
    """Index a data set, deal out the folds and write the datalist: `monai-gi index uw-madison`.

    Args:
        root: folder that holds train.csv and train/.
        output: the JSON file to write.
        folds: how many, 2 or more.
        seed: another seed deals the cases out anew.
        keep_known_bad: keep the scans whose contours are known to be wrong.

    Returns:
        The table to print.
    """
    items, left_out = read_uw_madison(root, keep_known_bad=keep_known_bad)
    items = assign_folds(items, folds, seed)
    write_datalist(output, items, root, left_out=left_out)
    return index_report(items, left_out)


def load_datalist(
    dataset_dir: str | Path,
    datalist: str | Path | None = None,
    *,
    folds: int = 5,
    seed: int = 0,
    slice_spacing_mm: float | None = None,
) -> list[dict[str, Any]]:
    """Load slice items with folds: from a datalist where there is one, else by indexing the folder now.

    Args:
        dataset_dir: the data set's folder.
        datalist: a file of `write_datalist`; without it `<dataset_dir>/datalist.json` where present.
        folds: how many to deal out when indexing now; a datalist keeps its own. Fewer cases give fewer folds (logged).
        seed: of the dealing; a datalist keeps its own.
        slice_spacing_mm: distance of neighbouring slices where it is not the one in the items, as in drawn short scans.

    Returns:
        Slice items with `fold`, image paths joined with `dataset_dir`.

    Raises:
        DataError: the data set is missing (the text tells how to get it), or the datalist can not be read, lacks keys
            or names images that are gone.
        ValueError: `slice_spacing_mm` is not above 0.
    """
    items = _load(Path(dataset_dir), datalist, folds, seed)
    if slice_spacing_mm is None:
        return items
    if slice_spacing_mm <= 0:
        raise ValueError(f"slice_spacing_mm: {slice_spacing_mm}, wanted a distance above 0, or null")
    return [{**item, "spacing_mm": [*item["spacing_mm"][:2], slice_spacing_mm]} for item in items]


def _load(root: Path, datalist: str | Path | None, folds: int, seed: int) -> list[dict[str, Any]]:
    if datalist is not None and not Path(datalist).is_file():
        raise DataError(datalist, f"the datalist does not exist; {_REPAIR} writes one")
    path = root / DATALIST_NAME if datalist is None else Path(datalist)
    if not root.is_dir() or not path.is_file():
        return _index_now(root, folds, seed)
    items = read_datalist(path, f"{_REPAIR[:-1]} --output FILE` writes a good one")["training"]
    _require_keys(path, items)
    return with_joined_paths(path, items, root, _REPAIR)


def training_items(items: Sequence[dict[str, Any]], fold: int) -> list[dict[str, Any]]:
    """Take the items outside one fold.

    Args:
        items: with `fold`.
        fold: the one to validate on.

    Returns:
        The others, in order.

    Raises:
        DataError: there is no such fold, or nothing outside it.
    """
    _require_fold(items, fold)
    chosen = [item for item in items if item["fold"] != fold]
    if not chosen:
        raise DataError("fold", f"every item is in fold {fold}, none is left to train on; more than one case is wanted")
    return chosen


def validation_items(items: Sequence[dict[str, Any]], fold: int) -> list[dict[str, Any]]:
    """Take the items of one fold.

    Args:
        items: with `fold`.
        fold: the one to validate on.

    Returns:
        Its items, in order.
    """
    _require_fold(items, fold)
    return [item for item in items if item["fold"] == fold]


def scan_items(items: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Join slice items to whole scans.

    Args:
        items: slice items, in any order; each scan with labels on all of its slices, or on none.

    Returns:
        Scan items in order of first appearance, slices ascending: `{"id", "group", "image": [paths],
        "label": [run lengths by organ, per slice], "slices", "slice_ids", "size", "spacing_mm"}`. A scan whose slices
        disagree in size or spacing, or of which only some have labels, is a DataError.
    """
    order = {item["scan"]: position for position, item in reversed(list(enumerate(items)))}
    ordered = sorted(items, key=lambda item: (order[item["scan"]], item["slice"]))
    return [_join(scan, list(slices)) for scan, slices in groupby(ordered, key=lambda item: item["scan"])]


def _join(scan: str, slices: list[dict[str, Any]]) -> dict[str, Any]:
    first = slices[0]
    for key in ("size", "spacing_mm"):
        if any(item[key] != first[key] for item in slices):
            raise DataError(scan, f"slices disagree in {key}; one for the whole scan is wanted. Index the data again")
    labels = [item["label"] for item in slices if "label" in item]
    if len(labels) not in (0, len(slices)):
        raise DataError(scan, f"{len(labels)} of {len(slices)} slices have a label; all or none is wanted")
    return {
        "id": scan,
        "group": first["group"],
        "image": [item["image"] for item in slices],
        **({"label": labels} if labels else {}),
        "slices": [item["slice"] for item in slices],
        "slice_ids": [item["id"] for item in slices],
        "size": first["size"],
        "spacing_mm": first["spacing_mm"],
    }


def _index_now(root: Path, folds: int, seed: int) -> list[dict[str, Any]]:
    require_uw_madison(root)
    items, left_out = read_uw_madison(root)
    for bad in left_out:
        logger.warning("Left out %s (%d slices): %s", bad["scan"], bad["slices"], bad["source"])
    cases = len({item["group"] for item in items})
    logger.info("Indexed %d slices of %d cases in %s", len(items), cases, root)
    if cases < folds:
        logger.warning("%d folds asked for, %d cases found: dealing out %d folds", folds, cases, cases)
    if cases < 2:
        return [{**item, "fold": 0} for item in items]
    return assign_folds(items, min(folds, cases), seed)


def _require_keys(path: Path, items: Sequence[dict[str, Any]]) -> None:
    named = keys_missing(items, ITEM_KEYS)
    named += [
        f"{item['id']} has labels {', '.join(item['label'])}, {', '.join(ORGAN_NAMES)} wanted"
        for item in items
        if item.keys() >= set(ITEM_KEYS) and set(item["label"]) != set(ORGAN_NAMES)
    ][:NAMED]
    if named:
        raise DataError(path, f"{'; '.join(named)}. Write it again with {_REPAIR}")


def _require_fold(items: Iterable[dict[str, Any]], fold: int) -> None:
    folds = sorted({item["fold"] for item in items})
    if not folds:
        raise DataError("fold", f"{fold} asked for, of no items at all; wanted a part of the data list that has some")
    if fold not in folds:
        raise DataError("fold", f"{fold} asked for; the data list has the folds {', '.join(map(str, folds))}")
