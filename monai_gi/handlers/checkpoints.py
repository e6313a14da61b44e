"""MONAI's CheckpointSaver with whole files: a kill while it writes leaves the former checkpoint as it was.

MONAI writes straight into the final name, and Ignite removes the checkpoint that fell out of the best k before the new
one is written. Here a file is written beside its name and renamed, and only then the old one goes.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from ignite.handlers import Checkpoint
from ignite.handlers.checkpoint import BaseSaveHandler
from monai.handlers import CheckpointSaver

from monai_gi.atomic_file import write_atomically
from monai_gi.handlers.processes import is_first_process


class AtomicCheckpointSaver(CheckpointSaver):
    """CheckpointSaver whose files are never half written and whose list of best checkpoints survives a resume.

    Give it to `ResumeCheckpoint` among its objects. Build it on every process; process 0 writes.

    Args:
        save_dir: folder of the checkpoints.
        save_dict: objects to save by name; a single one is saved as its plain state dict.
        **settings: as CheckpointSaver takes them (save_key_metric, key_metric_n_saved, key_metric_filename, ...).
    """

    def __init__(self, save_dir: str, save_dict: dict, **settings: Any) -> None:
        super().__init__(save_dir, save_dict, **settings)
        fixed_names = {"key_metric": settings.get("key_metric_filename"), "final": self._final_filename}
        for kind, checkpoint in self._checkpoints().items():
            checkpoint.save_handler = _WholeFiles(Path(save_dir), fixed_names.get(kind))  # type: ignore[assignment]

    def state_dict(self) -> dict[str, Any]:
        """Which files are kept, with their scores, for each kind of checkpoint.

        Returns:
            Plain lists and numbers.
        """
        return {kind: dict(checkpoint.state_dict()) for kind, checkpoint in self._checkpoints().items()}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on with the list of an earlier run.

        Args:
            state_dict: from `state_dict()`.
        """
        for kind, checkpoint in self._checkpoints().items():
            if kind in state_dict:
                checkpoint.load_state_dict(state_dict[kind])

    def _checkpoints(self) -> dict[str, Checkpoint]:
        named = {
            "final": self._final_checkpoint,
            "key_metric": self._key_metric_checkpoint,
            "interval": self._interval_checkpoint,
        }
        return {kind: checkpoint for kind, checkpoint in named.items() if checkpoint is not None}


class _WholeFiles(BaseSaveHandler):
    """Where Ignite's Checkpoint puts its dictionaries; it calls `remove` first, so removals wait for the write."""

    def __init__(self, folder: Path, filename: str | None) -> None:
        self.folder = folder
        self.filename = filename
        self.doomed: list[Path] = []

    def __call__(self, checkpoint: Mapping, filename: str, metadata: Mapping | None = None) -> None:
        target = self.folder / (self.filename or filename)
        if is_first_process():
            write_atomically(target, lambda file: torch.save(checkpoint, file))
            for path in self.doomed:
                if path != target:
                    # A run that was killed right here and resumed finds it gone already.
                    path.unlink(missing_ok=True)
        self.doomed = []

    def remove(self, filename: str) -> None:
        self.doomed.append(self.folder / (self.filename or filename))
