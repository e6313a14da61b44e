"""Windows of a slide as the network takes them: (3 * levels, h, w), the levels around one centre; glass is left out."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from monai_gi.slides import TissueMap, read_stack
from monai_gi.slides.stacking import Image
from monai_gi.streaming.windows import Band, WindowPlan


def places_of(band: Band, plan: WindowPlan) -> Iterator[tuple[int, int]]:
    """The windows of a band in the order in which they are blended: column by column, from above."""
    for left in plan.columns:
        for top in band.rows:
            yield top, left


def batches_of(
    image: Image, levels: Sequence[int], plan: WindowPlan, places: Iterable[tuple[int, int]], batch_size: int
) -> Iterator[np.ndarray]:
    """Read windows, several at once.

    Args:
        image: the slide.
        levels: of the windows.
        plan: knows their size and the padding.
        places: (top, left) of the windows in the padded image.
        batch_size: windows in a batch at most.

    Yields:
        np.ndarray: (n, 3 * levels, h, w), uint8.
    """
    windows: list[np.ndarray] = []
    for top, left in places:
        corner = (top - plan.margin[0], left - plan.margin[1])
        windows.append(read_stack(image, levels, corner, plan.roi_size))
        if len(windows) == batch_size:
            yield np.stack(windows)
            windows = []
    if windows:
        yield np.stack(windows)


def windows_of_glass(plan: WindowPlan, level: int, tissue: TissueMap | None) -> frozenset[tuple[int, int]]:
    """The windows that touch no tissue.

    Args:
        plan: of the windows.
        level: of their pixels.
        tissue: of the slide; None: there is no glass.

    Returns:
        (top, left) of each, in the padded image.
    """
    if tissue is None:
        return frozenset()
    return frozenset(
        (top, left)
        for top in plan.rows
        for left in plan.columns
        if tissue.share(level, top - plan.margin[0], left - plan.margin[1], *plan.roi_size) == 0
    )
