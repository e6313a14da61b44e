"""Volumes as slices: orientation and grid against MONAI, grey values, run lengths, and folders whole or absent."""

import itertools

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import Orientation, Spacing
from PIL import Image

from monai_gi.datasets import volume_slices
from monai_gi.datasets.scan_folders import read_scan
from monai_gi.datasets.volume_slices import read_record, store_volume, stored_items, to_16_bits, to_slices
from monai_gi.labels import ORGAN_NAMES
from monai_gi.rle import decode_rle
from tests.drawn_nifti_files import SIZE, draw_affine, draw_volume

DIRECTIONS = [
    "".join(codes) for order in itertools.permutations(("RL", "AP", "SI")) for codes in itertools.product(*order)
]


def draw_masks(size=SIZE, seed=0):
    """Two overlapping boxes and an empty organ, uneven in every axis."""
    masks = np.zeros((3, *size), dtype=bool)
    masks[0, 1:5, 1:4, :3] = True
    masks[1, 3:, 2:, 1:] = True
    return masks


def smooth(size=(12, 9, 8)):
    rng = np.random.default_rng(0)
    values = rng.random(size)
    for axis in range(3):
        values = values + np.roll(values, 1, axis)
    return (values * 4000).astype(np.uint16)


def monai_slices(values, affine, spacing_mm):
    image = MetaTensor(torch.from_numpy(values[None].astype(np.float64)), affine=torch.from_numpy(affine))
    turned = Orientation(axcodes="PLI", labels=None)(image)
    return Spacing(pixdim=spacing_mm, mode="bilinear", padding_mode="border", dtype=np.float64)(turned)[0].numpy()


@pytest.mark.parametrize("axcodes", DIRECTIONS)
def test_axes_run_to_posterior_left_and_feet_whatever_they_were(axcodes):
    size = {"L": 7, "R": 7, "A": 5, "P": 5, "S": 4, "I": 4}
    patient = draw_volume((5, 7, 4))  # rows to posterior, columns to left, slices to feet
    turn = nib.orientations.ornt_transform(nib.orientations.axcodes2ornt("PLI"), nib.orientations.axcodes2ornt(axcodes))
    stored = nib.orientations.apply_orientation(patient, turn)
    assert stored.shape == tuple(size[code] for code in axcodes)
    spacing_mm = tuple(3.0 if code in "SI" else 1.5 for code in axcodes)
    image, masks = to_slices(stored, np.stack([stored > 30000] * 3), draw_affine(axcodes, spacing_mm))
    assert np.array_equal(image, patient)
    assert image.dtype == np.uint16
    assert np.array_equal(masks[2], patient > 30000)


@pytest.mark.parametrize(
    "spacing_mm", [(2.0, 1.5, 4.0), (1.1, 0.7, 5.0), (1.5, 1.5, 3.3), (1.5, 2.6, 3.0), (0.9, 3.1, 1.0)]
)
@pytest.mark.parametrize("axcodes", ["RAS", "PIR"])
def test_grid_and_values_are_those_of_monai(axcodes, spacing_mm):
    affine = draw_affine(axcodes, spacing_mm)
    masks = np.stack([smooth() > 9000, smooth() > 14000, smooth() > 99999])
    image, inside = to_slices(smooth(), masks, affine)
    expected = monai_slices(smooth(), affine, volume_slices.SPACING_MM)
    assert image.shape == expected.shape
    assert np.allclose(image, expected, rtol=1e-4, atol=0.5)
    for channel in range(3):
        share = monai_slices(masks[channel], affine, volume_slices.SPACING_MM)
        certain = np.abs(share - 0.5) > 1e-4
        assert np.array_equal(inside[channel][certain], (share >= 0.5)[certain])


def test_half_inside_is_inside():
    masks = np.zeros((3, 1, 1, 2), dtype=bool)
    masks[0, ..., 0] = True
    image, inside = to_slices(np.zeros((1, 1, 2), np.uint16), masks, draw_affine("PLI", (1.5, 1.5, 6.0)))
    assert image.shape == (1, 1, 3)
    assert inside[0, 0, 0].tolist() == [True, True, False]


def test_one_slice_stays_one():
    image, masks = to_slices(draw_volume((7, 5, 1)), draw_masks((7, 5, 1)), draw_affine("PLI", (1.5, 1.5, 9.0)))
    assert np.array_equal(image, draw_volume((7, 5, 1)))
    assert masks.shape == (3, 7, 5, 1)


