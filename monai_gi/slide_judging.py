"""Judging of slides against their label maps, images larger than memory: Dice by slide, confusion of classes, pictures.

Slides are predicted into `predictions/SLIDE.tif` (see `monai_gi.writers.label_image`; what stopped goes on), and scored
row by row at the level of the prediction. Scores of a class that neither truth nor prediction has are left out.
"""

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from monai_gi.atomic_file import write_whole
from monai_gi.devices import resolve_device
from monai_gi.errors import DataError, DataErrors
from monai_gi.handlers.processes import gathered, is_first_process, patient_group, share_of_process
from monai_gi.metrics.slide_confusion import confusion_counts
from monai_gi.metrics.slide_tables import SlideScore, confusion_rows, score_table, slide_rows, summarise_slides
from monai_gi.network_digest import network_digest, weights_digest
from monai_gi.outcomes import pace
from monai_gi.pictures import DEFAULT_MAX_PIXELS
from monai_gi.plots.class_colors import class_palette
from monai_gi.provenance import INTENDED_USE
from monai_gi.readers.sources import plain_name
from monai_gi.slides import ColorTable, LabelSlide, Slide, find_tissue, open_label, open_slide
from monai_gi.streaming import SlideSettings
from monai_gi.streaming.label_files import LabelFiles, blocks_in, write_label_files
from monai_gi.streaming.label_pass import LabelPass
from monai_gi.streaming.prediction_key import prediction_key, slide_hash
from monai_gi.writers.overlay import write_png
from monai_gi.writers.slide_overlay import LegendEntry, side_by_side, slide_overlay

OVERLAY_PX = 900


def judge_slides(
    items: Sequence[Mapping[str, Any]],
    network: torch.nn.Module,
    settings: SlideSettings,
    output_dir: str | Path,
    colors: ColorTable,
    *,
    device: str | torch.device = "auto",
    overlays: bool = True,
    max_pixels: int | None = None,
) -> dict[str, Any]:
    """Predict slides and score them; slides.csv, confusion.csv, summary.json and overlays/SLIDE.png are written.

    Processes that torchrun started share the slides; the first writes the tables.

    Args:
        items: with id, group, image and label.
        network: windows (n, 3 * levels, h, w) in, logits (n, C, h, w) out.
        settings: of the bundle.
        output_dir: made where it is missing; files of these names are replaced.
        colors: of the label maps.
        device: a name, see `monai_gi.devices.resolve_device`.
        overlays: draw every slide with its prediction and with its truth.
        max_pixels: budget of pictures that have to be decoded whole; None for the default.

    Returns:
        The summary.

    Raises:
        DataError: there are no items, classes of the label maps are not those of the settings, ids give one file name,
            or a file can not be read.
    """
    if not items:
        raise DataError(output_dir, "there is no slide to judge; is the fold right?")
    _check_classes(colors, settings)
    _check_names(output_dir, items)
    place, folder = resolve_device(device), Path(output_dir)
    network = network.to(place).eval()
    budget = DEFAULT_MAX_PIXELS if max_pixels is None else max_pixels
    judge = _Judge(network, settings, folder, place, colors=colors, max_pixels=budget, overlays=overlays)
    group, mine, scores = patient_group(), share_of_process(items), []
    with tqdm(desc="judging", total=len(mine), unit="slide", **pace()) as bar:
        for item in mine:
            scores.append(judge.score(item))
            bar.update()
    order = {str(item["id"]): number for number, item in enumerate(items)}
    scores = sorted(gathered(scores, group), key=lambda score: order[score.slide])
    summary = {
        "intended_use": INTENDED_USE,
        "state_dict_sha256": weights_digest(network.state_dict()),
        **summarise_slides(scores, settings.classes),
        "settings": settings.as_dict(),
    }
    if not is_first_process():
        return summary
    write_whole(folder / "slides.csv", _csv(slide_rows(scores, settings.classes)))
    write_whole(folder / "confusion.csv", _csv(confusion_rows(scores, settings.classes)))
    write_whole(folder / "summary.json", json.dumps(summary, indent=2) + "\n")
    print(f"\n{score_table(scores, settings.classes)}\n\nScores and pictures: {folder.resolve()}", flush=True)
    return summary


