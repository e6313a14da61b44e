"""Slices sorted and placed on their lattice, and every reason to refuse a series, all at once."""

from dataclasses import replace

import numpy as np
import pytest

from monai_gi.dicom.geometry import Arrangement, arrange, has_main_plane
from monai_gi.dicom.series import Series, find_series
from monai_gi.errors import DataErrors
from tests.drawn_dicom import CORNER, drawn_pixels, enhanced, item, positions, save, write_slices

SAGITTAL = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)
CORONAL = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)


def series_at(folder, places, **options) -> Series:
    write_slices(folder, places, **options)
    return find_series(folder)[0]


def moved(series: Series, index: int, **fields) -> Series:
    """The series with one frame changed; frames are as the files are numbered."""
    frames = list(series.frames)
    frames[index] = frames[index]._replace(**fields)
    return replace(series, frames=tuple(frames))


def refusal(series: Series, **options) -> str:
    with pytest.raises(DataErrors, match=f"series {series.uid}: ") as caught:
        arrange(series, **options)
    return str(caught.value)


@pytest.fixture
def five(tmp_path) -> Series:
    """Five axial slices, 3 mm apart, in files im0.dcm to im4.dcm from the feet to the head."""
    return series_at(tmp_path, positions(5))


def names(arrangement: Arrangement) -> list[str]:
    return [frame.path.stem for frame in arrangement.series.frames]


def test_spacing_comes_from_positions_and_never_from_the_thickness(five):
    arrangement = arrange(five)
    assert arrangement.affine_lps.tolist() == [[0, 1.25, 0, -20], [1.5, 0, 0, -30], [0, 0, 3, 40], [0, 0, 0, 1]]
    assert arrangement.slice_numbers.tolist() == [0, 1, 2, 3, 4]
    assert arrangement.slice_numbers.dtype == np.int64
    assert arrangement.step_from == "ImagePositionPatient"


def test_slices_ascend_along_the_normal_whatever_the_order_of_the_files(five):
    shuffled = replace(five, frames=tuple(five.frames[index] for index in (3, 0, 4, 2, 1)))
    assert names(arrange(shuffled)) == ["im0", "im1", "im2", "im3", "im4"]


def test_slices_that_were_taken_downwards_are_turned_round(tmp_path):
    arrangement = arrange(series_at(tmp_path, positions(4, (0, 0, -2))))
    assert names(arrangement) == ["im3", "im2", "im1", "im0"]
    assert arrangement.affine_lps[:3, 3].tolist() == [-20, -30, 34]
    assert arrangement.affine_lps[:3, 2].tolist() == [0, 0, 2]


@pytest.mark.parametrize(
    ("orientation", "step", "columns", "rows", "slices"),
    [
        # by hand: columns step along the first three cosines, rows along the last three, slices along their product
        (SAGITTAL, (-4, 0, 0), (0, 1.25, 0), (0, 0, -1.5), (-4, 0, 0)),
        (CORONAL, (0, 4, 0), (1.25, 0, 0), (0, 0, -1.5), (0, 4, 0)),
        ((-1, 0, 0, 0, 1, 0), (0, 0, -4), (-1.25, 0, 0), (0, 1.5, 0), (0, 0, -4)),
        ((0.8, 0.6, 0, -0.6, 0.8, 0), (0, 0, 4), (1, 0.75, 0), (-0.9, 1.2, 0), (0, 0, 4)),
        ((1, 0, 0, 0, 0.8, -0.6), (0, 2.4, 3.2), (1.25, 0, 0), (0, 1.2, -0.9), (0, 2.4, 3.2)),
    ],
    ids=["sagittal", "coronal", "mirrored", "turned in plane", "oblique"],
)
@pytest.mark.parametrize("direction", [1, -1])
def test_any_plane_and_direction(tmp_path, orientation, step, columns, rows, slices, direction):
    def turn(dataset, index):
        dataset.ImageOrientationPatient = list(orientation)

    arrangement = arrange(series_at(tmp_path, positions(4, np.multiply(step, direction)), edit=turn))
    expected = np.array([rows, columns, slices]).T
    np.testing.assert_allclose(arrangement.affine_lps[:3, :3], expected, atol=1e-12)
    assert names(arrangement) == ["im0", "im1", "im2", "im3"][::direction]
    origin = np.add(CORNER, np.multiply(step, 0 if direction == 1 else -3))
    np.testing.assert_allclose(arrangement.affine_lps[:3, 3], origin)


