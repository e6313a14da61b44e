"""Voxels of drawn series against the pixels they were written from, native and compressed, rescaled by hand."""

from dataclasses import replace

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.encaps import encapsulate, generate_frames
from pydicom.pixels.decoders.base import Decoder
from pydicom.uid import (
    MPEG2MPML,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from monai_gi.dicom import pixels as pixels_module
from monai_gi.dicom.pixels import read_voxels
from monai_gi.dicom.series import find_series
from monai_gi.errors import DataErrors
from tests.drawn_dicom import drawn_pixels, enhanced, header, item, positions, save, set_pixels, write_slices
from tests.oracles.jpeg_lossless import encode

# the JPEG 2000 encoder wants at least 32 pixels a side
COMPRESSIBLE = (33, 41)


def read(folder) -> np.ndarray:
    """(D, H, W), as `drawn_pixels`."""
    (series,) = find_series(folder)
    return np.moveaxis(read_voxels(series), -1, 0)


def test_slices_are_stacked_in_the_order_of_frames_and_not_turned(tmp_path):
    write_slices(tmp_path, positions(3))
    (series,) = find_series(tmp_path)
    voxels = read_voxels(replace(series, frames=series.frames[::-1]))
    assert (voxels.shape, voxels.dtype) == ((5, 7, 3), np.uint16)
    np.testing.assert_array_equal(voxels, np.moveaxis(drawn_pixels(3)[::-1], 0, -1))
    assert voxels[..., 1].flags.c_contiguous


@pytest.mark.parametrize(
    "syntax",
    [
        ImplicitVRLittleEndian,
        ExplicitVRLittleEndian,
        DeflatedExplicitVRLittleEndian,
        JPEG2000Lossless,
        JPEGLSLossless,
        RLELossless,
    ],
    ids=lambda uid: uid.name,
)
@pytest.mark.parametrize("dtype", [np.uint16, np.int16, np.uint8])
def test_every_transfer_syntax_gives_the_same_voxels(tmp_path, syntax, dtype):
    pixels = drawn_pixels(2, COMPRESSIBLE)
    pixels = (pixels.astype(np.int16) - 2000) if dtype == np.int16 else pixels.astype(dtype)
    write_slices(tmp_path, positions(2), pixels=pixels, syntax=syntax)
    voxels = read(tmp_path)
    assert voxels.dtype == (np.float32 if dtype == np.int16 else np.uint16)
    np.testing.assert_array_equal(voxels, pixels)


@pytest.mark.parametrize("dtype", [np.uint16, np.uint8, np.int16])
def test_jpeg_lossless_is_read(tmp_path, dtype):
    pixels = drawn_pixels(1).astype(dtype)
    pixels[0, 0, :2] = np.iinfo(dtype).max, np.iinfo(dtype).min
    (path,) = write_slices(tmp_path, positions(1), pixels=pixels)
    dataset = dcmread(path)
    stream = encode(pixels[0].view(f"u{pixels.itemsize}"), 8 * pixels.itemsize)
    dataset.PixelData = encapsulate([stream + b"\0" * (len(stream) % 2)])
    dataset["PixelData"].VR = "OB"
    dataset.file_meta.TransferSyntaxUID = JPEGLosslessSV1
    dataset.save_as(path)
    np.testing.assert_array_equal(read(tmp_path), pixels)


def test_big_endian_files_are_read(tmp_path):
    pixels = drawn_pixels(1)
    write_slices(tmp_path, positions(1), pixels=pixels.byteswap(), syntax=ExplicitVRBigEndian)
    np.testing.assert_array_equal(read(tmp_path), pixels)


def test_files_without_a_transfer_syntax_are_read_as_they_look(tmp_path):
    dataset = header()
    set_pixels(dataset, drawn_pixels(1)[0])
    dataset.save_as(tmp_path / "bare", implicit_vr=True, little_endian=True)
    np.testing.assert_array_equal(read(tmp_path), drawn_pixels(1))


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, RLELossless, JPEG2000Lossless], ids=lambda uid: uid.name)
def test_frames_of_a_file_are_taken_in_any_order_and_number(tmp_path, syntax):
    pixels = drawn_pixels(4, COMPRESSIBLE)
    save(enhanced(positions(4), pixels), tmp_path / "multi.dcm", syntax)
    (series,) = find_series(tmp_path)
    np.testing.assert_array_equal(np.moveaxis(read_voxels(series), -1, 0), pixels)
    some = replace(series, frames=(series.frames[3], series.frames[1]))
    np.testing.assert_array_equal(np.moveaxis(read_voxels(some), -1, 0), pixels[[3, 1]])


