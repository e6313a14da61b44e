"""Pictures for a clinician: which letter stands at which edge, how long the scale bar is, what is written around."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from monai_gi.labels import ORGANS
from monai_gi.plots import BACKGROUND, LINE_PX, ClinicalSlices, clinical_sheet, clinical_slice, outline_overlay
from monai_gi.plots.clinical import MARGIN_PX, NARROWEST_PX, edges_of
from monai_gi.scan import Scan

SIZE = (60, 80)
SPACING_MM = (1.5, 2.5, 4.0)
R, A, H = np.eye(3)
AXIAL = (-A, -R, -H)


def affine_of(rows, columns, slices, spacing_mm=SPACING_MM):
    affine = np.eye(4)
    affine[:3, :3] = np.stack([rows, columns, slices], axis=1) * spacing_mm
    return affine


def scan_of(axes=AXIAL, kind="dicom", spacing_mm=SPACING_MM):
    voxels = np.random.default_rng(3).integers(0, 300, (*SIZE, 3)).astype(np.uint16)
    names = ("slice_0001", "slice_0002", "slice_0009")
    return Scan("scan_a", voxels, affine_of(*axes, spacing_mm), np.array([0, 1, 8]), names, kind, ())


def masks_of():
    masks = np.zeros((3, *SIZE, 3), dtype=bool)
    masks[0, 5:30, 10:50, 0] = True
    masks[2, 20:50, 30:70, 1] = True
    return masks


def slices_of(scan=None, **options):
    return ClinicalSlices(scan or scan_of(), masks_of(), (0.0, 300.0), **options)


def written(picture):
    return picture.max(axis=2) > 120


@pytest.mark.parametrize(
    ("axes", "edges"),
    [
        ((-A, -R, -H), ("A", "L", "P", "R")),  # axial as in UW-Madison
        ((-A, R, H), ("A", "R", "P", "L")),
        ((A, -R, H), ("P", "L", "A", "R")),
        ((-H, -A, -R), ("H", "P", "F", "A")),  # sagittal
        ((-H, A, R), ("H", "A", "F", "P")),
        ((-H, -R, A), ("H", "L", "F", "R")),  # coronal
        ((H, R, A), ("F", "R", "H", "L")),
    ],
)
def test_edges_are_named_by_the_patients_sides(axes, edges):
    assert edges_of(affine_of(*axes)) == edges


def test_oblique_edges_get_two_letters_and_slight_tilts_one():
    for degrees, letters in ((10, "L"), (30, "LP"), (60, "PL"), (80, "P")):
        turn = np.radians(degrees)
        columns = -np.cos(turn) * R - np.sin(turn) * A
        assert edges_of(affine_of(-H, columns, A))[1] == letters
    assert edges_of(affine_of(-H, -(R + 1.1 * A + 0.9 * H), A))[1] == "PLF"


def test_letters_stand_at_their_edges():
    picture, mirrored = (slices_of(scan_of(axes)).draw(0) for axes in ((-A, -R, -H), (-A, R, H)))
    middle = slice(MARGIN_PX + 10, -MARGIN_PX - 10)
    right, left = picture[middle, -MARGIN_PX:], picture[middle, :MARGIN_PX]
    assert written(right).any()
    assert written(left).any()
    assert not np.array_equal(right, left)
    assert np.array_equal(mirrored[middle, :MARGIN_PX], right)
    assert np.array_equal(mirrored[middle, -MARGIN_PX:], left)
    upside_down = slices_of(scan_of((A, -R, H))).draw(0)
    centre = slice(picture.shape[1] // 2 - 12, picture.shape[1] // 2 + 12)
    assert written(picture[:MARGIN_PX, centre]).any()
    assert np.array_equal(upside_down[:MARGIN_PX, centre], picture[-MARGIN_PX:, centre])


def test_slice_stands_in_the_frame_as_it_is_drawn():
    scan = scan_of()
    picture = slices_of(scan).draw(1, upscale=2)
    alone = outline_overlay(scan.voxels[..., 1] / np.float32(300), pred=masks_of()[..., 1], spacing_mm=SPACING_MM)
    assert picture.shape == (alone.shape[0] + 2 * MARGIN_PX, alone.shape[1] + 2 * MARGIN_PX, 3)
    assert np.array_equal(picture[MARGIN_PX:-MARGIN_PX, MARGIN_PX:-MARGIN_PX], alone)


@pytest.mark.parametrize(
    ("spacing_mm", "bar_mm"), [((1.5, 2.5, 4.0), 50), ((2.5, 1.5, 4.0), 20), ((0.5, 0.5, 1.0), 10), ((0.1, 0.2, 1), 2)]
)
@pytest.mark.parametrize("upscale", [2, 3.5])
def test_scale_bar_is_as_long_as_it_says(spacing_mm, bar_mm, upscale):
    picture = slices_of(scan_of(spacing_mm=spacing_mm)).draw(0, upscale=upscale)
    row = written(picture)[picture.shape[0] - MARGIN_PX // 2, MARGIN_PX:]
    length = int(np.argmin(row))
    assert length == pytest.approx(bar_mm * upscale / min(spacing_mm[:2]), abs=0.51 + bar_mm / 100)
    assert length <= 0.26 * picture.shape[1]


def test_scale_bar_that_does_not_fit_is_left_out():
    frame = clinical_slice(np.zeros((40, 60, 3), np.uint8), None, 3.0)
    assert not written(frame).any()


def test_picture_of_unknown_origin_gets_no_letters_and_no_bar():
    known = slices_of(scan_of(kind="uw-madison", spacing_mm=(1.0, 1.0, 3.0))).draw(0)
    assert written(known[-MARGIN_PX:]).any()
    unknown = slices_of(scan_of(kind="picture", spacing_mm=(1.0, 1.0, 3.0))).draw(0)
    outside = np.ones(unknown.shape[:2], dtype=bool)
    outside[MARGIN_PX:-MARGIN_PX, MARGIN_PX:-MARGIN_PX] = False
    assert (unknown[outside] == BACKGROUND).all()
    measured = slices_of(scan_of(kind="picture")).draw(0)
    assert written(measured[-MARGIN_PX:, : measured.shape[1] // 2]).any()
    assert not written(measured[:, :MARGIN_PX]).any()


def test_whole_picture_has_a_title_colours_and_the_intended_use():
    slices = slices_of()
    bare, whole = slices.draw(0), slices["slice_0001"]
    assert whole.shape[1] == max(bare.shape[1], NARROWEST_PX)
    below = whole[LINE_PX + len(bare) :]
    assert written(whole[:LINE_PX]).any()
    assert all((np.abs(below[:LINE_PX].astype(int) - o.rgb).max(axis=2) < 10).any() for o in ORGANS)
    assert written(below[LINE_PX:]).any(axis=1).sum() > 8
    assert not np.array_equal(whole[:LINE_PX], slices["slice_0009"][:LINE_PX])


def test_small_scan_leaves_room_for_the_words():
    scan = scan_of()
    small = replace(scan, voxels=scan.voxels[:20, :12])
    picture = ClinicalSlices(small, masks_of()[:, :20, :12], (0.0, 300.0))["slice_0002"]
    assert picture.shape[1] == NARROWEST_PX


def test_slices_are_a_mapping_by_name_that_threads_may_share():
    slices = slices_of(positions=[2, 0])
    assert list(slices) == ["slice_0009", "slice_0001"]
    assert len(slices) == 2
    with ThreadPoolExecutor(4) as pool:
        drawn = list(pool.map(slices.__getitem__, list(slices) * 4))
    assert all(np.array_equal(picture, slices[name]) for picture, name in zip(drawn, list(slices) * 4, strict=True))
    with pytest.raises(KeyError):
        slices["slice_0002"]


def test_window_is_black_and_white():
    dark, bright = (ClinicalSlices(scan_of(), masks_of() & False, window).draw(0) for window in ((0, 3000), (0, 30)))
    inner = slice(MARGIN_PX, -MARGIN_PX)
    assert dark[inner, inner].max() < 80
    assert bright[inner, inner].mean() > 200


def test_sheet_shows_slices_in_the_order_of_its_captions():
    slices = slices_of()
    sheet = clinical_sheet(slices, {2: "1. slice_0009", 0: "2. slice_0001"}, title="Check first")
    tile = slices.draw(2, upscale=1.5)
    first = sheet[2 * LINE_PX + 4 :][: len(tile), 4 : 4 + tile.shape[1]]
    assert np.array_equal(first, tile)
    assert written(sheet[:LINE_PX]).any()
    assert written(sheet[LINE_PX : 2 * LINE_PX]).any()
    assert written(sheet[-LINE_PX:]).any()


def test_sheet_without_slices_is_refused():
    with pytest.raises(ValueError, match="tiles: at least one"):
        clinical_sheet(slices_of(), {}, title="none")


def test_masks_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"masks: shape \(3, 60, 80, 2\), wanted \(3, 60, 80, 3\) as the scan"):
        ClinicalSlices(scan_of(), masks_of()[..., :2], (0.0, 1.0))
