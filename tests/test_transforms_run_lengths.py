"""DecodeRLEd and EncodeRLEd by hand, there and back, and on real rows of train.csv."""

import csv
from collections import defaultdict

import numpy as np
import pytest
import torch
from monai.config import KeysCollection
from monai.data import MetaTensor, set_track_meta
from monai.transforms import Compose, EnsureChannelFirstd, LoadImaged
from scipy import ndimage

from monai_gi.errors import DataError
from monai_gi.labels import ORGAN_NAMES
from monai_gi.readers import SliceReader
from monai_gi.slices import parse_slice_name
from monai_gi.transforms import DecodeRLEd, EncodeRLEd
from tests.drawn_slices import write_scan

# On 3 rows and 5 columns: large bowel covers row 0, columns 1 to 3; stomach rows 0 and 1 of column 3, overlapping it.
LABEL = {"large_bowel": "2 3", "small_bowel": "", "stomach": "4 1 9 1"}
LARGE_BOWEL = [[0, 1, 1, 1, 0], [0, 0, 0, 0, 0], [0, 0, 0, 0, 0]]
STOMACH = [[0, 0, 0, 1, 0], [0, 0, 0, 1, 0], [0, 0, 0, 0, 0]]
EMPTY = [[0] * 5] * 3
NO_ORGAN = dict.fromkeys(ORGAN_NAMES, "")


def decode(keys: KeysCollection = "label", **item: object) -> torch.Tensor:
    return DecodeRLEd(keys)(item)["label"]


def test_dict_gives_one_mask_an_organ_with_overlaps():
    mask = decode(label=LABEL, size=[3, 5])
    assert mask.dtype == torch.uint8
    assert mask.tolist() == [LARGE_BOWEL, EMPTY, STOMACH]


def test_list_gives_slices_on_the_last_axis():
    mask = decode(label=[NO_ORGAN, LABEL], size=[3, 5], image=["a.png", "b.png"])
    assert mask.shape == (3, 3, 5, 2)
    assert mask[..., 0].sum() == 0
    assert mask[..., 1].tolist() == [LARGE_BOWEL, EMPTY, STOMACH]


def test_classes_order_the_channels():
    mask = DecodeRLEd("label", classes=["stomach", "small_bowel", "large_bowel"])({"label": LABEL, "size": [3, 5]})
    assert mask["label"].tolist() == [STOMACH, EMPTY, LARGE_BOWEL]


@pytest.mark.parametrize("shape", [(3, 5), (1, 3, 5), (4, 3, 5)])
def test_size_is_that_of_the_loaded_slice(shape):
    assert decode(label=LABEL, image=np.zeros(shape)).tolist() == [LARGE_BOWEL, EMPTY, STOMACH]


@pytest.mark.parametrize("shape", [(3, 5, 2), (1, 3, 5, 2)])
def test_size_is_that_of_the_loaded_scan(shape):
    mask = decode(label=[NO_ORGAN, LABEL], image=torch.zeros(shape))
    assert mask[..., 1].tolist() == [LARGE_BOWEL, EMPTY, STOMACH]


def test_image_key_names_the_image():
    item = {"label": LABEL, "mr": np.zeros((1, 3, 5))}
    assert DecodeRLEd("label", image_key="mr")(item)["label"].shape == (3, 3, 5)
    with pytest.raises(DataError, match="`image` is not loaded and there is no `size`"):
        DecodeRLEd("label")(item)


def test_mask_stands_where_its_image_stands(tmp_path):
    load = Compose([LoadImaged("image", reader=SliceReader()), EnsureChannelFirstd("image"), DecodeRLEd("label")])
    (path,) = write_scan(tmp_path, [1], (3, 5))
    item = load({"image": path, "label": LABEL, "size": [3, 5]})
    assert isinstance(item["label"], MetaTensor)
    assert torch.equal(item["label"].affine, item["image"].affine)
    item["label"].affine = torch.eye(4)
    item["label"].meta["note"] = "of the label"
    assert item["image"].affine[0, 1] == -2.25
    assert "note" not in item["image"].meta


def test_untracked_metadata_gives_a_plain_tensor():
    set_track_meta(False)
    try:
        assert type(decode(label=LABEL, image=MetaTensor(torch.zeros(1, 3, 5)))) is torch.Tensor
    finally:
        set_track_meta(True)
    assert type(decode(label=LABEL, size=[3, 5])) is torch.Tensor


def test_missing_truth_passes_where_allowed():
    item = {"image": "a.png", "size": [3, 5]}
    assert DecodeRLEd("label", allow_missing_keys=True)(item) == item
    assert EncodeRLEd("pred", allow_missing_keys=True)(item) == item
    with pytest.raises(KeyError, match="label"):
        DecodeRLEd("label")(item)


def test_image_turned_by_a_reader_is_an_error():
    with pytest.raises(DataError, match=r"case1: image of \(5, 3\) pixels .* of \(3, 5\); decode before resizing"):
        decode(id="case1", label=LABEL, image=np.zeros((1, 5, 3)), size=[3, 5])


def test_image_of_other_dimensions_is_an_error():
    with pytest.raises(DataError, match=r"case1: image of shape \(1, 3, 5, 2\), wanted \(H, W\) or \(C, H, W\) for"):
        decode(id="case1", label=LABEL, image=np.zeros((1, 3, 5, 2)))
    with pytest.raises(DataError, match=r"image of shape \(3, 5\), wanted \(H, W, D\) or"):
        decode(label=[LABEL], image=np.zeros((3, 5)))


