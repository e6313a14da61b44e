"""`metadata.csv` of CVC-ClinicDB as on Kaggle: a row a frame, columns frame_id and sequence_id, others pass unread."""

import csv
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from monai_gi.datasets.scan_folders import number_ranges
from monai_gi.errors import DataError, DataErrors

METADATA = "metadata.csv"
COLUMNS = ("frame_id", "sequence_id")
_FIRST_ROW = 2  # the head is row 1, as editors count


def read_sequences(path: Path, frames: Collection[int]) -> dict[int, str]:
    """Read which sequence each frame belongs to.

    Args:
        path: the table.
        frames: the numbers of the frames that are there.

    Returns:
        Groups such as `sequence_03` by frame.

    Raises:
        DataError: the file is no such table.
        DataErrors: every row without numbers, frame named twice, frame without a row and row without a frame.
    """
    rows = _read_rows(path)
    found: dict[int, str] = {}
    faults = []
    for row, (frame, sequence) in enumerate(rows, _FIRST_ROW):
        if not frame.isdecimal() or not sequence:
            problem = f"frame_id {frame!r}, sequence_id {sequence!r}; wanted a frame's number and its sequence"
            faults.append(DataError(f"{path}, row {row}", problem))
        elif int(frame) in found:
            faults.append(DataError(f"{path}, row {row}", f"frame {int(frame)} is there twice; remove one row"))
        else:
            found[int(frame)] = f"sequence_{int(sequence):02d}" if sequence.isdecimal() else f"sequence_{sequence}"
    faults += _unmatched(path, found, frames)
    if faults:
        raise DataErrors(path, faults)
    return found


def _read_rows(path: Path) -> list[Sequence[str]]:
    """(frame_id, sequence_id) of each row, as text."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            table = csv.DictReader(file)
            head = [name.strip() for name in table.fieldnames or ()]
            table.fieldnames = head
            missing = [name for name in COLUMNS if name not in head]
            if missing:
                raise DataError(
                    path, f"no column {' and '.join(missing)} among {', '.join(head) or 'none'}; wanted both"
                )
            return [tuple((row[name] or "").strip() for name in COLUMNS) for row in table]
    except (csv.Error, UnicodeDecodeError) as error:
        raise DataError(path, f"is no table of commas in UTF-8 ({error}); copy it again from its source") from error


def _unmatched(path: Path, found: Mapping[int, str], frames: Collection[int]) -> list[DataError]:
    rowless, gone = sorted(set(frames) - found.keys()), sorted(found.keys() - set(frames))
    faults = []
    if rowless:
        faults.append(
            DataError(path, f"no row for frame {number_ranges(rowless)}; add its sequence, or remove the frame")
        )
    if gone:
        problem = f"rows for frame {number_ranges(gone)}, which is not in the folder of frames"
        faults.append(DataError(path, f"{problem}; copy it again, or remove its row"))
    return faults
