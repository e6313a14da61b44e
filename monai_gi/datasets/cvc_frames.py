"""What is published about the 612 frames of CVC-ClinicDB, counted from 1: 29 sequences, and PraNet's test frames.

Sequences: the table in the data set's README (Bernal et al., Comput Med Imaging Graph 43, 2015). Test frames: the 62
results of `results/PraNet/CVC-ClinicDB` in https://github.com/DengPingFan/PraNet (Fan et al., MICCAI 2020); its 550
training frames are the others.
"""

from bisect import bisect_left

LAST_FRAMES = (
    *(25, 50, 67, 78, 103, 126, 151, 177, 199, 205),
    *(227, 252, 277, 297, 317, 342, 363, 383, 408, 428),
    *(447, 466, 478, 503, 528, 546, 571, 591, 612),
)
"""The last frame of sequences 1 to 29."""

PRANET_TEST_FRAMES = frozenset(
    (
        *(14, 21, 25, 31, 42, 50, 52, 61, 65, 66, 73, 80, 89),
        *(100, 106, 119, 134, 148, 154, 163, 166, 171, 179, 181, 185, 191),
        *(205, 240, 251, 266, 279, 287),
        *(300, 307, 349, 353, 374, 381, 388, 397),
        *(400, 404, 425, 429, 431, 442, 453, 459, 464, 474, 481, 483, 492),
        *(526, 529, 545, 555, 559, 561, 569, 571, 575),
    )
)


def published_sequence(frame: int) -> int | None:
    """The sequence of a frame, from 1; None for a frame that is not of this data set.

    >>> published_sequence(25), published_sequence(26), published_sequence(613)
    (1, 2, None)
    """
    return bisect_left(LAST_FRAMES, frame) + 1 if 1 <= frame <= LAST_FRAMES[-1] else None
