"""ScaleIntensityByVolumed against np.percentile over the whole scan."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import Compose, EnsureChannelFirst, LoadImage

from monai_gi.errors import DataError
from monai_gi.readers import SliceReader
from monai_gi.slices import read_slice
from monai_gi.transforms import ScaleIntensityByVolumed, StackSlicesd
from monai_gi.transforms import intensity as module
from tests.drawn_slices import write_slice


def write_noise(folder: Path, count: int = 4, seed: int = 0) -> list[str]:
    """Slices (6, 9) of very different brightness: scaling one by its own values would show."""
    random = np.random.default_rng(seed)
    noise = [random.integers(0, 100 * 3**number, (6, 9)).astype(np.uint16) for number in range(1, count + 1)]
    return [str(write_slice(folder, number, pixels)) for number, pixels in enumerate(noise, start=1)]


def load(paths: str | list[str], channel_dim: int | str = "no_channel") -> MetaTensor:
    return EnsureChannelFirst(channel_dim=channel_dim)(LoadImage(reader=SliceReader())(paths))


def scale(image: object, **options: float) -> object:
    return ScaleIntensityByVolumed("image", **options)({"image": image})["image"]


def expected(volume: np.ndarray, lower: float = 0.5, upper: float = 99.5) -> np.ndarray:
    low, high = np.percentile(volume, (lower, upper))
    return ((volume - low) / (high - low)).clip(0, 1)


@pytest.mark.parametrize("percents", [{}, {"lower": 10}, {"upper": 80}, {"lower": 0, "upper": 100}])
def test_volume_is_scaled_by_its_own_percentiles(tmp_path, percents):
    volume = load(write_noise(tmp_path))
    scaled = scale(volume, **percents)
    assert scaled.dtype == torch.float32
    assert scaled.shape == (1, 6, 9, 4)
    np.testing.assert_allclose(scaled.numpy(), expected(volume.numpy().astype(np.uint16), **percents), atol=1e-6)


@pytest.mark.parametrize("percents", [{}, {"lower": 10, "upper": 80}])
def test_slices_and_stacks_get_the_bits_of_their_volume(tmp_path, percents):
    paths = write_noise(tmp_path)
    volume = scale(load(paths), **percents)
    for position, path in enumerate(paths):
        assert torch.equal(scale(load(path), **percents), volume[..., position])
    stack = StackSlicesd("image", offsets=(-1, 0, 1))({"image": paths[1]})["image"]
    scaled = scale(load(stack, channel_dim=-1), **percents)
    assert torch.equal(scaled.as_tensor(), volume[0, :, :, :3].permute(2, 0, 1).as_tensor())


def test_folder_is_read_once_a_percentile_and_again_after_a_change(tmp_path, monkeypatch):
    paths, reads = write_noise(tmp_path), []
    monkeypatch.setattr(module, "read_slice", lambda path: reads.append(path) or read_slice(path))
    images = [load(path) for path in paths]
    for image in images:
        scale(image)
    assert reads == paths
    scale(images[0], lower=5)
    assert reads == paths * 2
    added = [scale(images[1])]
    brighter = write_slice(tmp_path, 9, np.full((6, 9), 60000, dtype=np.uint16))
    added.append(scale(images[1]))
    write_slice(tmp_path / "elsewhere", 9, np.full((6, 9), 3, dtype=np.uint16)).replace(brighter)
    added.append(scale(images[1]))
    assert not any(torch.equal(before, after) for before, after in pairwise(added))


def test_other_scans_have_their_own_percentiles(tmp_path):
    first, second = write_noise(tmp_path / "a"), write_noise(tmp_path / "b", count=5)
    assert torch.equal(load(first[0]), load(second[0]))
    assert not torch.equal(scale(load(first[0])), scale(load(second[0])))


def test_fractions_and_negative_values_are_sorted_not_counted():
    for volume in (np.random.default_rng(0).normal(size=(1, 5, 7, 3)), np.linspace(0, 9, 105).reshape(1, 5, 7, 3)):
        scaled = scale(volume.astype(np.float32))
        assert isinstance(scaled, np.ndarray)
        np.testing.assert_allclose(scaled, expected(volume), atol=1e-5)


def test_constant_volume_is_zero():
    assert not scale(torch.full((1, 4, 5, 2), 300.0)).any()


def test_metadata_stays_and_so_does_the_input(tmp_path):
    image = load(write_noise(tmp_path)[0])
    before = image.clone()
    scaled = scale(image)
    assert isinstance(scaled, MetaTensor)
    assert torch.equal(scaled.affine, image.affine)
    assert scaled.meta["filename_or_obj"] == image.meta["filename_or_obj"]
    assert torch.equal(image, before)


def test_pipeline_of_a_config_runs(tmp_path):
    paths = write_noise(tmp_path)
    pipeline = Compose([StackSlicesd("image"), lambda item: {"image": load(item["image"], -1)}])
    assert ScaleIntensityByVolumed("image")(pipeline({"image": paths[0]}))["image"].max() <= 1


def test_missing_key_passes_where_allowed():
    assert ScaleIntensityByVolumed("image", allow_missing_keys=True)({}) == {}


def test_slices_without_their_file_are_errors():
    for image in (torch.zeros(1, 4, 5), np.zeros((1, 4, 5)), MetaTensor(torch.zeros(1, 4, 5)), torch.zeros(4, 5)):
        with pytest.raises(
            ValueError, match=r"image: .* of shape .* wanted \(C, H, W, D\), or \(C, H, W\) with the file"
        ):
            scale(image)


def test_folder_without_slices_is_an_error(tmp_path):
    with pytest.raises(DataError, match="no file is named like"):
        scale(MetaTensor(torch.zeros(1, 4, 5), meta={"filename_or_obj": str(tmp_path / "frame.png")}))


@pytest.mark.parametrize("percents", [{"lower": -1}, {"upper": 101}, {"lower": 60, "upper": 40}])
def test_percents_out_of_range_are_errors(percents):
    with pytest.raises(ValueError, match="wanted 0 <= lower < upper <= 100"):
        ScaleIntensityByVolumed("image", **percents)


@pytest.mark.slow
def test_real_scan_scales_alike_by_slice_and_by_volume(real_data):
    paths = sorted(map(str, (real_data / "uw_madison/train/case102/case102_day0/scans").glob("*.png")))
    volume = load(paths)
    scaled = scale(volume)
    np.testing.assert_allclose(scaled.numpy(), expected(volume.numpy().astype(np.uint16)), atol=1e-6)
    assert torch.equal(scale(load(paths[80])), scaled[..., 80])
