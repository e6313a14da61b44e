"""Each expression of a packed config computes what this package computes."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser
from monai.data import MetaTensor

from monai_gi.errors import DataError
from monai_gi.labels import ORGAN_NAMES, to_label_map
from monai_gi.neighbours import neighbour_positions
from monai_gi.sharing import plain_monai
from monai_gi.transforms.rules import ApplyOrganRulesd, apply_organ_rules
from tests.packable_bundle import ROOT, SMALL

BUNDLES = sorted(SMALL)


def config(name="basic_unet", **changes):
    content = json.loads((ROOT / "bundles" / name / "inference.json").read_text())
    content["network_def"] |= SMALL[name]
    return content | changes


def parser(**changes):
    return ConfigParser(plain_monai.plain_inference(config(**changes), "inference.json"))


@pytest.mark.parametrize("spacing_mm", [1.2, 2.0, 2.5, 3.0, 3.9, 4.0, 6.1, 12.0, 13.0])
@pytest.mark.parametrize("offsets", [[-2, 0, 2], [-1, 0, 1, 3]])
def test_neighbours_are_the_nearest_in_mm_and_ties_stay_near(spacing_mm, offsets):
    image = torch.arange(7.0).expand(1, 2, 3, 7)
    stacks = parser(slice_offsets=offsets).get_parsed_content("neighbours")(
        MetaTensor(image, affine=np.diag([1.5, 1.5, spacing_mm, 1]))
    )
    fine = neighbour_positions(1000 * np.arange(7), [int(1000 * offset * 3.0 / spacing_mm) for offset in offsets])
    np.testing.assert_array_equal(stacks[:, 1, 2].numpy(), fine.T)


def test_half_way_the_nearer_slice_is_taken():
    stacks = parser(slice_offsets=[-1, 0, 1]).get_parsed_content("neighbours")(
        MetaTensor(torch.arange(4.0).expand(1, 1, 1, 4), affine=np.diag([1, 1, 2.0, 1]))
    )
    assert stacks[:, 0, 0].tolist() == [[0, 0, 1, 2], [0, 1, 2, 3], [1, 2, 3, 3]]


def test_rules_give_the_same_masks():
    rules = {"thresholds": [0.5, 0.3, 0.6], "presence": [0.9, 0.0, 0.97], "min_region_px": [0, 3, 7]}
    probabilities = torch.rand(3, 14, 19, 6, generator=torch.Generator().manual_seed(0)) ** 2
    probabilities[:, 9:, 11:] *= 0.2
    wanted = apply_organ_rules(probabilities, ApplyOrganRulesd("pred", **rules).rules)
    packed = parser(**rules)
    masks = packed.get_parsed_content("masks")(MetaTensor(probabilities))
    assert not torch.equal(masks.as_tensor(), wanted), "small regions are still there"
    with pytest.warns(FutureWarning, match="min_size") if needs_warning() else nothing():
        masks = packed.get_parsed_content("large_regions")(masks)
    assert torch.equal(masks.as_tensor().bool(), wanted)
    label_map = packed.get_parsed_content("label_map")(masks)
    np.testing.assert_array_equal(label_map.numpy(), to_label_map(wanted.numpy()))


def needs_warning():
    """scikit-image renamed an argument in 0.26, which MONAI 1.6 does not know yet."""
    import skimage

    return tuple(map(int, skimage.__version__.split(".")[:2])) >= (0, 26)


def nothing():
    from contextlib import nullcontext

    return nullcontext()


def test_small_regions_are_looked_for_only_where_asked():
    assert "large_regions" not in parser().config
    assert parser(min_region_px=0.5).config["min_region_px"] == [0.5, 0.5, 0.5]
    assert "large_regions" in parser(min_region_px={"large_bowel": 0, "small_bowel": 0, "stomach": 2}).config


@pytest.mark.parametrize("name", BUNDLES)
def test_a_plain_network_answers_as_ours_with_the_same_keys(name):
    content = config(name) | {"roi_size": [64, 96]}
    ours = ConfigParser(content).get_parsed_content("network_def").eval()
    plain = ConfigParser(plain_monai.plain_inference(content, name)).get_parsed_content("network_def").eval()
    plain.load_state_dict(ours.state_dict())
    images = torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        torch.testing.assert_close(plain(images), ours(images))


def test_one_number_a_list_and_a_dict_become_one_number_an_organ():
    assert plain_monai.per_class(0.4, ORGAN_NAMES) == [0.4, 0.4, 0.4]
    assert plain_monai.per_class([1, 2, 3], ORGAN_NAMES) == [1, 2, 3]
    assert plain_monai.per_class({"stomach": 3, "large_bowel": 1, "small_bowel": 2}, ORGAN_NAMES) == [1, 2, 3]


@pytest.mark.parametrize("priority", list(itertools.permutations(ORGAN_NAMES)))
def test_label_map_and_file_names_follow_the_table_of_labels(monkeypatch, priority):
    monkeypatch.setattr(plain_monai, "LABEL_MAP_PRIORITY", priority)
    packed = parser()
    masks = torch.rand(3, 4, 5, 6, generator=torch.Generator().manual_seed(0)) > 0.4
    wanted = to_label_map(masks.numpy(), priority)
    np.testing.assert_array_equal(packed.get_parsed_content("label_map")(masks).numpy(), wanted)
    saved = [item.get("output_postfix") for item in packed["postprocessing"]["transforms"]]
    assert [name for name in saved if name] == [*ORGAN_NAMES, "labels"]


def test_references_and_expressions_are_resolved_but_not_classes():
    content = {"a": [1, 2], "b": {"_target_": "torch.nn.Conv2d", "n": "$len(@a)", "m": ["@a", {"x": "text"}]}}
    found = plain_monai.resolved(ConfigParser(content), "b")
    assert found == {"_target_": "torch.nn.Conv2d", "n": 2, "m": [[1, 2], {"x": "text"}]}


def test_only_a_hub_name_leaves_as_a_start(tmp_path, monkeypatch):
    for start, wanted in {"nvidia/mit-b0": "nvidia/mit-b0", "/srv/a.pt": None, "run.pt": None, "": None}.items():
        assert plain_monai.packed_training({"init_weights": start})["init_weights"] == wanted
    monkeypatch.chdir(tmp_path)
    Path("runs").mkdir()
    Path("runs/model.pt").touch()
    assert plain_monai.packed_training({"init_weights": "runs/model.pt"})["init_weights"] is None


def test_an_unknown_network_names_the_known_ones():
    with pytest.raises(DataError, match=r"x.json: network_def is a os.system, of which no plain form .* BasicUNet,"):
        plain_monai.plain_network({"_target_": "os.system"}, "x.json", [64, 96])


def test_another_network_of_transformers_is_not_shared():
    network = {"_target_": "monai_gi.networks.HuggingFaceSegmenter", "architecture": "auto"}
    network["config"] = {"model_type": "mobilevit"}
    with pytest.raises(DataError, match=r"network_def is a MobileViTForSemanticSegmentation, which is not shared"):
        plain_monai.plain_network(network, "x.json", [64, 96])


def test_dpt_answers_to_the_windows_grid_of_its_patches():
    network = {"_target_": "monai_gi.networks.HuggingFaceSegmenter", "architecture": "dpt", "config": {"patch_size": 8}}
    plain = plain_monai.plain_network(network, "x.json", [64, 96])
    assert "patch_height=8, patch_width=12" in plain["grid_hook"]
