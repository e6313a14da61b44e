"""What the machine has: processor and GPUs that really compute, memory, shared memory, disk; sizes in bytes."""

import os
import platform
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from monai_gi.devices import has_bf16
from monai_gi.diagnosis.lines import FAULT, NOTE, OK, Line, gigabytes, short

CGROUP_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 (looked at, not written to)
DRIVER = Path("/proc/driver/nvidia/version")
PROCESSOR = Path("/proc/cpuinfo")
LITTLE_MEMORY = 4e9
LITTLE_SHARED = 1e9
LITTLE_DISK, NO_DISK = 10e9, 1e9
_NO_LIMIT = 1 << 60
_VARIABLES = ("CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "HF_HUB_OFFLINE", "HF_HOME", "MONAI_DATA_DIRECTORY")


def device_lines() -> list[Line]:
    """The processor and every GPU; each multiplies two small matrices, as a wrong build shows only then.

    Returns:
        At least one line.
    """
    try:
        import torch
    except Exception as error:  # a missing library, a broken install: whatever it is, it is the finding
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        return [Line(FAULT, f"PyTorch can not be loaded ({reason}): pip install --force-reinstall torch")]
    return [_processor(torch), *_gpus(torch)]


def _processor(torch: Any) -> Line:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    bf16 = ", bfloat16" if has_bf16() else ""
    return Line(OK, f"cpu: {_processor_name()}, {usable} cores{bf16}, PyTorch uses {torch.get_num_threads()} threads")


def _processor_name() -> str:
    text = PROCESSOR.read_text(encoding="utf-8", errors="replace") if PROCESSOR.is_file() else ""
    names = [line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name")]
    return names[0] if names and names[0] else platform.machine()


def _gpus(torch: Any) -> list[Line]:
    if torch.cuda.is_available():
        return [_gpu(torch, index) for index in range(torch.cuda.device_count())]
    if not (DRIVER.exists() or shutil.which("nvidia-smi")):
        return [Line(OK, "no NVIDIA GPU; training runs on the processor")]
    if torch.version.cuda is None:
        problem = f"an NVIDIA driver is here, but PyTorch {torch.__version__} is built without CUDA"
        return [Line(NOTE, f"{problem}: choose a build at https://pytorch.org/get-started/locally")]
    problem = f"an NVIDIA driver is here, but PyTorch (CUDA {torch.version.cuda}) sees no GPU"
    return [Line(NOTE, f"{problem}: is CUDA_VISIBLE_DEVICES empty, or the driver too old? Compare with `nvidia-smi`")]


def _gpu(torch: Any, index: int) -> Line:
    """One GPU and whether it computes."""
    name = f"cuda:{index}: {torch.cuda.get_device_name(index)}"
    try:
        major, minor = torch.cuda.get_device_capability(index)
        free, total = torch.cuda.mem_get_info(index)
        ones = torch.ones(8, 8, device=f"cuda:{index}")
        works = float((ones @ ones).sum()) == 8**3
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[0]
        repair = "choose a build of PyTorch for this GPU at https://pytorch.org/get-started/locally"
        return Line(FAULT, f"{name} does not compute ({reason}): {repair}")
    if not works:
        return Line(FAULT, f"{name} computes wrongly: ask who keeps this machine to look at it, or name another device")
    about = f"{gigabytes(free)} of {gigabytes(total)} free, capability {major}.{minor}, CUDA {torch.version.cuda}"
    return Line(OK, f"{name}, {about}")


def memory_lines(limits: Sequence[Path] = CGROUP_LIMITS, shared: Path = SHARED_MEMORY) -> list[Line]:
    """Memory that may be used, and what processes can share.

    Args:
        limits: files with the limit of a container.
        shared: the folder of shared memory.

    Returns:
        One or two lines.
    """
    import psutil

    memory = psutil.virtual_memory()
    limit = _limit(limits)
    total, free = min(memory.total, limit), min(memory.available, limit)
    text = f"memory: {gigabytes(free)} of {gigabytes(total)} free"
    text += " (limit of the container)" if limit < memory.total else ""
    little = f"{text}; training may want more: lower --batch_size, keep --num_workers 0"
    lines = [Line(NOTE, little) if free < LITTLE_MEMORY else Line(OK, text)]
    if shared.is_dir():
        size = shutil.disk_usage(shared).total
        text = f"shared memory: {gigabytes(size)}"
        small = f"{text}, little for --num_workers above 0: docker run --shm-size 8g"
        lines.append(Line(NOTE, small) if size < LITTLE_SHARED else Line(OK, text))
    return lines


def _limit(files: Sequence[Path]) -> int:
    texts = [file.read_text().strip() for file in files if file.is_file()]
    return min([int(text) for text in texts if text.isdecimal()], default=_NO_LIMIT)


def disk_lines(here: Path) -> list[Line]:
    """Free disk where runs are written and where temporary files go.

    Args:
        here: the folder of runs.

    Returns:
        One line, or two where temporary files go elsewhere.
    """
    temporary = Path(tempfile.gettempdir())
    places = {here: "this folder", temporary: "temporary files"}
    if here.stat().st_dev == temporary.stat().st_dev:
        places = {here: "this folder and temporary files"}
    lines = [_disk(folder, name) for folder, name in places.items()]
    if not os.access(here, os.W_OK):
        lines.append(Line(NOTE, "nothing can be written in this folder: name others with --output and --output_dir"))
    return lines


def _disk(folder: Path, name: str) -> Line:
    free = shutil.disk_usage(folder).free
    text = f"disk: {gigabytes(free)} free for {name} ({short(folder)})"
    if free < NO_DISK:
        return Line(FAULT, f"{text}: nothing can be trained or written here; make room")
    return Line(NOTE, f"{text}; runs of many epochs may want more") if free < LITTLE_DISK else Line(OK, text)


def variable_lines() -> list[Line]:
    """Variables of the environment that change what happens.

    Returns:
        One line, or none where none is set.
    """
    found = [f"{name}={_shown(os.environ[name])}" for name in _VARIABLES if name in os.environ]
    return [Line(OK, f"set: {', '.join(found)}")] if found else []


def _shown(value: str) -> str:
    return short(Path(value)) if value.startswith("/") else value
