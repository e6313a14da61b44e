"""The adapter against transformers itself, UNet++ against MONAI's, and weights that are there, absent or wrong."""

import copy
import json
import logging
import os
import shutil
from functools import partial
from pathlib import Path

import huggingface_hub
import pytest
import torch
import transformers
from monai.networks.nets import BasicUNet, BasicUNetPlusPlus
from safetensors.torch import save_file
from torch import nn

from monai_gi.errors import DataError
from monai_gi.networks import ARCHITECTURES, HuggingFaceSegmenter, UNetPlusPlus, load_init_weights
from monai_gi.networks.pretrained import adapt_kernel
from tests.packable_bundle import SMALL as TINY

SMALL = {
    "depths": [1, 1, 1, 1],
    "hidden_sizes": [8, 16, 24, 32],
    "num_attention_heads": [1, 2, 3, 4],
    "decoder_hidden_size": 16,
}
FIRST = "segformer.stages.0.patch_embeddings.proj.weight"


def small_segformer(seed: int = 0, **settings: object) -> HuggingFaceSegmenter:
    torch.manual_seed(seed)
    return HuggingFaceSegmenter(**{"config": SMALL, **settings})


def small_transformer(kind: str, channels: int = 3, classes: int = 5) -> nn.Module:
    torch.manual_seed(7)
    return getattr(transformers, kind)(
        transformers.SegformerConfig(num_channels=channels, num_labels=classes, **SMALL)
    ).eval()


def small_unet() -> BasicUNet:
    return BasicUNet(spatial_dims=2, features=(4, 4, 4, 4, 4, 4))


def small_unetpp(**settings: object) -> UNetPlusPlus:
    torch.manual_seed(0)
    return UNetPlusPlus(features=(4, 4, 4, 4, 4, 4), **settings)


def equal_states(one: dict, other: dict) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


@pytest.fixture
def encoder_folder(tmp_path: Path) -> Path:
    """A classifier as nvidia/mit-b0 is one: the encoder's weights, and a head that segmentation has no use for."""
    small_transformer("SegformerForImageClassification").save_pretrained(tmp_path / "mit")
    return tmp_path / "mit"


@pytest.fixture
def segmenter_folder(tmp_path: Path) -> Path:
    """A whole segmentation network of 3 channels and 5 classes."""
    small_transformer("SegformerForSemanticSegmentation").save_pretrained(tmp_path / "ade")
    return tmp_path / "ade"


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[dict]:
    """An empty cache and a hub that can not be reached; the list fills with the requests."""
    requests = []

    def fail(self: object, name: str, **settings: object) -> None:
        requests.append({"name": name, **settings})
        raise ConnectionError("no route\nto host")

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", fail)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    return requests


# --- SegFormer


@pytest.mark.parametrize("size", [(64, 96), (70, 45)])
def test_segformer_gives_transformers_logits_at_the_inputs_size(size):
    theirs = small_transformer("SegformerForSemanticSegmentation")
    ours = small_segformer(out_channels=5).eval()
    ours.load_state_dict(theirs.state_dict())
    images = torch.rand(2, 3, *size)
    wanted = nn.functional.interpolate(theirs(images).logits, size=size, mode="bilinear", align_corners=False)
    torch.testing.assert_close(ours(images), wanted, rtol=0, atol=0)


def test_segformer_weights_load_into_transformers():
    theirs = small_transformer("SegformerForSemanticSegmentation", channels=4, classes=2)
    ours = small_segformer(in_channels=4, out_channels=2)
    theirs.load_state_dict(ours.state_dict())
    assert equal_states(theirs.state_dict(), ours.state_dict())
    assert [name for name, _ in ours.named_parameters()] == [name for name, _ in theirs.named_parameters()]


@pytest.mark.parametrize(
    ("variant", "millions"), [("b0", 3.8), ("b1", 13.7), ("b2", 27.5), ("b3", 47.3), ("b4", 64.1), ("b5", 84.7)]
)
def test_variants_have_the_papers_number_of_weights(variant, millions):
    with torch.device("meta"):
        network = HuggingFaceSegmenter(variant=variant, out_channels=150)
    assert sum(weight.numel() for weight in network.parameters()) / 1e6 == pytest.approx(millions, rel=0.015)
    assert set(ARCHITECTURES["segformer"].variants) == {"b0", "b1", "b2", "b3", "b4", "b5"}


def test_channels_in_and_out_are_free():
    assert small_segformer(in_channels=7, out_channels=1)(torch.rand(2, 7, 32, 64)).shape == (2, 1, 32, 64)


