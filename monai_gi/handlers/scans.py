"""The scans of one iteration as NumPy arrays, from a MONAI evaluator that decollates.

Masks are bool (C, H, W, D) with channel c for ORGANS[c]; the image is float (H, W, D), 0 to 1; spacing is row, column,
slice in mm; the affine leads from (row, column, slice) indices to RAS mm.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from monai.data import MetaTensor
from monai.engines import Workflow

from monai_gi.labels import ORGANS
from monai_gi.slices import slice_affine


class Scan(NamedTuple):
    """One predicted scan.

    Attributes:
        id: as `case1_day0`.
        group: its case.
        slice_ids: D ids.
        spacing_mm: (row, column, slice).
        affine: (4, 4), float64.
        image: (H, W, D), as the network saw it.
        pred: predicted masks (C, H, W, D), bool.
        truth: true masks, None without truth.
    """

    id: str
    group: str
    slice_ids: tuple[str, ...]
    spacing_mm: tuple[float, float, float]
    affine: np.ndarray
    image: np.ndarray
    pred: np.ndarray
    truth: np.ndarray | None


def items_by_id(items: Sequence[Mapping[str, Any]] | None) -> dict[str, Mapping[str, Any]]:
    """Look scan items up by their id.

    Args:
        items: scan items; None gives none.

    Returns:
        The items by id.

    Raises:
        ValueError: an id comes twice.
    """
    found = {str(item["id"]): item for item in items or ()}
    if len(found) != len(items or ()):
        raise ValueError(f"items: {len(items or ())} scans with {len(found)} different ids, one id a scan is wanted")
    return found


def scans_of(engine: Workflow, items: Mapping[str, Mapping[str, Any]]) -> Iterator[Scan]:
    """Give the scans of the iteration that just ended.

    Args:
        engine: a MONAI evaluator with postprocessing that turned `pred` into masks (C, H, W, D).
        items: scan items by id; where there are none, scans are described by what the loader collated.

    Yields:
        Scan: each of the batch.

    Raises:
        ValueError: the engine does not decollate, a scan is not among the items, or what came is no mask of it.
    """
    if not isinstance(engine.state.output, list):
        raise ValueError("engine: decollate=True is wanted, so that each scan is judged or written by itself")
    for collated, output in zip(engine.state.batch, engine.state.output, strict=True):
        scan_id = str(collated["id"])
        if items and scan_id not in items:
            raise ValueError(f"{scan_id} is not among the handler's items; give it those of the data set")
        yield _scan(items.get(scan_id, collated), output)


def _scan(item: Mapping[str, Any], output: Mapping[str, Any]) -> Scan:
    pred, truth = _masks(output["pred"], f"{item['id']}: pred"), output.get("label")
    if len(item["slice_ids"]) != pred.shape[-1]:
        raise ValueError(f"{item['id']}: {len(item['slice_ids'])} slice ids for masks of shape {pred.shape}")
    row, column, slice_mm = (float(step) for step in item["spacing_mm"])
    return Scan(
        id=str(item["id"]),
        group=str(item["group"]),
        slice_ids=tuple(item["slice_ids"]),
        spacing_mm=(row, column, slice_mm),
        affine=_affine(output, (row, column, slice_mm)),
        image=_array(output["image"])[0],
        pred=pred,
        truth=None if truth is None else _masks(truth, f"{item['id']}: label"),
    )


def _masks(tensor: torch.Tensor | np.ndarray, name: str) -> np.ndarray:
    """Bool masks; probabilities would all be inside, so they are refused."""
    values = _array(tensor)
    inside = values != 0
    if values.ndim != 4 or len(values) != len(ORGANS):
        raise ValueError(f"{name} has shape {values.shape}, wanted ({len(ORGANS)}, H, W, D)")
    if values.dtype != bool and not np.array_equal(values, inside):
        raise ValueError(f"{name} holds other values than 0 and 1; make masks first, as ApplyOrganRulesd does")
    return inside


def _affine(output: Mapping[str, Any], spacing_mm: Sequence[float]) -> np.ndarray:
    """The affine of the image, else of the prediction; from the spacing where neither carries one."""
    for key in ("image", "pred"):
        if isinstance(output[key], MetaTensor):
            return _array(output[key].affine).astype(np.float64)
    return slice_affine(spacing_mm)


def _array(tensor: torch.Tensor | np.ndarray) -> np.ndarray:
    if isinstance(tensor, torch.Tensor):
        return tensor.detach().as_subclass(torch.Tensor).cpu().numpy()
    return np.asarray(tensor)
