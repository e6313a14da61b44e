"""submission.csv of the contest: `id,class,predicted`, run lengths 1-based and row-major, one row a slice and organ.

Scans are written one by one as `parts/<scan>.csv` and merged when all are there, so that a stopped run can go on.
Columns as in https://www.kaggle.com/competitions/uw-madison-gi-tract-image-segmentation/overview/evaluation
"""

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from monai_gi.atomic_file import write_whole
from monai_gi.errors import DataError, DataErrors
from monai_gi.folders import natural_key
from monai_gi.labels import ORGAN_NAMES
from monai_gi.rle import encode_rle
from monai_gi.writers.scan_names import check_name

COLUMNS = ("id", "class", "predicted")
_NAMED = 3


class SubmissionRow(NamedTuple):
    """One mask of one slice.

    Attributes:
        id: of the slice, as `case1_day0_slice_0001`.
        organ: one of ORGAN_NAMES, the column `class`.
        predicted: run lengths, "" for an empty mask.
    """

    id: str
    organ: str
    predicted: str


def submission_rows(slice_ids: Sequence[str], masks: np.ndarray) -> list[SubmissionRow]:
    """Encode one scan, slice by slice, organs in the order of ORGANS.

    Args:
        slice_ids: D ids.
        masks: (C, H, W, D); what is not zero is inside.

    Returns:
        C * D rows.

    Raises:
        ValueError: channels or slices do not fit.
    """
    if masks.ndim != 4 or len(masks) != len(ORGAN_NAMES) or masks.shape[-1] != len(slice_ids):
        wanted = f"({len(ORGAN_NAMES)}, H, W, {len(slice_ids)})"
        raise ValueError(f"masks: shape {masks.shape}, wanted {wanted}: an organ a channel, an id a slice")
    filled = np.asarray(masks.any(axis=(1, 2)))
    return [
        SubmissionRow(slice_id, organ, encode_rle(masks[c, ..., d]) if filled[c, d] else "")
        for d, slice_id in enumerate(slice_ids)
        for c, organ in enumerate(ORGAN_NAMES)
    ]


def write_submission(path: str | Path, rows: Iterable[SubmissionRow], sample: str | Path | None = None) -> Path:
    """Write the submission, in the sample's order where there is a sample with rows.

    Args:
        path: the CSV to write.
        rows: one a slice and organ, in any order.
        sample: sample_submission.csv. Without it, or where it has a header alone (as the public one has), rows are
            sorted by id with numbers as numbers, then in the order of ORGANS.

    Returns:
        The path.

    Raises:
        DataErrors: rows that the sample asks for are missing, or rows are there that it does not ask for.
        DataError: a row comes twice, or the sample can not be read.
    """
    by_key = _by_key(path, rows)
    order = read_sample(sample) if sample else []
    if order:
        check_against_sample(str(sample), order, by_key)
    else:
        order = sorted(by_key, key=lambda key: (natural_key(key[0]), ORGAN_NAMES.index(key[1])))
    return write_whole(path, _as_csv(by_key[key] for key in order))


def read_sample(path: str | Path) -> list[tuple[str, str]]:
    """Read the rows that a sample submission asks for.

    Args:
        path: a CSV with the columns id and class.

    Returns:
        (slice id, organ) in its order; empty for a header alone.

    Raises:
        DataError: the file is missing, lacks a column, or has a row twice or of an unknown class.
    """
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            columns = reader.fieldnames or []
            keys = [(row.get("id"), row.get("class")) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        problem = f"can not be read as a sample submission ({error}); copy it again from its source"
        raise DataError(path, problem) from error
    if not {"id", "class"} <= set(columns):
        raise DataError(path, f"columns {', '.join(columns) or '(none)'} found, id and class wanted")
    strange = [f"row {line}: class {key[1]!r}" for line, key in enumerate(keys, 2) if key[1] not in ORGAN_NAMES]
    if strange:
        raise DataError(path, f"{_some(strange)} found, one of {', '.join(ORGAN_NAMES)} wanted")
    read = [(str(slice_id), str(organ)) for slice_id, organ in keys]
    _refuse_twice(path, read)
    return read


def check_against_sample(sample: str | Path, order: Iterable[tuple[str, str]], keys: Iterable[tuple[str, str]]) -> None:
    """Compare what a sample asks for with what there is.

    Args:
        sample: its file, for the message.
        order: (slice id, organ) that it asks for.
        keys: (slice id, organ) that there are.

    Raises:
        DataErrors: they are not the same; both differences are named.
    """
    asked, given = dict.fromkeys(order), dict.fromkeys(keys)
    missing = [" ".join(key) for key in asked if key not in given]
    extra = [" ".join(key) for key in given if key not in asked]
    faults = []
    if missing:
        problem = f"{len(missing)} of {len(asked)} rows asked for are not predicted: {_some(missing)}."
        faults.append(DataError("missing", f"{problem} Are all its scans in the input folder?"))
    if extra:
        problem = f"{len(extra)} rows are predicted but not asked for: {_some(extra)}."
        faults.append(DataError("extra", f"{problem} For other scans than the sample's, leave the sample out"))
    if faults:
        raise DataErrors(sample, faults)


def part_path(folder: str | Path, scan_id: str) -> Path:
    """Where the rows of one scan stand until they are merged.

    Args:
        folder: of all parts.
        scan_id: as `case1_day0`; a ValueError where it can not name a file.

    Returns:
        `<folder>/<scan>.csv`.
    """
    return Path(folder) / f"{check_name(scan_id)}.csv"


def write_part(folder: str | Path, scan_id: str, rows: Iterable[SubmissionRow]) -> Path:
    """Write the rows of one scan; the file is there whole or not at all.

    Args:
        folder: of all parts, made where it is missing.
        scan_id: as `case1_day0`.
        rows: of `submission_rows`.

    Returns:
        The part's file.
    """
    return write_whole(part_path(folder, scan_id), _as_csv(rows))


def read_parts(folder: str | Path, scan_ids: Iterable[str]) -> list[SubmissionRow]:
    """Read the parts of some scans.

    Args:
        folder: of all parts.
        scan_ids: in the order wanted.

    Returns:
        Their rows.

    Raises:
        DataErrors: names every scan whose part is missing.
    """
    paths = {scan_id: part_path(folder, scan_id) for scan_id in scan_ids}
    missing = [DataError(path, f"{scan_id} was not predicted") for scan_id, path in paths.items() if not path.is_file()]
    if missing:
        raise DataErrors(folder, missing)
    rows = []
    for path in paths.values():
        with path.open(encoding="utf-8", newline="") as file:
            rows += [SubmissionRow(*row) for row in list(csv.reader(file))[1:]]
    return rows


def _by_key(path: str | Path, rows: Iterable[SubmissionRow]) -> dict[tuple[str, str], SubmissionRow]:
    rows = list(rows)
    _refuse_twice(path, [(row.id, row.organ) for row in rows])
    return {(row.id, row.organ): row for row in rows}


def _refuse_twice(path: str | Path, keys: Sequence[tuple[str, str]]) -> None:
    if len(set(keys)) == len(keys):
        return
    seen: set[tuple[str, str]] = set()
    twice = [" ".join(key) for key in keys if key in seen or seen.add(key)]  # type: ignore[func-returns-value]
    raise DataError(path, f"{len(twice)} rows come twice: {_some(twice)}; one row a slice and organ is wanted")


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")


def _as_csv(rows: Iterable[SubmissionRow]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(rows)
    return text.getvalue().encode()
