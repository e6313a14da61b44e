"""`monai-gi predict` finds the organs where they are in the patient: every direction of slices, every spacing."""

import nibabel as nib
import numpy as np
import pytest

from monai_gi.contouring import contour
from monai_gi.datasets.phantom.dicom_files import write_series
from monai_gi.dicom.geometry import arrange
from monai_gi.dicom.series import find_series
from monai_gi.dicom.structures import read_structures
from monai_gi.labels import ORGAN_NAMES
from monai_gi.metrics import dice
from monai_gi.prediction_request import Request
from tests.brightness_bundle import brightness_masks, write_brightness_bundle

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
# Unit vectors in which rows, columns and slices ascend, LPS: all six ways through a patient.
DIRECTIONS = {
    "axial to the head": ((0, 1, 0), (1, 0, 0), (0, 0, 1)),
    "axial to the feet": ((0, -1, 0), (1, 0, 0), (0, 0, -1)),
    "sagittal to the left": ((0, 0, -1), (0, 1, 0), (-1, 0, 0)),
    "sagittal to the right": ((0, 0, -1), (0, -1, 0), (1, 0, 0)),
    "coronal to the back": ((0, 0, -1), (1, 0, 0), (0, 1, 0)),
    "coronal to the front": ((0, 0, -1), (-1, 0, 0), (0, -1, 0)),
}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return write_brightness_bundle(tmp_path_factory.mktemp("bundle") / "brightness")


def ask(bundle, source, output, **options):
    return contour(Request(bundle, source, output, weights=bundle / "model.pt", device="cpu", **options))


def affine_of(axes, shape, spacing_mm):
    """(4, 4) to LPS mm: the middle of the volume lies near the origin, and not on it."""
    affine_lps = np.eye(4)
    affine_lps[:3, :3] = np.transpose(axes) * spacing_mm
    affine_lps[:3, 3] = -affine_lps[:3, :3] @ (np.array(shape) - 1) / 2 + (2, -1, 3)
    return affine_lps


def masks_of(results, images, affine_lps):
    """Masks (C, H, W, D) of every file, on the voxels as they were written."""
    arrangement = arrange(find_series(images)[0])
    assert np.allclose(arrangement.affine_lps, affine_lps)
    found = {}
    for file in ("rtstruct.dcm", "seg.dcm"):
        structures = {structure.name: structure.mask for structure in read_structures(results / file, arrangement)}
        found[file] = np.stack([structures[organ] for organ in ORGAN_NAMES])
    volumes = [nib.load(next(results.glob(f"*_{organ}.nii.gz"))) for organ in ORGAN_NAMES]
    assert all(np.allclose(volume.affine, LPS_TO_RAS @ affine_lps, atol=1e-4) for volume in volumes)
    return {**found, "nifti": np.stack([np.asarray(volume.dataobj) != 0 for volume in volumes])}


def lump(shape, affine_lps):
    """A bright box with a brighter corner, far from the middle and of another length along every axis of the body."""
    rows, columns, slices = np.indices(shape)
    places = np.einsum("ij,jhwd->ihwd", affine_lps, np.stack([rows, columns, slices, np.ones(shape)]))[:3]
    voxels = np.full(shape, 100, dtype=np.uint16)
    box = np.all([places[0] > 3, places[1] < -2, places[2] > 4, places[2] < 16], axis=0)
    voxels[box] = 700
    voxels[box & (places[0] > 12) & (places[2] > 10)] = 1000
    return voxels


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_all_results_lie_where_the_brightness_lies_in_the_patient(tmp_path, bundle, direction):
    shape = (22, 26, 18)
    affine_lps = affine_of(DIRECTIONS[direction], shape, (1.5, 1.5, 1.5))
    voxels = lump(shape, affine_lps)
    write_series(tmp_path / "in", voxels, affine_lps)
    (outcome,) = ask(bundle, tmp_path / "in", tmp_path / "out", thresholds=((None, 0.5),))
    expected = brightness_masks(voxels)
    assert expected.any(axis=(1, 2, 3)).all()
    for file, masks in masks_of(outcome.folder, tmp_path / "in", affine_lps).items():
        assert np.array_equal(masks, expected), file


def rounded(affine_lps, shape):
    """A lump (H, W, D) that fades outwards, far from the middle and of another width along every axis of the body."""
    indices = np.stack([*np.indices(shape), np.ones(shape)])
    x, y, z = np.einsum("ij,jhwd->ihwd", affine_lps, indices)[:3]
    distance_mm = np.sqrt((x - 4) ** 2 + ((y + 3) / 0.8) ** 2 + ((z - 5) / 1.2) ** 2)
    return np.rint(1000 * np.clip(1.25 - distance_mm / 24, 0, 1)).astype(np.uint16)


def centroids_mm(masks, affine_lps):
    return [affine_lps[:3, :3] @ np.argwhere(mask).mean(axis=0) + affine_lps[:3, 3] for mask in masks]


@pytest.mark.parametrize("direction", ["axial to the feet", "sagittal to the left", "coronal to the front"])
def test_scans_of_three_spacings_are_resampled_there_and_back_without_a_shift(tmp_path, bundle, direction):
    shape = (60, 30, 18)
    affine_lps = affine_of(DIRECTIONS[direction], shape, (0.8, 1.7, 3.2))
    voxels = rounded(affine_lps, shape)
    write_series(tmp_path / "in", voxels, affine_lps)
    (outcome,) = ask(bundle, tmp_path / "in", tmp_path / "out")
    found = masks_of(outcome.folder, tmp_path / "in", affine_lps)
    expected = brightness_masks(voxels)
    assert np.array_equal(found["rtstruct.dcm"], found["seg.dcm"])
    assert np.array_equal(found["nifti"], found["seg.dcm"])
    for organ, mask, wanted in zip(ORGAN_NAMES, found["nifti"], expected, strict=True):
        assert dice(mask, wanted) > 0.95, organ
        assert abs(mask.sum() / wanted.sum() - 1) < 0.05, organ
    shifts = np.subtract(centroids_mm(found["nifti"], affine_lps), centroids_mm(expected, affine_lps))
    assert np.abs(shifts).max() < 0.25, "mm; half a voxel would be 0.4, 0.85 or 1.6"
