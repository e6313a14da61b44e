"""A packed bundle does its work where this package is not installed."""

import json
import zipfile
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from monai.bundle import ConfigParser

from monai_gi.cli import main
from monai_gi.labels import ORGAN_NAMES, to_label_map
from monai_gi.prediction_settings import PredictionSettings
from monai_gi.predictor import Predictor
from monai_gi.readers.volumes import read_volume
from monai_gi.sharing.pack import pack
from tests.packable_bundle import SLICE_BUNDLES, change_json, eager_network, small_bundle, unpacked
from tests.plain_environment import PlainEnvironment

# The others of HuggingFaceSegmenter are packed as SegFormer is; DPT has a hook more.
SAME_CLASS_AS_SEGFORMER = ("upernet", "beit")
BUNDLES = [name for name in SLICE_BUNDLES if name not in SAME_CLASS_AS_SEGFORMER]
INFERENCE = ("-m", "monai.bundle", "run", "--config_file", "configs/inference.json", "--bundle_root", ".")

# Voxel axes to RAS mm: axial to the feet and to the head, sagittal, coronal; uneven spacings, one slightly oblique.
AFFINES = {
    "axial": [[-1.2, 0, 0, 30], [0, 1.7, 0, -20], [0, 0, -3.0, 8], [0, 0, 0, 1]],
    "thin": [[0, 1.5, 0, -8], [-1.5, 0, 0, 5], [0, 0, 1.2, 3], [0, 0, 0, 1]],
    "sagittal": [[0, 0, 2.5, 1], [-1.3, 0, 0, 2], [0, 1.9, 0, 3], [0, 0, 0, 1]],
    "coronal": [[1.5, 0, 0, 0], [0, 0, -4.1, 0], [0, -1.1, 0, 0], [0, 0, 0, 1]],
    "oblique": [[-1.4, 0.1, 0.2, 0], [0.1, 1.6, -0.3, 0], [0.17, -0.37, 2.9, 0], [0, 0, 0, 1]],
}


