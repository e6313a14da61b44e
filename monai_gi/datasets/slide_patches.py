"""Patches of slides, read from the files when asked for: drawn anew each epoch to train on, a grid to validate.

A patch is `image` (3 * levels, h, w) float32 0 to 1 and `label` (h, w) uint8 of class indices, 0 where the patch lies
outside of the slide. Further levels are as many pixels around the same centre.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset
from tqdm import tqdm

from monai_gi.datasets.open_slides import OpenSlides
from monai_gi.datasets.patch_index import PatchIndex, SlideMap
from monai_gi.slides import ColorTable, TissueMap, find_tissue, read_stack
from monai_gi.slides.regions import halved
from monai_gi.slides.survey import CELL, require_known, survey

Items = Sequence[Mapping[str, Any]]
Transform = Callable[[dict[str, Any]], Any]


class _Patches(Dataset):
    """What both data sets share: slides, places (slide, top, left), and reading."""

    def __init__(
        self,
        data: Items,
        colors: ColorTable,
        roi_size: int | Sequence[int],
        levels: Sequence[int],
        max_pixels: int | None,
        transform: Transform | None,
    ) -> None:
        if not data:
            raise ValueError("data: no slides, wanted at least one")
        self.data, self.levels, self.transform = data, checked_levels(levels), transform
        height, width = (roi_size, roi_size) if isinstance(roi_size, int) else roi_size
        self.roi_size = (int(height), int(width))
        if min(self.roi_size) < 1:
            raise ValueError(f"roi_size: {roi_size}, wanted (h, w) of at least one pixel")
        self._slides = OpenSlides(data, colors, max_pixels=max_pixels)
        self.places = np.zeros((0, 3), dtype=np.int64)

    def __len__(self) -> int:
        """Patches."""
        return len(self.places)

    def __getitem__(self, number: int) -> Any:
        """Read one patch: image, label, the slide's id, and the place as top and left in pixels of the first level."""
        slide, top, left = self.places[number].tolist()
        image = read_stack(self._slides.image(slide), self.levels, (top, left), self.roi_size)
        label = self._slides.label(slide).read(self.levels[0], top, left, *self.roi_size)
        item = {
            "image": torch.from_numpy(image).float().div_(255),
            "label": torch.from_numpy(label),
            "id": str(self.data[slide]["id"]),
            "top": top,
            "left": left,
        }
        return self.transform(item) if self.transform else item


class SlidePatches(_Patches):
    """Patches drawn anew each epoch (`set_epoch`, which handlers.EpochSeed calls); the same epoch draws the same.

    Label maps are gone through once at the start, for the maps that patches are drawn from.

    Args:
        data: slide items with labels.
        colors: table of the label maps.
        roi_size: (h, w) of a patch in pixels of its level, or one side of a square.
        levels: the output's level, then those of the context.
        samples_per_epoch: patches; None takes as many as would tile what is labelled.
        background_share: of the patches, 0 to 1, that show background only, near tissue where there is such.
        class_balanced: each class but the background is drawn equally often.
        seed: of the drawing.
        max_pixels: budget of a picture that has to be decoded whole; None for the default.
        transform: of a patch.
        progress: show a bar while label maps are gone through.

    Attributes:
        class_counts: pixels of each class by index, all slides together.

    Raises:
        DataError: a slide or label map is faulty, or nothing is labelled.
        ValueError: an option is out of its range.
    """

    class_counts: list[int]

    def __init__(
        self,
        data: Items,
        colors: ColorTable,
        roi_size: int | Sequence[int] = 512,
        levels: Sequence[int] = (0,),
        *,
        samples_per_epoch: int | None = None,
        background_share: float = 0.0,
        class_balanced: bool = True,
        seed: int = 0,
        max_pixels: int | None = None,
        transform: Transform | None = None,
        progress: bool = True,
    ) -> None:
        super().__init__(data, colors, roi_size, levels, max_pixels, transform)
        if samples_per_epoch is not None and samples_per_epoch < 1:
            raise ValueError(f"samples_per_epoch: {samples_per_epoch}, wanted at least 1, or null")
        level = self.levels[0]
        extent = [side << level for side in self.roi_size]
        cell = _cell(extent)
        maps = _maps(self._slides, len(data), cell, with_tissue=background_share > 0, progress=progress)
        self._slides.decode(progress=progress)
        self._index = PatchIndex(
            maps, cell, self.roi_size, level, background_share=background_share, class_balanced=class_balanced
        )
        self.class_counts = self._index.class_counts
        labelled = sum(self.class_counts[1:])
        self._count = samples_per_epoch or max(1, round(labelled / (extent[0] * extent[1])))
        self._seed = seed
        self.set_epoch(0)

    def set_epoch(self, epoch: int) -> None:
        """Draw the patches of an epoch.

        Args:
            epoch: 1 is the first.
        """
        self.places = self._index.draw(self._count, np.random.default_rng([self._seed, epoch]))