def test_bits_that_are_not_stored_do_not_count(tmp_path):
    clean = drawn_pixels(1)

    def pollute(dataset, index):
        set_pixels(dataset, clean[0] | np.uint16(0xA000), bits_stored=12)

    write_slices(tmp_path, positions(1), edit=pollute)
    np.testing.assert_array_equal(read(tmp_path), clean)


@pytest.mark.parametrize(
    ("slope", "intercept", "dtype"),
    [(2, 1, np.uint16), (1, -1024, np.float32), (0.5, 0, np.float32), (1, 0.5, np.float32), (20, 0, np.float32)],
)
def test_rescale_slope_and_intercept_are_applied_to_each_file(tmp_path, slope, intercept, dtype):
    def rescale(dataset, index):
        dataset.RescaleSlope = slope * (index + 1)
        dataset.RescaleIntercept = intercept

    write_slices(tmp_path, positions(2), edit=rescale)
    voxels = read(tmp_path)
    assert voxels.dtype == dtype
    stored = drawn_pixels(2).astype(np.float64)
    np.testing.assert_array_equal(voxels, stored * slope * np.array([1, 2])[:, None, None] + intercept)


def test_halves_of_even_numbers_are_whole(tmp_path):
    def halve(dataset, index):
        dataset.RescaleSlope = 0.5

    write_slices(tmp_path, positions(1), pixels=drawn_pixels(1) * np.uint16(2), edit=halve)
    voxels = read(tmp_path)
    assert voxels.dtype == np.uint16
    np.testing.assert_array_equal(voxels, drawn_pixels(1))


def test_the_whole_of_16_bits_stays_whole(tmp_path):
    pixels = np.array([[[0, 65535, 7], [3, 2, 1]]], dtype=np.uint16)
    write_slices(tmp_path, positions(1), pixels=pixels)
    voxels = read(tmp_path)
    assert voxels.dtype == np.uint16
    np.testing.assert_array_equal(voxels, pixels)


def test_32_bits_beyond_16_become_floats(tmp_path):
    write_slices(tmp_path, positions(1), pixels=np.array([[[0, 70000, 7], [3, 2, 1]]], dtype=np.uint32))
    assert read(tmp_path).dtype == np.float32


def test_slopes_of_enhanced_frames_go_before_the_shared_one(tmp_path):
    save(enhanced(positions(3), drawn_pixels(3), slopes=[2, 3]), tmp_path / "multi.dcm")
    stored = drawn_pixels(3).astype(np.int64)
    np.testing.assert_array_equal(read(tmp_path), [2 * stored[0] + 2, 3 * stored[1] + 2, stored[2]])


def test_a_lookup_table_of_the_modality_is_applied(tmp_path):
    table = item(LUTDescriptor=[4, 0, 16], ModalityLUTType="US", LUTData=[100, 50, 70, 9])

    def look_up(dataset, index):
        dataset.ModalityLUTSequence = [table]
        dataset["ModalityLUTSequence"][0]["LUTDescriptor"].VR = "US"
        dataset["ModalityLUTSequence"][0]["LUTData"].VR = "US"

    pixels = np.array([[[0, 1, 2], [3, 3, 0]]], dtype=np.uint16)
    write_slices(tmp_path, positions(1), pixels=pixels, edit=look_up)
    np.testing.assert_array_equal(read(tmp_path), [[[100, 50, 70], [9, 9, 100]]])


@pytest.mark.parametrize(
    ("pixels", "bits", "expected"),
    [(np.uint16([0, 1, 4095]), 12, [4095, 4094, 0]), (np.int16([-32768, 0, 32767]), 16, [32767, -1, -32768])],
)
def test_white_is_bright_in_monochrome1_too(tmp_path, pixels, bits, expected):
    def invert(dataset, index):
        set_pixels(dataset, pixels.reshape(1, 3), bits_stored=bits)
        dataset.PhotometricInterpretation = "MONOCHROME1"
        dataset.RescaleSlope = 2

    write_slices(tmp_path, positions(1), edit=invert)
    assert read(tmp_path)[0, 0].tolist() == [2 * value for value in expected]


def test_white_is_bright_in_floats_too(tmp_path):
    def invert(dataset, index):
        del dataset.PixelData
        dataset.PhotometricInterpretation = "MONOCHROME1"
        dataset.BitsAllocated, dataset.FloatPixelData = 32, np.linspace(0, 1, 35, dtype=np.float32).tobytes()

    write_slices(tmp_path, positions(1), edit=invert)
    np.testing.assert_array_equal(read(tmp_path).ravel(), -np.linspace(0, 1, 35, dtype=np.float32))


