"""Where the windows of a slide lie, and in which bands of rows their answers become final.

Positions and weights are those of MONAI's `sliding_window_inference`: row-major windows at multiples of
`int(roi * (1 - overlap))`, the last one moved back to the edge; an image smaller than the window is centred in it.
Coordinates are those of the padded image unless they are called "of the image"; (row, column), ends excluded.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from monai.data.utils import dense_patch_slices


@dataclass(frozen=True)
class Band:
    """Rows of windows that are finished together.

    Attributes:
        rows: upper ends of the windows, one or two rows of them.
        top: first row that becomes final.
        bottom: behind the last row that becomes final; the windows reach farther, into the next band.
    """

    rows: tuple[int, ...]
    top: int
    bottom: int


@dataclass(frozen=True)
class WindowPlan:
    """Windows over an image.

    Attributes:
        size: (H, W) of the image.
        roi_size: (h, w) of the windows.
        rows: upper ends of the windows, ascending.
        columns: left ends.
    """

    size: tuple[int, int]
    roi_size: tuple[int, int]
    rows: tuple[int, ...]
    columns: tuple[int, ...]

    @property
    def padded(self) -> tuple[int, int]:
        """(H, W) with the padding of an image that is smaller than a window."""
        return (max(self.size[0], self.roi_size[0]), max(self.size[1], self.roi_size[1]))

    @property
    def margin(self) -> tuple[int, int]:
        """Rows of padding above the image, and columns left of it."""
        return ((self.padded[0] - self.size[0]) // 2, (self.padded[1] - self.size[1]) // 2)

    @property
    def bands(self) -> list[Band]:
        """All bands, from the top; the first begins at 0, the last ends with the padded image.

        The last row of windows, moved back to the edge, may overlap the one before nearly whole. The two make one
        band, so that between bands never more waits than the usual overlap.
        """
        groups: list[tuple[int, ...]] = [(row,) for row in self.rows]
        steps = [lower - upper for upper, lower in zip(self.rows, self.rows[1:], strict=False)]
        if len(steps) == 1 or (steps and steps[-1] < steps[0]):
            groups[-2:] = [(self.rows[-2], self.rows[-1])]
        tops = [group[0] for group in groups]
        return [
            Band(group, top, bottom)
            for group, top, bottom in zip(groups, tops, [*tops[1:], self.padded[0]], strict=True)
        ]


def plan_windows(size: Sequence[int], roi_size: Sequence[int], overlap: float) -> WindowPlan:
    """Lay windows over an image as MONAI does.

    Args:
        size: (H, W) of the image, at the level of the output.
        roi_size: (h, w) of the windows.
        overlap: of neighbouring windows, 0 to below 1.

    Returns:
        The plan.
    """
    rows, columns = (_starts(length, window, overlap) for length, window in zip(size, roi_size, strict=True))
    return WindowPlan((size[0], size[1]), (roi_size[0], roi_size[1]), rows, columns)


def _starts(length: int, window: int, overlap: float) -> tuple[int, ...]:
    """Along one axis; the step is that of MONAI's `_get_scan_interval`."""
    padded = max(length, window)
    step = window if padded == window else max(int(window * (1 - overlap)), 1)
    return tuple(int(place.start) for (place,) in dense_patch_slices((padded,), (window,), (step,)))
