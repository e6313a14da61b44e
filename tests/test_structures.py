"""Structure sets read onto a series: our own, hand-made odd ones, and real ones; segmentations have their own file."""

import numpy as np
import pytest
from pydicom import dcmread
from skimage.draw import polygon2mask

from monai_gi.dicom.geometry import arrange
from monai_gi.dicom.series import find_series
from monai_gi.dicom.structures import Code, read_structures
from monai_gi.errors import DataError
from monai_gi.labels import ORGANS
from monai_gi.provenance import Provenance
from monai_gi.writers.rtstruct import write_rtstruct
from tests.drawn_structure_files import write_structure_set
from tests.drawn_structures import SIZE, draw_masks, draw_scan, oblique_affine
from tests.oracles import contours as oracle

MASKS = draw_masks()
PROVENANCE = Provenance("segformer", "0.1.0", "ab" * 32, "0.2.0")
AFFINE = oblique_affine()
SQUARE = ((4.5, 4.5), (4.5, 9.5), (9.5, 9.5), (9.5, 4.5))


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    return draw_scan(tmp_path_factory.mktemp("series"))


@pytest.fixture(scope="module")
def arrangement(scan):
    return arrange(scan.series)


@pytest.fixture
def read(tmp_path, arrangement):
    """Write {name: contours} and read it back."""
    return lambda rois, **fields: read_structures(
        write_structure_set(tmp_path / "set.dcm", rois, **fields), arrangement
    )


def lps(rows_columns, number):
    """Points (row, column) at a slice number, which may lie between slices, in LPS mm."""
    points = np.array([(row, column, number, 1) for row, column in rows_columns], dtype=float)
    return (points @ AFFINE.T)[:, :3]


def square_mask(*slices):
    mask = np.zeros(SIZE, dtype=bool)
    mask[5:10, 5:10, list(slices)] = True
    return mask


@pytest.mark.parametrize("multi_frame", [False, True])
def test_what_we_write_is_read_back_exactly(tmp_path, multi_frame):
    scan = draw_scan(tmp_path / "series", multi_frame=multi_frame)
    path = write_rtstruct(tmp_path / "rtstruct.dcm", scan, MASKS, PROVENANCE)
    structures = read_structures(path, arrange(scan.series))
    for structure, organ, mask in zip(structures, ORGANS[:2], MASKS, strict=False):
        assert structure[:3] == (organ.name, organ.rgb, Code(organ.snomed_code, "SCT", organ.snomed_meaning))
        np.testing.assert_array_equal(structure.mask, mask)
        assert structure.notes == ()
    assert len(structures) == 2


def test_missing_slices_stay_missing(tmp_path):
    scan = draw_scan(tmp_path / "series", slice_numbers=[0, 1, 4, 5, 9])
    path = write_rtstruct(tmp_path / "rtstruct.dcm", scan, MASKS, PROVENANCE)
    structures = read_structures(path, arrange(scan.series, allow_gaps=True))
    np.testing.assert_array_equal(structures[0].mask, MASKS[0])


def test_contours_without_references_find_their_slice_by_position(read):
    (structure,) = read({"GTV": [lps(SQUARE, 1), lps(SQUARE, 3)]})
    np.testing.assert_array_equal(structure.mask, square_mask(1, 3))
    assert structure[:1] + structure[1:3] + structure.notes == ("GTV", None, None)


@pytest.mark.parametrize(("number", "d"), [(2.49, 2), (1.51, 2), (-0.5, 0), (4.5, 4)])
def test_a_contour_between_slices_belongs_to_the_nearest(read, number, d):
    np.testing.assert_array_equal(read({"GTV": [lps(SQUARE, number)]})[0].mask, square_mask(d))


def test_contours_beyond_half_a_spacing_are_left_out_and_told(read):
    structure = read({"GTV": [lps(SQUARE, 2), lps(SQUARE, 4.6), lps(SQUARE, -0.7)]})[0]
    np.testing.assert_array_equal(structure.mask, square_mask(2))
    assert structure.notes == ("2 contours lie more than half a slice spacing from every slice and were left out",)


def test_of_planes_that_share_a_slice_the_nearest_is_taken(read):
    wide = lps([(2, 2), (2, 20), (20, 20), (20, 2)], 2.3)
    structure = read({"GTV": [lps(SQUARE, 1.9), wide, lps(SQUARE, 1.7)]})[0]
    np.testing.assert_array_equal(structure.mask, square_mask(2))
    assert structure.notes == ("2 contours lie where another one is nearer to the slice and were left out",)


@pytest.mark.parametrize("kind", ["CLOSED_PLANAR", "CLOSEDPLANAR_XOR"])
def test_an_inner_contour_is_a_hole_and_one_in_it_an_island(read, kind):
    sides = [
        ((low, low), (low, high), (high, high), (high, low)) for low, high in ((2.5, 20.5), (5.5, 17.5), (9.5, 12.5))
    ]
    structure = read({"ring": [lps(side, 1) for side in sides]}, kind=kind)[0]
    expected = np.logical_xor.reduce([polygon2mask(SIZE[:2], np.array(side)) for side in sides])
    np.testing.assert_array_equal(structure.mask[..., 1], expected)
    assert structure.mask.sum() == 18**2 - 12**2 + 3**2


