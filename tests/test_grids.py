"""The network's grid against MONAI's Orientationd, Spacingd and Invertd, and by hand."""

import itertools

import nibabel
import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import Compose, Invertd, Orientationd, Spacingd

from monai_gi.grids import network_grid
from tests.drawn_volumes import affine_of

ORIENTATIONS = [
    (axes, signs) for axes in itertools.permutations(range(3)) for signs in itertools.product((1, -1), repeat=3)
]
LABELS = (("L", "R"), ("P", "A"), ("I", "S"))


def compare(affine: np.ndarray, shape: tuple[int, int, int], spacing_mm: tuple[float, float]) -> None:
    """There and back again, beside MONAI."""
    random = np.random.default_rng(sum(shape))
    voxels = random.random(shape).astype(np.float32)
    steps = Compose(
        [
            Orientationd("image", axcodes="PLI", labels=LABELS),
            Spacingd("image", pixdim=(*spacing_mm, -1), mode="bilinear", padding_mode="border"),
        ]
    )
    item = steps({"image": MetaTensor(voxels[None], affine=affine)})
    wanted = item["image"].as_tensor()[0].permute(2, 0, 1)
    grid = network_grid(affine, shape, spacing_mm)
    ours = grid.resample(torch.from_numpy(grid.planes_of(voxels)))
    assert ours.shape == wanted.shape
    torch.testing.assert_close(ours, wanted, atol=1e-6, rtol=0)
    pred = torch.from_numpy(random.random((2, *wanted.shape[1:], len(wanted))).astype(np.float32))
    inverted = Invertd("pred", steps, "image", nearest_interp=False)({**item, "pred": MetaTensor(pred.clone())})["pred"]
    back, planes = grid.room(2, np.float32)
    planes[:] = grid.restore(pred.permute(3, 0, 1, 2)).numpy()
    np.testing.assert_allclose(back, inverted.numpy(), atol=1e-6)


@pytest.mark.parametrize(("axes", "signs"), ORIENTATIONS)
def test_every_orientation_straight_and_oblique_equals_monai(axes, signs):
    for turn in (0.0, 0.4):
        compare(affine_of(axes, signs, (0.8, 1.7, 3.1), turn), (9, 14, 5), (1.5, 1.5))


@pytest.mark.parametrize("spacing", [0.6, 0.75, 0.78125, 1.25, 1.63, 2.2, 4.0])
@pytest.mark.parametrize("wanted", [(1.5, 1.5), (1.1, 2.3)])
def test_finer_and_coarser_voxels_equal_monai(spacing, wanted):
    for turn in (0.0, 0.3):
        compare(affine_of((1, 0, 2), (-1, -1, -1), (spacing, 1.9, 2.5), turn), (22, 17, 3), wanted)


@pytest.mark.parametrize("spacing_mm", [(0.8, 1.9, 3.0), (1.4993, 1.5011, 3.0), (1.5014, 1.5014, 3.0)])
def test_axes_of_an_oblique_file_are_not_quite_at_right_angles(spacing_mm):
    # with float32, as NIfTI holds them, MONAI keeps the centre where it is, not the first voxel
    affine = affine_of((1, 0, 2), (-1, -1, 1), spacing_mm, 0.7).astype(np.float32).astype(np.float64)
    compare(affine, (22, 17, 3), (1.5, 1.5))
    assert network_grid(affine, (22, 17, 3), (1.1, 1.1)).starts[0] != 0


@pytest.mark.parametrize("length", range(12, 24))
def test_half_a_voxel_is_rounded_as_monai_does(length):
    # (N - 1) * 1.25 / 1.5 + 1 ends in a half for every sixth N, by luck of rounding above or below it
    compare(affine_of((1, 0, 2), (-1, -1, -1), (1.25, 0.75, 3)), (length, length, 2), (1.5, 1.5))


