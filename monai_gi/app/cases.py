"""What the page shows, whatever it came from: positions to go through, pictures, masks, probabilities, findings.

Masks of one position are (h, w) bool by class name, on the pixels of its picture. Positions count from 0.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from monai_gi.plots import color_of

Masks = Mapping[str, np.ndarray]


class Picture(NamedTuple):
    """What one position looks like.

    Attributes:
        pixels: uint8, (h, w) or (h, w, 3).
        size: (height, width) that it is drawn in: mm of a scan, pixels of anything else, so that proportions are true.
        edges: the patient's sides at the top, right, bottom and left; None where nobody knows.
        in_mm: `size` is in mm, and a scale bar can be drawn.
    """

    pixels: np.ndarray
    size: tuple[float, float]
    edges: tuple[str, str, str, str] | None = None
    in_mm: bool = False


class Window(NamedTuple):
    """Grey values that become black and white, and the range to choose them from.

    Attributes:
        low: becomes black.
        high: becomes white.
        least: smallest value of the scan.
        most: largest value.
    """

    low: float
    high: float
    least: float
    most: float


class Finding(NamedTuple):
    """One class, in words and numbers, for the table.

    Attributes:
        name: of the class.
        amount: how much of it, in the unit of the table's head.
        place: where it is, or how many there are.
        dice: against the truth, 0 to 1; None where there is no truth, NaN where both are empty.
        hd95_mm: 95 % Hausdorff distance to the truth, or None.
    """

    name: str
    amount: str
    place: str = ""
    dice: float | None = None
    hd95_mm: float | None = None


class Check(NamedTuple):
    """A position to look at before the others.

    Attributes:
        position: from 0.
        reason: in words.
    """

    position: int
    reason: str


@dataclass(frozen=True)
class Results:
    """What a contoured case left on disk.

    Attributes:
        files: paths by the name under which they are downloaded, the important ones first.
        notes: what the user should know, in sentences.
    """

    files: Mapping[str, Path] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


NO_RESULTS = Results()


class Case(ABC):
    """One upload or example, ready to look at; it is replaced, never changed."""

    kind: str
    classes: tuple[str, ...]
    heads: tuple[str, str, str]
    score_rule = ""
    truth_notes: tuple[str, ...] = ()
    unit = "Slice"
    window: Window | None = None
    has_prediction = False
    has_probabilities = False
    has_truth = False
    is_vector = True
    results = NO_RESULTS

    @property
    def colors(self) -> Mapping[str, tuple[int, int, int]]:
        """Red, green and blue of each class, 0 to 255."""
        return {name: color_of(name) for name in self.classes}

    @property
    @abstractmethod
    def labels(self) -> Sequence[str]:
        """A name of each position."""

    @property
    @abstractmethod
    def about(self) -> str:
        """What it is, in one phrase; no names of patients or files."""

    @abstractmethod
    def picture(self, position: int, window: tuple[float, float] | None) -> Picture:
        """Draw one position.

        Args:
            position: from 0.
            window: grey values that become black and white; None takes those of the case.

        Returns:
            The picture without anything on it.
        """

    @abstractmethod
    def masks(self, position: int) -> Masks:
        """What the network found at a position; nothing before it ran."""

    @abstractmethod
    def truth(self, position: int) -> Masks:
        """What the truth says of a position; nothing where there is none."""

    @abstractmethod
    def probabilities(self, position: int) -> Masks:
        """(h, w) uint8 by class, 0 to 255 for 0 to 1; nothing where there are none."""

    @abstractmethod
    def findings(self) -> Sequence[Finding]:
        """One a class, of the prediction, or of the truth where there is nothing else."""

    def checks(self) -> Sequence[Check]:
        """Positions to look at first, worst first."""
        return ()
