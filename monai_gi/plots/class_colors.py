"""Colours of classes by their names: those of `monai_gi.labels` have one there, any other gets one that is its own."""

import zlib
from collections.abc import Sequence

from monai_gi.labels import ORGANS, POLYP_NAMES, POLYP_RGB, TISSUES

# Okabe and Ito's, but for black: https://jfly.uni-koeln.de/color/
OTHERS = ((230, 159, 0), (204, 121, 167), (0, 114, 178), (240, 228, 66), (0, 158, 115), (213, 94, 0))

BLACK = (0, 0, 0)
_LEAST_DIFFERENCE = 24
_SPREAD = (67, 113, 29)  # steps without a common pattern, for more classes than there are told-apart colours

_KNOWN = {
    **{tissue.name: tissue.rgb for tissue in TISSUES},
    **{organ.name: organ.rgb for organ in ORGANS},
    **dict.fromkeys(POLYP_NAMES, POLYP_RGB),
}


def color_of(name: str) -> tuple[int, int, int]:
    """The colour of outlines and legends.

    Args:
        name: of a class; the same name has the same colour in every picture.

    Returns:
        Red, green, blue, 0 to 255.

    >>> color_of("polyp")
    (86, 180, 233)
    """
    if name in _KNOWN:
        return _KNOWN[name]
    return OTHERS[zlib.crc32(name.encode()) % len(OTHERS)]


def class_palette(classes: Sequence[str]) -> list[tuple[int, int, int]]:
    """Choose the colours of the classes of one image, no two alike.

    Args:
        classes: names, background first, which is black.

    Returns:
        (red, green, blue), 0 to 255, of each.

    Example:
        >>> class_palette(["background", "glomerulus"])
        [(0, 0, 0), (213, 94, 0)]
    """
    colors = [BLACK]
    for number, name in enumerate(classes[1:]):
        wishes = [color_of(name), *OTHERS]
        spread = [tuple((place * step) % 256 for step in _SPREAD) for place in range(number, number + 256)]
        colors.append(next(rgb for rgb in (*wishes, *spread) if _is_new(rgb, colors)))  # type: ignore[arg-type]
    return colors


def _is_new(rgb: Sequence[int], colors: Sequence[Sequence[int]]) -> bool:
    """Whether a colour differs well from all others."""
    return all(sum(abs(a - b) for a, b in zip(rgb, color, strict=True)) >= _LEAST_DIFFERENCE for color in colors)
