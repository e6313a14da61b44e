"""DICOM series as scans: the affine in RAS against hand and highdicom, names without patients."""

from dataclasses import replace

import numpy as np
import pytest
from pydicom import dcmread

from monai_gi.dicom.series import find_series
from monai_gi.errors import DataErrors
from monai_gi.readers.dicom import is_localizer, read_series
from tests.drawn_dicom import SERIES, drawn_pixels, enhanced, positions, save, write_slices

PLANES = {
    "axial": ((1, 0, 0, 0, 1, 0), (0, 0, 3)),
    "axial downwards": ((1, 0, 0, 0, 1, 0), (0, 0, -3)),
    "sagittal": ((0, 1, 0, 0, 0, -1), (3, 0, 0)),
    "sagittal to the right": ((0, 1, 0, 0, 0, -1), (-3, 0, 0)),
    "coronal": ((1, 0, 0, 0, 0, -1), (0, 3, 0)),
    "coronal to the front": ((1, 0, 0, 0, 0, -1), (0, -3, 0)),
    "oblique": ((0.8, 0, -0.6, 0, 1, 0), (1.8, 0, 2.4)),
}


def test_a_scan_holds_voxels_affine_and_names(tmp_path):
    paths = write_slices(tmp_path, positions(3, (0, 0, -3)))
    (series,) = find_series(tmp_path)
    scan = read_series(series)
    np.testing.assert_array_equal(scan.voxels, np.moveaxis(drawn_pixels(3)[::-1], 0, -1))
    # LPS (-20, -30, 34) is RAS (20, 30, 34); columns go to the left and rows to the back, which RAS counts downwards
    assert scan.affine.tolist() == [[0, -1.25, 0, 20], [-1.5, 0, 0, 30], [0, 0, 3, 34], [0, 0, 0, 1]]
    assert (scan.name, scan.kind, scan.spacing_mm) == (SERIES, "dicom", (1.5, 1.25, 3))
    assert scan.slice_names == ("slice_0001", "slice_0002", "slice_0003")
    assert scan.files == tuple(paths[::-1])
    assert scan.series is not None
    assert [frame.path for frame in scan.series.frames] == paths[::-1]
    assert read_series(series, name="chosen").name == "chosen"


def test_gaps_stay_in_numbers_and_names(tmp_path):
    write_slices(tmp_path, [positions(4)[index] for index in (0, 1, 3)])
    (series,) = find_series(tmp_path)
    scan = read_series(series, allow_gaps=True)
    assert scan.slice_numbers.tolist() == [0, 1, 3]
    assert scan.slice_names == ("slice_0001", "slice_0002", "slice_0004")
    assert scan.positions_mm.tolist() == [0, 3, 9]
    with pytest.raises(DataErrors, match="missing slices: 1 of 4"):
        read_series(series)


def test_a_lone_slice_without_a_thickness_is_taken_as_1_mm_and_says_so(tmp_path, caplog):
    (path,) = write_slices(tmp_path, positions(1))
    thick = read_series(find_series(path)[0])
    assert not caplog.records
    header = dcmread(path)
    for keyword in ("SliceThickness", "SpacingBetweenSlices"):
        if keyword in header:
            del header[keyword]
    header.save_as(path)
    assert read_series(find_series(path)[0]).spacing_mm == (*thick.spacing_mm[:2], 1)
    assert "one slice without a thickness, 1 mm taken; volumes hang on it" in caplog.text


def test_a_multi_frame_file_is_one_file(tmp_path):
    path = save(enhanced(positions(3), drawn_pixels(3)), tmp_path / "multi.dcm")
    scan = read_series(find_series(path)[0])
    assert scan.files == (path,)
    np.testing.assert_array_equal(scan.voxels, np.moveaxis(drawn_pixels(3), 0, -1))


@pytest.mark.parametrize(("orientation", "step"), PLANES.values(), ids=PLANES)
def test_every_voxel_lies_where_highdicom_puts_it(tmp_path, orientation, step):
    image = pytest.importorskip("highdicom.image", reason="the extra `dicom` is not installed")

    def turn(dataset, index):
        dataset.ImageOrientationPatient = list(orientation)

    paths = write_slices(tmp_path, positions(4, step), edit=turn)
    scan = read_series(find_series(tmp_path)[0])
    volume = image.get_volume_from_series([dcmread(path) for path in paths])
    for slice_, row, column in np.ndindex(volume.array.shape):
        x, y, z, one = volume.affine @ [slice_, row, column, 1]
        found = np.linalg.solve(scan.affine, [-x, -y, z, one])[:3]
        np.testing.assert_allclose(found, found.round(), atol=1e-3)
        assert scan.voxels[tuple(found.round().astype(int))] == volume.array[slice_, row, column]


def test_localizers_are_told_by_image_type_or_by_crossing_planes(tmp_path):
    write_slices(tmp_path, positions(2))
    (series,) = find_series(tmp_path)
    assert not is_localizer(series)
    assert is_localizer(replace(series, image_type=("ORIGINAL", "PRIMARY", "LOCALIZER")))
    crossing = series.frames[1]._replace(orientation=(0.0, 1.0, 0.0, 0.0, 0.0, -1.0))
    assert is_localizer(replace(series, frames=(series.frames[0], crossing)))
    assert is_localizer(replace(series, frames=(*series.frames, crossing, crossing)))


@pytest.mark.parametrize("stray_first", [True, False])
def test_a_stray_slice_of_another_plane_makes_no_localizer_but_a_refusal(tmp_path, stray_first):
    write_slices(tmp_path, positions(5))
    (series,) = find_series(tmp_path)
    stray = series.frames[2]._replace(orientation=(0.0, 1.0, 0.0, 0.0, 0.0, -1.0))
    others = (series.frames[0], series.frames[1], *series.frames[3:])
    mixed = replace(series, frames=(stray, *others) if stray_first else (*others, stray))
    assert not is_localizer(mixed)
    with pytest.raises(
        DataErrors, match=r"mixed orientation: .*4 of \(1, 0, 0, 0, 1, 0\).*1 of|mixed orientation: 1 of"
    ):
        read_series(mixed)


def test_real_series_are_read_as_highdicom_reads_them(real_data):
    image = pytest.importorskip("highdicom.image", reason="the extra `dicom` is not installed")
    (series,) = find_series(real_data / "dicom_rtstruct_lung_ct")
    scan = read_series(series)
    assert scan.voxels.shape == (138, 141, 41)
    volume = image.get_volume_from_series([dcmread(frame.path) for frame in series.frames])
    first = np.linalg.solve(scan.affine, np.array([-1, -1, 1, 1]) * (volume.affine @ [0, 0, 0, 1]))[:3]
    last = np.linalg.solve(scan.affine, np.array([-1, -1, 1, 1]) * (volume.affine @ [40, 137, 140, 1]))[:3]
    np.testing.assert_allclose(sorted([first[2], last[2]]), [0, 40], atol=1e-3)
    np.testing.assert_allclose(last[:2] - first[:2], [137, 140], atol=1e-3)
    voxels = np.moveaxis(scan.voxels, -1, 0)[:: 1 if first[2] < last[2] else -1]
    np.testing.assert_allclose(voxels, volume.array, rtol=0, atol=1e-3)
