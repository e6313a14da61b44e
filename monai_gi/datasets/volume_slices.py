"""Volumes of any orientation as training slices in the layout of UW-Madison: 16-bit PNG and run lengths.

Slices lie as that data's: rows to posterior, columns to the patient's left, slices to the feet (axis codes PLI),
1.5 mm in plane and 3 mm apart. A folder of one scan holds `scans/slice_0001_W_H_1.50_1.50.png` and, as its last file,
`import.json`; it is complete or it is not there.
"""

import json
import shutil
import uuid
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from monai_gi.datasets.scan_arrays import PARTIAL, remove_abandoned
from monai_gi.grids import TOLERANCE, network_grid
from monai_gi.labels import ORGAN_NAMES
from monai_gi.rle import encode_rle

SPACING_MM = (1.5, 1.5, 3.0)
FORMAT = 1
RECORD = "import.json"
SLICES = "scans"
_WHITE = 65535
_PNG_COMPRESSION = 1
_THREADS = 4


def store_volume(
    folder: Path, voxels: np.ndarray, masks: np.ndarray, affine: np.ndarray, facts: Mapping[str, Any]
) -> dict[str, Any]:
    """Write one scan as slices; an older import in the folder is replaced once the new one is complete.

    Args:
        folder: of the scan, such as `train/case301/case301_day0`.
        voxels: (H, W, D) grey values of any type.
        masks: (C, H, W, D), bool, channel c is ORGANS[c].
        affine: (4, 4), from (row, column, slice) indices to RAS mm.
        facts: plain values to keep in the record.

    Returns:
        The record: the facts, `format`, `size` [H, W], `spacing_mm`, `labels` ({organ: run lengths} a slice), and
        `slope` and `intercept` that give the source's values back from the stored ones.
    """
    image, masks = to_slices(voxels, masks, affine)
    grey, slope, intercept = to_16_bits(image)
    record = {
        **facts,
        "format": FORMAT,
        "size": list(grey.shape[:2]),
        "spacing_mm": list(SPACING_MM),
        "slope": slope,
        "intercept": intercept,
        "labels": [
            {organ: encode_rle(masks[channel, :, :, position]) for channel, organ in enumerate(ORGAN_NAMES)}
            for position in range(grey.shape[2])
        ],
    }
    remove_abandoned(folder.parent)
    beside = _beside(folder)
    try:
        _write_slices(beside / SLICES, grey)
        (beside / RECORD).write_text(json.dumps(record))
        _put_in_place(beside, folder, facts)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return record


def read_record(folder: Path) -> dict[str, Any] | None:
    """The record of an import.

    Args:
        folder: of a scan.

    Returns:
        What `store_volume` returned; None where there is none of this format.
    """
    try:
        record = json.loads((folder / RECORD).read_bytes())
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) and record.get("format") == FORMAT else None


def stored_items(folder: Path, record: Mapping[str, Any], scan: str, group: str) -> list[dict[str, Any]]:
    """The slices of an import as items of training.

    Args:
        folder: of the scan.
        record: of its import.
        scan: name of the scan.
        group: what must not be split between folds.

    Returns:
        Slice items as `index_uw_madison` gives them, paths below `folder`.
    """
    return [
        {
            "id": f"{scan}_slice_{number:04d}",
            "group": group,
            "scan": scan,
            "slice": number,
            "image": str(folder / SLICES / _file_name(number, record["size"], record["spacing_mm"])),
            "label": dict(label),
            "size": list(record["size"]),
            "spacing_mm": list(record["spacing_mm"]),
        }
        for number, label in enumerate(record["labels"], 1)
    ]


