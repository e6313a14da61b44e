"""A copy of one of the repository's bundles with a network of a few thousand weights, and random ones for it."""

import json
import shutil
import zipfile
from pathlib import Path

import torch
from monai.bundle import ConfigParser

ROOT = Path(__file__).parent.parent
ROI_SIZE = [64, 96]
SMALL = {
    "basic_unet": {"features": [8, 8, 8, 8, 8, 8]},
    "segformer": {
        "config": {"hidden_sizes": [8, 16, 24, 32], "num_attention_heads": [1, 1, 1, 1], "decoder_hidden_size": 16}
    },
    "swin_unetr": {"feature_size": 12},
    "unetpp": {"features": [8, 8, 8, 8, 8, 8]},
    "polyp_unetpp": {"features": [8, 8, 8, 8, 8, 8]},
    "upernet": {
        "config": {"hidden_size": 8, "backbone_config": {"depths": [1, 1, 1, 1], "hidden_sizes": [8, 8, 16, 16]}}
    },
    "dpt": {
        "config": {
            "hidden_size": 16,
            "num_hidden_layers": 4,
            "num_attention_heads": 2,
            "intermediate_size": 32,
            "backbone_out_indices": [0, 1, 2, 3],
            "neck_hidden_sizes": [8, 8, 16, 16],
            "fusion_hidden_size": 8,
        }
    },
    "beit": {
        "config": {
            "hidden_size": 16,
            "num_hidden_layers": 4,
            "num_attention_heads": 2,
            "intermediate_size": 32,
            "out_indices": [1, 2, 3, 4],
        }
    },
}
SLICE_BUNDLES = [
    path.stem
    for path in sorted((ROOT / "bundles" / "source" / "bundles").glob("*.json"))
    if json.loads(path.read_text())["family"] == "slices"
]


def small_bundle(folder, name="segformer", **settings):
    """Write `folder/bundles/<name>` and `folder/run/model.pt`; `settings` are ids of inference.json."""
    bundle = folder / "bundles" / name
    shutil.copytree(ROOT / "bundles" / name, bundle)
    shutil.copy(ROOT / "LICENSE", bundle)
    for file in ("train.json", "evaluate.json", "inference.json"):
        change_json(bundle / file, roi_size=ROI_SIZE)
        change_json(bundle / file, "network_def", **SMALL[name])
    change_json(bundle / "inference.json", **settings)
    weights = folder / "run" / "model.pt"
    weights.parent.mkdir()
    with weights.open("wb") as file:  # as training does: a name would come into the file
        torch.save(random_weights(bundle / "inference.json"), file)
    return bundle, weights


def unpacked(archive, folder):
    """The one folder of a zip, unpacked."""
    with zipfile.ZipFile(archive) as file:
        file.extractall(folder)
        return folder / file.namelist()[0].split("/")[0]


def eager_network(config_file, weights=None):
    network = ConfigParser(json.loads(config_file.read_text())).get_parsed_content("network_def")
    if weights is not None:
        network.load_state_dict(torch.load(weights, weights_only=True))
    return network.eval()


def random_weights(config_file):
    """Drawn again and larger, so that masks have shapes rather than being all or nothing."""
    generator = torch.Generator().manual_seed(7)
    weights = eager_network(config_file).state_dict()
    for tensor in weights.values():
        if tensor.is_floating_point() and tensor.ndim > 1:
            tensor.copy_(torch.randn(tensor.shape, generator=generator) * (1.5 / tensor[0].numel() ** 0.5))
    if "head.head.4.weight" in weights:  # nothing in DPT's decoder holds them back: logits of hundreds
        weights["head.head.4.weight"] /= 200
    return weights


def change_json(path, part=None, **values):
    """Lay values over a JSON object in a file, or over one of its members."""
    content = json.loads(path.read_text())
    (content if part is None else content[part]).update(values)
    path.write_text(json.dumps(content, indent=4))
