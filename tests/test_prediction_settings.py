"""Settings of prediction out of a bundle's config."""

import json
from pathlib import Path

import pytest

from monai_gi.errors import DataError
from monai_gi.prediction_settings import PredictionSettings

SETTINGS = PredictionSettings(roi_size=(32, 32), slice_offsets=(-2, 0, 2), amp=False)


def test_settings_come_from_the_config_of_a_bundle():
    config = json.loads((Path(__file__).parent.parent / "bundles/segformer/inference.json").read_text())
    settings = PredictionSettings.from_config(config)
    assert settings == PredictionSettings(roi_size=(288, 288), slice_offsets=(-2, 0, 2), amp=False)
    config.update(
        roi_size=[64, 32],
        slice_offsets=[0],
        spacing_mm=[2, 1],
        slice_spacing_mm=4.0,
        percentiles=[1, 99],
        flips=["both"],
        thresholds={"large_bowel": 0.4, "small_bowel": 0.5, "stomach": 0.6},
        presence=0.2,
        min_region_px=[1, 2, 3],
        amp="bf16",
    )
    wanted = {name: tuple(value) if isinstance(value, list) else value for name, value in config.items()}
    found = PredictionSettings.from_config(config).as_dict()
    assert found == {name: wanted[name] for name in found}
    assert len(found) == 10


def test_a_config_without_an_id_or_with_a_wrong_value_is_refused():
    config = SETTINGS.as_dict()
    del config["percentiles"], config["flips"]
    with pytest.raises(DataError, match=r"inference.json: lacks percentiles, flips; wanted roi_size, .* top level"):
        PredictionSettings.from_config(config)
    with pytest.raises(DataError, match=r"inference.json: can not be used for prediction: thresholds: 2"):
        PredictionSettings.from_config({**SETTINGS.as_dict(), "thresholds": 2})
    with pytest.raises(DataError, match=r"inference.json: can not be used for prediction: .*roi_size"):
        PredictionSettings.from_config({**SETTINGS.as_dict(), "roi_size": 288})


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"spacing_mm": (1.5, 0)}, r"spacing: \(1.5, 0\) and 3.0 mm, wanted lengths above 0"),
        ({"slice_spacing_mm": -3.0}, r"spacing: \(1.5, 1.5\) and -3.0 mm"),
        ({"spacing_mm": (1.5,)}, "wanted two numbers each"),
        ({"percentiles": (50, 50)}, r"percentiles: \(50, 50\), wanted 0 <= lower < upper <= 100"),
        ({"percentiles": (-1, 99)}, r"percentiles: \(-1, 99\)"),
        ({"flips": ("diagonal",)}, "flips: "),
        ({"amp": "half"}, "amp: 'half'"),
        ({"slice_offsets": ()}, "offsets: empty"),
        ({"presence": 1.5}, "presence: 1.5, wanted 0 to 1"),
    ],
)
def test_settings_out_of_range_are_errors_at_once(changes, problem):
    with pytest.raises(ValueError, match=problem):
        SETTINGS.replace(**changes)
