"""The picture of the page as SVG, and its tables."""

import base64
import re
from io import BytesIO
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from monai_gi.app import tables
from monai_gi.app.cases import Results
from monai_gi.app.jobs import Progress
from monai_gi.app.scans import ScanCase
from monai_gi.app.slides import SlideCase
from monai_gi.app.truth import ScanTruth
from monai_gi.app.viewer import FILLS, Look, empty_view, ramp, view
from monai_gi.confidence import Confidence
from monai_gi.labels import ORGAN_NAMES, TISSUE_NAMES, TISSUES
from tests.drawn_cases import SIZE, draw_case, draw_masks, draw_scan, quiet

SVG = "{http://www.w3.org/2000/svg}"


def drawn(case, **look):
    """The picture as parsed XML."""
    html = view(case, Look(**{"shown": ORGAN_NAMES, **look}))
    return ElementTree.fromstring(re.search(r"<svg.*</svg>", html, re.DOTALL)[0])


def decoded(image):
    """An embedded picture as an array."""
    data = image.get("href").partition("base64,")[2]
    return Image.open(BytesIO(base64.b64decode(data)))


def test_the_slice_lies_below_in_millimetres_without_loss():
    svg = drawn(draw_case(), position=1, window=(0, 255))
    assert svg.get("viewBox") == "0 0 9 8"
    image = svg.find(f"{SVG}image")
    assert (image.get("width"), image.get("height")) == ("9", "8")
    assert np.array_equal(np.asarray(decoded(image)), draw_scan().voxels[..., 1])


def test_outlines_run_around_the_voxels_of_an_organ():
    (path,) = drawn(draw_case(), position=0).findall(f"{SVG}path")
    assert path.get("data-organ") == "large_bowel"
    assert path.get("stroke") == "#d55e00"
    points = np.array(re.findall(r"([\d.]+),([\d.]+)", path.get("d")), dtype=float)
    # Five voxels of 2.0 x 1.5 mm in row 1, columns 0 to 4; the line is a hundredth of a pixel inside.
    assert points.min(axis=0) == pytest.approx([0, 2], abs=0.05)
    assert points.max(axis=0) == pytest.approx([7.5, 4], abs=0.05)
    assert path.get("fill") == "none"


def test_fills_have_their_opacity():
    (path,) = drawn(draw_case(), position=0, style=FILLS, opacity=0.25).findall(f"{SVG}path")
    assert (path.get("fill"), path.get("fill-opacity")) == ("#d55e00", "0.25")


def test_organs_that_are_switched_off_are_not_drawn():
    assert drawn(draw_case(), position=0, shown=("stomach",)).findall(f"{SVG}path") == []


def test_the_truth_is_lighter_and_told_in_the_caption():
    truth = ScanTruth(np.roll(draw_masks(), 1, axis=1), ("large_bowel",))
    case = draw_case().with_truth(truth, quiet)
    found, other = drawn(case, position=0, style=FILLS).findall(f"{SVG}path")
    assert (found.get("class"), other.get("class")) == ("gi-found", "gi-truth")
    assert other.get("stroke") == "#e8a673"
    assert other.get("fill") == "none"
    assert "solid: network, dashed: truth" in view(case, Look())


def test_a_truth_alone_stands_in_the_full_colour():
    case = ScanCase(draw_scan()).with_truth(ScanTruth(draw_masks(), ORGAN_NAMES), quiet)
    (path,) = drawn(case, position=0, style=FILLS).findall(f"{SVG}path")
    assert (path.get("class"), path.get("stroke"), path.get("fill")) == ("gi-truth", "#d55e00", "#d55e00")


def test_probabilities_stand_in_place_of_the_masks():
    certain = np.zeros((3, *SIZE), dtype=np.uint8)
    certain[0, 0, 1, 0], certain[2, 0, 1, 0], certain[1, 3, 3, 0] = 100, 255, 255
    svg = drawn(draw_case(certain=certain), position=0, probability=True, shown=("large_bowel", "stomach"))
    assert svg.findall(f"{SVG}path") == []
    layer = np.asarray(decoded(svg.find(f"{SVG}g/{SVG}image")))
    assert layer[0, 1].tolist() == [253, 231, 37, 255]
    assert layer[..., 3].sum() == 255


