"""Frames through a network and its rules, by hand."""

import numpy as np
import pytest
import torch

from monai_gi.errors import DataError
from monai_gi.frame_predictor import FramePredictor, FrameSettings

SETTINGS = FrameSettings(classes=("polyp",), roi_size=(6, 10), amp=False)


class Green(torch.nn.Module):
    """Logits grow from left to right where it is green; tells the shape that it was shown."""

    def forward(self, images):
        self.shape = tuple(images.shape)
        assert not self.training
        slope = torch.linspace(-1, 1, images.shape[-1])
        return 8 * (images[:, 1:2] - 0.5) * slope


def frame(size=(6, 10)):
    image = np.zeros((*size, 3), dtype=np.uint8)
    image[..., 1] = 255
    return image


def test_the_network_sees_its_own_size_and_the_masks_have_the_frame_s():
    network = Green().train()
    prediction = FramePredictor(network, SETTINGS).predict(frame((18, 20)))
    assert network.shape == (1, 3, 6, 10)
    assert prediction.masks.shape == prediction.probabilities.shape == (1, 18, 20)
    assert prediction.probabilities.dtype == np.float32
    assert not prediction.masks[0, :, :10].any()
    assert prediction.masks[0, :, 10:].all()


def test_probabilities_are_those_of_the_logits():
    prediction = FramePredictor(Green(), SETTINGS).predict(frame())
    expected = 1 / (1 + np.exp(-4 * np.linspace(-1, 1, 10)))
    np.testing.assert_allclose(prediction.probabilities[0], np.tile(expected, (6, 1)), rtol=1e-5)


def test_thresholds_small_regions_and_flips_change_the_mask():
    def inside(**changes):
        return FramePredictor(Green(), SETTINGS.replace(**changes)).predict(frame()).masks[0, 0].sum()

    assert inside() == 5
    assert inside(thresholds={"polyp": 0.9}) == 3  # from a logit of 2.2 on, which is 0.55 of the way
    assert inside(min_region_px=31) == 0
    assert inside(min_region_px=30) == 5
    assert inside(flips=["left_right"], thresholds=0.49) == 10  # the mean of both passes is 0.5 everywhere


@pytest.mark.parametrize("wrong", [np.zeros((6, 10), np.uint8), np.zeros((6, 10, 3), np.float32)])
def test_another_kind_of_frame_is_refused(wrong):
    with pytest.raises(ValueError, match=r"wanted uint8 \(H, W, 3\)"):
        FramePredictor(Green(), SETTINGS).predict(wrong)


def test_settings_come_from_plain_values_and_go_back_to_them():
    config = {"classes": ["polyp"], "roi_size": [6, 10], "flips": [], "thresholds": 0.5, "min_region_px": 0}
    settings = FrameSettings.from_config({**config, "amp": False, "other": 1})
    assert settings == SETTINGS
    assert settings.as_dict()["roi_size"] == (6, 10)
    with pytest.raises(DataError, match=r"inference\.json: lacks amp; wanted classes"):
        FrameSettings.from_config(config)
    with pytest.raises(DataError, match=r"can not be used for prediction: .*wanted True, False"):
        FrameSettings.from_config({**config, "amp": "fp8"})


def test_bf16_stays_near_full_precision():
    exact, rounded = (
        FramePredictor(torch.nn.Conv2d(3, 1, 3, padding=1), SETTINGS.replace(amp=amp)) for amp in (False, "bf16")
    )
    rounded.network.load_state_dict(exact.network.state_dict())
    difference = np.abs(exact.predict(frame()).probabilities - rounded.predict(frame()).probabilities).max()
    assert 0 < difference < 0.02


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_cuda_finds_the_same_probabilities():
    torch.manual_seed(0)
    network = torch.nn.Conv2d(3, 1, 3, padding=1)
    drawn = np.random.default_rng(0).integers(0, 256, (18, 20, 3), dtype=np.uint8)
    settings = SETTINGS.replace(flips=["left_right"])
    on_cpu, on_cuda = (FramePredictor(network, settings, device).predict(drawn) for device in ("cpu", "cuda"))
    np.testing.assert_allclose(on_cuda.probabilities, on_cpu.probabilities, atol=2e-3)
