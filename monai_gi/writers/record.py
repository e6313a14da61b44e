"""`result.json` of anything that was contoured: what was found, what made it, how long it took, with which settings.

It is written last and so marks the input as done. No patient data and no paths in it.
"""

import json
import platform
import re
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from monai_gi.atomic_file import write_whole
from monai_gi.provenance import INTENDED_USE, Provenance

_PACKAGES = ("torch", "monai", "numpy")


def write_record(
    path: str | Path,
    found: Mapping[str, Any],
    provenance: Provenance,
    *,
    seconds: Mapping[str, float],
    settings: Mapping[str, Any],
    files: Iterable[Path] = (),
) -> Path:
    """Write the record of one input.

    Args:
        path: the file; missing folders are made.
        found: what is particular to the kind of input, as JSON can hold it.
        provenance: bundle, weights and software.
        seconds: of each stage.
        settings: of the prediction, as JSON can hold them; neither paths nor patients.
        files: written before, in the record's folder or below it; without one of them the input is not done.

    Returns:
        The path.

    Raises:
        TypeError: something that JSON does not hold.
        ValueError: a file lies elsewhere.
    """
    folder = Path(path).parent
    record = {
        "intended_use": INTENDED_USE,
        **found,
        "seconds": {stage: round(spent, 3) for stage, spent in seconds.items()},
        "made_by": provenance._asdict(),
        "versions": _versions(provenance),
        "settings": dict(settings),
        "files": [file.relative_to(folder).as_posix() for file in files],
    }
    return write_whole(path, _on_few_lines(json.dumps(record, indent=2, ensure_ascii=False)) + "\n")


def _versions(provenance: Provenance) -> dict[str, str]:
    packages = {name: metadata.version(name) for name in _PACKAGES}
    return {"monai_gi": provenance.software_version, "python": platform.python_version(), **packages}


def _on_few_lines(text: str) -> str:
    """JSON text with innermost lists on one line each; names that hold brackets keep theirs on several."""
    return re.sub(r"\[\s+([^][{}]*?)\s+\]", lambda match: "[" + re.sub(r"\n\s+", " ", match[1]) + "]", text)
