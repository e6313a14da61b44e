"""Folds that never split a group (a patient, a video sequence, a slide), stratified on the organs a slice shows.

Groups are dealt out one by one, those that weigh most first, each to the fold where the shares of every kind of slice
stay most even: the rule of scikit-learn's StratifiedGroupKFold. That class itself sorts the groups by their content
alone, so that another random_state often deals out the same folds; here the seed always has a say in the order.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from monai_gi.errors import DataError


def assign_folds(items: Sequence[dict[str, Any]], folds: int = 5, seed: int = 0) -> list[dict[str, Any]]:
    """Give each item a `fold` from 0, groups whole, organs spread evenly.

    Args:
        items: with `group`, and `label` as run lengths by organ; items with another label, or none, count as one kind.
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
    groups, group_of = np.unique([item["group"] for item in items], return_inverse=True)
    if len(groups) < folds:
        problem = f"{folds} folds asked for, {len(groups)} cases found; every fold needs a case. Ask for fewer"
        raise DataError("folds", problem)
    kinds, kind_of = np.unique([_organs_present(item) for item in items], return_inverse=True)
    counts = np.zeros((len(groups), len(kinds)))
    np.add.at(counts, (group_of, kind_of), 1)
    fold_of = _deal(counts, folds, np.random.default_rng(seed))
    return [{**item, "fold": int(fold)} for item, fold in zip(items, fold_of[group_of], strict=True)]


def _deal(counts: np.ndarray, folds: int, rng: np.random.Generator) -> np.ndarray:
    """Deal groups out by their counts of each kind (G, kinds); the fold of each group (G,), no fold empty."""
    shares = counts / counts.sum(axis=0)
    weights = shares.mean(axis=1) * rng.uniform(0.75, 1.25, len(counts))
    fold_of = np.zeros(len(counts), dtype=int)
    held, sizes = np.zeros((folds, counts.shape[1])), np.zeros(folds)
    for group in np.argsort(-weights):
        trials = held + np.eye(folds)[:, :, None] * shares[group]
        unevenness = trials.std(axis=1).mean(axis=1).round(12)
        fold = np.lexsort((sizes, unevenness))[0]
        fold_of[group] = fold
        held[fold] += shares[group]
        sizes[fold] += counts[group].sum()
    return fold_of


def _organs_present(item: dict[str, Any]) -> int:
    """One bit for each organ with run lengths, so that slices with the same organs are of one kind."""
    label = item.get("label")
    if not isinstance(label, Mapping):  # a mask's path: what it shows stands in the file
        return 0
    return sum(1 << bit for bit, rle in enumerate(label.values()) if rle)
