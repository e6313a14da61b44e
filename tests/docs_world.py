"""A folder in which the documents' commands can be typed: bundles made tiny, drawn data, a trained, packed network.

Names are those that the documents print, capitals among them (`DICOM_FOLDER`, `SERIES_UID`). Sizes are the only thing
that differs from the repository: `shrink` changes the bundles' sources, and `monai-gi render-bundles` does the rest.
"""

import json
import os
import shutil
import subprocess
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pydicom

from tests.packable_bundle import SMALL
from tests.warm_python import WarmPython

ROOT = Path(__file__).parent.parent
MADISON = "data/uw-madison-gi-tract-image-segmentation"
WIDTHS = {"features": [8, 8, 8, 8, 8, 8]}
COPIES = {
    MADISON: "data/phantom",
    "data/CVC-ClinicDB": "data/polyps",
    "data/dicom": "DICOM_FOLDER",
    "PATH": "DICOM_FOLDER",
    "FRAMES": "data/polyps/PNG/Original",
    "SLIDES": "data/biopsies/images",
}
NETWORKS = {**SMALL, "polyp_unetpp": WIDTHS, "biopsy_unet": WIDTHS}
SIZES: dict[str, dict[str, Any]] = {
    "slices": {"roi_size": [64, 96]},
    "frames": {"roi_size": [48, 64]},
    "slides": {"roi_size": [64, 64]},
}
TRAINING: dict[str, dict[str, Any]] = {
    "slices": {"max_minutes": 0.01, "batch_size": 8},
    "frames": {"max_minutes": 0.01},
    "slides": {"max_minutes": 0.01, "samples_per_epoch": 8},
}
MAKE_RUNS = """
monai-gi phantom uw-madison data/phantom --cases 5 --days 1 --slices 6
for name in segformer basic_unet; do
    python -m monai.bundle run training --config_file bundles/$name/train.json --dataset_dir data/phantom
    python -m monai.bundle run evaluating --config_file bundles/$name/evaluate.json --dataset_dir data/phantom
done
monai-gi pack bundles/segformer --weights runs/segformer/model.pt --output segformer-0.1.0.zip
"""
MAKE_DATA = """
monai-gi phantom dicom DICOM_FOLDER --patients 5 --slices 4 --contours
monai-gi phantom cvc-clinicdb data/polyps --sequences 5 --frames 3
monai-gi phantom biopsy data/biopsies --megapixels 0.3
"""
MAKE_CONTOURS = "monai-gi predict segformer-0.1.0.zip DICOM_FOLDER --output contours"
MAKE_OWN = "monai-gi index dicom DICOM_FOLDER --output data/own/datalist.json --name stomach=Magen"


class World:
    """The folder and a shell in it.

    Args:
        folder: where commands are typed.
        warm: starts their programs.
    """

    def __init__(self, folder: Path, warm: WarmPython) -> None:
        self.folder = folder
        self.warm = warm

    @property
    def environment(self) -> dict[str, str]:
        """Of its shells: the caches of a user's home stay in the folder."""
        path = f"{self.warm.folder}{os.pathsep}{os.environ['PATH']}"
        own = {"PATH": path, "HOME": str(self.folder / "home"), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
        return {**os.environ, **own, "CUDA_VISIBLE_DEVICES": "", "TERM": "dumb"}

    def type(self, script: str) -> subprocess.CompletedProcess[str]:
        """Run lines in a new shell that stops at the first fault, and says which line it was."""
        words = ["bash", "-xeuo", "pipefail", "-c", script]
        return subprocess.run(
            words,
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    def prepare(self) -> None:
        """Make everything that documents take for granted."""
        shutil.copytree(ROOT / "bundles/source", self.folder / "bundles/source")
        shutil.copy(ROOT / "LICENSE", self.folder)
        shrink(self.folder / "bundles/source")
        self.make("monai-gi render-bundles")
        self.make(MAKE_RUNS, MAKE_DATA)
        rename_stomach(self.folder)
        self.make(MAKE_CONTOURS, MAKE_OWN)
        self.name_series()
        for name, origin in COPIES.items():
            shutil.copytree(self.folder / origin, self.folder / name)
        zip_folder(self.folder / MADISON)
        draw_volumes(self.folder)

    def make(self, *scripts: str) -> None:
        """Run scripts side by side; all must succeed."""
        with ThreadPoolExecutor(len(scripts)) as pool:
            for done in pool.map(self.type, scripts):
                assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]

    def copy(self, folder: Path) -> "World":
        """The same in another folder."""
        shutil.copytree(self.folder, folder)
        return World(folder, self.warm)

    def name_series(self) -> None:
        """Documents write SERIES_UID for the folder of a series; which one it is, nobody can know."""
        folder = self.folder / "contours"
        if folder.is_dir() and not (folder / "SERIES_UID").exists():
            shutil.copytree(min(path.parent for path in folder.glob("*/rtstruct.dcm")), folder / "SERIES_UID")


def shrink(source: Path) -> None:
    """Make every bundle's training a matter of seconds."""
    for family, sizes in SIZES.items():
        for name in ("train.json", "evaluate.json", "inference.json"):
            extra = TRAINING[family] if name == "train.json" else {}
            change(source / family / name, lambda config, more={**sizes, **extra}: config.update(more))
    for part in (source / "bundles").glob("*.json"):
        change(part, lambda config, name=part.stem: shrink_part(config, NETWORKS[name]))


def shrink_part(part: dict[str, Any], network: dict[str, Any]) -> None:
    part["every_config"]["network_def"].update(network)
    for name in ("train.json", "every_config"):
        for key in ("batch_size", "roi_size", "init_weights"):
            part.get(name, {}).pop(key, None)
    if "init_weights" in part.get("train.json", {}):
        part["train.json"]["init_weights"] = ""


def change(path: Path, job: Any) -> None:
    config = json.loads(path.read_text())
    job(config)
    path.write_text(json.dumps(config))


def zip_folder(folder: Path) -> None:
    """The download of the contest: the folder's content, in the folder above `data`."""
    with zipfile.ZipFile(folder.parent.parent / f"{folder.name}.zip", "w") as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, path.relative_to(folder))


def rename_stomach(folder: Path) -> None:
    """Contours of a German hospital, and one file of a clinician."""
    files = sorted((folder / "DICOM_FOLDER").rglob("contours.dcm"))
    shutil.copy(files[0], folder / "clinician.dcm")
    for path in files:
        dataset = pydicom.dcmread(path)
        for structure in dataset.StructureSetROISequence:
            structure.ROIName = structure.ROIName.replace("stomach", "Magen")
        dataset.save_as(path)


def draw_volumes(folder: Path) -> None:
    """NIfTI images with label maps."""
    rng = np.random.default_rng(0)
    affine = np.diag([-1.8, -1.4, 3.0, 1.0])
    for name in ("nifti/scan_1", "nifti/scan_2", "nifti/scan_3", "NIFTI_FOLDER/scan_4"):
        labels = np.zeros((50, 70, 6), dtype=np.uint8)
        labels[10:25, 12:40, 1:], labels[20:40, 35:60, :5], labels[30:45, 5:20, 2:4] = 1, 2, 3
        values = (labels.astype(int) * 300 + rng.integers(0, 200, labels.shape)).astype(np.int16)
        (folder / name).parent.mkdir(exist_ok=True)
        nib.save(nib.Nifti1Image(values, affine), folder / f"{name}.nii.gz")
        if name.startswith("nifti/"):
            nib.save(nib.Nifti1Image(labels, affine), folder / f"{name}_labels.nii.gz")
