"""Segmentations of highdicom and real ones read onto a series, frame by frame by position."""

import gzip

import numpy as np
import pytest
from pydicom import dcmread

from monai_gi.dicom.geometry import arrange
from monai_gi.dicom.series import find_series
from monai_gi.dicom.structures import Code, read_structures
from monai_gi.errors import DataError
from tests.drawn_structure_files import RGB, write_segmentation
from tests.drawn_structures import SIZE, draw_masks, draw_scan

MASKS = draw_masks()
FRAMES_LAST = MASKS.transpose(3, 1, 2, 0)  # as highdicom takes them: (D, H, W, segments)


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    return draw_scan(tmp_path_factory.mktemp("series"))


@pytest.fixture(scope="module")
def arrangement(scan):
    return arrange(scan.series)


@pytest.fixture
def segmentation(scan, tmp_path):
    return write_segmentation(tmp_path / "seg.dcm", scan, FRAMES_LAST.astype(np.uint8))


def edited(path, change):
    dataset = dcmread(path)
    change(dataset)
    dataset.save_as(path)
    return path


def turn_of(dataset):
    return dataset.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence[0]


def places_of(dataset):
    return [group.PlanePositionSequence[0] for group in dataset.PerFrameFunctionalGroupsSequence]


def test_binary_segments_are_read_bit_for_bit_with_name_colour_and_code(segmentation, arrangement):
    structures = read_structures(segmentation, arrangement)
    assert [structure.name for structure in structures] == ["first", "second", "third"]
    for structure, mask, rgb in zip(structures, MASKS, RGB, strict=True):
        np.testing.assert_array_equal(structure.mask, mask)
        assert (structure.rgb, structure.notes) == (rgb, ())
        assert structure.code == Code("69695003", "SCT", "Stomach")
    assert (structures[0].mask & structures[1].mask).any()


def test_fractions_count_from_one_half(scan, arrangement, tmp_path):
    fractions = np.where(FRAMES_LAST, 0.6, 0.4)
    path = write_segmentation(tmp_path / "seg.dcm", scan, fractions, "FRACTIONAL", max_fractional_value=200)
    for structure, mask in zip(read_structures(path, arrangement), MASKS, strict=True):
        np.testing.assert_array_equal(structure.mask, mask)


def test_label_maps_are_read_without_their_background(scan, arrangement, tmp_path):
    labels = np.where(MASKS[1], 2, MASKS[0]).astype(np.uint8).transpose(2, 0, 1)
    path = write_segmentation(tmp_path / "seg.dcm", scan, labels, "LABELMAP")
    structures = read_structures(path, arrangement)
    assert [structure.name for structure in structures] == ["first", "second"]
    np.testing.assert_array_equal(structures[0].mask, MASKS[0] & ~MASKS[1])
    np.testing.assert_array_equal(structures[1].mask, MASKS[1])


def test_frames_turned_over_are_turned_back(segmentation, arrangement):
    """Rows backwards, columns backwards, both exchanged: as other programs order their axes."""

    def turn_over(dataset):
        pixels, turn = dataset.pixel_array, turn_of(dataset)
        along_row, along_column = np.array(turn.ImageOrientationPatient, dtype=float).reshape(2, 3)
        measures = dataset.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
        between_rows, between_columns = map(float, measures.PixelSpacing)
        last = along_column * between_rows * (SIZE[0] - 1)
        for place in places_of(dataset):
            place.ImagePositionPatient = (np.array(place.ImagePositionPatient, dtype=float) + last).round(6).tolist()
        # columns of the new frames run along the old rows, rows against the old columns
        turn.ImageOrientationPatient = [*(-along_column).round(9), *along_row.round(9)]
        measures.PixelSpacing = [between_columns, between_rows]
        dataset.Rows, dataset.Columns = SIZE[1], SIZE[0]
        turned = pixels[:, ::-1, :].transpose(0, 2, 1)
        dataset.PixelData = np.packbits(turned.ravel(), bitorder="little").tobytes()

    for structure, mask in zip(read_structures(edited(segmentation, turn_over), arrangement), MASKS, strict=True):
        np.testing.assert_array_equal(structure.mask, mask)
        assert structure.notes == ()


def test_frames_of_another_pixel_size_are_taken_by_the_nearest_pixel_and_told(scan, segmentation, arrangement):
    def take_every_third(dataset):
        pixels = dataset.pixel_array[:, ::3, ::3]
        dataset.PixelData = np.packbits(pixels.ravel(), bitorder="little").tobytes()
        dataset.Rows, dataset.Columns = pixels.shape[1:]
        measures = dataset.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
        measures.PixelSpacing = [3 * float(spacing) for spacing in measures.PixelSpacing]

    structure = read_structures(edited(segmentation, take_every_third), arrangement)[1]
    rows, columns = (np.rint(np.arange(length) / 3).astype(int) for length in SIZE[:2])
    third = np.pad(MASKS[1, ::3, ::3], [(0, 1), (0, 1), (0, 0)])  # beyond the frame is nothing
    np.testing.assert_array_equal(structure.mask, third[np.ix_(rows, columns)])
    assert structure.notes == ("its pixels do not coincide with those of the series: the nearest pixel was taken",)