class SlideGrid(_Patches):
    """Patches side by side over whole slides, without those that show nothing but glass; the last of a row move inward.

    Args:
        data: slide items with labels.
        colors: table of the label maps.
        roi_size: (h, w) of a patch in pixels of its level, or one side of a square.
        levels: the output's level, then those of the context.
        patches_per_slide: at most so many, evenly spread; None takes all.
        keep_glass: also those that show nothing but glass.
        max_pixels: budget of a picture that has to be decoded whole; None for the default.
        transform: of a patch.
        progress: show a bar while slides are looked at.

    Raises:
        DataError: a slide or label map is faulty.
        ValueError: an option is out of its range.
    """

    def __init__(
        self,
        data: Items,
        colors: ColorTable,
        roi_size: int | Sequence[int] = 512,
        levels: Sequence[int] = (0,),
        *,
        patches_per_slide: int | None = None,
        keep_glass: bool = False,
        max_pixels: int | None = None,
        transform: Transform | None = None,
        progress: bool = True,
    ) -> None:
        super().__init__(data, colors, roi_size, levels, max_pixels, transform)
        if patches_per_slide is not None and patches_per_slide < 1:
            raise ValueError(f"patches_per_slide: {patches_per_slide}, wanted at least 1, or null")
        bar = tqdm(range(len(data)), desc="laying grids", unit="slide", disable=None if progress else True)
        found = [self._grid(slide, patches_per_slide, keep_glass) for slide in bar]
        self.places = np.concatenate(found)

    def _grid(self, number: int, most: int | None, keep_glass: bool) -> np.ndarray:
        slide = self._slides.image(number)
        self._slides.label(number)  # faults of a label map come now, not in the middle of an epoch
        rows, columns = (
            _starts(length, size)
            for length, size in zip(halved(slide.size, self.levels[0]), self.roi_size, strict=True)
        )
        places = [(number, top, left) for top in rows for left in columns]
        if not keep_glass:
            tissue = find_tissue(slide)
            places = [place for place in places if tissue.share(self.levels[0], *place[1:], *self.roi_size)] or places
        chosen = places if most is None else [places[index] for index in _spread(len(places), most)]
        return np.array(chosen, dtype=np.int64)


def checked_levels(levels: Sequence[int]) -> tuple[int, ...]:
    """Check the levels of a patch.

    Args:
        levels: the output's, then coarser ones.

    Returns:
        They.

    Raises:
        ValueError: there is none, one is negative or finer than the first, or one is there twice.
    """
    checked = tuple(levels)
    if not checked or checked[0] < 0 or min(checked) < checked[0] or len(set(checked)) < len(checked):
        raise ValueError(f"levels: {list(levels)}, wanted different ones from 0 on, the finest first")
    return checked


def _cell(extent: Sequence[int]) -> int:
    """A power of two that fits twice into a patch."""
    return min(CELL, 1 << max(0, (min(extent) // 2).bit_length() - 1))


def _maps(slides: OpenSlides, count: int, cell: int, *, with_tissue: bool, progress: bool) -> list[SlideMap]:
    maps = []
    for number in tqdm(range(count), desc="reading label maps", unit="slide", disable=None if progress else True):
        label = slides.label(number)
        found = survey(label, cell)
        require_known(label, found)
        tissue = _in_cells(find_tissue(slides.image(number)), found.cells.shape[:2], cell) if with_tissue else None
        maps.append(SlideMap(found.size, found.cells, tissue))
    return maps


def _in_cells(tissue: TissueMap, shape: tuple[int, ...], cell: int) -> np.ndarray:
    """Whether the centre of each cell is tissue, (rows, columns)."""
    places = [
        np.minimum((np.arange(cells) * cell + cell // 2) * small // full, small - 1)
        for cells, small, full in zip(shape, tissue.mask.shape, tissue.size, strict=True)
    ]
    return tissue.mask[np.ix_(*places)]


def _starts(length: int, size: int) -> list[int]:
    """First pixels of patches side by side; one shorter than the patch has it in its middle."""
    if length <= size:
        return [(length - size) // 2]
    return [*range(0, length - size, size), length - size]


def _spread(count: int, most: int) -> list[int]:
    return sorted({round(index) for index in np.linspace(0, count - 1, min(count, most))})
