"""Segmentation networks from transformers with the keys of transformers' state dicts; (B, K, H, W) in, logits out.

Source: SegFormer, Xie E. et al., https://arxiv.org/abs/2105.15203, table 6 for the variants' sizes.
"""

import json
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from monai_gi.errors import DataError
from monai_gi.networks.hub import CONFIG_FILE, WEIGHT_FILES, weights_folder
from monai_gi.networks.init_weights import UNREADABLE, first_line, load_weights_file, shape_faults, status_after


class Architecture(NamedTuple):
    """What the adapter needs to know about one family of transformers.

    Attributes:
        config_class: name in transformers.
        model_class: name in transformers; its forward returns `.logits`.
        head: keys that start so may be absent from pretrained weights or differ in shape; they stay random then.
        variants: fields of the config by variant.
    """

    config_class: str
    model_class: str
    head: str
    variants: dict[str, dict[str, Any]]


def _mit(depths: list[int], hidden_sizes: list[int], decoder_hidden_size: int) -> dict[str, Any]:
    return {"depths": depths, "hidden_sizes": hidden_sizes, "decoder_hidden_size": decoder_hidden_size}


ARCHITECTURES = {
    "segformer": Architecture(
        config_class="SegformerConfig",
        model_class="SegformerForSemanticSegmentation",
        head="decode_head.",
        variants={
            "b0": _mit([2, 2, 2, 2], [32, 64, 160, 256], 256),
            "b1": _mit([2, 2, 2, 2], [64, 128, 320, 512], 256),
            "b2": _mit([3, 4, 6, 3], [64, 128, 320, 512], 768),
            "b3": _mit([3, 4, 18, 3], [64, 128, 320, 512], 768),
            "b4": _mit([3, 8, 27, 3], [64, 128, 320, 512], 768),
            "b5": _mit([3, 6, 40, 3], [64, 128, 320, 512], 768),
        },
    ),
}


