"""Outlines of any classes on grey slices and colour frames: each in the colour of its name, the frame as it is."""

import numpy as np
import pytest

from monai_gi.labels import ORGANS, POLYP_RGB, TISSUES
from monai_gi.plots import color_of, contact_sheet, outline_overlay, panel

H, W = 20, 34


def frame():
    return np.random.default_rng(0).integers(0, 256, (H, W, 3)).astype(np.uint8)


def mask():
    masks = np.zeros((1, H, W), dtype=bool)
    masks[0, 5:14, 18:30] = True
    return masks


def near(picture, rgb):
    return (np.abs(picture.astype(int) - rgb) < 30).all(axis=-1)


def test_names_of_the_table_have_its_colours_and_others_one_of_their_own():
    assert [color_of(organ.name) for organ in ORGANS] == [organ.rgb for organ in ORGANS]
    assert [color_of(tissue.name) for tissue in TISSUES] == [tissue.rgb for tissue in TISSUES]
    assert color_of("polyp") == POLYP_RGB
    assert color_of("forceps") == color_of("forceps")
    assert color_of("forceps") != color_of("polyp")


def test_a_colour_frame_is_drawn_as_it_is():
    assert np.array_equal(outline_overlay(frame() / 255, upscale=1, classes=("polyp",)), frame())


def test_a_polyp_is_outlined_in_its_colour_where_it_lies():
    dark = np.zeros((H, W, 3), dtype=np.float32)
    picture = outline_overlay(dark, None, mask(), 4, classes=("polyp",))
    rows, columns = np.nonzero(near(picture, POLYP_RGB))
    found = rows.min(), rows.max() + 1, columns.min(), columns.max() + 1
    assert np.abs(np.array(found) - [4 * 5, 4 * 14, 4 * 18, 4 * 30]).max() <= 2
    assert not near(picture[26:50, 80:112], POLYP_RGB).any(), "the inside stays free"


def test_truth_and_prediction_of_a_frame_differ():
    dark = np.zeros((H, W, 3), dtype=np.float32)
    assert not np.array_equal(
        outline_overlay(dark, mask(), None, classes=("polyp",)), outline_overlay(dark, None, mask(), classes=("polyp",))
    )


def test_the_legend_names_the_classes():
    tiles = [np.zeros((40, 200, 3), dtype=np.uint8)]
    polyp, organs = (contact_sheet(tiles, classes=names) for names in (("polyp",), tuple(o.name for o in ORGANS)))
    assert near(polyp[44:], POLYP_RGB).any()
    assert not near(polyp[44:], ORGANS[0].rgb).any()
    assert near(organs[44:], ORGANS[0].rgb).any()


def test_a_panel_of_a_frame_has_three_parts():
    sheet = panel(frame() / 255, mask(), mask(), upscale=2, classes=("polyp",))
    assert sheet.shape[1] == 3 * (2 * W + 4) + 4
    assert near(sheet, POLYP_RGB).any()


def test_masks_that_are_not_one_a_class_are_refused():
    with pytest.raises(ValueError, match=r"pred: shape \(1, 20, 34\), wanted \(2, 20, 34\)"):
        outline_overlay(frame() / 255, pred=mask(), classes=("polyp", "forceps"))
    with pytest.raises(ValueError, match=r"truth: shape \(1, 20, 34\), wanted \(3, 20, 34\)"):
        outline_overlay(frame() / 255, mask())
    with pytest.raises(ValueError, match=r"image: shape \(20, 34, 4\), wanted one slice \(H, W\) or one frame"):
        outline_overlay(np.zeros((H, W, 4)))
