"""The scans or frames of one iteration as NumPy arrays, from a MONAI evaluator that decollates.

Masks are bool (C, H, W, D) with channel c for classes[c] (ORGANS as a rule); the image is float (H, W, D), 0 to 1;
spacing is row, column, slice in mm; the affine leads from (row, column, slice) indices to RAS mm. A frame, an item
without `slice_ids`, is a scan of one slice with pixels as its unit, in colour: its image is (H, W, 3, 1).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from monai.data import MetaTensor
from monai.engines import Workflow

from monai_gi.labels import ORGAN_NAMES
from monai_gi.slices import slice_affine


class Scan(NamedTuple):
    """One predicted scan, or frame.

    Attributes:
        id: as `case1_day0`.
        group: its case, or sequence.
        slice_ids: D ids.
        spacing_mm: (row, column, slice).
        affine: (4, 4), float64.
        image: (H, W, D), as the network saw it; (H, W, 3, 1) of a frame.
        pred: predicted masks (C, H, W, D), bool.
        truth: true masks, None without truth.
        is_frame: one picture in colour, D is 1.
    """

    id: str
    group: str
    slice_ids: tuple[str, ...]
    spacing_mm: tuple[float, float, float]
    affine: np.ndarray
    image: np.ndarray
    pred: np.ndarray
    truth: np.ndarray | None
    is_frame: bool = False


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


def scans_of(
    engine: Workflow, items: Mapping[str, Mapping[str, Any]], classes: Sequence[str] = ORGAN_NAMES
) -> Iterator[Scan]:
    """Give the scans of the iteration that just ended.

    Args:
        engine: a MONAI evaluator with postprocessing that turned `pred` into masks (C, H, W, D), of frames (C, H, W).
        items: scan or frame items by id; where there are none, scans are described by what the loader collated.
        classes: names of the C channels.

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
        item = items.get(scan_id, collated)
        yield (_scan if "slice_ids" in item else _frame)(item, output, classes)


def _scan(item: Mapping[str, Any], output: Mapping[str, Any], classes: Sequence[str]) -> Scan:
    pred, truth = _masks(output["pred"], f"{item['id']}: pred", classes), output.get("label")
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
        truth=None if truth is None else _masks(truth, f"{item['id']}: label", classes),
    )


def _frame(item: Mapping[str, Any], output: Mapping[str, Any], classes: Sequence[str]) -> Scan:
    pred, truth = _masks(output["pred"], f"{item['id']}: pred", classes, "H, W"), output.get("label")
    pixels = np.moveaxis(_array(output["image"]), 0, -1)
    if pixels.shape != (*pred.shape[1:], 3):
        raise ValueError(f"{item['id']}: image of shape {pixels.shape} for masks of {pred.shape}, wanted one RGB frame")
    return Scan(
        id=str(item["id"]),
        group=str(item["group"]),
        slice_ids=(str(item["id"]),),
        spacing_mm=(1.0, 1.0, 1.0),
        affine=np.eye(4),
        image=(pixels / np.float32(255) if pixels.dtype == np.uint8 else pixels)[..., None],
        pred=pred[..., None],
        truth=None if truth is None else _masks(truth, f"{item['id']}: label", classes, "H, W")[..., None],
        is_frame=True,
    )


def _masks(tensor: torch.Tensor | np.ndarray, name: str, classes: Sequence[str], axes: str = "H, W, D") -> np.ndarray:
    """Bool masks; probabilities would all be inside, so they are refused."""
    values = _array(tensor)
    inside = values != 0
    if values.ndim != len(axes.split()) + 1 or len(values) != len(classes):
        raise ValueError(f"{name} has shape {values.shape}, wanted ({len(classes)}, {axes})")
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
