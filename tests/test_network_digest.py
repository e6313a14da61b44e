"""The hash by which scores and weights find each other."""

import torch
from safetensors.torch import load_file, save_file

from monai_gi.network_digest import network_digest, weights_digest


def test_weights_are_recognised_in_any_file_and_order(tmp_path):
    network = torch.nn.Sequential(torch.nn.Conv2d(2, 3, 1), torch.nn.BatchNorm2d(3))
    weights = network.state_dict()
    digest = weights_digest(weights)
    assert len(digest) == 64
    torch.save(weights, tmp_path / "a.pt")
    save_file(weights, tmp_path / "a.safetensors")
    assert weights_digest(torch.load(tmp_path / "a.pt", weights_only=True)) == digest
    assert weights_digest(load_file(tmp_path / "a.safetensors")) == digest
    assert weights_digest(dict(reversed(weights.items()))) == digest


def test_name_type_shape_and_value_count():
    weights = {"a": torch.zeros(2, 3), "b": torch.tensor(1)}
    others = [
        {"c": weights["a"], "b": weights["b"]},
        {"a": weights["a"].half(), "b": weights["b"]},
        {"a": weights["a"].reshape(3, 2), "b": weights["b"]},
        {"a": weights["a"], "b": torch.tensor(2)},
        {"a": weights["a"]},
    ]
    assert len({weights_digest(one) for one in (weights, *others)}) == 6


def test_a_network_of_other_layers_is_another_one():
    a, b = torch.nn.Conv2d(2, 2, 3), torch.nn.Conv2d(2, 2, 3, dilation=2)
    b.load_state_dict(a.state_dict())
    assert weights_digest(a.state_dict()) == weights_digest(b.state_dict())
    assert network_digest(a) != network_digest(b)