def test_config_fields_override_the_variant():
    rates = {
        block.drop_path.drop_prob
        for block in small_segformer(config={"drop_path_rate": 0.6}).modules()
        if hasattr(block, "drop_path") and hasattr(block.drop_path, "drop_prob")
    }
    assert max(rates) == pytest.approx(0.6)


def test_the_same_seed_gives_the_same_weights():
    assert equal_states(small_segformer(3).state_dict(), small_segformer(3).state_dict())
    assert not equal_states(small_segformer(3).state_dict(), small_segformer(4).state_dict())


def test_train_and_eval_reach_the_whole_network():
    network = small_segformer()
    assert all(module.training for module in network.train().modules())
    assert not any(module.training for module in network.eval().modules())
    assert not vars(network)["_model"].training
    images = torch.rand(1, 3, 64, 32)
    assert torch.equal(network(images), network(images))
    assert not torch.equal(network.train()(images), network(images))


def test_a_copy_shares_nothing():
    network = small_segformer().eval()
    images = torch.rand(1, 3, 64, 32)
    before = network(images)
    other = copy.deepcopy(network)
    assert torch.equal(other(images), before)
    for weight in other.parameters():
        weight.data.zero_()
    assert torch.equal(network(images), before)
    assert not torch.equal(other(images), before)


def test_to_moves_the_weights_that_forward_uses():
    network = small_segformer().eval().to(torch.float64)
    assert {weight.dtype for weight in network.parameters()} == {torch.float64}
    assert network(torch.rand(1, 3, 32, 32, dtype=torch.float64)).dtype == torch.float32
    assert network.to("meta")(torch.empty(1, 3, 32, 64, device="meta", dtype=torch.float64)).shape == (1, 3, 32, 64)


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
def test_a_traced_network_gives_the_same_numbers_at_other_sizes(capfd, caplog):
    network = small_segformer().eval()
    traced = torch.jit.trace(network, torch.rand(1, 3, 64, 64))
    for shape in [(1, 3, 64, 64), (3, 3, 96, 64), (1, 3, 70, 45)]:
        images = torch.rand(shape)
        torch.testing.assert_close(traced(images), network(images), rtol=0, atol=0)
    assert set(traced.state_dict()) == set(network.state_dict())
    assert "loss_type" not in capfd.readouterr().err + caplog.text


@pytest.fixture
def one_process(tmp_path: Path):
    """A process group of one over gloo."""
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/group", rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()


@pytest.mark.filterwarnings("ignore:Grad strides do not match bucket view strides:UserWarning")
@pytest.mark.parametrize(
    "make",
    [
        small_segformer,
        small_unetpp,
        lambda: small_unetpp(deep_supervision=False),
        *(partial(HuggingFaceSegmenter, name, config=TINY[name]["config"]) for name in ("upernet", "dpt", "beit")),
    ],
)
def test_distributed_training_finds_a_gradient_for_every_weight(one_process, make):
    network = nn.parallel.DistributedDataParallel(make())
    for _ in range(2):  # a weight without a gradient stops the second step
        outputs = network(torch.rand(2, 3, 32, 32))
        sum(head.square().mean() for head in (outputs if isinstance(outputs, list) else [outputs])).backward()
    assert all(weight.grad is not None for weight in network.parameters() if weight.requires_grad)


# --- SegFormer's pretrained weights


def test_pretrained_encoder_is_used_and_the_head_stays_random(encoder_folder, capfd, caplog):
    network = small_segformer(init_weights=encoder_folder)
    theirs = small_transformer("SegformerForImageClassification").state_dict()
    own, fresh = network.state_dict(), small_segformer().state_dict()
    for key in own:
        assert torch.equal(own[key], fresh[key] if key.startswith("decode_head.") else theirs[key]), key
    assert network.init_weights_status == str(encoder_folder)
    assert capfd.readouterr().err + caplog.text == ""


def test_random_numbers_after_loading_do_not_depend_on_it(encoder_folder):
    small_segformer(init_weights=encoder_folder)
    after = torch.rand(3)
    small_segformer()
    assert torch.equal(torch.rand(3), after)


def test_a_whole_pretrained_network_keeps_its_head_where_the_classes_are_as_many(segmenter_folder):
    theirs = small_transformer("SegformerForSemanticSegmentation").state_dict()
    assert equal_states(small_segformer(out_channels=5, init_weights=segmenter_folder).state_dict(), theirs)
    own = small_segformer(out_channels=2, init_weights=segmenter_folder).state_dict()
    changed = [key for key in own if not torch.equal(own[key], theirs[key])]
    assert changed == ["decode_head.classifier.weight", "decode_head.classifier.bias"]