def write_volumes(folder, names=tuple(AFFINES)):
    """Smooth random volumes, larger and smaller than the window, as int16 NIfTI."""
    folder.mkdir(parents=True)
    for i, name in enumerate(names):
        random = np.random.default_rng(i)
        size = (47 + 3 * i, 61 - 4 * i, 5 + i)
        coarse = random.normal(size=tuple(-(-length // 6) for length in size))
        voxels = np.kron(coarse, np.ones((6, 6, 6)))[: size[0], : size[1], : size[2]]
        voxels = 300 + 90 * voxels + 15 * random.normal(size=size)
        affine = orthogonal(np.array(AFFINES[name], dtype=float))
        nib.save(nib.Nifti1Image(voxels.astype(np.int16), affine), folder / f"{name}.nii.gz")
    return folder


def orthogonal(affine):
    """The nearest affine without shear, as scanners write it."""
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    u, _, vt = np.linalg.svd(affine[:3, :3] / spacing)
    affine[:3, :3] = u @ vt * spacing
    return affine


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return PlainEnvironment(tmp_path_factory.mktemp("plain") / "environment")


def packed(folder, name):
    """A small bundle, its weights, and its packed folder; its rules cut where its network's answers lie."""
    bundle, weights = small_bundle(folder, name)
    path = write_volumes(folder / "measured", ("axial",)) / "axial.nii.gz"
    answers = own_prediction(bundle, weights, path).probabilities
    rules = {"thresholds": np.quantile(answers, 0.6, axis=(1, 2, 3)).tolist(), "min_region_px": [0, 4, 9]}
    rules["presence"] = np.sort(answers.max(axis=(1, 2)), axis=1)[:, 1:3].mean(axis=1).tolist()
    change_json(bundle / "inference.json", **rules)
    return bundle, weights, unpacked(pack(bundle, weights, folder / f"{name}.zip"), folder / "elsewhere")


def own_prediction(bundle, weights, path):
    """What `monai-gi predict` computes, from the bundle as it was before packing."""
    config = ConfigParser(json.loads((bundle / "inference.json").read_text())).config
    settings = PredictionSettings.from_config(config).replace(amp=False)
    network = eager_network(bundle / "inference.json", weights)
    return Predictor(network, settings, "cpu").predict(read_volume(path, path.stem))


def may_differ(probabilities, threshold):
    """Voxels on the threshold but for rounding, each of which may join a region of 9 px; none in most scans."""
    return 9 * np.count_nonzero(np.abs(probabilities - threshold) < 2e-6)


@pytest.mark.slow
@pytest.mark.parametrize("name", BUNDLES)
def test_plain_monai_writes_the_masks_of_predict(name, plain, tmp_path):
    bundle, weights, root = packed(tmp_path, name)
    volumes = write_volumes(tmp_path / "volumes", AFFINES if name == "segformer" else ("axial", "thin"))
    done = plain.run(*INFERENCE, "--dataset_dir", volumes, "--output_dir", tmp_path / "out", cwd=root)
    assert "monai_gi" not in done.stdout + done.stderr
    thresholds = json.loads((bundle / "inference.json").read_text())["thresholds"]
    inside = []
    for path in sorted(volumes.iterdir()):
        scan = path.name.removesuffix(".nii.gz")
        wanted = own_prediction(bundle, weights, path)
        files = {organ: nib.load(tmp_path / "out" / scan / f"{scan}_{organ}.nii.gz") for organ in ORGAN_NAMES}
        for c, organ in enumerate(ORGAN_NAMES):
            np.testing.assert_allclose(files[organ].affine, nib.load(path).affine, atol=1e-4)
            different = np.asarray(files[organ].dataobj) != wanted.masks[c]
            assert different.sum() <= may_differ(wanted.probabilities[c], thresholds[c]), f"{scan} {organ}"
        written = np.stack([np.asarray(files[organ].dataobj) for organ in ORGAN_NAMES])
        labels = nib.load(tmp_path / "out" / scan / f"{scan}_labels.nii.gz")
        np.testing.assert_array_equal(np.asarray(labels.dataobj), to_label_map(written)[0])
        inside.append(wanted.masks.mean())
    assert 0.1 < np.mean(inside) < 0.9, "masks that are all or nothing compare nothing"


@pytest.mark.slow
def test_the_command_predict_writes_the_files_of_plain_monai_from_the_same_zip(plain, tmp_path):
    bundle, weights, root = packed(tmp_path, "basic_unet")
    volumes = write_volumes(tmp_path / "volumes", ("axial", "oblique"))
    plain.run(*INFERENCE, "--dataset_dir", volumes, "--output_dir", tmp_path / "plain", cwd=root)
    words = ["predict", tmp_path / "basic_unet.zip", volumes, "--output", tmp_path / "own", "--format", "nifti"]
    assert main([*map(str, words), "--device", "cpu"]) == 0
    thresholds = json.loads((bundle / "inference.json").read_text())["thresholds"]
    for path in volumes.iterdir():
        scan = path.name.removesuffix(".nii.gz")
        allowed = list(map(may_differ, own_prediction(bundle, weights, path).probabilities, thresholds))
        for name, most in zip((*ORGAN_NAMES, "labels"), (*allowed, sum(allowed)), strict=True):
            own, theirs = (nib.load(tmp_path / who / scan / f"{scan}_{name}.nii.gz") for who in ("own", "plain"))
            np.testing.assert_allclose(own.affine, theirs.affine, atol=1e-4)
            different = np.asarray(own.dataobj) != np.asarray(theirs.dataobj)
            assert different.sum() <= most, f"{scan} {name}"
    inside = nib.load(tmp_path / "own" / "axial" / "axial_labels.nii.gz").dataobj
    assert 0.1 < np.count_nonzero(inside) / np.size(inside) < 0.9, "masks that are all or nothing compare nothing"


@pytest.mark.slow
def test_a_single_plane_is_taken(plain, tmp_path):
    bundle, weights, root = packed(tmp_path, "basic_unet")
    (tmp_path / "flat").mkdir()
    plane = np.random.default_rng(0).normal(size=(40, 53)).cumsum(0).cumsum(1)
    nib.save(nib.Nifti1Image(plane.astype(np.float32), np.diag([-1.5, 1.5, 3, 1])), tmp_path / "flat" / "plane.nii")
    plain.run(*INFERENCE, "--dataset_dir", tmp_path / "flat", "--output_dir", tmp_path / "out", cwd=root)
    found = nib.load(tmp_path / "out" / "plane" / "plane_stomach.nii.gz")
    wanted = own_prediction(bundle, weights, tmp_path / "flat" / "plane.nii")
    assert np.mean(np.asarray(found.dataobj).reshape(40, 53, 1) == wanted.masks[2]) > 0.999


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in BUNDLES if name != "dpt"])
def test_monai_label_and_deploy_read_it_without_the_package(name, plain, tmp_path):
    bundle, weights, root = packed(tmp_path, name)
    volumes = write_volumes(tmp_path / "volumes", ("axial",))
    script = Path(__file__).with_name("plain_reads.py")
    done = plain.run("-W", "ignore", script, volumes / "axial.nii.gz", tmp_path, cwd=root)
    answers = json.loads(done.stdout.splitlines()[-1])
    assert answers["missing_properties"] in ([], None)
    assert answers["difference"] < 1e-5
    assert answers["extra_version"] == json.loads((root / "configs" / "metadata.json").read_text())["version"]
    assert answers["labels"] == {"large_bowel": 1, "small_bowel": 2, "stomach": 3}
    prediction = own_prediction(bundle, weights, volumes / "axial.nii.gz")
    thresholds = json.loads((bundle / "inference.json").read_text())["thresholds"]
    most = sum(map(may_differ, prediction.probabilities, thresholds))
    for reader in ("label", "deploy"):
        different = np.load(tmp_path / f"{reader}.npy") != to_label_map(prediction.masks)
        assert different.sum() <= most, reader


@pytest.mark.slow
def test_the_tools_of_monai_bundle_pass_without_the_package(plain, tmp_path, real_data):
    _, _, root = packed(tmp_path, "segformer")
    schema = real_data / "monai_metadata_schema_20240725.json"
    bundle = ("-m", "monai.bundle")
    configs = ("--meta_file", "configs/metadata.json", "--config_file", "configs/inference.json")
    plain.run(
        *(*bundle, "verify_metadata", "--meta_file", "configs/metadata.json", "--filepath", schema),
        cwd=root,
        words="metadata is verified with no error",
    )
    plain.run(*bundle, "verify_net_in_out", "network_def", *configs, cwd=root, words="verified with no error")
    export = ("ckpt_export", "--bundle_root", ".", "--config_file", "configs/inference.json")
    exported = tmp_path / "exported.ts"
    plain.run(*bundle, *export, "--use_trace", "True", "--filepath", exported, cwd=root, words="exported to file")
    with zipfile.ZipFile(exported) as archive:
        embedded = json.loads(archive.read("exported/extra/metadata.json"))
    assert embedded["network_data_format"]["outputs"]["pred"]["channel_def"]["0"] == "background"
