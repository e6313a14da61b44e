"""One pass over a label image: pixels of each class, and the image in small, while others use its rows."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from monai_gi.writers.label_image import label_rows
from monai_gi.writers.tiff_directory import first_page


class LabelPass:
    """Reads a label image from the top and keeps what is small.

    Args:
        path: of a label image of this package.
        classes: number of classes.
        small_size: (h, w) of the small image.

    Attributes:
        size: (H, W) of the image.
        pixels: (classes,) of each class, in the rows that were read.
        small: (h, w) uint8, the pixel in the middle of every square.
    """

    size: tuple[int, int]
    pixels: np.ndarray
    small: np.ndarray

    def __init__(self, path: str | Path, classes: int, small_size: Sequence[int]) -> None:
        self.path = Path(path)
        self.size = first_page(path).size
        self.pixels = np.zeros(classes, dtype=np.int64)
        self.small = np.zeros(tuple(small_size), dtype=np.uint8)

    def rows(self) -> Iterator[np.ndarray]:
        """Go through the image.

        Yields:
            np.ndarray: (n, W), uint8, from the top.
        """
        top = 0
        for rows in label_rows(self.path):
            for row in rows:  # one at a time: eight bytes a pixel are needed for it
                self.pixels += np.bincount(row, minlength=len(self.pixels))[: len(self.pixels)]
            self.take(self.small, rows, top)
            top += len(rows)
            yield rows

    def take(self, small: np.ndarray, rows: np.ndarray, top: int) -> None:
        """Fill a small image as `small` is, from rows of an image of this size.

        Args:
            small: (h, w), to be filled where these rows are shown.
            rows: (n, W).
            top: number of the first row.
        """
        wanted_rows, wanted_columns = (
            ((np.arange(few) + 0.5) * many / few).astype(np.int64)
            for many, few in zip(self.size, self.small.shape, strict=True)
        )
        (here,) = np.nonzero((wanted_rows >= top) & (wanted_rows < top + len(rows)))
        small[here] = rows[wanted_rows[here] - top][:, wanted_columns]
