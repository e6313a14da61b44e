"""UPerNet, DPT, BEiT and the others of transformers: against transformers itself, sizes, tracing, pretraining."""

import copy
import json
from pathlib import Path

import pytest
import torch
import transformers
from torch import nn

from monai_gi import bundle
from monai_gi.errors import DataError
from monai_gi.networks import HuggingFaceSegmenter
from monai_gi.networks.architectures import design
from monai_gi.networks.batch_norm import LoneValueBatchNorm
from monai_gi.sharing import torchscript
from monai_gi.sharing.inspection import inspect
from monai_gi.sharing.opening import open_bundle
from monai_gi.sharing.pack import pack
from tests.packable_bundle import ROI_SIZE, SMALL, eager_network, small_bundle

NAMES = ("segformer", "upernet", "dpt", "beit")
LAYERS = {"hidden_size": 16, "num_hidden_layers": 4, "num_attention_heads": 2, "intermediate_size": 32}
READ = {"out_indices": [1, 2, 3, 4]}
OTHERS = {
    "data2vec-vision": {**LAYERS, **READ, "image_size": 64, "use_relative_position_bias": True},
    "mobilenet_v2": {},
    "mobilevit": {"hidden_sizes": [16, 24, 32], "neck_hidden_sizes": [8, 8, 16, 16, 24, 24, 32]},
    "mobilevitv2": {"base_attn_unit_dims": [16, 24, 32], "width_multiplier": 0.25},
    "sapiens2": {**LAYERS, "head_config": {"upsample_out_channels": [8, 8], "conv_out_channels": [8]}},
    "tipsv2_dpt": {
        "backbone_config": {
            "model_type": "tipsv2_vision_model",
            "hidden_size": 16,
            "num_hidden_layers": 4,
            "num_attention_heads": 2,
            "apply_layernorm": True,
            "reshape_hidden_states": False,
            **READ,
        },
        "neck_hidden_sizes": [8, 8, 8, 8],
        "fusion_hidden_size": 8,
    },
}


def small(name: str, seed: int = 0, **settings: object) -> HuggingFaceSegmenter:
    """A tiny network whose every weight matters: zeros such as BEiT's tables of positions are drawn too."""
    torch.manual_seed(seed)
    network = HuggingFaceSegmenter(name, config=SMALL[name]["config"] | settings.pop("config", {}), **settings)
    for weight in network.parameters():
        if not weight.any():
            nn.init.normal_(weight, std=0.3)
    return network


def theirs(name: str, kind: str = "ForSemanticSegmentation", **settings: object) -> nn.Module:
    """Transformers' own class in the sizes of `small`, every weight drawn."""
    plan = design(name, config=SMALL[name]["config"] | settings.pop("config", {}), **settings)
    torch.manual_seed(7)
    model_class = getattr(transformers, plan.model_class.replace("ForSemanticSegmentation", kind))
    model = model_class(getattr(transformers, plan.config_class)(**plan.fields)).eval()
    for weight in model.parameters():
        nn.init.normal_(weight, std=0.2)
    return model


# --- against transformers


@pytest.mark.parametrize(
    ("name", "size"), [("upernet", (64, 96)), ("upernet", (32, 32)), ("beit", (48, 96)), ("dpt", (48, 48))]
)
def test_logits_are_those_of_transformers_at_the_inputs_size(name, size):
    model = theirs(name, in_channels=2, out_channels=4)
    network = small(name, in_channels=2, out_channels=4).eval()
    network.load_state_dict(model.state_dict())
    images = torch.rand(2, 2, *size)
    wanted = nn.functional.interpolate(model(images).logits, size=size, mode="bilinear", align_corners=False)
    torch.testing.assert_close(network(images), wanted, rtol=0, atol=0)


@pytest.mark.parametrize("name", NAMES)
def test_weights_go_both_ways_under_the_same_names(name):
    model, network = theirs(name), small(name)
    model.load_state_dict(network.state_dict())
    assert list(model.state_dict()) == list(network.state_dict())
    assert [key for key, _ in model.named_parameters()] == [key for key, _ in network.named_parameters()]


