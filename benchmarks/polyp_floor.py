"""What a network scores that learns nothing: each frame of CVC-ClinicDB gets the mask of its nearest training frame.

Run from the repository's root: `python -m benchmarks.polyp_floor DATASET_DIR`. A score on a protocol says something
only by how far it lies above this floor, on the same frames: those of fold 0, as bundles deal them out, stand apart.
Likeness is the correlation of thumbnails, as in `monai-gi leaks`.
"""

import argparse
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from monai_gi.datasets.cvc_clinicdb import index_cvc_clinicdb
from monai_gi.datasets.cvc_protocols import PRANET, PROTOCOLS, RANDOM, SEQUENCE, deal_out
from monai_gi.leaking.images import read_thumbnails
from monai_gi.metrics.overlap import dice, iou
from monai_gi.near_duplicates import unit_vectors
from monai_gi.pictures import read_mask

ALIKE = 0.9
Items = Sequence[dict[str, Any]]


class Copied(NamedTuple):
    """What copying gives for some frames.

    Attributes:
        dice: of each frame (N,); two empty masks give 1.
        iou: of each frame (N,).
        likeness: to the training frame that was copied (N,).
    """

    dice: np.ndarray
    iou: np.ndarray
    likeness: np.ndarray


def splits(items: Items, protocol: str, seed: int) -> Iterator[tuple[Items, Items]]:
    """(judged, training) of a protocol: each fold in its turn, or the test frames."""
    dealt, test = deal_out(items, protocol, seed=seed)
    if protocol == SEQUENCE:
        for fold in sorted({item["fold"] for item in dealt}):
            yield [item for item in dealt if item["fold"] == fold], [item for item in dealt if item["fold"] != fold]
    else:
        judged = test if protocol == RANDOM else [item for item in dealt if item["fold"] == 0]
        yield judged, [item for item in dealt if item["fold"] == 1]


def fold_0(items: Items, protocol: str) -> tuple[Items, Items]:
    """(judged, training) of a bundle with `--fold 0` and no datalist."""
    dealt = deal_out(items, protocol).items
    return [item for item in dealt if item["fold"] == 0], [item for item in dealt if item["fold"] != 0]


def copy_masks(judged: Items, training: Items, vectors: dict[str, np.ndarray], masks: dict[str, np.ndarray]) -> Copied:
    """Give each judged frame the mask of its nearest training frame, and score it."""
    one, other = (np.stack([vectors[item["id"]] for item in side]) for side in (judged, training))
    correlations = one @ other.T
    scores = []
    for item, nearest in zip(judged, correlations.argmax(axis=1), strict=True):
        truth, copied = masks[item["id"]], masks[training[nearest]["id"]]
        if truth.shape != copied.shape:
            raise SystemExit(f"{item['id']}: frames of several sizes, {truth.shape} and {copied.shape}; one is wanted")
        scores.append((dice(copied, truth, both_empty=1.0), iou(copied, truth, both_empty=1.0)))
    return Copied(*np.array(scores).T, correlations.max(axis=1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset_dir", type=Path)
    parser.add_argument("--seeds", type=int, default=5, help="of the dealing; pranet-62 is fixed")
    options = parser.parse_args()
    logging.disable(logging.WARNING)  # that frames leak is what is measured here
    items = index_cvc_clinicdb(options.dataset_dir)
    names = [item["id"] for item in items]
    thumbnails = read_thumbnails([Path(item["image"]) for item in items])
    vectors = dict(zip(names, unit_vectors(thumbnails), strict=True))
    masks = {item["id"]: read_mask(item["label"]) for item in items}
    print(f"{len(items)} frames, {len({item['group'] for item in items})} sequences; mean over frames and seeds")
    print("| protocol | Dice of copied masks | IoU | frames with one alike (0.9) | fold 0: frames | Dice | IoU |")
    print("|---|---|---|---|---|---|---|")
    for protocol in PROTOCOLS:
        parts = [
            copy_masks(judged, training, vectors, masks)
            for seed in range(1 if protocol == PRANET else options.seeds)
            for judged, training in splits(items, protocol, seed)
        ]
        every = Copied(*(np.concatenate(values) for values in zip(*parts, strict=True)))
        one = copy_masks(*fold_0(items, protocol), vectors, masks)
        floors = f"{every.dice.mean():.3f} | {every.iou.mean():.3f} | {(every.likeness >= ALIKE).mean():.1%}"
        print(f"| {protocol} | {floors} | {len(one.dice)} | {one.dice.mean():.3f} | {one.iou.mean():.3f} |")


if __name__ == "__main__":
    main()
