"""models/model.ts: a traced network in one file that needs neither this package nor transformers, proved against eager.

Convention: the archive's root is `model` and `extra/metadata.json`, `extra/inference.json` lie in it, where MONAI
Deploy looks. Names of source files on the tracing machine and the traced example are taken out.
"""

import io
import re
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch

ROOT = "model"
TOLERANCE = 1e-5
BATCHES = (1, 3)
FACTORS = (1, 2, 3)  # for sizes claimed as "32*n"
EPOCH = (1980, 1, 1, 0, 0, 0)
# Not needed to run: names of the source files of every operation, the traced example, a hash of all that.
_LEFT_OUT = re.compile(r".*\.debug_pkl|traced_inputs(/.*|\.pkl)|\.data/serialization_id")
_BOUND_DEVICE = re.compile(r'torch\.device\("\w+"\)')
_METHOD = re.compile(r"^(?=  def )", re.MULTILINE)
_FIRST_TENSOR = re.compile(r"\b(\w+): Tensor\b")
_SPECIAL_SIZE = re.compile(r"(?:(\d+)\*)?[a-z]", re.ASCII)


def trace(network: torch.nn.Module, size: Sequence[int]) -> bytes:
    """Record a network.

    Args:
        network: evaluation mode is set; a tensor (B, K, H, W) in, a tensor out.
        size: (1, K, h, w) of the example.

    Returns:
        TorchScript as `with_extra_files` and `load` take it.
    """
    buffer = io.BytesIO()
    with _quiet_tracing(), torch.no_grad():
        traced = torch.jit.trace(network.eval(), torch.zeros(*size), check_trace=False)
        torch.jit.save(traced, buffer)
    return _rewritten(buffer.getvalue(), {})