@pytest.mark.parametrize("channels", [1, 5])
def test_equal_channels_answer_as_grey_rgb_does(segmenter_folder, channels):
    grey = torch.rand(1, 1, 64, 32)
    rgb = small_segformer(out_channels=5, init_weights=segmenter_folder).eval()(grey.repeat(1, 3, 1, 1))
    network = small_segformer(in_channels=channels, out_channels=5, init_weights=segmenter_folder).eval()
    torch.testing.assert_close(network(grey.repeat(1, channels, 1, 1)), rgb, rtol=1e-4, atol=1e-5)


def test_a_kernel_for_other_channels_is_the_mean_spread_evenly():
    kernel = torch.tensor([1.0, 2.0, 6.0]).reshape(1, 3, 1, 1)
    assert adapt_kernel(kernel, 5).flatten().tolist() == pytest.approx([1.8] * 5)
    assert torch.equal(adapt_kernel(kernel, 3), kernel)


def test_a_file_of_own_weights_starts_segformer_too(tmp_path):
    save_file(small_segformer(5).state_dict(), tmp_path / "own.safetensors")
    network = small_segformer(init_weights=tmp_path / "own.safetensors")
    assert equal_states(network.state_dict(), small_segformer(5).state_dict())
    assert network.init_weights_status == str(tmp_path / "own.safetensors")


@pytest.mark.parametrize("nothing", [None, ""])
def test_no_source_means_random_weights(nothing, caplog):
    assert small_segformer(init_weights=nothing).init_weights_status == "random"
    assert caplog.text == ""


def test_without_network_one_loud_line_and_random_weights(no_network, caplog):
    network = small_segformer(init_weights="nvidia/mit-b0")
    assert equal_states(network.state_dict(), small_segformer().state_dict())
    assert network.init_weights_status == "random (nvidia/mit-b0 could not be had: ConnectionError: no route)"
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert caplog.records[0].getMessage().startswith("PRETRAINED WEIGHTS NOT USED: 'nvidia/mit-b0' could not be had")
    assert "\n" not in caplog.records[0].getMessage()


def test_the_hub_is_asked_once_with_a_short_limit(no_network):
    small_segformer(init_weights="nvidia/mit-b0")
    assert no_network == [{"name": "nvidia/mit-b0", "timeout": 3.0}]


