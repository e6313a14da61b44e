"""Folds: whole cases, even organs, a seed that tells."""

from collections import Counter

import numpy as np
import pytest
from sklearn.model_selection import StratifiedGroupKFold

from monai_gi.datasets.splits import assign_folds
from monai_gi.datasets.uw_madison import index_uw_madison
from monai_gi.errors import DataError


def drawn_items(cases: int = 12, seed: int = 1) -> list[dict]:
    """Cases of different length; every third one shows no stomach."""
    rng = np.random.default_rng(seed)
    items = []
    for case in range(cases):
        for number in range(rng.integers(8, 30)):
            organs = rng.random(3) < (0.3, 0.5, 0.4 if case % 3 else 0.0)
            label = dict(zip("abc", ("1 2" if organ else "" for organ in organs), strict=True))
            items.append({"id": f"{case}-{number}", "group": f"case{case}", "label": label})
    return items


def folds_of_cases(items: list[dict]) -> dict[str, set[int]]:
    return {group: {item["fold"] for item in items if item["group"] == group} for group in {i["group"] for i in items}}


@pytest.mark.parametrize("folds", [2, 3, 5, 12])
def test_cases_stay_whole_and_every_fold_has_some(folds: int):
    dealt = folds_of_cases(assign_folds(drawn_items(), folds))
    assert all(len(found) == 1 for found in dealt.values())
    assert set.union(*dealt.values()) == set(range(folds))


@pytest.mark.parametrize("seed", range(20))
def test_every_fold_has_a_case_whatever_the_organs(seed: int):
    rng = np.random.default_rng(seed)
    groups = [*range(5), *rng.integers(0, 5, 20)]
    items = [
        {"group": str(group), "label": {"a": "1 2" * rng.integers(2), "b": "1 2" * rng.integers(2)}} for group in groups
    ]
    assert {item["fold"] for item in assign_folds(items, 5, seed)} == set(range(5))


def test_items_keep_their_order_and_content():
    items = drawn_items()
    dealt = assign_folds(items)
    assert [{key: item[key] for key in item if key != "fold"} for item in dealt] == items
    assert "fold" not in items[0]


def test_organs_are_spread_evenly():
    items = assign_folds(drawn_items(60), 5)
    for organ in "abc":
        shares = [np.mean([bool(item["label"][organ]) for item in items if item["fold"] == fold]) for fold in range(5)]
        assert max(shares) - min(shares) < 0.08


def unevenness(items: list[dict], folds: list[int]) -> float:
    """How far the folds' shares of each combination of organs lie apart."""
    kinds = np.array(["".join(organ for organ, rle in item["label"].items() if rle) for item in items])
    shares = [
        [np.mean(np.array(folds)[kinds == kind] == fold) for fold in range(max(folds) + 1)] for kind in np.unique(kinds)
    ]
    return float(np.std(shares, axis=1).mean())


def scikit_learn_s(items: list[dict], seed: int) -> list[int]:
    kinds = ["".join(organ for organ, rle in item["label"].items() if rle) for item in items]
    folds = np.zeros(len(items), dtype=int)
    splitter = StratifiedGroupKFold(5, shuffle=True, random_state=seed)
    for fold, (_, members) in enumerate(splitter.split(kinds, kinds, [item["group"] for item in items])):
        folds[members] = fold
    return folds.tolist()


@pytest.mark.parametrize("cases", [20, 60])
def test_folds_are_as_even_as_scikit_learn_s(cases: int):
    items = drawn_items(cases)
    theirs = np.mean([unevenness(items, scikit_learn_s(items, seed)) for seed in range(8)])
    ours = np.mean([unevenness(items, [item["fold"] for item in assign_folds(items, 5, seed)]) for seed in range(8)])
    assert ours < 1.1 * theirs


def test_same_seed_same_folds_other_seed_others():
    items = drawn_items()
    assert assign_folds(items, 4, seed=3) == assign_folds(items, 4, seed=3)
    assert assign_folds(items, 4, seed=3) != assign_folds(items, 4, seed=4)


def test_items_without_labels_are_dealt_out_too():
    items = [{"group": f"case{number % 6}"} for number in range(24)]
    assert Counter(item["fold"] for item in assign_folds(items, 3)) == {0: 8, 1: 8, 2: 8}


def test_fewer_cases_than_folds():
    with pytest.raises(DataError, match="folds: 5 folds asked for, 4 cases found"):
        assign_folds(drawn_items(4), 5)


def test_one_fold_is_none():
    with pytest.raises(ValueError, match="1 folds asked for; at least 2"):
        assign_folds(drawn_items(), 1)


def test_real_cases_stay_whole(real_data):
    dealt = folds_of_cases(assign_folds(index_uw_madison(real_data / "uw_madison"), 5))
    assert len(dealt) == 13
    assert all(len(found) == 1 for found in dealt.values())
