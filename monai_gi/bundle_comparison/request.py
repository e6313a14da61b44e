"""What is compared, on which data, for how long; checked before anything is trained."""

import difflib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from monai_gi.config_ids import is_known, unknown_id
from monai_gi.errors import DataError, DataErrors
from monai_gi.outcomes import check_folder
from monai_gi.sharing.manifest import sha256_of

_MINUTES = {"s": 1 / 60, "m": 1, "min": 1, "h": 60}
_BUDGET = re.compile(r"(\d+(?:\.\d+)?) ?(s|m|min|h|epochs?)")
CONFIGS = ("train.json", "evaluate.json")


class Budget(NamedTuple):
    """How long each network trains; one of the two is None.

    Attributes:
        minutes: on the clock, from the first step on.
        epochs: over the training folds.
    """

    minutes: float | None
    epochs: int | None


def parse_budget(text: str) -> Budget:
    """Read a budget: `90s`, `10m`, `1.5h`, `3epochs`.

    Args:
        text: a number above 0 and its unit.

    Returns:
        The budget.

    Raises:
        ValueError: it is none, or not above 0, or a part of an epoch.

    >>> parse_budget("90s")
    Budget(minutes=1.5, epochs=None)
    >>> parse_budget("3epochs")
    Budget(minutes=None, epochs=3)
    """
    found = _BUDGET.fullmatch(text.strip())
    number, unit = (float(found[1]), found[2]) if found else (0.0, "")
    if not number or (unit.startswith("epoch") and not number.is_integer()):
        raise ValueError(f"budget: {text!r}, wanted a time or whole epochs above 0, such as 90s, 10m, 2h or 3epochs")
    return Budget(number * _MINUTES[unit], None) if unit in _MINUTES else Budget(None, int(number))


def parse_bundles(text: str) -> dict[str, str]:
    """Read which bundles to compare: a folder's name, or a name of a row and the folder, between commas.

    Args:
        text: such as `segformer,segformer-b4=segformer`.

    Returns:
        The folder of each row by its name.

    Raises:
        ValueError: a name comes twice.

    >>> parse_bundles("segformer,segformer-b4=segformer")
    {'segformer': 'segformer', 'segformer-b4': 'segformer'}
    """
    rows = [(name, folder or name) for name, _, folder in (word.partition("=") for word in text.split(",") if word)]
    names = [name for name, _ in rows]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        repair = f"a name of its own, as in {twice[0]}-2={dict(rows)[twice[0]]}, trains it again"
        raise ValueError(f"bundles: {', '.join(twice)} more than once; {repair}")
    return dict(rows)


@dataclass(frozen=True)
class ComparisonRequest:
    """One comparison.

    Attributes:
        bundles: folders in `source_dir` by the name of their row, as `parse_bundles` reads them.
        dataset_dir: the data of all of them.
        budget: as `parse_budget` reads it.
        output: gets a folder a bundle, the tables and the plot.
        folds: dealt out where the data list has none.
        fold: the one to judge on; the others train.
        seed: of every run.
        device: "auto", or as torch names it.
        settings: (row or None for all, id of the config, value as typed); a setting for one row wins.
        source_dir: the folder of the bundles.
    """

    bundles: Mapping[str, str]
    dataset_dir: Path
    budget: str
    output: Path
    folds: int = 5
    fold: int = 0
    seed: int = 0
    device: str = "auto"
    settings: tuple[tuple[str | None, str, str], ...] = ()
    source_dir: Path = Path("bundles")

    def folder_of(self, bundle: str) -> Path:
        """The folder of a row's bundle.

        Args:
            bundle: name of the row.

        Returns:
            The folder.
        """
        return self.source_dir / self.bundles[bundle]

    def settings_of(self, bundle: str) -> dict[str, str]:
        """The settings for one row.

        Args:
            bundle: its name.

        Returns:
            Values as typed by id, with `#` between names.
        """
        ordered = sorted(self.settings, key=lambda setting: setting[0] is not None)
        return {key.replace("::", "#"): value for name, key, value in ordered if name in (None, bundle)}

    def asked(self, bundle: str) -> dict[str, Any]:
        """All that decides a row's numbers, so that finished ones are taken over only where they answer this.

        Args:
            bundle: its name.

        Returns:
            Plain JSON values.
        """
        return {
            "dataset_dir": self.dataset_dir.resolve().as_posix(),
            "budget": parse_budget(self.budget)._asdict(),
            "folds": self.folds,
            "fold": self.fold,
            "seed": self.seed,
            "device": self.device,
            "settings": self.settings_of(bundle),
            "configs": {file: sha256_of(self.folder_of(bundle) / file)[:16] for file in CONFIGS},
        }


