"""What is finished of a prediction that was stopped: `parts/<id>.csv` for each input, and the settings they belong to.

`parts/` stands in the output folder while a prediction runs, and goes when all is done.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from monai_gi.atomic_file import write_whole
from monai_gi.errors import DataError
from monai_gi.handlers.processes import from_first
from monai_gi.writers.submission import part_path

logger = logging.getLogger(__name__)

PARTS = "parts"
SETTINGS = "settings.json"


def unfinished(items: Sequence[dict[str, Any]], output_dir: str | Path) -> list[dict[str, Any]]:
    """Leave out the scans or frames that a stopped run has already written.

    With several processes all get the list of process 0, so every process must call it.

    Args:
        items: all of them, with `id`.
        output_dir: as given to `ScanWriter` or `FrameWriter`.

    Returns:
        Those without a part. Where all have one, and only the merge is missing, the last comes once more: an
        evaluator without data does not run.
    """
    folder = Path(output_dir) / PARTS
    left = [item for item in items if not part_path(folder, item["id"]).is_file()]
    if len(left) < len(items):
        logger.info("%d of %d are already in %s", len(items) - len(left), len(items), folder)
    return from_first(left or list(items[-1:]))


def require_same_settings(parts: Path, settings: Mapping[str, Any] | None) -> None:
    """Refuse to go on with other settings than those that made the parts; note them where there are none yet.

    Args:
        parts: the folder of the parts.
        settings: what changes the prediction (weights, thresholds, ...), by name; a value that names a file stands for
            its size and time too. None does not compare.

    Raises:
        DataError: names the settings that changed.
    """
    if settings is None:
        return
    path, wanted = parts / SETTINGS, _comparable(settings)
    found = json.loads(path.read_bytes()) if path.is_file() else wanted
    changed = sorted(name for name in found | wanted if found.get(name) != wanted.get(name))
    if changed:
        problem = f"what is here was predicted with other settings: {', '.join(changed)}"
        raise DataError(parts, f"{problem}. Remove this folder to begin anew, or write to another one")
    write_whole(path, json.dumps(wanted, indent=2))


def _comparable(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as JSON gives them back, files with their size and time."""
    return json.loads(json.dumps({name: _stamped(value) for name, value in settings.items()}, default=str))


def _stamped(value: Any) -> Any:
    if not isinstance(value, str | Path) or not Path(value).is_file():
        return value
    about = Path(value).stat()
    return {"file": str(value), "bytes": about.st_size, "changed_ns": about.st_mtime_ns}
