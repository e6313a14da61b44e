"""`result.json` of one scan: volumes, slices with each organ, which slices to check first, and what made it.

It is written last and so marks the scan as done. No patient data and no paths: scan and slice names and a UID only.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from monai_gi.labels import ORGAN_NAMES
from monai_gi.provenance import Provenance
from monai_gi.scan import Scan
from monai_gi.writers.record import write_record

if TYPE_CHECKING:  # it brings torch along
    from monai_gi.confidence import Confidence

MOST_TO_CHECK = 10
APART_MM = 10.0
DOUBT_WITHOUT_ORGAN = 0.3
_MM3_IN_ML = 1000


class SliceToCheck(NamedTuple):
    """A slice that a reader should look at before the others.

    Attributes:
        position: along D of the scan's arrays, from 0.
        name: of the slice.
        number: slice number of the scan, from 0, missing slices counted.
        reason: in words.
        entropy: mean binary entropy, bits, 0 to 1.
        disagreement: of mirrored passes, 0 to 1; None where nothing was mirrored.
    """

    position: int
    name: str
    number: int
    reason: str
    entropy: float
    disagreement: float | None


def slices_to_check(
    scan: Scan, masks: np.ndarray, confidence: "Confidence", most: int = MOST_TO_CHECK
) -> list[SliceToCheck]:
    """Choose the slices with the most doubt, worst first and spread over the scan.

    Doubt is entropy + disagreement. From the worst on, a slice is taken unless one within 10 mm was taken before it:
    who scrolls there sees it too. Slices without an organ count from a doubt of 0.3 on, which is a missed organ of
    about half a square centimetre or more; below it there is nothing to look at. Slices without any doubt never count.

    Args:
        scan: gives names, numbers and positions of the slices.
        masks: (C, H, W, D) bool, channel c is ORGANS[c].
        confidence: entropy and disagreement, (D,) each; NaN is taken for 0.
        most: how many at most.

    Returns:
        At most `most` slices; none where the network is sure everywhere.

    Raises:
        ValueError: confidence of another length than the scan.
    """
    entropy, disagreement = _doubts(scan, confidence)
    doubt = entropy if disagreement is None else entropy + disagreement
    present = np.asarray(np.any(masks, axis=(1, 2)))
    floor = np.where(present.any(axis=0), 0, DOUBT_WITHOUT_ORGAN)
    chosen: list[int] = []
    for d in np.argsort(-doubt, kind="stable"):
        apart = np.abs(scan.positions_mm[chosen] - scan.positions_mm[d])
        if len(chosen) < most and doubt[d] > floor[d] and (apart > APART_MM).all():
            chosen.append(int(d))
    return [
        SliceToCheck(
            position=d,
            name=scan.slice_names[d],
            number=int(scan.slice_numbers[d]),
            reason=_reason(present, d, flips=disagreement is not None and bool(disagreement[d] > entropy[d])),
            entropy=float(entropy[d]),
            disagreement=None if disagreement is None else float(disagreement[d]),
        )
        for d in chosen
    ]


def write_result(
    path: str | Path,
    scan: Scan,
    masks: np.ndarray,
    confidence: "Confidence",
    provenance: Provenance,
    *,
    seconds: Mapping[str, float],
    settings: Mapping[str, Any],
    files: Iterable[Path] = (),
) -> Path:
    """Write what was found in one scan, what made it and how long that took.

    Args:
        path: the file; missing folders are made.
        scan: the scan.
        masks: (C, H, W, D) bool, channel c is ORGANS[c].
        confidence: of each slice, see `slices_to_check`.
        provenance: bundle, weights and software.
        seconds: of each stage.
        settings: of the prediction, as JSON can hold them; neither paths nor patients.
        files: see `write_record`.

    Returns:
        The path.

    Raises:
        ValueError: masks or confidence of another shape than the scan.
        TypeError: settings that JSON does not hold.
    """
    scan.require_masks(masks)
    found = {
        "scan": _scan(scan),
        "check_first": [_rounded(check) for check in slices_to_check(scan, masks, confidence)],
        "organs": {organ: _organ(scan, mask) for organ, mask in zip(ORGAN_NAMES, masks, strict=True)},
    }
    return write_record(path, found, provenance, seconds=seconds, settings=settings, files=files)


def _doubts(scan: Scan, confidence: "Confidence") -> tuple[np.ndarray, np.ndarray | None]:
    for name, values in confidence._asdict().items():
        if values is not None and values.shape != scan.slice_numbers.shape:
            raise ValueError(f"{name}: shape {values.shape}, wanted {scan.slice_numbers.shape}, one for each slice")
    disagreement = confidence.disagreement
    return np.nan_to_num(confidence.entropy), None if disagreement is None else np.nan_to_num(disagreement)


def _reason(present: np.ndarray, d: int, *, flips: bool) -> str:
    """In words: what casts doubt, and about which organs; `present` is (C, D)."""
    doubt = "mirrored predictions disagree" if flips else "the network is unsure"
    organs = [organ for organ, here in zip(ORGAN_NAMES, present, strict=True) if here[d]]
    if not organs:
        return f"no organ found, but {doubt}"
    ends = [organ for organ in organs if _begins_or_ends(present[ORGAN_NAMES.index(organ)], d)]
    text = f"{doubt}; on the slice: {', '.join(organs)}"
    return f"{text}; first or last slice of: {', '.join(ends)}" if ends else text


def _begins_or_ends(here: np.ndarray, d: int) -> bool:
    """Whether d is the first or last slice with an organ, and not cut off by the scan's own end."""
    first, last = np.flatnonzero(here)[[0, -1]]
    return bool((d == first and d > 0) or (d == last and d < len(here) - 1))


def _scan(scan: Scan) -> dict[str, Any]:
    numbers = scan.slice_numbers
    missing = np.setdiff1d(np.arange(numbers[-1] + 1), numbers)
    facts = {
        "name": scan.name,
        "kind": scan.kind,
        "size": list(scan.voxels.shape),
        "spacing_mm": [round(step, 6) for step in scan.spacing_mm],
        "slices_missing": bool(missing.size),
        "missing_slices": missing.tolist(),
    }
    if missing.size:
        facts["note"] = "volumes leave the missing slices out"
    if scan.series is not None:
        facts["series_uid"] = scan.series.uid
        if scan.series.unreadable_beside:
            facts["unreadable_files_beside"] = scan.series.unreadable_beside
    return facts


def _organ(scan: Scan, mask: np.ndarray) -> dict[str, Any]:
    voxel_mm3 = abs(float(np.linalg.det(scan.affine[:3, :3])))
    names = [scan.slice_names[d] for d in np.flatnonzero(mask.any(axis=(0, 1)))]
    return {
        "volume_ml": round(int(np.count_nonzero(mask)) * voxel_mm3 / _MM3_IN_ML, 3),
        "first_slice": names[0] if names else None,
        "last_slice": names[-1] if names else None,
        "slices": names,
    }


def _rounded(check: SliceToCheck) -> dict[str, Any]:
    return {
        "slice": check.name,
        "number": check.number,
        "reason": check.reason,
        "entropy": round(check.entropy, 4),
        "disagreement": None if check.disagreement is None else round(check.disagreement, 4),
    }
