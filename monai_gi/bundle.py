"""What the bundles' configs call around a run: overrides checked, faults in plain words, processes joined.

The configs of `bundles/` name these functions in `initialize`, `finalize` and their run lists.
Ids and overrides follow monai.bundle: `--train#trainer#max_epochs 3` and `train::trainer` are one spelling.
"""

import ast
import inspect
import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import ignite.distributed as idist
import torch
from monai.bundle import ConfigParser
from monai.bundle.scripts import run as monai_bundle_run

from monai_gi.config_ids import is_known, unknown_id
from monai_gi.errors import DataError
from monai_gi.freed_memory import keep_freed_memory

PACKAGE_DIR = Path(__file__).parent


def default_device() -> torch.device:
    """The CUDA device of this process (LOCAL_RANK of torchrun, else 0), or the CPU where there is none."""
    if torch.cuda.is_available():
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    return torch.device("cpu")


def is_distributed() -> bool:
    """Whether torchrun started this process as one of several."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def join_processes(device: torch.device | str) -> None:
    """Make this process ready for its device, and join those that torchrun started: NCCL on CUDA, gloo on the CPU.

    Args:
        device: the device of this process.
    """
    device = torch.device(device)
    keep_freed_memory(device)
    if not is_distributed() or torch.distributed.is_initialized():
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    torch.distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    # Ignite's own view of the group is a collective: taken later, by one rank alone, it waits for ever.
    idist.sync()


def leave_processes() -> None:
    """Leave the process group; alone it does nothing."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def parallel(network: torch.nn.Module, device: torch.device | str) -> torch.nn.Module:
    """The network on its device, wrapped for gradient exchange when torchrun started several processes.

    Args:
        network: any module; it is moved in place.
        device: the device of this process.

    Returns:
        The module itself when alone, else a DistributedDataParallel around it.
    """
    network = network.to(device)
    if not is_distributed():
        return network
    ids = [torch.device(device)] if torch.device(device).type == "cuda" else None
    return torch.nn.parallel.DistributedDataParallel(network, device_ids=ids)


def enough_for_processes(items: Sequence[dict]) -> Sequence[dict]:
    """The scans themselves, once it is sure that every process gets one: an idle process would wait for ever.

    Args:
        items: scan items that the processes share.

    Returns:
        `items`.

    Raises:
        DataError: there are fewer scans than processes.
    """
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if len(items) < world:
        raise DataError(
            "torchrun", f"{world} processes, but only {len(items)} scans to judge. Use --nproc_per_node={len(items)}"
        )
    return items


def require_file(path: str | Path, repair: str) -> None:
    """Stop with one clear message where a file is missing.

    Args:
        path: the file.
        repair: what to do, as a sentence.

    Raises:
        DataError: the file is not there.
    """
    if not Path(path).is_file():
        raise DataError(path, f"no such file. {repair}")


def check_overrides(argv: Sequence[str] | None = None) -> None:
    """Refuse an override that no id of the config answers to: monai.bundle would take it in silence.

    Args:
        argv: the command line; `sys.argv` when None. Any other program than `python -m monai.bundle` passes.

    Raises:
        DataError: names every unknown key and the nearest known one.
    """
    options = _command_options(argv)
    if not options:
        return
    files = _file_list(options.get("config_file", []))
    config = ConfigParser.load_config_files(files)
    unknown = [key for key in options if key not in _OWN_OPTIONS and not is_known(key, config)]
    if unknown:
        raise DataError(" and ".join(map(str, files)), "; ".join(unknown_id(key, config) for key in unknown))


def overrides(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """What the command line set in place of the config's own values, so that a run can say which network it trained.

    Args:
        argv: the command line; `sys.argv` when None.

    Returns:
        Values as typed, by id with `#` between names; empty for any other program than `python -m monai.bundle`.
    """
    options = _command_options(argv)
    return {key.replace("::", "#"): value for key, value in options.items() if key not in _OWN_OPTIONS}


_OWN_OPTIONS = set(inspect.signature(monai_bundle_run).parameters) - {"override"}


def _command_options(argv: Sequence[str] | None) -> dict[str, Any]:
    """All options of a `python -m monai.bundle` command line, those of its args_file among them."""
    argv = sys.argv if argv is None else argv
    if Path(argv[0]).parts[-3:] != ("monai", "bundle", "__main__.py"):
        return {}
    options: dict[str, Any] = dict(_options(argv[1:]))
    if "args_file" in options:
        return {**ConfigParser.load_config_file(options["args_file"]), **options}
    return options


def _options(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The `--key value` and `--key=value` pairs of a command line, keys as Fire reads them."""
    for word, following in zip(words, [*words[1:], "--"], strict=True):
        if word.startswith("--") and len(word) > 2:
            key, equals, value = word[2:].partition("=")
            yield key.replace("-", "_"), value if equals else following


def _file_list(value: str | list[str]) -> list[str]:
    """One file name, or the list written as Python, as `--config_file` takes both."""
    if isinstance(value, str) and value.strip().startswith("["):
        return list(ast.literal_eval(value))
    return [value] if isinstance(value, str) else list(value)


def exit_plainly() -> None:
    """From here on a fault of data or settings ends the program with its sentence and exit code 2, no traceback.

    Ctrl-C ends it with 130. Anything else keeps Python's traceback: it is a fault of ours.
    """
    sys.excepthook = _print_plainly


def _print_plainly(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        print("\nStopped. The same line with --resume True goes on at the last finished epoch.", file=sys.stderr)
        raise SystemExit(130)
    for cause in _causes(error):
        if isinstance(cause, DataError) or _is_about_a_setting(cause):
            print(f"\nerror: {cause}", file=sys.stderr)
            raise SystemExit(2)
    sys.__excepthook__(kind, error, trace)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what caused it, outermost first; MONAI wraps what a config raises."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _is_about_a_setting(error: BaseException) -> bool:
    """Whether this package refused an argument; MONAI's and PyTorch's own errors keep their traceback."""
    frames = traceback.extract_tb(error.__traceback__)
    return isinstance(error, ValueError) and bool(frames) and Path(frames[-1].filename).is_relative_to(PACKAGE_DIR)
