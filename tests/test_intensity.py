"""Percentiles against NumPy's, scaling by hand, NumPy and torch to the last bit."""

import numpy as np
import pytest
import torch

from monai_gi.intensity import histogram, percentiles_of_histogram, scale_to_window, volume_window

PERCENTS = (0, 0.5, 1, 13.7, 49.9, 50, 50.1, 86.3, 99, 99.5, 100)


@pytest.mark.parametrize("pixels", [1, 2, 3, 10, 201, 266 * 31])
@pytest.mark.parametrize("largest", [1, 125, 12920, 65535])
def test_percentiles_equal_numpy_to_the_last_bit(pixels, largest):
    volume = np.random.default_rng(pixels + largest).integers(0, largest, pixels, endpoint=True).astype(np.uint16)
    assert percentiles_of_histogram(histogram(volume), PERCENTS).tolist() == np.percentile(volume, PERCENTS).tolist()


def test_histograms_of_slices_add_up_to_the_scan():
    volume = np.random.default_rng(0).integers(0, 900, (5, 7, 11)).astype(np.uint16)
    assert np.array_equal(sum(histogram(image) for image in volume), histogram(volume))
    assert histogram(volume)[volume[0, 0, 0]] == (volume == volume[0, 0, 0]).sum()


def test_window_is_that_of_the_volume_in_any_dtype():
    volume = np.random.default_rng(1).integers(0, 12920, (9, 13, 4)).astype(np.uint16)
    assert volume_window(volume, 2, 97) == tuple(np.percentile(volume, (2, 97)))
    assert volume_window(volume.astype(np.float64) / 3, 2, 97) == tuple(np.percentile(volume / 3, (2, 97)))
    assert volume_window(volume, 5, 97)[0] > volume_window(volume, 2, 97)[0]
    assert volume_window(volume, 2, 60)[1] < volume_window(volume, 2, 97)[1]


def test_scaling_by_hand():
    image = np.array([[0, 100, 150], [200, 300, 65535]], dtype=np.uint16)
    assert scale_to_window(image, (100.0, 300.0)).tolist() == [[0, 0, 0.25], [0.5, 1, 1]]


def _same_bits(array, tensor):
    return np.array_equal(array.view(np.int32), tensor.numpy().view(np.int32))


@pytest.mark.parametrize("dtype", [np.uint16, np.uint8, np.int32, np.float32, np.float64])
def test_arrays_and_tensors_single_and_in_batches_get_the_same_bits(dtype):
    batch = np.random.default_rng(2).integers(0, 256, (4, 3, 5, 7)).astype(dtype)
    windows = np.array([[3, 201], [10.3, 10.3], [0, 255], [17.77, 200.21]], dtype=np.float32)
    scaled = scale_to_window(batch, windows)
    assert scaled.dtype == np.float32
    assert _same_bits(scaled, scale_to_window(torch.from_numpy(batch), torch.from_numpy(windows)))
    for sample, window, expected in zip(batch, windows, scaled, strict=True):
        single = tuple(window.tolist())
        assert _same_bits(scale_to_window(sample, single), torch.from_numpy(expected))
        assert _same_bits(expected, scale_to_window(torch.from_numpy(sample), single))


def test_constant_volume_gives_zeros_without_a_sign():
    image = np.array([[4, 5, 6]], dtype=np.uint16)
    scaled = scale_to_window(image, (5.0, 5.0))
    assert scaled.tolist() == [[0, 0, 0]]
    assert not np.signbit(scaled).any()
    assert not np.signbit(scale_to_window(torch.from_numpy(image), (5.0, 5.0)).numpy()).any()


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_image_is_left_as_it_is(dtype):
    image = np.arange(12).reshape(3, 4).astype(dtype)
    before = image.copy()
    scale_to_window(image, (2.0, 5.0))
    scale_to_window(torch.from_numpy(image), (2.0, 5.0))
    assert np.array_equal(image, before)


def test_no_pixel_is_refused():
    with pytest.raises(ValueError, match="counts: no pixel"):
        percentiles_of_histogram(np.zeros(65536, dtype=np.int64), (1,))
    with pytest.raises(ValueError, match="volume: no pixel"):
        volume_window(np.zeros((0, 3)))


@pytest.mark.parametrize("percents", [(-1, 50), (50, 100.5)])
def test_percents_out_of_range_are_refused(percents):
    with pytest.raises(ValueError, match="wanted numbers from 0 to 100"):
        percentiles_of_histogram(np.ones(3, dtype=np.int64), percents)
