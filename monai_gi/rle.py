"""Run lengths of train.csv and submission.csv: "start length start length ...", starts from 1, row-major over (H, W).

The contest page says column-major; the real rows decode row-major, as the data's authors do
(https://github.com/happyharrycn/UW-Madison-GI-Tract-Segmentation-Data-Tools).
"""

from collections.abc import Iterable, Sequence

import numpy as np
from jaxtyping import Bool, Int64, Shaped

_RUN_LENGTH_CHARACTERS = b"0123456789 "


class RunLengthError(ValueError):
    """A run-length string that is no mask of the given size; the text names the fault."""


def decode_rle(rle: str, shape: Sequence[int]) -> Bool[np.ndarray, "H W"]:
    """Turn one run-length string into a mask.

    >>> decode_rle("2 3", (2, 4)).astype(int)
    array([[0, 1, 1, 1],
           [0, 0, 0, 0]])

    Args:
        rle: 1-based starts and lengths over the row-major image; "" (or only spaces) is the empty mask.
        shape: (H, W) in pixels.

    Returns:
        The mask (H, W), True inside.

    Raises:
        RunLengthError: the string is odd in number, not numeric, not ascending, overlapping, or leaves the image.
    """
    height, width = shape
    mask = np.zeros(height * width, dtype=bool)
    if rle.strip(" "):
        numbers = _parse(rle)
        if numbers is None or _is_faulty(numbers, mask.size):
            raise RunLengthError(_name_fault(rle, mask.size))
        lengths = numbers[1::2]
        ends = lengths.cumsum()
        inside = np.arange(ends[-1])
        inside += np.repeat(numbers[::2] - 1 - ends + lengths, lengths)
        mask[inside] = True
    return mask.reshape(height, width)


def encode_rle(mask: Shaped[np.ndarray, "..."]) -> str:
    """Turn a mask into its run-length string; runs that go on in the next row stay one run.

    >>> encode_rle(np.array([[False, True, True, True], [False, False, False, False]]))
    '2 3'

    Args:
        mask: (H, W) of any dtype; what is not zero is inside.

    Returns:
        1-based starts and lengths over the row-major image; "" for an empty mask.

    Raises:
        ValueError: the mask is not two-dimensional.
    """
    if mask.ndim != 2:
        raise ValueError(f"a mask (H, W) is wanted, not one of shape {mask.shape}: encode one class of one slice.")
    flat = (mask if mask.dtype == bool else mask != 0).ravel()
    # Organs fill a small part of the image: looking for edges between the first and last pixel alone halves the time.
    pixels = flat.tobytes()
    first, last = pixels.find(1), pixels.rfind(1)
    if first < 0:
        return ""
    window = flat[first : last + 1]
    between = np.flatnonzero(window[1:] != window[:-1]) + first + 1
    edges = np.concatenate([[first], between, [last + 1]])
    runs = edges + 1
    runs[1::2] = edges[1::2] - edges[::2]
    return ("%d " * runs.size % tuple(runs.tolist()))[:-1]


def find_rle_fault(rle: str, size_px: int) -> str | None:
    """Say what is wrong with a run-length string, without drawing its mask.

    Args:
        rle: 1-based starts and lengths; "" is in order.
        size_px: pixels in the image, H * W.

    Returns:
        The first fault in words with the run that shows it, or None where the string is in order.
    """
    if not rle.strip(" "):
        return None
    numbers = _parse(rle)
    if numbers is None or _is_faulty(numbers, size_px):
        return _name_fault(rle, size_px)
    return None


def find_rle_faults(rles: Iterable[str], sizes_px: Iterable[int]) -> dict[int, str]:
    """Find the faults of many run-length strings.

    Args:
        rles: one string a mask.
        sizes_px: pixels of each mask's image.

    Returns:
        The fault in words by position, of faulty strings only.
    """
    faults = map(find_rle_fault, rles, sizes_px)
    return {position: fault for position, fault in enumerate(faults) if fault is not None}


def _parse(rle: str) -> Int64[np.ndarray, "N"] | None:
    """Read the numbers, or None where the text holds anything but digits and spaces."""
    # Text mode of fromstring is three times faster than split(); what it would stumble over is kept out before.
    if not rle.isascii() or rle.encode().translate(None, _RUN_LENGTH_CHARACTERS):
        return None
    return np.fromstring(rle, dtype=np.int64, sep=" ")


def _is_faulty(numbers: Int64[np.ndarray, "N"], size_px: int) -> bool:
    # The limits come first: past them a start plus a length can not overflow.
    if numbers.size % 2 or numbers.min() < 1 or numbers.max() > size_px:
        return True
    ends = numbers[::2] + numbers[1::2]
    return bool(ends[-1] > size_px + 1 or (numbers[2::2] < ends[:-1]).any())


def _name_fault(rle: str, size_px: int) -> str:
    numbers = _parse(rle)
    if numbers is None:
        word = next((word for word in rle.split() if not (word.isascii() and word.isdigit())), "")
        found = repr(word[:40]) if word else "tabs or line ends"
        return f"run lengths are not numeric: {found} found, whole numbers parted by spaces wanted"
    if numbers.size % 2:
        return f"run lengths are odd in number: {numbers.size} found, pairs of start and length wanted"
    return _name_faulty_run(numbers[::2].tolist(), numbers[1::2].tolist(), size_px)


def _name_faulty_run(starts: list[int], lengths: list[int], size_px: int) -> str:
    """Name the first run that is out of the image, empty, or not after the run before; there is one."""
    ends = [start + length for start, length in zip(starts, lengths, strict=True)]
    floors = [1, *ends]
    run = next(
        run
        for run, (start, length) in enumerate(zip(starts, lengths, strict=True))
        if start < floors[run] or length < 1 or ends[run] > size_px + 1
    )
    named = f"run {run + 1} ({starts[run]} {lengths[run]})"
    if lengths[run] < 1:
        return f"{named} has no length: at least 1 pixel wanted"
    if starts[run] < 1 or ends[run] > size_px + 1:
        return f"{named} is out of the image: pixels 1 to {size_px} wanted"
    if starts[run] < starts[run - 1]:
        return f"{named} is not in ascending order: the run before starts at pixel {starts[run - 1]}"
    return f"{named} overlaps the run before, which ends at pixel {floors[run] - 1}"
