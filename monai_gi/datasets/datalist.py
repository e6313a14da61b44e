"""MONAI datalist JSON with folds: image paths relative to the data set's folder in the file, joined with it in memory.

Layout: https://docs.monai.io/en/stable/data.html#decathlon-datalist; each training item has `fold`.
"""

import json
import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from monai_gi.atomic_file import write_whole
from monai_gi.datasets.splits import assign_folds
from monai_gi.datasets.uw_madison import read_uw_madison, require_uw_madison
from monai_gi.datasets.uw_madison_report import index_report
from monai_gi.errors import DataError
from monai_gi.labels import ORGAN_NAMES, ORGANS

logger = logging.getLogger(__name__)

DATALIST_NAME = "datalist.json"
ITEM_KEYS = ("id", "group", "scan", "slice", "image", "label", "size", "spacing_mm", "fold")
UW_MADISON = {
    "name": "UW-Madison GI Tract",
    "description": "Slices of abdominal MR with run lengths by organ: 1-based, row-major, several organs a pixel",
    "reference": "https://doi.org/10.1016/j.dib.2024.111159",
    "modality": {"0": "MRI"},
}
_NAMED = 3


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


def write_datalist(
    path: str | Path,
    items: Sequence[dict[str, Any]],
    root: str | Path,
    *,
    left_out: Sequence[dict[str, Any]] = (),
    about: Mapping[str, Any] = UW_MADISON,
) -> None:
    """Write slice items as a MONAI datalist; the file is there whole or not at all.

    Args:
        path: the JSON file.
        items: slice items, with images below root.
        root: the data set's folder; paths are written relative to it, with forward slashes. An image outside it
            is a ValueError.
        left_out: {"scan", "slices", "source"} of each scan left out.
        about: `name`, `description`, `reference` and `modality` of the data set.
    """
    content = {
        **about,
        "labels": {"0": "background", **{str(organ.index): organ.name for organ in ORGANS}},
        "numTraining": len(items),
        "numTest": 0,
        "left_out": list(left_out),
        "training": [{**item, "image": _relative(item["image"], root)} for item in items],
        "test": [],
    }
    write_whole(path, json.dumps(content))


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
        raise DataError(datalist, "the datalist does not exist; `monai-gi index uw-madison DATASET_DIR` writes one")
    path = root / DATALIST_NAME if datalist is None else Path(datalist)
    if not root.is_dir() or not path.is_file():
        return _index_now(root, folds, seed)
    items = _read_training(path)
    _require_keys(path, items)
    images = [root / item["image"] for item in items]
    _require_images(path, images)
    return [{**item, "image": str(image)} for item, image in zip(items, images, strict=True)]


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


def _read_training(path: Path) -> list[dict[str, Any]]:
    repair = "`monai-gi index uw-madison DATASET_DIR --output FILE` writes a good one"
    try:
        content = json.loads(path.read_bytes())
    except ValueError as error:
        raise DataError(path, f"is no JSON ({error}); {repair}") from error
    items = content.get("training") if isinstance(content, dict) else None
    if not isinstance(items, list) or not items or not all(isinstance(item, dict) for item in items):
        raise DataError(path, f'no list of items under "training"; {repair}')
    return items


def _require_keys(path: Path, items: Sequence[dict[str, Any]]) -> None:
    wanted = set(ITEM_KEYS)
    short = [(position, wanted - item.keys()) for position, item in enumerate(items) if not wanted <= item.keys()]
    named = [f"training[{position}] lacks {', '.join(sorted(missing))}" for position, missing in short[:_NAMED]]
    named += [
        f"{item['id']} has labels {', '.join(item['label'])}, {', '.join(ORGAN_NAMES)} wanted"
        for item in items
        if wanted <= item.keys() and set(item["label"]) != set(ORGAN_NAMES)
    ][:_NAMED]
    if named:
        raise DataError(path, f"{'; '.join(named)}. Write it again with `monai-gi index uw-madison DATASET_DIR`")


def _require_images(path: Path, images: Sequence[Path]) -> None:
    # One listing a folder: asking for every file by itself is slow over a network.
    folders = {image.parent for image in images}
    present = {file for folder in folders if folder.is_dir() for file in folder.iterdir()}
    gone = [image for image in images if image not in present]
    if gone:
        named = ", ".join(map(str, gone[:_NAMED])) + (", ..." if len(gone) > _NAMED else "")
        repair = "Is the data set's folder right? If so, index it again: `monai-gi index uw-madison DATASET_DIR`"
        raise DataError(path, f"{len(gone)} of {len(images)} images are gone: {named}. {repair}")


def _require_fold(items: Iterable[dict[str, Any]], fold: int) -> None:
    folds = sorted({item["fold"] for item in items})
    if fold not in folds:
        raise DataError("fold", f"{fold} asked for; the data list has the folds {', '.join(map(str, folds))}")


def _relative(image: str, root: str | Path) -> str:
    relative = os.path.relpath(image, root)
    if relative.startswith(".."):
        raise ValueError(f"{image} lies outside {root}: the datalist names images relative to the data set's folder")
    return Path(relative).as_posix()