@pytest.mark.parametrize(
    ("values", "stored", "slope", "intercept"),
    [
        (np.array([0, 125], np.uint16), [0, 125], 1, 0),
        (np.array([3.4, 65535.0], np.float32), [3, 65535], 1, 0),
        (np.array([-1024.0, 0, 3071], np.float32), [0, 1024, 4095], 1, -1024),
        (np.array([0, 0.5, 1.0]), [0, 32768, 65535], 1 / 65535, 0),
        (np.array([10.0, 75.0]), [0, 65535], 65 / 65535, 10),
        (np.array([0.0, 131070.0]), [0, 65535], 2, 0),
        (np.array([-7.5, -7.5]), [0, 0], 1, -7.5),
    ],
)
def test_grey_values_become_16_bits_and_can_be_had_back(values, stored, slope, intercept):
    grey, found_slope, found_intercept = to_16_bits(values)
    assert (grey.dtype, grey.tolist()) == (np.uint16, stored)
    assert (found_slope, found_intercept) == pytest.approx((slope, intercept))
    assert np.allclose(grey * found_slope + found_intercept, values, atol=max(found_slope / 2, 1e-6))


@pytest.fixture
def stored(tmp_path):
    folder = tmp_path / "case301" / "case301_day0"
    affine = draw_affine("PLI", (1.5, 1.5, 3.0))
    return folder, store_volume(folder, draw_volume(), draw_masks(), affine, {"content": "abc"})


def test_slices_are_named_and_read_as_those_of_the_contest(stored):
    folder, record = stored
    images, faults = read_scan("case301_day0", folder / "scans")
    assert faults == []
    assert [image.number for image in images] == [1, 2, 3, 4]
    assert {(image.size, image.spacing_mm) for image in images} == {((7, 5), (1.5, 1.5))}
    assert np.array_equal(np.asarray(Image.open(images[2].path)), draw_volume()[..., 2])
    items = stored_items(folder, record, "case301_day0", "case301")
    assert [item["image"] for item in items] == [image.path for image in images]
    assert [item["id"] for item in items] == [image.id for image in images]
    assert {(item["group"], item["scan"], tuple(item["size"])) for item in items} == {
        ("case301", "case301_day0", (7, 5))
    }
    assert items[0]["spacing_mm"] == [1.5, 1.5, 3.0]
    for position, item in enumerate(items):
        for channel, organ in enumerate(ORGAN_NAMES):
            assert np.array_equal(decode_rle(item["label"][organ], (7, 5)), draw_masks()[channel, ..., position])


def test_record_holds_the_facts_and_the_way_back(stored):
    folder, record = stored
    assert read_record(folder) == record
    assert (record["content"], record["slope"], record["intercept"]) == ("abc", 1.0, 0.0)
    assert record["size"] == [7, 5]


def test_no_record_is_none(tmp_path):
    assert read_record(tmp_path) is None
    (tmp_path / "import.json").write_text("{")
    assert read_record(tmp_path) is None
    (tmp_path / "import.json").write_text('{"format": 0}')
    assert read_record(tmp_path) is None


def test_another_import_takes_the_place_of_the_first(stored):
    folder, _ = stored
    store_volume(
        folder, draw_volume()[:, :, :2], draw_masks()[..., :2], draw_affine("PLI", (1.5, 1.5, 3.0)), {"content": "d"}
    )
    assert len(list((folder / "scans").iterdir())) == 2
    assert read_record(folder)["content"] == "d"
    assert [path.name for path in folder.parent.iterdir()] == ["case301_day0"]


def test_the_same_import_leaves_the_files_that_others_may_be_reading(stored):
    folder, record = stored
    before = {path: path.stat().st_ino for path in folder.rglob("*")}
    again = store_volume(folder, draw_volume(), draw_masks(), draw_affine("PLI", (1.5, 1.5, 3.0)), {"content": "abc"})
    assert again == record
    assert {path: path.stat().st_ino for path in folder.rglob("*")} == before


def test_a_stopped_import_leaves_nothing(tmp_path, monkeypatch):
    def stop(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(Image.Image, "save", stop)
    with pytest.raises(KeyboardInterrupt):
        store_volume(tmp_path / "x", draw_volume(), draw_masks(), draw_affine(), {})
    assert list(tmp_path.iterdir()) == []