def refusal(folder) -> str:
    (series,) = find_series(folder)
    with pytest.raises(DataErrors, match=r"series 1\.2\.826\.0\.1\.2: ") as caught:
        read_voxels(series)
    return str(caught.value)


def test_all_files_that_can_not_be_used_are_named(tmp_path):
    def spoil(dataset, index):
        if index == 0:
            dataset.PhotometricInterpretation, dataset.SamplesPerPixel = "RGB", 3
        if index == 1:
            dataset.PixelData = dataset.PixelData[:40]
        if index == 2:
            del dataset.PixelData
        if index == 3:
            del dataset.PhotometricInterpretation

    write_slices(tmp_path, positions(5), edit=spoil)
    message = refusal(tmp_path)
    assert "4 problems" in message
    assert "im0.dcm: pixels are RGB, wanted grey ones: MONOCHROME1 or MONOCHROME2" in message
    assert "im1.dcm: its pixels can not be decoded (" in message
    assert "im2.dcm: no pixel data; copy it again" in message
    assert "im3.dcm: pixels are of unknown colours" in message


def test_a_damaged_code_stream_is_named(tmp_path):
    write_slices(tmp_path, positions(2), pixels=drawn_pixels(2, COMPRESSIBLE), syntax=JPEG2000Lossless)
    dataset = dcmread(tmp_path / "im1.dcm")
    dataset.PixelData = dataset.PixelData[:20] + bytes(len(dataset.PixelData) - 28) + dataset.PixelData[-8:]
    dataset.save_as(tmp_path / "im1.dcm")
    message = refusal(tmp_path)
    assert "1 problem" in message
    assert "im1.dcm: its pixels can not be decoded (Unable to decode" in message
    assert message.count("\n") == 1


def test_a_file_that_changed_since_it_was_found_is_named(tmp_path):
    write_slices(tmp_path, positions(1))
    (series,) = find_series(tmp_path)
    write_slices(tmp_path, positions(1), pixels=np.zeros((1, 7, 5), np.uint16))
    with pytest.raises(DataErrors, match=r"pixels of size \(7, 5\), \(5, 7\) in the header"):
        read_voxels(series)


def test_lost_frames_are_named(tmp_path):
    dataset = enhanced(positions(3), drawn_pixels(3))
    path = save(dataset, tmp_path / "multi.dcm", RLELossless)
    dataset = dcmread(path)
    dataset.PixelData = encapsulate(list(generate_frames(dataset.PixelData, number_of_frames=3))[:2], has_bot=False)
    dataset.save_as(path)
    assert "multi.dcm: its pixels can not be decoded (" in refusal(tmp_path)


def test_bytes_after_the_pixels_do_not_matter(tmp_path):
    def pad(dataset, index):
        dataset.PixelData += bytes(64)

    write_slices(tmp_path, positions(1), edit=pad)
    np.testing.assert_array_equal(read(tmp_path), drawn_pixels(1))


def test_a_missing_decoder_names_the_extra(tmp_path, monkeypatch):
    write_slices(tmp_path, positions(1), syntax=JPEGLSLossless)
    monkeypatch.setattr(Decoder, "is_available", property(lambda self: False))
    message = refusal(tmp_path)
    assert "compressed as JPEG-LS Lossless Image Compression, and no decoder for it is installed" in message
    assert "pip install 'monai_gi[dicom]'" in message


def test_a_syntax_that_nothing_decodes_is_named(tmp_path):
    (path,) = write_slices(tmp_path, positions(1), syntax=RLELossless)
    dataset = dcmread(path)
    dataset.file_meta.TransferSyntaxUID = MPEG2MPML
    dataset.save_as(path)
    assert "compressed as MPEG2 Main Profile / Main Level, which nothing here decodes" in refusal(tmp_path)


def test_threads_are_used_as_many_as_said(tmp_path, monkeypatch):
    seen = []
    pool = pixels_module.ThreadPoolExecutor
    monkeypatch.setattr(pixels_module, "ThreadPoolExecutor", lambda threads: seen.append(threads) or pool(threads))
    write_slices(tmp_path, positions(2))
    read(tmp_path)
    assert seen == [4]


def test_real_ct_agrees_with_pydicom_slice_by_slice(real_data):
    (series,) = find_series(real_data / "dicom_seg_ct_liver" / "ct-3slice")
    voxels = read_voxels(series)
    assert voxels.dtype == np.float32
    for place, frame in enumerate(series.frames):
        dataset = dcmread(frame.path)
        expected = dataset.pixel_array * float(dataset.RescaleSlope) + float(dataset.RescaleIntercept)
        np.testing.assert_array_equal(voxels[..., place], expected)