def test_a_keyhole_of_another_system_is_a_hole(read):
    inner = ((7.2, 8.1), (7.2, 12.9), (14.7, 12.9), (14.7, 8.1))
    outer = ((2.6, 3.3), (2.6, 19.8), (19.9, 19.8), (19.9, 3.3))
    structure = read({"ring": [lps([*outer, outer[0], *inner, inner[0]], 1)]})[0]
    np.testing.assert_array_equal(structure.mask[..., 1], oracle.fill([outer, inner], SIZE[:2]))


def test_points_and_open_contours_are_left_out_and_told(read, tmp_path, arrangement):
    read({"isocentre": [lps([(3, 4)], 2)], "GTV": [lps(SQUARE, 2)], "nothing": []})
    dataset = dcmread(tmp_path / "set.dcm")
    dataset.ROIContourSequence[0].ContourSequence[0].ContourGeometricType = "POINT"
    dataset.save_as(tmp_path / "set.dcm")
    point, drawn, nothing = read_structures(tmp_path / "set.dcm", arrangement)
    assert (point.mask.any(), drawn.mask.any(), nothing.mask.any()) == (False, True, False)
    assert (point.notes, nothing.notes) == (("1 contours of type POINT were left out",), ("it has no contours",))


def test_a_line_of_two_points_is_no_contour(read):
    assert (
        "1 contours of fewer than 3 points were left out" in read({"x": [lps(SQUARE, 1), lps(SQUARE[:2], 2)]})[0].notes
    )


def test_contours_in_another_plane_are_refused(read):
    tilted = np.add(lps(SQUARE, 2), [(0, 0, 0), (0, 0, 0), (0, 0, 2), (0, 0, 2)])
    with pytest.raises(DataError, match=r"ROI 'GTV': a contour goes from .* it is tilted or not flat"):
        read({"GTV": [tilted]})


def test_rounded_coordinates_are_no_tilt(read):
    np.testing.assert_array_equal(read({"GTV": [lps(SQUARE, 2).round(1)]})[0].mask, square_mask(2))


def test_a_set_drawn_elsewhere_is_refused(read):
    with pytest.raises(DataError, match="none of its 1 contours lies on the series"):
        read({"GTV": [lps(SQUARE, 40)]})
    with pytest.raises(DataError, match="none of its 1 contours lies on the series"):
        read({"GTV": [lps(SQUARE, 1) + AFFINE[:3, 0] * 100]})


def test_another_frame_of_reference_is_refused_unless_the_series_is_named(read, scan):
    rois = {"GTV": [lps(SQUARE, 1)]}
    with pytest.raises(DataError, match=r"lies in frame of reference 1\.2\.3, the series in"):
        read(rois, frame_of_reference="1.2.3")
    assert read(rois, frame_of_reference="1.2.3", series_uid=scan.series.uid)
    assert read(rois, frame_of_reference=scan.series.frame_of_reference_uid, series_uid="1.2.3")


@pytest.mark.parametrize(
    ("data", "message"), [(b"1\\2\\3\\4 ", "no triplets"), (b"1\\2\\x ", "no triplets"), (b"1\\2\\nan ", "not finite")]
)
def test_damaged_contours_are_refused(read, tmp_path, arrangement, data, message):
    read({"GTV": [lps(SQUARE, 1)[:1]]}, kind="POINT")
    path = tmp_path / "set.dcm"
    whole = path.read_bytes()
    tag = b"\x06\x30\x50\x00"
    at = whole.index(tag)
    length = int.from_bytes(whole[at + 4 : at + 8], "little")
    path.write_bytes(whole[: at + 8] + data.ljust(length) + whole[at + 8 + length :])
    with pytest.raises(DataError, match=f"contour 1: ContourData.*{message}"):
        read_structures(path, arrangement)


def test_other_files_are_refused(tmp_path, scan, arrangement):
    (tmp_path / "notes.txt").write_text("no DICOM")
    for path in (tmp_path / "notes.txt", scan.files[0], tmp_path):
        with pytest.raises(DataError, match="neither an RTSTRUCT nor a SEG"):
            read_structures(path, arrangement)
    with pytest.raises(DataError, match="no such file"):
        read_structures(tmp_path / "none.dcm", arrangement)


def test_a_file_that_was_cut_short_is_refused(read, tmp_path, arrangement):
    read({"GTV": [lps(SQUARE, 1)]})
    path = tmp_path / "set.dcm"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(DataError, match=r"set\.dcm"):
        read_structures(path, arrangement)


@pytest.mark.slow
def test_a_real_tumour_of_the_lung_fills_what_its_contours_enclose(real_data):
    folder = real_data / "dicom_rtstruct_lung_ct" / "pat_2"
    arrangement = arrange(find_series(folder)[0])
    (structure,) = read_structures(folder / "DCM_RS_00041.dcm", arrangement)
    assert (structure.name, structure.rgb, structure.notes) == ("GTV-1", (0, 230, 0), ())
    dataset, expected = dcmread(folder / "DCM_RS_00041.dcm"), np.zeros(structure.mask.shape, dtype=bool)
    heights = [frame.position[2] for frame in arrangement.series.frames]
    for contour in dataset.ROIContourSequence[0].ContourSequence:
        points = np.array(contour.ContourData, dtype=float).reshape(-1, 3)
        d = heights.index(points[0, 2])
        frame = arrangement.series.frames[d]
        pixels = (points[:, 1::-1] - frame.position[1::-1]) / frame.spacing_mm
        expected[..., d] ^= np.array(oracle.fill([pixels.tolist()], frame.size))
    np.testing.assert_array_equal(structure.mask, expected)