class HuggingFaceSegmenter(nn.Module):
    """A transformers segmentation network as MONAI's trainers want it: a tensor in, logits of the input's size out.

    `state_dict()` has exactly the keys of the transformers class, so weights go both ways.

    Pretrained weights keep every tensor that fits. The first convolution is made for `in_channels`: equal numbers of
    channels keep the kernels as they are; otherwise every channel gets the mean kernel of the P pretrained channels
    times P / in_channels, so that a stack of equal slices gives what a grey RGB image gives. A head that differs in
    shape (`out_channels`), or that the pretrained network lacks, stays random.

    Args:
        architecture: a name in `ARCHITECTURES`.
        variant: size, such as "b0".
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
        variant: str = "b0",
        in_channels: int = 3,
        out_channels: int = 3,
        *,
        config: Mapping[str, Any] | None = None,
        init_weights: str | Path | None = None,
        init_weights_required: bool = False,
    ) -> None:
        super().__init__()
        import transformers  # 4 s, which the bundles of other networks need not wait for

        _silence_tracing()
        entry = ARCHITECTURES[_known("architecture", architecture, ARCHITECTURES)]
        sizes = entry.variants[_known("variant", variant, entry.variants)]
        for name, channels in (("in_channels", in_channels), ("out_channels", out_channels)):
            if channels < 1:
                raise ValueError(f"{name}: {channels}, wanted 1 or more")
        config_class = getattr(transformers, entry.config_class)
        fields = {**sizes, **_known_fields(config_class, config or {})}
        model_class = getattr(transformers, entry.model_class)
        self._adopt(model_class(config_class(num_channels=in_channels, num_labels=out_channels, **fields)))
        self.init_weights_status = status_after(
            lambda: self._load(str(init_weights), entry, model_class), init_weights, required=init_weights_required
        )

    def _adopt(self, model: nn.Module) -> None:
        """Register the model's children as ours, so that keys get no prefix; the model only lends its forward."""
        self.__dict__["_model"] = model
        for name, child in model.named_children():
            self.add_module(name, child)

    def train(self, mode: bool = True) -> "HuggingFaceSegmenter":
        """Switch to training or evaluation mode, the unregistered model too."""
        self.__dict__["_model"].training = mode
        return super().train(mode)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Compute logits, interpolated (bilinear) to the size of the images.

        Args:
            images: (B, K, H, W), float, scaled to 0..1; H and W at least 32.

        Returns:
            Logits (B, C, H, W), float32.
        """
        logits = self.__dict__["_model"].forward(images).logits.float()
        return nn.functional.interpolate(logits, size=images.shape[-2:], mode="bilinear", align_corners=False)

    def _load(self, source: str, entry: Architecture, model_class: type) -> None:
        path = Path(source).expanduser()
        if path.is_file():
            load_weights_file(self, path)
        else:
            self._start_from(*_pretrained(weights_folder(source), model_class), entry.head, source)

    def _start_from(self, weights: dict[str, torch.Tensor], missing: set[str], head: str, source: str) -> None:
        """Copy what fits; only the head may be absent or of another shape."""
        own = self.state_dict()
        first = next(name for name, module in self.named_modules() if isinstance(module, nn.Conv2d)) + ".weight"
        weights[first] = adapt_kernel(weights[first], own[first].shape[1])
        found = {key: tensor for key, tensor in weights.items() if key not in missing}
        absent = [key for key in own if key not in found and not key.startswith(head)]
        misshapen = [text for text in shape_faults(found, own) if not text.startswith(head)]
        if absent or misshapen:
            raise DataError(
                source,
                f"does not fit this network: {len(absent)} weights absent, {len(misshapen)} of another shape, first "
                f"{(absent + misshapen)[0]}. Choose the `variant` that these weights were trained in",
            )
        kept = {key: tensor for key, tensor in found.items() if key in own and tensor.shape == own[key].shape}
        self.load_state_dict(kept, strict=False)


def adapt_kernel(kernel: torch.Tensor, in_channels: int) -> torch.Tensor:
    """Make a pretrained first kernel fit another number of channels, with the same answer to equal channels.

    Args:
        kernel: (F, P, h, w).
        in_channels: K.

    Returns:
        (F, K, h, w): the kernel itself where K is P, else its mean over P times P / K in every channel.
    """
    pretrained_channels = kernel.shape[1]
    if pretrained_channels == in_channels:
        return kernel
    mean = kernel.mean(dim=1, keepdim=True) * (pretrained_channels / in_channels)
    return mean.repeat(1, in_channels, 1, 1)


def _pretrained(folder: Path, model_class: Any) -> tuple[dict[str, torch.Tensor], set[str]]:
    """State dict of the pretrained network in its own sizes, and the keys that the folder did not hold."""
    _check_kind(folder, model_class.config_class.model_type)
    try:
        # the missing head is drawn there too; our own random numbers must not depend on it
        with torch.random.fork_rng(devices=[]), _quiet_transformers():
            model, report = model_class.from_pretrained(
                folder, output_loading_info=True, weights_only=True, dtype=torch.float32, local_files_only=True
            )
    except UNREADABLE as error:
        raise DataError(folder, f"can not be read as weights ({first_line(error)})") from error
    return model.state_dict(), set(report["missing_keys"])


def _check_kind(folder: Path, wanted: str) -> None:
    path = folder / CONFIG_FILE
    if not path.is_file():
        raise DataError(folder, f"holds no {CONFIG_FILE}, wanted one and {' or '.join(WEIGHT_FILES)}")
    found = json.loads(path.read_text(encoding="utf-8")).get("model_type")
    if found != wanted:
        raise DataError(path, f"describes a network of type {found!r}, wanted {wanted!r}")


def _silence_tracing() -> None:
    """torch.jit.trace touches every property of the network; two of transformers' answer with a remark."""
    warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)
    logging.getLogger("transformers.modeling_utils").addFilter(_is_no_loss_remark)


def _is_no_loss_remark(record: logging.LogRecord) -> bool:
    return not record.getMessage().startswith("`loss_type=None` was set in the config")


@contextmanager
def _quiet_transformers() -> Iterator[None]:
    """No progress bar and no table of missing weights: what was used and what not stands in our own status."""
    from transformers.utils import logging as chatter

    verbosity, has_bar = chatter.get_verbosity(), chatter.is_progress_bar_enabled()
    chatter.set_verbosity_error()
    chatter.disable_progress_bar()
    try:
        yield
    finally:
        chatter.set_verbosity(verbosity)
        if has_bar:
            chatter.enable_progress_bar()


def _known(what: str, name: str, names: Mapping[str, object]) -> str:
    if name not in names:
        near = max(names, key=lambda known: SequenceMatcher(None, known.lower(), str(name).lower()).ratio())
        raise ValueError(f"{what}: {name!r} is not known, nearest is {near!r}; there are {', '.join(names)}")
    return name


def _known_fields(config_class: Any, config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The same fields; transformers would keep a misspelt one in silence."""
    base = config_class.__base__().to_dict()
    fields = {name: value for name, value in config_class().to_dict().items() if name not in base}
    for field in config:
        if field in ("num_channels", "num_labels"):
            raise ValueError(f"config: {field!r} is set by in_channels and out_channels")
        _known("config", field, fields)
    return config
