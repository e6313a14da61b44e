"""Drawn DICOM series: abdominal MR in every plane and transfer syntax, and the odd ones that a reader must refuse.

`DIR/patient_1/axial/IM00007`: a folder a series, a study and a frame of reference a patient. Affines are LPS mm.
"""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from monai_gi.atomic_file import part_of
from monai_gi.datasets.phantom.dicom_files import write_series
from monai_gi.datasets.phantom.dicom_headers import drawn_uid
from monai_gi.datasets.phantom.dicom_kinds import KINDS, draw_kind
from monai_gi.datasets.phantom.dicom_views import Drawing, Patient
from monai_gi.errors import DataError

SIZE, SPACING_MM = (240, 320), 1.5
FEWEST_SLICES = 4


@dataclass(frozen=True)
class DrawnSeries:
    """One series before it is written, with its truth.

    Slices ascend along the normal (row direction x column direction) as readers arrange them, whatever the order of
    the files.

    Attributes:
        folder: where it goes.
        kind: a name of KINDS.
        patient: number, from 1.
        seed: of the data set.
        voxels: (H, W, D) uint16, as stored; see `values`.
        affine_lps: (4, 4) float64 from (row, column, slice number) to mm.
        masks: (C, H, W, D) bool on the same grid, channels as in labels.ORGANS.
        slice_numbers: D places in steps of the affine; 0 to D - 1 unless slices lack, are doubled or out of place.
        series_number: SeriesNumber, from 1 in each study.
        series_uid: SeriesInstanceUID.
        study_uid: StudyInstanceUID.
        frame_of_reference_uid: FrameOfReferenceUID.
        others: drawings with slices of another orientation or size in the same series; mostly none.
    """

    folder: Path
    kind: str
    patient: int
    seed: int
    voxels: np.ndarray
    affine_lps: np.ndarray
    masks: np.ndarray
    slice_numbers: tuple[float, ...]
    series_number: int
    series_uid: str
    study_uid: str
    frame_of_reference_uid: str
    others: tuple[Drawing, ...] = ()

    @property
    def values(self) -> np.ndarray:
        """(H, W, D) in the modality's values: uint16 as stored, or float32 with slope and intercept."""
        kind = KINDS[self.kind]
        if (kind.slope, kind.intercept) == (1.0, 0.0):
            return self.voxels
        return self.voxels.astype(np.float32) * np.float32(kind.slope) + np.float32(kind.intercept)


def write_dicom(
    folder: Path,
    *,
    patients: int = 1,
    slices: int = 24,
    seed: int = 0,
    kinds: Sequence[str] = ("axial",),
    size: tuple[int, int] = SIZE,
    spacing_mm: float = SPACING_MM,
) -> list[Path]:
    """Write series of drawn patients; the same arguments give the same bytes.

    Args:
        folder: new or empty.
        patients: each gets every kind.
        slices: of each series, 4 or more; see `plan_dicom`.
        seed: 0 or more, decides everything.
        kinds: names of KINDS.
        size: (H, W) of an axial slice, pixels.
        spacing_mm: of its square pixels.

    Returns:
        The folder of each series, by patient, then in the order of `kinds`.

    Raises:
        DataError: the folder holds something already, or a kind needs a package that is missing.
        ValueError: an argument is not as described.
    """
    planned = plan_dicom(
        folder, patients=patients, slices=slices, seed=seed, kinds=kinds, size=size, spacing_mm=spacing_mm
    )
    return [write_drawn(series)[0].parent for series in planned]


