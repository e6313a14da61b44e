"""Voxels written as DICOM files of any plane, sign and compression; read back by pydicom and its plugins."""

import shutil
import subprocess
from types import SimpleNamespace

import numpy as np
import pydicom
import pytest
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from monai_gi.datasets.phantom import dicom_files
from monai_gi.datasets.phantom.dicom_files import write_series
from monai_gi.datasets.phantom.jpeg_lossless import encode_jpeg_lossless
from monai_gi.errors import DataError

# Rows 2.5 mm apart, columns 1.5 mm, slices 4 mm: a tilted plane.
TILTED = np.array([[0, 1.5, 0, -20.5], [2.0, 0, -2.4, 30.25], [1.5, 0, 3.2, -7], [0, 0, 0, 1]])
SYNTAXES = (
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
    JPEGLSLossless,
    JPEG2000Lossless,
    JPEGLosslessSV1,
)


def noise(*shape: int, dtype: type = np.uint16) -> np.ndarray:
    """Every bit drawn, with a flat part and the steepest steps."""
    voxels = np.random.default_rng(3).integers(0, 65536, shape).astype(np.uint16)
    voxels[: shape[0] // 2] >>= 9
    voxels[0, :4, 0] = (0, 65535, 0, 32768)
    return voxels.view(dtype)


@pytest.mark.parametrize("multi_frame", [False, True])
@pytest.mark.parametrize("dtype", [np.uint16, np.int16])
@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda uid: uid.name.split(",")[0])
def test_every_syntax_keeps_every_bit_and_is_valid(tmp_path, syntax, dtype, multi_frame):
    voxels = noise(35, 44, 2, dtype=dtype)
    files = write_series(tmp_path, voxels, TILTED, transfer_syntax=syntax, multi_frame=multi_frame)
    assert len(files) == (1 if multi_frame else 2)
    found = np.concatenate([pydicom.dcmread(path).pixel_array.reshape(-1, 35, 44) for path in files])
    assert found.dtype == dtype
    assert pydicom.dcmread(files[0]).file_meta.TransferSyntaxUID == syntax
    if multi_frame:
        groups = pydicom.dcmread(files[0]).PerFrameFunctionalGroupsSequence
        found = found[np.argsort([group.FrameContentSequence[0].InStackPositionNumber for group in groups])]
    np.testing.assert_array_equal(np.moveaxis(found, 0, -1), voxels)
    if shutil.which("dciodvfy"):
        said = subprocess.run(["dciodvfy", str(files[0])], capture_output=True, text=True, check=False).stderr
        assert "Error" not in said


def test_positions_orientation_and_spacing_are_those_of_the_affine(tmp_path):
    first, second = map(pydicom.dcmread, write_series(tmp_path, noise(6, 9, 2), TILTED))
    assert first.ImagePositionPatient == [-20.5, 30.25, -7]
    assert np.allclose(second.ImagePositionPatient, [-20.5, 27.85, -3.8])
    assert np.allclose(first.ImageOrientationPatient, [1, 0, 0, 0, 0.8, 0.6])
    assert first.PixelSpacing == [2.5, 1.5]
    assert (first.Rows, first.Columns) == (6, 9)
    assert (first.InstanceNumber, second.InstanceNumber) == (1, 2)


def test_what_is_asked_for_stands_in_the_header(tmp_path):
    words = {"study_uid": "1.2.3", "series_uid": "1.2.4", "frame_of_reference_uid": "1.2.5"}
    file = write_series(
        tmp_path,
        noise(6, 9, 1),
        TILTED,
        modality="CT",
        slope=2.0,
        intercept=-1024.0,
        slice_numbers=[2.5],
        patient=7,
        patient_position="FFS",
        description="planning",
        image_type=("ORIGINAL", "PRIMARY", "LOCALIZER"),
        series_number=12,
        first_instance=40,
        **words,
    )[0]
    ds = pydicom.dcmread(file)
    assert (ds.Modality, ds.SOPClassUID.name) == ("CT", "CT Image Storage")
    assert (float(ds.RescaleSlope), float(ds.RescaleIntercept)) == (2, -1024)
    assert np.allclose(ds.ImagePositionPatient, [-20.5, 24.25, 1])
    assert (str(ds.PatientName), ds.PatientID, ds.PatientPosition) == ("PHANTOM^DRAWN^7", "PHANTOM-7", "FFS")
    assert (ds.SeriesDescription, ds.SeriesNumber, ds.InstanceNumber) == ("planning", 12, 40)
    assert list(ds.ImageType) == ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    assert (ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.FrameOfReferenceUID) == tuple(words.values())
    assert file.name == "IM00040"


def test_pixels_are_left_out_when_asked(tmp_path):
    assert "PixelData" not in pydicom.dcmread(write_series(tmp_path, noise(6, 9, 1), TILTED, pixels=False)[0])


