"""Slices for a clinician: outlines, the patient's sides at the four edges, a scale bar, and what the picture is for.

Slices stand as stored, row = y down and column = x right; which side of the patient is where, the letters say: R right,
L left, A anterior, P posterior, H head, F feet, two of them where an edge looks between (DICOM PS3.3 C.7.6.1.1.1).
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw

from monai_gi.intensity import scale_to_window
from monai_gi.labels import ORGANS
from monai_gi.plots.outlines import outline_overlay
from monai_gi.plots.sheets import BACKGROUND, LINE_PX, TEXT, contact_sheet, font, with_legend, write_line
from monai_gi.provenance import INTENDED_USE
from monai_gi.scan import Scan

MARGIN_PX = 26
NARROWEST_PX = 450
TILE_UPSCALE = 1.5
BARS_MM = (100, 50, 20, 10, 5, 2, 1)
WIDEST_BAR = 0.26  # of the picture's width; the letter of the lower edge stands in the middle
LEAST_COSINE = 0.26  # an edge gets the letter of each axis that it is less than 75 degrees away from
USE = INTENDED_USE.partition(":")[0] + "."
_SIDES = (("L", "R"), ("P", "A"), ("F", "H"))  # against and along the axes of RAS

Edges = tuple[str, str, str, str]


class ClinicalSlices(Mapping[str, np.ndarray]):
    """Pictures of a scan's slices by slice name, each drawn when it is asked for; threads may ask side by side.

    Args:
        scan: the scan. The kind "picture" gets no letters, because nobody knows how the patient lies in it, and no
            scale bar at 1 mm a pixel, which is taken where the file tells no spacing.
        masks: (C, H, W, D) bool, channel c is ORGANS[c].
        window: grey values that become black and white.
        positions: of the slices, along D; None for all.

    Raises:
        ValueError: masks of another shape than the scan.
    """

    def __init__(
        self, scan: Scan, masks: np.ndarray, window: tuple[float, float], positions: Sequence[int] | None = None
    ) -> None:
        wanted = (len(ORGANS), *scan.voxels.shape)
        if masks.shape != wanted:
            raise ValueError(f"masks: shape {masks.shape}, wanted {wanted} as the scan")
        chosen = range(len(scan.slice_names)) if positions is None else positions
        self.scan, self.window = scan, window
        # Slices first: one by one, they would be gathered from all over the memory.
        self.voxels = np.ascontiguousarray(np.moveaxis(scan.voxels, 2, 0))
        self.masks = np.ascontiguousarray(np.moveaxis(masks, 3, 0))
        self.positions = {scan.slice_names[d]: d for d in chosen}

    def __iter__(self) -> Iterator[str]:
        return iter(self.positions)

    def __len__(self) -> int:
        return len(self.positions)

    def __getitem__(self, name: str) -> np.ndarray:
        return self.draw(self.positions[name], title=name)

    def draw(self, position: int, *, title: str | None = None, upscale: float = 2) -> np.ndarray:
        """Draw one slice.

        Args:
            position: along D.
            title: a line above; with it come the organs' colours and the intended use below, None leaves all out.
            upscale: as for `outline_overlay`.

        Returns:
            uint8 (h, w, 3).
        """
        image, masks = scale_to_window(self.voxels[position], self.window), self.masks[position]
        assumed = self.scan.kind == "picture"
        return clinical_slice(
            outline_overlay(image, pred=masks, upscale=upscale, spacing_mm=self.scan.spacing_mm),
            None if assumed else edges_of(self.scan.affine),
            None if assumed and self.scan.spacing_mm[1] == 1 else image.shape[1] * self.scan.spacing_mm[1],
            title=title,
        )


def clinical_slice(
    picture: np.ndarray, edges: Edges | None, width_mm: float | None, *, title: str | None = None
) -> np.ndarray:
    """Set a drawn slice into a frame with the patient's sides and a scale bar.

    Args:
        picture: uint8 (h, w, 3), in true proportions.
        edges: letters at the top, right, bottom and left, see `edges_of`; None for none.
        width_mm: of the picture; None for no scale bar.
        title: a line above; with it come the organs' colours and the intended use below, None leaves all out.

    Returns:
        uint8 (h, w, 3).
    """
    height, width = picture.shape[:2]
    frame = _frame((width, height), edges or ("",) * 4, width_mm, whole=title is not None).copy()
    left, top = (frame.shape[1] - width) // 2, MARGIN_PX
    if title is not None:
        top += LINE_PX
        line = Image.new("RGB", (frame.shape[1], LINE_PX), BACKGROUND)
        write_line(line, title, (8, 0), line.width - 16)
        frame[:LINE_PX] = line
    frame[top : top + height, left : left + width] = picture
    return frame


def clinical_sheet(slices: ClinicalSlices, captions: Mapping[int, str], *, title: str) -> np.ndarray:
    """Set slices side by side, such as those to check first.

    Args:
        slices: of the scan.
        captions: by position along D, in the order of the sheet; at least one.
        title: a line above all.

    Returns:
        uint8 (h, w, 3), with the organs' colours and the intended use below.

    Raises:
        ValueError: no caption.
    """
    tiles = [slices.draw(position, upscale=TILE_UPSCALE) for position in captions]
    sheet = Image.fromarray(contact_sheet(tiles, list(captions.values()), legend=False))
    width = max(sheet.width, NARROWEST_PX)
    whole = Image.new("RGB", (width, sheet.height + LINE_PX), BACKGROUND)
    whole.paste(sheet, (0, LINE_PX))
    write_line(whole, title, (8, 2), width - 16)
    return np.asarray(with_use(with_legend(whole)))


def edges_of(affine: np.ndarray) -> Edges:
    """Which side of the patient each edge of a slice looks to.

    Args:
        affine: (4, 4), from (row, column, slice) to RAS mm.

    Returns:
        Letters at the top, right, bottom and left edge; where an edge looks between two sides, the nearer one first.

    Examples:
        >>> edges_of(np.array([[0, -1, 0, 0], [-1, 0, 0, 0], [0, 0, -1, 0], [0, 0, 0, 1]]))
        ('A', 'L', 'P', 'R')
    """
    down, right = affine[:3, 0], affine[:3, 1]
    return _side(-down), _side(right), _side(down), _side(-right)


def _side(direction: np.ndarray) -> str:
    cosines = direction / np.linalg.norm(direction)
    near = [axis for axis in np.argsort(-np.abs(cosines), kind="stable") if abs(cosines[axis]) >= LEAST_COSINE]
    return "".join(_SIDES[axis][int(cosines[axis] > 0)] for axis in near)


@lru_cache(maxsize=8)
def _frame(size: tuple[int, int], edges: Edges, width_mm: float | None, *, whole: bool) -> np.ndarray:
    """What is the same around all slices of a scan; the caller copies it."""
    width, height = size
    head = LINE_PX if whole else 0
    frame_width = max(width + 2 * MARGIN_PX, NARROWEST_PX if whole else 0)
    frame = Image.new("RGB", (frame_width, head + height + 2 * MARGIN_PX), BACKGROUND)
    draw = ImageDraw.Draw(frame)
    left, half = (frame_width - width) // 2, MARGIN_PX // 2
    above, middle, below = head + half, head + MARGIN_PX + height // 2, head + MARGIN_PX + height + half
    centre = left + width // 2
    places = ((centre, above), (left + width + half, middle), (centre, below), (left - half, middle))
    for letters, place in zip(edges, places, strict=True):
        draw.text(place, letters, fill=TEXT, font=font(), anchor="mm")
    if width_mm is not None:
        _draw_bar(draw, (left, below), width, width_mm)
    return np.asarray(with_use(with_legend(frame)) if whole else frame)


def _draw_bar(draw: ImageDraw.ImageDraw, start: tuple[int, int], width_px: int, width_mm: float) -> None:
    """The longest bar that fits and its length, from `start` to the right; none where a millimetre is too long."""
    for bar_mm in BARS_MM:
        bar_px = round(bar_mm / width_mm * width_px)
        if bar_px <= WIDEST_BAR * width_px:
            x, y = start
            draw.line((x, y, x + bar_px - 1, y), fill=TEXT, width=3)
            for end in (x, x + bar_px - 1):
                draw.line((end, y - 5, end, y + 5), fill=TEXT)
            label = f"{bar_mm // 10} cm" if bar_mm >= 10 else f"{bar_mm} mm"
            draw.text((x + bar_px + 6, y), label, fill=TEXT, font=font(), anchor="lm")
            return


def with_use(picture: Image.Image, use: str = USE) -> Image.Image:
    """Add the intended use below, in as many lines as the width needs.

    Args:
        picture: it is left as it is.
        use: the words; those of contours that a network drew, where nothing else is said.

    Returns:
        A higher picture.
    """
    lines = [""]
    for word in use.split():
        longer = f"{lines[-1]} {word}".strip()
        if font().getlength(longer) > picture.width - 16:
            lines.append(word)
        else:
            lines[-1] = longer
    whole = Image.new("RGB", (picture.width, picture.height + len(lines) * LINE_PX), BACKGROUND)
    whole.paste(picture)
    for number, line in enumerate(lines):
        write_line(whole, line, (8, picture.height + number * LINE_PX), picture.width - 16)
    return whole
