"""train.csv of UW-Madison: `id,class,segmentation`, three rows a slice, run lengths 1-based and row-major.

Rows are counted as a spreadsheet shows them: the header is row 1.
"""

import warnings
from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path

import pandas as pd

from monai_gi.datasets.scan_folders import number_ranges
from monai_gi.errors import DataError
from monai_gi.folders import natural_key
from monai_gi.labels import ORGAN_NAMES
from monai_gi.rle import find_rle_faults

COLUMNS = ["id", "class", "segmentation"]
_FIRST_ROW = 2
_ID = r"case[0-9]+_day[0-9]+_slice_[0-9]{4,}"
_ANY_SIZE_PX = 2**31


def read_table(path: str | Path) -> pd.DataFrame:
    """Read train.csv as text, empty run lengths as "".

    Args:
        path: the file.

    Returns:
        Columns id, class, segmentation in the file's row order.

    Raises:
        DataError: the file can not be read as such a table.
    """
    wanted = f"a comma-separated table with the columns {', '.join(COLUMNS)} is wanted"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            table = pd.read_csv(path, dtype=str, na_filter=False, index_col=False, encoding="utf-8-sig")
    except (pd.errors.ParserError, pd.errors.ParserWarning, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise DataError(path, f"can not be read ({error}); {wanted}") from error
    if list(table.columns) != COLUMNS:
        raise DataError(path, f"columns are {', '.join(map(str, table.columns))}; {wanted}")
    return table


def find_table_faults(path: str | Path, table: pd.DataFrame, sizes: Mapping[str, tuple[int, int]]) -> list[DataError]:
    """Find every disagreement between train.csv and the images.

    Args:
        path: where the table came from, for the messages.
        table: as `read_table` gives it.
        sizes: (H, W) by slice id, for each image.

    Returns:
        The faults: unreadable ids, unknown classes, doubled rows, rows without images and the reverse, bad run lengths.
    """
    readable = table["id"].str.fullmatch(_ID).to_numpy(dtype=bool)
    known = table["class"].isin(ORGAN_NAMES).to_numpy(dtype=bool)
    problems = [
        *_find_unreadable(table[~readable]),
        *_find_unknown(table[~known]),
        *_find_doubled(table),
        *_find_unpaired(set(table.loc[readable, "id"]), set(sizes)),
        *_find_missing_classes(table, sizes),
        *_find_bad_runs(table, sizes),
    ]
    return [DataError(f"{path}, {where}", problem) for where, problem in problems]


def labels_by_id(table: pd.DataFrame) -> dict[str, dict[str, str]]:
    """Gather the run lengths of each slice: {id: {organ: run lengths}}, organs in channel order.

    Args:
        table: without faults.

    Returns:
        "" where the organ is absent from the slice.
    """
    by_organ = {
        organ: dict(zip(rows["id"], rows["segmentation"], strict=True))
        for organ, rows in ((organ, table[table["class"] == organ]) for organ in ORGAN_NAMES)
    }
    ids = by_organ[ORGAN_NAMES[0]]
    return {slice_id: {organ: by_organ[organ][slice_id] for organ in ORGAN_NAMES} for slice_id in ids}


_Problems = Iterator[tuple[str, str]]


def _row_numbers(rows: pd.DataFrame) -> str:
    return number_ranges((rows.index + _FIRST_ROW).tolist())


def _find_unreadable(rows: pd.DataFrame) -> _Problems:
    for slice_id, same in rows.groupby("id", sort=False):
        yield f"row {_row_numbers(same)}", f"id {slice_id!r} is unreadable; caseN_dayD_slice_NNNN is wanted"


def _find_unknown(rows: pd.DataFrame) -> _Problems:
    for name, same in rows.groupby("class", sort=False):
        yield f"row {_row_numbers(same)}", f"class {name!r} is unknown; one of {', '.join(ORGAN_NAMES)} is wanted"


def _find_doubled(table: pd.DataFrame) -> _Problems:
    doubled = table[table.duplicated(["id", "class"], keep=False)]
    for (slice_id, name), same in doubled.groupby(["id", "class"], sort=False):
        yield f"row {_row_numbers(same)}", f"{slice_id} has {len(same)} rows for {name}; keep one"


def _find_unpaired(table_ids: set[str], image_ids: set[str]) -> _Problems:
    for scan, numbers in _numbers_by_scan(table_ids - image_ids):
        yield scan, f"rows for absent images: slice {numbers}. Copy the images again, or take the rows out"
    for scan, numbers in _numbers_by_scan(image_ids - table_ids):
        yield scan, f"images without rows: slice {numbers}. Take them out, or get the whole table"


def _numbers_by_scan(ids: set[str]) -> Iterator[tuple[str, str]]:
    split = (slice_id.rsplit("_slice_", 1) for slice_id in sorted(ids, key=natural_key))
    for scan, parts in groupby(split, key=lambda part: part[0]):
        yield scan, number_ranges(int(number) for _, number in parts)


def _find_missing_classes(table: pd.DataFrame, sizes: Mapping[str, tuple[int, int]]) -> _Problems:
    with_row = {organ: set(table.loc[table["class"] == organ, "id"]) for organ in ORGAN_NAMES}
    for organ, ids in with_row.items():
        for scan, numbers in _numbers_by_scan(set(table["id"]) & set(sizes) - ids):
            yield (
                scan,
                f"no row for {organ}: slice {numbers}; a row per class is wanted, empty where there is none",
            )


def _find_bad_runs(table: pd.DataFrame, sizes: Mapping[str, tuple[int, int]]) -> _Problems:
    filled = table[table["segmentation"] != ""]
    rows, ids, classes = filled.index + _FIRST_ROW, filled["id"].tolist(), filled["class"].tolist()
    sizes_px = {slice_id: height * width for slice_id, (height, width) in sizes.items()}
    # A row without an image is a fault of its own; its numbers are looked at all the same.
    faults = find_rle_faults(filled["segmentation"], (sizes_px.get(name, _ANY_SIZE_PX) for name in ids))
    for position, fault in faults.items():
        yield f"row {rows[position]} ({ids[position]}, {classes[position]})", fault
