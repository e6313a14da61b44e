"""Colour frames on the page, one or several to go through, contoured as `monai-gi predict` does."""

import math
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from monai_gi.app.cases import NO_RESULTS, Case, Check, Finding, Masks, Picture, Results
from monai_gi.app.jobs import Report
from monai_gi.confidence import entropy_of_slices
from monai_gi.errors import DataError
from monai_gi.frame_predictor import FramePrediction, FramePredictor
from monai_gi.labels import POLYP_NAMES
from monai_gi.metrics import dice
from monai_gi.outcomes import RESULT
from monai_gi.pictures import picture_header, read_mask, read_rgb
from monai_gi.plots.frames import clinical_frame
from monai_gi.provenance import Provenance
from monai_gi.sharing.manifest import sha256_of
from monai_gi.writers.frame import findings, write_masks
from monai_gi.writers.overlay import write_png
from monai_gi.writers.record import write_record

MOST_FRAMES = 200
LONGEST_PX = 1600
_CERTAIN = 255
_DOUBT = 0.1
_MOST_CHECKS = 10
_OVERLAY = "overlay.png"
_MASK_MARK = re.compile(r"^mask[_-]|[_-]mask$")


@dataclass(frozen=True)
class FramesCase(Case):
    """Frames in their order, with what was found in them and the truth as far as they are there.

    Attributes:
        paths: of the frames.
        frames: (H, W, 3) uint8 each.
        classes: names of the channels.
        found: (C, H, W) bool of each frame; empty before the network ran.
        certain: (C, H, W) uint8 of each frame, probabilities as 0 to 255.
        reference: (H, W) bool of each frame; empty without a truth.
        results: files that were written.
        kind: "frames".
        unit: "Frame".
        heads: of the table of findings.
    """

    paths: tuple[Path, ...]
    frames: tuple[np.ndarray, ...]
    classes: tuple[str, ...] = POLYP_NAMES
    found: tuple[np.ndarray, ...] = ()
    certain: tuple[np.ndarray, ...] = ()
    reference: tuple[np.ndarray, ...] = ()
    results: Results = NO_RESULTS

    kind = "frames"
    unit = "Frame"
    heads = ("Class", "Area", "Frames")

    @property
    def score_rule(self) -> str:  # type: ignore[override]
        """How scores of several frames become one."""
        if len(self.frames) == 1:
            return ""
        return "Dice is the mean over the frames; those with neither are left out."

    @property
    def has_prediction(self) -> bool:  # type: ignore[override]
        """Whether the network ran."""
        return bool(self.found)

    @property
    def has_probabilities(self) -> bool:  # type: ignore[override]
        """Whether probabilities were kept."""
        return bool(self.certain)

    @property
    def has_truth(self) -> bool:  # type: ignore[override]
        """Whether there is a truth."""
        return bool(self.reference)

    @property
    def labels(self) -> Sequence[str]:
        """Numbers from 1."""
        return [str(number + 1) for number in range(len(self.frames))]

    @property
    def about(self) -> str:
        """How many, and their size."""
        height, width = self.frames[0].shape[:2]
        what = f"{len(self.frames)} colour frames" if len(self.frames) > 1 else "Colour frame"
        return f"{what}, {height} × {width} pixels"

    def picture(self, position: int, window: tuple[float, float] | None) -> Picture:
        """One frame as stored; a large one in small."""
        frame = self.frames[position]
        height, width = frame.shape[:2]
        step = -(-max(height, width) // LONGEST_PX)
        return Picture(frame if step == 1 else np.asarray(Image.fromarray(frame).reduce(step)), (height, width))

    def masks(self, position: int) -> Masks:
        """What was found in a frame."""
        return dict(zip(self.classes, self.found[position], strict=True)) if self.found else {}

    def truth(self, position: int) -> Masks:
        """The truth of a frame, which is of the first class."""
        return {self.classes[0]: self.reference[position]} if self.reference else {}

    def probabilities(self, position: int) -> Masks:
        """Of every class; large frames in small."""
        return dict(zip(self.classes, self.certain[position], strict=True)) if self.certain else {}

    def findings(self) -> Sequence[Finding]:
        """Share of the frames and number of those with the class, and the mean of their Dice."""
        masks = self.found or tuple(truth[None] for truth in self.reference)
        if not masks:
            return ()
        return [self._finding(channel, [mask[channel] for mask in masks]) for channel in range(len(masks[0]))]

    def checks(self) -> Sequence[Check]:
        """Frames of most doubt, worst first."""
        doubts = [
            float(entropy_of_slices((sure / np.float32(_CERTAIN))[..., None], mask[..., None], 1)[0])
            for sure, mask in zip(self.certain, self.found, strict=True)
        ]
        worst = sorted(range(len(doubts)), key=lambda place: -doubts[place])[:_MOST_CHECKS]
        reasons = {True: "the network is unsure", False: "nothing found, but the network is unsure"}
        return [Check(one, reasons[bool(self.found[one].any())]) for one in worst if doubts[one] > _DOUBT]

    def with_truth(self, paths: Sequence[Path], max_pixels: int) -> "FramesCase":
        """The case with another truth.

        Args:
            paths: one mask a frame, named as it; none takes the truth away.
            max_pixels: of one mask.

        Returns:
            A new case.

        Raises:
            DataError: a frame without a mask, or a mask of another size.
        """
        paths = _matched(paths, self.paths) if paths else ()
        for path, frame in zip(paths, self.frames, strict=False):
            size = picture_header(path).size
            if size != frame.shape[:2]:
                found, wanted = (f"{one[0]} × {one[1]}" for one in (size, frame.shape))
                raise DataError(path.name, f"{found} pixels, its frame has {wanted}; give the mask of this frame")
        masks = tuple(read_mask(path, max_pixels=max_pixels) for path in paths)
        return replace(self, reference=masks)

    def _finding(self, channel: int, masks: Sequence[np.ndarray]) -> Finding:
        pixels = sum(int(np.count_nonzero(mask)) for mask in masks)
        share = pixels / sum(mask.size for mask in masks)
        frames = sum(bool(mask.any()) for mask in masks)
        place = f"{frames} of {len(masks)}"
        score = None
        if self.found and self.reference and channel == 0:
            scores = [dice(*pair) for pair in zip(masks, self.reference, strict=True)]
            drawn = [one for one in scores if not math.isnan(one)]
            score = sum(drawn) / len(drawn) if drawn else math.nan
        return Finding(self.classes[channel], f"{100 * share:.1f} %", place, score)


class FrameEngine:
    """Contours frames with one bundle.

    Args:
        predictor: of the bundle.
        provenance: of the bundle.

    Attributes:
        kind: "frames".
    """

    kind = "frames"

    def __init__(self, predictor: FramePredictor, provenance: Provenance) -> None:
        self.predictor, self.provenance = predictor, provenance
        self.classes = predictor.settings.classes

    def contour(self, case: FramesCase, folder: Path, report: Report) -> FramesCase:
        """Contour frames and write their results.

        Args:
            case: to be contoured.
            folder: for the results, empty.
            report: is told of every frame, and may end the work.

        Returns:
            The case with its results.
        """
        found, certain = [], []
        files: dict[str, Path] = {}
        for number, frame in enumerate(case.frames, start=1):
            report(f"Contouring frame {number} of {len(case.frames)}", (number - 1) / len(case.frames))
            prediction = self.predictor.predict(frame)
            found.append(prediction.masks)
            certain.append(np.rint(prediction.probabilities * _CERTAIN).astype(np.uint8))
            place = folder if len(case.frames) == 1 else folder / f"frame_{number}"
            self._write(place, case.paths[number - 1], frame, prediction)
            files |= {path.relative_to(folder).as_posix(): path for path in sorted(place.iterdir())}
        return replace(case, found=tuple(found), certain=tuple(certain), results=Results(files))

    def _write(self, folder: Path, path: Path, frame: np.ndarray, prediction: FramePrediction) -> None:
        """Masks, overlay and record of one frame."""
        start = time.perf_counter()
        folder.mkdir(parents=True, exist_ok=True)
        write_masks(folder, prediction.masks, self.classes)
        write_png(folder / _OVERLAY, clinical_frame(frame, prediction.masks, title=folder.name, classes=self.classes))
        about = {
            "frame": {"name": folder.name, "kind": "frame", "size": list(frame.shape[:2])},
            "classes": findings(prediction.masks, prediction.probabilities, self.classes),
        }
        settings: dict[str, Any] = {
            **self.predictor.settings.as_dict(),
            "weights_sha256": self.provenance.weights_sha256,
            "input_sha256": sha256_of(path),
        }
        seconds = {**prediction.seconds, "write all": time.perf_counter() - start}
        write_record(folder / RESULT, about, self.provenance, seconds=seconds, settings=settings)


def _matched(masks: Sequence[Path], frames: Sequence[Path]) -> Sequence[Path]:
    """Masks in the order of their frames, by name; one mask of one frame may have any."""
    if len(masks) == len(frames) == 1:
        return masks
    by_name = {_bare_stem(path): path for path in masks}
    names = [path.stem.casefold() for path in frames]
    lacking = [path.name for path, name in zip(frames, names, strict=True) if name not in by_name]
    if lacking or len(by_name) != len(masks) or len(set(names)) != len(names) or len(masks) != len(frames):
        found = (
            f"{len(masks)} mask{'s' if len(masks) > 1 else ''} for {len(frames)} frame{'s' if len(frames) > 1 else ''}"
        )
        missing = f", none is named as {lacking[0]}" if lacking else ""
        raise DataError("masks", f"{found}{missing}; give each frame one mask of its own name, such as 1.png for 1.jpg")
    return [by_name[name] for name in names]


def _bare_stem(mask: Path) -> str:
    return _MASK_MARK.sub("", mask.stem.casefold())


def read_frames(paths: Sequence[Path], classes: Sequence[str], max_pixels: int, report: Report) -> FramesCase:
    """Read colour frames.

    Args:
        paths: pictures, in the order in which they are shown.
        classes: of the bundle.
        max_pixels: of all of them together.
        report: is told of every frame.

    Returns:
        A case that was not contoured yet.

    Raises:
        DataError: too many frames or pixels, or a picture that can not be read.
    """
    if len(paths) > MOST_FRAMES:
        raise DataError("upload", f"holds {len(paths)} frames, at most {MOST_FRAMES} are shown. Take monai-gi predict")
    sizes = [picture_header(path).size for path in paths]
    pixels = sum(height * width for height, width in sizes)
    if pixels > max_pixels:
        raise DataError("upload", f"holds {pixels:,} pixels, at most {max_pixels:,} are read. Upload fewer frames")
    frames = []
    for number, path in enumerate(paths, start=1):
        report(f"Reading frame {number} of {len(paths)}", number / len(paths))
        frames.append(read_rgb(path, max_pixels=max_pixels))
    return FramesCase(tuple(paths), tuple(frames), tuple(classes))