def test_frames_beside_the_slices_are_left_out_and_told(segmentation, arrangement):
    def move_first(dataset):
        for place in places_of(dataset):
            there = np.array(place.ImagePositionPatient, dtype=float)
            if np.allclose(there, arrangement.affine_lps[:3, 3], atol=1e-3):
                place.ImagePositionPatient = (there - arrangement.affine_lps[:3, 2]).round(6).tolist()

    structure = read_structures(edited(segmentation, move_first), arrangement)[0]
    np.testing.assert_array_equal(structure.mask[..., 1:], MASKS[0][..., 1:])
    assert not structure.mask[..., 0].any()
    assert structure.notes == ("1 frames lie more than half a slice spacing from every slice and were left out",)


@pytest.mark.parametrize(
    ("orientation", "message"),
    [([1, 0, 0, 0, 0, -1], "frame 1 is tilted"), ([0.6, 0.8, 0, -0.8, 0.6, 0], "turned in the plane")],
)
def test_frames_in_other_directions_are_refused(tmp_path, orientation, message):
    scan = draw_scan(tmp_path / "series", affine=np.diag([1.5, 1.1, 3.0, 1.0])[[1, 0, 2, 3]])
    path = write_segmentation(tmp_path / "seg.dcm", scan, FRAMES_LAST.astype(np.uint8))

    def turn(dataset):
        turn_of(dataset).ImageOrientationPatient = orientation

    with pytest.raises(DataError, match=message):
        read_structures(edited(path, turn), arrange(scan.series))


def test_a_segmentation_made_elsewhere_is_refused(segmentation, arrangement):
    def move(dataset):
        for place in places_of(dataset):
            there = np.array(place.ImagePositionPatient, dtype=float) + 20 * arrangement.affine_lps[:3, 2]
            place.ImagePositionPatient = there.round(6).tolist()

    with pytest.raises(DataError, match=r"none of its \d+ frames lies on the series"):
        read_structures(edited(segmentation, move), arrangement)


def test_frames_without_place_or_segment_are_refused(segmentation, arrangement):
    whole = segmentation.read_bytes()

    def lose(sequence):
        def change(dataset):
            del dataset.PerFrameFunctionalGroupsSequence[1][sequence]

        return change

    with pytest.raises(DataError, match="frame 2 has no position"):
        read_structures(edited(segmentation, lose("PlanePositionSequence")), arrangement)
    segmentation.write_bytes(whole)
    with pytest.raises(DataError, match="frame 2 names no segment"):
        read_structures(edited(segmentation, lose("SegmentIdentificationSequence")), arrangement)


def test_pixels_that_can_not_be_decoded_are_refused(segmentation, arrangement):
    def cut(dataset):
        dataset.PixelData = dataset.PixelData[:4]

    with pytest.raises(DataError, match="its pixels can not be decoded"):
        read_structures(edited(segmentation, cut), arrangement)


@pytest.mark.parametrize("name", ["liver", "partial_overlaps"])
def test_real_segmentations_lie_on_their_series(real_data, name):
    folder = real_data / "dicom_seg_ct_liver"
    structures = read_structures(folder / f"{name}.dcm", arrange(find_series(folder / "ct-3slice")[0]))
    dataset = dcmread(folder / f"{name}.dcm")
    assert sum(int(structure.mask.sum()) for structure in structures) == int(dataset.pixel_array.sum())
    assert [structure.name for structure in structures] == [segment.SegmentLabel for segment in dataset.SegmentSequence]


def test_a_real_liver_is_the_one_that_its_makers_saved_as_nrrd(real_data):
    folder = real_data / "dicom_seg_ct_liver"
    header, packed = (folder / "liver_seg.nrrd").read_bytes().split(b"\n\n", 1)
    assert b"space: left-posterior-superior\nsizes: 512 512 3" in header
    labels = np.frombuffer(gzip.decompress(packed), "<i2").reshape(3, 512, 512)  # slices from feet to head, as here
    (structure,) = read_structures(folder / "liver.dcm", arrange(find_series(folder / "ct-3slice")[0]))
    np.testing.assert_array_equal(structure.mask, labels.transpose(1, 2, 0) == 1)
    assert structure.name == "Liver"
