"""Slides on the page: a thumbnail with the label map over it; the files for download have every pixel."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from monai_gi.app.cases import NO_RESULTS, Case, Finding, Masks, Picture, Results
from monai_gi.app.jobs import Report
from monai_gi.errors import DataError
from monai_gi.labels import TISSUE_NAMES
from monai_gi.metrics.slide_confusion import confusion_counts, dice_of_classes
from monai_gi.plots.class_colors import class_palette
from monai_gi.slides import ColorTable, LabelSlide, open_label, open_slide
from monai_gi.streaming.label_pass import LabelPass
from monai_gi.streaming.slide_results import LABELS

THUMBNAIL_PX = 1600
_UNKNOWN = 254
_MOST_UNKNOWN = 0.02
_TOLERANCE = 16  # of colours that went through JPEG
_MM2_IN_UM2 = 1e-6


@dataclass(frozen=True)
class SlideCase(Case):
    """One slide, with what was found in it and the truth as far as they are there.

    Attributes:
        path: of the slide.
        size: (H, W) of the full image.
        mpp: micrometres a pixel (row, column), or None.
        thumbnail: (h, w, 3) uint8.
        all_classes: names in the order of the network's channels, background first.
        found: (h, w) uint8 of class indices, or None.
        pixels: of each class, at the level of the network's output.
        level: of the network's output.
        certain: (h, w) uint8 of each class but the background, or empty.
        reference: (h, w) uint8 of class indices, or None.
        truth_path: file of the truth, or None.
        scores: Dice of each class, in every pixel of the level; empty without prediction or truth.
        results: files that were written.
        kind: "slides".
        heads: of the table of findings.
        unit: "Slide".
        is_vector: no; label maps are drawn as pictures.
        labels: there is one position.
    """

    path: Path
    size: tuple[int, int]
    mpp: tuple[float, float] | None
    thumbnail: np.ndarray
    all_classes: tuple[str, ...] = TISSUE_NAMES
    found: np.ndarray | None = None
    pixels: tuple[int, ...] = ()
    level: int = 0
    certain: tuple[np.ndarray, ...] = ()
    reference: np.ndarray | None = None
    truth_path: Path | None = None
    scores: tuple[float, ...] = ()
    results: Results = NO_RESULTS

    kind = "slides"
    heads = ("Tissue", "Area", "Share")
    unit = "Slide"
    is_vector = False
    labels = ("1",)

    @property
    def classes(self) -> tuple[str, ...]:  # type: ignore[override]
        """All but the background."""
        return self.all_classes[1:]

    @property
    def colors(self) -> dict[str, tuple[int, int, int]]:
        """Those of the label image."""
        return dict(zip(self.all_classes, class_palette(self.all_classes), strict=True))

    @property
    def has_prediction(self) -> bool:  # type: ignore[override]
        """Whether the network ran."""
        return self.found is not None

    @property
    def has_probabilities(self) -> bool:  # type: ignore[override]
        """Whether probabilities were written."""
        return bool(self.certain)

    @property
    def has_truth(self) -> bool:  # type: ignore[override]
        """Whether there is a truth."""
        return self.reference is not None

    @property
    def about(self) -> str:
        """Size and resolution."""
        scale = f", {self.mpp[0]:.2f} µm a pixel" if self.mpp else ""
        return f"Slide, {self.size[0]:,} × {self.size[1]:,} pixels{scale}"

    def picture(self, position: int, window: tuple[float, float] | None) -> Picture:
        """The thumbnail."""
        return Picture(self.thumbnail, (self.thumbnail.shape[0], self.thumbnail.shape[1]))

    def masks(self, position: int) -> Masks:
        """Tissues that were found."""
        return self._split(self.found)

    def truth(self, position: int) -> Masks:
        """Tissues of the truth."""
        return self._split(self.reference)

    def probabilities(self, position: int) -> Masks:
        """Of every tissue."""
        return dict(zip(self.classes, self.certain, strict=True)) if self.certain else {}

    def findings(self) -> Sequence[Finding]:
        """Area of each tissue and its share of them all."""
        pixels = self.pixels or self._pixels_of_truth()
        tissue = max(1, sum(pixels[1:]))
        scores = self.scores or (None,) * len(self.all_classes)
        return [
            Finding(name, self._area(count), f"{100 * count / tissue:.1f} %", score)
            for name, count, score in zip(self.classes, pixels[1:], scores[1:], strict=False)
        ]

    def with_truth(self, path: Path | None, max_pixels: int, report: Report) -> "SlideCase":
        """The case with another truth, scored pixel by pixel where the network ran.

        Args:
            path: a colour map or index image of the slide's size; None takes the truth away.
            max_pixels: of what has to be decoded whole.
            report: is told how far it is.

        Returns:
            A new case.

        Raises:
            DataError: it is no label map of this slide.
        """
        if path is None:
            return replace(self, reference=None, truth_path=None, scores=())
        truth = open_label(path, self._table(), max_pixels=max_pixels)
        try:
            if truth.size != self.size:
                found, wanted = (f"{height:,} × {width:,}" for height, width in (truth.size, self.size))
                raise DataError(path.name, f"{found} pixels, the slide has {wanted}; give the label map of this slide")
            report("Reading the truth")
            small = _in_small(truth, self.thumbnail.shape[:2])
            if np.mean(small == _UNKNOWN) > _MOST_UNKNOWN:
                wanted = ", ".join(f"{name} {rgb}" for name, rgb in self.colors.items())
                raise DataError(path.name, f"has other colours; class numbers or these are wanted: {wanted}")
            scores = tuple(self._dice(truth, report)) if self.found is not None else ()
        finally:
            truth.close()
        return replace(self, reference=_known(small), truth_path=path, scores=scores)

    def _dice(self, truth: LabelSlide, report: Report) -> Sequence[float]:
        """Of each class, over every pixel of the output's level."""
        labels = LabelPass(self.results.files[LABELS], len(self.all_classes), self.thumbnail.shape[:2])
        counts = np.zeros((len(self.all_classes),) * 2, dtype=np.int64)
        top = 0
        for rows in labels.rows():
            report("Comparing with the truth", top / labels.size[0])
            height, width = rows.shape
            counts += confusion_counts(_known(truth.read(self.level, top, 0, height, width)), rows, len(counts))
            top += height
        return [float(one) for one in dice_of_classes(counts)]

    def _table(self) -> ColorTable:
        return ColorTable(
            names=self.all_classes,
            indices=tuple(range(len(self.all_classes))),
            rgb=tuple(class_palette(self.all_classes)),
            tolerance=_TOLERANCE,
            unknown=_UNKNOWN,
        )

    def _split(self, labels: np.ndarray | None) -> Masks:
        if labels is None:
            return {}
        return {name: labels == index for index, name in enumerate(self.all_classes) if index}

    def _pixels_of_truth(self) -> tuple[int, ...]:
        """Pixels of each class of the truth, as the thumbnail shows it."""
        if self.reference is None:
            return ()
        counts = np.bincount(self.reference.ravel(), minlength=len(self.all_classes))
        return tuple((counts * (self.size[0] * self.size[1] / self.reference.size)).round().astype(int).tolist())

    def _area(self, pixels: int) -> str:
        if self.mpp is None:
            return f"{pixels * 4**self.level:,} pixels"
        return f"{pixels * 4**self.level * self.mpp[0] * self.mpp[1] * _MM2_IN_UM2:.3f} mm²"


