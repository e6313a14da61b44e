"""How the frames of CVC-ClinicDB are dealt out, by name; numbers of different protocols are never compared.

`sequence`: whole videos, ours. `pranet-62`: fold 0 is PraNet's 62 test frames, fold 1 the 550 others, as published;
PraNet trains on another data set besides, Kvasir-SEG.
`random`: fold 1 is 80 % of the frames to train on, fold 0 10 % to validate on, 10 % are the test list. The last two
split videos: by copying its nearest training frame's mask a network scores as if it had learned.
"""

import logging
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from monai_gi.datasets.cvc_frames import PRANET_TEST_FRAMES
from monai_gi.datasets.splits import assign_folds
from monai_gi.errors import DataError

logger = logging.getLogger(__name__)

SEQUENCE, PRANET, RANDOM = "sequence", "pranet-62", "random"
PROTOCOLS = (SEQUENCE, PRANET, RANDOM)
_CAVEATS = {
    PRANET: "the frames are PraNet's, the protocol is not in whole: PraNet trains on 900 frames of Kvasir-SEG too, and"
    " here the 62 test frames also choose the best epoch. Name both beside its published scores"
}
_HELD_OUT, _TRAINED_ON = 0, 1
_TENTH = 0.1


class Dealt(NamedTuple):
    """Frames dealt out.

    Attributes:
        items: with `fold`.
        test: of no fold; with `fold` 0 all the same, so that whoever loads them can judge them.
    """

    items: list[dict[str, Any]]
    test: list[dict[str, Any]]


def deal_out(items: Sequence[dict[str, Any]], protocol: str = SEQUENCE, *, folds: int = 5, seed: int = 0) -> Dealt:
    """Deal frames out by a protocol.

    Args:
        items: of `index_cvc_clinicdb`.
        protocol: one of PROTOCOLS; see `leak_warning` of those that split sequences.
        folds: of `sequence`; fewer sequences give fewer folds (logged), one gives fold 0.
        seed: of `sequence` and `random`.

    Returns:
        Copies of the items in their order.

    Raises:
        ValueError: there is no such protocol.
        DataError: `pranet-62` finds none of its test frames, or only those; `random` fewer than 10 frames.
    """
    if protocol not in PROTOCOLS:
        raise ValueError(f"protocol: {protocol!r}, wanted one of {', '.join(PROTOCOLS)}")
    return _DEALERS[protocol](items, folds, seed)


def leak_warning(items: Sequence[dict[str, Any]], test: Sequence[dict[str, Any]] = ()) -> str:
    """Say that sequences stand on both sides of a split.

    Args:
        items: with `fold` and `group`.
        test: items of no fold, with `group`.

    Returns:
        One sentence; empty where every sequence is in one fold.
    """
    sides = {(item["group"], str(item["fold"])) for item in items} | {(item["group"], "test") for item in test}
    split = sum(count > 1 for count in Counter(group for group, _ in sides).values())
    if not split:
        return ""
    groups = len({group for group, _ in sides})
    return (
        f"{split} of {groups} sequences are in more than one part, so frames leak: near-copies of training frames are"
        " judged. Compare only with numbers of the same protocol, and report `sequence` beside it"
    )


def protocol_warnings(dealt: Dealt, protocol: str | None) -> list[str]:
    """All that a reader of scores has to know of the split.

    Args:
        dealt: frames with `fold` and `group`.
        protocol: its name; None where nobody wrote it down.

    Returns:
        A sentence each.
    """
    return [text for text in (leak_warning(dealt.items, dealt.test), _CAVEATS.get(protocol or "")) if text]


def frames_report(dealt: Dealt, protocol: str) -> str:
    """The table that an index prints.

    Args:
        dealt: at least one frame.
        protocol: its name.

    Returns:
        Lines of text.
    """
    items, test = dealt
    everything = [*items, *test]
    sizes = Counter(f"{item['size'][1]} x {item['size'][0]}" for item in everything)
    rows = [
        ("frames", str(len(everything))),
        ("sequences", str(len({item["group"] for item in everything}))),
        ("sizes (W x H)", ", ".join(f"{size} ({count} frames)" for size, count in sizes.most_common())),
        ("protocol", protocol),
    ]
    folds = sorted({item["fold"] for item in items})
    rows += [(f"fold {fold}", _describe([item for item in items if item["fold"] == fold])) for fold in folds]
    rows += [("test", _describe(test))] if test else []
    width = max(len(name) for name, _ in rows)
    lines = [f"{name.ljust(width)}  {value}" for name, value in rows]
    return "\n".join([*lines, *(f"warning: {text}" for text in protocol_warnings(dealt, protocol))])


def _describe(items: Sequence[dict[str, Any]]) -> str:
    return f"sequences {len({item['group'] for item in items})}, frames {len(items)}"


def _by_sequence(items: Sequence[dict[str, Any]], folds: int, seed: int) -> Dealt:
    sequences = len({item["group"] for item in items})
    if sequences < folds:
        logger.warning("%d folds asked for, %d sequences found: dealing out %d folds", folds, sequences, sequences)
    if sequences < 2:
        return Dealt([{**item, "fold": 0} for item in items], [])
    return Dealt(assign_folds(items, min(folds, sequences), seed), [])


def _as_pranet(items: Sequence[dict[str, Any]], folds: int, seed: int) -> Dealt:
    dealt = [{**item, "fold": _HELD_OUT if _frame(item) in PRANET_TEST_FRAMES else _TRAINED_ON} for item in items]
    held_out = sum(item["fold"] == _HELD_OUT for item in dealt)
    if not 0 < held_out < len(dealt):
        problem = f"{held_out} of {len(dealt)} frames are PraNet's test frames; the whole CVC-ClinicDB is wanted"
        raise DataError(PRANET, f"{problem}. Take the protocol {SEQUENCE} for other frames")
    if held_out < len(PRANET_TEST_FRAMES):
        missing = len(PRANET_TEST_FRAMES) - held_out
        logger.warning(
            "Protocol %s: %d of its 62 test frames are not there; scores are not comparable", PRANET, missing
        )
    return Dealt(dealt, [])


def _at_random(items: Sequence[dict[str, Any]], folds: int, seed: int) -> Dealt:
    tenth = round(len(items) * _TENTH)
    if len(items) < 10:
        raise DataError(RANDOM, f"{len(items)} frames, wanted 10 or more; a tenth validates, another tests")
    order = np.random.default_rng(seed).permutation(len(items))
    test, validation = set(order[:tenth].tolist()), set(order[tenth : 2 * tenth].tolist())
    folded = [
        {**item, "fold": _HELD_OUT if position in validation else _TRAINED_ON}
        for position, item in enumerate(items)
        if position not in test
    ]
    return Dealt(folded, [{**items[position], "fold": _HELD_OUT} for position in sorted(test)])


def _frame(item: dict[str, Any]) -> int:
    return int(str(item["id"]).rpartition("_")[2])


_DEALERS = {SEQUENCE: _by_sequence, PRANET: _as_pranet, RANDOM: _at_random}
