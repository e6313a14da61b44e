"""What a training run costs, as `cost.json`: seconds, epochs, slices, peak memory; sums over its sessions.

The file is written after each epoch and its validation. Memory is in bytes, time in seconds.
"""

import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import torch
from ignite.engine import Events
from monai.engines import IterationEvents, Workflow

from monai_gi.atomic_file import write_whole
from monai_gi.handlers.clock import RunClock
from monai_gi.handlers.curves import slices_of
from monai_gi.handlers.processes import from_first, is_first_process, world_size

COST_FILE = "cost.json"
_FACTS = ("seconds", "seconds_of_steps", "seconds_to_first_epoch", "slices", "peak_memory_bytes", "peak_gpu_bytes")


class CostHandler:
    """Keeps the clock of a run and writes `<output_dir>/cost.json`; process 0 writes.

    `seconds` is the clock; `seconds_of_steps` leaves validations and checkpoints out and belongs to `slices`;
    `seconds_to_first_epoch` counts from the start of the program to the first step's batch being asked for.

    Put it before all handlers that read the clock. The file is written after all else that an epoch's end brings.

    Args:
        output_dir: of the run.
        clock: of the run; started and read here.
        resume: go on with the time and the numbers of a file that is there.
    """

    def __init__(self, output_dir: str | Path, clock: RunClock, *, resume: bool = False) -> None:
        self.path = Path(output_dir) / COST_FILE
        self.clock = clock
        self.resume = resume
        self.numbers: dict[str, float] = {}
        self._step_began = time.perf_counter()

    def attach(self, engine: Workflow) -> None:
        """Listen to a trainer.

        Args:
            engine: a MONAI trainer.
        """
        engine.add_event_handler(Events.STARTED, self._start)
        engine.add_event_handler(Events.EPOCH_STARTED, self._begin_epoch)
        engine.add_event_handler(IterationEvents.FORWARD_COMPLETED, self._count)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._step)

    def _start(self, engine: Workflow) -> None:
        earlier: dict[str, float] = {}
        if is_first_process() and self.resume and self.path.is_file():
            earlier = json.loads(self.path.read_text())
        self.numbers = dict.fromkeys(_FACTS, 0) | from_first(earlier)
        self.clock.start(self.numbers["seconds"])
        if not engine.has_event_handler(self._write, Events.EPOCH_COMPLETED):
            engine.add_event_handler(Events.EPOCH_COMPLETED, self._write)

    def _begin_epoch(self) -> None:
        self._step_began = time.perf_counter()
        if not self.numbers["seconds_to_first_epoch"]:
            self.numbers["seconds_to_first_epoch"] = time.time() - psutil.Process().create_time()

    def _count(self, engine: Workflow) -> None:
        self.numbers["slices"] += slices_of(engine.state.output["image"]) * world_size()

    def _step(self) -> None:
        now = time.perf_counter()
        self.numbers["seconds_of_steps"] += now - self._step_began
        self._step_began = now
        self.clock.tick()

    def _write(self, engine: Workflow) -> None:
        self.numbers["seconds"] = self.clock.tick()
        for name, peak in (("peak_memory_bytes", peak_memory_bytes()), ("peak_gpu_bytes", _peak_gpu_bytes(engine))):
            self.numbers[name] = max(peak, int(self.numbers[name]))
        if is_first_process():
            report: dict[str, Any] = self.numbers | {"epochs": engine.state.epoch, "steps": engine.state.iteration}
            write_whole(self.path, json.dumps(report, indent=2) + "\n")


def peak_memory_bytes() -> int:
    """The largest resident memory of this process so far.

    Linux keeps it with the program; elsewhere, what the process that started this one held may be in it.

    Returns:
        Bytes.
    """
    status = Path("/proc/self/status")
    if status.is_file():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _peak_gpu_bytes(engine: Workflow) -> int:
    device = torch.device(engine.state.device)
    return torch.cuda.max_memory_allocated(device) if device.type == "cuda" else 0