def test_probabilities_grow_brighter():
    brightness = ramp(np.arange(256, dtype=np.uint8)).astype(int) @ [299, 587, 114]
    assert (np.diff(brightness) >= 0).all()


def test_a_position_outside_takes_the_nearest():
    assert drawn(draw_case(), position=99).get("data-position") == "2"


def test_sides_and_a_bar_are_written():
    svg = drawn(draw_case(), position=0)
    assert [text.text for text in svg.findall(f"{SVG}text")] == ["A", "L", "P", "R", "2 mm"]
    bar = svg.find(f"{SVG}line[@class='gi-bar']")
    assert float(bar.get("x2")) - float(bar.get("x1")) == pytest.approx(2)


def test_a_label_map_is_one_layer_of_its_colours():
    found = np.zeros((30, 40), dtype=np.uint8)
    found[5:25, 10:30] = 3
    found[:4] = 1
    case = SlideCase("slide.tif", (30, 40), None, np.zeros((30, 40, 3), dtype=np.uint8), TISSUE_NAMES, found=found)
    (group,) = drawn(case, style=FILLS, opacity=0.4, shown=("glomerulus", "vessel")).findall(f"{SVG}g")
    layer = np.asarray(decoded(group.find(f"{SVG}image")).convert("RGBA"))
    assert layer[15, 20].tolist() == [*TISSUES[3].rgb, 102]
    assert layer[5, 20].tolist() == [*TISSUES[3].rgb, 255]
    assert layer[0, 0, 3] == 0


def test_text_is_escaped():
    assert "<b>" not in empty_view("<b>")
    assert "<script" not in tables.message("<script>alert(1)</script>", tables.WRONG)
    assert "<b>" not in tables.progress(Progress("<b>", 2.0))
    assert 'value="1.000"' in tables.progress(Progress("done", 2.0))
    assert "value=" not in tables.progress(Progress("who knows"))


def test_the_table_tells_volumes_and_scores():
    truth = ScanTruth(draw_masks(), ("large_bowel", "small_bowel"))
    html = tables.findings(draw_case().with_truth(truth, quiet))
    rows = [re.sub("<[^>]+>", " ", row).split() for row in re.findall("<tr>(.*?)</tr>", html)]
    assert rows == [
        ["Organ", "mL", "Slices", "Dice", "HD95", "mm"],
        ["large", "bowel", "0.1", "1", "1.000", "0.0"],
        ["small", "bowel", "0.0", "–", "–", "–"],
        ["stomach", "0.0", "2–3", "–", "–"],
    ]
    assert tables.findings(None) == ""


def test_checks_are_buttons_that_know_their_slice():
    case = draw_case(confidence=Confidence(np.array([0.1, 0.0, 0.6], dtype=np.float32), None))
    assert re.findall(r'data-position="(\d+)".*?<b>(.*?)</b>', tables.checks(case)) == [("3", "Slice 3")]
    assert "Nothing stands out" in tables.checks(draw_case())
    assert tables.checks(ScanCase(draw_scan())) == ""


def test_downloads_link_to_the_session_alone(tmp_path):
    (tmp_path / "seg.dcm").write_bytes(bytes(1500))
    files = {"seg.dcm": tmp_path / "seg.dcm", "frame_1/mask.png": tmp_path / "seg.dcm"}
    html = tables.downloads(files, "TOKEN", ["A note."])
    assert re.findall('href="(.*?)"', html) == ["/monai_gi/results/TOKEN/seg.dcm", "/monai_gi/results/TOKEN/all.zip"]
    assert "1.5 kB" in html
    assert "A note." in html
    assert str(tmp_path) not in html
    assert tables.downloads(Results().files, "TOKEN") == ""
