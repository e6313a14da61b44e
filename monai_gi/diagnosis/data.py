"""Which data sets and weights are there: folders and headers are looked at, no pixel and no weight is read."""

import json
import os
import time
from collections.abc import Sequence
from pathlib import Path

from monai_gi.datasets.biopsy import IMAGES, MASKS
from monai_gi.datasets.cvc_clinicdb import find_folders
from monai_gi.datasets.datalist_files import DATALIST_NAME, read_datalist
from monai_gi.datasets.scan_folders import group_of, list_scan_folders
from monai_gi.diagnosis.lines import ABSENT, FAULT, NOTE, OK, Line, short
from monai_gi.errors import DataError

DATA, RUNS, BUNDLES = Path("data"), Path("runs"), Path("bundles")
MOST = 8
PRETRAINED = ("nvidia/mit-b0",)
_COLORS = "colors.yaml"
_YES = ("1", "TRUE", "YES", "ON")
_DRAW = "`monai-gi phantom uw-madison data/phantom` draws one"


def data_lines(dataset_dir: Path | None = None, data: Path = DATA) -> list[Line]:
    """Look at one data set, or at all in a folder.

    Args:
        dataset_dir: the one; None for all.
        data: folder of data sets.

    Returns:
        A line each. One that was named and is none is a fault; none at all is none.
    """
    if dataset_dir is not None:
        line = _data_set(dataset_dir)
        return [line or Line(FAULT, f"{short(dataset_dir)}: {_what_is_missing(dataset_dir)}")]
    folders = sorted(path for path in data.iterdir() if path.is_dir()) if data.is_dir() else []
    found = [line for line in map(_data_set, folders) if line]
    if not found:
        return [Line(ABSENT, f"no data set in {short(data)}: {_DRAW}, the README tells where to get real ones")]
    return found[:MOST] + ([Line(OK, f"and {len(found) - MOST} more")] if len(found) > MOST else [])


def weight_lines(runs: Path = RUNS, bundles: Path = BUNDLES) -> list[Line]:
    """Look for weights: those that runs have trained, and pretrained ones kept from the hub.

    Args:
        runs: folder of runs.
        bundles: folder of bundles, whose training configs name pretrained weights.

    Returns:
        A line each.
    """
    trained = sorted(runs.glob("*/model.pt"), key=lambda path: path.stat().st_mtime, reverse=True)
    lines = [Line(OK, f"{short(path)}, {_when(path)}") for path in trained[:MOST]]
    if not trained:
        lines.append(Line(ABSENT, f"no trained network in {short(runs)}: `make demo` trains one in five minutes"))
    return [*lines, *map(_pretrained, _names(bundles))]


def _data_set(root: Path) -> Line | None:
    """What a folder holds; None for no data set."""
    try:
        described = _uw_madison(root) or _slides(root) or _frames(root)
        if described is None:
            return None
        kind, text = described
        return _with_datalist(root, kind, text)
    except (DataError, OSError) as error:
        return Line(FAULT, str(error))


def _uw_madison(root: Path) -> tuple[str, str] | None:
    if not ((root / "train.csv").is_file() and (root / "train").is_dir()):
        return None
    scans, faults = list_scan_folders(root / "train")
    if faults:
        raise faults[0]
    cases = len({group_of(name) for name, _ in scans})
    return "uw-madison", f"{_some(cases, 'case')}, {_some(len(scans), 'scan')} of slices with train.csv"


def _frames(root: Path) -> tuple[str, str] | None:
    try:
        folders = find_folders(root)
    except DataError:
        return None
    return "cvc-clinicdb", f"{_some(_count(folders.images), 'frame')} with masks"


def _slides(root: Path) -> tuple[str, str] | None:
    if not all((root / name).exists() for name in (IMAGES, MASKS, _COLORS)):
        return None
    return "biopsy", f"{_some(_count(root / IMAGES), 'slide')} with colour masks"


def _count(folder: Path) -> int:
    return sum(path.is_file() and not path.name.startswith(".") for path in folder.iterdir())


def _some(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"


def _with_datalist(root: Path, kind: str, text: str) -> Line:
    path = root / DATALIST_NAME
    if not path.is_file():
        colors = f" --colors {short(root / _COLORS)}" if kind == "biopsy" else ""
        repair = f"monai-gi index {kind} {short(root)}{colors} --output {short(path)}"
        return Line(NOTE, f"{short(root)}: {text}; not checked yet: {repair}")
    items = read_datalist(path, f"write it again: monai-gi index {kind}")["training"]
    folds = len({item.get("fold") for item in items})
    return Line(OK, f"{short(root)}: {text}; {len(items)} items in {folds} folds in {DATALIST_NAME}")


def _what_is_missing(root: Path) -> str:
    if not root.is_dir():
        return f"no such folder; {_DRAW}"
    wanted = "train.csv and train/, Original and Ground Truth, or images, masks and colors.yaml"
    return (
        f"no data set that monai-gi knows ({wanted}). Your own DICOM: monai-gi index dicom {short(root)} --output DIR"
    )


def _when(path: Path) -> str:
    state = path.stat()
    return f"{state.st_size / 1e6:.0f} MB, of {time.strftime('%Y-%m-%d', time.localtime(state.st_mtime))}"


def _names(bundles: Path) -> Sequence[str]:
    """Pretrained weights on the hub that the bundles begin with."""
    found = []
    for path in sorted(bundles.glob("*/train.json")):
        name = json.loads(path.read_text(encoding="utf-8")).get("init_weights")
        if isinstance(name, str) and name and not Path(name).exists():
            found.append(name)
    return sorted(set(found)) or PRETRAINED


def _pretrained(name: str) -> Line:
    from huggingface_hub import try_to_load_from_cache

    files = ("model.safetensors", "pytorch_model.bin")
    if any(isinstance(try_to_load_from_cache(name, file), str) for file in files):
        return Line(OK, f"{name} (pretrained) is kept here")
    problem = f"{name} (pretrained) is not kept here"
    if os.environ.get("HF_HUB_OFFLINE", "0").upper() in _YES:
        return Line(ABSENT, f"{problem}, and HF_HUB_OFFLINE forbids to fetch it: training begins from random weights")
    return Line(ABSENT, f"{problem}: training fetches it once, or begins from random weights without a network")