def check_request(request: ComparisonRequest) -> None:
    """Find everything that would only fail after hours.

    Args:
        request: as asked for.

    Raises:
        DataError: names every bundle or setting that can not be used, a missing data set, or an output that can be
            no folder.
        ValueError: no bundle, or a budget that is none.
    """
    parse_budget(request.budget)
    if not request.bundles:
        raise ValueError("bundles: none, wanted names of folders such as basic_unet,segformer")
    faults = [fault for name in request.bundles for fault in _bundle_faults(request, name)]
    faults += [
        DataError(f"--set {bundle}:{key}", f"{bundle} is not compared here; there are {', '.join(request.bundles)}")
        for bundle, key, _ in request.settings
        if bundle is not None and bundle not in request.bundles
    ]
    if not request.dataset_dir.is_dir():
        faults.append(DataError(request.dataset_dir, "no such folder; give the data set's folder with --dataset_dir"))
    raise_all(faults)
    check_folder(request.output)


def raise_all(faults: Sequence[DataError]) -> None:
    """Tell every fault at once.

    Args:
        faults: none, one or several.

    Raises:
        DataError: the only fault, or all of them.
    """
    if len(faults) == 1:
        raise faults[0]
    if faults:
        raise DataErrors("compare-bundles", faults)


def config_of(folder: Path, file: str) -> Mapping[str, Any]:
    """One config of a bundle.

    Args:
        folder: the bundle.
        file: its name.

    Returns:
        The config as it stands.

    Raises:
        DataError: the file is missing or no JSON.
    """
    path = folder / file
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DataError(path, "no such file; a bundle is a folder with train.json and evaluate.json") from error
    except ValueError as error:
        raise DataError(path, f"not JSON ({error}); run monai-gi render-bundles") from error


def _bundle_faults(request: ComparisonRequest, name: str) -> list[DataError]:
    """What keeps a bundle from being compared."""
    paths = [
        word
        for word in dict.fromkeys((name, request.bundles[name]))
        if word in ("", ".", "..") or word != Path(word).name
    ]
    if paths:  # else its run would lie outside the output folder
        problem = "is no name of a folder; wanted one in bundles/, such as segformer"
        return [DataError(f"--bundles {word}", problem) for word in paths]
    source_dir, folder = request.source_dir, request.folder_of(name)
    if not (folder / "train.json").is_file():
        there = sorted(path.parent.name for path in source_dir.glob("*/train.json"))
        near = difflib.get_close_matches(folder.name, there, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(there)}."
        nowhere = f"there is none in {source_dir.absolute()}. Run this in the folder that holds them"
        return [DataError(folder, f"no such bundle; {hint if there else nowhere}")]
    try:
        configs = {file: config_of(folder, file) for file in (*CONFIGS, "inference.json")}
    except DataError as fault:
        return [fault]
    kinds = {config.get("input", "slices") for config in configs.values()}
    if kinds != {"slices"}:
        return [
            DataError(
                folder, f"is a bundle for {', '.join(sorted(kinds - {'slices'}))}; only those for scans are compared"
            )
        ]
    unknown = [key for key in request.settings_of(name) if not any(is_known(key, configs[file]) for file in CONFIGS)]
    return [DataError(f"--set {key}", f"{name} {unknown_id(key, configs[CONFIGS[0]])}") for key in unknown]
