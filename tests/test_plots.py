"""Pictures of drawn slices: where outlines lie, which colour and kind they have, and how sheets are laid out."""

import numpy as np
import pytest

from monai_gi.labels import ORGANS
from monai_gi.plots import BACKGROUND, GAP_PX, LINE_PX, contact_sheet, outline_overlay, panel

SIZE = (20, 30)
IMAGE = np.full(SIZE, 0.5)
LARGE, SMALL, STOMACH = (organ.rgb for organ in ORGANS)


def box(rows, columns, organ=0, size=SIZE):
    masks = np.zeros((3, *size), dtype=bool)
    masks[organ, slice(*rows), slice(*columns)] = True
    return masks


def near(picture, rgb, tolerance=40):
    """Pixels (h, w) that have about this colour."""
    return np.abs(picture.astype(int) - rgb).max(axis=-1) <= tolerance


def coloured(picture):
    return np.ptp(picture.astype(int), axis=-1) > 12


def test_picture_is_upscaled_rgb():
    picture = outline_overlay(IMAGE, upscale=3)
    assert picture.shape == (60, 90, 3)
    assert picture.dtype == np.uint8
    assert not coloured(picture).any()


def test_uneven_spacing_stretches_the_longer_side():
    assert outline_overlay(IMAGE, upscale=2, spacing_mm=(3.0, 1.5)).shape == (80, 60, 3)
    assert outline_overlay(IMAGE, upscale=2, spacing_mm=(1.5, 2.25, 3.0)).shape == (40, 90, 3)


def test_black_white_and_nan_are_drawn_as_such():
    image = np.array([[0.0, 1.0, np.nan], [-3.0, 7.0, 0.5]])
    grey = outline_overlay(image, upscale=1)[..., 0]
    assert grey[:, :2].tolist() == [[0, 255], [0, 255]]
    assert grey[0, 2] == 0
    assert 128 < grey[1, 2] < 200  # dark tones are drawn brighter


def test_slice_is_not_turned_or_mirrored():
    image = np.zeros(SIZE)
    image[2:4, 25:28] = 1
    bright = np.argwhere(outline_overlay(image, upscale=2)[..., 0] > 128)
    assert bright.min(axis=0).tolist() == [4, 50]
    assert bright.max(axis=0).tolist() == [7, 55]


def test_outline_runs_along_the_border_of_the_mask():
    rows, columns = np.nonzero(near(outline_overlay(IMAGE, pred=box((5, 12), (8, 25)), upscale=4), LARGE))
    assert abs(rows.min() - 5 * 4) <= 1
    assert abs(rows.max() + 1 - 12 * 4) <= 1
    assert abs(columns.min() - 8 * 4) <= 1
    assert abs(columns.max() + 1 - 25 * 4) <= 1


def test_inside_and_outside_of_an_outline_keep_their_greys():
    bare, drawn = outline_overlay(IMAGE, upscale=4), outline_overlay(IMAGE, pred=box((5, 12), (8, 25)), upscale=4)
    assert np.array_equal(bare[23:45, 35:97], drawn[23:45, 35:97])
    assert np.array_equal(bare[:17], drawn[:17])


def test_organ_at_the_border_of_the_image_is_drawn():
    rows, columns = np.nonzero(coloured(outline_overlay(IMAGE, pred=np.ones((3, *SIZE), dtype=bool), upscale=2)))
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (0, 39, 0, 59)


def test_hole_has_an_outline_of_its_own():
    ring = box((2, 18), (2, 28)) ^ box((8, 12), (12, 18))
    assert near(outline_overlay(IMAGE, pred=ring, upscale=4), LARGE)[30:50, 46:74].any()


def test_single_pixel_is_seen():
    assert near(outline_overlay(IMAGE, pred=box((9, 10), (14, 15)), upscale=2), LARGE).any()


@pytest.mark.parametrize("organ", range(3))
def test_each_organ_has_its_colour(organ):
    picture = outline_overlay(IMAGE, pred=box((5, 12), (8, 25), organ), upscale=3)
    assert [bool(near(picture, rgb).any()) for rgb in (LARGE, SMALL, STOMACH)] == [c == organ for c in range(3)]


def test_overlapping_organs_are_both_drawn():
    picture = outline_overlay(IMAGE, pred=box((3, 12), (4, 20)) | box((6, 18), (10, 27), organ=2), upscale=3)
    assert near(picture, LARGE).any()
    assert near(picture, STOMACH).any()


def test_truth_is_dashed_and_prediction_is_not():
    mask = box((2, 18), (3, 27))
    solid, dashed = (outline_overlay(IMAGE, **{name: mask}, upscale=4) for name in ("pred", "truth"))
    top = slice(2 * 4 - 3, 2 * 4 + 3)
    assert coloured(solid[top, 20:100]).any(axis=0).all()
    share = coloured(dashed[top, 20:100]).any(axis=0).mean()
    assert 0.4 < share < 0.9


def test_truth_is_lighter_than_prediction():
    mask = box((2, 18), (3, 27), organ=1)
    truth = outline_overlay(np.zeros(SIZE), truth=mask, upscale=4)
    pred = outline_overlay(np.zeros(SIZE), pred=mask, upscale=4)
    assert truth.max(axis=(0, 1))[0] > pred.max(axis=(0, 1))[0] + 50


def test_empty_masks_draw_nothing():
    empty = np.zeros((3, *SIZE), dtype=bool)
    assert np.array_equal(outline_overlay(IMAGE, empty, empty), outline_overlay(IMAGE))


