"""Run without this package, in a packed bundle's folder: how MONAI, MONAI Label and MONAI Deploy read it.

`python plain_reads.py IMAGE OUTPUT` prints JSON and writes the two label maps into OUTPUT. What Label and Deploy do is
replayed in their order of reads: `monailabel/tasks/infer/bundle.py` and basic_infer.py,
`monai/deploy/operators/monai_bundle_inference_operator.py`.
"""

import json
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import torch
from monai.bundle import ConfigItem, ConfigParser, create_workflow, load
from monai.data import MetaTensor
from monai.transforms import LoadImage, SaveImaged


def bundle_reads(root):
    """What monai.bundle itself offers: a network by name, a TorchScript with its extra files, the properties."""
    images = torch.rand(2, 3, 64, 96)
    eager = load(root.name, bundle_dir=root.parent, workflow_type="inference").eval()
    script, metadata, extra = load(
        root.name, bundle_dir=root.parent, load_ts_module=True, config_files=("inference.json",)
    )
    workflow = create_workflow(
        config_file=str(root / "configs" / "inference.json"), workflow_type="inference", bundle_root=str(root)
    )
    with torch.no_grad():
        difference = float((eager(images) - script.eval()(images)).abs().max())
    return {
        "missing_properties": workflow.check_properties(),
        "difference": difference,
        "extra_version": metadata["version"],
        "extra_config_ids": len(json.loads(extra["inference.json"])),
    }


def label_reads(root, image):
    """MONAI Label: configs by name, weights into network_def, transforms one by one, no SaveImage."""
    config = ConfigParser()
    config.read_config(root / "configs" / "inference.json")
    config.config.update({"bundle_root": str(root)})
    network = config.get_parsed_content("network_def", instantiate=True)
    network.load_state_dict(torch.load(root / "models" / "model.pt", weights_only=True))
    metadata = json.loads((root / "configs" / "metadata.json").read_text())
    key_image, _ = next(iter(metadata["network_data_format"]["inputs"].items()))
    key_pred, pred = next(iter(metadata["network_data_format"]["outputs"].items()))
    labels = {name.lower(): int(index) for index, name in pred["channel_def"].items() if name != "background"}

    config.config.update({"device": "cpu"})  # Label puts a string there
    if config.ref_resolver.items.get("device"):
        config.ref_resolver.items["device"] = ConfigItem(config="cpu", id="device")
    data = {key_image: str(image)}
    for transform in config.get_parsed_content("preprocessing", instantiate=True).transforms:
        data = transform(data)
    inferer = config.get_parsed_content("inferer", instantiate=True)
    with torch.no_grad():
        data[key_pred] = inferer(data[key_image][None], network.eval())[0]
    for transform in config.get_parsed_content("postprocessing", instantiate=True).transforms:
        if not isinstance(transform, SaveImaged):
            data = transform(data)
    return labels, np.asarray(data[key_pred])


def deploy_reads(root, image):
    """MONAI Deploy: everything from model.ts alone, an image in memory, one output by the name in the metadata."""
    parser = ConfigParser()
    model = root / "models" / "model.ts"
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(model) as archive:
        stem = model.stem
        parser.read_meta(f=json.loads(archive.read(f"{stem}/extra/metadata.json")))
        archive.extractall(members=[f"{stem}/extra/inference.json"], path=folder)
        parser.read_config([Path(folder, stem, "extra", "inference.json")])
    parser.parse()
    device = parser.get_parsed_content("device")
    inferer = parser.get_parsed_content("inferer")
    steps = {}
    for key in ("preprocessing", "postprocessing"):
        compose = parser.get_parsed_content(key)
        names = ("LoadImage", "SaveImage")
        compose.transforms = tuple(t for t in compose.transforms if not any(name in type(t).__name__ for name in names))
        steps[key] = compose
    name = next(iter(parser["_meta_"]["network_data_format"]["outputs"]))
    network = torch.jit.load(str(model), map_location=device).eval()
    voxels = LoadImage(image_only=True)(str(image))
    assert isinstance(voxels, MetaTensor)
    with torch.no_grad():
        inputs = steps["preprocessing"]({"image": voxels})
        outputs = inferer(inputs=inputs["image"][None].to(device), network=network)
        answer = steps["postprocessing"]({name: outputs[0], **inputs})
    return np.asarray(answer[name])


def main():
    root, image, output = Path.cwd(), Path(sys.argv[1]), Path(sys.argv[2])
    answers = bundle_reads(root)
    labels, label_map = label_reads(root, image)
    np.save(output / "label.npy", label_map)
    np.save(output / "deploy.npy", deploy_reads(root, image))
    print(json.dumps({**answers, "labels": labels}))


if __name__ == "__main__":
    main()
