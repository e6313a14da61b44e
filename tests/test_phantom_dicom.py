"""Drawn DICOM series: valid files, the drawn voxels in the drawn places, and faults that are what they say."""

import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.uid import JPEG2000Lossless, JPEGLosslessSV1, JPEGLSLossless, RLELossless

from monai_gi.datasets.phantom import dicom
from monai_gi.datasets.phantom.dicom import DrawnSeries, plan_dicom, write_dicom, write_drawn
from monai_gi.datasets.phantom.dicom_kinds import BYSTANDERS, KINDS, READABLE, REFUSED
from monai_gi.errors import DataError
from monai_gi.labels import ORGAN_NAMES

# Small and coarse; JPEG 2000 wants 32 pixels a side.
SMALL = {"slices": 5, "size": (40, 56), "spacing_mm": 9.0}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> dict[str, DrawnSeries]:
    root = tmp_path_factory.mktemp("dicom")
    series = {one.kind: one for one in plan_dicom(root / "new", kinds=tuple(KINDS), **SMALL)}
    for one in series.values():
        write_drawn(one)
    return series


def noise(*shape: int, dtype: type = np.uint16) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 65536, shape).astype(np.uint16).view(dtype)


def headers(series: DrawnSeries) -> list[pydicom.Dataset]:
    return [pydicom.dcmread(path) for path in series.folder.iterdir()]


