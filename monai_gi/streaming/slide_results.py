"""What one predicted slide leaves in its folder, `result.json` last.

`labels.tif` (tiled, pyramidal, palette colours, class indices), `regions.geojson` (for QuPath), `overlay.png` and, on
request, `probability_CLASS.tif` (0 to 255). The label image is streamed; everything else is drawn from it.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from monai_gi.atomic_file import part_of
from monai_gi.outcomes import RESULT, formats_there
from monai_gi.pictures import DEFAULT_MAX_PIXELS
from monai_gi.plots.class_colors import class_palette
from monai_gi.provenance import INTENDED_USE, Provenance
from monai_gi.readers.sources import plain_name
from monai_gi.slides import Slide, find_tissue, open_slide
from monai_gi.streaming.label_files import LabelFiles, write_label_files
from monai_gi.streaming.label_pass import LabelPass
from monai_gi.streaming.prediction_key import prediction_key, slide_hash
from monai_gi.streaming.settings import SlideSettings
from monai_gi.writers.label_image import forget
from monai_gi.writers.overlay import write_png
from monai_gi.writers.record import write_record
from monai_gi.writers.slide_overlay import LegendEntry, slide_overlay
from monai_gi.writers.slide_polygons import RegionClass, RegionCount, write_polygons

LABELS, REGIONS, OVERLAY = "labels.tif", "regions.geojson", "overlay.png"
OVERLAY_PX = 1600
_MM2_IN_UM2 = 1e-6


@dataclass(frozen=True, kw_only=True)
class SlideJob:
    """What to do with slides.

    Attributes:
        network: windows in, logits out; on the device, in evaluation mode.
        settings: of the bundle.
        output: folder of all results.
        provenance: of the network.
        formats: "label-image", "geojson", "overlay", "probability".
        device: of the network.
        max_pixels: budget of pictures that have to be decoded whole.
        overwrite: redo slides that are done.
    """

    network: torch.nn.Module
    settings: SlideSettings
    output: Path
    provenance: Provenance
    formats: tuple[str, ...]
    device: torch.device
    max_pixels: int | None = None
    overwrite: bool = False


class SlideResults:
    """One slide and its results.

    Args:
        name: of the slide.
        path: of the slide.
        job: what to do.
    """

    def __init__(self, name: str, path: Path, job: SlideJob) -> None:
        self.name, self.path, self.job = name, path, job
        self.folder = job.output / name
        self.seconds: dict[str, float] = {}
        self.started = time.perf_counter()

    def opened(self) -> Slide:
        """The slide, to be closed."""
        budget = DEFAULT_MAX_PIXELS if self.job.max_pixels is None else self.job.max_pixels
        return open_slide(self.path, max_pixels=budget)

    @cached_property
    def predicted_with(self) -> dict[str, Any]:
        """What the pixels of the result depend on; the slide is read once for its hash."""
        return {
            **self.job.settings.as_dict(),
            "weights_sha256": self.job.provenance.weights_sha256,
            "input_sha256": slide_hash(self.path),
        }

    @cached_property
    def formats(self) -> tuple[str, ...]:
        """What is written: what is asked for, and what an earlier result of the same settings has."""
        there = set() if self.job.overwrite else formats_there(self.folder)
        return tuple(sorted({*self.job.formats, *there}))

    def settings(self, formats: Iterable[str]) -> dict[str, Any]:
        """What the result as a whole depends on.

        Args:
            formats: that it has.

        Returns:
            The settings as JSON holds them.
        """
        return {**self.predicted_with, "formats": sorted(formats)}

    def write(self, progress: Callable[[int], object]) -> None:
        """Predict it and write its results; images that are whole already are not predicted again.

        Args:
            progress: as for `write_label_files`.

        Raises:
            DataError: the slide can not be read.
            OSError: the disk refuses.
        """
        self.started = time.perf_counter()
        files = self._files()
        self._clear(files)
        with self.opened() as slide:
            self._lap("open")
            tissue = find_tissue(slide) if self.job.settings.glass else None
            self._lap("find tissue")
            write_label_files(
                slide,
                self.job.network,
                self.job.settings,
                files,
                device=self.job.device,
                tissue=tissue,
                progress=progress,
            )
            self._lap("predict")
            found = self._write_rest(slide)
        if "label-image" not in self.formats:
            forget(self.folder / LABELS)
        write_record(
            self.folder / RESULT,
            found,
            self.job.provenance,
            seconds=self.seconds,
            settings=self.settings(self.formats),
            files=self._kept(files),
        )

    def _kept(self, files: LabelFiles) -> list[Path]:
        """What stays beside `result.json`."""
        of_format = {
            "label-image": [files.labels],
            "geojson": [self.folder / REGIONS],
            "overlay": [self.folder / OVERLAY],
            "probability": list(files.probabilities.values()),
        }
        return [path for name in self.formats for path in of_format[name]]

    def _files(self) -> LabelFiles:
        classes = self.job.settings.classes
        asked = range(len(classes)) if "probability" in self.formats else ()
        return LabelFiles(
            labels=self.folder / LABELS,
            colors=class_palette(classes),
            key=prediction_key(self.predicted_with, self.job.device),
            description=f"{INTENDED_USE} Classes from 0 on: {', '.join(classes)}",
            probabilities={channel: self.folder / probability_name(classes[channel]) for channel in asked},
        )

    def _clear(self, files: LabelFiles) -> None:
        """Remove what must not stay beside new results; images that can be gone on with stay."""
        for name in (RESULT, REGIONS, OVERLAY):
            for path in (self.folder / name, part_of(self.folder / name)):
                path.unlink(missing_ok=True)
        of_classes = {self.folder / probability_name(name) for name in self.job.settings.classes}
        for path in of_classes - set(files.probabilities.values()):
            forget(path)
        if self.job.overwrite:
            for path in (files.labels, *files.probabilities.values()):
                forget(path)

    def _write_rest(self, slide: Slide) -> dict[str, Any]:
        """What is drawn from the label image, and what `result.json` says of the slide."""
        classes, scale = self.job.settings.classes, 2 ** self.job.settings.levels[0]
        thumbnail = slide.thumbnail(OVERLAY_PX)
        labels = LabelPass(self.folder / LABELS, len(classes), (thumbnail.shape[0], thumbnail.shape[1]))
        counts: dict[str, RegionCount] = {}
        colors = class_palette(classes)
        if "geojson" in self.formats:
            drawn = [RegionClass(label, classes[label], colors[label]) for label in range(1, len(classes))]
            counts = write_polygons(self.folder / REGIONS, labels.rows(), labels.size[1], drawn, scale=scale)
        else:
            for _ in labels.rows():
                pass
        self._lap("polygons")
        if "overlay" in self.formats:
            entries = [LegendEntry(label, classes[label], colors[label]) for label in range(1, len(classes))]
            write_png(self.folder / OVERLAY, slide_overlay(thumbnail, labels.small, entries))
        self._lap("overlay")
        about = {"name": self.name, "kind": slide.kind, "size": list(slide.size), "mpp": slide.mpp and list(slide.mpp)}
        pixels = zip(classes, (int(one) for one in labels.pixels), strict=True)
        return {"slide": about, "classes": dict(_class_facts(pixels, scale, slide.mpp, counts))}

    def _lap(self, stage: str) -> None:
        now = time.perf_counter()
        self.seconds[stage] = now - self.started
        self.started = now


def probability_name(name: str) -> str:
    """File of the probabilities of a class.

    Args:
        name: of the class.

    Returns:
        A plain file name.
    """
    return f"probability_{plain_name(name)}.tif"


def _class_facts(
    pixels: Iterator[tuple[str, int]],
    scale: int,
    mpp: tuple[float, float] | None,
    counts: Mapping[str, RegionCount],
) -> Iterator[tuple[str, dict[str, Any]]]:
    """What `result.json` says of each class."""
    for name, count in pixels:
        facts: dict[str, Any] = {"pixels": count}
        if mpp is not None:
            facts["area_mm2"] = round(count * scale**2 * float(np.prod(mpp)) * _MM2_IN_UM2, 6)
        if name in counts:
            facts["regions"] = counts[name].regions
        yield name, facts