@pytest.mark.parametrize(
    ("between", "thickness", "length", "source"),
    [(3.5, 9, 3.5, "SpacingBetweenSlices"), (None, 9, 9, "SliceThickness"), (0, "", 1, "assumed")],
)
def test_a_single_slice_takes_the_best_claim_and_says_which(tmp_path, between, thickness, length, source):
    def claim(dataset, index):
        dataset.SliceThickness = thickness
        if between is not None:
            dataset.SpacingBetweenSlices = between

    arrangement = arrange(series_at(tmp_path, positions(1), edit=claim))
    assert arrangement.affine_lps[:3, 2].tolist() == [0, 0, length]
    assert arrangement.step_from == source
    assert arrangement.slice_numbers.tolist() == [0]


def test_missing_slices_are_counted_and_their_neighbours_named(tmp_path):
    places = [place for index, place in enumerate(positions(9)) if index not in (2, 5, 6)]
    message = refusal(series_at(tmp_path, places))
    assert "1 problem" in message
    assert "missing slices: 3 of 9: 1 between im1.dcm (43.00 mm) and im2.dcm (49.00 mm)" in message
    assert "2 between im3.dcm (52.00 mm) and im4.dcm (61.00 mm)" in message
    assert "--allow-gaps" in message


def test_allowed_gaps_are_numbers_left_out(tmp_path):
    places = [place for index, place in enumerate(positions(9)) if index not in (2, 5, 6)]
    arrangement = arrange(series_at(tmp_path, places), allow_gaps=True)
    assert arrangement.slice_numbers.tolist() == [0, 1, 3, 4, 7, 8]
    assert arrangement.affine_lps[:3, 2].tolist() == [0, 0, 3]


def test_the_step_is_found_where_most_slices_are_missing(tmp_path):
    places = [positions(10)[index] for index in (0, 2, 4, 5, 7, 9)]
    assert arrange(series_at(tmp_path, places), allow_gaps=True).slice_numbers.tolist() == [0, 2, 4, 5, 7, 9]


def test_two_slices_almost_at_one_place_are_no_fine_lattice(tmp_path):
    places = [*positions(4), (-20, -30, 49.03)]
    assert "uneven spacing: slices stand up to" in refusal(series_at(tmp_path, places), allow_gaps=True)


@pytest.mark.parametrize(("off", "allowed"), [(0.02, True), (0.05, False)])
def test_one_percent_off_the_lattice_is_the_limit(five, off, allowed):
    series = moved(five, 2, position=(-20.0, -30.0, 46 + off))
    if allowed:
        assert arrange(series).slice_numbers.tolist() == [0, 1, 2, 3, 4]
        return
    message = refusal(series)
    assert (
        "uneven spacing: slices stand up to 1.7% of the spacing off an even lattice, at most 1% is allowed" in message
    )
    assert "3.050 mm between im1.dcm (43.00 mm) and im2.dcm (46.05 mm)" in message


def test_the_usual_step_is_the_median(five):
    message = refusal(moved(five, 4, position=(-20.0, -30.0, 52.5)))
    assert "3.000 mm is usual, but 3.500 mm between im3.dcm (49.00 mm) and im4.dcm (52.50 mm); resample" in message


def test_spacing_that_drifts_is_uneven_though_no_step_stands_out(tmp_path):
    heights = np.cumsum([0, *np.linspace(2.98, 3.02, 30)])
    message = refusal(series_at(tmp_path, [(0, 0, height) for height in heights]))
    assert "uneven spacing" in message
    assert "is usual" not in message


