"""Drawn kidney biopsies: whole slides as pyramidal TIFFs with their colour masks, streamed in bands of rows.

`images/slide_N.tif` (JPEG tiles, levels of half the size, micrometres a pixel as its resolution),
`masks/slide_N.png`, or `.tif` for large slides (RGB, the colours of labels.TISSUES), `colors.yaml`. N counts from 1.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from PIL import Image
from tqdm import tqdm

from monai_gi.atomic_file import write_atomically, write_whole
from monai_gi.datasets.phantom.biopsy_fields import fields_of, grid_step, tissue_map
from monai_gi.datasets.phantom.biopsy_plan import Plan, plan_slide
from monai_gi.datasets.phantom.biopsy_stain import look_of, paint
from monai_gi.datasets.phantom.tiled_tiff import TILE_PX, TiledTiff
from monai_gi.datasets.phantom.unfinished import drawing_into
from monai_gi.labels import TISSUES
from monai_gi.pyramids import halve, level_sizes

COLORS = "colors.yaml"
ASPECT = 4 / 3
# Masks of more pixels are written as tiled TIFF, band by band.
PNG_PIXELS = 25_000_000
BLOCK_STEPS = 128
MARGIN_STEPS = 4
_RGB = np.array([tissue.rgb for tissue in TISSUES], dtype=np.uint8)


class Slide(NamedTuple):
    """One slide to be written.

    Attributes:
        image: its file.
        mask: the file of its mask.
        plan: what is on it.
    """

    image: Path
    mask: Path
    plan: Plan


def write_biopsy(
    root: Path, *, slides: int = 2, megapixels: float = 4.0, seed: int = 0, mpp: float = 0.5, progress: bool = True
) -> None:
    """Write the data set; the same arguments give the same pixels.

    Slides are four parts wide and three high; every fourth has no infiltrate. Memory holds a band of each level. A
    stopped run has no `colors.yaml`; the same call goes on after the last finished slide. The bar counts bands.

    Args:
        root: a new or empty folder, or one in which the same call was stopped.
        slides: how many.
        megapixels: size of each.
        seed: 0 or more, decides everything.
        mpp: micrometres a pixel, 0.1 to 4. At 2 a small slide shows as much tissue as one of sixteen times the size.
        progress: show a bar with an end time, on a terminal.

    Raises:
        DataError: the folder holds something else, or another phantom; nothing was changed.
        ValueError: an argument is out of its range.
    """
    root = Path(root)
    _check(slides, megapixels, seed, mpp)
    height = max(1, round((megapixels * 1e6 / ASPECT) ** 0.5))
    size = (height, max(1, round(height * ASPECT)))
    suffix = "png" if size[0] * size[1] <= PNG_PIXELS else "tif"
    rows = -(-size[0] // TILE_PX)
    settings = {"slides": slides, "megapixels": megapixels, "seed": seed, "mpp": mpp}
    with (
        drawing_into(root, settings, last=COLORS),
        tqdm(total=slides * rows, desc="drawing", unit="band", disable=None if progress else True) as bar,
    ):
        for number in range(1, slides + 1):
            mask = root / "masks" / f"slide_{number}.{suffix}"
            if not mask.exists():  # the last of a slide's files
                image = root / "images" / f"slide_{number}.tif"
                _write_slide(Slide(image, mask, plan_slide(number, size, mpp, seed)), bar)
            bar.update(number * rows - bar.n)
        write_whole(root / COLORS, _color_table())


def _check(slides: int, megapixels: float, seed: int, mpp: float) -> None:
    if slides < 1 or megapixels <= 0 or seed < 0:
        given = f"slides {slides}, megapixels {megapixels}, seed {seed}"
        raise ValueError(f"{given}: wanted 1 or more, above 0, and 0 or more")
    if not 0.1 <= mpp <= 4:
        raise ValueError(f"mpp: {mpp}, wanted 0.1 to 4 micrometres a pixel")


def _color_table() -> str:
    """The table of colours, as monai_gi.slides reads it."""
    lines = ["# The classes of masks/: name, index in label maps, colour (red, green, blue)."]
    lines += ["tolerance: 0", "max_unknown_share: 0.0", "classes:"]
    lines += [f"  - {{name: {tissue.name}, index: {tissue.index}, rgb: {list(tissue.rgb)}}}" for tissue in TISSUES]
    return "\n".join(lines) + "\n"


def _write_slide(slide: Slide, bar: tqdm) -> None:
    """Write image and mask in one pass; both stand beside their names until they are whole, the mask for longer."""
    if slide.mask.suffix == ".tif":
        write_atomically(slide.mask, lambda file: _write_with_tiled_mask(slide, file, bar))
        return
    labels = np.empty(slide.plan.size, np.uint8)

    def keep(row: int, band: np.ndarray) -> None:
        labels[row * TILE_PX : row * TILE_PX + len(band)] = band

    write_atomically(slide.image, lambda file: _write_image(file, slide.plan, keep, bar))
    write_atomically(slide.mask, lambda file: Image.fromarray(_RGB[labels]).save(file, "PNG"))


def _write_with_tiled_mask(slide: Slide, mask_file: BinaryIO, bar: tqdm) -> None:
    tiles = TiledTiff(mask_file, [slide.plan.size], slide.plan.mpp, is_lossy=False)

    def keep(row: int, band: np.ndarray) -> None:
        tiles.write_row(0, row, _RGB[band])

    write_atomically(slide.image, lambda file: _write_image(file, slide.plan, keep, bar))
    tiles.close()


def _write_image(file: BinaryIO, plan: Plan, keep: Callable[[int, np.ndarray], None], bar: tqdm) -> None:
    """Draw the slide band by band into a pyramid, and hand each band's classes to `keep`."""
    tiles = TiledTiff(file, level_sizes(plan.size), plan.mpp, is_lossy=True)
    pyramid = Pyramid(tiles)
    for row, (picture, labels) in enumerate(_bands(plan)):
        keep(row, labels)
        pyramid.add(0, picture, is_last=(row + 1) * TILE_PX >= plan.size[0])
        bar.update()
    tiles.close()