def resize_to(network: torch.nn.Module, size: Sequence[int]) -> torch.nn.Module:
    """Let a network take images of any size: resized on the way in and its answer back, as `FrameInferer` does.

    Args:
        network: gets hooks, for `trace`; its keys stay.
        size: (h, w) that it sees.

    Returns:
        The same network.
    """
    given: list[Any] = []

    def shrink(_: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> torch.Tensor:
        given.append(inputs[0].shape[-2:])
        return _interpolated(inputs[0], tuple(size))

    network.register_forward_pre_hook(shrink)
    network.register_forward_hook(lambda _module, _inputs, answer: _interpolated(answer, given.pop()))
    return network


def _interpolated(images: torch.Tensor, size: Any) -> torch.Tensor:
    return torch.nn.functional.interpolate(images, size, mode="bilinear", align_corners=False, antialias=True)


def names_a_device(script: bytes) -> bool:
    """Whether the network would run on the device of its recording only.

    Args:
        script: as `trace` gives it.

    Returns:
        True where its code still names one, in a method that has no tensor to ask.
    """
    with zipfile.ZipFile(io.BytesIO(script)) as archive:
        return any(_BOUND_DEVICE.search(archive.read(n).decode()) for n in archive.namelist() if _is_code(n))


def with_extra_files(script: bytes, texts: Mapping[str, str]) -> bytes:
    """Put texts beside the network, where MONAI and MONAI Deploy read them.

    Args:
        script: as `trace` gives it.
        texts: by file name, such as `metadata.json`.

    Returns:
        TorchScript with these extra files.
    """
    return _rewritten(script, texts)


def load(script: bytes) -> torch.nn.Module:
    """The network of a TorchScript file, on the CPU, in evaluation mode.

    Args:
        script: the file's bytes.

    Returns:
        A callable module.
    """
    with _quiet_tracing():
        return torch.jit.load(io.BytesIO(script), map_location="cpu").eval()


def claimed_sizes(metadata: Mapping[str, Any]) -> list[tuple[int, int, int, int]]:
    """Sizes (B, K, h, w) by which a claim in metadata.json is tried.

    Args:
        metadata: its `network_data_format` says `spatial_shape`: numbers, or texts as "32*n" and "n" for any multiple.

    Returns:
        Each claimed size in batches of `BATCHES`; a multiple is tried by `FACTORS`, unequal in the two axes.

    Raises:
        ValueError: a length is neither a number nor such a text.
    """
    image = metadata["network_data_format"]["inputs"]["image"]
    rows, columns = (_lengths(length) for length in image["spatial_shape"])
    count = max(len(rows), len(columns))
    # one axis goes through its lengths backwards, so that height and width differ
    pairs = {(rows[i % len(rows)], columns[(len(columns) - 1 - i) % len(columns)]) for i in range(count)}
    return [(batch, image["num_channels"], *pair) for pair in sorted(pairs) for batch in BATCHES]


def largest_differences(
    script: torch.nn.Module,
    network: Callable[[torch.Tensor], torch.Tensor],
    sizes: Sequence[tuple[int, int, int, int]],
) -> dict[tuple[int, int, int, int], float]:
    """Run both networks on the same random images.

    Args:
        script: of `load`. It runs twice a size: TorchScript rewrites itself after its first run.
        network: the eager one, in evaluation mode.
        sizes: (B, K, h, w).

    Returns:
        Largest absolute difference of the logits by size; infinite where one gives another shape or fails.
    """
    return {size: _difference(script, network, size) for size in sizes}


def _difference(script: torch.nn.Module, network: Callable, size: tuple[int, int, int, int]) -> float:
    images = torch.rand(size, generator=torch.Generator().manual_seed(sum(size)))
    with torch.no_grad(), _quiet_tracing():
        wanted = network(images)
        try:
            answers = [script(images) for _ in range(2)]
        except RuntimeError:  # an operation recorded for another size
            return float("inf")
    if any(answer.shape != wanted.shape for answer in answers):
        return float("inf")
    largest = max(float((answer - wanted).abs().max()) for answer in answers)
    return largest if largest == largest else float("inf")


def _lengths(length: int | str) -> tuple[int, ...]:
    if isinstance(length, int):
        return (length,)
    special = _SPECIAL_SIZE.fullmatch(length.replace(" ", ""))
    if special is None:
        raise ValueError(f"spatial_shape: {length!r}, wanted a number or a text such as '32*n'")
    return tuple(int(special[1] or 32) * factor for factor in FACTORS)


def _rewritten(script: bytes, texts: Mapping[str, str]) -> bytes:
    """The archive with root `model`, without what is not needed, uncompressed with fixed times."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(script)) as old, zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as new:
        members = {name.partition("/")[2]: old.read(name) for name in old.namelist()}
        members |= {f"extra/{name}": text.encode() for name, text in texts.items()}
        for name, content in members.items():
            if _is_code(name):
                content = _follow_input(content.decode()).encode()
            if not _LEFT_OUT.fullmatch(name):
                new.writestr(zipfile.ZipInfo(f"{ROOT}/{name}", EPOCH), content)
    return buffer.getvalue()


def _is_code(name: str) -> bool:
    return name.endswith(".py")


def _follow_input(code: str) -> str:
    """Code that makes new tensors where its first tensor lies; a trace writes down the device it was recorded on."""
    methods = _METHOD.split(code)
    for i, method in enumerate(methods):
        tensor = _FIRST_TENSOR.search(method.partition("->")[0])
        if tensor is not None:
            methods[i] = _BOUND_DEVICE.sub(f"ops.prim.device({tensor[1]})", method)
    return "".join(methods)


@contextmanager
def _quiet_tracing() -> Iterator[None]:
    """Silence what a right trace says too: that TorchScript is old, and that branches of Python are not recorded."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`torch.jit.", DeprecationWarning)
        warnings.filterwarnings("ignore", category=torch.jit.TracerWarning)
        warnings.filterwarnings("ignore", "__array_wrap__ must accept context", DeprecationWarning)
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)
        yield
