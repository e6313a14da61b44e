"""Scans on the page: DICOM series, NIfTI, slices and single pictures, contoured as `monai-gi predict` does."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from monai_gi.app.cases import NO_RESULTS, Case, Check, Finding, Masks, Picture, Results, Window
from monai_gi.app.jobs import Report
from monai_gi.app.truth import ScanTruth
from monai_gi.confidence import Confidence
from monai_gi.intensity import scale_to_window, volume_window
from monai_gi.labels import ORGAN_NAMES
from monai_gi.metrics import DEFAULT_TOLERANCE_MM, compare_masks
from monai_gi.outputs import FORMATS_OF_KIND, write_outputs
from monai_gi.outputs import Results as Written
from monai_gi.plots.clinical import edges_of
from monai_gi.prediction_settings import PredictionSettings
from monai_gi.predictor import Predictor
from monai_gi.provenance import Provenance
from monai_gi.scan import Scan
from monai_gi.scan_contouring import input_hash
from monai_gi.slices import parse_slice_name
from monai_gi.writers.result import slices_to_check

_CERTAIN = 255
_MM3_IN_ML = 1000
_MM2_IN_CM2 = 100
_WORDS = {"rtstruct": "RTSTRUCT", "dicom-seg": "DICOM SEG", "nifti": "NIfTI", "overlay": "pictures"}
_ASSUMED = "The files take {}a slice of 3 mm, as the picture does not say: do not trust volumes in them."
_UPRIGHT = ("rtstruct.dcm", "seg.dcm", "overlay.png", "result.json")


@dataclass(frozen=True)
class ScanCase(Case):
    """One scan, with what was found in it and the truth as far as they are there.

    Attributes:
        scan: the scan.
        found: (C, H, W, D) bool, or None.
        certain: (C, H, W, D) uint8, probabilities as 0 to 255, or None.
        confidence: of each slice, or None.
        reference: the truth, or None.
        results: files that were written.
        scores: Dice and HD95 of each organ that the truth tells of.
        kind: "slices".
        classes: the organs.
    """

    scan: Scan
    found: np.ndarray | None = None
    certain: np.ndarray | None = None
    confidence: Confidence | None = None
    reference: ScanTruth | None = None
    results: Results = NO_RESULTS
    scores: tuple[tuple[str, dict[str, float]], ...] = ()

    kind = "slices"
    classes = ORGAN_NAMES

    @cached_property
    def window(self) -> Window:  # type: ignore[override]
        """The percentiles that the network sees, and the range of the scan."""
        low, high = volume_window(self.scan.voxels)
        least, most = float(self.scan.voxels.min()), float(self.scan.voxels.max())
        return Window(low, high if high > low else low + 1, least, most if most > least else least + 1)

    @property
    def knows_spacing(self) -> bool:
        """Whether pixels have a size in mm; a picture that says nothing is read with 1 mm."""
        scan = self.scan
        named = bool(scan.files) and parse_slice_name(scan.files[0].name) is not None
        return scan.kind != "picture" or named or scan.spacing_mm[:2] != (1, 1)

    @property
    def heads(self) -> tuple[str, str, str]:  # type: ignore[override]
        """Of the table of findings; nobody knows how thick the slice of a lone picture is."""
        if self.scan.kind != "picture":
            return "Organ", "mL", "Slices"
        return "Organ", "cm²" if self.knows_spacing else "Pixels", "Slices"

    @property
    def truth_notes(self) -> tuple[str, ...]:  # type: ignore[override]
        """What of the truth was left out."""
        return self.reference.notes if self.reference else ()

    @property
    def has_prediction(self) -> bool:  # type: ignore[override]
        """Whether the network ran."""
        return self.found is not None

    @property
    def has_probabilities(self) -> bool:  # type: ignore[override]
        """Whether probabilities were kept."""
        return self.certain is not None

    @property
    def has_truth(self) -> bool:  # type: ignore[override]
        """Whether there is a truth."""
        return self.reference is not None

    @property
    def labels(self) -> Sequence[str]:
        """Slices by their numbers, from 1; a missing slice leaves its number out."""
        return [str(number + 1) for number in self.scan.slice_numbers]

    @property
    def about(self) -> str:
        """Modality, slices, size and spacing as far as it is known."""
        height, width, slices = self.scan.voxels.shape
        modality = self.scan.series.modality if self.scan.series else ""
        what = {"dicom": "series", "nifti": "volume", "picture": "picture"}.get(self.scan.kind, "scan")
        many = f"{slices} slices of " if slices > 1 else ""
        steps = " × ".join(f"{step:.2f}" for step in self.scan.spacing_mm[: 3 if slices > 1 else 2])
        spacing = f"{steps} mm" if self.knows_spacing else "pixel spacing unknown"
        return f"{f'{modality} {what}' if modality else what.capitalize()}, {many}{height} × {width}, {spacing}"

    def picture(self, position: int, window: tuple[float, float] | None) -> Picture:
        """One slice as stored, in true proportions."""
        grey = scale_to_window(self.scan.voxels[..., position], window or self.window[:2])
        row_mm, column_mm, _ = self.scan.spacing_mm
        height, width = grey.shape
        is_lone = self.scan.kind == "picture"  # nobody knows how the patient lies in it
        return Picture(
            np.rint(grey * 255).astype(np.uint8),
            (height * row_mm, width * column_mm),
            None if is_lone else edges_of(self.scan.affine),
            in_mm=self.knows_spacing,
        )

    def masks(self, position: int) -> Masks:
        """Organs that were found."""
        return {} if self.found is None else _by_name(self.found, position)

    def truth(self, position: int) -> Masks:
        """Organs of the truth."""
        if self.reference is None:
            return {}
        masks = _by_name(self.reference.masks, position)
        return {name: mask for name, mask in masks.items() if name in self.reference.known}

    def probabilities(self, position: int) -> Masks:
        """Of every organ."""
        return {} if self.certain is None else _by_name(self.certain, position)

    def findings(self) -> Sequence[Finding]:
        """How much of each organ, with the truth's scores."""
        masks = self.found if self.found is not None else self.reference.masks if self.reference else None
        if masks is None:
            return ()
        scores = dict(self.scores)
        return [self._finding(name, mask, scores.get(name)) for name, mask in zip(ORGAN_NAMES, masks, strict=True)]

    def checks(self) -> Sequence[Check]:
        """Slices of most doubt, as in result.json."""
        if self.found is None or self.confidence is None:
            return ()
        chosen = slices_to_check(self.scan, self.found, self.confidence)
        return [Check(check.position, check.reason) for check in chosen]

    def with_truth(self, reference: ScanTruth | None, report: Report) -> "ScanCase":
        """The case with another truth, scored where the network ran.

        Args:
            reference: the truth; None takes it away.
            report: is told of each organ.

        Returns:
            A new case.
        """
        scores = []
        for channel, name in enumerate(ORGAN_NAMES):
            if reference is not None and self.found is not None and name in reference.known:
                report(f"Comparing {name.replace('_', ' ')} with the truth", channel / len(ORGAN_NAMES))
                truth, found = reference.masks[channel], self.found[channel]
                scores.append(
                    (name, compare_masks(truth, found, self.scan.spacing_mm, tolerance_mm=DEFAULT_TOLERANCE_MM))
                )
        return replace(self, reference=reference, scores=tuple(scores))

    def _finding(self, name: str, mask: np.ndarray, scores: dict[str, float] | None) -> Finding:
        present = np.flatnonzero(mask.any(axis=(0, 1)))
        labels = self.labels
        place = "–".join(dict.fromkeys([labels[present[0]], labels[present[-1]]])) if len(present) else "–"
        amount = self._amount(int(np.count_nonzero(mask)))
        if scores is None:
            return Finding(name, amount, place)
        return Finding(name, amount, place, scores["dice"], scores["hd95_mm"] if self.knows_spacing else None)

    def _amount(self, voxels: int) -> str:
        """In the unit of the table's head."""
        if not self.knows_spacing:
            return f"{voxels:,}"
        row_mm, column_mm, step_mm = self.scan.spacing_mm
        if self.scan.kind == "picture":
            return f"{voxels * row_mm * column_mm / _MM2_IN_CM2:.1f}"
        return f"{voxels * row_mm * column_mm * step_mm / _MM3_IN_ML:.1f}"