def to_slices(
    voxels: np.ndarray, masks: np.ndarray, affine: np.ndarray, spacing_mm: Sequence[float] = SPACING_MM
) -> tuple[np.ndarray, np.ndarray]:
    """Turn a volume and its masks to PLI and resample them linearly, the first voxel's centre kept.

    Args:
        voxels: (H, W, D).
        masks: (C, H, W, D), bool.
        affine: (4, 4) to RAS mm.
        spacing_mm: wanted (row, column, slice); an axis that has it to 0.001 mm is left as it is.

    Returns:
        Voxels, float32 where they were resampled, and masks (resampled, then at least 0.5); an axis has
        round((N - 1) * old / new + 1) voxels.
    """
    grid = network_grid(affine, voxels.shape, spacing_mm[:2])
    step = spacing_mm[2] / grid.plane_spacing_mm
    is_near = abs(spacing_mm[2] - grid.plane_spacing_mm) <= TOLERANCE
    is_same = is_near and grid.ratios == (1, 1)

    def resample(values: np.ndarray) -> np.ndarray:
        planes = grid.planes_of(values)
        if not is_same:
            planes = grid.resample(torch.from_numpy(planes.astype(np.float32))).numpy()
        planes = planes if is_near else _along_slices(planes, step)
        return np.moveaxis(planes, 0, 2)

    return resample(voxels), np.stack([resample(mask) >= 0.5 for mask in masks])


def to_16_bits(values: np.ndarray) -> tuple[np.ndarray, float, float]:
    """Grey values as uint16, rounded; contrast windows are percentiles, so a linear change does no harm.

    Args:
        values: any real type, finite.

    Returns:
        uint16, and slope and intercept with values = slope * stored + intercept. Values that fit keep slope 1: those
        from 0 to 65535 that are whole or spread over more than 255 also intercept 0.
    """
    low, high = float(values.min()), float(values.max())
    is_whole = values.dtype.kind in "iu" or high - low > 255
    intercept = (0.0 if low >= 0 and high <= _WHITE else float(np.rint(low))) if is_whole else low
    slope = 1.0 if is_whole and high - intercept <= _WHITE else (high - intercept) / _WHITE or 1.0
    return np.rint((values.astype(np.float64) - intercept) / slope).astype(np.uint16), slope, intercept


def _along_slices(planes: np.ndarray, step: float) -> np.ndarray:
    """(planes, rows, columns) at 0, step, 2 step, ..., linearly; beyond the last plane it goes on."""
    last = len(planes) - 1
    places = np.minimum(np.arange(int(np.round(last / step + 1))) * step, last)
    low = np.floor(places).astype(np.int64)
    way = (places - low).astype(np.float32)[:, None, None]
    return planes[low] * (1 - way) + planes[np.minimum(low + 1, last)] * way


def _write_slices(folder: Path, grey: np.ndarray) -> None:
    folder.mkdir(parents=True)

    def write(position: int) -> None:
        name = _file_name(position + 1, grey.shape, SPACING_MM)
        pixels = np.ascontiguousarray(grey[:, :, position])
        Image.fromarray(pixels).save(folder / name, compress_level=_PNG_COMPRESSION)

    with ThreadPoolExecutor(_THREADS) as pool:
        list(pool.map(write, range(grey.shape[2])))


def _beside(folder: Path) -> Path:
    """A name that no reader of data sets looks at."""
    return folder.with_name(f".{folder.name}.{uuid.uuid4().hex}{PARTIAL}")


def _file_name(number: int, size: Sequence[int], spacing_mm: Sequence[float]) -> str:
    """Width and x before height and y, as UW-Madison names its slices."""
    return f"slice_{number:04d}_{size[1]}_{size[0]}_{spacing_mm[1]:.2f}_{spacing_mm[0]:.2f}.png"


def _put_in_place(beside: Path, folder: Path, facts: Mapping[str, Any]) -> None:
    """Rename a complete folder over an older import; where another process put the same one there, that stays."""
    if _is_there(folder, facts):
        return
    if folder.exists():
        old = _beside(folder)
        folder.rename(old)
        shutil.rmtree(old, ignore_errors=True)
    try:
        beside.rename(folder)
    except OSError:
        if not _is_there(folder, facts):
            raise


def _is_there(folder: Path, facts: Mapping[str, Any]) -> bool:
    record = read_record(folder)
    return record is not None and all(record.get(key) == value for key, value in facts.items())
