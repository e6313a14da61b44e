"""Builds the scan folders that `slice_store` reads: once per scan, in parallel, continued where it was stopped.

A folder's name ends in a hash of all that its content depends on: the items (paths, sizes, times, labels) and the
transform. A changed input gets a new folder; folds of one data set share theirs.
"""

import functools
import hashlib
import json
import os
import random
import re
import shutil
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from pathlib import Path
from types import FunctionType
from typing import Any, NamedTuple

import numpy as np
import torch
from tqdm import tqdm

from monai_gi.datasets.fixed_transform import transformed
from monai_gi.datasets.scan_arrays import remove_abandoned, write_scan
from monai_gi.errors import DataError
from monai_gi.intensity import GREY_VALUES

FORMAT = 1
BYTES_PER_PIXEL = 3
MOST_LABEL_CHANNELS = 8
MOST_THREADS = 16

# What a transform may carry that does not change its result: MONAI's transforms grow a thread's flag when called.
STATES = (np.random.RandomState, np.random.Generator, threading.local)


class ScanToBuild(NamedTuple):
    """A scan and the folder that holds it.

    Attributes:
        folder: where its arrays stand, or will stand.
        items: its slice items in ascending slice number.
    """

    folder: Path
    items: Sequence[Mapping[str, Any]]


def scan_folder(cache_dir: Path, scan: str, items: Sequence[Mapping[str, Any]], transform_text: str) -> Path:
    """Name the folder of a scan after all that its content depends on.

    Args:
        cache_dir: the store's folder.
        scan: name of the scan.
        items: its slice items in ascending slice number; `fold` does not count.
        transform_text: `describe` of the transform.

    Returns:
        A path in `cache_dir`.

    Raises:
        DataError: an image file is missing.
    """
    digest = hashlib.sha256(f"{FORMAT}\n{transform_text}\n".encode())
    for item in items:
        facts = {key: value for key, value in item.items() if key != "fold"}
        stamps = [_stamp(path, item) for path in _image_paths(item)] + _label_stamp(item.get("label"))
        digest.update(json.dumps([facts, stamps], sort_keys=True, default=describe).encode())
    readable = re.sub(r"[^\w.-]+", "_", scan)[-80:]
    return cache_dir / f"{readable}-{digest.hexdigest()[:16]}"


def _image_paths(item: Mapping[str, Any]) -> list[str | Path]:
    image = item["image"]
    return [path for path in (image if isinstance(image, list | tuple) else [image]) if isinstance(path, str | Path)]


def _stamp(path: str | Path, item: Mapping[str, Any]) -> list[int]:
    """Size and time of a file."""
    try:
        status = Path(path).stat()
    except OSError as error:
        problem = f"cannot be read ({error.strerror}), item {item.get('id', path)} names it; index the data again"
        raise DataError(path, problem) from error
    return [status.st_size, status.st_mtime_ns]


def _label_stamp(label: object) -> list[list[int]]:
    """Size and time of a label that is a file; run lengths have none."""
    if isinstance(label, str | Path) and Path(label).is_file():
        return [_stamp(label, {"id": label})]
    return []


def describe(thing: object) -> str:
    """Write down what an object is made of, the same text in every process, without addresses and without states.

    Args:
        thing: numbers, text, arrays, functions and lambdas (by their code), transforms (by class and attributes).

    Returns:
        One line.
    """
    return _describe(thing, ())


def _describe(thing: object, inside: tuple[int, ...]) -> str:
    """Describe a thing that stands inside others, which are named by their ids: some hold themselves."""
    if id(thing) in inside:
        return "..."
    inner = functools.partial(_describe, inside=(*inside, id(thing)))
    if isinstance(thing, Mapping):
        pairs = [f"{inner(key)}:{inner(value)}" for key, value in thing.items() if not isinstance(value, STATES)]
        return "{" + ",".join(sorted(pairs)) + "}"
    if isinstance(thing, list | tuple | set | frozenset):
        parts = map(inner, thing)
        return f"[{','.join(sorted(parts) if isinstance(thing, set | frozenset) else parts)}]"
    if isinstance(thing, np.ndarray | torch.Tensor):
        array = np.asarray(thing)
        return f"{array.dtype}{array.shape}{hashlib.sha256(array.tobytes()).hexdigest()}"
    if isinstance(thing, type):
        return f"{thing.__module__}.{thing.__qualname__}"
    if isinstance(thing, FunctionType):
        return _describe_function(thing, inner)
    if hasattr(thing, "__dict__"):
        return f"{inner(type(thing))}({inner(vars(thing))})"
    return repr(thing) if type(thing).__repr__ is not object.__repr__ else inner(type(thing))


def _describe_function(function: FunctionType, inner: Callable[[object], str]) -> str:
    """A function by name, code, constants and what it closes over."""
    code = function.__code__
    constants = [constant for constant in code.co_consts if not hasattr(constant, "co_code")]
    cells = [cell.cell_contents for cell in function.__closure__ or ()]
    text = [function.__module__, function.__qualname__, code.co_code.hex(), code.co_names]
    return inner([*text, constants, function.__defaults__, cells])


