"""Lists of image and label files in place of slices: what becomes of them, what is refused, and a training on them."""

import json
import re

import nibabel as nib
import numpy as np
import pytest
from monai.transforms import Compose
from pydicom import dcmread

from monai_gi.datasets.scan_dataset import ScanDataset
from monai_gi.errors import DataErrors
from monai_gi.labels import ORGAN_NAMES
from monai_gi.plain_lists import PlainLists, is_volume_item
from monai_gi.rle import decode_rle
from tests.drawn_nifti_files import draw_affine, draw_volume, write_volume
from tests.drawn_scans import make, write_scans
from tests.test_bundles import SIZES, SMALL, monai_bundle

PLI = draw_affine("PLI", (1.5, 1.5, 3.0))


def draw_labels(size=(7, 5, 4)):
    labels = np.zeros(size, dtype=np.uint8)
    labels[1:3, 1:4, 1:] = 1
    labels[3:6, 2:, :3] = 3
    return labels


def write_pair(folder, name="x", **extra):
    image = write_volume(folder / f"{name}.nii.gz", draw_volume(), PLI)
    label = write_volume(folder / f"{name}_label.nii.gz", draw_labels(), PLI)
    return {"image": str(image), "label": str(label), **extra}


def lists(tmp_path):
    return PlainLists(tmp_path / "cache", progress=False)


def test_a_volume_becomes_its_slices(tmp_path):
    items = lists(tmp_path)([write_pair(tmp_path)])
    assert len(items) == 4
    scan = items[0]["scan"]
    assert re.fullmatch("scan_[0-9a-f]{12}", scan)
    assert {(item["scan"], item["group"], tuple(item["size"])) for item in items} == {(scan, scan, (7, 5))}
    assert [item["slice"] for item in items] == [1, 2, 3, 4]
    for position, item in enumerate(items):
        assert sorted(item["label"]) == sorted(ORGAN_NAMES)
        for index, organ in enumerate(ORGAN_NAMES, 1):
            inside = draw_labels()[..., position] == index
            assert np.array_equal(decode_rle(item["label"][organ], item["size"]), inside)


def test_names_of_files_reach_neither_ids_nor_the_cache(tmp_path):
    pairs = [write_pair(tmp_path / "in", name) for name in ("Doe_Jane", "Doe_John")]
    items = lists(tmp_path)(pairs)
    assert len({item["scan"] for item in items}) == 2
    names = [str(path.relative_to(tmp_path)) for path in (tmp_path / "cache").rglob("*")]
    assert "Doe" not in json.dumps(items).replace(str(tmp_path), "") + " ".join(names)
    records = [path.read_text() for path in (tmp_path / "cache").rglob("*.json")]
    assert records
    assert not [record for record in records if "Doe" in record]


def test_several_kinds_of_items_keep_their_order_and_groups(tmp_path):
    slices = write_scans(tmp_path / "data")
    pair = write_pair(tmp_path, group="patient 7")
    items = lists(tmp_path)([slices[0], pair, slices[1]])
    assert (items[0], items[-1]) == (slices[0], slices[1])
    assert {item["group"] for item in items[1:-1]} == {"patient 7"}


def test_lists_without_volumes_are_passed_on_untouched(tmp_path):
    slices = write_scans(tmp_path / "data")
    assert lists(tmp_path)(slices) is slices
    assert not is_volume_item({"image": ["a.nii", "b.nii"]})
    assert not is_volume_item({"image": str(tmp_path / "absent.nii")})
    assert not is_volume_item({"image": slices[0]["image"], "label": "x.png"})
    assert not (tmp_path / "cache").exists()


def test_a_volume_is_imported_once_and_again_when_it_changed(tmp_path):
    pair = write_pair(tmp_path)
    first = lists(tmp_path)([pair])
    inode = (tmp_path / first[0]["image"]).stat().st_ino
    assert lists(tmp_path)([pair]) == first
    assert (tmp_path / first[0]["image"]).stat().st_ino == inode
    write_volume(tmp_path / "x_label.nii.gz", draw_labels() * 0, PLI)
    again = lists(tmp_path)([pair])
    assert [item["label"] for item in again] == [dict.fromkeys(ORGAN_NAMES, "")] * 4
    assert [item["id"] for item in again] == [item["id"] for item in first]


def test_volumes_of_one_name_are_two_scans(tmp_path):
    items = lists(tmp_path)([write_pair(tmp_path / "a"), write_pair(tmp_path / "b")])
    assert len({item["scan"] for item in items}) == 2


def test_files_an_organ_are_a_label(tmp_path):
    pair = write_pair(tmp_path)
    parts = [write_volume(tmp_path / f"{i}.nii", (draw_labels() == i).astype(np.uint8), PLI) for i in (1, 2, 3)]
    assert [item["label"] for item in lists(tmp_path)([{**pair, "label": list(map(str, parts))}])] == [
        item["label"] for item in lists(tmp_path)([pair])
    ]


