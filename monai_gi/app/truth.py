"""Truth for comparison: RTSTRUCT, DICOM SEG, NIfTI or PNG labels for scans, masks for frames, label maps for slides."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from monai_gi.app.limits import require_truth_size
from monai_gi.datasets.organ_names import sort_structures
from monai_gi.dicom.geometry import arrange
from monai_gi.dicom.structures import Structure, read_structures
from monai_gi.errors import DataError
from monai_gi.labels import ORGAN_NAMES, ORGANS
from monai_gi.readers.label_volumes import Grid, read_label_volume, structures_on
from monai_gi.readers.sources import file_kind
from monai_gi.scan import Scan
from monai_gi.slices import read_slice

_MOST_LABELS = 300
_MOST_NAMED = 8
_WANTED = "an RTSTRUCT, a DICOM SEG or a NIfTI of labels was wanted"
_NUMBERED = {f"label {organ.index}": organ.name for organ in ORGANS}


class ScanTruth(NamedTuple):
    """Organs somebody else drew.

    Attributes:
        masks: (C, H, W, D) bool on the scan's voxels, channel c is ORGANS[c].
        known: names of the organs that the files tell of; the others were perhaps never drawn.
        notes: what was left out, in sentences.
    """

    masks: np.ndarray
    known: tuple[str, ...]
    notes: tuple[str, ...] = ()


def read_scan_truth(paths: Sequence[Path], scan: Scan) -> ScanTruth:
    """Read the truth of a scan.

    Args:
        paths: one file or several, such as one mask an organ; JSON files name the labels of the NIfTI beside them.
        scan: that it belongs to.

    Returns:
        Organs on the scan's voxels.

    Raises:
        DataError: a file is none of these, does not lie on the scan, or tells of no organ.
    """
    structures: list[Structure] = []
    by_code = False
    for path in paths:
        if path.suffix == ".json":
            continue
        kind = file_kind(path)
        by_code |= kind == "dicom"
        structures += _structures(path, kind, scan)
    named = [one._replace(name=_NUMBERED.get(one.name, one.name)) for one in structures]
    found = sort_structures(named, scan.voxels.shape, {}, codes=by_code)
    if not found.taken:
        held = ", ".join(repr(name) for name in found.left) or "nothing"
        wanted = ", ".join(name.replace("_", " ") for name in ORGAN_NAMES)
        raise DataError(paths[0].name, f"holds {held}; contours of {wanted} are wanted. Rename them")
    known = tuple(dict.fromkeys(organ for organ, _ in found.taken))
    return ScanTruth(found.masks, known, (*_left_out(found.left), *(f"{note}." for note in found.notes)))


def _left_out(names: Sequence[str]) -> tuple[str, ...]:
    """A sentence about structures that are no organs of ours; none where there are none."""
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return (f"In the truth, but not compared: {', '.join(names[:_MOST_NAMED])}{more}.",) if names else ()


def _require_labels(path: Path, labels: np.ndarray) -> None:
    """Refuse what is no label map, such as the scan itself: every number would become a mask of its size."""
    count = len(np.unique(labels))
    if count > _MOST_LABELS:
        raise DataError(path.name, f"holds {count:,} different numbers, as scans do; {_WANTED}")


def read_plane_truth(path: Path, size: tuple[int, int]) -> np.ndarray:
    """Read a label image of one slice.

    Args:
        path: grey PNG of `Organ.index`, 0 outside.
        size: (H, W) of the slice.

    Returns:
        (H, W) of whole numbers.

    Raises:
        DataError: it is no grey PNG, of another size, or holds other numbers.
    """
    labels = read_slice(path)
    if labels.shape != size:
        raise DataError(path.name, f"{labels.shape[0]} × {labels.shape[1]} pixels, the image has {size[0]} × {size[1]}")
    if labels.max() > max(organ.index for organ in ORGANS):
        listed = ", ".join(f"{organ.index} {organ.name.replace('_', ' ')}" for organ in ORGANS)
        raise DataError(path.name, f"holds the number {labels.max()}; 0 outside, {listed} are wanted")
    return labels


def resized(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A mask in small, by the nearest pixel.

    Args:
        mask: (H, W) bool.
        size: (h, w).

    Returns:
        (h, w) bool.
    """
    height, width = size
    return np.asarray(Image.fromarray(mask.astype(np.uint8)).resize((width, height), Image.Resampling.NEAREST)) > 0


def _structures(path: Path, kind: str, scan: Scan) -> list[Structure]:
    height, width, _ = scan.voxels.shape
    require_truth_size(path, scan)
    if kind == "nifti":
        volume = read_label_volume(path)
        _require_labels(path, volume.labels)
        return structures_on(volume, Grid(scan.affine, scan.slice_numbers, (height, width)))
    if kind == "png" and scan.voxels.shape[2] == 1:
        labels = read_plane_truth(path, (height, width))[..., None]
        return [Structure(organ.name, organ.rgb, None, labels == organ.index) for organ in ORGANS]
    if kind not in ("dicom", "other"):
        raise DataError(path.name, f"{_WANTED}, not {kind}")
    if scan.series is None:
        raise DataError(
            path.name, "DICOM contours need the DICOM series, and this scan is none. Take a NIfTI of labels"
        )
    allow_gaps = bool(np.any(np.diff(scan.slice_numbers) != 1))
    return read_structures(path, arrange(scan.series, allow_gaps=allow_gaps))
