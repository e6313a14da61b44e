"""Labels in a NIfTI file as structures on the voxels of something else: axes turned and cut, nothing interpolated.

Names of the labels: of the JSON file beside it (`<name>.json`, as `monai_gi.writers.nifti` writes it); a file of one
label that is named `..._<organ>.nii.gz` is that organ; other labels are named "label 1", "label 2", ...
"""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

from monai_gi.dicom.structure_types import Structure
from monai_gi.errors import DataError
from monai_gi.labels import ORGAN_NAMES, ORGANS
from monai_gi.readers.volumes import read_volume

# Of a voxel: how far voxel centres of two grids may lie apart to be the same.
_SAME_GRID = 0.1
_RGB = {organ.name: organ.rgb for organ in ORGANS}


class Grid(NamedTuple):
    """Voxels in space.

    Attributes:
        affine: (4, 4), from (row, column, slice number) to RAS mm.
        slice_numbers: (D,), ascending from 0.
        size: (H, W).
    """

    affine: np.ndarray
    slice_numbers: np.ndarray
    size: tuple[int, int]


class LabelVolume(NamedTuple):
    """The labels of one file.

    Attributes:
        path: the file.
        labels: (I, J, K) of whole numbers, 0 is background.
        grid: of the file itself, axes as stored.
    """

    path: Path
    labels: np.ndarray
    grid: Grid


def read_label_volume(path: str | Path) -> LabelVolume:
    """Read a label map or a mask.

    Args:
        path: NIfTI of whole numbers.

    Returns:
        The labels as stored.

    Raises:
        DataError: the file can not be read as one volume, or holds fractions or negative numbers.
    """
    path = Path(path)
    scan = read_volume(path, path.name)
    if (scan.voxels < 0).any() or (scan.voxels != np.rint(scan.voxels)).any():
        raise DataError(path, "voxels that are not whole numbers from 0; give a label map or a mask, no probabilities")
    return LabelVolume(path, scan.voxels, Grid(scan.affine, scan.slice_numbers, scan.voxels.shape[:2]))


def structures_on(volume: LabelVolume, grid: Grid) -> list[Structure]:
    """Give every label as a mask on a grid.

    Args:
        volume: its voxels must coincide with the grid's, whatever the order and direction of its axes.
        grid: what masks are wanted on.

    Returns:
        One structure a label that occurs or that the JSON file names, by number.

    Raises:
        DataError: the file lies on another grid or does not cover this one.
    """
    labels, names = _on_grid(volume, grid), _names(volume)
    return [Structure(name, _RGB.get(name), None, labels == number) for number, name in sorted(names.items())]


def _on_grid(volume: LabelVolume, grid: Grid) -> np.ndarray:
    numbers = [np.arange(grid.size[0]), np.arange(grid.size[1]), np.asarray(grid.slice_numbers)]
    turn = np.linalg.inv(volume.grid.affine) @ grid.affine
    steps, first = turn[:3, :3], turn[:3, 3]
    axes = np.abs(steps).argmax(axis=0)  # of the file, for each axis of the grid
    ideal = np.zeros((3, 3))
    ideal[axes, range(3)] = np.sign(steps[axes, range(3)])
    drift = np.abs(steps - ideal) @ [number[-1] for number in numbers] + np.abs(first - np.rint(first))
    if sorted(axes) != [0, 1, 2] or drift.max() > _SAME_GRID:
        problem = "its voxels do not coincide with the ones compared to; resample it to them, labels by nearest voxel"
        raise DataError(volume.path, problem)
    at = [np.rint(first[axis]).astype(int) + int(ideal[axis, i]) * numbers[i] for i, axis in enumerate(axes)]
    labels = volume.labels.transpose(axes)
    if any(index.min() < 0 or index.max() >= length for index, length in zip(at, labels.shape, strict=True)):
        raise DataError(volume.path, "covers only a part of the voxels compared to; write it for the whole series")
    return labels[np.ix_(*at)]


def _names(volume: LabelVolume) -> dict[int, str]:
    numbers = [int(number) for number in np.unique(volume.labels) if number]
    stem = volume.path.name.removesuffix(".gz").removesuffix(".nii")
    described = volume.path.with_name(f"{stem}.json")
    if described.is_file():
        return {number: f"label {number}" for number in numbers} | _described_names(described)
    for organ in ORGAN_NAMES:
        if stem.endswith(organ) and numbers in ([], [1]):
            return {1: organ}
    return {number: f"label {number}" for number in numbers}


def _described_names(path: Path) -> dict[int, str]:
    try:
        labels = json.loads(path.read_text(encoding="utf-8"))["labels"]
        return {int(number): str(name) for number, name in labels.items() if int(number)}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            path, 'is no description of labels, wanted {"labels": {"1": name}}; mend or remove it'
        ) from error
