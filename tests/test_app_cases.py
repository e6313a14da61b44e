"""What the app says of scans, frames and slides: findings, checks, pictures, the truth."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from monai_gi.app import tables
from monai_gi.app.cases import Finding
from monai_gi.app.frames import FramesCase, read_frames
from monai_gi.app.looks import Controls, controls_of, look_of
from monai_gi.app.scans import ScanCase, writable
from monai_gi.app.slides import read_slide
from monai_gi.app.truth import ScanTruth, read_scan_truth
from monai_gi.app.viewer import FILLS, OUTLINES
from monai_gi.confidence import Confidence
from monai_gi.errors import DataError
from monai_gi.labels import TISSUE_NAMES, TISSUES
from tests.drawn_cases import SIZE, SPACING_MM, VOXEL_ML, draw_case, draw_masks, draw_scan, quiet
from tests.drawn_nifti_files import write_volume

TISSUE_RGB = np.array([tissue.rgb for tissue in TISSUES], dtype=np.uint8)


def test_volumes_and_slices_of_each_organ():
    assert draw_case().findings() == [
        Finding("large_bowel", f"{5 * VOXEL_ML:.1f}", "1"),
        Finding("small_bowel", "0.0", "–"),
        Finding("stomach", f"{4 * VOXEL_ML:.1f}", "2–3"),
    ]
    assert ScanCase(draw_scan()).findings() == ()


def test_a_truth_is_scored_organ_by_organ_and_only_where_it_tells_of_one():
    truth = np.zeros((3, *SIZE), dtype=bool)
    truth[0, 1, 2:, 0] = True  # 4 voxels, 3 of them among the 5 found
    case = draw_case().with_truth(ScanTruth(truth, ("large_bowel", "small_bowel")), quiet)
    large, small, stomach = case.findings()
    assert large.dice == pytest.approx(2 * 3 / (5 + 4))
    assert large.hd95_mm == pytest.approx(1.5 + 0.8 * 1.5)  # 95 % of the way through 0, 0, 0, 1.5 and 3 mm
    assert np.isnan(small.dice)
    assert stomach.dice is None
    assert set(case.truth(0)) == {"large_bowel", "small_bowel"}
    assert case.with_truth(None, quiet).findings()[0].dice is None


def test_a_truth_alone_is_measured_too():
    case = ScanCase(draw_scan()).with_truth(ScanTruth(draw_masks(), ("stomach",)), quiet)
    assert case.findings()[2].place == "2–3"
    assert not case.has_prediction


def test_slices_to_check_are_those_of_doubt():
    case = draw_case(confidence=Confidence(np.array([0.1, 0.0, 0.6], dtype=np.float32), None))
    assert [check.position for check in case.checks()] == [2]
    assert "stomach" in case.checks()[0].reason


def test_a_slice_is_drawn_in_its_window_and_true_proportions():
    picture = ScanCase(draw_scan()).picture(1, (10, 40))
    voxels = draw_scan().voxels[..., 1]
    assert np.array_equal(picture.pixels, np.rint(np.clip((voxels - 10.0) / 30, 0, 1) * 255).astype(np.uint8))
    assert picture.size == (8.0, 9.0)
    assert picture.edges == ("A", "L", "P", "R")


def lone_picture(spacing_mm=SPACING_MM, name="Doe.tif"):
    """One slice in which ten of 24 pixels are stomach, and a truth of eight of them."""
    scan = draw_scan("picture")
    affine = np.diag([*spacing_mm[:2], 3.0, 1.0])
    scan = replace(scan, voxels=scan.voxels[..., :1], affine=affine, slice_numbers=np.arange(1), files=(Path(name),))
    found = np.zeros((3, *SIZE[:2], 1), dtype=bool)
    found[2, :2, :5] = True
    truth = found.copy()
    truth[2, :2, 4] = False
    return ScanCase(scan, found).with_truth(ScanTruth(truth, ("stomach",)), quiet)


def test_a_lone_picture_has_no_sides_and_an_area():
    case = lone_picture()
    assert case.picture(0, None).edges is None
    assert case.picture(0, None).in_mm
    assert case.heads == ("Organ", "cm²", "Slices")
    stomach = case.findings()[2]
    assert stomach[:3] == ("stomach", f"{10 * 2.0 * 1.5 / 100:.1f}", "1")
    assert stomach.dice == pytest.approx(2 * 8 / 18)
    assert stomach.hd95_mm == pytest.approx(1.5)
    assert "picture, 4 × 6, 2.00 × 1.50 mm" in case.about.lower()


def test_nothing_is_told_in_mm_where_no_spacing_is_known():
    case = lone_picture((1.0, 1.0))
    assert case.about == "Picture, 4 × 6, pixel spacing unknown"
    assert not case.picture(0, None).in_mm
    stomach = case.findings()[2]
    assert (case.heads[1], stomach.amount, stomach.hd95_mm) == ("Pixels", "10", None)
    assert stomach.dice == pytest.approx(2 * 8 / 18)
    assert "mm" not in tables.findings(case)
    named = lone_picture((1.0, 1.0), "slice_0001_6_4_1.00_1.00.png")
    assert named.picture(0, None).in_mm
    assert named.findings()[2].hd95_mm == 1


def test_missing_slices_keep_their_numbers():
    assert ScanCase(draw_scan(slice_numbers=(0, 1, 4))).labels == ["1", "2", "5"]


def test_no_dicom_is_written_of_other_scans():
    assert writable(draw_scan()) == (("nifti", "overlay"), ())


def test_nifti_labels_become_organs(tmp_path):
    scan = draw_scan()
    labels = draw_masks()[0] * 1 + draw_masks()[2] * 3
    path = write_volume(tmp_path / "own.nii.gz", labels.astype(np.uint8), scan.affine)
    truth = read_scan_truth([path], scan)
    assert np.array_equal(truth.masks, draw_masks())
    assert set(truth.known) == {"large_bowel", "stomach"}
    assert truth.notes == ()
    path = write_volume(tmp_path / "more.nii.gz", (labels + 7 * (labels == 0)).astype(np.uint8), scan.affine)
    table = tables.findings(ScanCase(scan).with_truth(read_scan_truth([path], scan), quiet))
    assert "In the truth, but not compared: label 7." in table


def test_a_label_picture_becomes_organs_of_a_lone_slice(tmp_path):
    scan = draw_scan("picture")
    scan = type(scan)("scan", scan.voxels[..., :1], scan.affine, np.arange(1), ("scan",), "picture", ())
    labels = np.zeros(SIZE[:2], dtype=np.uint8)
    labels[1, 2] = 3
    Image.fromarray(labels).save(tmp_path / "truth.png")
    truth = read_scan_truth([tmp_path / "truth.png"], scan)
    assert np.argwhere(truth.masks).tolist() == [[2, 1, 2, 0]]
    Image.fromarray(labels.T.copy()).save(tmp_path / "turned.png")
    with pytest.raises(DataError, match=r"turned.png: 6 × 4 pixels, the image has 4 × 6"):
        read_scan_truth([tmp_path / "turned.png"], scan)
    Image.fromarray(labels * 9).save(tmp_path / "bright.png")
    with pytest.raises(DataError, match="holds the number 27"):
        read_scan_truth([tmp_path / "bright.png"], scan)


def test_what_is_no_truth_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("none")
    with pytest.raises(DataError, match=r"notes.txt: an RTSTRUCT.* was wanted, not text"):
        read_scan_truth([tmp_path / "notes.txt"], draw_scan())
    (tmp_path / "rt.dcm").write_bytes(bytes(128) + b"DICM" + bytes(50))
    with pytest.raises(DataError, match=r"rt.dcm: DICOM contours need the DICOM series"):
        read_scan_truth([tmp_path / "rt.dcm"], draw_scan())
    heart = write_volume(tmp_path / "heart.nii.gz", np.full(SIZE, 9, dtype=np.uint8), draw_scan().affine)
    with pytest.raises(DataError, match=r"heart.nii.gz: holds 'label 9'; contours of large bowel"):
        read_scan_truth([heart], draw_scan())


def frames(folder, count=2):
    paths = []
    for number in range(count):
        pixels = np.zeros((10, 14, 3), dtype=np.uint8)
        pixels[2:5, 3:7, number % 3] = 200
        paths.append(folder / f"{number}.png")
        Image.fromarray(pixels).save(paths[-1])
    return paths


def write_masks(folder, **masks):
    """A mask a name, 6 pixels where it says so."""
    paths = []
    for name, drawn in masks.items():
        mask = np.zeros((10, 14), dtype=np.uint8)
        mask[:2, :3] = 255 * drawn
        paths.append(folder / f"{name}.png")
        Image.fromarray(mask).save(paths[-1])
    return paths


def test_scores_of_frames_are_averaged_and_those_without_anything_left_out(tmp_path):
    case = read_frames(frames(tmp_path, 3), ("polyp",), 1000, quiet)
    found = np.zeros((3, 1, 10, 14), dtype=bool)
    found[0, 0, :2, :7] = True
    found[1, 0, 0, 0] = True
    case = FramesCase(case.paths, case.frames, found=tuple(found))
    assert case.labels == ["1", "2", "3"]
    assert case.about == "3 colour frames, 10 × 14 pixels"
    assert case.findings() == [Finding("polyp", "3.6 %", "2 of 3")]
    assert case.heads == ("Class", "Area", "Frames")
    scored = case.with_truth(write_masks(tmp_path, mask_0=True, mask_1=False, mask_2=False), 1000)
    assert scored.findings()[0].dice == pytest.approx((2 * 6 / (14 + 6) + 0) / 2)
    assert "Dice is the mean over the frames; those with neither are left out" in tables.findings(scored)
    empty = FramesCase(case.paths, case.frames, found=tuple(np.zeros_like(found)))
    assert np.isnan(empty.with_truth(write_masks(tmp_path, **{"0": 0, "1": 0, "2": 0}), 1000).findings()[0].dice)


def test_masks_belong_to_the_frames_of_their_name(tmp_path):
    case = read_frames(frames(tmp_path, 3), ("polyp",), 1000, quiet)
    (tmp_path / "m").mkdir()
    one, two, three = write_masks(tmp_path / "m", **{"0_mask": True, "Mask-1": False, "2": False})
    scored = case.with_truth([three, one, two], 1000)
    assert [bool(mask.any()) for mask in scored.reference] == [True, False, False]
    for given in ([one, two], [one, two, one], [one, two, three, tmp_path / "m" / "9.png"]):
        with pytest.raises(DataError, match=r"masks: \d masks for 3 frames.*one mask of its own name"):
            case.with_truth(given, 1000)
    with pytest.raises(DataError, match=r"3 masks for 3 frames, none is named as 2\.png"):
        case.with_truth([one, two, tmp_path / "m" / "x.png"], 1000)


def test_one_mask_of_one_frame_may_have_any_name(tmp_path):
    case = read_frames(frames(tmp_path, 1), ("polyp",), 1000, quiet)
    assert case.with_truth(write_masks(tmp_path, polyp=True), 1000).has_truth
    assert case.about == "Colour frame, 10 × 14 pixels"
    turned = np.zeros((14, 10), dtype=np.uint8)
    Image.fromarray(turned).save(tmp_path / "turned.png")
    with pytest.raises(DataError, match=r"turned.png: 14 × 10 pixels, its frame has 10 × 14"):
        case.with_truth([tmp_path / "turned.png"], 10)  # by its header: nothing of it is decoded


def test_frames_of_doubt_are_to_be_checked(tmp_path):
    case = read_frames(frames(tmp_path, 3), ("polyp",), 1000, quiet)
    sure = np.zeros((3, 1, 10, 14), dtype=np.uint8)
    sure[1, 0] = 128
    found = np.zeros(sure.shape, dtype=bool)
    case = FramesCase(case.paths, case.frames, found=tuple(found), certain=tuple(sure))
    assert [(check.position, check.reason) for check in case.checks()] == [
        (1, "nothing found, but the network is unsure")
    ]


def test_too_much_of_frames_is_refused(tmp_path):
    with pytest.raises(DataError, match="holds 280 pixels, at most 279 are read"):
        read_frames(frames(tmp_path), ("polyp",), 279, quiet)
    with pytest.raises(DataError, match="holds 201 frames, at most 200"):
        read_frames(frames(tmp_path, 1) * 201, ("polyp",), 10**9, quiet)


def tissue_files(folder):
    labels = np.kron(np.arange(6).reshape(2, 3), np.ones((20, 16), dtype=int)).astype(np.uint8)
    Image.fromarray(np.full((40, 48, 3), 180, dtype=np.uint8)).save(folder / "slide.png")
    Image.fromarray(TISSUE_RGB[labels]).save(folder / "truth.png")
    return labels


def test_a_slide_shows_the_areas_of_its_truth(tmp_path):
    labels = tissue_files(tmp_path)
    case = read_slide(tmp_path / "slide.png", TISSUE_NAMES, 10**6)
    assert case.findings() == []
    case = case.with_truth(tmp_path / "truth.png", 10**6, quiet)
    assert np.array_equal(case.truth(0)["glomerulus"], labels == 3)
    assert case.findings()[2] == Finding("glomerulus", "320 pixels", "20.0 %")
    assert not case.with_truth(None, 10**6, quiet).has_truth


def test_a_truth_of_another_slide_is_refused(tmp_path):
    tissue_files(tmp_path)
    case = read_slide(tmp_path / "slide.png", TISSUE_NAMES, 10**6)
    Image.fromarray(np.zeros((48, 40, 3), dtype=np.uint8)).save(tmp_path / "turned.png")
    with pytest.raises(DataError, match=r"turned.png: 48 × 40 pixels, the slide has 40 × 48"):
        case.with_truth(tmp_path / "turned.png", 10**6, quiet)
    Image.fromarray(np.full((40, 48, 3), 77, dtype=np.uint8)).save(tmp_path / "grey.png")
    with pytest.raises(DataError, match=r"grey.png: has other colours; class numbers or these are wanted: background"):
        case.with_truth(tmp_path / "grey.png", 10**6, quiet)


def test_controls_become_a_look_inside_the_case():
    case = draw_case()
    look = look_of(case, Controls(9, FILLS, 250, 40, 20, True, ("stomach",)))
    assert (look.position, look.style, look.opacity, look.window) == (2, FILLS, 1.0, (30.0, 50.0))
    assert look.probability
    assert look.shown == ("stomach",)


@pytest.mark.parametrize("odd", [None, "2", float("nan"), [1], True])
def test_what_no_slider_sends_takes_the_default(odd):
    look = look_of(draw_case(), Controls(odd, odd, odd, odd, odd, False))
    assert (look.position, look.style, look.opacity) == (0, OUTLINES, 0.4)
    assert look.window == pytest.approx(draw_case().window[:2])


def test_switches_stand_behind_the_other_controls():
    controls = Controls.of([2, FILLS, 10, 5, 6, True, False, True], ("polyp", "tool"))
    assert (controls.place, controls.window, controls.shown) == (2, 6, ("tool",))
    assert Controls.of([], ("polyp",)).shown == ("polyp",)


def test_sliders_take_the_ranges_of_the_scan():
    updates = controls_of(draw_case())
    assert (updates["slice"]["maximum"], updates["slice"]["value"], updates["slice"]["visible"]) == (3, 2, True)
    assert (updates["level"]["minimum"], updates["level"]["maximum"], updates["level"]["step"]) == (0, 71, 1)
    assert updates["window"]["visible"]
    assert not controls_of(None)["slice"]["visible"]
