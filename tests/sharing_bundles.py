"""A small packed bundle for the tests of sharing: a 1x1 convolution, its configs, and ways to spoil it."""

import json
import warnings
import zipfile

import torch

from monai_gi.sharing.manifest import write_manifest

CONFIG = {
    "imports": ["$import os", "$import torch"],
    "bundle_root": ".",
    "roi_size": [32, 48],
    "slice_offsets": [-1, 0, 1],
    "spacing_mm": [1.5, 1.5],
    "slice_spacing_mm": 3.0,
    "percentiles": [0.5, 99.5],
    "flips": [],
    "thresholds": 0.5,
    "presence": 0.0,
    "min_region_px": 0,
    "amp": False,
    "network_def": {
        "_target_": "torch.nn.Conv2d",
        "in_channels": "$len(@slice_offsets)",
        "out_channels": 2,
        "kernel_size": 1,
    },
    "preprocessing": {
        "_target_": "Compose",
        "transforms": [{"_target_": "LoadImaged", "keys": "image", "reader": "NibabelReader"}],
    },
}
METADATA = {
    "version": "0.2.0",
    "name": "A small one",
    "task": "Two organs",
    "intended_use": "Tests",
    "monai_version": "1.6.1",
    "pytorch_version": torch.__version__.split("+")[0],
    "numpy_version": "2.0.0",
    "network_data_format": {
        "inputs": {"image": {"modality": "MR", "num_channels": 3}},
        "outputs": {"pred": {"channel_def": {"0": "liver", "1": "spleen"}}},
    },
}


def small_network():
    """Three channels in, two out, weights that count."""
    network = torch.nn.Conv2d(3, 2, 1).eval()
    with torch.no_grad():
        network.weight[:] = torch.arange(6.0).reshape(2, 3, 1, 1) / 7
        network.bias[:] = torch.tensor([0.25, -1.0])
    return network


def write_flat_bundle(folder, **changes):
    """A flat folder as in bundles/; weights beside it."""
    folder.mkdir(parents=True)
    (folder / "inference.json").write_text(json.dumps({**CONFIG, **changes}))
    (folder / "metadata.json").write_text(json.dumps(METADATA))
    return folder


def write_packed_bundle(folder, files=None, metadata=None, **changes):
    """A packed folder with its manifest; `files` are additional ones, `changes` ids of inference.json."""
    for name in ("configs", "models", "docs"):
        (folder / name).mkdir(parents=True)
    (folder / "configs/inference.json").write_text(json.dumps({**CONFIG, **changes}))
    (folder / "configs/metadata.json").write_text(json.dumps({**METADATA, **(metadata or {})}))
    (folder / "docs/README.md").write_text("# Small\n")
    (folder / "LICENSE").write_text("Apache-2.0")
    torch.save(small_network().state_dict(), folder / "models/model.pt")
    save_script(torch.jit.trace(small_network(), torch.zeros(1, 3, 8, 12)), folder / "models/model.ts")
    for name, content in (files or {}).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    write_manifest(folder)
    return folder


def save_script(script, path):
    """torch.jit.save without its remark on being deprecated."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(script, path)


def zip_bundle(folder, path):
    """The folder as an archive with one folder at its top."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, file.relative_to(folder.parent).as_posix())
    return path


def rewritten(path, change):
    """A zip with every entry's content sent through `change(name, content)`, stored as PyTorch stores it."""
    with zipfile.ZipFile(path) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in contents.items():
            archive.writestr(name, change(name, content))
    return path