def test_copies_are_doubled_slices(five):
    copy = five.frames[1]._replace(path=five.frames[1].path.with_name("copy.dcm"))
    message = refusal(replace(five, frames=(*five.frames, copy)), allow_gaps=True)
    assert "doubled slices: 1 of 5 places hold more than one slice: im1.dcm and copy.dcm at 43.00 mm" in message


def test_doubled_slices_with_equal_headers_look_like_copies(tmp_path):
    def copy(dataset, index):
        dataset.InstanceNumber = 1

    message = refusal(series_at(tmp_path, [*positions(3), positions(3)[2]], edit=copy))
    assert "im2.dcm and im3.dcm at 46.00 mm; their headers say the same, as copies do; keep one" in message


def test_several_volumes_in_one_series_are_told_apart(tmp_path):
    def edit(dataset, index):
        dataset.EchoTime = (2.3, 4.6)[index % 2]
        dataset.AcquisitionNumber = index % 2 + 1

    places = [place for place in positions(3) for _ in range(2)]
    message = refusal(series_at(tmp_path, places, edit=edit))
    assert "each of 3 places holds 2 slices, so the series holds several volumes" in message
    assert "they differ in EchoTime (2.3, 4.6), AcquisitionNumber (1, 2)" in message


def test_several_volumes_of_an_enhanced_file_are_told_apart(tmp_path):
    dataset = enhanced([*positions(3), *positions(3)], drawn_pixels(6))
    for index, frame in enumerate(dataset.PerFrameFunctionalGroupsSequence):
        frame.MRDiffusionSequence = [item(DiffusionBValue=float(800 * (index // 3)))]
    save(dataset, tmp_path / "multi.dcm")
    message = refusal(find_series(tmp_path)[0])
    assert "multi.dcm frame 1 and multi.dcm frame 4 at 40.00 mm" in message
    assert "they differ in DiffusionBValue (0.0, 800.0)" in message


def test_doubled_places_do_not_hide_missing_ones(tmp_path):
    places = [positions(5)[index] for index in (0, 1, 1, 2, 4)]
    message = refusal(series_at(tmp_path, places))
    assert "2 problems" in message
    assert "doubled slices: 1 of 4 places" in message
    assert "missing slices: 1 of 5: 1 between im3.dcm" in message


def test_a_tilted_gantry_is_refused_and_rounded_cosines_are_not(tmp_path):
    jittered = positions(3)
    jittered[1] = (-20, -29.92, 43)
    assert len(arrange(series_at(tmp_path / "jittered", jittered)).series.frames) == 3
    tilted = refusal(series_at(tmp_path / "tilted", positions(10, (0, 0.3, 3))))
    assert "sheared stack: im9.dcm stands 2.70 mm beside the normal through im0.dcm, 27.00 mm away" in tilted
    rounded = arrange(series_at(tmp_path / "rounded", positions(10, (0, 0.002, 3))))
    np.testing.assert_allclose(rounded.affine_lps @ [0, 0, 9, 1], [-20, -29.982, 67, 1])


def test_frames_that_lack_something_are_all_named(five):
    series = moved(five, 0, size=(0, 0))
    series = moved(series, 1, position=(float("nan"),) * 3)
    series = moved(series, 2, orientation=(1.0, 0.0, 0.0, 0.6, 0.8, 0.0))
    series = moved(series, 4, spacing_mm=(0.0, 1.0))
    message = refusal(series)
    assert "no pixel data: in 1 of 5 frames: im0.dcm; copy them again" in message
    assert "no position: in 1 of 5 frames: im1.dcm; slices can not be placed without" in message
    assert "no orientation: in 1 of 5 frames: im2.dcm; ImageOrientationPatient must be two unit vectors" in message
    assert "no pixel spacing: in 1 of 5 frames: im4.dcm; PixelSpacing must be two lengths" in message


def test_mixtures_are_all_named_with_the_missing_slice(tmp_path):
    series = series_at(tmp_path, [positions(7)[index] for index in (0, 1, 2, 4, 5, 6)])
    series = moved(series, 0, size=(7, 5))
    series = moved(series, 1, spacing_mm=(1.25, 1.5))
    series = moved(series, 5, orientation=SAGITTAL)
    series = moved(series, 3, frame_of_reference_uid="")
    message = refusal(series)
    assert "5 problems" in message
    assert "mixed size: 1 of (7, 5), as im0.dcm; 5 of (5, 7), as im1.dcm" in message
    assert "mixed pixel spacing: 5 of (1.5, 1.25), as im0.dcm; 1 of (1.25, 1.5), as im1.dcm" in message
    assert "mixed orientation: 5 of (1, 0, 0, 0, 1, 0), as im0.dcm; 1 of (0, 1, 0, 0, 0, -1), as im5.dcm" in message
    assert "mixed frame of reference: 5 of 1.2.826.0.1.3, as im0.dcm; 1 of none, as im3.dcm" in message
    assert "missing slices: 1 of 6: 1 between im2.dcm" in message


def test_cosines_and_spacing_that_are_rounded_otherwise_are_one(five):
    series = moved(five, 2, orientation=(0.99999, 0.0004, 0.0, -0.0004, 0.99999, 0.0))
    series = moved(series, 3, spacing_mm=(1.50005, 1.25))
    assert len(arrange(series).series.frames) == 5


def test_many_faults_are_listed_in_part(tmp_path):
    series = series_at(tmp_path, positions(7))
    for index in range(6):
        series = moved(series, index, size=(0, 0))
    assert "in 6 of 7 frames: im0.dcm, im1.dcm, im2.dcm, im3.dcm, and 2 more" in refusal(series)


def test_a_series_without_frames_is_refused(five):
    assert "no pixel data: the series has no frames" in refusal(replace(five, frames=()))


@pytest.mark.parametrize("coronal", range(6))
def test_the_main_plane_is_that_of_more_than_half_of_the_slices(five, coronal):
    for index in range(coronal):
        five = moved(five, index, orientation=CORONAL)
    assert has_main_plane(five.frames)


def test_planes_without_a_majority_cross_whichever_way_they_look(five):
    two = moved(moved(five, 0, orientation=CORONAL), 1, orientation=CORONAL)
    assert not has_main_plane(two.frames[:4])
    mirrored = moved(two, 2, orientation=(-1.0, 0.0, 0.0, 0.0, 1.0, 0.0))
    assert has_main_plane(mirrored.frames), "three axial slices, one of them seen from the feet"
    unknown = moved(two, 2, orientation=(float("nan"),) * 6)
    assert not has_main_plane(unknown.frames), "a slice without an orientation does not count"
    assert has_main_plane(moved(five, 0, orientation=(float("nan"),) * 6).frames[:1])


def test_enhanced_frames_are_sorted_too(tmp_path):
    save(
        enhanced(positions(4, (0, 0, -3)), drawn_pixels(4)),
        tmp_path / "multi.dcm",
    )
    arrangement = arrange(find_series(tmp_path)[0])
    assert [frame.index for frame in arrangement.series.frames] == [3, 2, 1, 0]


def test_real_series_stand_on_even_lattices(real_data):
    (liver,) = find_series(real_data / "dicom_seg_ct_liver")
    (lung,) = find_series(real_data / "dicom_rtstruct_lung_ct")
    assert np.linalg.norm(arrange(liver).affine_lps[:3, :3], axis=0) == pytest.approx([0.810547, 0.810547, 1])
    assert np.linalg.norm(arrange(lung).affine_lps[:3, :3], axis=0) == pytest.approx([0.977, 0.977, 3], abs=1e-6)
    assert arrange(lung).slice_numbers.tolist() == list(range(41))


def test_slices_that_share_their_instance_are_refused_as_contours_could_not_name_one(five):
    first = five.frames[0].sop_instance_uid
    assert f"SOPInstanceUID: 1 stand for several slices each, {first} for one" in refusal(
        moved(five, 3, sop_instance_uid=first)
    )
