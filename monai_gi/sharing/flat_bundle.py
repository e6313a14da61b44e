"""The files of a flat bundle that is to be packed, read as the run of its weights had them."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from monai_gi.errors import DataError, DataErrors
from monai_gi.sharing.run_overrides import as_trained

CONFIGS = ("train.json", "evaluate.json", "multi_gpu_train.json")
T = TypeVar("T")


@dataclass(frozen=True)
class FlatBundle:
    """The files of `bundles/<name>`, read.

    Attributes:
        folder: where they stand.
        name: of the bundle.
        configs: JSON by file name: inference.json, metadata.json and `CONFIGS`.
        texts: logging.conf, docs/README.md and LICENSE.
    """

    folder: Path
    name: str
    configs: dict[str, dict[str, Any]]
    texts: dict[str, str]


def read_bundle(folder: Path, settings_file: Path) -> FlatBundle:
    """Read what is to be packed.

    Args:
        folder: `bundles/<name>`.
        settings_file: of the run, see `as_trained`.

    Returns:
        All its files; configs as the run had them.

    Raises:
        DataError: there is no such folder.
        DataErrors: files are missing or no JSON.
    """
    if not folder.is_dir():
        raise DataError(folder, "no such folder. A bundle to pack is a folder of bundles/, such as bundles/segformer")
    problems = Problems()
    configs = {
        name: problems.attempt(_read_json, folder / name) for name in ("inference.json", "metadata.json", *CONFIGS)
    }
    places = {"logging.conf": folder / "logging.conf", "docs/README.md": folder / "docs" / "README.md"}
    own = folder / "LICENSE"
    places["LICENSE"] = own if own.is_file() else folder.resolve().parent.parent / "LICENSE"
    texts = {name: problems.attempt(_read_text, path) for name, path in places.items()}
    if problems.found:
        raise DataErrors(folder, problems.found)
    return FlatBundle(
        folder,
        folder.resolve().name,
        {name: as_trained(config, settings_file) for name, config in configs.items() if config is not None},
        {name: text for name, text in texts.items() if text is not None},
    )


@dataclass
class Problems:
    """Faults, gathered.

    Attributes:
        found: in the order of the steps.
    """

    found: list[DataError] = field(default_factory=list)

    def attempt(self, step: Callable[..., T], *args: Any) -> T | None:
        """Take a step that may find faults.

        Args:
            step: raises DataError.
            *args: of the step.

        Returns:
            What the step returns, or None where it found faults.
        """
        try:
            return step(*args)
        except DataError as error:
            self.found += error.problems
        return None


def _read_json(path: Path) -> dict[str, Any]:
    try:
        return json.loads(_read_text(path))
    except json.JSONDecodeError as error:
        raise DataError(f"{path}:{error.lineno}", f"not JSON: {error.msg}") from error


def _read_text(path: Path) -> str:
    if not path.is_file():
        raise DataError(path, "no such file. A bundle to pack is a folder of bundles/, as `monai-gi` renders it")
    return path.read_text(encoding="utf-8")
