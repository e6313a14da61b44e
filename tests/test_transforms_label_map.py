"""LabelMapd by hand."""

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from monai_gi.transforms import LabelMapd

# columns: none, large bowel, small bowel, stomach, large+small, large+stomach, small+stomach, all three
MASKS = np.array([[0, 1, 0, 0, 1, 1, 0, 1], [0, 0, 1, 0, 1, 0, 1, 1], [0, 0, 0, 1, 0, 1, 1, 1]], dtype=np.uint8)


def test_later_name_of_the_priority_wins_where_organs_overlap():
    masks = MASKS.reshape(3, 2, 4)
    assert LabelMapd("pred")({"pred": masks})["pred"].reshape(-1).tolist() == [0, 1, 2, 3, 2, 1, 2, 2]
    stomach_last = LabelMapd("pred", priority=["small_bowel", "large_bowel", "stomach"])
    assert stomach_last({"pred": masks})["pred"].reshape(-1).tolist() == [0, 1, 2, 3, 1, 3, 3, 3]


@pytest.mark.parametrize("dtype", [torch.bool, torch.uint8, torch.float32])
def test_volumes_keep_their_shape_type_and_metadata(dtype):
    masks = torch.from_numpy(MASKS.reshape(3, 2, 2, 2)).to(dtype)
    pred = MetaTensor(masks, affine=torch.diag(torch.tensor([2.0, 3.0, 4.0, 1.0], dtype=torch.float64)))
    label_map = LabelMapd("pred")({"pred": pred})["pred"]
    assert label_map.shape == (1, 2, 2, 2)
    assert label_map.dtype == torch.uint8
    assert torch.equal(label_map.affine, pred.affine)
    assert label_map.reshape(-1).tolist() == [0, 1, 2, 3, 2, 1, 2, 2]


def test_empty_masks_give_background():
    assert not LabelMapd("pred")({"pred": np.zeros((3, 4, 5), dtype=bool)})["pred"].any()


def test_missing_key_passes_where_allowed():
    assert LabelMapd("pred", allow_missing_keys=True)({}) == {}


def test_other_numbers_of_channels_are_errors():
    with pytest.raises(ValueError, match=r"masks of shape \(2, 4, 5\), wanted \(3, ...\)"):
        LabelMapd("pred")({"pred": np.zeros((2, 4, 5))})


@pytest.mark.parametrize("priority", [["stomach"], ["stomach", "stomach", "large_bowel"], ["a", "b", "c"]])
def test_priority_names_every_organ_once(priority):
    with pytest.raises(ValueError, match=r"priority: .* wanted each of"):
        LabelMapd("pred", priority=priority)