class ScanEngine:
    """Contours scans with one bundle.

    Args:
        predictor: of the bundle.
        provenance: of the bundle.

    Attributes:
        kind: "slices".
        classes: the organs.
    """

    kind = "slices"
    classes = ORGAN_NAMES

    def __init__(self, predictor: Predictor, provenance: Provenance) -> None:
        self.predictor, self.provenance = predictor, provenance

    @property
    def settings(self) -> PredictionSettings:
        """Of the bundle."""
        return self.predictor.settings

    def contour(self, case: ScanCase, folder: Path, report: Report) -> ScanCase:
        """Contour a scan and write its results.

        Args:
            case: to be contoured.
            folder: for the results, empty.
            report: is told of every few slices, and may end the work.

        Returns:
            The case with its results.
        """
        report("Preparing the scan")
        unit = "slice" if len(case.labels) > 1 else "picture"
        prediction = self.predictor.predict(
            case.scan, lambda done, total: report(f"Contouring {unit} {done} of {total}", done / total)
        )
        certain = np.rint(prediction.probabilities * _CERTAIN).astype(np.uint8)
        contoured = replace(case, found=prediction.masks, certain=certain, confidence=prediction.confidence)
        contoured = contoured.with_truth(case.reference, report)
        formats, notes = writable(case.scan)
        if len(case.labels) == 1 and any(self.predictor.settings.slice_offsets):
            notes = (*notes, "One slice alone: the network was trained with its neighbours, so expect less of it.")
        if case.scan.kind == "picture":
            notes = (*notes, _ASSUMED.format("" if case.knows_spacing else "pixels of 1 mm and "))
        written = Written(case.scan, prediction, self.provenance, self._record(case.scan, formats))
        write_outputs(folder, written, formats, {}, lambda name: report(f"Writing {_WORDS.get(name, name)}"))
        report("Done")  # the last chance to stop
        return replace(contoured, results=Results(_files(folder), notes))

    def _record(self, scan: Scan, formats: Sequence[str]) -> dict[str, Any]:
        return {
            **self.settings.as_dict(),
            "formats": sorted(formats),
            "weights_sha256": self.provenance.weights_sha256,
            "input_sha256": input_hash(scan),
        }