def planes(files: Iterable[pydicom.Dataset]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Affine (3, 3) from (row, column, 1) to LPS mm and pixels of each slice, along the normal; PS3.3 C.7.6.2.1.1."""
    found = []
    for ds in files:
        frames = ds.pixel_array.reshape(-1, ds.Rows, ds.Columns)
        for index, pixels in enumerate(frames):
            place = ds
            if "PerFrameFunctionalGroupsSequence" in ds:
                own, shared = ds.PerFrameFunctionalGroupsSequence[index], ds.SharedFunctionalGroupsSequence[0]
                place = pydicom.Dataset()
                place.update(own.PlanePositionSequence[0])
                place.update(shared.PlaneOrientationSequence[0])
                place.update(shared.PixelMeasuresSequence[0])
            cosines = np.array(place.ImageOrientationPatient, float)
            between_rows, between_columns = map(float, place.PixelSpacing)
            position = np.array(place.ImagePositionPatient, float)
            affine = np.stack([cosines[3:] * between_rows, cosines[:3] * between_columns, position], axis=1)
            found.append((float(np.cross(cosines[:3], cosines[3:]) @ position), affine, pixels))
    return [(affine, pixels) for _, affine, pixels in sorted(found, key=lambda one: one[0])]


@pytest.mark.parametrize("kind", [*READABLE, *BYSTANDERS, *(name for name in REFUSED if name != "no-pixel-data")])
def test_the_checker_of_others_finds_no_error(drawn, kind):
    if shutil.which("dciodvfy") is None:
        pytest.skip("dciodvfy is absent: install Debian's dicom3tools")
    for path in sorted(drawn[kind].folder.iterdir())[:3]:
        said = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, check=False).stderr
        assert [line for line in said.splitlines() if "Error" in line] == []


@pytest.mark.parametrize("kind", READABLE)
def test_pixels_and_places_come_back_exactly(drawn, kind):
    series = drawn[kind]
    found = planes(headers(series))
    assert len(found) == 5
    np.testing.assert_array_equal(np.stack([pixels for _, pixels in found], axis=-1), series.voxels)
    for number, (affine, _) in enumerate(found):
        np.testing.assert_allclose(affine[:, :2], series.affine_lps[:3, :2], atol=1e-9)
        np.testing.assert_allclose(affine[:, 2], series.affine_lps[:3] @ [0, 0, number, 1], atol=1e-9)
    assert series.slice_numbers == (0, 1, 2, 3, 4)
    assert series.masks.shape == (len(ORGAN_NAMES), *series.voxels.shape)


def test_each_syntax_and_layout_is_the_one_it_names(drawn):
    syntax = {kind: headers(drawn[kind])[0].file_meta.TransferSyntaxUID for kind in READABLE}
    assert syntax["jpeg2000"] == JPEG2000Lossless
    assert syntax["jpeg-ls"] == JPEGLSLossless
    assert syntax["rle"] == RLELossless
    assert syntax["jpeg-lossless"] == JPEGLosslessSV1
    assert syntax["implicit"].is_implicit_VR
    assert syntax["axial"].is_little_endian
    assert not syntax["axial"].is_implicit_VR
    assert [ds.NumberOfFrames for ds in headers(drawn["multi-frame"])] == [5]


@pytest.mark.parametrize(
    ("kind", "row", "column", "normal"),
    [
        ("axial", (0, 1, 0), (1, 0, 0), (0, 0, 1)),
        ("prone", (0, -1, 0), (-1, 0, 0), (0, 0, 1)),
        ("sagittal", (0, 0, -1), (0, 1, 0), (-1, 0, 0)),
        ("coronal", (0, 0, -1), (1, 0, 0), (0, 1, 0)),
    ],
)
def test_each_plane_lies_as_its_name_says(drawn, kind, row, column, normal):
    steps = drawn[kind].affine_lps[:3, :3]
    np.testing.assert_allclose(steps / np.linalg.norm(steps, axis=0), np.transpose([row, column, normal]), atol=1e-12)


def test_prone_slices_are_the_axial_ones_turned_by_half_a_circle_where_they_were(drawn):
    axial, prone = drawn["axial"], drawn["prone"]
    np.testing.assert_array_equal(prone.voxels, axial.voxels[::-1, ::-1])
    np.testing.assert_array_equal(prone.masks, axial.masks[:, ::-1, ::-1])
    np.testing.assert_allclose(prone.affine_lps @ [39, 55, 3, 1], axial.affine_lps @ [0, 0, 3, 1])
    assert headers(prone)[0].PatientPosition == "HFP"


def test_the_oblique_plane_is_tilted_twice_and_its_pixels_are_not_square(drawn):
    steps = drawn["oblique"].affine_lps[:3, :3]
    spacing = np.linalg.norm(steps, axis=0)
    np.testing.assert_allclose(spacing[:2], (1.2 * 9, 9))
    assert np.degrees(np.arccos(steps[:, 2] @ (0, 0, 1) / spacing[2])) == pytest.approx(18.7, abs=0.1)
    assert (np.abs(steps[:, 2] / spacing[2]) > 0.1).all()
    np.testing.assert_allclose((steps.T @ steps)[np.triu_indices(3, 1)], 0, atol=1e-9)


@pytest.mark.parametrize("kind", ["prone", "sagittal", "coronal", "oblique"])
def test_every_plane_shows_the_same_body_in_the_same_place(kind):
    words = {"slices": 40, "size": (60, 76), "spacing_mm": 6.0}
    axial, other = plan_dicom(Path("unused"), kinds=("axial", kind), **words)
    for organ in range(3):
        inside = np.argwhere(other.masks[organ]) @ other.affine_lps[:3, :3].T + other.affine_lps[:3, 3]
        back = np.linalg.inv(axial.affine_lps)
        at = np.rint(inside @ back[:3, :3].T + back[:3, 3]).astype(int)
        at = at[((at >= 0) & (at < axial.voxels.shape)).all(axis=1)]
        assert len(at) > 50
        assert axial.masks[organ][tuple(at.T)].mean() > 0.75
    # The stomach lies on the patient's left and above the small bowel.
    centres = [np.argwhere(mask).mean(axis=0) @ other.affine_lps[:3, :3].T for mask in other.masks]
    assert (centres[2] + other.affine_lps[:3, 3])[0] > 20
    assert (centres[2] - centres[1])[2] > 20


def test_names_of_files_do_not_follow_the_slices_and_instances_descend_where_reversed(drawn):
    for kind, direction in (("axial", 1), ("axial-reversed", -1)):
        files = sorted(drawn[kind].folder.iterdir())
        heights = [float(pydicom.dcmread(path).ImagePositionPatient[2]) for path in files]
        assert heights not in (sorted(heights), sorted(heights, reverse=True))
        numbers = [int(pydicom.dcmread(path).InstanceNumber) for path in files]
        assert np.corrcoef(heights, numbers)[0, 1] == pytest.approx(direction)
        assert not any(path.suffix for path in files)
    file = headers(drawn["multi-frame"])[0]
    heights = [
        group.PlanePositionSequence[0].ImagePositionPatient[2] for group in file.PerFrameFunctionalGroupsSequence
    ]
    places = [group.FrameContentSequence[0].InStackPositionNumber for group in file.PerFrameFunctionalGroupsSequence]
    assert heights != sorted(heights)
    assert [place for _, place in sorted(zip(heights, places, strict=True))] == [1, 2, 3, 4, 5]


def test_slice_thickness_is_not_the_spacing(drawn):
    step = np.linalg.norm(drawn["axial"].affine_lps[:3, 2])
    assert float(headers(drawn["axial"])[0].SliceThickness) == pytest.approx(0.8 * step)


def test_rescaled_values_are_those_of_slope_and_intercept(drawn):
    series = drawn["rescaled"]
    ds = headers(series)[0]
    assert (float(ds.RescaleSlope), float(ds.RescaleIntercept)) == (0.25, -32)
    assert series.values.dtype == np.float32
    np.testing.assert_array_equal(series.values, series.voxels / 4 - 32)
    assert drawn["axial"].values.dtype == np.uint16
    assert "RescaleSlope" not in headers(drawn["axial"])[0]


def test_missing_doubled_and_uneven_slices_are_what_they_say(drawn):
    axial = drawn["axial"]
    wanted = {"missing-slice": (0, 1, 3, 4), "doubled-slice": (0, 1, 2, 2, 3, 4), "uneven-spacing": (0, 1, 2.2, 3, 4)}
    for kind, numbers in wanted.items():
        series, found = drawn[kind], planes(headers(drawn[kind]))
        origin, step = axial.affine_lps[2, 3], axial.affine_lps[2, 2]
        np.testing.assert_allclose([affine[2, 2] for affine, _ in found], [origin + step * one for one in numbers])
        np.testing.assert_array_equal(series.voxels, axial.voxels[..., [int(one) for one in numbers]])
        np.testing.assert_array_equal(series.masks, axial.masks[..., [int(one) for one in numbers]])
        np.testing.assert_array_equal(np.stack([pixels for _, pixels in found], axis=-1), series.voxels)


def test_mixed_series_have_one_slice_of_another_orientation_or_size(drawn):
    for kind, others in (("mixed-orientation", "ImageOrientationPatient"), ("mixed-size", "Columns")):
        files = headers(drawn[kind])
        values = [str(ds[others].value) for ds in files]
        assert sorted(values.count(value) for value in set(values)) == [1, 4]
        assert len({ds.SeriesInstanceUID for ds in files}) == 1
        for same in {"ImageOrientationPatient", "Columns"} - {others}:
            assert len({str(ds[same].value) for ds in files}) == 1
        places = sorted(list(map(float, ds.ImagePositionPatient)) for ds in files)
        wanted = [drawn["axial"].affine_lps[:3] @ [0, 0, number, 1] for number in range(5)]
        np.testing.assert_allclose(places, wanted)


def test_the_series_without_pixels_has_none_and_says_its_size(drawn):
    for ds in headers(drawn["no-pixel-data"]):
        assert "PixelData" not in ds
        assert (ds.Rows, ds.Columns) == (40, 56)


def test_bystanders_are_a_localizer_in_three_planes_and_a_ct(drawn):
    localizer, ct = headers(drawn["localizer"]), headers(drawn["ct"])
    assert len({str(ds.ImageOrientationPatient) for ds in localizer}) == len(localizer) == 3
    assert {tuple(ds.ImageType) for ds in localizer} == {("ORIGINAL", "PRIMARY", "LOCALIZER")}
    middles = [affine @ (np.append(np.subtract(pixels.shape, 1) / 2, 1)) for affine, pixels in planes(localizer)]
    np.testing.assert_allclose(np.ptp(middles, axis=0), [0, 18, 0], atol=1e-9)
    assert {ds.Modality for ds in ct} == {"CT"}
    assert ct[0].FrameOfReferenceUID != localizer[0].FrameOfReferenceUID


def test_series_of_a_patient_share_study_and_frame_and_nobody_is_taken_for_a_real_patient(tmp_path):
    folders = write_dicom(tmp_path / "new", patients=2, kinds=("axial", "coronal"), **SMALL)
    assert [folder.relative_to(tmp_path).as_posix() for folder in folders] == [
        f"new/patient_{number}/{kind}" for number in (1, 2) for kind in ("axial", "coronal")
    ]
    files = [[pydicom.dcmread(path) for path in folder.iterdir()] for folder in folders]
    for tag, count in (("StudyInstanceUID", 2), ("FrameOfReferenceUID", 2), ("SeriesInstanceUID", 4)):
        assert len({ds[tag].value for series in files for ds in series}) == count
    assert len({ds.SOPInstanceUID for series in files for ds in series}) == 20
    assert {str(ds.PatientName) for series in files for ds in series} == {"PHANTOM^DRAWN^1", "PHANTOM^DRAWN^2"}
    assert [int(series[0].SeriesNumber) for series in files] == [1, 2, 1, 2]


def test_the_same_seed_gives_the_same_bytes_and_another_seed_another_series(tmp_path):
    kinds = ("axial", "multi-frame", "jpeg-lossless")
    contents = []
    for name, seed in (("a", 4), ("b", 4), ("c", 5)):
        write_dicom(tmp_path / name, seed=seed, kinds=kinds, **SMALL)
        files = sorted(path for path in (tmp_path / name).rglob("*") if path.is_file())
        contents.append([(path.relative_to(tmp_path / name), path.read_bytes()) for path in files])
    assert contents[0] == contents[1]
    uids = [{pydicom.dcmread(path).SOPInstanceUID for path in (tmp_path / name).rglob("IM*")} for name in "ac"]
    assert not uids[0] & uids[1]


def test_every_fourth_patient_lacks_an_organ():
    fourth = list(plan_dicom(Path("unused"), patients=4, slices=5, size=(80, 90), spacing_mm=4.5))[3]
    assert fourth.masks.any(axis=(1, 2, 3)).tolist() == [False, True, True]


def test_a_folder_that_holds_something_is_refused_and_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(DataError, match="holds something already"):
        write_dicom(tmp_path, **SMALL)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    series = next(plan_dicom(tmp_path / "new", **SMALL))
    write_drawn(series)
    with pytest.raises(DataError, match="axial: is there already"):
        write_drawn(series)


def test_a_stopped_series_leaves_no_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(dicom, "write_series", lambda folder, *_, **__: (folder.mkdir(parents=True), 1 / 0))
    with pytest.raises(ZeroDivisionError):
        write_dicom(tmp_path, **SMALL)
    assert list((tmp_path / "patient_1").iterdir()) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"patients": 0}, "patients: 0, wanted 1 or more"),
        ({"slices": 3}, "slices: 3, wanted 4 or more"),
        ({"seed": -1}, "seed: -1, wanted 0 or more"),
        ({"kinds": ("axial", "upside-down")}, "kinds: upside-down, wanted some of axial, axial-reversed"),
        ({"kinds": ()}, "kinds: none, wanted some of"),
        ({"kinds": ("axial", "axial")}, "kinds: axial, axial, wanted some of .* each once"),
    ],
)
def test_arguments_out_of_range_are_refused_before_anything_is_drawn(tmp_path, words, said):
    with pytest.raises(ValueError, match=said):
        write_dicom(tmp_path / "new", **words)
    assert not (tmp_path / "new").exists()
