"""Segmentation networks from transformers with the keys of transformers' state dicts; (B, K, H, W) in, logits out."""

import logging
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from monai_gi.networks.architectures import Design, design
from monai_gi.networks.batch_norm import spare_lone_values
from monai_gi.networks.init_weights import load_weights_file, status_after
from monai_gi.networks.input_sizes import input_sizes
from monai_gi.networks.pretrained import described_config, encoder_prefix, start_from


class HuggingFaceSegmenter(nn.Module):
    """A transformers segmentation network as MONAI's trainers want it: a tensor in, logits of the input's size out.

    `state_dict()` has exactly the keys of the transformers class, so weights go both ways. Weights that do not touch
    the logits, such as BEiT's layers behind the last one that is read, are frozen: DistributedDataParallel would wait
    for their gradients.

    Pretrained weights keep every tensor that fits. The first convolution is made for `in_channels`: equal numbers of
    channels keep the kernels as they are; otherwise every channel gets the mean kernel of the P pretrained channels
    times P / in_channels, so that a stack of equal slices gives what a grey RGB image gives. Tables of positions are
    interpolated to the config's `image_size`. What follows the encoder stays random where it differs in shape
    (`out_channels`), or where the pretrained network lacks it.

    Args:
        architecture: "segformer", "upernet" (on ConvNeXt), "dpt", "beit", or "auto": any segmentation network of
            transformers, by `model_type` in `config` or by the config.json of `init_weights`.
        variant: size, such as "b0"; None for the smallest. "auto" has none.
        in_channels: K, any number from 1.
        out_channels: classes.
        config: fields of the transformers config that differ from the variant's, such as {"drop_path_rate": 0.0}.
        init_weights: hub name, local folder of transformers, or a file of this network's own weights; None or "" is
            random.
        init_weights_required: weights that can not be had are an error instead of one loud line.

    Attributes:
        init_weights_status: what training started from: "random", the name or path, or
            "random (NAME could not be had: REASON)".

    Raises:
        ValueError: unknown architecture, variant or config field, or a number of channels under 1.
        DataError: the weights do not fit, or can not be had and are required.

    >>> network = HuggingFaceSegmenter(variant="b0", in_channels=5, out_channels=2).eval()
    >>> network(torch.zeros(1, 5, 64, 96)).shape
    torch.Size([1, 2, 64, 96])
    """

    init_weights_status: str

    def __init__(
        self,
        architecture: str = "segformer",
        variant: str | None = None,
        in_channels: int = 3,
        out_channels: int = 3,
        *,
        config: Mapping[str, Any] | None = None,
        init_weights: str | Path | None = None,
        init_weights_required: bool = False,
    ) -> None:
        super().__init__()
        _silence_tracing()
        if architecture == "auto" and init_weights and "model_type" not in (config or {}):
            config = {**described_config(init_weights), **(config or {})}
        plan = design(architecture, variant, in_channels, out_channels, config)
        model = _build(plan)
        _freeze_untouched(model, in_channels)
        spare_lone_values(model)
        self._adopt(model)
        self.init_weights_status = status_after(
            lambda: self._load(str(init_weights), plan), init_weights, required=init_weights_required
        )

    def _adopt(self, model: nn.Module) -> None:
        """Register the model's children as ours, so that keys get no prefix; the model only lends its forward."""
        self.__dict__["_model"] = model
        for name, child in model.named_children():
            self.add_module(name, child)

    def _load(self, source: str, plan: Design) -> None:
        path = Path(source).expanduser()
        if path.is_file():
            load_weights_file(self, path)
        else:
            start_from(self, source, plan, encoder_prefix(self.__dict__["_model"]))

    def train(self, mode: bool = True) -> "HuggingFaceSegmenter":
        """Switch to training or evaluation mode, the unregistered model too."""
        self.__dict__["_model"].training = mode
        return super().train(mode)

    def nearest_size(self, height: int, width: int) -> tuple[int, int]:
        """The size that `forward` takes nearest to this one, itself where it works.

        Args:
            height: in px.
            width: in px.

        Returns:
            (height, width) in px.

        >>> HuggingFaceSegmenter("upernet", config={"hidden_size": 8}).nearest_size(266, 320)
        (256, 320)
        """
        return input_sizes(self.__dict__["_model"].config).nearest(height, width)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Compute logits, interpolated (bilinear) to the size of the images.

        Args:
            images: (B, K, H, W), float, scaled to 0..1; sizes as `nearest_size` gives them.

        Returns:
            Logits (B, C, H, W), float32.

        Raises:
            ValueError: the architecture does not take this size whole; the nearest one that it takes is named.
        """
        model = self.__dict__["_model"]
        if not torch.jit.is_tracing():
            height, width = images.shape[-2:]
            input_sizes(model.config).check(height, width, model.config.model_type)
        logits = _logits(model, images).float()
        return nn.functional.interpolate(logits, size=images.shape[-2:], mode="bilinear", align_corners=False)


def _build(plan: Design) -> nn.Module:
    import transformers  # 4 s, which the bundles of other networks need not wait for

    return getattr(transformers, plan.model_class)(getattr(transformers, plan.config_class)(**plan.fields))


def _logits(model: Any, images: torch.Tensor) -> torch.Tensor:
    """The network's own logits, at the size in which it computes them."""
    if model.config.model_type != "dpt":
        return model.forward(images).logits
    # DPT's own forward takes every grid of tokens for a square one, and scrambles 4 x 16 without a word.
    layers = model.dpt(images, output_hidden_states=True).hidden_states[1:]
    kept = [layer for i, layer in enumerate(layers) if i in model.config.backbone_out_indices]
    rows, columns = (side // model.config.patch_size for side in images.shape[-2:])
    return model.head(model.neck(kept, patch_height=rows, patch_width=columns))


def _freeze_untouched(model: Any, in_channels: int) -> None:
    """Freeze what is not in the graph of the logits of one small image."""
    size = input_sizes(model.config).nearest(64, 64)
    with torch.inference_mode(False), torch.enable_grad():
        images = torch.zeros(1, in_channels, *size, device=next(model.parameters()).device)
        touched = _weights_behind(_logits(model.eval(), images))
    for weight in model.train().parameters():
        weight.requires_grad_(id(weight) in touched)


def _weights_behind(logits: torch.Tensor) -> set[int]:
    """The ids of all weights that a backward pass from here would reach."""
    seen, waiting, weights = set(), [logits.grad_fn], set()
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        weights.add(id(getattr(node, "variable", None)))
        waiting += [following for following, _ in node.next_functions]
    return weights


def _silence_tracing() -> None:
    """torch.jit.trace touches every property of the network; two of transformers' answer with a remark."""
    warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)
    logging.getLogger("transformers.modeling_utils").addFilter(_is_no_loss_remark)


def _is_no_loss_remark(record: logging.LogRecord) -> bool:
    return not record.getMessage().startswith("`loss_type=None` was set in the config")