def test_faults_come_all_at_once(tmp_path):
    good, bare, gone, other = (write_pair(tmp_path, name) for name in "abcd")
    del bare["label"]
    gone["label"] = str(tmp_path / "absent.nii")
    write_volume(tmp_path / "d_label.nii.gz", draw_labels(), draw_affine("PRI", (1.5, 1.5, 3.0)))
    with pytest.raises(DataErrors, match="list of volumes: 3 problems") as caught:
        lists(tmp_path)([good, bare, gone, other])
    for text in (
        "b.nii.gz: has no label file",
        "absent.nii: no such file; the item of",
        "d_label.nii.gz: lies up to 12",
    ):
        assert text in str(caught.value)


def test_the_slice_store_takes_volumes(tmp_path):
    store = make([write_pair(tmp_path)], tmp_path / "store", expand=lists(tmp_path), roi_size=(7, 5), offsets=(0,))
    assert len(store) == len(store.data) == 4
    batch = store.__getitems__(range(4))
    assert np.array_equal(batch["image"][:, 0].numpy(), np.moveaxis(draw_volume(), 2, 0))
    expected = np.choose(draw_labels(), [0, 1, 2, 4])
    assert np.array_equal(batch["label"].numpy(), np.moveaxis(expected, 2, 0))


def test_the_scan_data_set_joins_slices_to_scans(tmp_path):
    data = ScanDataset([write_pair(tmp_path, "a"), write_pair(tmp_path, "b")], Compose([]), expand=lists(tmp_path))
    assert [len(scan["image"]) for scan in data.data] == [4, 4]
    assert data[1]["id"] == data.data[1]["id"]
    scans = [{"id": "s", "image": ["a.png"]}]
    assert ScanDataset(scans, Compose([])).data is scans
    mixed = ScanDataset([*scans, write_pair(tmp_path)], Compose([]), expand=lists(tmp_path)).data
    assert [len(scan["image"]) for scan in mixed] == [1, 4]


@pytest.fixture(scope="module")
def volumes(tmp_path_factory):
    """Three drawn volumes of other axes and spacing, written as MONAI Label and others hold them."""
    folder = tmp_path_factory.mktemp("volumes")
    rng = np.random.default_rng(0)
    for number in range(3):
        labels = np.zeros((50, 70, 6), dtype=np.uint8)
        labels[10:25, 12:40, 1:] = 1
        labels[20:40, 35:60, :5] = 2
        labels[30:45, 5:20, 2:4] = 3
        values = (labels.astype(int) * 300 + rng.integers(0, 200, labels.shape)).astype(np.int16)
        for name, data in ((f"{number}", values), (f"{number}_label", labels)):
            nib.save(nib.Nifti1Image(data, draw_affine("LPS", (1.8, 1.4, 3.0))), folder / f"{name}.nii.gz")
    return [{"image": str(folder / f"{n}.nii.gz"), "label": str(folder / f"{n}_label.nii.gz")} for n in range(3)]


@pytest.mark.slow
def test_a_bundle_trains_and_is_judged_on_plain_lists(volumes, tmp_path):
    """The overrides of MONAI Label; no data set of slices is at hand."""
    place = ["--dataset_dir", tmp_path / "absent", "--output_dir", tmp_path, "--cache_dir", tmp_path / "cache", *SIZES]
    train = ["--train#dataset#data", json.dumps(volumes[:2]), "--validate#dataset#data", json.dumps(volumes[2:])]
    words = [*place, *SMALL["segformer"], *train, "--max_epochs", "1", "--batch_size", "4"]
    monai_bundle("training", "bundles/segformer/train.json", *words)
    assert (tmp_path / "model.pt").exists()
    settings = json.loads((tmp_path / "settings.json").read_text())
    assert settings["data"]["train"]["slices"] == 12
    assert settings["data"]["validation"]["items"] == 1
    judge = [*place, *SMALL["segformer"][:2], "--validate#dataset#data", json.dumps(volumes[2:])]
    monai_bundle("evaluating", "bundles/segformer/evaluate.json", *judge)
    assert len((tmp_path / "evaluation" / "slices.csv").read_text().splitlines()) > 6


@pytest.mark.slow
def test_a_bundle_trains_on_imported_dicom(tmp_path):
    from monai_gi.importing import index_dicom
    from tests.drawn_contoured_dicom import write_patients

    write_patients(tmp_path / "in")
    index_dicom(tmp_path / "in", tmp_path / "out" / "datalist.json", folds=2, progress=False)
    words = ["--dataset_dir", tmp_path / "out", "--output_dir", tmp_path / "run", *SMALL["segformer"], *SIZES]
    words += ["--cache_dir", tmp_path / "cache", "--max_epochs", "1", "--batch_size", "2"]
    monai_bundle("training", "bundles/segformer/train.json", *words)
    assert (tmp_path / "run" / "model.pt").exists()
    patient = dcmread(next((tmp_path / "in").rglob("IM*")))
    secrets = [str(value).encode() for value in (patient.PatientName, patient.PatientID, tmp_path)]
    # resume.pt knows the settings with their folders: it goes on with this run, here, and is never packed.
    files = [path for path in (tmp_path / "run").rglob("*") if path.is_file() and path.name != "resume.pt"]
    assert any("tfevents" in path.name for path in files)
    assert not [(path.name, secret) for path in files for secret in secrets if secret in path.read_bytes()]