def rectangular_dpt(model: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """DPT's decoder step by step on the true grid of tokens; transformers' own takes it for a square one."""
    rows, columns = images.shape[-2] // 16, images.shape[-1] // 16
    states = model.dpt(images, output_hidden_states=True).hidden_states
    maps = []
    for i, layer in enumerate(model.config.backbone_out_indices):
        state = states[layer + 1]
        tokens = torch.stack([torch.cat([token, state[:, 0]], -1) for token in state[:, 1:].unbind(1)], 1)
        tokens = model.neck.reassemble_stage.readout_projects[i](tokens)
        image = tokens.transpose(1, 2).unflatten(2, (rows, columns))
        maps.append(model.neck.convs[i](model.neck.reassemble_stage.layers[i](image)))
    return model.head(model.neck.fusion_stage(maps))


def test_dpt_takes_a_grid_that_is_no_square():
    model = theirs("dpt")
    network = small("dpt").eval()
    network.load_state_dict(model.state_dict())
    for size in [(64, 96), (32, 128)]:  # 2 x 8 tokens, which transformers itself would read as 4 x 4
        images = torch.rand(1, 3, *size)
        wanted = nn.functional.interpolate(rectangular_dpt(model, images), size=size, mode="bilinear")
        torch.testing.assert_close(network(images), wanted)


@pytest.mark.parametrize(
    ("name", "variant", "millions"),
    [
        *[("upernet", *row) for row in (("tiny", 60), ("small", 82), ("base", 122), ("large", 235), ("xlarge", 391))],
        ("dpt", "large", 343),
        ("beit", "base", 163),
        ("beit", "large", 441),
    ],
)
def test_variants_have_the_published_number_of_weights(name, variant, millions):
    """ConvNeXt's table 5, the table of DPT's repository, and BEiT's; they count a small auxiliary head."""
    with torch.device("meta"):
        network = HuggingFaceSegmenter(name, variant, out_channels=150)
    assert sum(weight.numel() for weight in network.parameters()) / 1e6 == pytest.approx(millions, rel=0.015)


def test_the_first_variant_is_the_default():
    assert [design(name) for name in NAMES] == [
        design(name, variant) for name, variant in zip(NAMES, ("b0", "tiny", "small", "base"), strict=True)
    ]


# --- training


@pytest.mark.parametrize("name", NAMES)
def test_every_weight_that_trains_has_a_gradient_and_the_others_touch_nothing(name):
    network = small(name).train()
    network(torch.rand(2, 3, 32, 64)).square().mean().backward()
    trained = {key: weight for key, weight in network.named_parameters() if weight.requires_grad}
    assert [key for key, weight in trained.items() if weight.grad is None] == []
    images = torch.rand(1, 3, 32, 64)
    before = network.eval()(images)
    for key, weight in network.named_parameters():
        if key not in trained:
            weight.data.add_(1)
    assert torch.equal(network(images), before)


def test_only_what_is_never_read_is_frozen():
    frozen = {
        key.partition("attention")[0] for key, weight in small("beit").named_parameters() if not weight.requires_grad
    }
    assert all(key.startswith("beit.layers.3.") for key in frozen), "hidden states 0 to 3 are read"
    assert frozen
    assert all(weight.requires_grad for weight in small("upernet").parameters())


@pytest.mark.parametrize("name", ["upernet", "beit"])
def test_a_batch_of_one_image_trains_although_its_pooled_features_have_no_variance(name):
    network = small(name).train()
    norms = {key: module for key, module in network.named_modules() if isinstance(module, nn.BatchNorm2d)}
    assert {type(module) for module in norms.values()} == {LoneValueBatchNorm}
    network(torch.rand(1, 3, 64, 32)).sum().backward()
    counted = {key: int(module.num_batches_tracked) for key, module in norms.items()}
    lone = {key for key, count in counted.items() if count == 0}
    assert len(lone) == 1, "the pool of one cell alone"
    assert set(counted.values()) == {0, 1}


def test_batch_norm_is_pytorchs_where_there_is_a_variance():
    torch.manual_seed(0)
    ours, plain = LoneValueBatchNorm(3), nn.BatchNorm2d(3)
    for images in (torch.rand(2, 3, 1, 1), torch.rand(1, 3, 2, 5)):
        assert torch.equal(ours(images), plain(images))
    assert torch.equal(ours.running_var, plain.running_var)
    lone = torch.rand(1, 3, 1, 1)
    before = {key: value.clone() for key, value in ours.state_dict().items()}
    assert torch.equal(ours(lone), plain.eval()(lone))
    assert all(torch.equal(before[key], value) for key, value in ours.state_dict().items())


@pytest.mark.parametrize("name", NAMES)
def test_a_copy_shares_nothing_and_modes_reach_everything(name):
    network = small(name)
    other = copy.deepcopy(network).eval()
    assert all(module.training for module in network.modules())
    images = torch.rand(2, 3, 32, 64)
    before = other(images)
    for weight in network.parameters():
        weight.data.zero_()
    assert torch.equal(other(images), before)
    assert network.eval()(images).abs().max() < before.abs().max()


# --- sizes


@pytest.mark.parametrize("name", NAMES)
def test_the_bundles_crops_are_taken(name):
    with torch.no_grad():
        assert small(name).eval()(torch.rand(1, 3, 288, 288)).shape == (1, 3, 288, 288)
    assert small(name).nearest_size(288, 288) == (288, 288)


@pytest.mark.parametrize(
    ("name", "config", "size", "rule", "nearest"),
    [
        ("segformer", {}, (24, 70), "sides of at least 32 px", (32, 70)),
        ("upernet", {}, (70, 96), "sides of at least 32 px that are multiples of 32", (64, 96)),
        ("upernet", {}, (16, 80), "sides of at least 32 px that are multiples of 32", (32, 96)),
        ("dpt", {}, (266, 310), "sides of at least 32 px that are multiples of 16", (272, 304)),
        ("dpt", {"patch_size": 8}, (36, 52), "sides of at least 16 px that are multiples of 8", (40, 56)),
        ("beit", {}, (16, 40), "sides of at least 32 px that are multiples of 16", (32, 48)),
    ],
)
def test_a_size_that_is_not_taken_whole_is_refused_with_the_one_that_is(name, config, size, rule, nearest):
    network = small(name, config=config).eval()
    problem = f"images of {size[0]} x {size[1]} px, but {name} takes {rule}. The nearest is {nearest[0]} x {nearest[1]}"
    with pytest.raises(ValueError, match=problem.replace(".", r"\.")):
        network(torch.rand(1, 3, *size))
    assert network.nearest_size(*size) == nearest
    assert network(torch.rand(1, 3, *nearest)).shape[-2:] == nearest


def test_the_refusal_ends_a_run_with_one_sentence(capsys):
    with pytest.raises(ValueError, match="--roi_size") as caught:
        small("upernet")(torch.rand(1, 3, 70, 96))
    with pytest.raises(SystemExit, match="2"):
        bundle._print_plainly(caught.type, caught.value, caught.tb)
    printed = capsys.readouterr().err
    assert "error: images of 70 x 96 px" in printed
    assert "--roi_size '[64, 96]'" in printed


# --- tracing and packing


@pytest.mark.slow
@pytest.mark.parametrize("name", ["upernet", "dpt", "beit"])
def test_a_trace_gives_the_same_numbers_and_leaves_the_network_as_it_was(name):
    network = small(name).eval()
    images = torch.rand(1, 3, *ROI_SIZE)
    before = network(images)
    script = torchscript.load(torchscript.trace(network, (1, 3, *ROI_SIZE)))
    sizes = [(batch, 3, *ROI_SIZE) for batch in torchscript.BATCHES]
    assert set(torchscript.largest_differences(script, network, sizes).values()) == {0.0}
    assert torch.equal(network(images), before)
    other = (96, 64)
    wanted = small(name).eval()(torch.ones(1, 3, *other))
    torch.testing.assert_close(network(torch.ones(1, 3, *other)), wanted)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["upernet", "dpt", "beit"])