def _bands(plan: Plan) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Picture (h, W, 3) and classes (h, W) of one row of tiles after the other."""
    look, step = look_of(plan.seed, plan.mpp), grid_step(plan.mpp)
    margin, block = MARGIN_STEPS * step, BLOCK_STEPS * step
    columns = -(-plan.size[1] // block)
    for top in range(0, plan.size[0], TILE_PX):
        picture = np.empty((TILE_PX, columns * block, 3), np.uint8)
        labels = np.empty(picture.shape[:2], np.uint8)
        for left in range(0, columns * block, block):
            fields = fields_of(plan, top - margin, left - margin, TILE_PX + 2 * margin, block + 2 * margin)
            classes = tissue_map(fields)
            picture[:, left : left + block] = paint(look, fields, classes, top, left, margin)
            labels[:, left : left + block] = classes[margin:-margin, margin:-margin]
        height = min(TILE_PX, plan.size[0] - top)
        yield picture[:height, : plan.size[1]], labels[:height, : plan.size[1]]


class Pyramid:
    """Passes bands of the full image down to ever smaller levels.

    Args:
        tiles: where they are written.
    """

    def __init__(self, tiles: TiledTiff) -> None:
        self.tiles = tiles
        self.rows = [0] * len(tiles.pages)
        self.waiting: list[list[np.ndarray]] = [[] for _ in tiles.pages]

    def add(self, level: int, band: np.ndarray, *, is_last: bool) -> None:
        """Write one row of tiles of a level, and what it completes below.

        Args:
            level: 0 is the full image.
            band: (h, W, 3) uint8; h is TILE_PX but for the last.
            is_last: no more rows come.
        """
        self.tiles.write_row(level, self.rows[level], band)
        self.rows[level] += 1
        below = level + 1
        if below == len(self.rows):
            return
        self.waiting[below].append(halve(band))
        if is_last or len(self.waiting[below]) == 2:
            self.add(below, np.concatenate(self.waiting[below]), is_last=is_last)
            self.waiting[below].clear()