def plan_dicom(
    folder: Path,
    *,
    patients: int = 1,
    slices: int = 24,
    seed: int = 0,
    kinds: Sequence[str] = ("axial",),
    size: tuple[int, int] = SIZE,
    spacing_mm: float = SPACING_MM,
) -> Iterator[DrawnSeries]:
    """Draw the series of `write_dicom` one at a time, each with the masks that are its truth; nothing is written.

    Args:
        folder: of all of them, new or empty.
        patients: each gets every kind; each fourth lacks an organ.
        slices: of each series, 4 or more. Few are spread over the gut; from 80 axial ones on they lie 3 mm apart.
        seed: 0 or more, decides everything.
        kinds: names of KINDS.
        size: (H, W) of an axial slice, pixels; other planes follow from its field of view.
        spacing_mm: of its square pixels.

    Returns:
        The series, by patient, then in the order of `kinds`.

    Raises:
        DataError: the folder holds something already.
        ValueError: an argument is not as described. Both are raised at once, not with the first series.
    """
    for name, value, least in (("patients", patients, 1), ("slices", slices, FEWEST_SLICES), ("seed", seed, 0)):
        if value < least:
            raise ValueError(f"{name}: {value}, wanted {least} or more")
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown or not kinds or len(set(kinds)) < len(kinds):
        raise ValueError(
            f"kinds: {', '.join(unknown or kinds) or 'none'}, wanted some of {', '.join(KINDS)}, each once"
        )
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DataError(folder, "holds something already; nothing was changed. Name a new or empty folder")
    everyone = [Patient(number, seed, slices, size, spacing_mm) for number in range(1, patients + 1)]
    return _draw_all(folder, everyone, kinds)


def write_drawn(series: DrawnSeries) -> list[Path]:
    """Write one series; its folder is there whole or not at all.

    Args:
        series: what to write, and where.

    Returns:
        Its files, in the order of InstanceNumber.

    Raises:
        DataError: the folder is there already, or the kind needs a package that is missing.
    """
    if series.folder.exists():
        raise DataError(series.folder, "is there already; nothing was changed. Name a new or empty folder")
    part = part_of(series.folder)
    try:
        files = _write_parts(replace(series, folder=part))
        part.replace(series.folder)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    return [series.folder / file.name for file in files]


def _write_parts(series: DrawnSeries) -> list[Path]:
    """Write the slices, then those that do not belong, all under one SeriesInstanceUID."""
    kind = KINDS[series.kind]
    step = -1 if kind.reversed else 1
    own = Drawing(series.voxels, series.affine_lps, series.masks)
    written: list[Path] = []
    for drawing, numbers in ((own, series.slice_numbers), *((other, (0.0,)) for other in series.others)):
        written += write_series(
            series.folder,
            drawing.voxels[..., ::step],
            drawing.affine_lps,
            slice_numbers=numbers[::step],
            first_instance=len(written) + 1,
            modality=kind.modality,
            transfer_syntax=kind.transfer_syntax,
            slope=kind.slope,
            intercept=kind.intercept,
            multi_frame=kind.multi_frame,
            pixels=kind.pixels,
            image_type=kind.image_type,
            patient=series.patient,
            patient_position=kind.patient_position,
            seed=series.seed,
            description=f"drawn {series.kind}",
            study_uid=series.study_uid,
            series_uid=series.series_uid,
            frame_of_reference_uid=series.frame_of_reference_uid,
            series_number=series.series_number,
        )
    return written


def _draw_all(folder: Path, patients: Sequence[Patient], kinds: Sequence[str]) -> Iterator[DrawnSeries]:
    # One patient after the other: what was drawn of one is dropped before the next.
    for patient in patients:
        for number, kind in enumerate(kinds, start=1):
            yield _draw(folder / f"patient_{patient.number}" / kind, patient, kind, number)


def _draw(folder: Path, patient: Patient, kind: str, series_number: int) -> DrawnSeries:
    drawing, numbers, others = draw_kind(patient, kind)
    of_patient = (patient.seed, patient.number)
    frame = "planning CT" if kind == "ct" else ""
    return DrawnSeries(
        folder=folder,
        kind=kind,
        patient=patient.number,
        seed=patient.seed,
        voxels=drawing.voxels,
        affine_lps=drawing.affine_lps,
        masks=drawing.masks,
        slice_numbers=numbers,
        series_number=series_number,
        series_uid=drawn_uid("series", *of_patient, kind, patient.slices, patient.size, patient.spacing_mm),
        study_uid=drawn_uid("study", *of_patient),
        frame_of_reference_uid=drawn_uid("frame of reference", *of_patient, *filter(None, [frame])),
        others=others,
    )