def test_a_packed_bundle_passes_the_inspection_and_answers_as_before(name, tmp_path):
    source, weights = small_bundle(tmp_path, name)
    packed = pack(source, weights, tmp_path / f"{name}.zip")
    inspection = inspect(packed)
    assert inspection.ok, str(inspection)
    images = torch.rand(2, 3, *ROI_SIZE)
    with open_bundle(packed) as opened, torch.no_grad():
        wanted = eager_network(source / "inference.json", weights)(images)
        torch.testing.assert_close(opened.network.eval()(images), wanted)


# --- any other network of transformers


@pytest.mark.parametrize("kind", OTHERS)
def test_any_segmentation_network_of_transformers_is_built(kind):
    torch.manual_seed(0)
    network = HuggingFaceSegmenter("auto", in_channels=2, out_channels=4, config={"model_type": kind, **OTHERS[kind]})
    size = network.nearest_size(64, 96)
    assert network.eval()(torch.rand(1, 2, *size)).shape == (1, 4, *size)
    assert list(network.state_dict()) == list(vars(network)["_model"].state_dict())
    if kind == "data2vec-vision":
        with pytest.raises(ValueError, match="data2vec-vision takes its config's image_size only, 64 px"):
            network(torch.rand(1, 2, 64, 96))


def test_another_backbone_for_upernet():
    swin = {"model_type": "swin", "embed_dim": 8, "depths": [1, 1, 1, 1], "num_heads": [1, 1, 1, 1], "window_size": 3}
    network = HuggingFaceSegmenter("upernet", in_channels=2, config={"hidden_size": 8, "backbone_config": swin})
    assert network.eval()(torch.rand(1, 2, 64, 96)).shape == (1, 3, 64, 96)
    assert next(module for module in network.modules() if isinstance(module, nn.Conv2d)).in_channels == 2
    assert len(vars(network)["_model"].decode_head.in_channels) == 4


