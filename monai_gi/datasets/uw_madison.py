"""UW-Madison GI Tract in the Kaggle layout: slices with run lengths by organ, (H, W), spacings (row, column, slice).

Source: https://www.kaggle.com/competitions/uw-madison-gi-tract-image-segmentation
Gaps in the slice numbers stop nothing: single slices are in use; the report names them (`uw_madison_report`).
"""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from monai_gi.datasets.known_bad import KNOWN_BAD_SCANS
from monai_gi.datasets.scan_folders import SliceImage, group_of, list_scan_folders, read_scan
from monai_gi.datasets.uw_madison_table import find_table_faults, labels_by_id, read_table
from monai_gi.errors import DataError, DataErrors
from monai_gi.folders import natural_key

SLICE_SPACING_MM = 3.0
"""Distance of two slices; the names do not carry it (Lee et al., Data in Brief 57, 111159, 2024)."""

_HOW_TO_GET_IT = (
    "Get it from Kaggle: `kaggle competitions download -c uw-madison-gi-tract-image-segmentation`, and unzip it. "
    "Or draw a phantom: `monai-gi phantom uw-madison DIR`, and give `--dataset_dir DIR`."
)


class UwMadisonIndex(NamedTuple):
    """What an index found.

    Attributes:
        items: slice items, sorted by case, day and slice.
        left_out: {"scan", "slices", "source"} of each published bad scan that is in the folder but not in `items`.
    """

    items: list[dict[str, Any]]
    left_out: list[dict[str, Any]]


def index_uw_madison(root: str | Path, *, keep_known_bad: bool = False) -> list[dict[str, Any]]:
    """List the slices of a data set with their run lengths; names, headers and train.csv are read, never pixels.

    Args:
        root: folder that holds train.csv and train/.
        keep_known_bad: keep the scans whose contours are known to be wrong (`known_bad.KNOWN_BAD_SCANS`).

    Returns:
        Items `{"id", "group", "scan", "slice", "image", "label": {organ: run lengths}, "size": [H, W],
        "spacing_mm": [row, column, slice]}`, sorted by case, day and slice.
    """
    return read_uw_madison(root, keep_known_bad=keep_known_bad).items


def read_uw_madison(root: str | Path, *, keep_known_bad: bool = False) -> UwMadisonIndex:
    """Index a data set and tell what was left out; `require_uw_madison` comes first.

    Args:
        root: folder that holds train.csv and train/.
        keep_known_bad: keep the scans whose contours are known to be wrong; faults stop them all the same.

    Returns:
        The items, and the published bad scans left out.

    Raises:
        DataError: no slice is left.
        DataErrors: every fault of names, headers, sizes, rows and run lengths at once.
    """
    require_uw_madison(root)
    images, faults = _read_images(Path(root, "train"))
    csv = Path(root, "train.csv")
    table = read_table(csv)
    faults += find_table_faults(csv, table, {image.id: image.size for image in images})
    if faults:
        raise DataErrors(root, faults)
    labels = labels_by_id(table)
    bad = {} if keep_known_bad else KNOWN_BAD_SCANS
    items = [_slice_item(image, labels[image.id]) for image in images if image.scan not in bad]
    counts = Counter(image.scan for image in images if image.scan in bad)
    if not items:
        bad_only = f"all {len(counts)} scans are published as bad" if counts else "train/ holds no scans"
        raise DataError(root, f"no slices to index: {bad_only}; at least one good scan is wanted")
    return UwMadisonIndex(items, [{"scan": scan, "slices": counts[scan], "source": bad[scan]} for scan in counts])


def index_scans(folder: str | Path) -> list[dict[str, Any]]:
    """List the scans of a `test/` folder, of one `scans` folder, or of any folder above such.

    Args:
        folder: where to look, at any depth.

    Returns:
        Scan items without labels `{"id", "group", "image": [paths], "slices", "slice_ids", "size": [H, W],
        "spacing_mm"}`, sorted by case and day. A folder that is not called caseN_dayD is its own group.

    Raises:
        DataError: the folder is missing or holds no slices.
        DataErrors: every fault of names, headers and sizes at once.
    """
    if not Path(folder).is_dir():
        raise DataError(folder, "folder is missing; a test/ folder, or any folder of scans, is wanted")
    found = [read_scan(scan, path) for scan, path in _find_scans(folder)]
    if not found:
        raise DataError(
            folder, "no scans here; caseN/caseN_dayD/scans/slice_NNNN_W_H_sx_sy.png is wanted, at any depth"
        )
    faults = [fault for _, scan_faults in found for fault in scan_faults]
    names = Counter(images[0].scan for images, _ in found if images)
    doubled = {scan: count for scan, count in names.items() if count > 1}
    repair = "rename or remove all but one"
    faults += [DataError(folder, f"{count} folders are called {scan}; {repair}") for scan, count in doubled.items()]
    if faults:
        raise DataErrors(folder, faults)
    return [_scan_item(images) for images, _ in found]


def require_uw_madison(root: str | Path) -> None:
    """Check that a folder looks like the data set.

    Args:
        root: folder that should hold train.csv and train/.

    Raises:
        DataError: it does not; the text names the folder, Kaggle's command and the phantom's.
    """
    root = Path(root)
    if not root.is_dir():
        raise DataError(root, f"no UW-Madison data set: the folder does not exist. {_HOW_TO_GET_IT}")
    missing = [name for name in ("train.csv", "train") if not (root / name).exists()]
    if not missing:
        return
    nested = [path.parent for path in sorted(root.glob("*/train.csv"))]
    deeper = f"train.csv lies in {nested[0]}: give `--dataset_dir {nested[0]}`. " if len(nested) == 1 else ""
    found = f"no UW-Madison data set: {' and '.join(missing)} not found here, train.csv and train/ wanted"
    raise DataError(root, f"{found}. {deeper}{_HOW_TO_GET_IT}")


def _read_images(train: Path) -> tuple[list[SliceImage], list[DataError]]:
    folders, faults = list_scan_folders(train)
    images: list[SliceImage] = []
    for scan, folder in folders:
        scan_images, scan_faults = read_scan(scan, folder)
        images += scan_images
        faults += scan_faults
    return images, faults


def _find_scans(folder: str | Path) -> list[tuple[str, Path]]:
    found = []
    for path, folders, files in os.walk(os.path.normpath(Path(folder).absolute()), followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".")]
        here = Path(path)
        if here.name == "scans" or any(name.startswith("slice_") and name.endswith(".png") for name in files):
            found.append((here.parent.name if here.name == "scans" else here.name, here))
    return sorted(found, key=lambda scan: natural_key(scan[0]))


def _slice_item(image: SliceImage, label: Mapping[str, str]) -> dict[str, Any]:
    return {
        "id": image.id,
        "group": group_of(image.scan),
        "scan": image.scan,
        "slice": image.number,
        "image": image.path,
        "label": dict(label),
        "size": list(image.size),
        "spacing_mm": [*image.spacing_mm, SLICE_SPACING_MM],
    }


def _scan_item(images: Sequence[SliceImage]) -> dict[str, Any]:
    first = images[0]
    return {
        "id": first.scan,
        "group": group_of(first.scan),
        "image": [image.path for image in images],
        "slices": [image.number for image in images],
        "slice_ids": [image.id for image in images],
        "size": list(first.size),
        "spacing_mm": [*first.spacing_mm, SLICE_SPACING_MM],
    }