def test_uids_depend_on_seed_patient_and_content_only(tmp_path):
    def uids(name: str, voxels: np.ndarray, **words: int) -> tuple[str, str, str, str]:
        ds = pydicom.dcmread(write_series(tmp_path / name, voxels, TILTED, **words)[0])
        return ds.StudyInstanceUID, ds.FrameOfReferenceUID, ds.SeriesInstanceUID, ds.SOPInstanceUID

    one = uids("one", noise(6, 9, 2))
    assert uids("same", noise(6, 9, 2)) == one
    other = uids("other", noise(6, 9, 2) + np.uint16(1))
    assert other[:2] == one[:2]
    assert not set(other[2:]) & set(one[2:])
    assert not set(uids("seed", noise(6, 9, 2), seed=1)) & set(one)
    assert not set(uids("patient", noise(6, 9, 2), patient=2)) & set(one)


def test_more_slices_of_a_series_go_into_the_same_folder(tmp_path):
    first = write_series(tmp_path, noise(6, 9, 2), TILTED, series_uid="1.2.3")
    second = write_series(tmp_path, noise(6, 8, 1), TILTED, series_uid="1.2.3", first_instance=3)
    files = [pydicom.dcmread(path) for path in (*first, *second)]
    assert {ds.SeriesInstanceUID for ds in files} == {"1.2.3"}
    assert len({ds.SOPInstanceUID for ds in files}) == 3
    with pytest.raises(DataError, match=r"IM0000\d: is there already; nothing was changed"):
        write_series(tmp_path, noise(6, 9, 2), TILTED)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"voxels": np.zeros((6, 9, 2), np.float32)}, r"voxels: float32 \(6, 9, 2\), wanted \(H, W, D\) of uint16"),
        ({"voxels": np.zeros((6, 9), np.uint16)}, r"voxels: uint16 \(6, 9\), wanted"),
        ({"voxels": np.zeros((6, 9, 0), np.uint16)}, r"voxels: uint16 \(6, 9, 0\), wanted"),
        ({"affine_lps": TILTED + np.eye(4)}, "affine_lps: wanted .* right angles"),
        ({"affine_lps": TILTED[:3]}, r"affine_lps: wanted \(4, 4\)"),
        ({"slice_numbers": [0, 1, 2]}, "slice_numbers: 3, wanted one for each of 2 slices"),
        ({"modality": "US"}, "modality: US, wanted MR or CT"),
        ({"modality": "CT", "multi_frame": True}, "modality: CT, wanted .* MR for multi_frame"),
        ({"transfer_syntax": DeflatedExplicitVRLittleEndian}, "transfer_syntax: 1.2.840.10008.1.2.1.99, wanted one"),
        ({"transfer_syntax": JPEG2000Lossless}, "voxels: 6 x 9, wanted 32 or more a side for JPEG 2000"),
    ],
)
def test_what_cannot_be_written_is_refused_before_a_file_is_there(tmp_path, change, said):
    words = {"folder": tmp_path, "voxels": noise(6, 9, 2), "affine_lps": TILTED} | change
    with pytest.raises(ValueError, match=said):
        write_series(**words)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_encoder_names_the_extra_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(dicom_files.ENCODERS, JPEGLSLossless, SimpleNamespace(is_available=False))
    with pytest.raises(DataError, match=r"JPEG-LS Lossless .* missing: pip install 'monai_gi\[dicom\]'"):
        write_series(tmp_path, noise(6, 9, 1), TILTED, transfer_syntax=JPEGLSLossless)


def decode(data: bytes) -> np.ndarray:
    libjpeg = pytest.importorskip("libjpeg", reason="pylibjpeg-libjpeg is absent")
    return libjpeg.decode(data)


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (7, 1), (3, 5), (40, 33)])
def test_jpeg_lossless_is_decoded_by_libjpeg(size: tuple[int, int]):
    rng = np.random.default_rng(sum(size))
    for plane in (
        np.zeros(size),
        np.full(size, 65535),
        rng.integers(0, 65536, size),
        rng.integers(0, 2, size) * 32768,
        rng.integers(0, 2, size) * 65535,
        np.add.outer(np.arange(size[0]) * 3, np.arange(size[1]) * 700),
    ):
        plane = plane.astype(np.uint16)
        np.testing.assert_array_equal(decode(encode_jpeg_lossless(plane)).reshape(size), plane)


def test_jpeg_lossless_of_one_pixel_is_as_written_by_hand():
    # 32769 less the 32768 foretold is 1, the only category and thus of the code 00; then the bit 1; then ones.
    data = encode_jpeg_lossless(np.array([[32769]], np.uint16))
    assert data[:2] + data[-2:] == b"\xff\xd8\xff\xd9"
    assert data[2:15] == bytes.fromhex("ffc3 000b 10 0001 0001 01 01 11 00".replace(" ", ""))
    assert data[-3] == 0b00111111


@pytest.mark.parametrize("plane", [np.zeros((2, 3)), np.zeros((2, 3, 1), np.uint16), np.zeros((0, 3), np.uint16)])
def test_jpeg_lossless_wants_a_plane_of_sixteen_bits(plane):
    with pytest.raises(ValueError, match=r"plane: .*, wanted \(H, W\) of uint16 or int16"):
        encode_jpeg_lossless(plane)