def writable(scan: Scan) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The formats that a scan can be written in here.

    Args:
        scan: the scan.

    Returns:
        Names of FORMATS_OF_KIND, and a sentence for each that is left out.
    """
    formats, notes = list(FORMATS_OF_KIND[scan.kind]), []
    if scan.series is not None and not scan.series.frame_of_reference_uid:
        formats = [one for one in formats if one not in ("rtstruct", "dicom-seg")]
        notes.append("The series has no frame of reference, so there is no RTSTRUCT and no DICOM SEG.")
    if "dicom-seg" in formats and find_spec("highdicom") is None:
        formats.remove("dicom-seg")
        notes.append("There is no DICOM SEG: it needs pip install monai_gi[dicom].")
    return tuple(formats), tuple(notes)


def _by_name(volumes: np.ndarray, position: int) -> Masks:
    return {name: volume[..., position] for name, volume in zip(ORGAN_NAMES, volumes, strict=True)}


def _files(folder: Path) -> dict[str, Path]:
    """What is offered for download: the pictures of single slices only in the archive of everything."""
    found = {path.name: path for path in sorted(folder.iterdir()) if path.is_file()}
    first = [name for name in _UPRIGHT if name in found]
    return {name: found[name] for name in [*first, *(name for name in found if name not in first)]}