class _Judge:
    """Predicts and scores one slide after the other.

    Args:
        network: on the device, in evaluation mode.
        settings: of the bundle.
        folder: of the results.
        device: of the network.
        colors: of the label maps.
        max_pixels: budget of pictures that have to be decoded whole.
        overlays: the same.
    """

    def __init__(
        self,
        network: torch.nn.Module,
        settings: SlideSettings,
        folder: Path,
        device: torch.device,
        *,
        colors: ColorTable,
        max_pixels: int,
        overlays: bool,
    ) -> None:
        self.network, self.settings, self.folder, self.device = network, settings, folder, device
        self.colors, self.max_pixels, self.overlays = colors, max_pixels, overlays
        self.palette = class_palette(settings.classes)
        self.network_key = network_digest(network)

    def score(self, item: Mapping[str, Any]) -> SlideScore:
        """Predict and score one slide."""
        name = plain_name(str(item["id"]))
        path = self.folder / "predictions" / f"{name}.tif"
        truth = open_label(item["label"], self.colors, max_pixels=self.max_pixels)
        with open_slide(item["image"], max_pixels=self.max_pixels) as slide:
            if truth.size != slide.size:
                sizes = f"{truth.size[0]} x {truth.size[1]}, its slide has {slide.size[0]} x {slide.size[1]}"
                raise DataError(truth.path, f"has {sizes} pixels (H x W); wanted one size")
            self._predict(slide, path, name)
            thumbnail = slide.thumbnail(OVERLAY_PX)
        labels = LabelPass(path, len(self.settings.classes), thumbnail.shape[:2])
        small_truth = np.zeros_like(labels.small)
        counts = sum(self._counts(labels, truth, small_truth))
        truth.close()
        if self.overlays:
            self._draw(name, thumbnail, labels.small, small_truth)
        return SlideScore(str(item["id"]), str(item.get("group", "")), np.asarray(counts))

    def _predict(self, slide: Slide, path: Path, name: str) -> None:
        of_this = {"network": self.network_key, "input_sha256": slide_hash(slide.path)}
        key = prediction_key({**self.settings.as_dict(), **of_this}, self.device)
        files = LabelFiles(
            path, self.palette, key, f"{INTENDED_USE} Classes from 0 on: {', '.join(self.settings.classes)}"
        )
        tissue = find_tissue(slide) if self.settings.glass else None
        with tqdm(desc=name, total=blocks_in(slide, self.settings), unit="window", leave=False, disable=None) as bar:
            write_label_files(
                slide,
                self.network,
                self.settings,
                files,
                device=self.device,
                tissue=tissue,
                progress=bar.update,
            )

    def _counts(self, labels: LabelPass, truth: LabelSlide, small_truth: np.ndarray) -> Iterator[np.ndarray]:
        """Confusion of one row of tiles after the other."""
        level, classes = self.settings.levels[0], len(self.settings.classes)
        top = 0
        for rows in labels.rows():
            true = truth.read(level, top, 0, *rows.shape)
            labels.take(small_truth, true, top)
            yield confusion_counts(true, rows, classes)
            top += len(rows)

    def _draw(self, name: str, thumbnail: np.ndarray, pred: np.ndarray, truth: np.ndarray) -> None:
        classes = enumerate(zip(self.settings.classes, self.palette, strict=True))
        entries = [LegendEntry(label, text, rgb) for label, (text, rgb) in classes][1:]
        pictures = [slide_overlay(thumbnail, labels, entries) for labels in (pred, truth)]
        write_png(self.folder / "overlays" / f"{name}.png", side_by_side(pictures, ["prediction", "truth"]))


def _check_classes(colors: ColorTable, settings: SlideSettings) -> None:
    if tuple(colors.class_names) != tuple(settings.classes):
        found, wanted = ", ".join(colors.class_names), ", ".join(settings.classes)
        problem = f"classes {found}; the bundle has {wanted}"
        raise DataError("colors", f"{problem}. Name them alike, or give --classes as the network was trained")


def _check_names(output_dir: str | Path, items: Sequence[Mapping[str, Any]]) -> None:
    """Files of results lack the signs that ids may have."""
    first: dict[str, str] = {}
    faults = []
    for item in items:
        name = plain_name(str(item["id"])).casefold()
        if name in first:
            problem = (
                f"{first[name]} would get the same file name; wanted ids that differ in letters, digits, dots or dashes"
            )
            faults.append(DataError(item["id"], f"{problem}. Rename one, and index again"))
        first.setdefault(name, str(item["id"]))
    if faults:
        raise DataErrors(output_dir, faults)


def _csv(rows: Sequence[Mapping[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
