"""Prediction of NIfTI volumes with nothing but MONAI's transforms, as a config; what `Predictor` must equal."""

from pathlib import Path
from typing import Any

import torch
from monai.bundle import ConfigParser

# Offsets in mm as steps of slices, to the nearest; half a step goes to the nearer slice.
NEIGHBOURS = (
    "$lambda image: torch.cat([image[..., (torch.arange(image.shape[-1]) + steps).clamp(0, image.shape[-1] - 1)]"
    " for steps in @steps(float(image.pixdim[-1]))])"
)
STEPS = (
    "$lambda spacing_mm: [int(math.copysign(math.ceil(abs(offset) * @slice_spacing_mm / spacing_mm - 0.501), offset))"
    " for offset in @slice_offsets]"
)

PLAIN_MONAI: dict[str, Any] = {
    "imports": ["$import math", "$import torch"],
    "roi_size": [32, 32],
    "slice_offsets": [-2, 0, 2],
    "spacing_mm": [1.5, 1.5],
    "slice_spacing_mm": 3.0,
    "percentiles": [0.5, 99.5],
    "threshold": 0.5,
    "steps": STEPS,
    "neighbours": NEIGHBOURS,
    "preprocessing": {
        "_target_": "Compose",
        "transforms": [
            {"_target_": "LoadImaged", "keys": "image", "reader": "NibabelReader"},
            {"_target_": "EnsureChannelFirstd", "keys": "image", "channel_dim": "no_channel"},
            {
                "_target_": "Orientationd",
                "keys": "image",
                "axcodes": "PLI",
                "labels": [["L", "R"], ["P", "A"], ["I", "S"]],
            },
            {
                "_target_": "ScaleIntensityRangePercentilesd",
                "keys": "image",
                "lower": "@percentiles#0",
                "upper": "@percentiles#1",
                "b_min": 0,
                "b_max": 1,
                "clip": True,
            },
            {
                "_target_": "Spacingd",
                "keys": "image",
                "pixdim": ["@spacing_mm#0", "@spacing_mm#1", -1],
                "mode": "bilinear",
                "padding_mode": "border",
            },
            {"_target_": "Lambdad", "keys": "image", "func": "@neighbours"},
        ],
    },
    "inferer": {
        "_target_": "SliceInferer",
        "roi_size": "@roi_size",
        "spatial_dim": 2,
        "sw_batch_size": 8,
        "overlap": 0.25,
        "mode": "gaussian",
    },
    "postprocessing": {
        "_target_": "Compose",
        "transforms": [
            {"_target_": "Activationsd", "keys": "pred", "sigmoid": True},
            {
                "_target_": "Invertd",
                "keys": "pred",
                "orig_keys": "image",
                "transform": "@preprocessing",
                "nearest_interp": False,
            },
            {"_target_": "CopyItemsd", "keys": "pred", "names": "mask"},
            {"_target_": "AsDiscreted", "keys": "mask", "threshold": "@threshold"},
        ],
    },
}


def predict_with_plain_monai(path: Path, network: torch.nn.Module, **settings: Any) -> dict[str, torch.Tensor]:
    """Probabilities `pred` and masks `mask` (C, H, W, D) of a NIfTI file, on its own voxels."""
    parser = ConfigParser({**PLAIN_MONAI, **settings})
    item = parser.get_parsed_content("preprocessing")({"image": str(path)})
    with torch.no_grad():
        logits = parser.get_parsed_content("inferer")(item["image"][None], network)[0]
    return parser.get_parsed_content("postprocessing")({**item, "pred": logits})
