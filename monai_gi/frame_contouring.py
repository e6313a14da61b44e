"""Colour frames for `monai-gi predict`: a picture or a folder of pictures, one folder a frame, `result.json` last.

A frame leaves `mask.png` (255 inside, of the frame's size; `mask_CLASS.png` where there are several classes) and
`overlay.png` to look at.
"""

import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from monai_gi.atomic_file import part_of
from monai_gi.errors import DataError, DataErrors
from monai_gi.frame_predictor import FramePrediction, FramePredictor, FrameSettings
from monai_gi.outcomes import RESULT, Outcome, Task, finished, run_tasks
from monai_gi.outputs import FORMATS_OF_KIND, unsuited
from monai_gi.pictures import read_rgb
from monai_gi.plots.frames import clinical_frame
from monai_gi.prediction_request import Request, provenance_of, settings_of
from monai_gi.readers.frames import Frame, find_frames, is_grey
from monai_gi.sharing.manifest import sha256_of
from monai_gi.sharing.opening import Bundle
from monai_gi.writers.frame import findings, mask_names, write_masks
from monai_gi.writers.overlay import write_png
from monai_gi.writers.record import write_record

OVERLAY = "overlay.png"
# A frame takes about 27 bytes a pixel on its way through the network, 2.7 GB here; a file of some kB may unfold to it.
FRAME_MAX_PIXELS = 100_000_000


def contour_frames(request: Request, bundle: Bundle) -> list[Outcome]:
    """Contour a picture, or every colour picture in a folder.

    Args:
        request: what to do.
        bundle: of the kind "frames".

    Returns:
        One outcome a picture, by name. Pictures that were done before, with the same bundle and settings, are not
        touched; grey pictures in a folder, which are masks as a rule, are left out.

    Raises:
        DataError: nothing to contour, a format that does not suit, a setting that is none.
        NotContouredError: all at once after the other frames are done, the frames that could not be contoured.
    """
    if faults := unsuited(bundle.name, "frame", request.formats):
        raise DataErrors("--format", faults)
    settings = FrameSettings.from_config(bundle.config)
    settings = settings_of(settings, settings.classes, bundle, request)
    frames = find_frames(request.input)
    chosen, left_out = _choose(frames, request)
    job = _Job(request, bundle, settings)
    outcomes, found = job.run(chosen)
    return finished([*left_out, *outcomes], found, [frame.name for frame in frames])


def _choose(frames: Sequence[Frame], request: Request) -> tuple[list[Frame], list[Outcome]]:
    """Frames to contour, and outcomes of grey pictures; a picture that was named itself is always taken."""
    grey = [frame for frame in frames if request.input.is_dir() and is_grey(frame.path)]
    chosen = [frame for frame in frames if frame not in grey]
    if not chosen:
        problem = f"all {len(frames)} pictures are grey, as masks are; colour frames are wanted"
        raise DataError(request.input, f"{problem}. A grey picture named by itself is contoured nevertheless")
    reason = "left out: grey, as masks are"
    return chosen, [Outcome(frame.name, request.output / frame.name, reason) for frame in grey]


class _Job:
    """Contours frames one after the other.

    Args:
        request: what the user asked for.
        bundle: of frames.
        settings: to predict with.
    """

    def __init__(self, request: Request, bundle: Bundle, settings: FrameSettings) -> None:
        self.request = request
        self.predictor = FramePredictor(bundle.network, settings, request.device)
        self.provenance = provenance_of(bundle)
        self.formats = request.formats or FORMATS_OF_KIND["frame"]
        # What a result depends on: a result of other settings is not taken for done.
        self.settings = {
            **settings.as_dict(),
            "formats": sorted(self.formats),
            "weights_sha256": self.provenance.weights_sha256,
        }

    def run(self, frames: Sequence[Frame]) -> tuple[list[Outcome], list[DataError]]:
        """Contour what is not done."""
        tasks = [
            Task(frame.name, self.request.output / frame.name, frame, 1, partial(self._settings_of, frame))
            for frame in frames
        ]
        return run_tasks(tasks, self._contour, unit="frame", overwrite=self.request.overwrite)

    def _contour(self, task: Task[Frame], bar: tqdm) -> None:
        """Read, predict and write one frame."""
        start = time.perf_counter()
        max_pixels = FRAME_MAX_PIXELS if self.request.max_pixels is None else self.request.max_pixels
        frame = read_rgb(task.source.path, max_pixels=max_pixels)
        read = time.perf_counter()
        prediction = self.predictor.predict(frame)
        bar.update()
        self._write(task, frame, prediction, {"read": read - start, **prediction.seconds})

    def _write(
        self, task: Task[Frame], frame: np.ndarray, prediction: FramePrediction, spent: dict[str, float]
    ) -> None:
        """Write the results of one frame."""
        start = time.perf_counter()
        classes = self.predictor.settings.classes
        _clear(task.folder, classes)
        files = write_masks(task.folder, prediction.masks, classes) if "mask" in self.formats else []
        if "overlay" in self.formats:
            picture = clinical_frame(frame, prediction.masks, title=task.name, classes=classes)
            files.append(write_png(task.folder / OVERLAY, picture))
        found = {
            "frame": {"name": task.name, "kind": "frame", "size": list(frame.shape[:2])},
            "classes": findings(prediction.masks, prediction.probabilities, classes),
        }
        seconds = {**spent, "write all": time.perf_counter() - start}
        settings = self._settings_of(task.source)
        write_record(task.folder / RESULT, found, self.provenance, seconds=seconds, settings=settings, files=files)

    def _settings_of(self, frame: Frame) -> dict[str, Any]:
        return {**self.settings, "input_sha256": sha256_of(frame.path)}


def _clear(folder: Path, classes: Sequence[str]) -> None:
    """Remove what earlier runs left of a frame, `result.json` first: a mask of other settings must not stay beside."""
    for name in (RESULT, *mask_names(classes), OVERLAY):
        (folder / name).unlink(missing_ok=True)
        part_of(folder / name).unlink(missing_ok=True)