def test_panel_shows_slice_truth_and_prediction():
    picture = panel(IMAGE, box((5, 12), (8, 25)), box((5, 12), (8, 25), organ=2), upscale=2)
    assert picture.shape[1] == 3 * (60 + GAP_PX) + GAP_PX
    left, middle, right = (
        picture[GAP_PX + LINE_PX :][:40, GAP_PX + k * (60 + GAP_PX) : (k + 1) * (60 + GAP_PX)] for k in range(3)
    )
    assert not coloured(left).any()
    assert near(middle, LARGE).any()
    assert not near(middle, STOMACH, 20).any()
    assert near(right, STOMACH).any()
    assert not near(right, LARGE, 20).any()


def test_panel_leaves_out_what_is_not_there():
    assert panel(IMAGE, pred=box((1, 2), (1, 2))).shape[1] == 2 * (60 + GAP_PX) + GAP_PX
    assert panel(IMAGE, upscale=4, spacing_mm=(1, 2)).shape[1] == 240 + 2 * GAP_PX


def test_title_is_written_above_the_slice():
    plain, titled = panel(np.zeros((90, 160))), panel(np.zeros((90, 160)), title="case1_day0_slice_0001")
    assert np.array_equal(plain[LINE_PX + GAP_PX :], titled[LINE_PX + GAP_PX :])
    assert not np.array_equal(plain, titled)


def test_sheet_fills_rows_from_the_left():
    tiles = [np.full((40, 200, 3), shade, dtype=np.uint8) for shade in (50, 100, 150, 200, 250)]
    sheet = contact_sheet(tiles, columns=2, legend=False)
    assert sheet.shape == (3 * (40 + GAP_PX) + GAP_PX, 2 * (200 + GAP_PX) + GAP_PX, 3)
    centres = [[sheet[GAP_PX + 20 + row * 44, GAP_PX + 100 + column * 204, 0] for column in (0, 1)] for row in range(3)]
    assert centres == [[50, 100], [150, 200], [250, BACKGROUND[0]]]


def test_sheet_is_nearly_square_by_itself():
    tiles = [np.zeros((40, 40, 3), dtype=np.uint8)] * 7
    assert contact_sheet(tiles, legend=False).shape[:2] == (3 * 44 + GAP_PX, 3 * 44 + GAP_PX)


def test_smaller_tile_is_centred():
    tiles = [np.full((40, 60, 3), 90, dtype=np.uint8), np.full((20, 30, 3), 200, dtype=np.uint8)]
    rows, columns = np.nonzero(contact_sheet(tiles, columns=2, legend=False)[..., 0] == 200)
    assert (rows.min(), rows.max()) == (GAP_PX + 10, GAP_PX + 29)
    assert (columns.min(), columns.max()) == (GAP_PX + 64 + 15, GAP_PX + 64 + 44)


def test_caption_stands_above_its_tile_and_is_cut_to_it():
    tiles = [np.zeros((40, 90, 3), dtype=np.uint8)] * 2
    sheet = contact_sheet(tiles, ["a caption that is much longer than the tile", ""], columns=2, legend=False)
    written = np.argwhere(sheet[..., 0] > 128)
    assert written.size
    assert written[:, 0].max() < GAP_PX + LINE_PX
    assert written[:, 1].max() <= GAP_PX + 90


def test_legend_names_organs_and_kinds_of_outline():
    tile = np.zeros((40, 600, 3), dtype=np.uint8)
    bare, organs, kinds = (
        contact_sheet([tile], legend=False),
        contact_sheet([tile]),
        contact_sheet([tile], outlines=True),
    )
    assert len(organs) == len(kinds) == len(bare) + LINE_PX
    assert all(near(organs[len(bare) :], rgb, 5).any() for rgb in (LARGE, SMALL, STOMACH))
    assert (kinds[len(bare) :] > 128).sum() > (organs[len(bare) :] > 128).sum()


def test_legend_of_a_narrow_sheet_takes_more_lines():
    tile = np.zeros((40, 150, 3), dtype=np.uint8)
    height = len(contact_sheet([tile], legend=False))
    legend = contact_sheet([tile])[height:]
    assert len(legend) == 3 * LINE_PX
    assert [bool(near(legend[k * LINE_PX :][:LINE_PX], rgb, 5).any()) for k, rgb in enumerate((LARGE, SMALL, STOMACH))]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"image": np.zeros((3, 4, 5))}, r"image: shape \(3, 4, 5\)"),
        ({"image": np.zeros((0, 4))}, r"image: shape \(0, 4\)"),
        ({"truth": np.zeros((2, *SIZE), dtype=bool)}, r"truth: shape \(2, 20, 30\), wanted \(3, 20, 30\)"),
        ({"pred": np.zeros((3, 30, 20), dtype=bool)}, r"pred: shape \(3, 30, 20\), wanted \(3, 20, 30\)"),
        ({"upscale": 0.5}, "upscale: 0.5, wanted 1 or more"),
        ({"spacing_mm": (0, 1.5)}, r"spacing_mm: \(0, 1.5\), wanted positive"),
        ({"spacing_mm": (1.5,)}, r"spacing_mm: \(1.5,\), wanted positive"),
    ],
)
def test_what_does_not_fit_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        outline_overlay(**{"image": IMAGE, **arguments})


def test_sheet_of_what_is_no_picture_is_refused():
    tile = np.zeros((4, 5, 3), dtype=np.uint8)
    for tiles in ([], [tile[..., 0]], [tile.astype(float)]):
        with pytest.raises(ValueError, match="tiles: at least one RGB array"):
            contact_sheet(tiles)
    with pytest.raises(ValueError, match="captions: 1 for 2 tiles"):
        contact_sheet([tile, tile], ["one"])
    with pytest.raises(ValueError, match="columns: 0, wanted 1 or more"):
        contact_sheet([tile], columns=0)