def test_only_the_first_process_speaks(no_network, caplog, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    assert small_segformer(init_weights="nvidia/mit-b0").init_weights_status.startswith("random (")
    assert caplog.text == ""


def test_required_weights_without_network_are_an_error(no_network):
    with pytest.raises(DataError, match=r"nvidia/mit-b0: the required weights could not be had \(ConnectionError"):
        small_segformer(init_weights="nvidia/mit-b0", init_weights_required=True)


def test_a_missing_folder_is_not_looked_for_on_the_hub(no_network, tmp_path):
    status = small_segformer(init_weights=tmp_path / "absent").init_weights_status
    assert status == f"random ({tmp_path / 'absent'} could not be had: no such folder)"
    assert no_network == []


def test_a_cached_copy_needs_no_network(no_network, encoder_folder, tmp_path):
    cached = tmp_path / "cache" / "models--nvidia--mit-b0"
    shutil.copytree(encoder_folder, cached / "snapshots" / "abc")
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text("abc")
    assert small_segformer(init_weights="nvidia/mit-b0").init_weights_status == "nvidia/mit-b0"
    assert no_network == []


@pytest.mark.parametrize("weights", ["model.safetensors", "pytorch_model.bin"])
def test_weights_on_the_hub_are_fetched(no_network, monkeypatch, encoder_folder, weights):
    if weights == "pytorch_model.bin":
        torch.save(small_transformer("SegformerForImageClassification").state_dict(), encoder_folder / weights)
        (encoder_folder / "model.safetensors").unlink()
    files = [huggingface_hub.hf_api.RepoSibling(rfilename=path.name) for path in encoder_folder.iterdir()]
    info = type("Info", (), {"siblings": files})
    fetched = []
    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", lambda self, name, timeout: info)
    monkeypatch.setattr(
        huggingface_hub, "hf_hub_download", lambda name, file: fetched.append(file) or str(encoder_folder / file)
    )
    network = small_segformer(init_weights="nvidia/mit-b0", init_weights_required=True)
    assert fetched == [weights, "config.json"]
    assert torch.equal(
        network.state_dict()[FIRST], small_transformer("SegformerForImageClassification").state_dict()[FIRST]
    )


def test_a_name_without_weights_on_the_hub_says_so(no_network, monkeypatch):
    info = type("Info", (), {"siblings": []})
    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", lambda self, name, timeout: info)
    status = small_segformer(init_weights="nvidia/none").init_weights_status
    assert "the hub has no model.safetensors or pytorch_model.bin under this name" in status


def test_weights_of_another_variant_are_an_error(encoder_folder):
    problem = r": 0 weights absent, \d+ of another shape, first segformer.stages.0.* Choose the `variant`"
    with pytest.raises(DataError, match=problem):
        small_segformer(config={**SMALL, "hidden_sizes": [16, 16, 24, 32]}, init_weights=encoder_folder)


def test_weights_of_a_shallower_network_are_an_error(encoder_folder):
    with pytest.raises(DataError, match=r"\d+ weights absent, 0 of another shape, first segformer.stages.0.blocks.1"):
        small_segformer(config={**SMALL, "depths": [2, 1, 1, 1]}, init_weights=encoder_folder)


def test_a_folder_of_another_architecture_is_an_error(encoder_folder):
    (encoder_folder / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(DataError, match="describes a network of type 'bert', wanted 'segformer'"):
        small_segformer(init_weights=encoder_folder)


def test_a_folder_without_config_is_an_error(encoder_folder):
    (encoder_folder / "config.json").unlink()
    with pytest.raises(DataError, match=r"holds no config.json, wanted one and model.safetensors or pytorch_model.bin"):
        small_segformer(init_weights=encoder_folder)


def test_a_cut_off_folder_is_an_error(encoder_folder):
    weights = encoder_folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(DataError, match="can not be read as weights"):
        small_segformer(init_weights=encoder_folder)


class Payload:
    """A pickle that makes a folder where it is trusted."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


def test_code_in_a_pretrained_pickle_is_not_run(encoder_folder, tmp_path):
    (encoder_folder / "model.safetensors").unlink()
    torch.save({FIRST: Payload(tmp_path / "run")}, encoder_folder / "pytorch_model.bin")
    with pytest.raises(DataError, match="can not be read as weights"):
        small_segformer(init_weights=encoder_folder)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"architecture": "segfromer"}, "architecture: 'segfromer' is not known, nearest is 'segformer'"),
        ({"variant": "B2"}, "variant: 'B2' is not known, nearest is 'b2'"),
        ({"config": {"drop_path": 0.0}}, "config: 'drop_path' is not known, nearest is 'drop_path_rate'"),
        ({"config": {"num_labels": 4}}, "config: 'num_labels' is set by in_channels and out_channels"),
        ({"config": {"output_hidden_states": True}}, "config: 'output_hidden_states' is not known"),
        ({"in_channels": 0}, "in_channels: 0, wanted 1 or more"),
        ({"out_channels": 0}, "out_channels: 0, wanted 1 or more"),
    ],
)
def test_unknown_settings_are_errors(settings, problem):
    with pytest.raises(ValueError, match=problem):
        HuggingFaceSegmenter(**settings)


# --- UNet++


def test_unetpp_has_monais_keys_and_numbers():
    theirs = BasicUNetPlusPlus(spatial_dims=2, in_channels=3, out_channels=3, features=(4, 4, 4, 4, 4, 4))
    ours = small_unetpp()
    ours.load_state_dict(theirs.state_dict())
    images = torch.rand(1, 3, 32, 48)
    assert torch.equal(ours.eval()(images), theirs.eval()(images)[-1])


def test_unetpp_gives_four_heads_in_training_and_one_tensor_in_evaluation():
    network, images = small_unetpp(deep_supervision=True), torch.rand(1, 3, 32, 48)
    heads = network.train()(images)
    assert [tuple(head.shape) for head in heads] == [(1, 3, 32, 48)] * 4
    torch.testing.assert_close(network.eval()(images), heads[-1])


def test_unetpp_without_deep_supervision_gives_one_tensor_always():
    network, images = small_unetpp(deep_supervision=False), torch.rand(1, 3, 32, 48)
    assert torch.equal(network.train()(images), network.eval()(images))


def test_unetpp_takes_monais_other_arguments():
    assert small_unetpp(in_channels=2, out_channels=5, norm="batch")(torch.rand(2, 2, 16, 32))[0].shape == (
        2,
        5,
        16,
        32,
    )
    assert any(isinstance(module, nn.BatchNorm2d) for module in small_unetpp(norm="batch").modules())
    assert small_unetpp(spatial_dims=3).eval()(torch.rand(1, 3, 32, 16, 16)).shape == (1, 3, 32, 16, 16)


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
def test_unetpp_can_be_traced():
    network = small_unetpp().eval()
    traced = torch.jit.trace(network, torch.rand(1, 3, 32, 32))
    images = torch.rand(2, 3, 64, 48)
    torch.testing.assert_close(traced(images), network(images))


# --- files of weights


@pytest.mark.parametrize("name", ["own.safetensors", "own.pt", "own.pth"])
def test_a_file_starts_a_monai_network(tmp_path, name):
    theirs = small_unet()
    (save_file if name.endswith("safetensors") else torch.save)(theirs.state_dict(), tmp_path / name)
    network = small_unet()
    assert load_init_weights(network, str(tmp_path / name), required=True) is network
    assert equal_states(network.state_dict(), theirs.state_dict())
    assert network.init_weights_status == str(tmp_path / name)


@pytest.mark.parametrize("key", ["model", "state_dict"])
def test_a_checkpoint_with_other_content_starts_a_network(tmp_path, key):
    theirs = small_unet()
    torch.save({key: theirs.state_dict(), "epoch": 3}, tmp_path / "resume.pt")
    assert equal_states(load_init_weights(small_unet(), tmp_path / "resume.pt").state_dict(), theirs.state_dict())


@pytest.mark.parametrize("nothing", [None, ""])
def test_no_file_leaves_random_weights(nothing):
    network = small_unet()
    before = copy.deepcopy(network.state_dict())
    assert load_init_weights(network, nothing, required=True).init_weights_status == "random"
    assert equal_states(network.state_dict(), before)


def test_a_missing_file_is_one_loud_line(tmp_path, caplog):
    network = load_init_weights(small_unet(), tmp_path / "absent.pt")
    assert network.init_weights_status == f"random ({tmp_path / 'absent.pt'} could not be had: no such file)"
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_a_missing_file_that_is_required_is_an_error(tmp_path):
    with pytest.raises(DataError, match=r"absent.pt: the required weights could not be had \(no such file\)"):
        load_init_weights(small_unet(), tmp_path / "absent.pt", required=True)


def test_weights_that_do_not_fit_are_named_and_nothing_changes(tmp_path):
    network = small_unet()
    before = copy.deepcopy(network.state_dict())
    weights = {f"x.{i}" if i < 6 else key: value for i, (key, value) in enumerate(before.items())}
    weights["final_conv.bias"] = torch.zeros(9)
    torch.save(weights, tmp_path / "other.pt")
    with pytest.raises(DataError) as caught:
        load_init_weights(network, tmp_path / "other.pt")
    missing = ", ".join(list(before)[:4])
    assert f"does not fit BasicUNet: 6 missing ({missing}, ...)" in str(caught.value)
    assert "6 unexpected (x.0, x.1, x.2, x.3, ...)" in str(caught.value)
    assert "1 of another shape (final_conv.bias [9] for [2])" in str(caught.value)
    assert equal_states(network.state_dict(), before)


def test_code_in_a_pickle_is_not_run(tmp_path):
    torch.save({"model": Payload(tmp_path / "run")}, tmp_path / "own.pt")
    with pytest.raises(DataError, match=r"own.pt: can not be read as weights \(UnpicklingError"):
        load_init_weights(small_unet(), tmp_path / "own.pt")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["own.safetensors", "own.pt"])
def test_a_cut_off_file_is_an_error(tmp_path, name):
    (save_file if name.endswith("safetensors") else torch.save)(small_unet().state_dict(), tmp_path / name)
    (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:500])
    with pytest.raises(DataError, match="can not be read as weights"):
        load_init_weights(small_unet(), tmp_path / name)


def test_a_file_of_another_kind_is_an_error(tmp_path):
    (tmp_path / "own.onnx").touch()
    with pytest.raises(DataError, match=r"suffix '.onnx', wanted .safetensors, .pt or .pth"):
        load_init_weights(small_unet(), tmp_path / "own.onnx")


def test_a_pickle_of_no_state_dict_is_an_error(tmp_path):
    torch.save({"epoch": 3}, tmp_path / "own.pt")
    with pytest.raises(DataError, match="holds no state dict"):
        load_init_weights(small_unet(), tmp_path / "own.pt")