def read_slide(path: Path, all_classes: Sequence[str], max_pixels: int) -> SlideCase:
    """Read a slide in small.

    Args:
        path: the slide.
        all_classes: of the bundle, background first.
        max_pixels: of pictures that have to be decoded whole.

    Returns:
        A case that was not predicted yet.

    Raises:
        DataError: it can not be read.
    """
    with open_slide(path, max_pixels=max_pixels) as slide:
        return SlideCase(path, slide.size, slide.mpp, slide.thumbnail(THUMBNAIL_PX), tuple(all_classes))


def _in_small(truth: LabelSlide, size: tuple[int, ...]) -> np.ndarray:
    """A label map of a thumbnail's size (h, w): the pixel in the middle of every square."""
    level = 0
    while min(np.array(truth.level_size(level + 1)) / size) >= 1:
        level += 1
    height, width = truth.level_size(level)
    labels = truth.read(level, 0, 0, height, width)
    rows, columns = (
        ((np.arange(few) + 0.5) * many / few).astype(int) for many, few in zip(labels.shape, size, strict=True)
    )
    return labels[np.ix_(rows, columns)]


def _known(labels: np.ndarray) -> np.ndarray:
    """Unknown colours as background."""
    return np.where(labels == _UNKNOWN, 0, labels).astype(np.uint8)