def test_a_folder_tells_auto_its_kind_and_sizes(tmp_path):
    model = theirs("beit", out_channels=5, config={"use_auxiliary_head": True})
    model.save_pretrained(tmp_path / "beit")
    network = HuggingFaceSegmenter("auto", in_channels=3, out_channels=5, init_weights=tmp_path / "beit")
    own = network.state_dict()
    assert all(torch.equal(model.state_dict()[key], own[key]) for key in own)
    assert not any(key.startswith("auxiliary_head") for key in own)
    other = HuggingFaceSegmenter("auto", config={"layer_scale_init_value": 0.0}, init_weights=tmp_path / "beit")
    assert "beit.layers.0.lambda_1" not in other.state_dict()


def test_a_folder_names_no_code_and_no_download(tmp_path):
    theirs("upernet", out_channels=5).save_pretrained(tmp_path / "net")
    path = tmp_path / "net" / "config.json"
    content = json.loads(path.read_text())
    hostile = {"auto_map": {"AutoConfig": "evil.Config"}, "backbone": "me/it", "use_timm_backbone": True}
    hostile |= {"_attn_implementation": "me/kernel", "attn_implementation": "me/kernel"}
    content |= hostile
    content["backbone_config"] |= hostile
    path.write_text(json.dumps(content))
    network = HuggingFaceSegmenter("auto", out_channels=5, init_weights=tmp_path / "net")
    assert not set(hostile) & set(vars(vars(network)["_model"].config))
    assert vars(network)["_model"].config._attn_implementation in ("sdpa", "eager")
    assert network.init_weights_status == str(tmp_path / "net")


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"architecture": "auto"}, "config: 'auto' wants its 'model_type', or init_weights with a config.json"),
        ({"architecture": "auto", "variant": "b0"}, "variant: 'b0', but 'auto' has none"),
        (
            {"architecture": "auto", "config": {"model_type": "bert"}},
            "model_type: 'bert' is not known, nearest is 'beit'",
        ),
        ({"architecture": "auto", "config": {"model_type": "upernet"}}, "config: no 'backbone_config', wanted a dict"),
        ({"architecture": "upernet", "config": {"backbone": "resnet50"}}, "config: 'backbone' is not known"),
        (
            {"architecture": "upernet", "config": {"backbone_config": {"model_type": "timm_backbone"}}},
            "backbone_config model_type: 'timm_backbone' is not known",
        ),
        (
            {"architecture": "upernet", "config": {"backbone_config": {"depth": [1, 1, 1, 1]}}},
            "config: 'depth' is not known, nearest is 'depths'",
        ),
        (
            {"architecture": "upernet", "config": {"backbone_config": {"num_channels": 4}}},
            "config: 'num_channels' is set by in_channels and out_channels",
        ),
        ({"architecture": "dpt", "config": {"is_hybrid": True}}, "config: 'is_hybrid' is not built here"),
        ({"architecture": "dpt", "variant": "tiny"}, "variant: 'tiny' is not known"),
        ({"architecture": "beit", "in_channels": 0}, "in_channels: 0, wanted 1 or more"),
    ],
)
def test_unknown_kinds_and_fields_are_errors(settings, problem):
    with pytest.raises(ValueError, match=problem):
        HuggingFaceSegmenter(**settings)


def test_a_backbones_fields_are_laid_over_one_by_one():
    fields = design("upernet", "base", in_channels=5, config={"backbone_config": {"drop_path_rate": 0.4}}).fields
    assert fields["backbone_config"]["hidden_sizes"] == [128, 256, 512, 1024]
    assert fields["backbone_config"]["drop_path_rate"] == 0.4
    assert fields["backbone_config"]["num_channels"] == 5
    assert fields["hidden_size"] == 512


# --- pretrained folders


