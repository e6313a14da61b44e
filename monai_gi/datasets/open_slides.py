"""Slides and label maps of a data list, opened when first asked for, few enough of them open at a time."""

import logging
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

from tqdm import tqdm

from monai_gi.errors import DataError
from monai_gi.pictures import DEFAULT_MAX_PIXELS
from monai_gi.slides import ColorTable, LabelSlide, Slide, open_label, open_slide

FILES = 256
"""Open at a time."""
WHOLE_PIXELS = 10_000_000_000
"""Of pictures that are unpacked whole into temporary files, kept at a time: 30 GB as RGB; one is always kept."""

SLOW_PIXELS = 10_000_000
"""Of a picture whose decoding takes longer than a patch's way through a network."""
_ANEW = (
    "more pictures than are kept unpacked: each is decoded whole again when its next patch is drawn. Convert PNG, JPEG"
    " and TIFF in large pieces to tiled TIFF"
)
logger = logging.getLogger(__name__)


class OpenSlides:
    """Opens files of items; may be sent to other processes, which open their own.

    Args:
        items: with `image`, and `label` where there is one.
        colors: table of the label maps.
        max_pixels: budget of a picture that has to be decoded whole; None for the default.
        files: open at a time.
        whole_pixels: of pictures unpacked whole, kept at a time.
    """

    def __init__(
        self,
        items: Sequence[Mapping[str, Any]],
        colors: ColorTable,
        *,
        max_pixels: int | None = None,
        files: int = FILES,
        whole_pixels: int = WHOLE_PIXELS,
    ) -> None:
        self._items, self._colors = items, colors
        self._max_pixels = DEFAULT_MAX_PIXELS if max_pixels is None else max_pixels
        self._files, self._whole_pixels = files, whole_pixels
        self._is_told = False
        self._open: OrderedDict[tuple[int, str], Slide | LabelSlide] = OrderedDict()

    def image(self, number: int) -> Slide:
        """The slide of an item.

        Args:
            number: of the item.

        Returns:
            It, open.
        """
        slide = self._get(number, "image")
        if not isinstance(slide, Slide):
            raise TypeError(f"{slide!r} is no slide")
        return slide

    def label(self, number: int) -> LabelSlide:
        """The label map of an item; an item without one, or one of another size than the slide's, is a DataError.

        Args:
            number: of the item.

        Returns:
            It, open.
        """
        label = self._get(number, "label")
        if not isinstance(label, LabelSlide):
            raise TypeError(f"{label!r} is no label map")
        return label

    def decode(self, *, progress: bool = True) -> None:
        """Unpack pictures that are read whole, as many as are kept, so that workers forked later share their pixels.

        Args:
            progress: show a bar where it takes longer.
        """
        for number in tqdm(
            range(len(self._items)), desc="unpacking", unit="slide", delay=1, disable=None if progress else True
        ):
            slide = self.image(number)
            if slide.is_whole:
                slide.read(0, 0, 0, 1, 1)
            if self._held() + slide.size[0] * slide.size[1] > self._whole_pixels:
                return

    def _get(self, number: int, key: str) -> Slide | LabelSlide:
        if (number, key) not in self._open:
            self._open[number, key] = self._opened(number, key)
            self._close_some()
        self._open.move_to_end((number, key))
        return self._open[number, key]

    def _opened(self, number: int, key: str) -> Slide | LabelSlide:
        item = self._items[number]
        if key not in item:
            raise DataError(item.get("id", number), f"has no {key}; wanted slides with label maps. Index them again")
        if key == "image":
            return open_slide(item[key], max_pixels=self._max_pixels)
        label = open_label(item[key], self._colors, max_pixels=self._max_pixels)
        if list(label.size) != list(item.get("size", label.size)):
            (height, width), (rows, columns) = item["size"], label.size
            problem = f"{columns} x {rows} (W x H), the slide has {width} x {height}; wanted one size"
            raise DataError(label.path, f"{problem}. Export the label map at full resolution")
        return label

    def _close_some(self) -> None:
        while len(self._open) > 1 and (len(self._open) > self._files or self._held() > self._whole_pixels):
            slide = self._open.popitem(last=False)[1]
            slide.close()
            if slide.is_whole and not self._is_told and slide.size[0] * slide.size[1] > SLOW_PIXELS:
                self._is_told = True
                logger.warning("%s: %s", slide.path, _ANEW)

    def _held(self) -> int:
        return sum(slide.size[0] * slide.size[1] for slide in self._open.values() if slide.is_whole)
