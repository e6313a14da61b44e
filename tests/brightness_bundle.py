"""A bundle whose network is one 1x1 convolution: organ c is what is brighter than LEVELS[c], so masks are known."""

import json

import torch

LEVELS = (0.75, 0.5, 0.9)
STEEPNESS = 200.0


def write_brightness_bundle(folder, **changes):
    """A flat bundle folder with model.pt; `changes` are settings of inference.json."""
    folder.mkdir(parents=True, exist_ok=True)
    config = {
        "imports": ["$import torch"],
        "bundle_root": ".",
        "weights": "model.pt",
        "roi_size": [32, 32],
        "slice_offsets": [-2, 0, 2],
        "spacing_mm": [1.5, 1.5],
        "slice_spacing_mm": 3.0,
        "percentiles": [0, 100],
        "flips": [],
        "thresholds": 0.5,
        "presence": 0.0,
        "min_region_px": 0,
        "amp": False,
        "network_def": {"_target_": "torch.nn.Conv2d", "in_channels": 3, "out_channels": 3, "kernel_size": 1},
        **changes,
    }
    metadata = {
        "name": "Brightness",
        "version": "0.0.1",
        "monai_version": "1.6.1",
        "pytorch_version": "2.13.0",
        "numpy_version": "2.4.6",
        "network_data_format": {
            "inputs": {"image": {"modality": "MR", "num_channels": 3, "spatial_shape": [32, 32], "dtype": "float32"}},
            "outputs": {"pred": {"num_channels": 3, "dtype": "float32"}},
        },
    }
    (folder / "inference.json").write_text(json.dumps(config, indent=2))
    (folder / "metadata.json").write_text(json.dumps(metadata, indent=2))
    torch.save(brightness_weights(), folder / "model.pt")
    return folder


def brightness_weights():
    """Weights that look at the middle channel only."""
    weight = torch.zeros(3, 3, 1, 1)
    weight[:, 1] = STEEPNESS
    return {"weight": weight, "bias": -STEEPNESS * torch.tensor(LEVELS)}


def brightness_masks(voxels):
    """What the network is to find in voxels (H, W, D) at the bundle's own spacing: (3, H, W, D), bool."""
    low, high = voxels.min(), voxels.max()
    scaled = (voxels.astype("float32") - low) / (high - low)
    import numpy as np

    return np.stack([scaled >= level for level in LEVELS])
