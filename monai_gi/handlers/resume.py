"""One file that a killed run goes on from: `resume.pt`, written after each epoch and its validation, whole or absent.

Convention: epochs count from 1; `epoch` k in the file means that k epochs are finished and judged. With EpochSeed the
continued run repeats, bit for bit on the CPU, what the run would have done. Loaded with `weights_only=True`.
"""

import io
import json
import logging
import pickle
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ignite.engine import Events
from ignite.handlers import EarlyStopping, EMAHandler
from monai.engines import Workflow
from monai.handlers import EarlyStopHandler

from monai_gi.atomic_file import part_of, write_atomically
from monai_gi.errors import DataError
from monai_gi.handlers.processes import is_first_process
from monai_gi.handlers.settings import describe_items, items_in_words
from monai_gi.handlers.stop_signals import StopSignals

FORMAT = 1
FIXED = ("fold", "folds", "protocol", "classes", "slice_offsets", "levels", "key_metric")
"""Settings that a run can not go on without: what it kept as its best would not be comparable, or was trained on."""

_REPAIR = "Give the settings of the run that was stopped, or choose another --output_dir"
_log = logging.getLogger(__name__)


class ResumeCheckpoint:
    """Saves everything that a continuation needs after each epoch, and continues where that file is found.

    Attach it in the config's run list, after the engines are built and before the trainer runs, on every process:
    `"$@checkpoint.attach(@train#trainer, @validate#evaluator)"`. The trainer then starts where the file ends; a
    finished run (last epoch reached, or stopped early) ends at once. Process 0 writes and all read: nodes share the
    folder.

    Args:
        path: the file, `<output_dir>/resume.pt`; its folder is what error messages name.
        objects: by name, whatever has `state_dict` and `load_state_dict`; also MONAI's EarlyStopHandler, Ignite's
            EMAHandler and wrapped (DistributedDataParallel) networks. None (a disabled component) is passed over.
        enabled: continue from the file where there is one; False refuses to start over an existing run.
        settings: of the run, plain values; what differs on resume is named, those of `FIXED` in an error.
        data: lists of items by side, as SettingsHandler takes them; a run does not go on with others.
    """

    def __init__(
        self,
        path: str | Path,
        objects: Mapping[str, Any],
        *,
        enabled: bool = False,
        settings: Mapping | None = None,
        data: Mapping[str, Sequence[dict]] | None = None,
    ) -> None:
        self.path = Path(path)
        self.objects = {name: item for name, item in objects.items() if item is not None}
        self.enabled = enabled
        self.settings = json.loads(json.dumps(settings or {}, default=str))
        self.data = {side: describe_items(items) for side, items in (data or {}).items()}
        self.engines: dict[str, Workflow] = {}
        self.kept_epoch = 0
        self.is_finished = False
        self._scaler_state: dict | None = None
        self._is_proven = False

    def attach(self, trainer: Workflow, evaluator: Workflow | None = None) -> None:
        """Load what is there, and listen to the trainer.

        Args:
            trainer: a MONAI trainer that has not run yet.
            evaluator: the one that a ValidationHandler runs; its best metric is kept too.

        Raises:
            DataError: a run is there and `enabled` is False, its file is damaged or does not fit this run, or it had
                other data or settings of `FIXED`.
            TypeError: one of the objects has no state to keep.
            ValueError: an EarlyStopHandler among them has no trainer.
        """
        self.objects = {name: _stateful(item) for name, item in self.objects.items()}
        self.engines = {"trainer": trainer} | ({} if evaluator is None else {"evaluator": evaluator})
        if is_first_process():
            part_of(self.path).unlink(missing_ok=True)
        if self.path.exists():
            self._continue(trainer)
        elif self.enabled:
            _log.info("nothing to resume in %s: starting afresh", self.path.parent)
        trainer.add_event_handler(Events.STARTED, self._start)
        StopSignals(self._how_to_continue).attach(trainer)

    def _continue(self, trainer: Workflow) -> None:
        saved = read_resume_file(self.path)
        progress = f"epoch {saved['epoch']} of {saved['max_epochs']}"
        if not self.enabled:
            raise DataError(
                self.path.parent,
                f"holds a run at {progress}; continue with --resume True or choose another --output_dir",
            )
        _log.info("resuming %s at %s", self.path.parent, progress)
        self._compare_settings(saved["settings"], saved.get("data", {}))
        self._load(saved, trainer)
        self.kept_epoch = saved["epoch"]
        self.is_finished = self.kept_epoch >= trainer.state.max_epochs or self._has_stopped_early()
        if not self.is_finished:
            trainer.state.epoch, trainer.state.iteration = saved["epoch"], saved["iteration"]

    def _load(self, saved: dict, trainer: Workflow) -> None:
        self._check_fit(saved, trainer)
        for name, item in self.objects.items():
            self._load_object(name, item, saved["objects"][name])
        self._scaler_state = saved["scaler"]
        for name, engine in self.engines.items():
            for key, value in saved["engines"].get(name, {}).items():
                setattr(engine.state, key, value)

    def _check_fit(self, saved: dict, trainer: Workflow) -> None:
        there, here = saved["epoch_length"], trainer.state.epoch_length
        if there != here:
            repair = "Give the same data, batch_size and number of processes, or choose another --output_dir"
            raise DataError(self.path, f"its epochs have {there} batches, this run's {here}. {repair}")
        if set(saved["objects"]) != set(self.objects):
            found, wanted = (", ".join(sorted(names)) for names in (saved["objects"], self.objects))
            raise DataError(self.path, f"holds {found}; this run has {wanted}. {_REPAIR}")

    def _load_object(self, name: str, item: Any, state: Any) -> None:
        try:
            item.load_state_dict(state)
        except (RuntimeError, ValueError, KeyError) as error:
            raise DataError(self.path, f"its {name} does not fit this run's. {_REPAIR}") from error

    def _compare_settings(self, saved: Mapping, data: Mapping[str, Mapping]) -> None:
        """Refuse to go on as another run; warn of what only changes how it goes on."""
        changed = {
            key: f"{key} was {saved.get(key)!r}, is {self.settings.get(key)!r}"
            for key in sorted({*saved, *self.settings} - {"resume"})
            if self.settings and saved.get(key) != self.settings.get(key)
        }
        fixed = [text for key, text in changed.items() if key in FIXED]
        fixed = fixed or [  # which data a run has follows from its folds
            f"{side} data was {items_in_words(data[side])}, is {items_in_words(here)}"
            for side, here in self.data.items()
            if side in data and data[side]["sha256"] != here["sha256"]
        ]
        if fixed:
            reason = "Going on, it would be judged by what it has seen, or against a best score of another kind"
            raise DataError(self.path.parent, f"holds another run: {'; '.join(fixed)}. {reason}. {_REPAIR}")
        if changed:
            _log.warning("this is not the run that was stopped: %s", "; ".join(changed.values()))

    def _has_stopped_early(self) -> bool:
        return any(isinstance(item, EarlyStopping) and item.counter >= item.patience for item in self.objects.values())

    def _start(self, trainer: Workflow) -> None:
        """What can only be done inside `run`: Ignite resets a finished run, and MONAI makes a new scaler."""
        if self.is_finished:
            trainer.state.epoch = self.kept_epoch
            trainer.state.iteration = self.kept_epoch * trainer.state.epoch_length
            reason = "early stop" if self._has_stopped_early() else f"max_epochs {trainer.state.max_epochs}"
            _log.info("nothing left to train: the run reached %s at epoch %d", reason, self.kept_epoch)
            trainer.terminate()
            return
        if trainer.scaler is not None and self._scaler_state:
            trainer.scaler.load_state_dict(self._scaler_state)
        if not trainer.has_event_handler(self._save, Events.EPOCH_COMPLETED):
            # Added last of all, so that validation, early stop and the best checkpoints have done their part.
            trainer.add_event_handler(Events.EPOCH_COMPLETED, self._save)

    def _save(self, trainer: Workflow) -> None:
        if not is_first_process():
            return
        content = self._content(trainer)
        if not self._is_proven:
            _prove_loadable(content)
            self._is_proven = True
        write_atomically(self.path, lambda file: torch.save(content, file))
        self.kept_epoch = trainer.state.epoch

    def _content(self, trainer: Workflow) -> dict:
        return {
            "format": FORMAT,
            "epoch": trainer.state.epoch,
            "iteration": trainer.state.iteration,
            "max_epochs": trainer.state.max_epochs,
            "epoch_length": trainer.state.epoch_length,
            "objects": {name: _state_of(item) for name, item in self.objects.items()},
            "engines": {name: _best_of(engine) for name, engine in self.engines.items()},
            "scaler": None if trainer.scaler is None else trainer.scaler.state_dict(),
            "settings": self.settings,
            "data": self.data,
        }

    def _how_to_continue(self) -> str:
        state = self.engines["trainer"].state
        if not self.kept_epoch:
            return f"Stopped in epoch {state.epoch} of {state.max_epochs}, before one was finished: nothing is kept."
        return (
            f"Stopped in epoch {state.epoch} of {state.max_epochs}; {self.kept_epoch} finished and kept. "
            "Continue with the same command and --resume True"
        )