@pytest.mark.parametrize("spacing", [1.499, 1.4995, 1.5009, 1.5011, 1.50151])
@pytest.mark.parametrize("other", [1.5, 1.9])
def test_nearly_wanted_spacings_are_left_alone_where_monai_does(spacing, other):
    compare(affine_of((1, 0, 2), (-1, -1, -1), (spacing, other, 3)), (20, 15, 2), (1.5, 1.5))


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 5, 2), (6, 1, 1), (2, 2, 1)])
def test_a_line_and_a_point_have_no_neighbours(shape):
    compare(affine_of((1, 0, 2), (-1, 1, -1), (0.7, 4.0, 3)), shape, (1.5, 1.5))


def test_the_wanted_spacing_leaves_every_bit():
    affine = affine_of((0, 1, 2), (1, -1, 1), (1.5, 1.5, 3))
    voxels = np.random.default_rng(0).integers(0, 4000, (5, 7, 3)).astype(np.uint16)
    grid = network_grid(affine, voxels.shape, (1.5, 1.5))
    planes = grid.planes_of(voxels)
    assert planes.dtype == np.uint16
    assert planes.flags.c_contiguous
    # rows run to posterior, columns to the left, planes to the feet
    assert np.array_equal(planes, voxels.transpose(2, 1, 0)[::-1, :, ::-1])
    floats = torch.from_numpy(planes.astype(np.float32))
    assert grid.resample(floats) is floats
    assert grid.restore(floats) is floats
    back, room = grid.room(1, np.uint16)
    room[:, 0] = planes
    assert back.dtype == np.uint16
    assert np.array_equal(back[0], voxels)


def test_a_ramp_is_sampled_where_the_voxels_stand():
    affine = affine_of((1, 0, 2), (-1, -1, -1), (1.0, 3.0, 2.5))
    grid = network_grid(affine, (7, 5, 2), (1.5, 1.5))
    rows, columns = np.meshgrid(np.arange(7.0), np.arange(5.0), indexing="ij")
    ramp = grid.resample(torch.from_numpy((10 * rows + columns).astype(np.float32))[None])[0]
    assert grid.size == (5, 9)
    assert grid.plane_spacing_mm == 2.5
    wanted = 10 * 1.5 * np.arange(5.0)[:, None] + 0.5 * np.arange(9.0)
    np.testing.assert_allclose(ramp.numpy(), wanted, atol=1e-5)


def test_beyond_the_last_voxel_it_repeats():
    grid = network_grid(affine_of((1, 0, 2), (-1, -1, -1), (1.0, 1.5, 3)), (3, 1, 1), (1.5, 1.5))
    column = torch.tensor([[[0.0], [10.0], [20.0]]])
    assert grid.resample(column)[0, :, 0].tolist() == [0, 15]
    # voxels at 0, 1 and 2 mm of samples at 0 and 1.5 mm
    np.testing.assert_allclose(grid.restore(torch.tensor([[[0.0], [15.0]]]))[0, :, 0], [0, 10, 15], atol=1e-5)


def test_axes_are_those_of_nibabel():
    for axes, signs in ORIENTATIONS:
        affine = affine_of(axes, signs, (0.8, 1.7, 3.1), 0.5)
        voxels = np.arange(24).reshape(2, 3, 4)
        turn = nibabel.orientations.ornt_transform(
            nibabel.io_orientation(affine), nibabel.orientations.axcodes2ornt("PLI")
        )
        wanted = nibabel.orientations.apply_orientation(voxels, turn)
        ours = network_grid(affine, voxels.shape, (1.5, 1.5)).planes_of(voxels)
        assert np.array_equal(np.moveaxis(ours, 0, 2), wanted)


@pytest.mark.parametrize("spacing_mm", [(0.0, 1.5), (1.5, -1.0)])
def test_spacings_are_above_zero(spacing_mm):
    with pytest.raises(ValueError, match=r"spacing .* mm and affine .*, wanted both above 0"):
        network_grid(np.eye(4), (3, 3, 3), spacing_mm)


def test_a_flat_affine_has_no_grid():
    with pytest.raises(ValueError, match="wanted both above 0 in volume"):
        network_grid(np.diag([1.0, 1, 0, 1]), (3, 3, 3), (1.5, 1.5))