def prepare_slice(item: Mapping[str, Any], transform: Callable[[Any], Any]) -> tuple[str, np.ndarray, np.ndarray]:
    """Run the transform on one slice and bring its result to what the store keeps.

    Args:
        item: a slice item.
        transform: gives `image` (1, H, W) with whole values 0 to 65535 and `label` (C, H, W) of 0 and 1, C up to 8.

    Returns:
        The item's id, the image (H, W) uint16 and the mask (H, W) uint8 whose bit c is channel c.

    Raises:
        DataError: image or label is not of this kind, or there is no label.
    """
    where = str(item.get("id", item["image"]))
    if "label" not in item:
        raise DataError(where, "has no label; training needs the truth of every slice")
    result = transformed(item, transform)
    return where, _grey_image(where, result["image"]), _packed_mask(where, result["label"])


def _grey_image(where: str, image: Any) -> np.ndarray:
    pixels = np.asarray(image)
    if pixels.ndim != 3 or pixels.shape[0] != 1 or pixels.size == 0:
        raise DataError(where, f"image has shape {pixels.shape} after the transform, wanted (1, H, W)")
    fits = pixels.min() >= 0 and pixels.max() < GREY_VALUES
    grey = pixels[0].astype(np.uint16) if fits else None
    if grey is None or not np.array_equal(grey, pixels[0]):
        found = f"values {pixels.min()} to {pixels.max()} of {pixels.dtype}"
        repair = "Take the scaling out of the transform: the batch is scaled later"
        raise DataError(where, f"{found}; the store keeps 16-bit integers, 0 to 65535. {repair}")
    return grey


def _packed_mask(where: str, label: Any) -> np.ndarray:
    mask = np.asarray(label)
    if mask.ndim != 3 or not 1 <= mask.shape[0] <= MOST_LABEL_CHANNELS:
        raise DataError(where, f"label has shape {mask.shape} after the transform, wanted (C, H, W) with C from 1 to 8")
    is_on = mask != 0
    if not np.array_equal(is_on, mask):
        raise DataError(where, f"label holds {mask.min()} to {mask.max()}, wanted only 0 and 1: one channel a class")
    return np.packbits(is_on, axis=0, bitorder="little")[0]


def build_scans(scans: Sequence[ScanToBuild], transform: Callable[[Any], Any], *, progress: bool) -> None:
    """Build the scans that are not there yet, several at a time, with progress and end time on stderr.

    Stopped at any moment, it leaves only complete scans and goes on with the others the next time.

    Args:
        scans: scans and their folders.
        transform: see `prepare_slice`; it is called from several threads.
        progress: show a bar.

    Raises:
        DataError: a slice is not what the store keeps, or the disk is too small.
    """
    missing = [scan for scan in scans if not scan.folder.is_dir()]
    if not missing:
        return
    cache_dir = missing[0].folder.parent
    cache_dir.mkdir(parents=True, exist_ok=True)
    remove_abandoned(cache_dir)
    _check_space(cache_dir, missing, transform)
    # Each process in its own order: those that torchrun starts share the work instead of doing the same scan.
    random.Random(os.getpid()).shuffle(missing)  # noqa: S311
    slices = sum(len(scan.items) for scan in missing)
    every_s = 0.2 if sys.stderr.isatty() else 10.0
    with tqdm(total=slices, desc="slice store", unit="slice", disable=not progress, mininterval=every_s) as bar:
        _build_parallel(missing, transform, bar)


def _build_parallel(scans: Sequence[ScanToBuild], transform: Callable[[Any], Any], bar: tqdm) -> None:
    """Build with threads: decoding PNGs lets go of the interpreter."""
    stop = threading.Event()
    with ThreadPoolExecutor(min(os.cpu_count() or 1, MOST_THREADS)) as pool:
        work: list[Future] = [pool.submit(_build_one, scan, transform, bar, stop) for scan in scans]
        try:
            for done in as_completed(work):
                done.result()
        except BaseException:
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _build_one(scan: ScanToBuild, transform: Callable[[Any], Any], bar: tqdm, stop: threading.Event) -> None:
    """Build one scan, unless another process did so meanwhile."""
    if scan.folder.is_dir():
        bar.update(len(scan.items))
        return

    def slices() -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
        for item in scan.items:
            if stop.is_set():
                raise KeyboardInterrupt
            yield prepare_slice(item, transform)
            bar.update()

    try:
        write_scan(scan.folder, len(scan.items), slices())
    except OSError as error:
        problem = f"cannot be written ({error.strerror}); make room there, or name another folder (--cache_dir)"
        raise DataError(scan.folder, problem) from error


def _check_space(cache_dir: Path, scans: Sequence[ScanToBuild], transform: Callable[[Any], Any]) -> None:
    """Say before the work, not in the middle of it, that the disk is too small."""
    guess: Sequence[int] | None = None
    need = 0
    for scan in scans:
        size = scan.items[0].get("size") or guess
        if size is None:
            size = guess = prepare_slice(scan.items[0], transform)[1].shape
        need += len(scan.items) * int(np.prod(size)) * BYTES_PER_PIXEL
    free = shutil.disk_usage(cache_dir).free
    if free < need:
        repair = "Make room or set the cache folder to another disk"
        raise DataError(cache_dir, f"{need} bytes needed for the slice store, {free} free. {repair}")
