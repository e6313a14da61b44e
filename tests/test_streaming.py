"""Streaming gives what MONAI's sliding window gives on the whole image, in bounded memory, from any row on."""

import threading

import numpy as np
import pytest
import torch
from monai.inferers import SlidingWindowInferer

from monai_gi.errors import DataError
from monai_gi.slides import TissueMap
from monai_gi.streaming import SlideSettings, labels_of, plan_of, stream_bands, stream_blocks
from monai_gi.streaming.blending import Blender
from monai_gi.streaming.prefetching import prefetch
from monai_gi.streaming.windows import plan_windows
from tests.drawn_slides import ArraySlide, WindowedNetwork, drawn_image
from tests.oracles.slide_blending import blended_probabilities

CLASSES = ("background", "red", "green", "blue")


def settings(**changes):
    given = {"roi_size": (32, 48), "levels": (0,), "classes": CLASSES, "sw_batch_size": 3, "amp": False}
    return SlideSettings(**{**given, **changes})


def whole(bands):
    """Bands joined, once they are seen to follow each other."""
    parts, row = [], None
    for top, probabilities in bands:
        assert row is None or top == row
        row = top + probabilities.shape[1]
        parts.append(probabilities)
    return torch.cat(parts, dim=1)


@pytest.mark.parametrize("mode", ["gaussian", "constant"])
@pytest.mark.parametrize(
    ("size", "overlap"),
    [
        pytest.param((101, 143), 0.25, id="last windows moved back"),
        pytest.param((101, 143), 0.5, id="half"),
        pytest.param((98, 90), 0.7, id="a window meets three rows of others"),
        pytest.param((80, 84), 0.25, id="steps fit exactly"),
        pytest.param((33, 49), 0.25, id="one pixel more than a window"),
        pytest.param((32, 48), 0.25, id="one window"),
        pytest.param((21, 143), 0.25, id="lower than a window"),
        pytest.param((19, 21), 0.25, id="smaller than a window"),
        pytest.param((96, 100), 0.0, id="no overlap"),
    ],
)
def test_probabilities_equal_those_of_monai_on_the_whole_image(size, overlap, mode):
    image, network = drawn_image(*size), WindowedNetwork()
    inferer = SlidingWindowInferer((32, 48), 3, overlap, mode, cval=1.0)
    with torch.no_grad():
        logits = inferer(torch.from_numpy(image.transpose(2, 0, 1)[None]).float() / 255, network)
    found = whole(stream_bands(ArraySlide(image), network, settings(overlap=overlap, mode=mode)))
    assert found.shape == (4, *size)
    assert torch.allclose(found, logits.softmax(dim=1)[0], atol=1e-6)


def test_further_levels_show_the_surroundings_of_the_same_centre():
    slide, network = ArraySlide(drawn_image(150, 119)), WindowedNetwork(in_channels=6)
    asked = settings(levels=(0, 2))
    found = whole(stream_bands(slide, network, asked))
    assert np.allclose(found, blended_probabilities(slide, network, asked), atol=1e-6)


def test_the_first_level_is_the_level_of_the_output():
    slide, network = ArraySlide(drawn_image(151, 202)), WindowedNetwork()
    asked = settings(levels=(1,))
    found = whole(stream_bands(slide, network, asked))
    assert found.shape == (4, 76, 101)
    assert np.allclose(found, blended_probabilities(slide, network, asked), atol=1e-6)


def test_glass_is_neither_read_nor_predicted_and_becomes_background():
    image, network = drawn_image(140, 203), WindowedNetwork()
    mask = np.zeros((35, 41), dtype=bool)
    mask[2:9, 3:8] = True
    tissue = TissueMap(mask, image.shape[:2])
    slide, asked = ArraySlide(image), settings()
    found = whole(stream_bands(slide, network, asked, tissue=tissue))
    used = {place for place in slide.reads if tissue.share(0, place[1], place[2], 32, 48) > 0}
    assert 0 < network.calls == len(slide.reads) == len(used) < len(plan_of(slide, asked).rows) * 4
    expected = blended_probabilities(slide, network, asked, lambda top, left: tissue.share(0, top, left, 32, 48) == 0)
    assert np.allclose(found, expected, atol=1e-6)
    assert (found[0, 100:] == 1).all()
    without = whole(stream_bands(slide, network, settings(glass=False), tissue=tissue))
    assert (without[0, 100:] < 1).any()


def test_flips_average_probabilities_of_each_window():
    image, network = drawn_image(32, 48), WindowedNetwork()
    window = torch.from_numpy(image.transpose(2, 0, 1)[None]).float() / 255
    with torch.no_grad():
        passes = [network(window.flip(axes)).flip(axes).softmax(dim=1) for axes in ((), (-1,), (-2, -1))]
    found = whole(stream_bands(ArraySlide(image), network, settings(flips=["left_right", "both"])))
    assert torch.allclose(found, (sum(passes) / 3)[0], atol=1e-6)


@pytest.mark.parametrize("overlap", [0.25, 0.6])
@pytest.mark.parametrize("start_row", [1, 40, 99, 100])
def test_a_job_that_goes_on_gets_the_same_numbers_to_the_last_bit(start_row, overlap):
    slide, network, asked = ArraySlide(drawn_image(101, 143)), WindowedNetwork(), settings(overlap=overlap)
    everything = whole(stream_bands(slide, network, asked))
    (first, *_) = bands = list(stream_bands(slide, network, asked, start_row=start_row))
    assert first[0] <= start_row < first[0] + first[1].shape[1]
    assert torch.equal(whole(bands), everything[:, first[0] :])


