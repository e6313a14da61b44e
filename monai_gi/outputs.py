"""What a contoured scan leaves in its folder: one writer a format, side by side, and `result.json` last."""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from monai_gi.atomic_file import part_of
from monai_gi.errors import DataError
from monai_gi.labels import ORGAN_NAMES
from monai_gi.outcomes import RESULT
from monai_gi.plots import ClinicalSlices, clinical_sheet
from monai_gi.predictor import Prediction
from monai_gi.provenance import Provenance
from monai_gi.scan import Scan
from monai_gi.writers.dicom_seg import write_dicom_seg
from monai_gi.writers.nifti import write_scan_nifti
from monai_gi.writers.overlay import write_overlays
from monai_gi.writers.result import slices_to_check, write_result
from monai_gi.writers.rtstruct import write_rtstruct
from monai_gi.writers.submission import submission_rows, write_part

SUBMISSION = "submission"
FILES = ("rtstruct.dcm", "seg.dcm", f"{SUBMISSION}.csv", "overlay.png")
# Side by side on two cores: the slowest first.
WRITING_ORDER = ("overlay", "dicom-seg", "rtstruct", "nifti", "submission")
MOST_PLAIN = 6
FORMATS_OF_KIND = {
    "dicom": ("rtstruct", "dicom-seg", "nifti", "overlay"),
    "nifti": ("nifti", "overlay"),
    "uw-madison": ("submission", "nifti", "overlay"),
    "picture": ("nifti", "overlay"),
    "frame": ("mask", "overlay"),
    "slide": ("label-image", "geojson", "overlay", "probability"),
}


@dataclass(frozen=True)
class Results:
    """A contoured scan.

    Attributes:
        scan: the scan.
        prediction: of its voxels.
        provenance: of the bundle.
        settings: that it was predicted with.
    """

    scan: Scan
    prediction: Prediction
    provenance: Provenance
    settings: Mapping[str, Any]


def unsuited(name: str, kind: str, formats: Collection[str]) -> list[DataError]:
    """Formats that an input can not be written in.

    Args:
        name: of the input, for the messages.
        kind: of `FORMATS_OF_KIND`.
        formats: that were asked for.

    Returns:
        A fault for each.
    """
    suiting = FORMATS_OF_KIND[kind]
    problem = f"does not suit {kind} input, which takes {', '.join(suiting)}"
    return [DataError(name, f"{one} {problem}") for one in formats if one not in suiting]


def clear(folder: Path, name: str) -> None:
    """Remove what earlier runs left of a scan, `result.json` first: contours of other settings must not stay beside.

    Args:
        folder: of the scan; other files in it stay.
        name: of the scan.
    """
    nifti = [*(f"{name}_{organ}.nii.gz" for organ in (*ORGAN_NAMES, "labels")), f"{name}_labels.json"]
    pictures = (folder / "overlay").glob("*.png*")
    for file in (folder / RESULT, *(folder / file for file in (*FILES, *nifti)), *pictures):
        file.unlink(missing_ok=True)
        part_of(file).unlink(missing_ok=True)


def write_outputs(
    folder: Path,
    results: Results,
    formats: Collection[str],
    seconds: Mapping[str, float],
    before: Callable[[str], object] | None = None,
) -> Path:
    """Write one scan's results; a file is there whole or not at all, and `result.json` only when all others are.

    Args:
        folder: of the scan; made where it is missing.
        results: what to write.
        formats: of `FORMATS_OF_KIND` for the scan's kind.
        seconds: of the stages before.
        before: is told of every format before it is begun, from several threads; what it raises ends the writing.

    Returns:
        `result.json`.

    Raises:
        DataError: a format needs a package that is not installed.
    """
    spent = {**seconds, **results.prediction.seconds}

    def write(name: str) -> Sequence[Path]:
        if before is not None:
            before(name)
        start = time.perf_counter()
        files = WRITERS[name](folder, results)
        spent[f"write {name}"] = time.perf_counter() - start
        return files

    start = time.perf_counter()
    with ThreadPoolExecutor(2) as pool:
        written = list(pool.map(write, sorted(formats, key=WRITING_ORDER.index)))
    spent["write all"] = time.perf_counter() - start
    return write_result(
        folder / RESULT,
        results.scan,
        results.prediction.masks,
        results.prediction.confidence,
        results.provenance,
        seconds=spent,
        settings=results.settings,
        files=sorted(chain.from_iterable(written)),
    )


def _rtstruct(folder: Path, results: Results) -> Sequence[Path]:
    return [write_rtstruct(folder / "rtstruct.dcm", results.scan, results.prediction.masks, results.provenance)]


def _dicom_seg(folder: Path, results: Results) -> Sequence[Path]:
    return [write_dicom_seg(folder / "seg.dcm", results.scan, results.prediction.masks, results.provenance)]


def _nifti(folder: Path, results: Results) -> Sequence[Path]:
    return write_scan_nifti(folder, results.scan, results.prediction.masks, results.provenance)


def _submission(folder: Path, results: Results) -> Sequence[Path]:
    return [write_part(folder, SUBMISSION, submission_rows(results.scan.slice_names, results.prediction.masks))]


def _overlay(folder: Path, results: Results) -> Sequence[Path]:
    """A picture of each slice with an organ or a doubt, and the sheet of those to check first."""
    scan, masks = results.scan, results.prediction.masks
    checks = slices_to_check(scan, masks, results.prediction.confidence)
    shown = np.union1d(np.flatnonzero(masks.any(axis=(0, 1, 2))), [check.position for check in checks]).astype(int)
    slices = ClinicalSlices(scan, masks, results.prediction.window, shown.tolist())
    captions = {check.position: check.name for check in checks} or _spread(shown, scan)
    title = "To check first, worst first" if checks else "No slice stands out as doubtful"
    return write_overlays(folder, "overlay", slices, clinical_sheet(slices, captions, title=title))


def _spread(positions: np.ndarray, scan: Scan) -> dict[int, str]:
    """Some slices with organs, or of the whole scan where none has one, evenly spread; captions by position."""
    among = positions if len(positions) else np.arange(len(scan.slice_names))
    chosen = among[np.unique(np.linspace(0, len(among) - 1, MOST_PLAIN).round().astype(int))]
    return {int(position): scan.slice_names[position] for position in chosen}


WRITERS: dict[str, Callable[[Path, Results], Sequence[Path]]] = {
    "rtstruct": _rtstruct,
    "dicom-seg": _dicom_seg,
    "nifti": _nifti,
    "submission": _submission,
    "overlay": _overlay,
}
