"""Readers for MONAI's LoadImaged: slices as (H, W) and scans as (H, W, D), not transposed, exact, affine in RAS mm.

Rows run to posterior, columns to the patient's left, slices to the feet, as the UW-Madison scans are stored.
"""

import os
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from monai.config import PathLike
from monai.data import ImageReader
from monai.utils import MetaKeys, SpaceKeys

from monai_gi.slices import THREADS, SliceName, parse_slice_name, pixel_spacing_mm, read_slices, slice_affine


class SliceReader(ImageReader):
    """Read grey PNG slices as stored; the affine takes the pixel spacing from the file names.

    Use it as `LoadImaged(keys="image", reader=SliceReader())`. One path gives (H, W), several give (H, W, D) in their
    order. Then `EnsureChannelFirstd` makes a scan (1, H, W, D), and with `channel_dim=-1` a 2.5D stack (D, H, W).
    Along D the spacing is `slice_spacing_mm` times the step of the slice numbers; where that step is not constant
    (ends of a scan in a stack, gaps) it is `slice_spacing_mm`. Files not named like the data's slices get 1 mm
    pixels, as nothing better is known.

    Args:
        slice_spacing_mm: distance between neighbouring slices, which the file names do not carry.
        always_stack: one path gives (H, W, 1) too. LoadImaged turns a list of one path into one path, so scans of one
            slice and stacks of one offset want this.
        threads: at most so many slices of a list are decoded at once.

    Raises:
        ValueError: `slice_spacing_mm` is not positive or `threads` is under 1.
    """

    def __init__(self, slice_spacing_mm: float = 3.0, *, always_stack: bool = False, threads: int = THREADS) -> None:
        super().__init__()
        if slice_spacing_mm <= 0:
            raise ValueError(f"slice_spacing_mm: {slice_spacing_mm}, wanted a distance above 0")
        if threads < 1:
            raise ValueError(f"threads: {threads}, wanted 1 or more")
        self.slice_spacing_mm = slice_spacing_mm
        self.always_stack = always_stack
        self.threads = threads

    def verify_suffix(self, filename: Sequence[PathLike] | PathLike) -> bool:
        """Tell whether all file names end in .png."""
        return all(path.suffix.lower() == ".png" for path in _paths(filename))

    def read(self, data: Sequence[PathLike] | PathLike, **kwargs: object) -> tuple[Path, ...]:
        """Keep the paths for `get_data`.

        LoadImage swallows errors raised here and tries its own readers, which transpose; so nothing is opened yet.
        """
        return _paths(data)

    def get_data(self, img: Sequence[PathLike] | PathLike) -> tuple[np.ndarray, dict]:
        """Decode the files; a missing, faulty or disagreeing one raises DataError.

        Args:
            img: what `read` returned.

        Returns:
            Pixels, uint16 (uint8 for 8-bit files), and MONAI's metadata with the affine (4, 4).
        """
        paths = _paths(img)
        slices = read_slices(paths, self.threads)
        pixels = np.stack(slices, axis=-1) if self.always_stack or len(slices) > 1 else slices[0]
        affine = slice_affine(_spacing_mm(paths, self.slice_spacing_mm))
        meta = {
            MetaKeys.AFFINE: affine,
            MetaKeys.ORIGINAL_AFFINE: affine.copy(),
            MetaKeys.SPATIAL_SHAPE: np.array(pixels.shape),
            MetaKeys.SPACE: SpaceKeys.RAS,
            MetaKeys.ORIGINAL_CHANNEL_DIM: float("nan"),
        }
        return pixels, meta


def _paths(data: Sequence[PathLike] | PathLike) -> tuple[Path, ...]:
    return (Path(data),) if isinstance(data, str | os.PathLike) else tuple(Path(path) for path in data)


def _spacing_mm(paths: Sequence[Path], slice_spacing_mm: float) -> tuple[float, float, float]:
    """(row, column, slice)."""
    names = [parse_slice_name(path.name) for path in paths]
    return (*pixel_spacing_mm(paths), slice_spacing_mm * _slice_step(names))


def _slice_step(names: Sequence[SliceName | None]) -> int:
    """The constant step of the slice numbers, negative where they descend; 1 where there is no constant step."""
    numbers = [name.number for name in names if name]
    steps = {after - before for before, after in pairwise(numbers)}
    return steps.pop() or 1 if len(steps) == 1 else 1
