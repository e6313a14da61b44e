"""A bundle of slides whose network is one 1x1 convolution that knows green from everything else."""

import json

import torch

from monai_gi.labels import TISSUE_NAMES
from tests.redness_bundle import write_redness_bundle


def write_tissue_bundle(folder):
    """A bundle of slides whose network tells tubules, green, from anything else."""
    write_redness_bundle(folder)
    config = json.loads((folder / "inference.json").read_text())
    config |= {
        "input": "slides",
        "classes": list(TISSUE_NAMES[:3]),
        "roi_size": [32, 32],
        "levels": [0],
        "glass": False,
    }
    config["network_def"] |= {"out_channels": 3}
    (folder / "inference.json").write_text(json.dumps(config))
    weight = torch.zeros(3, 3, 1, 1)
    weight[2, 1] = 50.0
    torch.save({"weight": weight, "bias": torch.tensor([0.0, -100.0, -25.0])}, folder / "model.pt")
    return folder