def test_nothing_is_left_to_do_below_the_last_row():
    slide = ArraySlide(drawn_image(40, 50))
    assert list(stream_bands(slide, WindowedNetwork(), settings(), start_row=40)) == []
    assert slide.reads == []


def test_no_more_than_the_overlap_waits_between_bands():
    plan = plan_windows((24 * 7 + 32 + 1, 500), (32, 48), 0.25)
    steps = np.diff(plan.rows)
    assert steps[-1] == 1
    for band, following in zip(plan.bands, plan.bands[1:], strict=False):
        assert band.bottom == following.top
        assert band.rows[-1] + 32 - band.bottom == 8
    blender = Blender(plan, torch.ones(32, 48), 2)
    for band in plan.bands[:-1]:
        for _ in blender.blend(band, iter([None] * 500)):
            pass
        assert blender.kept.shape == (3, 8, 500)


def test_blocks_of_a_band_lie_side_by_side_and_cover_it():
    slide = ArraySlide(drawn_image(60, 143))
    for band in stream_blocks(slide, WindowedNetwork(), settings()):
        column = 0
        for block in band.blocks:
            assert (block.top, block.left) == (band.top, column)
            assert block.probabilities.shape[:2] == (4, band.bottom - band.top)
            assert np.array_equal(block.labels, labels_of(block.probabilities))
            column += block.probabilities.shape[2]
        assert column == 143


def test_one_window_at_a_time_is_the_choice_on_a_cpu_only():
    assert settings(sw_batch_size=None).batch_on(torch.device("cpu")) == 1
    assert settings(sw_batch_size=None).batch_on(torch.device("cuda")) == 4
    assert settings(sw_batch_size=3).batch_on(torch.device("cpu")) == 3
    network = WindowedNetwork()
    sizes = []
    network.register_forward_hook(lambda module, inputs, logits: sizes.append(len(inputs[0])))
    list(stream_bands(ArraySlide(drawn_image(60, 143)), network, settings(sw_batch_size=None)))
    assert set(sizes) == {1}


def test_labels_are_the_likeliest_class_and_the_first_of_equal_ones():
    probabilities = torch.tensor([[[0.2, 0.4, 0.1]], [[0.5, 0.4, 0.2]], [[0.3, 0.2, 0.7]]])
    assert labels_of(probabilities).tolist() == [[1, 0, 2]]
    assert labels_of(probabilities).dtype == np.uint8


def test_a_network_with_other_channels_is_refused():
    slide = ArraySlide(drawn_image(40, 50))
    with pytest.raises(ValueError, match=r"network: a window gave \(3, 32, 48\), wanted .* \(4, 32, 48\)"):
        list(stream_bands(slide, WindowedNetwork(classes=3), settings()))


def test_reading_ahead_gives_everything_in_order_and_raises_in_its_turn():
    def three_and_a_fault():
        yield from range(3)
        raise DataError("slide.tif", "is damaged")

    items = prefetch(three_and_a_fault())
    assert [next(items) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(DataError, match=r"slide\.tif: is damaged"):
        next(items)


def test_reading_ahead_stops_when_nobody_wants_more():
    made = []

    def endless():
        while True:
            made.append(len(made))
            yield made[-1]

    before = threading.active_count()
    items = prefetch(endless(), ahead=2)
    assert next(items) == 0
    items.close()
    assert threading.active_count() == before
    assert len(made) <= 5


def test_a_fault_of_the_slide_reaches_the_caller():
    class Damaged(ArraySlide):
        def read(self, level, top, left, height, width):
            if top > 30:
                raise DataError(self.path, "is damaged there")
            return super().read(level, top, left, height, width)

    with pytest.raises(DataError, match="is damaged there"):
        list(stream_bands(Damaged(drawn_image(101, 143)), WindowedNetwork(), settings()))


def test_settings_come_from_the_config_and_the_rest_has_defaults():
    config = {"roi_size": [32, 64], "levels": [0, 2], "classes": ["a", "b"], "overlap": 0.5, "network_def": {}}
    found = SlideSettings.from_config(config)
    assert (found.roi_size, found.levels, found.classes, found.overlap) == ((32, 64), (0, 2), ("a", "b"), 0.5)
    assert (found.mode, found.glass, found.amp, found.flips) == ("gaussian", True, "auto", ())
    assert found.as_dict()["sw_batch_size"] == found.sw_batch_size


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"roi_size": (32,)}, r"roi_size: \(32,\), wanted two lengths"),
        ({"levels": (2, 0)}, r"levels: \(2, 0\), wanted at least one, ascending"),
        ({"levels": ()}, r"levels: \(\), wanted at least one"),
        ({"overlap": 1.0}, "overlap: 1.0, wanted at least 0 and below 1"),
        ({"sw_batch_size": 0}, "sw_batch_size: 0, wanted 1 or more, or null"),
        ({"classes": ("a", "a")}, "classes: .* wanted 2 to 255 different names"),
        ({"mode": "mean"}, "mode: 'mean', wanted 'gaussian' or 'constant'"),
        ({"flips": ("sideways",)}, "flips: .*sideways"),
        ({"amp": "bf8"}, "amp: 'bf8'"),
    ],
)
def test_settings_out_of_range_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        settings(**changes)


def test_a_config_without_its_ids_is_refused():
    with pytest.raises(DataError, match=r"inference\.json: lacks levels, classes; wanted roi_size, levels, classes"):
        SlideSettings.from_config({"roi_size": [32, 32]})
    with pytest.raises(DataError, match=r"can not be used for prediction: overlap"):
        SlideSettings.from_config({"roi_size": [32, 32], "levels": [0], "classes": ["a", "b"], "overlap": 2})
