"""A packed bundle of frames: inspected, run by `predict` and by plain MONAI, with the masks of the bundle as it was."""

import json
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image

from monai_gi.cli import main
from monai_gi.frame_predictor import FramePredictor, FrameSettings
from monai_gi.sharing.inspection import inspect
from monai_gi.sharing.opening import open_bundle
from monai_gi.sharing.pack import pack
from tests.packable_bundle import ROI_SIZE, change_json, eager_network, small_bundle, unpacked
from tests.plain_environment import PlainEnvironment

SIZES = {"larger": (150, 171), "smaller": (41, 50), "same": tuple(ROI_SIZE), "mixed": (90, 70)}  # network: 64 x 96
INFERENCE = ("-m", "monai.bundle", "run", "--config_file", "configs/inference.json", "--bundle_root", ".")


def write_frames(folder):
    """Smooth colours under noise as PNG, in arrays by name."""
    folder.mkdir()
    frames = {}
    for seed, (name, size) in enumerate(SIZES.items()):
        random = np.random.default_rng(seed)
        coarse = np.kron(random.normal(size=(-(-size[0] // 9), -(-size[1] // 9), 3)), np.ones((9, 9, 1)))
        frame = 120 + 50 * coarse[: size[0], : size[1]] + 9 * random.normal(size=(*size, 3))
        frames[name] = frame.clip(0, 255).astype(np.uint8)
        Image.fromarray(frames[name]).save(folder / f"{name}.png")
    return frames


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with frames and a packed bundle, whose rules cut where its network's answers lie, and these answers."""
    folder = tmp_path_factory.mktemp("frames")
    bundle, weights = small_bundle(folder, "polyp_unetpp")
    settings = FrameSettings(classes=["polyp"], roi_size=ROI_SIZE, amp=False)
    network = eager_network(bundle / "inference.json", weights)
    frames = write_frames(folder / "frames")
    answers = [FramePredictor(network, settings).predict(frame).probabilities.ravel() for frame in frames.values()]
    rules = {"thresholds": float(np.quantile(np.concatenate(answers), 0.6)), "min_region_px": 6}
    change_json(bundle / "inference.json", **rules)
    predictor = FramePredictor(network, settings.replace(**rules))
    wanted = {name: predictor.predict(frame) for name, frame in frames.items()}
    pack(bundle, weights, folder / "polyp.zip")
    return folder, wanted, rules["thresholds"]


def compare(masks, place):
    """Masks by frame are those of the bundle before packing but for rounding at the threshold."""
    _, wanted, threshold = place
    assert masks.keys() == wanted.keys()
    for name, mask in masks.items():
        assert mask.shape == SIZES[name]
        assert set(np.unique(mask)) == {0, 255}
        near = np.count_nonzero(np.abs(wanted[name].probabilities - threshold) < 2e-6)
        assert np.count_nonzero((mask > 0) != wanted[name].masks[0]) <= 6 * near, name
    assert 0.1 < np.mean([prediction.masks.mean() for prediction in wanted.values()]) < 0.9


def test_what_is_packed_passes_the_inspection_and_says_what_it_takes(place):
    archive = place[0] / "polyp.zip"
    inspection = inspect(archive)
    assert inspection.ok, inspection
    assert inspection.claims.channels == ("polyp",)
    with zipfile.ZipFile(archive) as file:
        config = json.loads(file.read("polyp_unetpp/configs/inference.json"))
        readme = file.read("polyp_unetpp/docs/README.md").decode()
    assert "monai_gi" not in json.dumps(config)
    assert "`data/*.png` becomes `predictions/`" in readme
    assert "monai-gi predict BUNDLE.zip FRAME" in readme
    with open_bundle(archive) as bundle:
        assert (bundle.input, bundle.config["roi_size"]) == ("frames", ROI_SIZE)


def test_torchscript_takes_frames_of_any_size_and_other_weights(place, tmp_path):
    folder = place[0]
    weights = torch.load(folder / "run" / "model.pt", weights_only=True)
    torch.save({key: value * 0 for key, value in weights.items()}, tmp_path / "other.pt")
    with open_bundle(folder / "polyp.zip", weights=tmp_path / "other.pt") as bundle:
        assert bundle.network(torch.rand(2, 3, 33, 47)).abs().max() == 0
        assert bundle.network(torch.rand(2, 3, 33, 47)).shape == (2, 1, 33, 47)


def test_predict_gives_the_masks_of_the_bundle_before_packing(place, tmp_path):
    folder = place[0]
    words = ["predict", folder / "polyp.zip", folder / "frames", "--output", tmp_path, "--format", "mask"]
    assert main([*map(str, words), "--device", "cpu"]) == 0
    compare({name: np.asarray(Image.open(tmp_path / name / "mask.png")) for name in SIZES}, place)


@pytest.mark.slow
def test_plain_monai_writes_the_masks_of_predict(place, tmp_path):
    plain = PlainEnvironment(tmp_path / "environment")
    root = unpacked(place[0] / "polyp.zip", tmp_path / "elsewhere")
    out = tmp_path / "out"
    done = plain.run(*INFERENCE, "--dataset_dir", place[0] / "frames", "--output_dir", out, cwd=root)
    assert "monai_gi" not in done.stdout + done.stderr
    compare({name: np.asarray(Image.open(out / name / f"{name}_polyp.png")) for name in SIZES}, place)
    configs = ("--meta_file", "configs/metadata.json", "--config_file", "configs/inference.json")
    plain.run("-m", "monai.bundle", "verify_net_in_out", "network_def", *configs, cwd=root, words="no error")
