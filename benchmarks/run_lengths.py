"""How fast run lengths become masks and masks run lengths, against pycocotools and the loops of contest notebooks.

    python benchmarks/run_lengths.py [--masks 300] [--rounds 9]

Timed are two whole jobs on masks that are not empty: text of train.csv -> mask (H, W), and mask -> the same text.
pycocotools' code is column-major, from 0 and compressed, so its side holds what turns that into the same text and mask:
the transposed shape makes it row-major without a copy, NumPy parses the text as fast as on our side, and its compressed
counts, which it has no function to open, are opened in Python. Its codec alone, on its own compressed counts, is shown
beside it; that is a smaller job (no text) and no part of the ratios. All sides must agree to the last pixel and letter
before a clock runs. Drawn organs always, and the rows of `$MONAI_GI_TEST_DATA/uw_madison` where that is set.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as coco

from monai_gi.datasets.uw_madison import index_uw_madison
from monai_gi.rle import decode_rle, encode_rle

_SIZES = ((266, 266), (310, 360), (276, 276))
_Row = tuple[str, tuple[int, int]]


def loop_decode(rle: str, shape: tuple[int, int]) -> np.ndarray:
    """Fill run by run."""
    words = rle.split()
    starts = np.asarray(words[::2], dtype=int) - 1
    ends = starts + np.asarray(words[1::2], dtype=int)
    flat = np.zeros(shape[0] * shape[1], dtype=np.uint8)
    for start, end in zip(starts, ends, strict=True):
        flat[start:end] = 1
    return flat.reshape(shape)


def loop_encode(mask: np.ndarray) -> str:
    """Pad, compare neighbours, write number by number."""
    flat = np.concatenate([[0], mask.flatten(), [0]])
    edges = np.where(flat[1:] != flat[:-1])[0] + 1
    edges[1::2] -= edges[::2]
    return " ".join(str(number) for number in edges)


def coco_decode(rle: str, shape: tuple[int, int]) -> np.ndarray:
    """Text to gaps and lengths, compress, decode."""
    return coco.decode(_compress(rle, shape)).T


def coco_encode(mask: np.ndarray) -> str:
    """Encode, open the compressed counts, write text."""
    counts = np.array(_open_counts(coco.encode(mask.T.view(np.uint8))["counts"]))
    edges = counts.cumsum()
    runs = np.stack([edges[:-1:2] + 1, counts[1::2]], axis=1).ravel().tolist()
    return ("%d " * len(runs) % tuple(runs))[:-1]


def _compress(rle: str, shape: tuple[int, int]) -> dict[str, Any]:
    numbers = np.fromstring(rle, dtype=np.int64, sep=" ")
    edges = np.stack([numbers[::2] - 1, numbers[::2] - 1 + numbers[1::2]], axis=1).ravel()
    counts = np.diff(edges, prepend=0, append=shape[0] * shape[1])
    return coco.frPyObjects({"size": [shape[1], shape[0]], "counts": counts.tolist()}, shape[1], shape[0])


def _open_counts(text: bytes) -> list[int]:
    """Open COCO's counts: 5 bits a letter, low ones first, each count from the third on as a difference."""
    counts: list[int] = []
    value = shift = 0
    for letter in text:
        bits = letter - 48
        value |= (bits & 0x1F) << shift
        shift += 5
        if bits & 0x20:
            continue
        if bits & 0x10:
            value -= 1 << shift
        counts.append(value + counts[-2] if len(counts) > 2 else value)
        value = shift = 0
    return counts


def draw_rows(count: int, seed: int = 0) -> list[_Row]:
    """Draw organs of one to four lobes with uneven outlines, as many rows and pixels a mask as real ones."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(count):
        height, width = _SIZES[number % len(_SIZES)]
        y, x = np.ogrid[:height, :width]
        mask = np.zeros((height, width), dtype=bool)
        for _ in range(rng.integers(1, 5)):
            centre_y, centre_x = rng.uniform(0.3, 0.7, 2) * (height, width)
            angle = np.arctan2(y - centre_y, x - centre_x)
            outline = rng.uniform(6, 26) * (1 + 0.25 * np.sin(rng.integers(2, 7) * angle + rng.uniform(0, 6)))
            mask |= np.hypot(y - centre_y, x - centre_x) < outline
        rows.append((encode_rle(mask), mask.shape))
    return rows


def real_rows(root: Path) -> list[_Row]:
    """Take the rows with an organ, and the size of their images."""
    return [
        (rle, tuple(item["size"]))
        for item in index_uw_madison(root, keep_known_bad=True)
        for rle in item["label"].values()
        if rle
    ]


def compare(name: str, rows: list[_Row], rounds: int) -> None:
    """Check that all sides agree, time them turn by turn, and print the medians and ratios."""
    masks = [loop_decode(*row).astype(bool) for row in rows]
    opened = [_compress(*row) for row in rows]
    for (rle, shape), mask in zip(rows, masks, strict=True):
        for decode in (decode_rle, coco_decode):
            np.testing.assert_array_equal(decode(rle, shape), mask)
        for encode in (encode_rle, loop_encode, coco_encode):
            np.testing.assert_equal(encode(mask), rle)
    runs = statistics.mean(len(rle.split()) / 2 for rle, _ in rows)
    print(f"\n{name}: {len(rows)} masks, {runs:.0f} runs each; equal on all sides; median of {rounds} rounds")
    each_row, each_mask = [lambda f, row=row: f(*row) for row in rows], [lambda f, mask=mask: f(mask) for mask in masks]
    _print_job("text -> mask", _time(each_row, [decode_rle, coco_decode, loop_decode], rounds))
    _print_job("mask -> text", _time(each_mask, [encode_rle, coco_encode, loop_encode], rounds))
    alone = [_time([lambda f, rle=rle: f(rle) for rle in opened], [coco.decode], rounds)[0]]
    alone += _time(each_mask, [lambda mask: coco.encode(mask.T.view(np.uint8))], rounds)
    print(f"  pycocotools' codec alone, compressed counts, no text: decode {alone[0]:.1f}, encode {alone[1]:.1f} us")


def _time(calls: Iterable[Callable], sides: list[Callable], rounds: int) -> list[float]:
    """Microseconds a mask of each side, the sides taking turns within a round."""
    calls = list(calls)
    seconds: list[list[float]] = [[] for _ in sides]
    for _ in range(rounds):
        for side, times in zip(sides, seconds, strict=True):
            start = time.perf_counter()
            for call in calls:
                call(side)
            times.append(time.perf_counter() - start)
    return [statistics.median(times) / len(calls) * 1e6 for times in seconds]


def _print_job(job: str, microseconds: list[float]) -> None:
    ours, theirs, loop = microseconds
    print(
        f"  {job}: monai_gi {ours:.1f} us, pycocotools {theirs:.1f} us ({theirs / ours:.1f}x), "
        f"loop {loop:.1f} us ({loop / ours:.1f}x)"
    )


def main() -> None:
    """Run both jobs on drawn and, where present, real rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--masks", type=int, default=300, help="drawn masks")
    parser.add_argument("--rounds", type=int, default=9, help="the median of so many is printed")
    options = parser.parse_args()
    compare("drawn organs", draw_rows(options.masks), options.rounds)
    folder = os.environ.get("MONAI_GI_TEST_DATA")
    if folder:
        compare("real rows", real_rows(Path(folder, "uw_madison")), options.rounds)


if __name__ == "__main__":
    main()