def read_resume_file(path: str | Path) -> dict:
    """The content of a resume file.

    Args:
        path: the file.

    Returns:
        `epoch`, `iteration`, `max_epochs`, `epoch_length`, `objects`, `engines`, `scaler`, `settings`, `data`; tensors
        on the CPU, from where networks and optimizers take them to their devices.

    Raises:
        DataError: it can not be read, or was written by another version of this file.
    """
    try:
        saved = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, EOFError, RuntimeError, ValueError, KeyError, pickle.UnpicklingError) as error:
        raise DataError(path, "is damaged and can not be read. Choose another --output_dir, or remove it") from error
    if not isinstance(saved, dict) or saved.get("format") != FORMAT:
        raise DataError(path, f"is no resume file of format {FORMAT}. Choose another --output_dir")
    return saved


def _stateful(item: Any) -> Any:
    """The part of a handler or wrapper that holds its state."""
    if isinstance(item, torch.nn.parallel.DistributedDataParallel):
        return item.module
    if isinstance(item, EMAHandler):
        return item.ema_model
    if isinstance(item, EarlyStopHandler):
        if item._handler is None:
            raise ValueError("EarlyStopHandler has no trainer yet: call set_trainer before ResumeCheckpoint is built")
        return item._handler
    if not (hasattr(item, "state_dict") and hasattr(item, "load_state_dict")):
        raise TypeError(f"{type(item).__name__} has no state_dict and load_state_dict")
    return item


def _state_of(item: Any) -> Any:
    state = item.state_dict()
    # A module's state dict carries its layers' versions as an attribute, which a rebuilt dictionary would lose.
    return state if isinstance(item, torch.nn.Module) else _plain(state)


def _best_of(engine: Workflow) -> dict:
    return {key: _plain(getattr(engine.state, key)) for key in ("best_metric", "best_metric_epoch")}


def _plain(value: Any) -> Any:
    """Without NumPy's scalars, which `weights_only=True` refuses to load."""
    if isinstance(value, np.generic):
        return value.item()
    if type(value) in (dict, OrderedDict):
        return {key: _plain(item) for key, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(map(_plain, value))
    return value


def _prove_loadable(content: Mapping[str, Any]) -> None:
    """Find out at the first save, not at the resume, that a state can not be loaded again."""
    for name, state in content["objects"].items():
        buffer = io.BytesIO()
        torch.save(state, buffer)
        buffer.seek(0)
        try:
            torch.load(buffer, weights_only=True)
        except pickle.UnpicklingError as error:
            raise TypeError(f"the state of {name} holds more than tensors and plain values: {error}") from error
