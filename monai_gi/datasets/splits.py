"""Folds that never split a group (a patient, a video sequence, a slide), stratified on the organs a slice shows."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from monai_gi.errors import DataError


def assign_folds(items: Sequence[dict[str, Any]], folds: int = 5, seed: int = 0) -> list[dict[str, Any]]:
    """Give each item a `fold` from 0, groups whole, organs spread evenly.

    Args:
        items: with `group`, and `label` as run lengths by organ; items without `label` count as one kind.
        folds: how many, 2 or more.
        seed: another seed deals the groups out anew.

    Returns:
        Copies of the items in their order, with `fold`.

    Raises:
        ValueError: fewer than 2 folds are asked for.
        DataError: there are fewer groups than folds.
    """
    if folds < 2:
        raise ValueError(f"{folds} folds asked for; at least 2 are wanted, one to validate on and the rest to train on")
    groups = [item["group"] for item in items]
    count = len(set(groups))
    if count < folds:
        raise DataError(
            "folds", f"{folds} folds asked for, {count} cases found; every fold needs a case. Ask for fewer"
        )
    fold_of = dict.fromkeys(groups, 0)
    # scikit-learn refuses kinds with fewer members than folds; taking every item `folds` times changes no proportion.
    kinds = np.repeat([_organs_present(item) for item in items], folds)
    repeated = np.repeat(groups, folds)
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    for fold, (_, members) in enumerate(splitter.split(kinds, kinds, repeated)):
        fold_of.update(dict.fromkeys(repeated[members].tolist(), fold))
    return [{**item, "fold": fold_of[item["group"]]} for item in items]


def _organs_present(item: dict[str, Any]) -> int:
    """One bit for each organ with run lengths, so that slices with the same organs are of one kind."""
    return sum(1 << bit for bit, rle in enumerate(item.get("label", {}).values()) if rle)
