"""Views of scans: slices spread over one scan, or the middle of each of several, with the outlines that belong to them.

Looking is not contouring: missing slices are taken as they are, and a scan that can not be read stands as its reason.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from tqdm import tqdm

from monai_gi.errors import DataError
from monai_gi.intensity import scale_to_window, volume_window
from monai_gi.plots.clinical import edges_of
from monai_gi.readers.sources import Source, read_source
from monai_gi.scan import Scan
from monai_gi.showing.planes import Plane, colors_of, draw_plane, plane_view
from monai_gi.showing.views import MOST, Tile, View, spread

Masks = Mapping[str, np.ndarray]
FindMasks = Callable[[Scan], Masks]
_UID_END = 12
_REFUSED_PX = (160, 240)


def scan_view(scan: Scan, masks: Masks, title: str) -> View:
    """All slices of one scan.

    Args:
        scan: the scan.
        masks: (H, W, D) bool by name; none where nothing is labelled.
        title: as in `View`.

    Returns:
        The view; slices are numbered as their names are.
    """
    draw = _Drawn(scan, masks)
    tiles = []
    for d, name in enumerate(scan.slice_names):
        marked = any(mask[:, :, d].any() for mask in masks.values())
        tiles.append(Tile(_number(name), name, partial(draw, d), marked))
    return View(title, tuple(tiles), tuple(masks))


def scans_view(sources: Sequence[Source], find_masks: FindMasks, title: str) -> View:
    """One slice of each of several scans, twelve at most.

    Args:
        sources: what can be read, more than one.
        find_masks: from a scan to its masks (H, W, D) by name.
        title: as in `View`.

    Returns:
        The view: of each scan the labelled slice nearest to its middle, or the middle where none is labelled.

    Raises:
        DataError: not one of those chosen can be read; the first one's reason.
    """
    chosen = [sources[place] for place in spread(len(sources))]
    bar = tqdm(chosen, "reading", unit="scan", disable=None, leave=False, delay=1)
    read = [_plane_or_fault(source, find_masks) for source in bar]
    faults = [fault for _, _, fault in read if fault is not None]
    planes = [(number, caption, plane) for number, (caption, plane, _) in enumerate(read, 1)]
    if len(faults) == len(chosen):
        raise faults[0]
    more = f", {MOST} of them" if len(sources) > len(chosen) else ""
    return plane_view(f"{title}: {len(sources)} scans{more}", planes, word="scan", single=False)


def caption_of(source: Source) -> str:
    """A scan in a few words; of a UID its end, as its beginning is that of its neighbours.

    Args:
        source: the scan.

    Returns:
        No patient's name.
    """
    if source.series is None:
        return source.name
    return f"{source.series.modality} …{source.name[-_UID_END:]}"


def title_of(scan: Scan) -> str:
    """A scan in a line.

    Args:
        scan: the scan.

    Returns:
        Its name, kind, size and spacing.
    """
    height, width, depth = scan.voxels.shape
    spacing = " x ".join(f"{step:.3g}" for step in scan.spacing_mm)
    name = f"{scan.series.modality} …{scan.name[-_UID_END:]}" if scan.series else scan.name
    return f"{name} ({scan.kind}), {width} x {height} x {depth} (W x H x D), {spacing} mm"


def plane_of(scan: Scan, masks: Masks, window: tuple[float, float], d: int) -> Plane:
    """One slice to draw.

    Args:
        scan: the scan.
        masks: (H, W, D) by name.
        window: grey values that become black and white.
        d: position along D.

    Returns:
        Image and masks. Letters stand where the file says how the patient lies, as in the pictures of `predict`.
    """
    grey = np.rint(scale_to_window(scan.voxels[:, :, d], window) * 255).astype(np.uint8)
    row, column, _ = scan.spacing_mm
    assumed = scan.kind == "picture"
    return Plane(
        grey,
        {name: mask[:, :, d] for name, mask in masks.items()},
        (row, column),
        None if assumed else edges_of(scan.affine),
        None if assumed and column == 1 else grey.shape[1] * column,
    )


class _Drawn:
    """Draws slices when they are asked for: a scan has more of them than a sheet."""

    def __init__(self, scan: Scan, masks: Masks) -> None:
        self.scan, self.masks = scan, masks
        self.window, self.colors = volume_window(scan.voxels), colors_of(list(masks))
        self.fill = not scan.voxels.any()  # labels without their image

    def __call__(self, d: int, longest: int) -> np.ndarray:
        plane = plane_of(self.scan, self.masks, self.window, d)
        return draw_plane(replace(plane, fill=self.fill), self.colors, longest)


def _plane_or_fault(source: Source, find_masks: FindMasks) -> tuple[str, Plane, DataError | None]:
    try:
        scan = read_source(source, allow_gaps=True)
        plane, name = _middle(scan, find_masks(scan))
    except DataError as fault:
        return f"can not be read: {caption_of(source)}", Plane(np.zeros(_REFUSED_PX, np.uint8)), fault
    return f"{caption_of(source)}, {name}", plane, None


def _middle(scan: Scan, masks: Masks) -> tuple[Plane, str]:
    depth = scan.voxels.shape[2]
    labelled = [d for d in range(depth) if any(mask[:, :, d].any() for mask in masks.values())]
    d = min(labelled or range(depth), key=lambda place: abs(place - (depth - 1) / 2))
    return plane_of(scan, masks, volume_window(scan.voxels), d), scan.slice_names[d].rpartition("slice_")[2]


def _number(name: str) -> int:
    """The number that a slice's name ends in; 1 for a picture that has none."""
    digits = name.rpartition("_")[2]
    return int(digits) if digits.isdecimal() else 1
