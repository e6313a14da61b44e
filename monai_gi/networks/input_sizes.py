"""Which images a network of transformers takes whole: of others it drops the right and lower rest without a word.

Convention: sizes are (height, width) in px.
"""

import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

# Five halvings, after which the deepest features of the usual backbones and those above them lie in register.
STRIDE = 32
# Patches below this are no tokens but the first of several halvings.
SMALLEST_TOKEN = 8
# Their forward takes the grid of tokens from `image_size`, whatever the image is.
ONE_SIZE = ("data2vec-vision",)


class InputSizes(NamedTuple):
    """The sizes that work.

    Attributes:
        multiple: every side is one of this, height and width.
        minimum: and at least this.
        maximum: and at most this, where there is an end.
    """

    multiple: tuple[int, int]
    minimum: tuple[int, int]
    maximum: tuple[int, int] | None = None

    def nearest(self, height: int, width: int) -> tuple[int, int]:
        """Round a size to one that works.

        Args:
            height: from 1.
            width: from 1.

        Returns:
            The size itself where it works; halfway the larger one.

        >>> InputSizes((16, 16), (32, 32)).nearest(270, 8)
        (272, 32)
        """
        most = self.maximum or (sys.maxsize, sys.maxsize)
        sides = zip((height, width), self.multiple, self.minimum, most, strict=True)
        rows, columns = (min(most, max(least, (side + step // 2) // step * step)) for side, step, least, most in sides)
        return rows, columns

    def check(self, height: int, width: int, kind: str) -> None:
        """Refuse a size that does not work.

        Args:
            height: of the images.
            width: of the images.
            kind: of the network, for the message.

        Raises:
            ValueError: names the rule and the nearest size that works.
        """
        rows, columns = self.nearest(height, width)
        if (rows, columns) == (height, width):
            return
        rule = f"sides of at least {_by(self.minimum)} px"
        if self.maximum == self.minimum:
            rule = f"its config's image_size only, {_by(self.minimum)} px"
        elif max(self.multiple) > 1:
            rule += f" that are multiples of {_by(self.multiple)}"
        raise ValueError(
            f"images of {height} x {width} px, but {kind} takes {rule}. The nearest is {rows} x {columns}, "
            f"in a bundle --roi_size '[{rows}, {columns}]'"
        )


def input_sizes(config: Any) -> InputSizes:
    """Tell the sizes from a network's config.

    Args:
        config: of transformers, of the whole network.

    Returns:
        Tokens of a plain ViT tile the image, two by two at least; SegFormer's overlap and take any size; other
        backbones halve it five times.
    """
    if config.model_type == "segformer":
        return InputSizes((1, 1), (STRIDE, STRIDE))
    if config.model_type in ONE_SIZE:
        size = _pair(config.image_size)
        return InputSizes(size, size, size)
    rows, columns = _pair(getattr(getattr(config, "backbone_config", None) or config, "patch_size", None) or 1)
    if min(rows, columns) < SMALLEST_TOKEN:
        return InputSizes((STRIDE, STRIDE), (STRIDE, STRIDE))
    return InputSizes((rows, columns), (2 * rows, 2 * columns))


def _pair(sides: int | Sequence[int]) -> tuple[int, int]:
    return (sides, sides) if isinstance(sides, int) else (sides[0], sides[1])


def _by(pair: tuple[int, int]) -> str:
    return str(pair[0]) if pair[0] == pair[1] else f"{pair[0]} x {pair[1]}"
