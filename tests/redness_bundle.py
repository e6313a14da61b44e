"""A bundle of frames whose network is one 1x1 convolution: a polyp is what is redder than LEVEL, so masks are known."""

import json

import torch

LEVEL = 0.6
STEEPNESS = 200.0


def write_redness_bundle(folder, **changes):
    """A flat bundle folder with model.pt; `changes` are settings of inference.json."""
    folder.mkdir(parents=True, exist_ok=True)
    config = {
        "input": "frames",
        "classes": ["polyp"],
        "imports": ["$import torch"],
        "bundle_root": ".",
        "weights": "model.pt",
        "roi_size": [30, 44],
        "flips": [],
        "thresholds": 0.5,
        "min_region_px": 0,
        "amp": False,
        "network_def": {"_target_": "torch.nn.Conv2d", "in_channels": 3, "out_channels": 1, "kernel_size": 1},
        **changes,
    }
    metadata = {
        "name": "Redness",
        "version": "0.0.2",
        "monai_version": "1.6.1",
        "pytorch_version": "2.13.0",
        "numpy_version": "2.4.6",
        "network_data_format": {
            "inputs": {"image": {"modality": "Colonoscopy", "num_channels": 3}},
            "outputs": {"pred": {"num_channels": 1, "channel_def": {"0": "polyp"}}},
        },
    }
    (folder / "inference.json").write_text(json.dumps(config, indent=2))
    (folder / "metadata.json").write_text(json.dumps(metadata, indent=2))
    weight = torch.zeros(1, 3, 1, 1)
    weight[:, 0] = STEEPNESS
    torch.save({"weight": weight, "bias": torch.tensor([-STEEPNESS * LEVEL])}, folder / "model.pt")
    return folder


def redness_mask(frame):
    """What the network is to find in a frame (H, W, 3) of the size that it sees: (H, W), bool."""
    return frame[..., 0] / 255 >= LEVEL
