"""Masks as NIfTI files: one an organ, and one label map; axes (row, column, slice) with an affine to RAS millimetres.

A label map can not hold overlaps: LABEL_MAP_PRIORITY decides, and stands in its header and in a JSON file beside it.
Format: https://nifti.nimh.nih.gov/nifti-1/documentation/nifti1fields
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from isal import igzip

from monai_gi.atomic_file import write_whole
from monai_gi.labels import LABEL_MAP_PRIORITY, ORGAN_NAMES, ORGANS, to_label_map
from monai_gi.provenance import INTENDED_USE, MASK_NOTE, Provenance
from monai_gi.scan import Scan
from monai_gi.writers.scan_names import check_name

OVERLAP_RULE = "Overlaps: " + " over ".join(reversed(LABEL_MAP_PRIORITY))
_SCANNER = 1  # NIFTI_XFORM_SCANNER_ANAT
_FAST = 1


def write_nifti(folder: str | Path, scan_id: str, masks: np.ndarray, affine: np.ndarray) -> list[Path]:
    """Write `<scan>_<organ>.nii.gz` for each organ, `<scan>_labels.nii.gz` and `<scan>_labels.json`.

    Args:
        folder: made where it is missing; files of these names are replaced.
        scan_id: as `case1_day0`.
        masks: (C, H, W, D), channel c is ORGANS[c]; what is not zero is inside. Empty masks are written too.
        affine: (4, 4), from (row, column, slice) indices to RAS mm.

    Returns:
        The files, the JSON last.

    Raises:
        ValueError: shapes, the scan's id or the affine do not fit.
    """
    _check(scan_id, masks, affine)
    inside = masks if masks.dtype == bool else masks != 0
    return _write(Path(folder), scan_id, inside, affine)


def write_scan_nifti(
    folder: str | Path, scan: Scan, masks: np.ndarray, provenance: Provenance | None = None
) -> list[Path]:
    """Write the masks of a scan as `write_nifti` does, on a lattice without gaps, and say what made them.

    Args:
        folder: made where it is missing; files of these names are replaced.
        scan: gives name, affine and slice numbers.
        masks: (C, H, W, D) bool, channel c is ORGANS[c], slice d stands at scan.slice_numbers[d]. In the files the
            third axis is the slice number, N = last number + 1; slices missing from the scan are empty there, and the
            JSON lists them as `missing_slices`, because nobody looked at them.
        provenance: stands in the JSON; None leaves it out.

    Returns:
        The files, the JSON last.

    Raises:
        ValueError: masks of another type or shape than described, or a scan whose name can not name files.
    """
    scan.require_masks(masks)
    _check(scan.name, masks, scan.affine)
    numbers = scan.slice_numbers
    missing = np.setdiff1d(np.arange(numbers[-1] + 1), numbers)
    lattice = masks
    if missing.size:
        lattice = np.zeros((*masks.shape[:3], int(numbers[-1]) + 1), dtype=bool)
        lattice[..., numbers] = masks
    facts: dict[str, Any] = {"intended_use": INTENDED_USE, "missing_slices": missing.tolist()}
    if provenance is not None:
        facts["made_by"] = provenance._asdict()
    return _write(Path(folder), scan.name, lattice, scan.affine, note=f"; {MASK_NOTE}", facts=facts)


def _write(
    folder: Path,
    scan_id: str,
    masks: np.ndarray,
    affine: np.ndarray,
    *,
    note: str = "",
    facts: Mapping[str, Any] | None = None,
) -> list[Path]:
    """One file an organ, the label map and the JSON."""
    files = [
        write_whole(folder / f"{scan_id}_{organ}.nii.gz", _nifti_gz(mask.astype(np.uint8), affine, organ + note))
        for organ, mask in zip(ORGAN_NAMES, masks, strict=True)
    ]
    labels = _nifti_gz(to_label_map(masks)[0], affine, OVERLAP_RULE + note, top=len(ORGANS))
    files.append(write_whole(folder / f"{scan_id}_labels.nii.gz", labels))
    text = json.dumps({**_description(scan_id, masks), **(facts or {})}, indent=2) + "\n"
    return [*files, write_whole(folder / f"{scan_id}_labels.json", text)]


def _check(scan_id: str, masks: np.ndarray, affine: np.ndarray) -> None:
    check_name(scan_id)
    if masks.ndim != 4 or len(masks) != len(ORGANS):
        raise ValueError(f"masks: shape {masks.shape}, wanted ({len(ORGANS)}, H, W, D) as {ORGAN_NAMES}")
    if np.shape(affine) != (4, 4) or not np.isfinite(affine).all() or np.linalg.det(affine) == 0:
        raise ValueError(f"affine: {np.asarray(affine).tolist()}, wanted an invertible matrix (4, 4)")


def _nifti_gz(voxels: np.ndarray, affine: np.ndarray, description: str, top: int = 1) -> bytes:
    """One volume (H, W, D), uint8, as the bytes of a .nii.gz file; the same input gives the same bytes."""
    image = nib.Nifti1Image(voxels, affine)
    image.set_sform(affine, code=_SCANNER)
    image.set_qform(affine, code=_SCANNER)
    if not np.allclose(image.get_qform(), affine, atol=1e-3):
        image.set_qform(None, code=0)  # a quaternion holds no shear: the sform alone tells the truth then
    image.header.set_xyzt_units("mm")
    image.header["descrip"] = description.encode("ascii")
    image.header["cal_max"] = top
    return igzip.compress(image.to_bytes(), compresslevel=_FAST, mtime=0)


def _description(scan_id: str, masks: np.ndarray) -> dict[str, Any]:
    return {
        "scan": scan_id,
        "labels": {"0": "background", **{str(organ.index): organ.name for organ in ORGANS}},
        "colours": {organ.name: list(organ.rgb) for organ in ORGANS},
        "where_organs_overlap": f"the later name wins: {', '.join(LABEL_MAP_PRIORITY)}",
        "overlapping_voxels": int(np.count_nonzero(masks.sum(axis=0, dtype=np.uint8) > 1)),
        "overlaps_are_kept_in": [f"{scan_id}_{organ}.nii.gz" for organ in ORGAN_NAMES],
    }
