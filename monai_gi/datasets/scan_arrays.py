"""One scan as arrays on disk, axes (slice, row, column), slices in ascending number.

A folder holds `images.npy` (N, H, W) uint16, `labels.npy` (N, H, W) uint8 whose bit c is mask channel c, and
`histogram.npy` (2, V) int64: the grey values that occur and how often. The folder is complete or it is not there.
"""

import contextlib
import shutil
import time
import uuid
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from monai_gi.errors import DataError
from monai_gi.intensity import GREY_VALUES, histogram, percentiles_of_histogram

IMAGES, LABELS, HISTOGRAM = "images.npy", "labels.npy", "histogram.npy"
PARTIAL = ".partial"
ABANDONED_S = 24 * 3600


class ArrayFile:
    """A `.npy` file (N, H, W) of which only the rows asked for are read.

    It is read, not mapped: pages of a mapped file count as memory of the process for as long as they are mapped,
    so that one epoch over a mapped store counts the whole store (measured in benchmarks/training_input.py).

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._held: np.ndarray | None = None

    @cached_property
    def _layout(self) -> tuple[tuple[int, ...], np.dtype, int]:
        mapped = np.load(self.path, mmap_mode="r")
        return mapped.shape, mapped.dtype, mapped.offset

    @property
    def shape(self) -> tuple[int, int, int]:
        """(N, H, W)."""
        count, height, width = self._layout[0]
        return count, height, width

    def hold(self) -> None:
        """Keep the whole file in memory from now on."""
        self._held = np.load(self.path)

    def read(self, positions: Sequence[int] | np.ndarray, rows: slice) -> np.ndarray:
        """Read the same rows of some slices.

        Args:
            positions: K positions of slices in the scan.
            rows: start and stop inside the image.

        Returns:
            (K, rows, W) of the file's dtype.

        Raises:
            DataError: the file is shorter than its header says.
        """
        if self._held is not None:
            return self._held[np.asarray(positions), rows]
        (_, height, width), dtype, start = self._layout
        bands = np.empty((len(positions), rows.stop - rows.start, width), dtype)
        # Unbuffered: a buffer would read each band through a second copy.
        with self.path.open("rb", buffering=0) as file:
            for band, position in zip(bands, positions, strict=True):
                file.seek(start + (int(position) * height + rows.start) * width * dtype.itemsize)
                if file.readinto(band) != band.nbytes:
                    raise DataError(self.path, "ends too early. Delete its folder: the next run builds it again")
        return bands


class ScanArrays:
    """The images and packed masks of one scan in its folder.

    Args:
        folder: as `write_scan` leaves it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.images = ArrayFile(folder / IMAGES)
        self.labels = ArrayFile(folder / LABELS)

    def hold(self) -> None:
        """Keep both arrays in memory from now on."""
        self.images.hold()
        self.labels.hold()

    def window(self, lower: float, upper: float) -> tuple[float, float]:
        """The scan's percentiles, as `monai_gi.intensity.volume_window` gives them for its images.

        Args:
            lower: percent of the pixels that turn black.
            upper: percent of the pixels that do not turn white.

        Returns:
            (low, high) in grey values.
        """
        values, counts = np.load(self.folder / HISTOGRAM)
        all_counts = np.zeros(GREY_VALUES, dtype=np.int64)
        all_counts[values] = counts
        low, high = percentiles_of_histogram(all_counts, (lower, upper))
        return float(low), float(high)


def write_scan(folder: Path, count: int, slices: Iterable[tuple[str, np.ndarray, np.ndarray]]) -> None:
    """Write a scan's folder beside and rename it when it is complete.

    Another process may write the same folder at the same time: the first one to finish wins, their bytes are equal.

    Args:
        folder: the folder to make; its parent exists.
        count: N, the number of slices to come.
        slices: N times (id, image (H, W) uint16, packed mask (H, W) uint8), in ascending slice number.

    Raises:
        DataError: the slices differ in size.
    """
    beside = folder.with_name(f"{folder.name}.{uuid.uuid4().hex}{PARTIAL}")
    beside.mkdir()
    try:
        _write_arrays(beside, count, slices)
        _rename_unless_there(beside, folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def remove_abandoned(cache_dir: Path) -> None:
    """Remove what processes that were killed had begun more than a day ago.

    Args:
        cache_dir: the folder of the scans' folders.
    """
    for beside in cache_dir.glob(f"*{PARTIAL}"):
        with contextlib.suppress(FileNotFoundError):  # its process may finish between the listing and the look
            if time.time() - beside.stat().st_mtime > ABANDONED_S:
                shutil.rmtree(beside, ignore_errors=True)


def _write_arrays(folder: Path, count: int, slices: Iterable[tuple[str, np.ndarray, np.ndarray]]) -> None:
    """Stream the slices into the two files, counting their grey values on the way."""
    counts = np.zeros(GREY_VALUES, dtype=np.int64)
    shape: tuple[int, ...] | None = None
    with (folder / IMAGES).open("wb") as images, (folder / LABELS).open("wb") as labels:
        for where, image, packed in slices:
            if shape is None:
                shape = image.shape
                for file, dtype in ((images, "<u2"), (labels, "|u1")):
                    header = {"descr": dtype, "fortran_order": False, "shape": (count, *shape)}
                    np.lib.format.write_array_header_1_0(file, header)
            if image.shape != shape or packed.shape != shape:
                sizes = f"image {_size(image.shape)}, mask {_size(packed.shape)}, the scan's first slice {_size(shape)}"
                raise DataError(where, f"{sizes}; wanted one size (height x width) within a scan")
            images.write(image.astype("<u2", copy=False).tobytes())
            labels.write(packed.tobytes())
            counts += histogram(image)
    values = np.flatnonzero(counts)
    np.save(folder / HISTOGRAM, np.stack([values, counts[values]]))


def _rename_unless_there(beside: Path, folder: Path) -> None:
    """Rename a folder; where another process was faster its folder stays."""
    try:
        beside.replace(folder)
    except OSError:
        if not folder.is_dir():
            raise


def _size(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))