def test_as_many_labels_as_slices():
    with pytest.raises(DataError, match="3 slices in the image, but run lengths of 2"):
        decode(label=[LABEL, LABEL], image=np.zeros((1, 3, 5, 3)))
    with pytest.raises(DataError, match="2 slices of run lengths, but 3 `slice_ids`"):
        decode(label=[LABEL, LABEL], size=[3, 5], slice_ids=["a", "b", "c"])


@pytest.mark.parametrize("label", [{**LABEL, "liver": ""}, {"stomach": ""}])
def test_unknown_and_missing_classes_are_errors(label):
    with pytest.raises(DataError, match=r"case1: classes \[.*\], wanted \['large_bowel', 'small_bowel', 'stomach'\]"):
        decode(id="case1", label=label, size=[3, 5])


@pytest.mark.parametrize("rle", ["2", "x 3", "15 2", "0 1", None, 7])
def test_strings_that_are_no_mask_name_slice_and_organ(rle):
    broken = {**LABEL, "stomach": rle}
    with pytest.raises(DataError, match="case1_day0_slice_0002, stomach: "):
        decode(
            id="case1", label=[LABEL, broken], slice_ids=["case1_day0_slice_0001", "case1_day0_slice_0002"], size=[3, 5]
        )
    with pytest.raises(DataError, match=r"case1 \[1\], stomach: "):
        decode(id="case1", label=[LABEL, broken], size=[3, 5])


def test_slice_encodes_to_a_dict_by_class():
    mask = np.array([LARGE_BOWEL, EMPTY, STOMACH])
    assert EncodeRLEd("pred")({"pred": mask})["pred"] == LABEL
    renamed = EncodeRLEd("pred", classes=["a", "b", "c"])({"pred": mask})["pred"]
    assert renamed == {"a": "2 3", "b": "", "c": "4 1 9 1"}


@pytest.mark.parametrize("dtype", [torch.bool, torch.uint8, torch.float32])
def test_scans_with_overlaps_and_an_empty_class_come_back_exactly(dtype):
    masks = np.random.default_rng(0).random((3, 6, 11, 4)) > 0.6
    masks[1] = False
    masks[:, :, :, 2] = False
    assert (masks[0] & masks[2]).any()
    encoded = EncodeRLEd("label")({"label": MetaTensor(torch.from_numpy(masks).to(dtype)), "size": [6, 11]})
    assert len(encoded["label"]) == 4
    assert encoded["label"][2] == NO_ORGAN
    assert np.array_equal(DecodeRLEd("label")(encoded)["label"].numpy(), masks)


def test_full_and_single_pixel_masks_come_back_exactly():
    masks = np.zeros((3, 4, 7), dtype=np.uint8)
    masks[0] = 1
    masks[1, 3, 6] = masks[2, 0, 0] = 1
    encoded = EncodeRLEd("label")({"label": masks, "size": [4, 7]})
    assert encoded["label"] == {"large_bowel": "1 28", "small_bowel": "28 1", "stomach": "1 1"}
    assert np.array_equal(DecodeRLEd("label")(encoded)["label"].numpy(), masks)


def test_scan_of_no_slices_is_an_empty_list():
    assert EncodeRLEd("pred")({"pred": np.zeros((3, 4, 5, 0))})["pred"] == []
    assert decode(label=[], size=[4, 5]).shape == (3, 4, 5, 0)


@pytest.mark.parametrize("shape", [(2, 4, 5), (4, 5), (3, 4, 5, 6, 7)])
def test_masks_of_other_shapes_are_errors(shape):
    with pytest.raises(ValueError, match=r"pred: mask of shape .* wanted \(3, H, W\) or \(3, H, W, D\)"):
        EncodeRLEd("pred")({"pred": np.zeros(shape)})


def test_probabilities_are_not_encoded():
    with pytest.raises(ValueError, match="pred: values besides 0 and 1; apply thresholds"):
        EncodeRLEd("pred")({"pred": np.full((3, 4, 5), 0.4)})


def outline_body(image: np.ndarray) -> np.ndarray:
    """The largest region that is not black, its holes filled; (H, W), bool."""
    regions, _ = ndimage.label(image > 0.1 * np.percentile(image, 99))
    largest = np.bincount(regions.ravel())[1:].argmax() + 1
    return ndimage.binary_fill_holes(regions == largest)


def test_real_rows_come_back_exactly(real_data):
    """They also lie inside the body, where a column-major decoding would leave a third to two thirds outside."""
    root = real_data / "uw_madison"
    paths = {f"{path.parts[-3]}_{path.name[:10]}": path for path in root.glob("train/*/*/scans/*.png")}
    labels: dict[str, dict[str, str]] = defaultdict(dict)
    with (root / "train.csv").open() as rows:
        for row in csv.DictReader(rows):
            labels[row["id"]][row["class"]] = row["segmentation"]
    load = Compose([LoadImaged("image", reader=SliceReader()), EnsureChannelFirstd("image"), DecodeRLEd("label")])
    for name, label in list(labels.items())[::3]:
        item = load({"id": name, "image": str(paths[name]), "label": dict(label)})
        assert item["label"].shape == (3, *parse_slice_name(paths[name].name).size)
        assert EncodeRLEd("label")(item)["label"] == label
        assert outline_body(item["image"][0].numpy())[item["label"].numpy().any(axis=0)].all()