@pytest.mark.parametrize(
    ("name", "classifier"),
    [
        ("upernet", ["decode_head.classifier.weight", "decode_head.classifier.bias"]),
        ("dpt", ["head.head.4.weight", "head.head.4.bias"]),
        ("beit", ["decode_head.classifier.weight", "decode_head.classifier.bias"]),
    ],
)
def test_a_pretrained_network_keeps_all_but_the_classes(name, classifier, tmp_path):
    model = theirs(name, out_channels=150, config={"use_auxiliary_head": True})
    model.save_pretrained(tmp_path / "ade")
    network = small(name, out_channels=2, init_weights=tmp_path / "ade")
    found = model.state_dict()
    assert [key for key, value in network.state_dict().items() if not torch.equal(value, found[key])] == classifier
    assert network.init_weights_status == str(tmp_path / "ade")


def test_a_classifier_starts_the_encoder_of_beit(tmp_path):
    model = theirs("beit", "ForImageClassification")
    model.save_pretrained(tmp_path / "ft22k")
    content = json.loads((tmp_path / "ft22k" / "config.json").read_text())
    for absent in ({"out_indices": None, "out_features": None}, {"out_indices": [4], "out_features": ["stage4"]}):
        (tmp_path / "ft22k" / "config.json").write_text(json.dumps(content | absent))
        states = []
        for source in (tmp_path / "ft22k", None):
            torch.manual_seed(0)
            states.append(
                HuggingFaceSegmenter("beit", config=SMALL["beit"]["config"], init_weights=source).state_dict()
            )
        own, fresh = states
        for key, value in own.items():
            assert torch.equal(value, model.state_dict()[key] if key.startswith("beit.") else fresh[key]), key


@pytest.mark.parametrize("channels", [1, 5])
@pytest.mark.parametrize("name", ["upernet", "dpt", "beit"])
def test_equal_channels_answer_as_grey_rgb_does(name, channels, tmp_path):
    theirs(name).save_pretrained(tmp_path / "net")
    grey = torch.rand(1, 1, 64, 32)
    rgb = small(name, init_weights=tmp_path / "net").eval()(grey.repeat(1, 3, 1, 1))
    other = small(name, in_channels=channels, init_weights=tmp_path / "net").eval()
    torch.testing.assert_close(other(grey.repeat(1, channels, 1, 1)), rgb, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", ["beit", "dpt"])
def test_positions_of_another_image_size_answer_as_transformers_interpolates_them(name, tmp_path):
    model = theirs(name, config={"image_size": 64})
    model.save_pretrained(tmp_path / "small")
    network = small(name, config={"image_size": 96}, init_weights=tmp_path / "small").eval()
    tables = [key for key in network.state_dict() if "position" in key]
    assert {network.state_dict()[key].shape == model.state_dict()[key].shape for key in tables} == {False}
    images = torch.rand(1, 3, 96, 96)
    wanted = nn.functional.interpolate(model(images).logits, size=(96, 96), mode="bilinear", align_corners=False)
    torch.testing.assert_close(network(images), wanted, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", ["upernet", "dpt", "beit"])
def test_weights_of_another_variant_are_an_error(name, tmp_path):
    other = {"backbone_config": {"hidden_sizes": [8, 8, 16, 32]}} if name == "upernet" else {"hidden_size": 32}
    theirs(name, config=other).save_pretrained(tmp_path / "net")
    with pytest.raises(DataError, match=r"of another shape, first .* Choose the `variant` that these weights were"):
        small(name, init_weights=tmp_path / "net")


def test_a_folder_of_no_segmentation_network_is_an_error_for_auto(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(DataError, match=r"config.json: model_type: 'bert' is not known"):
        HuggingFaceSegmenter("auto", init_weights=tmp_path)


def test_a_folder_that_can_not_be_had_leaves_auto_without_a_kind(tmp_path: Path):
    with pytest.raises(DataError, match=r"absent: could not be had \(no such folder\), so its kind of network is"):
        HuggingFaceSegmenter("auto", init_weights=tmp_path / "absent")


def test_a_file_of_weights_does_not_tell_auto_its_kind(tmp_path):
    torch.save(small("beit").state_dict(), tmp_path / "own.pt")
    with pytest.raises(DataError, match=r"own.pt: holds weights, not their kind of network. Name `model_type`"):
        HuggingFaceSegmenter("auto", init_weights=tmp_path / "own.pt")
    config = {"model_type": "beit", **SMALL["beit"]["config"], "use_relative_position_bias": True}
    network = HuggingFaceSegmenter("auto", config=config, init_weights=tmp_path / "own.pt")
    assert network.init_weights_status == str(tmp_path / "own.pt")
