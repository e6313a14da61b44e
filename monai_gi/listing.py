"""The table of `monai-gi series`: which scans an input holds and which can be read; patients only on request."""

from pathlib import Path

from monai_gi.dicom.geometry import arrange
from monai_gi.errors import DataError
from monai_gi.readers.dicom import is_localizer
from monai_gi.readers.sources import Source, find_sources

COLUMNS = ("scan", "kind", "slices", "size")
PATIENT_COLUMNS = ("patient", "description")
VERDICT = "can be read"


def scan_table(path: Path, *, show_patient: bool = False) -> str:
    """List the scans below a path, one line each.

    Args:
        path: a file or folder.
        show_patient: add the patient's name and number and the series' description.

    Returns:
        Aligned text, and a line for each file that can not be read.

    Raises:
        DataError: there is no scan.
    """
    faults: list[DataError] = []
    rows = [(*COLUMNS, *(PATIENT_COLUMNS if show_patient else ()), VERDICT)]
    rows += [
        (*_row(source), *(_patient(source) if show_patient else ()), _verdict(source))
        for source in find_sources(path, unreadable=faults.append)
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([*lines, *(f"left out: {fault.seen_from(path)}" for fault in faults)])


def _row(source: Source) -> tuple[str, ...]:
    kind = f"{source.kind} {source.series.modality}" if source.series else source.kind
    return source.name, kind, str(source.slices), "x".join(map(str, source.size))


def _verdict(source: Source) -> str:
    """yes, or why not, in one line."""
    if source.series is None:
        return "yes"
    if is_localizer(source.series):
        return "no: a localizer"
    try:
        arrange(source.series)
    except DataError as fault:
        return "no: " + "; ".join(map(str, fault.problems))
    return "yes"


def _patient(source: Source) -> tuple[str, ...]:
    """Name and number together, and the description; empty where the file has none."""
    if source.series is None:
        return "", ""
    return f"{source.series.patient_name} {source.series.patient_id}".strip(), source.series.description
